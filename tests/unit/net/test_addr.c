/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "net/addr.h"

/* 107 bytes, the longest a sun_path holds with its NUL */
#define LONG_PATH                                                                                  \
    "/23456789012345678901234567890123456789012345678901234567890"                                 \
    "12345678901234567890123456789012345678901234567"

static void addr__texts_parse_and_print(void **state)
{
    static const struct {
        const char *text, *printed, *ip; /* printed NULL: does not parse */
        uint32_t port;
        bool is_loopback;
        const char *why;
    } cases[] = {
        {"1.2.3.4:80", "1.2.3.4:80", "1.2.3.4", 80, false, "IPv4"},
        {"127.9.9.9:1", "127.9.9.9:1", "127.9.9.9", 1, true, "127/8 is loopback"},
        {"0.0.0.0:0", "0.0.0.0:0", "0.0.0.0", 0, false, "any address, any port"},
        {"[::1]:8080", "[::1]:8080", "::1", 8080, true, "IPv6 loopback"},
        {"[2001:db8::7]:443", "[2001:db8::7]:443", "2001:db8::7", 443, false, "IPv6"},
        {"[::ffff:10.0.0.1]:5", "10.0.0.1:5", "10.0.0.1", 5, false, "mapped prints as IPv4"},
        {"[::ffff:127.0.0.1]:5", "127.0.0.1:5", "127.0.0.1", 5, true, "mapped loopback"},
        {":80", "[::]:80", "::", 80, false, "every address"},
        {"*:65535", "[::]:65535", "::", 65535, false, "every address, highest port"},
        {"unix:/run/a.sock", "unix:/run/a.sock", "unix:", 0, true, "UNIX"},
        {"unix:@name", "unix:@name", "unix:", 0, true, "abstract UNIX"},
        {"unix:" LONG_PATH, "unix:" LONG_PATH, "unix:", 0, true, "the longest path"},
        {"unix:" LONG_PATH "x", NULL, NULL, 0, false, "one too long"},
        {"unix:", NULL, NULL, 0, false, "no path"},
        {"", NULL, NULL, 0, false, "empty"},
        {"1.2.3.4", NULL, NULL, 0, false, "no port"},
        {"1.2.3.4:", NULL, NULL, 0, false, "empty port"},
        {"1.2.3.4:65536", NULL, NULL, 0, false, "port too large"},
        {"1.2.3.4:+80", NULL, NULL, 0, false, "a sign is no digit"},
        {"1.2.3.4:80 ", NULL, NULL, 0, false, "trailing space"},
        {"1.2.3:80", NULL, NULL, 0, false, "three parts"},
        {"1.2.3.256:80", NULL, NULL, 0, false, "part too large"},
        {"::1:80", NULL, NULL, 0, false, "IPv6 needs brackets (RFC 3986 3.2.2)"},
        {"[::1]80", NULL, NULL, 0, false, "no colon behind the bracket"},
        {"[::1:80", NULL, NULL, 0, false, "bracket not closed"},
        {"[1.2.3.4]:80", NULL, NULL, 0, false, "brackets are for IPv6"},
        {"localhost:80", NULL, NULL, 0, false, "names are not resolved here"},
    };
    char text[CYC_ADDR_TEXT_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cyc_addr addr;
        bool is_valid = cyc_addr_parse(cyc_span_from_text(cases[i].text), &addr);
        if (is_valid != (cases[i].printed != NULL))
            fail_msg("\"%s\": %s", cases[i].text, cases[i].why);
        if (!is_valid)
            continue;
        struct cyc_span printed = cyc_span_of(text, cyc_addr_format(&addr, text));
        if (!cyc_span_equal(printed, cyc_span_from_text(cases[i].printed)))
            fail_msg("\"%s\" prints \"%.*s\"", cases[i].text, (int)printed.len, printed.ptr);
        struct cyc_span ip = cyc_span_of(text, cyc_addr_format_ip(&addr, text));
        if (!cyc_span_equal(ip, cyc_span_from_text(cases[i].ip)))
            fail_msg("\"%s\" has IP \"%.*s\"", cases[i].text, (int)ip.len, ip.ptr);
        if (cyc_addr_port(&addr) != cases[i].port ||
            cyc_addr_is_loopback(&addr) != cases[i].is_loopback)
            fail_msg("\"%s\": %s", cases[i].text, cases[i].why);
    }
}

static void addr__bytes_inside_a_text_do_not_hide(void **state)
{
    struct cyc_addr addr;

    (void)state;
    assert_false(cyc_addr_parse(cyc_span_of("1.2.3.4\0:80", 11), &addr));
    assert_false(cyc_addr_parse(cyc_span_of("unix:/a\0b", 9), &addr));
    assert_false(cyc_addr_parse_ip(cyc_span_of("1.2.3.4\0", 8), 80, &addr));
    assert_false(cyc_addr_parse_ip(CYC_SPAN("1.2.3.4"), 65536, &addr));
}

static void addr__ip_bytes_are_the_same_for_both_spellings_of_ipv4(void **state)
{
    struct cyc_addr v4, mapped, unix_addr;
    uint8_t v4_bytes[16], mapped_bytes[16];

    (void)state;
    assert_true(cyc_addr_parse(CYC_SPAN("10.1.2.3:80"), &v4));
    assert_true(cyc_addr_parse(CYC_SPAN("[::ffff:10.1.2.3]:80"), &mapped));
    assert_true(cyc_addr_ip_bytes(&v4, v4_bytes));
    assert_true(cyc_addr_ip_bytes(&mapped, mapped_bytes));
    assert_memory_equal(v4_bytes, mapped_bytes, 16);
    assert_false(cyc_addr_equal(&v4, &mapped)); /* as socket addresses they differ */
    assert_true(cyc_addr_parse(CYC_SPAN("unix:/x"), &unix_addr));
    assert_false(cyc_addr_ip_bytes(&unix_addr, v4_bytes));
    assert_true(cyc_addr_is_unix(&unix_addr));
}

static void addr__none_prints_as_nothing(void **state)
{
    char text[CYC_ADDR_TEXT_BYTES_MAX];
    struct cyc_addr none = {0};

    (void)state;
    assert_int_equal(cyc_addr_format(&none, text), 0);
    assert_int_equal(cyc_addr_format_ip(&none, text), 0);
    assert_int_equal(cyc_addr_port(&none), 0);
    assert_false(cyc_addr_is_unix(&none));
    assert_false(cyc_addr_is_loopback(&none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addr__texts_parse_and_print),
        cmocka_unit_test(addr__bytes_inside_a_text_do_not_hide),
        cmocka_unit_test(addr__ip_bytes_are_the_same_for_both_spellings_of_ipv4),
        cmocka_unit_test(addr__none_prints_as_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
