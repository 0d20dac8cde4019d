/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Targets and paths, eight bytes at a time where nothing is to be done.
 *
 * Almost every path needs no change: the scan says so and the path is used where it lies. One that
 * has an escape or a dot segment is rewritten segment by segment, in one pass: each segment is
 * decoded behind the ones before it and then, if it turned out to be a dot segment, taken off
 * again. Escapes are decoded once ("%252e" stays), so what a later decoder sees is what was
 * matched.
 */
#include "http/url.h"

#include "base/assert.h"

#include <string.h>

/* ---- scanning -------------------------------------------------------------------------------- */

#define ONES 0x0101010101010101ull
#define HIGHS 0x8080808080808080ull

static uint64_t load_word(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

/** Not 0 when a byte of `word` is `c`. */
static uint64_t word_has(uint64_t word, char c)
{
    uint64_t zero_where_equal = word ^ (ONES * (unsigned char)c);
    return (zero_where_equal - ONES) & ~zero_where_equal & HIGHS;
}

/** Not 0 when a byte of `word` is not in 0x21...0x7e. */
static uint64_t word_has_invisible(uint64_t word)
{
    uint64_t below = (word - ONES * 0x21) & ~word;
    uint64_t above = (word + ONES) | word;
    return (below | above) & HIGHS;
}

/** Visible ASCII without "#": what may be in a request target (RFC 9112 3.2; a fragment is never
 *  sent). RFC 3986 allows less, but "|" or "{" do no harm and are common. */
static bool is_target_text(struct cyc_span s)
{
    size_t i = 0;

    for (; i + 8 <= s.len; i += 8) {
        uint64_t word = load_word(s.ptr + i);
        if ((word_has_invisible(word) | word_has(word, '#')) != 0)
            return false;
    }
    for (; i < s.len; i++)
        if (s.ptr[i] < 0x21 || s.ptr[i] > 0x7e || s.ptr[i] == '#')
            return false;
    return true;
}

/** May be wrong only by saying yes. */
static bool may_need_work(struct cyc_span path)
{
    size_t i = 0;

    for (; i + 8 <= path.len; i += 8) {
        uint64_t word = load_word(path.ptr + i);
        if ((word_has(word, '%') | word_has(word, '.') | word_has(word, '\\')) != 0)
            return true;
    }
    for (; i < path.len; i++)
        if (path.ptr[i] == '%' || path.ptr[i] == '.' || path.ptr[i] == '\\')
            return true;
    return false;
}

static bool needs_work(struct cyc_span path)
{
    if (!may_need_work(path))
        return false;
    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];
        if (c == '%' || c == '\\' || (c == '.' && path.ptr[i - 1] == '/'))
            return true;
    }
    return false;
}

/* ---- target forms ---------------------------------------------------------------------------- */

static void split_query(struct cyc_span text, struct cyc_target *target)
{
    size_t mark = cyc_span_find_char(text, '?', 0);

    target->path = cyc_span_of(text.ptr, mark);
    target->has_query = mark < text.len;
    if (target->has_query)
        target->query = cyc_span_of(text.ptr + mark + 1, text.len - mark - 1);
}

static size_t authority_end(struct cyc_span s)
{
    size_t end = 0;
    while (end < s.len && s.ptr[end] != '/' && s.ptr[end] != '?')
        end++;
    return end;
}

/** RFC 9112 3.2.2. Only the schemes Cyclone serves. */
static bool parse_absolute(struct cyc_span text, enum cyc_method method, struct cyc_target *target)
{
    size_t colon = cyc_span_find_char(text, ':', 0);
    struct cyc_span scheme = cyc_span_slice(text, 0, colon);
    struct cyc_span rest = cyc_span_slice(text, colon, text.len);

    if (!cyc_span_equal_nocase(scheme, CYC_SPAN("http")) &&
        !cyc_span_equal_nocase(scheme, CYC_SPAN("https")))
        return false;
    if (!cyc_span_starts_with(rest, CYC_SPAN("://")))
        return false;
    rest = cyc_span_of(rest.ptr + 3, rest.len - 3);
    size_t end = authority_end(rest);
    target->form = CYC_TARGET_ABSOLUTE;
    target->scheme = scheme;
    target->authority = cyc_span_of(rest.ptr, end);
    split_query(cyc_span_of(rest.ptr + end, rest.len - end), target);
    if (target->path.len == 0) /* RFC 9112 3.2.4: OPTIONS for the server as a whole */
        target->path =
            method == CYC_METHOD_OPTIONS && !target->has_query ? CYC_SPAN("*") : CYC_SPAN("/");
    return target->authority.len > 0;
}

