/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "filters/registry.h"
#include "tests/unit/filters/fixture.h"

static void headers__edit_in_the_order_remove_set_add(void **state)
{
    struct fixture f;
    struct cyc_header_edit sets[] = {
        {CYC_SPAN("x-client"), CYC_SPAN("%{client_ip}")},
        {CYC_SPAN("User-Agent"), CYC_SPAN("cyclone")},
    };
    struct cyc_header_edit adds[] = {
        {CYC_SPAN("Accept"), CYC_SPAN("text/html")},
        {CYC_SPAN("X-Gone"), CYC_SPAN("back")},
    };
    struct cyc_span removes[] = {CYC_SPAN("cookie"), CYC_SPAN("x-gone"), CYC_SPAN("not-there")};
    struct cyc_headers_conf conf = {.sets = sets,
                                    .adds = adds,
                                    .removes = removes,
                                    .set_count = 2,
                                    .add_count = 2,
                                    .remove_count = 3};
    (void)state;

    fixture_init(&f);
    struct cyc_stats_registry *registry = fixture_stats_init(&f);
    const void *compiled = cyc_headers_compile(&f.arena, registry, &conf);
    struct cyc_filter_call call = fixture_call(&f, compiled);
    fixture_add(&f.req, "Cookie", "a=b");
    fixture_add(&f.req, "Cookie", "c=d");
    fixture_add(&f.req, "X-Gone", "1");
    fixture_add(&f.req, "X-Client", "spoofed");
    fixture_add(&f.req, "X-CLIENT", "twice");
    fixture_add(&f.req, "Accept", "text/plain");
    cyc_request_headers_filter.on_req_head(&call, &f.req);
    assert_int_equal(fixture_count(&f.req, "cookie"), 0);
    assert_int_equal(fixture_count(&f.req, "x-client"), 1);
    assert_span_equal(fixture_field(&f.req, "x-client"), "192.0.2.7");
    assert_span_equal(fixture_field(&f.req, "user-agent"), "cyclone");
    assert_int_equal(fixture_count(&f.req, "accept"), 2);
    assert_span_equal(fixture_field(&f.req, "x-gone"), "back");
    fixture_stats_fini(&f, registry);
    fixture_fini(&f);
}

static void headers__response_edits_see_the_response(void **state)
{
    struct fixture f;
    struct cyc_header_edit sets[] = {{CYC_SPAN("X-Status"), CYC_SPAN("%{status} %{route}")}};
    struct cyc_headers_conf conf = {.sets = sets, .set_count = 1};
    (void)state;

    fixture_init(&f);
    struct cyc_stats_registry *registry = fixture_stats_init(&f);
    struct cyc_filter_call call = fixture_call(&f, cyc_headers_compile(&f.arena, registry, &conf));
    cyc_response_headers_filter.on_res_head(&call, &f.res);
    assert_span_equal(fixture_field(&f.res, "x-status"), "200 users");
    fixture_stats_fini(&f, registry);
    fixture_fini(&f);
}

static void headers__unsafe_value_is_left_out_and_counted(void **state)
{
    struct fixture f;
    struct cyc_header_edit edits[] = {{CYC_SPAN("X-Query"), CYC_SPAN("%{query}")}};
    struct cyc_headers_conf conf = {.sets = edits, .adds = edits, .set_count = 1, .add_count = 1};
    uint64_t sum = 0;
    (void)state;

    fixture_init(&f);
    struct cyc_stats_registry *registry = fixture_stats_init(&f);
    struct cyc_filter_call call = fixture_call(&f, cyc_headers_compile(&f.arena, registry, &conf));
    f.req.query = CYC_SPAN("a\r\nHost: evil");
    fixture_add(&f.req, "X-Query", "theirs"); /* a set must not let it through either */
    cyc_request_headers_filter.on_req_head(&call, &f.req);
    assert_int_equal(fixture_count(&f.req, "X-Query"), 0);
    for (uint32_t slot = 0; slot < 1024; slot++)
        sum += cyc_stat_get(f.env.stats, slot);
    assert_int_equal(sum, 2);
    fixture_stats_fini(&f, registry);
    fixture_fini(&f);
}

static void headers__nothing_to_do_is_no_filter(void **state)
{
    struct fixture f;
    struct cyc_headers_conf conf = {0};
    (void)state;
    fixture_init(&f);
    assert_null(cyc_headers_compile(&f.arena, NULL, &conf));
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers__edit_in_the_order_remove_set_add),
        cmocka_unit_test(headers__response_edits_see_the_response),
        cmocka_unit_test(headers__unsafe_value_is_left_out_and_counted),
        cmocka_unit_test(headers__nothing_to_do_is_no_filter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
