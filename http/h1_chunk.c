/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chunked coding, to the letter of RFC 9112 7.1:
 *
 *   1*16HEXDIG [ ";" extension ] CRLF  data CRLF  ...  1*16"0" [ ";" extension ] CRLF
 *
 * No sign, no "0x", no space before ";", no bare CR or LF; extensions are checked for control
 * characters, bounded and dropped. The data of many small chunks in one read is moved together
 * where it lies, over the framing between, so that a chatty sender does not turn every few bytes
 * into a segment of its own.
 */
#include "base/assert.h"
#include "http/h1_internal.h"

#include <string.h>

#define SIZE_DIGIT_COUNT_MAX 16
#define EXTENSION_BYTES_MAX 256              /* of one chunk */
#define BODY_EXTENSION_BYTES_MAX (16 * 1024) /* of a whole body */
#define CHUNK_BYTES_MAX INT64_MAX
/* Up to here it is cheaper to move bytes than to have another segment. */
#define MOVE_BYTES_MAX 1024

static void size_begin(struct h1 *h1)
{
    h1->chunk = H1_CHUNK_SIZE;
    h1->in_bytes = 0;
    h1->chunk_digit_count = 0;
    h1->chunk_extension_bytes = 0;
}

void h1_chunks_begin(struct h1 *h1)
{
    h1->extension_bytes = 0;
    size_begin(h1);
}

static bool size_take(struct h1 *h1, char c)
{
    char lower = (char)(c | 0x20);
    uint64_t digit;

    if (cyc_char_is_digit(c))
        digit = (uint64_t)(c - '0');
    else if (lower >= 'a' && lower <= 'f')
        digit = (uint64_t)(lower - 'a') + 10;
    else if (h1->chunk_digit_count == 0)
        return false;
    else {
        h1->chunk = c == ';' ? H1_CHUNK_EXTENSION : H1_CHUNK_SIZE_LF;
        return c == ';' || c == '\r';
    }
    if (++h1->chunk_digit_count > SIZE_DIGIT_COUNT_MAX)
        return false;
    h1->in_bytes = h1->in_bytes << 4 | digit;
    return true;
}

static bool extension_take(struct h1 *h1, char c)
{
    unsigned char u = (unsigned char)c;

    if (c == '\r') {
        h1->chunk = H1_CHUNK_SIZE_LF;
        return true;
    }
    h1->extension_bytes++;
    return (u >= 0x20 || c == '\t') && u != 0x7f &&
           ++h1->chunk_extension_bytes <= EXTENSION_BYTES_MAX &&
           h1->extension_bytes <= BODY_EXTENSION_BYTES_MAX;
}

/** One byte that is not data. @return false when it may not stand there */
static bool framing_take(struct h1 *h1, char c)
{
    switch ((enum h1_chunk)h1->chunk) {
    case H1_CHUNK_SIZE:
        return size_take(h1, c);
    case H1_CHUNK_EXTENSION:
        return extension_take(h1, c);
    case H1_CHUNK_SIZE_LF:
        h1->chunk = h1->in_bytes > 0 ? H1_CHUNK_DATA : H1_CHUNK_LAST;
        return c == '\n' && h1->in_bytes <= CHUNK_BYTES_MAX;
    case H1_CHUNK_DATA_CR:
        h1->chunk = H1_CHUNK_DATA_LF;
        return c == '\r';
    case H1_CHUNK_DATA_LF:
        size_begin(h1);
        return c == '\n';
    case H1_CHUNK_DATA:
    case H1_CHUNK_LAST:
        break;
    }
    cyc_unreachable();
}

/** Between the end of `body` and `ptr`, if both are in `seg`, lies framing that was read and that
 *  nobody will look at again. */
static void data_append(struct cyc_buf *body, const struct cyc_seg *seg, char *ptr, size_t len)
{
    const struct cyc_seg *tail = body->tail;

    if (tail != NULL && tail->chunk == seg->chunk && len <= MOVE_BYTES_MAX &&
        tail->ptr + tail->len > seg->ptr) {
        char *to = tail->ptr + tail->len;
        memmove(to, ptr, len);
        ptr = to;
    }
    cyc_buf_append_chunk(body, seg->chunk, ptr, len);
}

/** Takes from the front segment. */
static bool segment_take(struct h1 *h1, struct cyc_buf *in, struct cyc_buf *body)
{
    struct cyc_seg *seg = in->head;
    size_t at = 0;

    while (at < seg->len && h1->chunk != H1_CHUNK_LAST) {
        if (h1->chunk != H1_CHUNK_DATA) {
            if (!framing_take(h1, seg->ptr[at++]))
                return false;
            continue;
        }
        size_t len = seg->len - at < h1->in_bytes ? seg->len - at : h1->in_bytes;
        data_append(body, seg, seg->ptr + at, len);
        at += len;
        h1->in_bytes -= len;
        if (h1->in_bytes == 0)
            h1->chunk = H1_CHUNK_DATA_CR;
    }
    cyc_buf_drop(in, at);
    return true;
}

bool h1_chunks_take(struct h1 *h1, struct cyc_buf *in, struct cyc_buf *body)
{
    while (in->bytes > 0 && h1->chunk != H1_CHUNK_LAST)
        if (!segment_take(h1, in, body))
            return false;
    return true;
}
