/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/diag.h"
#include "tests/unit/conf/fixture.h"

static const char source[] = "server:\n\tport: 70000\n\xc3\xa4\xc3\xb6: yes\r\n";

static const char *render(struct fixture *fixture, enum cyc_diag_format format)
{
    return fixture_text(fixture, cyc_diag_render(&fixture->diag, &fixture->messages, format));
}

static void diag__shows_line_caret_and_hint(void **state)
{
    const struct cyc_conf_mark port = {"a.yaml", 2, 8, 13}, yes = {"a.yaml", 3, 5, 8};
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    fixture.diag.source = cyc_span_from_text(source);
    cyc_diag_hint(&fixture.diag, cyc_diag_warn(&fixture.diag, &yes, "bad", "odd"), "write %s",
                  "true");
    cyc_diag_error(&fixture.diag, &port, "range", "%d is out of range", 70000);
    assert_string_equal(render(&fixture, CYC_DIAG_TEXT),
                        "a.yaml:2:8: error: 70000 is out of range\n"
                        "    2 | \tport: 70000\n"
                        "      | \t      ^~~~~\n"
                        "a.yaml:3:5: warning: odd\n"
                        "    3 | \xc3\xa4\xc3\xb6: yes\n"
                        "      |     ^~~ write true\n"
                        "1 error, 1 warning; the configuration was not loaded\n");
    fixture_fini(&fixture);
}

static void diag__without_a_line_the_hint_follows(void **state)
{
    const struct cyc_conf_mark mark = {"env:CYCLONE_SERVER_PROT", 0, 0, 0};
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    cyc_diag_hint(&fixture.diag, cyc_diag_warn(&fixture.diag, &mark, "x", "no such setting"),
                  "did you mean CYCLONE_SERVER_PORT?");
    assert_string_equal(render(&fixture, CYC_DIAG_TEXT),
                        "env:CYCLONE_SERVER_PROT: warning: no such setting; did you mean "
                        "CYCLONE_SERVER_PORT?\n1 warning\n");
    fixture_fini(&fixture);
}

static void diag__is_sorted_by_place_and_environment_comes_last(void **state)
{
    const struct cyc_conf_mark places[] = {
        {"f", 0, 0, 0}, {"f", 9, 1, 2}, {"f", 2, 5, 6}, {"f", 2, 1, 2}, {"f", 9, 1, 2}};
    const uint32_t expected[] = {3, 2, 1, 4, 0};
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    for (unsigned i = 0; i < 5; i++)
        cyc_diag_error(&fixture.diag, &places[i], "x", "%u", i);
    const struct cyc_diag_item *item = fixture.diag.first;
    for (unsigned i = 0; i < 5; i++, item = item->next)
        assert_int_equal(item->message.ptr[0], '0' + expected[i]);
    assert_null(item);
    fixture_fini(&fixture);
}

static void diag__counts_what_it_does_not_keep(void **state)
{
    const struct cyc_conf_mark mark = {"f", 1, 1, 2};
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    for (unsigned i = 0; i < 1500; i++)
        cyc_diag_hint(&fixture.diag, cyc_diag_error(&fixture.diag, &mark, "x", "m"), "h");
    assert_int_equal(fixture.diag.error_count, 1500);
    fixture.diag.is_muted = true;
    assert_null(cyc_diag_error(&fixture.diag, &mark, "x", "m"));
    assert_int_equal(fixture.diag.error_count, 1500);
    fixture_fini(&fixture);
}

static void diag__json_and_annotations(void **state)
{
    const struct cyc_conf_mark mark = {"a,b.yaml", 1, 1, 7}, other = {"a,b.yaml", 5, 2, 3};
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    assert_string_equal(render(&fixture, CYC_DIAG_JSON), "[]\n");
    assert_string_equal(render(&fixture, CYC_DIAG_TEXT), "");
    struct cyc_diag_item *item = cyc_diag_error(&fixture.diag, &mark, "some-code", "100%% \"odd\"");
    item->path = CYC_SPAN("/routes/2");
    item->related = other;
    assert_string_equal(
        render(&fixture, CYC_DIAG_JSON),
        "[\n{\"severity\":\"error\",\"file\":\"a,b.yaml\",\"line\":1,\"column\":1,\"end_column\":7,"
        "\"path\":\"/routes/2\",\"code\":\"some-code\",\"message\":\"100% "
        "\\\"odd\\\"\",\"hint\":\"\","
        "\"related\":[{\"file\":\"a,b.yaml\",\"line\":5,\"column\":2,\"end_column\":3}]}\n]\n");
    cyc_diag_hint(&fixture.diag, item, "two\nlines");
    assert_string_equal(render(&fixture, CYC_DIAG_GITHUB),
                        "::error file=a%2Cb.yaml,line=1,col=1,endColumn=7,title=some-code::100%25 "
                        "\"odd\"; two%0Alines\n");
    fixture_fini(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(diag__shows_line_caret_and_hint),
        cmocka_unit_test(diag__without_a_line_the_hint_follows),
        cmocka_unit_test(diag__is_sorted_by_place_and_environment_comes_last),
        cmocka_unit_test(diag__counts_what_it_does_not_keep),
        cmocka_unit_test(diag__json_and_annotations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
