/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/fail.h"
#include "http/msg.h"

static void status__known_codes_have_their_phrase(void **state)
{
    (void)state;
    assert_true(cyc_span_equal(cyc_status_reason(200), CYC_SPAN("OK")));
    assert_true(cyc_span_equal(cyc_status_reason(404), CYC_SPAN("Not Found")));
    assert_true(
        cyc_span_equal(cyc_status_reason(511), CYC_SPAN("Network Authentication Required")));
}

static void status__unknown_codes_have_none(void **state)
{
    static const uint32_t codes[] = {0, 99, 299, 599, 600, 1000, UINT32_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        assert_int_equal(cyc_status_reason(codes[i]).len, 0);
}

static void status__every_failure_that_is_answered_has_a_phrase(void **state)
{
    (void)state;
    for (enum cyc_fail fail = CYC_FAIL_NONE + 1; fail < CYC_FAIL_COUNT; fail++) {
        uint32_t status = cyc_fail_info(fail)->status;
        assert_true(status == 0 || cyc_status_reason(status).len > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status__known_codes_have_their_phrase),
        cmocka_unit_test(status__unknown_codes_have_none),
        cmocka_unit_test(status__every_failure_that_is_answered_has_a_phrase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
