/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/cidr.h"

#include <arpa/inet.h>
#include <string.h>

/** IPv4 is mapped, as cyc_addr_ip_bytes does it. */
static void ip_bytes(const char *text, uint8_t ret_ip[16])
{
    memset(ret_ip, 0, 16);
    ret_ip[10] = ret_ip[11] = 0xff;
    if (inet_pton(AF_INET, text, ret_ip + 12) != 1)
        assert_int_equal(inet_pton(AF_INET6, text, ret_ip), 1);
}

static void cidr__contains_its_block_only(void **state)
{
    static const struct {
        const char *cidr, *ip;
        bool is_inside;
        const char *why;
    } cases[] = {
        {"10.0.0.0/8", "10.255.1.2", true, "inside"},
        {"10.0.0.0/8", "11.0.0.0", false, "next block"},
        {"10.1.2.3/8", "10.9.9.9", true, "bits behind the prefix do not count"},
        {"192.168.4.0/22", "192.168.7.255", true, "last of a partial byte"},
        {"192.168.4.0/22", "192.168.8.0", false, "behind it"},
        {"1.2.3.4", "1.2.3.4", true, "one address"},
        {"1.2.3.4", "1.2.3.5", false, "its neighbour"},
        {"0.0.0.0/0", "203.0.113.9", true, "all of IPv4"},
        {"0.0.0.0/0", "2001:db8::1", false, "but not IPv6"},
        {"::/0", "10.0.0.1", true, "everything, mapped IPv4 too"},
        {"fd00::/8", "fdff::1", true, "IPv6"},
        {"fd00::/8", "fe80::1", false, "other IPv6"},
        {"2001:db8::1", "2001:db8::1", true, "one IPv6 address"},
        {"::ffff:10.0.0.0/104", "10.1.1.1", true, "mapped notation"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cyc_cidr cidr;
        uint8_t ip[16];
        assert_true(cyc_cidr_parse(cyc_span_from_text(cases[i].cidr), &cidr));
        ip_bytes(cases[i].ip, ip);
        if (cyc_cidr_contains(&cidr, ip) != cases[i].is_inside ||
            cyc_cidrs_contain(&cidr, 1, ip) != cases[i].is_inside)
            fail_msg("%s, %s: %s", cases[i].cidr, cases[i].ip, cases[i].why);
        assert_false(cyc_cidrs_contain(&cidr, 0, ip));
    }
}

static void cidr__malformed_blocks_are_refused(void **state)
{
    static const char *const texts[] = {"",          "/8",          "10.0.0.0/33",
                                        "10.0.0.0/", "10.0.0/8",    "fd00::/129",
                                        "name/8",    "10.0.0.0/8x", "10.0.0.0/-1"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct cyc_cidr cidr;
        if (cyc_cidr_parse(cyc_span_from_text(texts[i]), &cidr))
            fail_msg("\"%s\" was read", texts[i]);
    }
}

static void cidr__formats_what_it_read(void **state)
{
    static const char *const texts[][2] = {{"10.1.2.3/8", "10.0.0.0/8"},
                                           {"1.2.3.4", "1.2.3.4/32"},
                                           {"fd00:1::/16", "fd00::/16"},
                                           {"::/0", "::/0"}};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct cyc_cidr cidr;
        char out[CYC_CIDR_TEXT_BYTES_MAX];
        assert_true(cyc_cidr_parse(cyc_span_from_text(texts[i][0]), &cidr));
        size_t len = cyc_cidr_format(&cidr, out);
        assert_true(cyc_span_equal(cyc_span_of(out, len), cyc_span_from_text(texts[i][1])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cidr__contains_its_block_only),
        cmocka_unit_test(cidr__malformed_blocks_are_refused),
        cmocka_unit_test(cidr__formats_what_it_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
