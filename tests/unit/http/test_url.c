/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/url.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *or_empty(const char *s)
{
    return s != NULL ? s : "";
}

static void target__forms_are_told_apart(void **state)
{
    static const struct {
        const char *target;
        enum cyc_method method;
        enum cyc_target_form form;
        const char *authority, *path, *query; /* query NULL: none */
        const char *why;
    } cases[] = {
        {"/", CYC_METHOD_GET, CYC_TARGET_ORIGIN, "", "/", NULL, "RFC 9112 3.2.1"},
        {"/a/b?c=d?e", CYC_METHOD_GET, CYC_TARGET_ORIGIN, "", "/a/b", "c=d?e", "first ? splits"},
        {"/a?", CYC_METHOD_GET, CYC_TARGET_ORIGIN, "", "/a", "", "empty is not none"},
        {"//x/y", CYC_METHOD_GET, CYC_TARGET_ORIGIN, "", "//x/y", NULL, "a path, no authority"},
        {"http://h:80/a?b", CYC_METHOD_GET, CYC_TARGET_ABSOLUTE, "h:80", "/a", "b", "3.2.2"},
        {"HTTPS://h", CYC_METHOD_GET, CYC_TARGET_ABSOLUTE, "h", "/", NULL, "no path is /"},
        {"http://h?b", CYC_METHOD_GET, CYC_TARGET_ABSOLUTE, "h", "/", "b", "no path, a query"},
        {"http://h", CYC_METHOD_OPTIONS, CYC_TARGET_ABSOLUTE, "h", "*", NULL, "3.2.4"},
        {"http://h/", CYC_METHOD_OPTIONS, CYC_TARGET_ABSOLUTE, "h", "/", NULL, "3.2.4"},
        {"h:443", CYC_METHOD_CONNECT, CYC_TARGET_AUTHORITY, "h:443", "", NULL, "3.2.3"},
        {"*", CYC_METHOD_OPTIONS, CYC_TARGET_ASTERISK, "", "*", NULL, "3.2.4"},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cyc_target target;
        if (!cyc_target_parse(cyc_span_from_text(cases[i].target), cases[i].method, &target))
            fail_msg("%s refused: %s", cases[i].target, cases[i].why);
        assert_int_equal(target.form, cases[i].form);
        assert_true(cyc_span_equal(target.authority, cyc_span_from_text(cases[i].authority)));
        assert_true(cyc_span_equal(target.path, cyc_span_from_text(cases[i].path)));
        assert_int_equal(target.has_query, cases[i].query != NULL);
        assert_true(cyc_span_equal(target.query, cyc_span_from_text(or_empty(cases[i].query))));
    }
}

static void target__malformed_ones_are_refused(void **state)
{
    static const struct {
        const char *target;
        enum cyc_method method;
        const char *why;
    } cases[] = {
        {"", CYC_METHOD_GET, "empty"},
        {"a", CYC_METHOD_GET, "no form"},
        {"*", CYC_METHOD_GET, "only for OPTIONS (RFC 9112 3.2.4)"},
        {"*a", CYC_METHOD_OPTIONS, "asterisk alone"},
        {"/a#b", CYC_METHOD_GET, "a fragment is never sent (RFC 9110 4.2.5)"},
        {"/01234567#", CYC_METHOD_GET, "fragment behind a whole word"},
        {"/\x80", CYC_METHOD_GET, "raw non-ASCII"},
        {"/aaaaaa\xc3\xa9", CYC_METHOD_GET, "raw non-ASCII within a word"},
        {"/a b", CYC_METHOD_GET, "space"},
        {"/a\tb", CYC_METHOD_GET, "tab"},
        {"/aaaaaaaaaaaaaaaa\x7f", CYC_METHOD_GET, "DEL"},
        {"/aaa\x01"
         "aaaaaaaa",
         CYC_METHOD_GET, "control character within a word"},
        {"ftp://h/", CYC_METHOD_GET, "not a scheme of this gateway"},
        {"http:/h/", CYC_METHOD_GET, "one slash"},
        {"http:///a", CYC_METHOD_GET, "no authority"},
        {"http://", CYC_METHOD_GET, "nothing"},
        {"://h", CYC_METHOD_GET, "no scheme"},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cyc_target target;
        if (cyc_target_parse(cyc_span_from_text(cases[i].target), cases[i].method, &target))
            fail_msg("\"%s\" accepted: %s", cases[i].target, cases[i].why);
    }
}

