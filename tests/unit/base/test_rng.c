/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/rng.h"

static void rng__gives_the_reference_sequence(void **state)
{
    /* xoshiro256** from the state 1, 2, 3, 4, as the authors' C code prints it. */
    static const uint64_t expected[] = {11520ull, 0ull, 1509978240ull, 1215971899390074240ull};
    struct cyc_rng rng = {{1, 2, 3, 4}};
    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        assert_true(cyc_rng_next(&rng) == expected[i]);
}

static void rng__seeds_are_spread_by_splitmix64(void **state)
{
    struct cyc_rng rng;
    (void)state;
    cyc_rng_init(&rng, 0);
    assert_true(rng.state[0] == 0xe220a8397b1dcdafull);
    assert_true(rng.state[1] == 0x6e789e6aa1b965f4ull);
}

static void rng__the_same_seed_repeats_and_another_does_not(void **state)
{
    struct cyc_rng a, b, c;
    int same_count = 0;
    (void)state;
    cyc_rng_init(&a, 7);
    cyc_rng_init(&b, 7);
    cyc_rng_init(&c, 8);
    for (int i = 0; i < 1000; i++) {
        uint64_t value = cyc_rng_next(&a);
        assert_true(value == cyc_rng_next(&b));
        same_count += value == cyc_rng_next(&c);
    }
    assert_int_equal(same_count, 0);
}

static void rng__below_stays_below_and_is_even(void **state)
{
    static const uint64_t limits[] = {
        1, 2, 3, 10, 1000, 0xffffffff, 0x100000000, 0x180000001, UINT64_MAX / 3, UINT64_MAX};
    struct cyc_rng rng;
    (void)state;
    cyc_rng_init(&rng, 3);
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        uint32_t upper_half_count = 0;
        for (int n = 0; n < 10000; n++) {
            uint64_t value = cyc_rng_below(&rng, limits[i]);
            assert_true(value < limits[i]);
            upper_half_count += value >= limits[i] / 2 + limits[i] % 2;
        }
        if (limits[i] % 2 == 0 || limits[i] > 1000) /* else the halves are not equal */
            assert_in_range(upper_half_count, 4700, 5300);
    }
}

static void rng__below_hits_every_value_about_as_often(void **state)
{
    uint32_t counts[6] = {0};
    struct cyc_rng rng;
    (void)state;
    cyc_rng_init(&rng, 4);
    for (int i = 0; i < 60000; i++)
        counts[cyc_rng_below(&rng, 6)]++;
    for (int i = 0; i < 6; i++)
        assert_in_range(counts[i], 9600, 10400);
}

static void rng__chance_is_in_permille(void **state)
{
    struct cyc_rng rng;
    uint32_t count = 0;
    (void)state;
    cyc_rng_init(&rng, 5);
    for (int i = 0; i < 100000; i++) {
        assert_false(cyc_rng_chance_permille(&rng, 0));
        assert_true(cyc_rng_chance_permille(&rng, 1000));
        count += cyc_rng_chance_permille(&rng, 250);
    }
    assert_in_range(count, 24400, 25600);
}

static void rng__the_kernel_gives_different_bytes_each_time(void **state)
{
    struct cyc_rng a, b;
    char first[300] = {0}, second[300] = {0};
    (void)state;
    cyc_rng_init_from_kernel(&a);
    cyc_rng_init_from_kernel(&b);
    assert_memory_not_equal(&a, &b, sizeof(a));
    cyc_rng_kernel_bytes(first, sizeof(first));
    cyc_rng_kernel_bytes(second, sizeof(second));
    assert_memory_not_equal(first + 280, second + 280, 20); /* filled to the end */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rng__gives_the_reference_sequence),
        cmocka_unit_test(rng__seeds_are_spread_by_splitmix64),
        cmocka_unit_test(rng__the_same_seed_repeats_and_another_does_not),
        cmocka_unit_test(rng__below_stays_below_and_is_even),
        cmocka_unit_test(rng__below_hits_every_value_about_as_often),
        cmocka_unit_test(rng__chance_is_in_permille),
        cmocka_unit_test(rng__the_kernel_gives_different_bytes_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
