/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/date.h"

#include <string.h>

static void date__is_formatted_again_when_the_second_changes(void **state)
{
    struct cyc_date_cache cache = {0};
    struct cyc_clock clock = {0};
    (void)state;

    assert_memory_equal(cyc_date_text(&cache, &clock), "Thu, 01 Jan 1970 00:00:00 GMT", 29);
    clock.wall_ns = 784111777ull * CYC_NS_PER_S;
    assert_memory_equal(cyc_date_text(&cache, &clock), "Sun, 06 Nov 1994 08:49:37 GMT", 29);
    clock.wall_ns += CYC_NS_PER_S - 1;
    assert_memory_equal(cyc_date_text(&cache, &clock), "Sun, 06 Nov 1994 08:49:37 GMT", 29);
    clock.wall_ns++;
    assert_memory_equal(cyc_date_text(&cache, &clock), "Sun, 06 Nov 1994 08:49:38 GMT", 29);
    clock.wall_ns -= CYC_NS_PER_S; /* a clock may be set back */
    assert_memory_equal(cyc_date_text(&cache, &clock), "Sun, 06 Nov 1994 08:49:37 GMT", 29);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(date__is_formatted_again_when_the_second_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