static void path__is_normalised(void **state)
{
    static const struct {
        const char *path, *expected; /* NULL: refused */
        const char *why;
    } cases[] = {
        {"/", "/", "nothing to do"},
        {"/a/b.c/..d/e..", "/a/b.c/..d/e..", "dots that are no segment"},
        {"/.", "/", "RFC 3986 5.2.4"},
        {"/..", "/", "above the root is the root"},
        {"/./a", "/a", "RFC 3986 5.2.4"},
        {"/a/.", "/a/", "RFC 3986 5.2.4"},
        {"/a/..", "/", "RFC 3986 5.2.4"},
        {"/a/b/../c", "/a/c", "RFC 3986 5.2.4"},
        {"/a/b/../../../c", "/c", "clamped"},
        {"/a/b/c/./../../g", "/a/g", "RFC 3986 5.2.4, example"},
        {"/a//b", "/a//b", "empty segments are kept"},
        {"/a//../b", "/a/b", "an empty segment is one"},
        {"//", "//", "kept"},
        {"/%2e%2e/a", "/a", "an escaped dot is a dot (RFC 3986 6.2.2.2)"},
        {"/a/.%2E/b", "/b", "half escaped"},
        {"/%2e", "/", "at the end"},
        {"/%41%7e%2D", "/A~-", "unreserved characters are decoded"},
        {"/a%2fb%2F..%5c", "/a%2fb%2F..%5c", "an escaped slash is no slash"},
        {"/..%2fa", "/..%2fa", "and ends no segment"},
        {"/%252e%252e/a", "/%252e%252e/a", "decoded once"},
        {"/%20%C3%a9", "/%20%C3%a9", "others stay as written"},
        {"/a;p/..x;/b", "/a;p/..x;/b", "parameters are part of the segment"},
        {"/a/..;/b", NULL, "some servers take it for .."},
        {"/a/%2e.;x=1/b", NULL, "the same, escaped"},
        {"/.;/b", NULL, "and for ."},
        {"/%00", NULL, "NUL"},
        {"/a%", NULL, "broken escape"},
        {"/a%4", NULL, "broken escape"},
        {"/a%4/b", NULL, "an escape does not reach over a slash"},
        {"/a%zz", NULL, "not hexadecimal"},
        {"/a%+1", NULL, "not hexadecimal"},
        {"/a\\..\\b", NULL, "raw backslash: some servers take it for a slash"},
    };
    struct cyc_mem mem = {0};
    struct cyc_arena arena;
    (void)state;

    cyc_arena_init(&arena, &mem, CYC_MEM_STREAMS, NULL, 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cyc_span result = {NULL, 0};
        bool is_accepted = cyc_path_normalise(cyc_span_from_text(cases[i].path), &arena, &result);
        if (is_accepted != (cases[i].expected != NULL))
            fail_msg("%s %s: %s", cases[i].path, is_accepted ? "accepted" : "refused",
                     cases[i].why);
        if (is_accepted && !cyc_span_equal(result, cyc_span_from_text(cases[i].expected)))
            fail_msg("%s is %.*s, not %s: %s", cases[i].path, (int)result.len, result.ptr,
                     cases[i].expected, cases[i].why);
    }
    cyc_arena_fini(&arena);
}

static void path__that_needs_nothing_is_used_where_it_lies(void **state)
{
    struct cyc_span path = CYC_SPAN("/static/js/app.min.js"), result;
    (void)state;
    assert_true(cyc_path_normalise(path, NULL, &result));
    assert_ptr_equal(result.ptr, path.ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(target__forms_are_told_apart),
        cmocka_unit_test(target__malformed_ones_are_refused),
        cmocka_unit_test(path__is_normalised),
        cmocka_unit_test(path__that_needs_nothing_is_used_where_it_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
