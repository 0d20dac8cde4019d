/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second opinion on HTTP/1 bytes: the smallest parser that can be had, slow, strict, and sharing
 * nothing with the codec. It reads one complete message from the front of a text.
 */
#ifndef CYC_FUZZ_H1_PLAIN_H
#define CYC_FUZZ_H1_PLAIN_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PLAIN_FIELD_COUNT_MAX 256
#define PLAIN_BODY_BYTES_MAX (64 * 1024)

struct plain_field {
    struct cyc_span name, value;
};

struct plain {
    struct cyc_span rest;    /* not read yet */
    struct cyc_span line[3]; /* the start line, at its first two spaces */
    struct plain_field fields[PLAIN_FIELD_COUNT_MAX];
    uint32_t field_count, trailer_count;
    size_t body_bytes;
    char body[PLAIN_BODY_BYTES_MAX];
};

enum plain_body {
    PLAIN_BODY_AS_FRAMED,
    PLAIN_BODY_NONE,        /* the answer to a HEAD, 1xx, 204, 304 */
    PLAIN_BODY_UNTIL_CLOSE, /* an answer: unframed means to the end */
};

/** Takes a line that ends in CRLF and has no other CR, LF or NUL. */
static inline bool plain_line(struct plain *p, struct cyc_span *ret_line)
{
    size_t len = cyc_span_find_char(p->rest, '\n', 0);

    if (len == p->rest.len || len == 0 || p->rest.ptr[len - 1] != '\r')
        return false;
    *ret_line = cyc_span_of(p->rest.ptr, len - 1);
    p->rest = cyc_span_slice(p->rest, len + 1, p->rest.len);
    return memchr(ret_line->ptr, '\r', ret_line->len) == NULL &&
           memchr(ret_line->ptr, '\0', ret_line->len) == NULL;
}

static inline bool plain_start_line(struct plain *p)
{
    struct cyc_span line;

    if (!plain_line(p, &line))
        return false;
    size_t first = cyc_span_find_char(line, ' ', 0);
    size_t second = cyc_span_find_char(line, ' ', first + 1);
    p->line[0] = cyc_span_slice(line, 0, first);
    p->line[1] = cyc_span_slice(line, first + 1, second);
    p->line[2] = cyc_span_slice(line, second + 1, line.len);
    return second < line.len;
}

/** Fields up to the empty line. */
static inline bool plain_fields(struct plain *p, uint32_t *count)
{
    struct cyc_span line;

    for (;;) {
        if (!plain_line(p, &line))
            return false;
        if (line.len == 0)
            return true;
        size_t colon = cyc_span_find_char(line, ':', 0);
        struct cyc_span name = cyc_span_slice(line, 0, colon);
        if (colon == line.len || !cyc_span_is_token(name) || *count == PLAIN_FIELD_COUNT_MAX)
            return false;
        p->fields[(*count)++] =
            (struct plain_field){name, cyc_span_trim(cyc_span_slice(line, colon + 1, line.len))};
    }
}

static inline bool plain_take_body(struct plain *p, uint64_t len)
{
    if (len > p->rest.len || len > PLAIN_BODY_BYTES_MAX - p->body_bytes)
        return false;
    if (len > 0)
        memcpy(p->body + p->body_bytes, p->rest.ptr, len);
    p->body_bytes += len;
    p->rest = cyc_span_slice(p->rest, len, p->rest.len);
    return true;
}

static inline bool plain_chunks(struct plain *p)
{
    struct cyc_span line;
    uint64_t len;

    for (;;) {
        if (!plain_line(p, &line) || !cyc_span_parse_hex(line, &len))
            return false;
        if (len == 0)
            break;
        if (!plain_take_body(p, len) || !plain_line(p, &line) || line.len > 0)
            return false;
    }
    uint32_t count = p->field_count;
    if (!plain_fields(p, &count))
        return false;
    p->trailer_count = count - p->field_count;
    return true;
}

static inline uint32_t plain_count(const struct plain *p, struct cyc_span name,
                                   struct cyc_span *ret_value)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < p->field_count; i++)
        if (cyc_span_equal_nocase(p->fields[i].name, name)) {
            *ret_value = p->fields[i].value;
            count++;
        }
    return count;
}

/** @return true when p->rest began with one complete message; what is behind it is p->rest then */
static inline bool plain_read(struct plain *p, enum plain_body kind)
{
    struct cyc_span length, coding;
    uint64_t bytes = 0;

    p->field_count = p->trailer_count = 0;
    p->body_bytes = 0;
    if (!plain_start_line(p) || !plain_fields(p, &p->field_count))
        return false;
    uint32_t length_count = plain_count(p, CYC_SPAN("content-length"), &length);
    uint32_t coding_count = plain_count(p, CYC_SPAN("transfer-encoding"), &coding);
    if (length_count + coding_count > 1)
        return false;
    if (length_count == 1 && !cyc_span_parse_u64(length, INT64_MAX, &bytes))
        return false;
    if (coding_count == 1 && !cyc_span_equal(coding, CYC_SPAN("chunked")))
        return false;
    if (kind == PLAIN_BODY_NONE)
        return true;
    if (coding_count == 1)
        return plain_chunks(p);
    if (length_count == 0 && kind == PLAIN_BODY_UNTIL_CLOSE)
        bytes = p->rest.len;
    return plain_take_body(p, bytes);
}

#endif
