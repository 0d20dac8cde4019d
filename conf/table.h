/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Binding rows: one line per key of the configuration.
 *
 * A row says everything about its key: kind, place in a struct, default as the user would write it,
 * bounds, one sentence. From the rows come parsing with positions and suggestions, environment
 * overrides (conf/env.h), the dump of the effective configuration (conf/dump.h), the reference
 * manual and the JSON schema (conf/manual.h). No module sees YAML.
 *
 * Widening, so that short things stay short: one item may stand for a one-item list, and a scalar
 * or a list may stand for a section that names a `short_key`.
 *
 * Rows bind in table order, whatever the order of the document: later rows may rely on earlier
 * ones.
 */
#ifndef CYC_CONF_TABLE_H
#define CYC_CONF_TABLE_H

#include "base/arena.h"
#include "base/span.h"
#include "conf/diag.h"
#include "conf/text.h"
#include "conf/tree.h"
#include "conf/value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cyc_conf_kind {
    CYC_CONF_END = 0,    /* the row behind the last */
    CYC_CONF_BOOL,       /* bool */
    CYC_CONF_U32,        /* uint32_t */
    CYC_CONF_U32_POWER,  /* uint32_t, a power of two */
    CYC_CONF_DURATION,   /* uint32_t, milliseconds */
    CYC_CONF_DURATION_S, /* uint32_t, whole seconds */
    CYC_CONF_SIZE,       /* uint64_t, bytes */
    CYC_CONF_SIZE_U32,   /* uint32_t, bytes */
    CYC_CONF_PERCENT,    /* uint32_t, hundredths of a percent */
    CYC_CONF_ENUM,       /* an enum, which is 4 bytes: the value of one of `words` */
    CYC_CONF_TEXT,       /* struct cyc_span */
    CYC_CONF_TEXTS,      /* struct cyc_span * and a uint32_t at count_offset */
    CYC_CONF_NUMBERS,    /* double * and a count; positive, ascending */
    CYC_CONF_SECTION,    /* a struct in place, rows of `section` */
    CYC_CONF_INLINE,     /* the same, but its keys stand among ours */
    CYC_CONF_MAP,        /* named things: element * and a count; elements start with their name */
    CYC_CONF_LIST,       /* element * and a count */
    CYC_CONF_CUSTOM,     /* whatever `custom` says */
};

struct cyc_conf_bind;
struct cyc_conf_row;
struct cyc_conf_section;

/** A word with a fixed value: all there is for an ENUM, an extra spelling for numbers. */
struct cyc_conf_word {
    const char *word;
    uint64_t value;
};

/**
 * What a text must be, beyond text.
 * @param text  NUL-terminated copy in `arena`; may be replaced
 * @return false with `problem` filled in
 */
typedef bool cyc_conf_check(struct cyc_arena *arena, struct cyc_span *text,
                            struct cyc_value_problem *problem);
cyc_conf_check cyc_conf_check_name;    /* cyc_value_is_name */
cyc_conf_check cyc_conf_check_path;    /* starts with '/' */
cyc_conf_check cyc_conf_check_address; /* cyc_value_check_address */

/** A value with a shape of its own. */
struct cyc_conf_custom {
    const char *type;   /* as the manual says it: "target" */
    const char *schema; /* JSON Schema of it */
    /** Reports what is wrong itself. @param field  at the row's offset */
    void (*parse)(struct cyc_conf_bind *bind, const struct cyc_conf_row *row,
                  const struct cyc_node *node, void *field);
    /** Writes it as JSON; writes nothing when it is not set. */
    void (*print)(struct cyc_text *text, const void *field);
};

struct cyc_conf_row {
    const char *key;
    enum cyc_conf_kind kind;
    uint32_t offset;
    const char *fallback;  /* NULL: zero or empty */
    const char *min, *max; /* as the user would write them; NULL: no bound */
    const char *doc;
    uint32_t count_offset;
    cyc_conf_check *check;             /* of a text, or of each in a list; NULL: any */
    const char *type;                  /* what the manual calls a checked text: "address" */
    const struct cyc_conf_word *words; /* ends with {NULL, 0} */
    const struct cyc_conf_section *section;
    const struct cyc_conf_custom *custom;
    const char *shown; /* what the manual says instead of `fallback` */
    const char *later; /* values of a later version, separated by blanks */
    bool is_required;
};

