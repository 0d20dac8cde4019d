/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with a configuration, said so that it can be fixed at once.
 *
 * Loading collects every error and warning here with its place, then renders them together: as text
 * with the source line, a caret and a hint, as JSON, or as workflow annotations.
 *
 *   edge.yaml:14:3: error: unknown key "rate_limt" in route "login"
 *      14 |   rate_limt: 5/min
 *         |   ^~~~~~~~~ did you mean "rate_limit"?
 *
 * Messages name things as the user wrote them; hints say what to write instead.
 */
#ifndef CYC_CONF_DIAG_H
#define CYC_CONF_DIAG_H

#include "base/arena.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

/** A place in a document. Lines and columns count from 1, columns in characters. */
struct cyc_conf_mark {
    const char *file; /* as named by the user; "env:NAME" for a variable; NULL: nowhere */
    uint32_t line;    /* 0: the file as a whole */
    uint32_t column, end_column; /* [column, end_column) on `line` */
};

enum cyc_diag_severity { CYC_DIAG_ERROR = 0, CYC_DIAG_WARNING };
enum cyc_diag_format { CYC_DIAG_TEXT = 0, CYC_DIAG_JSON, CYC_DIAG_GITHUB };

struct cyc_diag_item {
    struct cyc_diag_item *next;
    enum cyc_diag_severity severity;
    const char *code; /* stable word for programs: "unknown-key" */
    struct cyc_conf_mark mark;
    struct cyc_conf_mark related; /* the other place the message speaks of; file NULL: none */
    struct cyc_span path;         /* JSON pointer (RFC 6901); empty: unknown */
    struct cyc_span message, hint, source_line;
};

struct cyc_diag {
    struct cyc_arena *arena;     /* borrowed; must outlive the diag */
    struct cyc_diag_item *first; /* sorted by place */
    uint32_t error_count, warning_count;
    struct cyc_span source; /* text of the document being read; only borrowed while loading */
    bool is_muted;          /* nothing is kept or counted */
};

/** @param arena  for the messages; not the one of the configuration, which may be thrown away */
void cyc_diag_init(struct cyc_diag *diag, struct cyc_arena *arena);

/**
 * Adds one finding. All are counted, the first 1000 are kept.
 * @param mark  copied
 * @param code  static text
 * @return for cyc_diag_hint and the optional fields; NULL when it was not kept
 */
__attribute__((format(printf, 4, 5))) struct cyc_diag_item *cyc_diag_error(
    struct cyc_diag *diag, const struct cyc_conf_mark *mark, const char *code, const char *format,
    ...);
__attribute__((format(printf, 4, 5))) struct cyc_diag_item *cyc_diag_warn(
    struct cyc_diag *diag, const struct cyc_conf_mark *mark, const char *code, const char *format,
    ...);
/** Says what to do about it. @param item  may be NULL */
__attribute__((format(printf, 3, 4))) void cyc_diag_hint(struct cyc_diag *diag,
                                                         struct cyc_diag_item *item,
                                                         const char *format, ...);

/** Everything found, in the order of the document. The text form ends with a line that counts. */
struct cyc_span cyc_diag_render(const struct cyc_diag *diag, struct cyc_arena *arena,
                                enum cyc_diag_format format);

#endif
