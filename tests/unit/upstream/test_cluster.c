/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations and addresses change; requests do not notice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/upstream/fixture.h"

static void cluster__is_found_by_name(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    assert_ptr_equal(cyc_cluster_find(f.upstreams, CYC_SPAN("svc")), f.cluster);
    assert_null(cyc_cluster_find(f.upstreams, CYC_SPAN("sv")));
    assert_true(cyc_span_equal(cyc_cluster_name(f.cluster), CYC_SPAN("svc")));
    assert_int_equal(cyc_cluster_endpoint_count(f.cluster), 1);
    fixture_fini(&f);
}

static void cluster__the_next_configuration_adopts_it(void **state)
{
    struct fixture f;
    char name[] = "svc";
    (void)state;
    fixture_init(&f);
    exchange(&f, 0);
    struct cyc_cluster *before = f.cluster;
    f.conf.name = cyc_span_from_text(name);
    f.conf.lb_policy = CYC_LB_RANDOM;
    fixture_adopt(&f);
    memset(name, 'x', 3); /* nothing of the configuration is borrowed */
    f.conf.name = CYC_SPAN("svc");
    assert_ptr_equal(f.cluster, before);
    assert_ptr_equal(f.cluster->lb, &cyc_lb_random);
    assert_int_equal(exchange(&f, 1), 0);
    fixture_fini(&f);
}

static void cluster__a_higher_limit_serves_those_who_wait(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    f.conf.pool.max_per_endpoint = 1;
    fixture_adopt(&f);
    for (int i = 0; i < 3; i++)
        start_get(&f, i);
    turn(&f);
    assert_int_equal(open_count(&f), 1);
    f.conf.pool.max_per_endpoint = 2;
    fixture_adopt(&f);
    turn(&f);
    assert_int_equal(open_count(&f), 2);
    assert_int_equal(stat_of(&f, SLOT_PENDING), 1);
    fixture_fini(&f);
}

static void cluster__a_new_endpoint_serves_those_who_wait(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    f.conf.pool.max_per_endpoint = 1;
    fixture_adopt(&f);
    start_get(&f, 0), start_get(&f, 1);
    turn(&f);
    fixture_set_endpoints(&f, (const uint16_t[]){1, 2}, 2);
    turn(&f);
    assert_int_equal(f.fake.sockets[1].port, 2);
    receive(&f, 1, OK_ANSWER);
    assert_string_equal(f.attempts[1].log, "HBD");
    fixture_fini(&f);
}

