/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A parsed document: what was written, and where.
 *
 * Nodes say nothing about meaning: a scalar is text until a binding row reads it, so `yes`, `1.10`
 * and `0x1F` never turn into something else on the way. Aliases and `<<` are already resolved, and
 * members whose key starts with `x-` are still there for whoever wants to skip them.
 */
#ifndef CYC_CONF_TREE_H
#define CYC_CONF_TREE_H

#include "base/arena.h"
#include "base/span.h"
#include "conf/diag.h"

#include <stdbool.h>
#include <stdint.h>

#define CYC_TREE_DEPTH_MAX 64 /* nesting nobody writes by hand */
#define CYC_TREE_NODE_COUNT_MAX                                                                    \
    1000000 /* 10,000 routes are about 150,000; aliases count in full                              \
             */
#define CYC_TREE_BYTES_MAX (16u << 20)
#define CYC_TREE_ANCHOR_COUNT_MAX 1000

enum cyc_node_kind { CYC_NODE_SCALAR = 0, CYC_NODE_LIST, CYC_NODE_MAP };

struct cyc_node {
    enum cyc_node_kind kind;
    bool is_plain;        /* a scalar without quotes */
    bool is_broken;       /* its text could not be made out, which was reported */
    uint32_t child_count; /* items or members */
    uint32_t node_count;  /* this one and all below; 0 while it is being read */
    struct cyc_span text; /* of a scalar, variables expanded */
    struct cyc_span key;  /* of a map's member, else empty */
    struct cyc_conf_mark mark, key_mark;
    struct cyc_node *children, *next, *parent;
};

/**
 * Reads one YAML 1.2 (or JSON) document.
 * @param environment  for ${NAME}: "NAME=value", NULL-terminated; may be NULL
 * @param text  must outlive the call only
 * @return NULL after a syntax error or a broken limit; an empty document is an empty map. Errors
 *         that do not stop the reading (duplicate keys, unset variables) are only reported.
 */
struct cyc_node *cyc_tree_parse(struct cyc_arena *arena, struct cyc_diag *diag, const char *file,
                                struct cyc_span text, const char *const *environment);

/** @return the member named `key`, or NULL */
const struct cyc_node *cyc_node_find(const struct cyc_node *map, const char *key);
/** `key:` with nothing behind it, `~` or `null`. */
bool cyc_node_is_null(const struct cyc_node *node);
/** JSON pointer of a node, "/routes/2/path". */
struct cyc_span cyc_node_path(const struct cyc_node *node, struct cyc_arena *arena);

#endif