struct cyc_conf_section {
    const char *noun; /* of an element: "route"; NULL: called by its key */
    const char *doc;
    const struct cyc_conf_row *rows;
    const char *later;     /* keys of a later version, separated by blanks */
    const char *short_key; /* what a scalar or a list stands for; NULL: nothing */
    const char *true_value,
        *false_value;     /* what `true` and `false` stand for then; NULL: refused */
    uint32_t size_bytes;  /* of an element of a MAP or LIST */
    uint32_t mark_offset; /* of its struct cyc_conf_mark; 0: has none */
    bool has_env;         /* CYCLONE_<SECTION>_<KEY> */
    /** Runs when the defaults are set and before the keys are read. */
    void (*prepare)(struct cyc_conf_bind *bind, const struct cyc_node *node, void *element);
};

/** Where in the document binding is, for messages. */
struct cyc_conf_place {
    const struct cyc_conf_place *outer; /* NULL: the document */
    const struct cyc_conf_section *section;
    const struct cyc_node *node;
};

struct cyc_conf_bind {
    struct cyc_arena *arena; /* results; everything bound is copied into it */
    struct cyc_arena *scratch;
    struct cyc_diag *diag;
    const struct cyc_conf_place *place;
    void *owner;     /* of the callbacks in the rows */
    bool is_builtin; /* the document is our own and may use what a file may not */
};

/** Sets the fields whose rows have a default. @param target  zeroed by the caller */
void cyc_conf_set_defaults(struct cyc_conf_bind *bind, const struct cyc_conf_section *section,
                           void *target);
/**
 * Reads a map (or what stands for one) into `target`. Keys not given keep what is there.
 * Errors go to bind->diag; reading goes on behind each.
 */
void cyc_conf_bind_section(struct cyc_conf_bind *bind, const struct cyc_conf_section *section,
                           const struct cyc_node *node, void *target);
/** Reads one value. @param target  the struct the row's offset is in */
void cyc_conf_bind_row(struct cyc_conf_bind *bind, const struct cyc_conf_row *row,
                       const struct cyc_node *node, void *target);

/** @return the row of `key`, also of an INLINE section; NULL: unknown.
 *  @param target  is moved to the struct the row's offset is in; may be NULL */
const struct cyc_conf_row *cyc_conf_find_row(const struct cyc_conf_section *section,
                                             struct cyc_span key, void **target);
/** Whether `word` is one of the blank-separated `words` (NULL: none). */
bool cyc_conf_has_word(const char *words, struct cyc_span word);

/** For scalar kinds: how the manual calls them ("duration"), how they are read and written; NULL
 *  functions otherwise. */
struct cyc_conf_kind_info {
    const char *type;
    cyc_value_parse *parse;
    cyc_value_print *print;
    uint32_t size_bytes;
    bool is_quoted; /* in JSON */
};
const struct cyc_conf_kind_info *cyc_conf_kind_info(enum cyc_conf_kind kind);
/** The number a scalar row holds. */
uint64_t cyc_conf_get_number(const struct cyc_conf_row *row, const void *target);

/** Errors about a node's value or key; the item may be NULL, as cyc_diag_error's. */
__attribute__((format(printf, 4, 5))) struct cyc_diag_item *cyc_conf_error(
    struct cyc_conf_bind *bind, const struct cyc_node *node, const char *code, const char *format,
    ...);
__attribute__((format(printf, 4, 5))) struct cyc_diag_item *cyc_conf_key_error(
    struct cyc_conf_bind *bind, const struct cyc_node *node, const char *code, const char *format,
    ...);
/** Reports what a value parser found. */
void cyc_conf_report(struct cyc_conf_bind *bind, const struct cyc_node *node,
                     const struct cyc_value_problem *problem);
/** The first item of a list, or the one that stands for it. @param ret_count  how many */
const struct cyc_node *cyc_conf_list_items(const struct cyc_node *node, uint32_t *ret_count);
/** @return the scalar's text; after an error, false */
bool cyc_conf_get_text(struct cyc_conf_bind *bind, const struct cyc_conf_row *row,
                       const struct cyc_node *node, struct cyc_span *ret_text);

#endif
