/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that grows: for messages, dumps and manuals, never on the data path.
 *
 * The bytes live in an arena. Growing leaves the old copy behind, so use a scratch arena for long
 * texts and copy the result.
 */
#ifndef CYC_CONF_TEXT_H
#define CYC_CONF_TEXT_H

#include "base/arena.h"
#include "base/span.h"

#include <stddef.h>

struct cyc_text {
    struct cyc_arena *arena; /* borrowed */
    char *ptr;
    size_t len, capacity_bytes;
};

static inline void cyc_text_init(struct cyc_text *text, struct cyc_arena *arena)
{
    *text = (struct cyc_text){.arena = arena};
}

/** What was written so far; valid until the next write. */
static inline struct cyc_span cyc_text_span(const struct cyc_text *text)
{
    return cyc_span_of(text->ptr, text->len);
}

void cyc_text_add(struct cyc_text *text, struct cyc_span bytes);
/** @param bytes  NUL-terminated */
void cyc_text_puts(struct cyc_text *text, const char *bytes);
/** One piece, at most 1023 bytes; longer ones are cut. */
__attribute__((format(printf, 2, 3))) void cyc_text_printf(struct cyc_text *text,
                                                           const char *format, ...);
/** As a JSON string with its quotes (RFC 8259 7). Bytes that are not UTF-8 pass as they are. */
void cyc_text_add_json(struct cyc_text *text, struct cyc_span bytes);

#endif
