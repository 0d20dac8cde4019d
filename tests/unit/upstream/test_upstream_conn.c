/* SPDX-License-Identifier: Apache-2.0 */
/* The states of one connection, and what each of them implies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/upstream/fixture.h"

static void upstream_conn__each_state_is_a_list(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    struct cyc_endpoint *endpoint = f.cluster->set.endpoints[0];

    start_get(&f, 0);
    struct cyc_upstream_conn *uc = f.attempts[0].attempt.conn;
    assert_int_equal(uc->state, CYC_UPSTREAM_CONNECTING);
    assert_true(cyc_timer_is_armed(&uc->timer));
    assert_ptr_equal(endpoint->conns[CYC_UPSTREAM_CONNECTING].next, &uc->state_link);
    turn(&f);
    assert_int_equal(uc->state, CYC_UPSTREAM_LEASED);
    assert_ptr_equal(endpoint->conns[CYC_UPSTREAM_LEASED].next, &uc->state_link);
    assert_int_equal(cyc_endpoint_conn_count(endpoint), 1);
    receive(&f, 0, OK_ANSWER);
    assert_int_equal(uc->state, CYC_UPSTREAM_IDLE);
    assert_ptr_equal(f.upstreams->idle.next, &uc->idle_link);
    assert_true(cyc_timer_is_armed(&uc->timer));
    assert_true(uc->conn.is_reading); /* a read is armed on every idle connection */
    assert_non_null(f.fake.sockets[0].recv);
    cyc_upstream_conn_close(uc);
    assert_int_equal(uc->state, CYC_UPSTREAM_CLOSING);
    assert_false(cyc_timer_is_armed(&uc->timer));
    assert_true(cyc_list_is_empty(&f.upstreams->idle));
    assert_int_equal(cyc_endpoint_conn_count(endpoint), 1); /* the service may still see it */
    cyc_upstream_conn_close(uc);                            /* again: nothing */
    turn(&f);
    assert_int_equal(cyc_endpoint_conn_count(endpoint), 0);
    fixture_fini(&f);
}

static void upstream_conn__the_limits_of_the_codec_are_the_configured_ones(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    f.limits.field_count_max = 3;
    fixture_adopt(&f);
    start_get(&f, 0);
    turn(&f);
    receive(&f, 0, "HTTP/1.1 200 OK\r\na: 1\r\nb: 2\r\nc: 3\r\nd: 4\r\n\r\n");
    assert_string_equal(f.attempts[0].log, "F");
    fixture_fini(&f);
}

static void upstream_conn__a_keep_alive_hint_is_read_though_it_is_hop_by_hop(void **state)
{
    static const struct {
        const char *value;
        uint32_t idle_ms_max;
    } cases[] = {
        {"timeout=5", 4000},        {"max=1, timeout=30", 29000},
        {"timeout=1", 0},           {"timeout=0", 0},
        {"max=7", UINT32_MAX},      {"timeout=", UINT32_MAX},
        {"timeout=-3", UINT32_MAX}, {"timeout=99999999999", UINT32_MAX},
        {"timeoutx=5", UINT32_MAX}, {"", UINT32_MAX},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        fixture_init(&f);
        start_get(&f, 0);
        struct cyc_msg head;
        cyc_msg_init(&head, &f.arena, 2);
        cyc_msg_add_known(&head, CYC_TOKEN_KEEP_ALIVE, cyc_span_from_text(cases[i].value))
            ->is_removed = true;
        struct cyc_upstream_conn *uc = f.attempts[0].attempt.conn;
        cyc_upstream_conn_note_keep_alive(uc, &head);
        if (uc->idle_ms_max != cases[i].idle_ms_max)
            fail_msg("\"%s\": %u ms", cases[i].value, uc->idle_ms_max);
        fixture_fini(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(upstream_conn__each_state_is_a_list),
        cmocka_unit_test(upstream_conn__the_limits_of_the_codec_are_the_configured_ones),
        cmocka_unit_test(upstream_conn__a_keep_alive_hint_is_read_though_it_is_hop_by_hop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
