/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/value.h"
#include "tests/unit/conf/fixture.h"

#define BAD UINT64_MAX /* expected to be refused */

struct value_case {
    const char *text;
    uint64_t value;
    const char *why;
};

static void check_cases(cyc_value_parse *parse, const struct value_case *cases)
{
    for (; cases->text != NULL; cases++) {
        struct cyc_value_problem problem = {.key = CYC_SPAN("key")};
        uint64_t value = 0;
        bool is_good = parse(cyc_span_from_text(cases->text), &value, &problem);
        if (is_good != (cases->value != BAD))
            fail_msg("\"%s\": %s", cases->text, cases->why);
        if (is_good && value != cases->value)
            fail_msg("\"%s\" is %llu: %s", cases->text, (unsigned long long)value, cases->why);
        if (!is_good && (problem.code == NULL || problem.message[0] == '\0'))
            fail_msg("\"%s\" is refused without a word", cases->text);
    }
}

static void value__bool_is_true_or_false_only(void **state)
{
    static const struct value_case cases[] = {
        {"true", 1, "YAML 1.2 core"}, {"false", 0, "YAML 1.2 core"}, {"yes", BAD, "YAML 1.1"},
        {"on", BAD, "YAML 1.1"},      {"1", BAD, "a number"},        {"True", BAD, "one spelling"},
        {"", BAD, "empty"},           {"truer", BAD, "prefix"},      {NULL, 0, NULL},
    };
    (void)state;
    check_cases(cyc_value_parse_bool, cases);
}

static void value__int_is_decimal_with_underscores_between_digits(void **state)
{
    static const struct value_case cases[] = {
        {"0", 0, "zero"},
        {"20_000", 20000, "readable"},
        {"18446744073709551614", 18446744073709551614u, "nearly the largest"},
        {"18446744073709551616", BAD, "does not fit"},
        {"_1", BAD, "leading underscore"},
        {"1_", BAD, "trailing underscore"},
        {"1__0", BAD, "two underscores"},
        {"0x10", BAD, "hexadecimal"},
        {"1.0", BAD, "not whole"},
        {"-1", BAD, "negative"},
        {"1e3", BAD, "exponent"},
        {" 1", BAD, "blank"},
        {"11111111111111111111111111111111111111111", BAD, "very long"},
        {NULL, 0, NULL},
    };
    (void)state;
    check_cases(cyc_value_parse_int, cases);
}

static void value__duration_needs_units(void **state)
{
    static const struct value_case cases[] = {
        {"0", 0, "zero of any unit is zero"},
        {"250ms", 250, "milliseconds"},
        {"5s", 5000, "seconds"},
        {"1m30s", 90000, "sum"},
        {"2h", 7200000, "hours"},
        {"1d", 86400000, "days"},
        {"5", BAD, "no unit"},
        {"s", BAD, "no number"},
        {"1.5s", BAD, "fraction"},
        {"5 s", BAD, "blank"},
        {"5S", BAD, "units are lower case"},
        {"5us", BAD, "nothing is that exact"},
        {"-5s", BAD, "negative"},
        {"5s3", BAD, "number without a unit at the end"},
        {"50d", BAD, "more than 32 bits of milliseconds"},
        {"", BAD, "empty"},
        {NULL, 0, NULL},
    };
    (void)state;
    check_cases(cyc_value_parse_duration, cases);
}

static void value__size_units_are_decimal_or_binary(void **state)
{
    static const struct value_case cases[] = {
        {"1048576", 1048576, "bare bytes, as in the deployment guide"},
        {"64KiB", 65536, "binary"},
        {"2GB", 2000000000, "decimal, as in the deployment guide"},
        {"1B", 1, "bytes"},
        {"1TiB", 1ull << 40, "large"},
        {"64k", BAD, "which k?"},
        {"64kb", BAD, "which k?"},
        {"1.5GiB", BAD, "fraction"},
        {"GiB", BAD, "no number"},
        {"99999999TiB", BAD, "does not fit"},
        {"", BAD, "empty"},
        {NULL, 0, NULL},
    };
    (void)state;
    check_cases(cyc_value_parse_size, cases);
}

static void value__percent_has_two_decimals(void **state)
{
    static const struct value_case cases[] = {
        {"20%", 2000, "whole"},   {"0.5%", 50, "one decimal"}, {"12.34%", 1234, "two"},
        {"0%", 0, "zero"},        {"100%", 10000, "all"},      {"1.234%", BAD, "three"},
        {"20", BAD, "no sign"},   {"%", BAD, "no number"},     {"1.%", BAD, "no decimals"},
        {".5%", BAD, "no whole"}, {"-1%", BAD, "negative"},    {NULL, 0, NULL},
    };
    (void)state;
    check_cases(cyc_value_parse_percent, cases);
}

