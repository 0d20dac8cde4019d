/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/text.h"
#include "tests/unit/conf/fixture.h"

static void text__grows_without_losing_a_byte(void **state)
{
    struct fixture fixture;
    struct cyc_text text;
    (void)state;
    fixture_init(&fixture);
    cyc_text_init(&text, &fixture.arena);
    assert_int_equal(cyc_text_span(&text).len, 0);
    for (int i = 0; i < 5000; i++)
        cyc_text_printf(&text, "%04d", i);
    assert_int_equal(text.len, 20000);
    for (int i = 0; i < 5000; i++) {
        char number[16];
        snprintf(number, sizeof(number), "%04d", i);
        assert_memory_equal(text.ptr + 4 * i, number, 4);
    }
    fixture_fini(&fixture);
}

static void text__json_strings_are_escaped(void **state)
{
    static const struct {
        const char *bytes, *json, *why;
    } cases[] = {
        {"", "\"\"", "empty"},
        {"plain", "\"plain\"", "nothing to do"},
        {"a\"b\\c", "\"a\\\"b\\\\c\"", "RFC 8259 7"},
        {"l\ni\tn\re", "\"l\\ni\\tn\\u000de\"", "control characters"},
        {"\x7f", "\"\\u007f\"", "DEL"},
        {"\xc3\xa4", "\"\xc3\xa4\"", "UTF-8 stays"},
    };
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cyc_text text;
        cyc_text_init(&text, &fixture.arena);
        cyc_text_add_json(&text, cyc_span_from_text(cases[i].bytes));
        if (strcmp(fixture_text(&fixture, cyc_text_span(&text)), cases[i].json) != 0)
            fail_msg("%s: %.*s", cases[i].why, (int)text.len, text.ptr);
    }
    fixture_fini(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text__grows_without_losing_a_byte),
        cmocka_unit_test(text__json_strings_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
