/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets the next request: lb.c and the three pickers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "upstream/lb.h"

#include <string.h>

#define ENDPOINT_COUNT 4
#define PICK_COUNT 20000

struct lb_fixture {
    struct cyc_rng rng;
    struct cyc_endpoint endpoints[ENDPOINT_COUNT];
    struct cyc_endpoint *array[ENDPOINT_COUNT];
    struct cyc_lb_set set;
    uint32_t picks[ENDPOINT_COUNT];
};

static void lb_init(struct lb_fixture *f, const uint32_t *weights, uint32_t count)
{
    memset(f, 0, sizeof(*f));
    cyc_rng_init(&f->rng, 11);
    for (uint32_t i = 0; i < count; i++) {
        f->endpoints[i].weight = weights[i];
        f->array[i] = &f->endpoints[i];
    }
    f->set = (struct cyc_lb_set){.endpoints = f->array, .count = count, .rng = &f->rng};
    cyc_lb_set_update(&f->set);
}

static uint32_t index_of(const struct lb_fixture *f, const struct cyc_endpoint *endpoint)
{
    return (uint32_t)(endpoint - f->endpoints);
}

/** Picks many times; each request ends before the next begins. */
static void pick_many(struct lb_fixture *f, enum cyc_lb_policy policy,
                      const struct cyc_endpoint *avoid)
{
    for (int i = 0; i < PICK_COUNT; i++)
        f->picks[index_of(f, cyc_lb_at(policy)->pick(&f->set, avoid))]++;
}

static void lb__an_idle_service_is_used_in_proportion_to_the_weights(void **state)
{
    static const struct {
        uint32_t weights[ENDPOINT_COUNT];
        const char *why;
    } cases[] = {
        {{1, 1, 1, 1}, "equal"},
        {{100, 100, 100, 100}, "equal, not one"},
        {{1, 2, 3, 4}, "all different"},
        {{1, 1000, 1, 1}, "a canary of one in a thousand"},
    };
    (void)state;
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        for (int policy = CYC_LB_LEAST_REQUEST; policy <= CYC_LB_RANDOM; policy++) {
            struct lb_fixture f;
            lb_init(&f, cases[c].weights, ENDPOINT_COUNT);
            pick_many(&f, (enum cyc_lb_policy)policy, NULL);
            for (int i = 0; i < ENDPOINT_COUNT; i++) {
                double expected =
                    (double)PICK_COUNT * cases[c].weights[i] / (double)f.set.weight_sum;
                double slack = 0.08 * expected + 20;
                if (f.picks[i] < expected - slack || f.picks[i] > expected + slack)
                    fail_msg("%s, %s: endpoint %d picked %u times, not about %.0f",
                             cyc_lb_at((enum cyc_lb_policy)policy)->name, cases[c].why, i,
                             f.picks[i], expected);
            }
        }
    }
}

static void lb__an_endpoint_to_avoid_is_picked_only_when_it_is_the_only_one(void **state)
{
    static const uint32_t equal[] = {1, 1, 1, 1}, different[] = {50, 1, 1, 1};
    (void)state;
    for (int policy = CYC_LB_LEAST_REQUEST; policy <= CYC_LB_RANDOM; policy++) {
        for (uint32_t count = 1; count <= ENDPOINT_COUNT; count++) {
            struct lb_fixture f;
            lb_init(&f, count % 2 == 0 ? equal : different, count);
            pick_many(&f, (enum cyc_lb_policy)policy, &f.endpoints[0]);
            assert_int_equal(f.picks[0], count == 1 ? PICK_COUNT : 0);
            for (uint32_t i = 1; i < count; i++)
                assert_true(f.picks[i] > 0);
        }
    }
}

static void lb__round_robin_takes_turns(void **state)
{
    static const uint32_t equal[] = {1, 1, 1};
    static const uint32_t turns[] = {0, 1, 2, 0, 1, 2, 0};
    struct lb_fixture f;
    (void)state;
    lb_init(&f, equal, 3);
    for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++)
        assert_int_equal(index_of(&f, cyc_lb_round_robin.pick(&f.set, NULL)), turns[i]);
}

static void lb__round_robin_interleaves_weights(void **state)
{
    static const uint32_t weights[] = {5, 1, 1};
    static const uint32_t turns[] = {0, 0, 1, 0, 2, 0, 0, 0, 0, 1};
    struct lb_fixture f;
    (void)state;
    lb_init(&f, weights, 3);
    for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++)
        assert_int_equal(index_of(&f, cyc_lb_round_robin.pick(&f.set, NULL)), turns[i]);
}

static void lb__round_robin_survives_a_shorter_list(void **state)
{
    static const uint32_t equal[] = {1, 1, 1, 1};
    struct lb_fixture f;
    (void)state;
    lb_init(&f, equal, 4);
    for (int i = 0; i < 4; i++)
        cyc_lb_round_robin.pick(&f.set, NULL);
    f.set.count = 2;
    assert_ptr_equal(cyc_lb_round_robin.pick(&f.set, NULL), &f.endpoints[0]);
}

static void lb__least_request_prefers_the_less_busy_of_two(void **state)
{
    static const uint32_t equal[] = {1, 1}, heavy[] = {1, 3};
    struct lb_fixture f;
    (void)state;

    lb_init(&f, equal, 2);
    f.endpoints[0].active_count = 1;
    for (int i = 0; i < 100; i++) /* of two, both are always looked at */
        assert_ptr_equal(cyc_lb_least_request.pick(&f.set, NULL), &f.endpoints[1]);

    lb_init(&f, heavy, 2);
    f.endpoints[0].active_count = 2;
    f.endpoints[1].active_count = 3; /* 1 per weight, against 2 */
    pick_many(&f, CYC_LB_LEAST_REQUEST, NULL);
    assert_true(f.picks[1] > PICK_COUNT * 9 / 10);
}

static void lb__least_request_keeps_load_level(void **state)
{
    static const uint32_t equal[] = {1, 1, 1, 1};
    struct lb_fixture f;
    (void)state;
    lb_init(&f, equal, ENDPOINT_COUNT);
    for (int i = 0; i < 4000; i++) /* requests that do not end */
        cyc_lb_least_request.pick(&f.set, NULL)->active_count++;
    for (int i = 0; i < ENDPOINT_COUNT; i++)
        assert_in_range(f.endpoints[i].active_count, 990, 1010);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lb__an_idle_service_is_used_in_proportion_to_the_weights),
        cmocka_unit_test(lb__an_endpoint_to_avoid_is_picked_only_when_it_is_the_only_one),
        cmocka_unit_test(lb__round_robin_takes_turns),
        cmocka_unit_test(lb__round_robin_interleaves_weights),
        cmocka_unit_test(lb__round_robin_survives_a_shorter_list),
        cmocka_unit_test(lb__least_request_prefers_the_less_busy_of_two),
        cmocka_unit_test(lb__least_request_keeps_load_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
