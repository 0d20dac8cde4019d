/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text as pointer and length: the only form in which Cyclone handles what peers and files say.
 *
 * A span borrows. It is never NUL-terminated, may hold any byte, and is empty when len is 0
 * (ptr may then be NULL).
 */
#ifndef CYC_BASE_SPAN_H
#define CYC_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cyc_span {
    const char *ptr;
    size_t len;
};

/** A span of a string literal. CYC_SPAN_INIT is for static initialisers. */
#define CYC_SPAN_INIT(literal)                                                                     \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }
#define CYC_SPAN(literal) ((struct cyc_span)CYC_SPAN_INIT(literal))

static inline struct cyc_span cyc_span_of(const char *ptr, size_t len)
{
    return (struct cyc_span){ptr, len};
}

/** @param text  NUL-terminated, or NULL for the empty span */
static inline struct cyc_span cyc_span_from_text(const char *text)
{
    return (struct cyc_span){text, text != NULL ? strlen(text) : 0};
}

static inline bool cyc_span_equal(struct cyc_span a, struct cyc_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline char cyc_char_lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static inline bool cyc_char_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/** RFC 9110 5.6.2 tchar. */
bool cyc_char_is_token(char c);

/** Equal but for ASCII case. */
bool cyc_span_equal_nocase(struct cyc_span a, struct cyc_span b);
bool cyc_span_starts_with(struct cyc_span s, struct cyc_span prefix);
bool cyc_span_ends_with_nocase(struct cyc_span s, struct cyc_span suffix);

/** Byte order; a prefix sorts before what it is a prefix of. */
int cyc_span_compare(struct cyc_span a, struct cyc_span b);

/** RFC 9110 5.6.2. An empty span is not a token. */
bool cyc_span_is_token(struct cyc_span s);

/** Without leading and trailing SP and HTAB (RFC 9110 5.6.3). */
struct cyc_span cyc_span_trim(struct cyc_span s);

/** @return index of the first `c` at or after `from`, or s.len */
size_t cyc_span_find_char(struct cyc_span s, char c, size_t from);

/** What lies in [from, to); both are clamped to the span. */
struct cyc_span cyc_span_slice(struct cyc_span s, size_t from, size_t to);

/**
 * Takes the next member off a comma-separated list (RFC 9110 5.6.1), trimmed; empty members are
 * skipped, commas inside quoted strings do not split.
 * @return false at the end of the list
 */
bool cyc_span_take_member(struct cyc_span *list, struct cyc_span *ret_member);

/** Decimal digits only, no sign, no space. @return false when malformed or above `max` */
bool cyc_span_parse_u64(struct cyc_span s, uint64_t max, uint64_t *ret_value);
/** Hexadecimal digits only, at most 16. */
bool cyc_span_parse_hex(struct cyc_span s, uint64_t *ret_value);

/** Writes `value` in decimal. @param out  at least 20 bytes @return bytes written */
size_t cyc_format_u64(char *out, uint64_t value);
/** Lower-case hexadecimal, no leading zeros. @param out  at least 16 bytes @return bytes written */
size_t cyc_format_hex(char *out, uint64_t value);

#endif
