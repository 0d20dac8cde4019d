/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nearly all text is printable ASCII, so eight bytes at a time are copied if a few subtractions say
 * that none of them needs care; only then does a byte-by-byte look follow.
 */
#include "base/json.h"

#include "base/assert.h"

#include <stdbool.h>

#define EACH_BYTE 0x0101010101010101ull

struct writer {
    char *at, *end;
};

/**
 * Bit 7 of a byte gets set when it is above 127, below ' ', or one of " \ DEL (a difference of zero
 * wraps). A borrow may also mark the byte above a marked one: harmless, both get the long look.
 */
static inline bool word_is_plain(uint64_t word)
{
    uint64_t marks = word | (word - ' ' * EACH_BYTE);

    marks |= (word ^ '"' * EACH_BYTE) - EACH_BYTE;
    marks |= (word ^ '\\' * EACH_BYTE) - EACH_BYTE;
    marks |= (word ^ 0x7f * EACH_BYTE) - EACH_BYTE;
    return (marks & 0x80 * EACH_BYTE) == 0;
}

/** @return bytes of the well-formed UTF-8 character at the front (RFC 3629), 0 when there is none
 */
static size_t utf8_len(const unsigned char *ptr, size_t len)
{
    unsigned char first = ptr[0];
    unsigned char second_min = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned char second_max = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    size_t need = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;

    if (need == 0 || need > len || ptr[1] < second_min || ptr[1] > second_max)
        return 0;
    for (size_t i = 2; i < need; i++)
        if ((ptr[i] & 0xc0) != 0x80)
            return 0;
    return need;
}

static bool put(struct writer *w, const char *bytes, size_t len)
{
    if ((size_t)(w->end - w->at) < len)
        return false;
    memcpy(w->at, bytes, len);
    w->at += len;
    return true;
}

static bool put_code(struct writer *w, unsigned char code)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', '0', '0', hex[code >> 4], hex[code & 15]};

    return put(w, text, sizeof(text));
}

static bool put_control(struct writer *w, unsigned char c)
{
    switch (c) {
    case '\n':
        return put(w, "\\n", 2);
    case '\r':
        return put(w, "\\r", 2);
    case '\t':
        return put(w, "\\t", 2);
    default:
        return put_code(w, c);
    }
}

/** @param char_len  0: no UTF-8 */
static size_t put_multibyte(struct writer *w, const unsigned char *ptr, size_t char_len)
{
    if (char_len == 0)
        return put(w, "\xef\xbf\xbd", 3) ? 1 : 0;
    if (ptr[0] == 0xc2 && ptr[1] < 0xa0) /* C1 controls: some terminals obey them */
        return put_code(w, ptr[1]) ? 2 : 0;
    return put(w, (const char *)ptr, char_len) ? char_len : 0;
}

/** Writes the character at the front. @return bytes it had, 0 when it does not fit any more */
static size_t put_char(struct writer *w, const unsigned char *ptr, size_t len, bool is_json)
{
    unsigned char c = ptr[0];

    if (c < 0x20 || c == 0x7f)
        return put_control(w, c) ? 1 : 0;
    if (c == '\\' || (c == '"' && is_json))
        return put(w, (const char[]){'\\', (char)c}, 2) ? 1 : 0;
    if (c < 0x80)
        return put(w, (const char *)ptr, 1) ? 1 : 0;
    return put_multibyte(w, ptr, utf8_len(ptr, len));
}

static size_t escape(char *out, size_t max_bytes, struct cyc_span text, bool is_json)
{
    struct writer w = {out, out + max_bytes};

    while (text.len > 0) {
        if (text.len >= 8 && w.end - w.at >= 8) {
            uint64_t word;
            memcpy(&word, text.ptr, 8);
            if (CYC_LIKELY(word_is_plain(word))) {
                memcpy(w.at, &word, 8);
                w.at += 8;
                text.ptr += 8;
                text.len -= 8;
                continue;
            }
        }
        size_t done = put_char(&w, (const unsigned char *)text.ptr, text.len, is_json);
        if (done == 0)
            break;
        text.ptr += done;
        text.len -= done;
    }
    return (size_t)(w.at - out);
}

size_t cyc_json_escape(char *out, size_t max_bytes, struct cyc_span text)
{
    return escape(out, max_bytes, text, true);
}

size_t cyc_text_escape(char *out, size_t max_bytes, struct cyc_span text)
{
    return escape(out, max_bytes, text, false);
}
