/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define DAY_S 86400ull

static void clock__dates_are_written_as_the_rfcs_print_them(void **state)
{
    static const struct {
        uint64_t wall_ns;
        const char *rfc3339, *http_date, *why;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 GMT", "the beginning"},
        {784111777000000000ull, "1994-11-06T08:49:37.000Z", "Sun, 06 Nov 1994 08:49:37 GMT",
         "the example of RFC 9110 5.6.7"},
        {1768473000123000000ull, "2026-01-15T10:30:00.123Z", "Thu, 15 Jan 2026 10:30:00 GMT",
         "milliseconds"},
        {951782399999999999ull, "2000-02-28T23:59:59.999Z", "Mon, 28 Feb 2000 23:59:59 GMT",
         "cut, not rounded up"},
        {951782400000000000ull, "2000-02-29T00:00:00.000Z", "Tue, 29 Feb 2000 00:00:00 GMT",
         "a leap year by the rule of 400"},
        {951868800000000000ull, "2000-03-01T00:00:00.000Z", "Wed, 01 Mar 2000 00:00:00 GMT",
         "the day after"},
        {4107542399000000000ull, "2100-02-28T23:59:59.000Z", "Sun, 28 Feb 2100 23:59:59 GMT",
         "no leap year by the rule of 100"},
        {4107542400000000000ull, "2100-03-01T00:00:00.000Z", "Mon, 01 Mar 2100 00:00:00 GMT",
         "so March follows"},
        {UINT64_MAX, "2554-07-21T23:34:33.709Z", "Sun, 21 Jul 2554 23:34:33 GMT", "the end"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[32] = {0};
        assert_int_equal(cyc_format_rfc3339(text, cases[i].wall_ns), 24);
        if (strcmp(text, cases[i].rfc3339) != 0)
            fail_msg("%s: %s", text, cases[i].why);
        memset(text, 0, sizeof(text));
        assert_int_equal(cyc_format_http_date(text, cases[i].wall_ns), 29);
        if (strcmp(text, cases[i].http_date) != 0)
            fail_msg("%s: %s", text, cases[i].why);
    }
}

static void clock__every_day_agrees_with_the_c_library(void **state)
{
    (void)state;
    for (uint64_t day = 0; day < 80000; day++) { /* to the year 2189 */
        time_t seconds = (time_t)(day * DAY_S + day % DAY_S);
        char got[32] = {0}, expected[32];
        struct tm parts;
        gmtime_r(&seconds, &parts);
        strftime(expected, sizeof(expected), "%a, %d %b %Y %H:%M:%S GMT", &parts);
        cyc_format_http_date(got, (uint64_t)seconds * CYC_NS_PER_S);
        assert_string_equal(got, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock__dates_are_written_as_the_rfcs_print_them),
        cmocka_unit_test(clock__every_day_agrees_with_the_c_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
