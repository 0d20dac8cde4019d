/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "filters/feature_conf.h"
#include "tests/unit/proxy/config_fixture.h"

static void feature_conf__defaults(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    const struct cyc_feature_conf *features = &load_good(&fixture, "upstream: a:1")->defaults;
    assert_int_equal(features->timeout_ms, 15000);
    assert_int_equal(features->first_byte_timeout_ms, 0);
    assert_true(features->max_body_bytes == UINT64_MAX);
    assert_int_equal(features->security_headers, CYC_SECURITY_GUIDE);
    assert_int_equal(features->request_id, CYC_REQUEST_ID_AUTO);
    assert_true(features->is_access_logged);
    assert_int_equal(features->retry.attempts, 1);
    assert_true(features->retry.on_connect && features->retry.on_reset);
    fixture_fini(&fixture);
}

static void feature_conf__merges_from_outer_to_inner(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    const struct cyc_config *config = load_good(
        &fixture, "defaults:\n"
                  "  timeout: 7s\n"
                  "  request_headers: {set: {A: '1', B: '1'}, remove: [X]}\n"
                  "  retry: {attempts: 3, per_try_timeout: 1s}\n"
                  "filters:\n"
                  "  f: {request_headers: {set: {b: '2', C: '2'}}, security_headers: strict}\n"
                  "  g: {timeout: 9s, retry: false}\n"
                  "routes:\n"
                  "  - {path: /a, to: 'a:1', use: [f, g], request_headers: {set: {C: '3'}, "
                  "remove: Y}}\n"
                  "  - {path: /b, to: 'a:1', retry: 2, max_body_size: 0}\n");
    const struct cyc_feature_conf *first = &config->routes[0].features;
    assert_int_equal(first->timeout_ms, 9000);
    assert_int_equal(first->security_headers, CYC_SECURITY_STRICT);
    assert_int_equal(first->retry.attempts, 0);
    assert_int_equal(first->request_headers.set_count, 3);
    assert_text(first->request_headers.sets[0].value, "1");
    assert_text(first->request_headers.sets[1].value, "2");
    assert_text(first->request_headers.sets[2].value, "3");
    assert_int_equal(first->request_headers.remove_count, 1);
    assert_text(first->request_headers.removes[0], "Y");

    const struct cyc_feature_conf *second = &config->routes[1].features;
    assert_int_equal(second->timeout_ms, 7000);
    assert_int_equal(second->retry.attempts, 2);
    assert_int_equal(second->retry.per_try_timeout_ms, 1000);
    assert_int_equal(second->max_body_bytes, 0);
    assert_int_equal(second->request_headers.set_count, 2);
    assert_text(second->request_headers.sets[1].value, "1");
    fixture_fini(&fixture);
}

#define DEFAULTS(text) "upstream: a:1\ndefaults: {" text "}\n"

static void feature_conf__what_is_wrong_is_said(void **state)
{
    static const struct config_case cases[] = {
        {DEFAULTS("security_headers: true"), NULL, "basic"},
        {DEFAULTS("security_headers: false"), NULL, "off"},
        {DEFAULTS("security_headers: stric"), "did you mean \"strict\"?", "typo"},
        {DEFAULTS("max_body_size: listener"), NULL, "the word for the default"},
        {DEFAULTS("max_body_size: 1mb"), "write 1MiB (powers of 1024) or 1MB (of 1000)", "unit"},
        {DEFAULTS("retry: false"), NULL, "off"},
        {DEFAULTS("retry: true"), "is a whole number, got \"true\"", "how many?"},
        {DEFAULTS("retry: 11"), "11 is out of range for \"retry\" (0..10)", "range"},
        {DEFAULTS("retry: {on: connect}"), NULL, "one stands for a list"},
        {DEFAULTS("retry: {on: [\"503\"]}"), "retry on \"503\": not in this version yet", "later"},
        {DEFAULTS("retry: {on: [never]}"), "\"on\" takes connect and reset", "unknown"},
        {DEFAULTS("retry: {budget: 10%}"), "\"budget\" in \"retry\"", "a later key"},
        {DEFAULTS("rate_limit: 5/s"), "\"rate_limit\" in \"defaults\": not in this version yet",
         "nobody may believe in a limit that is not there"},
        {DEFAULTS("request_headers: {set: {\"A B\": x}}"), "\"A B\" is not a header name", "token"},
        {DEFAULTS("request_headers: {set: {Content-Length: 1}}"), "it frames or routes the message",
         "RFC 9110 7.6.1"},
        {DEFAULTS("request_headers: {remove: host}"), "it frames or routes the message",
         "any case"},
        {DEFAULTS("request_headers: {set: {A: \"x\\ny\"}}"), "no control characters",
         "RFC 9110 5.5"},
        {DEFAULTS("request_headers: {set: {A: \"%{host}-%{route} 100%\"}}"), NULL, "variables"},
        {DEFAULTS("request_headers: {set: {A: \"%{hots}\"}}"), "did you mean %{host}?", "typo"},
        {DEFAULTS("request_headers: {set: {A: \"%%{hots} 100% %\"}}"), NULL, "a percent sign"},
        {DEFAULTS("request_headers: {set: {A: \"%{host\"}}"), "no variable", "no end"},
        {DEFAULTS("request_headers: {set: [A]}"), "\"set\" is a map", "list for a map"},
        {DEFAULTS("request_headers: {set: {A: [1]}}"), "takes one value, not a list", "list"},
        {DEFAULTS("request_headers: {sett: {A: x}}"), "did you mean \"set\"?", "typo"},
    };
    (void)state;
    check_reports(cases, sizeof(cases) / sizeof(cases[0]));
}

static void feature_conf__variables_have_names(void **state)
{
    enum cyc_header_variable variable;
    (void)state;
    assert_true(cyc_header_variable_find(CYC_SPAN("client_ip"), &variable));
    assert_int_equal(variable, CYC_VARIABLE_CLIENT_IP);
    assert_true(cyc_header_variable_find(CYC_SPAN("endpoint"), &variable));
    assert_int_equal(variable, CYC_VARIABLE_ENDPOINT);
    assert_false(cyc_header_variable_find(CYC_SPAN(""), &variable));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(feature_conf__defaults),
        cmocka_unit_test(feature_conf__merges_from_outer_to_inner),
        cmocka_unit_test(feature_conf__what_is_wrong_is_said),
        cmocka_unit_test(feature_conf__variables_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