static void cluster__endpoints_that_stay_keep_their_connections(void **state)
{
    static const struct {
        uint16_t ports[4];
        uint32_t count;
        bool is_kept;
        const char *why;
    } cases[] = {
        {{1, 2}, 2, true, "the same"},
        {{2, 1}, 2, true, "another order"},
        {{3, 4, 5, 1}, 4, true, "others in front"},
        {{1}, 1, true, "others gone"},
        {{2, 3}, 2, false, "itself gone"},
        {{1, 1, 1}, 3, true, "named several times"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        fixture_init(&f);
        fixture_set_endpoints(&f, (const uint16_t[]){1, 2}, 2);
        f.cluster->set.turn = 0;
        assert_int_equal(f.fake.sockets[exchange(&f, 0)].port, 1);
        fixture_set_endpoints(&f, cases[i].ports, cases[i].count);
        turn(&f);
        if (f.fake.sockets[0].is_open != cases[i].is_kept)
            fail_msg("%s: kept %d", cases[i].why, f.fake.sockets[0].is_open);
        assert_int_equal(stat_of(&f, SLOT_IDLE), cases[i].is_kept);
        assert_int_equal(f.cluster->endpoint_count, cases[i].count);
        assert_int_equal(cyc_cluster_endpoint_count(f.cluster), cases[i].count);
        fixture_set_endpoints(&f, cases[i].ports, cases[i].count);
        assert_int_equal(f.cluster->endpoint_count, cases[i].count);
        fixture_fini(&f);
    }
}

static void cluster__a_removed_endpoint_finishes_its_requests(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    start_get(&f, 0), start_get(&f, 1);
    turn(&f);
    receive(&f, 1, OK_ANSWER);
    fixture_set_endpoints(&f, (const uint16_t[]){2}, 1);
    turn(&f);
    assert_false(f.fake.sockets[1].is_open); /* was idle */
    assert_true(f.fake.sockets[0].is_open);
    assert_int_equal(f.cluster->endpoint_count, 2);
    receive(&f, 0, OK_ANSWER);
    assert_string_equal(f.attempts[0].log, "HBD");
    assert_false(f.fake.sockets[0].is_open); /* not kept */
    turn(&f);
    assert_int_equal(f.cluster->endpoint_count, 1);
    fixture_fini(&f);
}

static void cluster__a_removed_endpoint_connects_for_who_was_promised_it(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    f.fake.connect_mode = FAKE_HANG;
    start_get(&f, 0), start_get(&f, 1);
    turn(&f);
    fixture_set_endpoints(&f, (const uint16_t[]){2}, 1);
    cyc_attempt_abort(&f.attempts[1].attempt);
    turn(&f);
    assert_int_equal(open_count(&f), 1); /* the one for nobody has no use now */
    f.fake.connect_mode = FAKE_ACCEPT;
    turn(&f);
    receive(&f, 0, OK_ANSWER);
    assert_string_equal(f.attempts[0].log, "HBD");
    fixture_fini(&f);
}

static void cluster__without_endpoints_nobody_waits(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    f.conf.pool.max_per_endpoint = 1;
    fixture_adopt(&f);
    start_get(&f, 0), start_get(&f, 1);
    turn(&f);
    fixture_set_endpoints(&f, NULL, 0);
    assert_string_equal(f.attempts[1].log, "");
    turn(&f);
    assert_int_equal(f.attempts[1].fail, CYC_FAIL_NO_ENDPOINT);
    receive(&f, 0, OK_ANSWER);
    assert_string_equal(f.attempts[0].log, "HBD");
    fixture_fini(&f);
}

static void cluster__a_dropped_one_drains(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    start_get(&f, 0), start_get(&f, 1);
    turn(&f);
    receive(&f, 1, OK_ANSWER);
    cyc_cluster_drop(f.cluster);
    assert_null(cyc_cluster_find(f.upstreams, CYC_SPAN("svc")));
    turn(&f);
    assert_int_equal(open_count(&f), 1);
    assert_false(cyc_list_is_empty(&f.upstreams->dropped));
    receive(&f, 0, OK_ANSWER);
    assert_string_equal(f.attempts[0].log, "HBD");
    turn(&f);
    assert_int_equal(open_count(&f), 0);
    assert_true(cyc_list_is_empty(&f.upstreams->dropped));

    fixture_adopt(&f); /* the name may come back, as another cluster */
    fixture_set_endpoints(&f, (const uint16_t[]){1}, 1);
    exchange(&f, 2);
    assert_string_equal(f.attempts[2].log, "HBD");
    fixture_fini(&f);
}

static void cluster__close_lets_requests_finish(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    start_get(&f, 0), start_get(&f, 1);
    turn(&f);
    receive(&f, 1, OK_ANSWER);
    cyc_upstreams_close(f.upstreams);
    turn(&f);
    assert_int_equal(open_count(&f), 1);
    assert_false(cyc_upstreams_is_idle(f.upstreams));
    receive(&f, 0, OK_ANSWER);
    turn(&f);
    assert_string_equal(f.attempts[0].log, "HBD");
    assert_int_equal(open_count(&f), 0);
    assert_true(cyc_upstreams_is_idle(f.upstreams));
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cluster__is_found_by_name),
        cmocka_unit_test(cluster__the_next_configuration_adopts_it),
        cmocka_unit_test(cluster__a_higher_limit_serves_those_who_wait),
        cmocka_unit_test(cluster__a_new_endpoint_serves_those_who_wait),
        cmocka_unit_test(cluster__endpoints_that_stay_keep_their_connections),
        cmocka_unit_test(cluster__a_removed_endpoint_finishes_its_requests),
        cmocka_unit_test(cluster__a_removed_endpoint_connects_for_who_was_promised_it),
        cmocka_unit_test(cluster__without_endpoints_nobody_waits),
        cmocka_unit_test(cluster__a_dropped_one_drains),
        cmocka_unit_test(cluster__close_lets_requests_finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
