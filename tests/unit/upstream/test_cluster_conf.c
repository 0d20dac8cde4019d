/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/value.h"
#include "tests/unit/conf/fixture.h"
#include "upstream/cluster_conf.h"

static void cluster_conf__targets(void **state)
{
    static const struct {
        const char *text, *address; /* NULL: refused */
        uint32_t port;
        bool is_dns, is_all;
        const char *why;
    } cases[] = {
        {"10.0.0.1:80", "10.0.0.1:80", 80, false, false, "IPv4"},
        {"[::1]:8080", "[::1]:8080", 8080, false, false, "IPv6"},
        {"app:3000", "app:3000", 3000, true, false, "a name"},
        {"localhost:3000", "localhost:3000", 3000, true, false, "a name too"},
        {"http://app", "app:80", 80, true, false, "a URL may leave the port out"},
        {"http://app/", "app:80", 80, true, false, "an empty path"},
        {"http://app:0080", "app:80", 80, true, false, "one spelling of a port"},
        {"http://[::1]", "[::1]:80", 80, false, false, "IPv6 URL"},
        {"http://10.0.0.1:81/", "10.0.0.1:81", 81, false, false, "with port"},
        {"dns://app:80", "app:80", 80, true, true, "every address"},
        {"dns://10.0.0.1:80", "10.0.0.1:80", 80, false, false, "nothing to resolve"},
        {"unix:/run/app.sock", "unix:/run/app.sock", 0, false, false, "UNIX"},
        {"unix:", NULL, 0, false, false, "no path"},
        {"app", NULL, 0, false, false, "no port"},
        {"dns://app", NULL, 0, false, false, "no port, and no scheme that has one"},
        {":80", NULL, 0, false, false, "no host"},
        {"app:0", NULL, 0, false, false, "port 0"},
        {"app:65536", NULL, 0, false, false, "port too large"},
        {"http://app/path", NULL, 0, false, false, "a path"},
        {"https://app", NULL, 0, false, false, "a later version"},
        {"k8s://ns/app:http", NULL, 0, false, false, "a later version"},
        {"ftp://app:21", NULL, 0, false, false, "no such scheme"},
        {"a b:80", NULL, 0, false, false, "not a name"},
        {"builtin:demo", NULL, 0, false, false, "for our own document only"},
        {"::1:80", NULL, 0, false, false, "no brackets"},
        {"user@app:80", NULL, 0, false, false, "no user information"},
    };
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cyc_value_problem problem = {.code = NULL};
        struct cyc_endpoint_conf endpoint = {.weight = 7};
        bool is_good = cyc_cluster_target_parse(&fixture.arena, cyc_span_from_text(cases[i].text),
                                                false, &endpoint, &problem);
        if (is_good != (cases[i].address != NULL) || (!is_good && problem.message[0] == '\0'))
            fail_msg("%s: %s", cases[i].text, cases[i].why);
        if (!is_good)
            continue;
        if (!cyc_span_equal(endpoint.address, cyc_span_from_text(cases[i].address)) ||
            endpoint.port != cases[i].port || endpoint.is_dns != cases[i].is_dns ||
            endpoint.is_all != cases[i].is_all || endpoint.weight != 7)
            fail_msg("%s: %s: %.*s", cases[i].text, cases[i].why, (int)endpoint.address.len,
                     endpoint.address.ptr);
        assert_int_equal(endpoint.host.len > 0, cases[i].is_dns);
    }
    fixture_fini(&fixture);
}

static void cluster_conf__builtin_is_for_our_own_document(void **state)
{
    struct fixture fixture;
    struct cyc_value_problem problem = {.code = NULL};
    struct cyc_endpoint_conf endpoint = {.weight = 1};
    (void)state;
    fixture_init(&fixture);
    assert_true(cyc_cluster_target_parse(&fixture.arena, CYC_SPAN("builtin:demo"), true, &endpoint,
                                         &problem));
    assert_true(cyc_span_equal(endpoint.address, CYC_SPAN("builtin:demo")));
    fixture_fini(&fixture);
}

static void cluster_conf__names_have_neither_colon_nor_slash(void **state)
{
    (void)state;
    assert_false(cyc_target_is_inline(CYC_SPAN("orders-v1")));
    assert_true(cyc_target_is_inline(CYC_SPAN("orders:80")));
    assert_true(cyc_target_is_inline(CYC_SPAN("http://orders")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cluster_conf__targets),
        cmocka_unit_test(cluster_conf__builtin_is_for_our_own_document),
        cmocka_unit_test(cluster_conf__names_have_neither_colon_nor_slash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