bool cyc_target_parse(struct cyc_span target, enum cyc_method method, struct cyc_target *ret)
{
    struct cyc_target parsed = {.form = CYC_TARGET_ORIGIN};

    if (target.len == 0 || !is_target_text(target))
        return false;
    if (method == CYC_METHOD_CONNECT) {
        parsed.form = CYC_TARGET_AUTHORITY;
        parsed.authority = target;
    } else if (CYC_LIKELY(target.ptr[0] == '/')) {
        split_query(target, &parsed);
    } else if (cyc_span_equal(target, CYC_SPAN("*"))) {
        parsed.form = CYC_TARGET_ASTERISK;
        parsed.path = target;
        if (method != CYC_METHOD_OPTIONS)
            return false;
    } else if (!parse_absolute(target, method, &parsed)) {
        return false;
    }
    *ret = parsed;
    return true;
}

/* ---- normalisation --------------------------------------------------------------------------- */

/** RFC 3986 2.3: the same with or without an escape. */
static bool is_unreserved(char c)
{
    char lower = (char)(c | 0x20);
    return (lower >= 'a' && lower <= 'z') || cyc_char_is_digit(c) || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

/** Decodes path[from, to) behind `out`. @return one past the last byte written, NULL to refuse */
static char *segment_decode(struct cyc_span path, size_t from, size_t to, char *out)
{
    for (size_t i = from; i < to; i++) {
        char c = path.ptr[i];
        uint64_t value;

        if (c == '\\')
            return NULL; /* some servers take it for "/" */
        if (c != '%') {
            *out++ = c;
            continue;
        }
        if (to - i < 3 || !cyc_span_parse_hex(cyc_span_of(path.ptr + i + 1, 2), &value) ||
            value == 0)
            return NULL;
        if (is_unreserved((char)value)) {
            *out++ = (char)value;
        } else {
            memcpy(out, path.ptr + i, 3);
            out += 3;
        }
        i += 2;
    }
    return out;
}

/** Takes the last segment with its "/" off. @return the new end, `out` itself at the root */
static char *segment_pop(char *out, char *end)
{
    while (end > out)
        if (*--end == '/')
            break;
    return end;
}

/** "..;x": servers that know path parameters take it for "..", behind our back. */
static bool has_dotted_parameter(struct cyc_span segment)
{
    return cyc_span_starts_with(segment, CYC_SPAN(".;")) ||
           cyc_span_starts_with(segment, CYC_SPAN("..;"));
}

bool cyc_path_normalise(struct cyc_span path, struct cyc_arena *arena, struct cyc_span *ret_path)
{
    cyc_assert(path.len > 0 && path.ptr[0] == '/');

    if (CYC_LIKELY(!needs_work(path))) {
        *ret_path = path;
        return true;
    }
    char *out = cyc_arena_alloc(arena, path.len + 1), *end = out;
    for (size_t from = 1, to; from <= path.len; from = to + 1) {
        to = cyc_span_find_char(path, '/', from);
        char *segment = end;
        *end++ = '/';
        end = segment_decode(path, from, to, end);
        if (end == NULL)
            return false;
        struct cyc_span text = cyc_span_of(segment + 1, (size_t)(end - segment - 1));
        if (has_dotted_parameter(text))
            return false;
        bool is_dot = cyc_span_equal(text, CYC_SPAN("."));
        bool is_dot_dot = cyc_span_equal(text, CYC_SPAN(".."));
        if (is_dot || is_dot_dot)
            end = is_dot ? segment : segment_pop(out, segment);
        if ((is_dot || is_dot_dot) && to == path.len)
            *end++ = '/';
    }
    *ret_path = cyc_span_of(out, (size_t)(end - out));
    return true;
}
