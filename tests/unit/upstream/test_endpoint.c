/* SPDX-License-Identifier: Apache-2.0 */
/* What an endpoint remembers when its description changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/upstream/fixture.h"

#define SLOT_OTHER_ACTIVE 100
#define SLOT_OTHER_IDLE 101

static void endpoint__copies_its_description(void **state)
{
    struct fixture f;
    char authority[] = "svc.example:8080";
    (void)state;
    fixture_init(&f);
    struct cyc_endpoint_spec spec = {.authority = cyc_span_from_text(authority)};
    assert_true(cyc_addr_parse(CYC_SPAN("[::1]:8080"), &spec.addr));
    struct cyc_endpoint *endpoint = cyc_endpoint_create(f.cluster, &spec);
    memset(authority, 'x', sizeof(authority) - 1);
    assert_true(cyc_span_equal(endpoint->authority, CYC_SPAN("svc.example:8080")));
    assert_true(cyc_span_equal(endpoint->text, CYC_SPAN("[::1]:8080")));
    assert_int_equal(endpoint->weight, 1); /* 0 would never be picked */
    assert_int_equal(cyc_endpoint_conn_count(endpoint), 0);
    cyc_endpoint_destroy(endpoint);
    fixture_fini(&f);
}

static void endpoint__gauges_move_along_when_slots_change(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    start_get(&f, 0), start_get(&f, 1), start_get(&f, 2);
    turn(&f);
    receive(&f, 0, OK_ANSWER);
    assert_int_equal(stat_of(&f, SLOT_ACTIVE), 2);
    f.slots.active = SLOT_OTHER_ACTIVE;
    f.slots.idle = SLOT_OTHER_IDLE;
    fixture_set_endpoints(&f, (const uint16_t[]){1}, 1);
    assert_int_equal(stat_of(&f, SLOT_ACTIVE), 0);
    assert_int_equal(stat_of(&f, SLOT_IDLE), 0);
    assert_int_equal(cyc_stat_get(f.stats, SLOT_OTHER_ACTIVE), 2);
    assert_int_equal(cyc_stat_get(f.stats, SLOT_OTHER_IDLE), 1);
    assert_int_equal(stat_of(&f, SLOT_REQUESTS), 3); /* counters go on */
    receive(&f, 1, OK_ANSWER);
    receive(&f, 2, OK_ANSWER);
    assert_int_equal(cyc_stat_get(f.stats, SLOT_OTHER_ACTIVE), 0);
    assert_int_equal(cyc_stat_get(f.stats, SLOT_OTHER_IDLE), 3);
    fixture_fini(&f);
}

static void endpoint__weight_and_authority_can_change(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    struct cyc_endpoint *endpoint = f.cluster->set.endpoints[0];
    struct cyc_endpoint_spec spec = {
        .addr = endpoint->addr, .weight = 7, .slots = f.slots, .authority = CYC_SPAN("other:1")};
    cyc_cluster_set_endpoints(f.cluster, &spec, 1);
    assert_ptr_equal(f.cluster->set.endpoints[0], endpoint);
    assert_int_equal(endpoint->weight, 7);
    assert_int_equal(f.cluster->set.weight_sum, 7);
    assert_true(cyc_span_equal(endpoint->authority, CYC_SPAN("other:1")));
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoint__copies_its_description),
        cmocka_unit_test(endpoint__gauges_move_along_when_slots_change),
        cmocka_unit_test(endpoint__weight_and_authority_can_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
