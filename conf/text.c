/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_BYTES_MIN 256
#define TEXT_PIECE_BYTES_MAX 1024

void cyc_text_add(struct cyc_text *text, struct cyc_span bytes)
{
    if (bytes.len == 0)
        return;
    if (text->len + bytes.len > text->capacity_bytes) {
        size_t want = text->capacity_bytes * 2 + bytes.len;
        size_t capacity = want > TEXT_BYTES_MIN ? want : TEXT_BYTES_MIN;
        char *grown = cyc_arena_alloc(text->arena, capacity);
        if (text->len > 0)
            memcpy(grown, text->ptr, text->len);
        text->ptr = grown;
        text->capacity_bytes = capacity;
    }
    memcpy(text->ptr + text->len, bytes.ptr, bytes.len);
    text->len += bytes.len;
}

void cyc_text_puts(struct cyc_text *text, const char *bytes)
{
    cyc_text_add(text, cyc_span_from_text(bytes));
}

void cyc_text_printf(struct cyc_text *text, const char *format, ...)
{
    char piece[TEXT_PIECE_BYTES_MAX];
    va_list args;

    va_start(args, format);
    int len = vsnprintf(piece, sizeof(piece), format, args);
    va_end(args);
    if (len < 0)
        return;
    size_t kept = (size_t)len < sizeof(piece) ? (size_t)len : sizeof(piece) - 1;
    cyc_text_add(text, cyc_span_of(piece, kept));
}

static void add_json_char(struct cyc_text *text, char c)
{
    switch (c) {
    case '"':
        cyc_text_puts(text, "\\\"");
        return;
    case '\\':
        cyc_text_puts(text, "\\\\");
        return;
    case '\n':
        cyc_text_puts(text, "\\n");
        return;
    case '\t':
        cyc_text_puts(text, "\\t");
        return;
    default:
        if ((unsigned char)c < 0x20 || c == 0x7f)
            cyc_text_printf(text, "\\u%04x", (unsigned)(unsigned char)c);
        else
            cyc_text_add(text, cyc_span_of(&c, 1));
    }
}

void cyc_text_add_json(struct cyc_text *text, struct cyc_span bytes)
{
    size_t plain = 0;

    cyc_text_puts(text, "\"");
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
            continue;
        cyc_text_add(text, cyc_span_slice(bytes, plain, i));
        add_json_char(text, bytes.ptr[i]);
        plain = i + 1;
    }
    cyc_text_add(text, cyc_span_slice(bytes, plain, bytes.len));
    cyc_text_puts(text, "\"");
}