static void value__problems_say_what_to_write(void **state)
{
    static const struct {
        cyc_value_parse *parse;
        const char *text, *message, *hint;
    } cases[] = {
        {cyc_value_parse_duration, "5", "\"key\" is a duration and needs a unit",
         "write 5s, 5ms or 5m"},
        {cyc_value_parse_bool, "yes", "expected true or false, got \"yes\"", "write true"},
        {cyc_value_parse_bool, "off", "expected true or false, got \"off\"", "write false"},
        {cyc_value_parse_size, "64k", "\"key\" is a size, got \"64k\"",
         "write 64KiB (powers of 1024) or 64KB (of 1000)"},
        {cyc_value_parse_percent, "20", "\"key\" is a percentage and needs a %", "write 20%"},
        {cyc_value_parse_int, "many", "\"key\" is a whole number, got \"many\"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cyc_value_problem problem = {.key = CYC_SPAN("key")};
        uint64_t value;
        assert_false(cases[i].parse(cyc_span_from_text(cases[i].text), &value, &problem));
        assert_string_equal(problem.message, cases[i].message);
        assert_string_equal(problem.hint, cases[i].hint);
    }
}

static void value__prints_what_it_would_read(void **state)
{
    static const struct {
        cyc_value_parse *parse;
        cyc_value_print *print;
        uint64_t value;
        const char *text;
    } cases[] = {
        {cyc_value_parse_bool, cyc_value_print_bool, 1, "true"},
        {cyc_value_parse_int, cyc_value_print_int, 4096, "4096"},
        {cyc_value_parse_duration, cyc_value_print_duration, 0, "0"},
        {cyc_value_parse_duration, cyc_value_print_duration, 90250, "1m30s250ms"},
        {cyc_value_parse_duration, cyc_value_print_duration, 15000, "15s"},
        {cyc_value_parse_size, cyc_value_print_size, 0, "0"},
        {cyc_value_parse_size, cyc_value_print_size, 65536, "64KiB"},
        {cyc_value_parse_size, cyc_value_print_size, 2000000000, "2GB"},
        {cyc_value_parse_size, cyc_value_print_size, 12345, "12345"},
        {cyc_value_parse_percent, cyc_value_print_percent, 2000, "20%"},
        {cyc_value_parse_percent, cyc_value_print_percent, 50, "0.5%"},
        {cyc_value_parse_percent, cyc_value_print_percent, 1205, "12.05%"},
    };
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cyc_value_problem problem = {.code = NULL};
        struct cyc_text text;
        uint64_t again;
        cyc_text_init(&text, &fixture.arena);
        cases[i].print(&text, cases[i].value);
        assert_string_equal(fixture_text(&fixture, cyc_text_span(&text)), cases[i].text);
        assert_true(cases[i].parse(cyc_text_span(&text), &again, &problem));
        assert_int_equal(again, cases[i].value);
    }
    fixture_fini(&fixture);
}

static void value__addresses_are_literal(void **state)
{
    static const struct {
        const char *text;
        bool is_good;
        const char *why;
    } cases[] = {
        {":8443", true, "any address"},      {"127.0.0.1:80", true, "IPv4"},
        {"[::1]:80", true, "IPv6"},          {":0", true, "any port"},
        {"unix:/run/c.sock", true, "UNIX"},  {"unix:", false, "no path"},
        {"8080", false, "a port alone"},     {"::1:80", false, "no brackets"},
        {"localhost:80", false, "a name"},   {"*:80", false, "a star"},
        {"127.0.0.1", false, "no port"},     {"127.0.0.1:70000", false, "port too large"},
        {"127.0.0.1:", false, "port empty"}, {"1.2.3:80", false, "not an address"},
        {"fd:3", false, "a later version"},  {"", false, "empty"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cyc_value_problem problem = {.code = NULL};
        if (cyc_value_check_address(cyc_span_from_text(cases[i].text), &problem) !=
            cases[i].is_good)
            fail_msg("\"%s\": %s", cases[i].text, cases[i].why);
    }
}

static void value__names_and_hosts(void **state)
{
    static const struct {
        const char *text;
        bool is_name, is_host;
    } cases[] = {
        {"api", true, true},          {"api-1.v2_x", true, true}, {"1api", false, true},
        {"-api", false, true},        {"a b", false, false},      {"a:b", false, false},
        {"", false, false},           {"a..b", true, false},      {".a", false, false},
        {"example.com.", true, true}, {"a/b", false, false},      {"\xc3\xa4", false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cyc_span text = cyc_span_from_text(cases[i].text);
        if (cyc_value_is_name(text) != cases[i].is_name)
            fail_msg("\"%s\" as a name", cases[i].text);
        if (cyc_value_is_host_name(text) != cases[i].is_host)
            fail_msg("\"%s\" as a host", cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(value__bool_is_true_or_false_only),
        cmocka_unit_test(value__int_is_decimal_with_underscores_between_digits),
        cmocka_unit_test(value__duration_needs_units),
        cmocka_unit_test(value__size_units_are_decimal_or_binary),
        cmocka_unit_test(value__percent_has_two_decimals),
        cmocka_unit_test(value__problems_say_what_to_write),
        cmocka_unit_test(value__prints_what_it_would_read),
        cmocka_unit_test(value__addresses_are_literal),
        cmocka_unit_test(value__names_and_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
