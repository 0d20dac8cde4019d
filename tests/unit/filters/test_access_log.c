/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "filters/registry.h"
#include "tests/unit/filters/fixture.h"

static uint32_t lines_of(struct cyc_log_ring *ring)
{
    enum cyc_log_stream stream;
    struct cyc_span line;
    uint32_t count = 0;

    cyc_log_ring_begin(ring);
    while (cyc_log_ring_next(ring, &stream, &line)) {
        assert_int_equal(stream, CYC_LOG_ACCESS);
        assert_int_equal(line.ptr[line.len - 1], '\n');
        count++;
    }
    return count;
}

static uint32_t lines_written(const struct cyc_access_log_filter_conf *conf, enum cyc_fail fail,
                              uint16_t status, uint32_t times)
{
    struct fixture f;
    uint32_t count = 0;

    fixture_init(&f);
    f.env.access_log = cyc_log_ring_create(&f.mem, CYC_LOG_RING_BYTES_DEFAULT);
    f.exchange.fail = fail;
    f.exchange.status = status;
    struct cyc_filter_call call = fixture_call(&f, conf);
    for (uint32_t i = 0; i < times; i++) {
        cyc_access_log_filter.on_done(&call);
        count += lines_of(f.env.access_log);
    }
    cyc_log_ring_destroy(f.env.access_log);
    fixture_fini(&f);
    return count;
}

static void access_log__sampling_never_hides_a_failure(void **state)
{
    static const struct {
        uint32_t sample_permyriad;
        enum cyc_fail fail;
        uint16_t status;
        uint32_t min, max; /* lines of 1000 */
        const char *why;
    } cases[] = {
        {10000, CYC_FAIL_NONE, 200, 1000, 1000, "all"},
        {0, CYC_FAIL_NONE, 200, 0, 0, "none"},
        {2500, CYC_FAIL_NONE, 200, 200, 300, "a quarter"},
        {0, CYC_FAIL_NONE, 500, 1000, 1000, "the service failed"},
        {0, CYC_FAIL_CLIENT_GONE, 200, 1000, 1000, "it was cut short"},
        {0, CYC_FAIL_NO_ROUTE, 404, 1000, 1000, "the proxy refused it"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct cyc_access_log_filter_conf conf = {false, cases[i].sample_permyriad};
        uint32_t count = lines_written(&conf, cases[i].fail, cases[i].status, 1000);
        if (count < cases[i].min || count > cases[i].max)
            fail_msg("%u lines: %s", (unsigned)count, cases[i].why);
    }
}

static void access_log__format_is_chosen_by_the_route(void **state)
{
    static const char begins[] = {'{', '1'};
    (void)state;
    for (int is_text = 0; is_text < 2; is_text++) {
        const struct cyc_access_log_filter_conf conf = {is_text, 10000};
        struct fixture f;
        enum cyc_log_stream stream;
        struct cyc_span line;
        fixture_init(&f);
        f.env.access_log = cyc_log_ring_create(&f.mem, CYC_LOG_RING_BYTES_DEFAULT);
        struct cyc_filter_call call = fixture_call(&f, &conf);
        cyc_access_log_filter.on_done(&call);
        cyc_log_ring_begin(f.env.access_log);
        assert_true(cyc_log_ring_next(f.env.access_log, &stream, &line));
        assert_int_equal(line.ptr[0], begins[is_text]);
        cyc_log_ring_destroy(f.env.access_log);
        fixture_fini(&f);
    }
}

static void access_log__full_ring_loses_lines_and_counts_them(void **state)
{
    const struct cyc_access_log_filter_conf conf = {false, 10000};
    struct fixture f;
    (void)state;
    fixture_init(&f);
    f.env.access_log = cyc_log_ring_create(&f.mem, 2 * CYC_LOG_LINE_BYTES_MAX);
    struct cyc_filter_call call = fixture_call(&f, &conf);
    for (int i = 0; i < 1000; i++)
        cyc_access_log_filter.on_done(&call);
    assert_true(cyc_log_ring_dropped_count(f.env.access_log, CYC_LOG_ACCESS) > 0);
    assert_int_equal(cyc_log_ring_dropped_count(f.env.access_log, CYC_LOG_ACCESS) +
                         lines_of(f.env.access_log),
                     1000);
    cyc_log_ring_destroy(f.env.access_log);
    fixture_fini(&f);
}

static void access_log__no_ring_is_no_log(void **state)
{
    const struct cyc_access_log_filter_conf conf = {false, 10000};
    struct fixture f;
    (void)state;
    fixture_init(&f);
    struct cyc_filter_call call = fixture_call(&f, &conf);
    cyc_access_log_filter.on_done(&call);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(access_log__sampling_never_hides_a_failure),
        cmocka_unit_test(access_log__format_is_chosen_by_the_route),
        cmocka_unit_test(access_log__full_ring_loses_lines_and_counts_them),
        cmocka_unit_test(access_log__no_ring_is_no_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
