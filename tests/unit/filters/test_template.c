/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "filters/template.h"
#include "tests/unit/filters/fixture.h"

static void template__renders_what_is_known_of_the_request(void **state)
{
    static const struct {
        const char *text, *value;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"100%", "100%"},
        {"100%% of %", "100% of %"},
        {"%%{host}", "%{host}"},
        {"%%%{host}", "%shop.example"},
        {"%{host}", "shop.example"},
        {"<%{client_ip}>", "<192.0.2.7>"},
        {"%{method} %{scheme}://%{host}%{uri}", "GET http://shop.example/api/v1/users?page=2"},
        {"%{path}|%{query}", "/api/v1/users|page=2"},
        {"%{listener}/%{route}/%{cluster}/%{endpoint}", "http/users/backend/"},
        {"%{request_id}", ""},
        {"%{status} at %{time}", "200 at 2026-01-15T10:30:00.123Z"},
        {"%{request_id} %{route} ", "users"}, /* a field value has no space around it */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        struct cyc_template tmpl;
        struct cyc_span value;
        size_t error_at;
        fixture_init(&f);
        f.exchange.res = &f.res;
        assert_true(
            cyc_template_parse(&f.arena, cyc_span_from_text(cases[i].text), &tmpl, &error_at));
        assert_true(cyc_template_render(&tmpl, &f.exchange, &value));
        assert_span_equal(value, cases[i].value);
        fixture_fini(&f);
    }
}

static void template__knows_every_variable_of_the_configuration(void **state)
{
    static const char *const names[] = {
#define X(name, text) "%{" text "}",
        CYC_HEADER_VARIABLES(X)
#undef X
    };
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct fixture f;
        struct cyc_template tmpl;
        struct cyc_span value;
        size_t error_at;
        fixture_init(&f);
        assert_true(cyc_template_parse(&f.arena, cyc_span_from_text(names[i]), &tmpl, &error_at));
        assert_true(cyc_template_render(&tmpl, &f.exchange, &value));
        fixture_fini(&f);
    }
}

static void template__says_where_it_is_wrong(void **state)
{
    static const struct {
        const char *text;
        size_t error_at;
        const char *why;
    } cases[] = {
        {"%{hots}", 0, "unknown"},
        {"a %{host} b %{nope}", 12, "the second one"},
        {"a %{host", 2, "unclosed"},
        {"%{}", 0, "empty"},
        {"%{Host}", 0, "names are lower case"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        struct cyc_template tmpl;
        size_t error_at = 999;
        fixture_init(&f);
        if (cyc_template_parse(&f.arena, cyc_span_from_text(cases[i].text), &tmpl, &error_at) ||
            error_at != cases[i].error_at)
            fail_msg("\"%s\" at %zu: %s", cases[i].text, error_at, cases[i].why);
        fixture_fini(&f);
    }
}

static void template__too_many_pieces_are_refused(void **state)
{
    struct fixture f;
    struct cyc_template tmpl;
    char text[7 * 100 + 1] = "";
    size_t error_at;
    (void)state;
    fixture_init(&f);
    for (int i = 0; i < 100; i++)
        memcpy(text + 7 * i, "%{host}", 8);
    assert_false(cyc_template_parse(&f.arena, cyc_span_from_text(text), &tmpl, &error_at));
    fixture_fini(&f);
}

static void template__static_text_is_not_rendered(void **state)
{
    struct fixture f;
    struct cyc_template tmpl;
    struct cyc_span first, second;
    size_t error_at;
    (void)state;
    fixture_init(&f);
    assert_true(cyc_template_parse(&f.arena, CYC_SPAN("fixed 100%%"), &tmpl, &error_at));
    assert_null(tmpl.pieces);
    assert_true(cyc_template_render(&tmpl, &f.exchange, &first));
    assert_true(cyc_template_render(&tmpl, &f.exchange, &second));
    assert_ptr_equal(first.ptr, second.ptr);
    fixture_fini(&f);
}

static void template__refuses_what_would_split_a_message(void **state)
{
    static const struct cyc_span values[] = {
        CYC_SPAN_INIT("a\r\nSet-Cookie: x=y"),
        CYC_SPAN_INIT("a\n"),
        CYC_SPAN_INIT("\r"),
        CYC_SPAN_INIT("a\0b"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct fixture f;
        struct cyc_template tmpl;
        struct cyc_span value;
        size_t error_at;
        fixture_init(&f);
        f.req.query = values[i];
        assert_true(cyc_template_parse(&f.arena, CYC_SPAN("x%{query}"), &tmpl, &error_at));
        assert_false(cyc_template_render(&tmpl, &f.exchange, &value));
        fixture_fini(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(template__renders_what_is_known_of_the_request),
        cmocka_unit_test(template__knows_every_variable_of_the_configuration),
        cmocka_unit_test(template__says_where_it_is_wrong),
        cmocka_unit_test(template__too_many_pieces_are_refused),
        cmocka_unit_test(template__static_text_is_not_rendered),
        cmocka_unit_test(template__refuses_what_would_split_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
