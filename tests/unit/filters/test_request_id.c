/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "filters/registry.h"
#include "tests/unit/filters/fixture.h"

static const struct cyc_request_id_conf automatic = {false}, always_new = {true};

static bool is_uuid_v7(struct cyc_span id)
{
    if (id.len != 36)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash != (id.ptr[i] == '-'))
            return false;
        if (!is_dash && memchr("0123456789abcdef", id.ptr[i], 16) == NULL)
            return false;
    }
    return id.ptr[14] == '7' && memchr("89ab", id.ptr[19], 4) != NULL; /* version, variant */
}

static void request_id__is_kept_only_from_a_trusted_peer_and_when_well_formed(void **state)
{
    static const struct {
        const char *sent;
        bool is_trusted, is_always_new, is_kept;
        const char *why;
    } cases[] = {
        {"abc-123", true, false, true, "trusted and well-formed"},
        {"Root=1-5759e988/bd862e3fe1be46a9:x@y", true, false, true, "what tracing systems send"},
        {"abc-123", false, false, false, "anyone may claim anything"},
        {"abc-123", true, true, false, "request_id: always"},
        {"abc 123", true, false, false, "space"},
        {"abc\"123", true, false, false, "a quote would break log lines"},
        {"abc,123", true, false, false, "a list"},
        {"", true, false, false, "empty"},
        {NULL, true, false, false, "none"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
         true, false, true, "128 bytes"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbc",
         true, false, false, "129 bytes"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        fixture_init(&f);
        struct cyc_filter_call call =
            fixture_call(&f, cases[i].is_always_new ? &always_new : &automatic);
        f.exchange.is_client_trusted = cases[i].is_trusted;
        if (cases[i].sent != NULL)
            fixture_add(&f.req, "x-request-id", cases[i].sent);
        cyc_request_id_filter.on_req_head(&call, &f.req);
        struct cyc_span id = fixture_field(&f.req, "x-request-id");
        bool is_kept =
            cases[i].sent != NULL && cyc_span_equal(id, cyc_span_from_text(cases[i].sent));
        if (is_kept != cases[i].is_kept || (!is_kept && !is_uuid_v7(id)))
            fail_msg("case %zu: %s", i, cases[i].why);
        assert_true(cyc_span_equal(id, f.exchange.request_id));
        assert_int_equal(fixture_count(&f.req, "x-request-id"), 1);
        fixture_fini(&f);
    }
}

static void request_id__two_values_are_none(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    struct cyc_filter_call call = fixture_call(&f, &automatic);
    f.exchange.is_client_trusted = true;
    fixture_add(&f.req, "X-Request-Id", "one");
    fixture_add(&f.req, "X-Request-ID", "two");
    cyc_request_id_filter.on_req_head(&call, &f.req);
    assert_int_equal(fixture_count(&f.req, "X-Request-Id"), 1);
    assert_true(is_uuid_v7(f.exchange.request_id));
    fixture_fini(&f);
}

static void request_id__new_ones_sort_by_time(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    struct cyc_filter_call call = fixture_call(&f, &automatic);
    cyc_request_id_filter.on_req_head(&call, &f.req);
    struct cyc_span first = f.exchange.request_id;
    assert_memory_equal(first.ptr, "019bc134-78bb-7", 15); /* 1768473000123 ms */
    f.clock.wall_ns += CYC_NS_PER_MS;
    f.exchange.request_id = (struct cyc_span){NULL, 0};
    cyc_request_id_filter.on_req_head(&call, &f.req);
    assert_true(cyc_span_compare(first, f.exchange.request_id) < 0);
    fixture_fini(&f);
}

static void request_id__goes_back_to_the_client_unless_the_service_sent_one(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    struct cyc_filter_call call = fixture_call(&f, &automatic);
    cyc_request_id_filter.on_req_head(&call, &f.req);
    cyc_request_id_filter.on_res_head(&call, &f.res);
    assert_true(cyc_span_equal(fixture_field(&f.res, "X-Request-Id"), f.exchange.request_id));

    cyc_msg_init(&f.res, &f.arena, 2);
    fixture_add(&f.res, "X-Request-Id", "theirs");
    cyc_request_id_filter.on_res_head(&call, &f.res);
    assert_int_equal(fixture_count(&f.res, "X-Request-Id"), 1);
    assert_span_equal(fixture_field(&f.res, "X-Request-Id"), "theirs");
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_id__is_kept_only_from_a_trusted_peer_and_when_well_formed),
        cmocka_unit_test(request_id__two_values_are_none),
        cmocka_unit_test(request_id__new_ones_sort_by_time),
        cmocka_unit_test(request_id__goes_back_to_the_client_unless_the_service_sent_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
