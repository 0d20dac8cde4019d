/* SPDX-License-Identifier: Apache-2.0 */
#include "base/span.h"

#include "base/assert.h"

/* RFC 9110 5.6.2: "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" / "_" / "`" /
 * "|" / "~" / DIGIT / ALPHA, as one bit per ASCII character. */
static const uint64_t token_bits[2] = {0x03ff6cfa00000000ull, 0x57ffffffc7fffffeull};

bool cyc_char_is_token(char c)
{
    unsigned char u = (unsigned char)c;
    return u < 128 && (token_bits[u >> 6] >> (u & 63) & 1) != 0;
}

bool cyc_span_equal_nocase(struct cyc_span a, struct cyc_span b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (a.ptr[i] != b.ptr[i] && cyc_char_lower(a.ptr[i]) != cyc_char_lower(b.ptr[i]))
            return false;
    return true;
}

bool cyc_span_starts_with(struct cyc_span s, struct cyc_span prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

bool cyc_span_ends_with_nocase(struct cyc_span s, struct cyc_span suffix)
{
    return s.len >= suffix.len &&
           cyc_span_equal_nocase(cyc_span_slice(s, s.len - suffix.len, s.len), suffix);
}

int cyc_span_compare(struct cyc_span a, struct cyc_span b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;
    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

bool cyc_span_is_token(struct cyc_span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!cyc_char_is_token(s.ptr[i]))
            return false;
    return s.len > 0;
}

static bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

struct cyc_span cyc_span_trim(struct cyc_span s)
{
    while (s.len > 0 && is_ows(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_ows(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

size_t cyc_span_find_char(struct cyc_span s, char c, size_t from)
{
    if (from >= s.len)
        return s.len;
    const char *at = memchr(s.ptr + from, c, s.len - from);
    return at != NULL ? (size_t)(at - s.ptr) : s.len;
}

struct cyc_span cyc_span_slice(struct cyc_span s, size_t from, size_t to)
{
    if (to > s.len)
        to = s.len;
    if (from >= to)
        return (struct cyc_span){NULL, 0};
    return (struct cyc_span){s.ptr + from, to - from};
}

/** @return index of the comma that ends the first member, or list.len */
static size_t member_end(struct cyc_span list)
{
    bool is_quoted = false;
    for (size_t i = 0; i < list.len; i++) {
        char c = list.ptr[i];
        if (c == '"')
            is_quoted = !is_quoted;
        else if (c == '\\' && is_quoted)
            i++;
        else if (c == ',' && !is_quoted)
            return i;
    }
    return list.len;
}

bool cyc_span_take_member(struct cyc_span *list, struct cyc_span *ret_member)
{
    while (list->len > 0) {
        size_t end = member_end(*list);
        struct cyc_span member = cyc_span_trim(cyc_span_slice(*list, 0, end));
        *list = cyc_span_slice(*list, end + 1, list->len);
        if (member.len > 0) {
            *ret_member = member;
            return true;
        }
    }
    return false;
}

bool cyc_span_parse_u64(struct cyc_span s, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!cyc_char_is_digit(s.ptr[i]))
            return false;
        uint64_t digit = (uint64_t)(s.ptr[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (value > max)
        return false;
    *ret_value = value;
    return true;
}

static int hex_digit(char c)
{
    if (cyc_char_is_digit(c))
        return c - '0';
    c = cyc_char_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool cyc_span_parse_hex(struct cyc_span s, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (s.len == 0 || s.len > 16)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        int digit = hex_digit(s.ptr[i]);
        if (digit < 0)
            return false;
        value = value << 4 | (uint64_t)digit;
    }
    *ret_value = value;
    return true;
}

size_t cyc_format_u64(char *out, uint64_t value)
{
    char digits[20];
    size_t len = 0;

    do {
        digits[len++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (size_t i = 0; i < len; i++)
        out[i] = digits[len - 1 - i];
    return len;
}

size_t cyc_format_hex(char *out, uint64_t value)
{
    size_t len = 1;

    while (len < 16 && value >> (4 * len) != 0)
        len++;
    for (size_t i = 0; i < len; i++)
        out[i] = "0123456789abcdef"[value >> (4 * (len - 1 - i)) & 15];
    return len;
}
