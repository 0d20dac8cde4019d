/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/histogram.h"
#include "base/rng.h"
#include "base/stats.h"
#include <cmocka.h>

#define MS 1000000ull
#define S 1000000000ull

static struct cyc_histogram filled(const uint64_t *values_ns, uint32_t count)
{
    struct cyc_histogram h = {.sum = 0};
    for (uint32_t i = 0; i < count; i++) {
        h.sum += values_ns[i] >> CYC_HISTOGRAM_SUM_SHIFT;
        h.buckets[cyc_histogram_bucket(values_ns[i])]++;
    }
    return h;
}

static void histogram__edges_and_buckets_are_inverse(void **state)
{
    (void)state;
    assert_int_equal(cyc_histogram_bucket(0), 0);
    assert_int_equal(cyc_histogram_bucket(1023), 0);
    assert_int_equal(cyc_histogram_bucket(1024), 1);
    assert_int_equal(cyc_histogram_bucket((1ull << 37) - 1), CYC_HISTOGRAM_BUCKET_COUNT - 2);
    assert_int_equal(cyc_histogram_bucket(1ull << 37), CYC_HISTOGRAM_BUCKET_COUNT - 1);
    assert_int_equal(cyc_histogram_bucket(UINT64_MAX), CYC_HISTOGRAM_BUCKET_COUNT - 1);
    for (uint32_t i = 0; i < CYC_HISTOGRAM_BUCKET_COUNT; i++) {
        uint64_t from_ns = cyc_histogram_edge_ns(i), to_ns = cyc_histogram_edge_ns(i + 1);
        assert_true(from_ns < to_ns);
        assert_int_equal(cyc_histogram_bucket(from_ns), i);
        assert_int_equal(cyc_histogram_bucket(to_ns - 1), i);
        if (i > 0 && i < CYC_HISTOGRAM_BUCKET_COUNT - 1) /* the promised 12.5 % */
            assert_true((to_ns - from_ns) * 8 <= from_ns);
    }
}

static void histogram__quantiles_are_within_an_eighth(void **state)
{
    static const uint64_t uniform_max_ns[] = {20000, 5 * MS, 3 * S};
    static uint64_t values_ns[10000];
    struct cyc_rng rng;
    (void)state;
    cyc_rng_init(&rng, 1);
    for (size_t i = 0; i < sizeof(uniform_max_ns) / sizeof(uniform_max_ns[0]); i++) {
        for (uint32_t n = 0; n < 10000; n++)
            values_ns[n] = (uint64_t)n * uniform_max_ns[i] / 10000;
        struct cyc_histogram h = filled(values_ns, 10000);
        for (uint32_t permille = 250; permille <= 1000; permille += 50) {
            double exact_ns = (double)uniform_max_ns[i] * permille / 1000;
            double got_ns = (double)cyc_histogram_quantile_ns(&h, permille);
            assert_true(got_ns > exact_ns * 0.875 && got_ns < exact_ns * 1.125);
        }
    }
}

static void histogram__no_observation_has_no_quantile(void **state)
{
    struct cyc_histogram h = {.sum = 0};
    (void)state;
    assert_int_equal(cyc_histogram_quantile_ns(&h, 500), 0);
    assert_int_equal(cyc_histogram_count(&h), 0);
    assert_int_equal(cyc_histogram_count_up_to(&h, UINT64_MAX), 0);
}

static void histogram__one_observation_is_every_quantile(void **state)
{
    uint64_t value_ns = 40 * MS;
    struct cyc_histogram h = filled(&value_ns, 1);
    (void)state;
    uint64_t from_ns = cyc_histogram_edge_ns(cyc_histogram_bucket(value_ns));
    uint64_t to_ns = cyc_histogram_edge_ns(cyc_histogram_bucket(value_ns) + 1);
    for (uint32_t permille = 0; permille <= 1000; permille += 10)
        assert_in_range(cyc_histogram_quantile_ns(&h, permille), from_ns, to_ns);
}

static void histogram__counts_up_to_a_bound_grow_with_it_and_end_at_all(void **state)
{
    static const uint64_t values_ns[] = {500,    3000,    1 * MS, 7 * MS,
                                         7 * MS, 90 * MS, 2 * S,  200 * S};
    struct cyc_histogram h = filled(values_ns, 8);
    uint64_t before = 0;
    (void)state;
    for (uint64_t bound_ns = 1; bound_ns < 1ull << 40; bound_ns += bound_ns / 16 + 1) {
        uint64_t count = cyc_histogram_count_up_to(&h, bound_ns);
        assert_true(count >= before && count <= 8);
        before = count;
    }
    assert_int_equal(before, 8);
    assert_int_equal(cyc_histogram_count_up_to(&h, 5 * MS), 3);
    assert_int_equal(cyc_histogram_count_up_to(&h, 10 * MS), 5);
    assert_int_equal(cyc_histogram_count_up_to(&h, 0), 0);
}

static void histogram__the_sum_is_exact_to_a_quarter_microsecond_each(void **state)
{
    static const uint64_t values_ns[] = {1 * S, 500 * MS, 999};
    struct cyc_histogram h = filled(values_ns, 3);
    (void)state;
    double sum_s = cyc_histogram_sum_s(&h);
    assert_true(sum_s <= 1.500000999 && sum_s > 1.500000999 - 3 * 256e-9);
}

static void histogram__the_difference_forgets_what_was_before(void **state)
{
    static const uint64_t values_ns[] = {1 * S, 1 * S, 1 * S, 1 * MS};
    struct cyc_histogram earlier = filled(values_ns, 3), now = filled(values_ns, 4);
    (void)state;
    cyc_histogram_subtract(&now, &earlier);
    assert_int_equal(cyc_histogram_count(&now), 1);
    assert_in_range(cyc_histogram_quantile_ns(&now, 990), 900000, 1100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(histogram__edges_and_buckets_are_inverse),
        cmocka_unit_test(histogram__quantiles_are_within_an_eighth),
        cmocka_unit_test(histogram__no_observation_has_no_quantile),
        cmocka_unit_test(histogram__one_observation_is_every_quantile),
        cmocka_unit_test(histogram__counts_up_to_a_bound_grow_with_it_and_end_at_all),
        cmocka_unit_test(histogram__the_sum_is_exact_to_a_quarter_microsecond_each),
        cmocka_unit_test(histogram__the_difference_forgets_what_was_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
