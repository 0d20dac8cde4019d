/* SPDX-License-Identifier: Apache-2.0 */
/* Which connection serves which request, and when one is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/upstream/fixture.h"

static void pool__an_idle_connection_is_reused(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    assert_int_equal(exchange(&f, 0), 0);
    assert_int_equal(conn_count(&f, CYC_UPSTREAM_IDLE), 1);
    assert_int_equal(stat_of(&f, SLOT_IDLE), 1);
    assert_int_equal(exchange(&f, 1), 0);
    assert_int_equal(f.fake.socket_count, 1);
    assert_true(f.attempts[1].attempt.was_reused);
    assert_int_equal(stat_of(&f, SLOT_REUSED), 1);
    assert_int_equal(stat_of(&f, SLOT_CONNECTS), 1);
    assert_int_equal(stat_of(&f, SLOT_REQUESTS), 2);
    assert_int_equal(stat_of(&f, SLOT_ACTIVE), 0);
    assert_int_equal(stat_of(&f, SLOT_RECEIVED_BYTES), 2 * strlen(OK_ANSWER));
    assert_int_equal(stat_of(&f, SLOT_SENT_BYTES), f.fake.sockets[0].sent_bytes);
    fixture_fini(&f);
}

static void pool__the_last_connection_to_become_idle_is_leased_first(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    for (int i = 0; i < 3; i++)
        start_get(&f, i);
    turn(&f);
    receive(&f, 1, OK_ANSWER);
    receive(&f, 2, OK_ANSWER);
    receive(&f, 0, OK_ANSWER);
    assert_int_equal(conn_count(&f, CYC_UPSTREAM_IDLE), 3);
    assert_int_equal(exchange(&f, 3), 0);
    start_get(&f, 4), start_get(&f, 5);
    assert_int_equal(f.attempts[4].attempt.conn->conn.fd, 0);
    assert_int_equal(f.attempts[5].attempt.conn->conn.fd, 2);
    fixture_fini(&f);
}

static void pool__a_leased_connection_is_not_reused_after_a_reset(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    exchange(&f, 0);
    start_get(&f, 1);
    turn(&f);
    f.fake.sockets[0].is_reset = true;
    turn(&f);
    assert_string_equal(f.attempts[1].log, "F");
    assert_false(f.fake.sockets[0].is_open);
    assert_int_equal(exchange(&f, 2), 1);
    fixture_fini(&f);
}

static void pool__an_idle_connection_that_ends_is_never_handed_out(void **state)
{
    static const struct {
        bool is_eof, is_reset;
        const char *bytes;
        const char *why;
    } cases[] = {
        {true, false, "", "the service closed it: RFC 9112 9.5"},
        {false, true, "", "the service reset it"},
        {false, false, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n",
         "an answer to no request: whoever came next would get it"},
        {true, false, "x", "bytes and an end"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        fixture_init(&f);
        exchange(&f, 0);
        f.fake.sockets[0].is_eof = cases[i].is_eof;
        f.fake.sockets[0].is_reset = cases[i].is_reset;
        receive(&f, 0, cases[i].bytes);
        if (conn_count(&f, CYC_UPSTREAM_IDLE) != 0 || f.fake.sockets[0].is_open)
            fail_msg("%s: still in the pool", cases[i].why);
        assert_int_equal(stat_of(&f, SLOT_IDLE), 0);
        assert_int_equal(exchange(&f, 1), 1);
        assert_string_equal(f.attempts[1].log, "HBD");
        fixture_fini(&f);
    }
}

static void pool__a_connection_that_is_not_clean_is_closed(void **state)
{
    static const struct {
        const char *answer;
        bool is_kept;
        const char *why;
    } cases[] = {
        {OK_ANSWER, true, "plain"},
        {"HTTP/1.1 204 No Content\r\n\r\n", true, "no body"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", true,
         "chunked"},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", false,
         "RFC 9112 9.6: the service said so"},
        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false, "RFC 9112 9.3: 1.0"},
        {OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", false,
         "what follows an answer is nobody's"},
        {OK_ANSWER "\r\n", false, "even if it is little"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        fixture_init(&f);
        start_get(&f, 0);
        turn(&f);
        receive(&f, 0, cases[i].answer);
        if (f.attempts[0].log[f.attempts[0].log_bytes - 1] != 'D')
            fail_msg("%s: events %s", cases[i].why, f.attempts[0].log);
        if (f.fake.sockets[0].is_open != cases[i].is_kept)
            fail_msg("%s: kept %d", cases[i].why, f.fake.sockets[0].is_open);
        fixture_fini(&f);
    }
}

static void pool__connections_retire(void **state)
{
    static const struct {
        uint32_t max_requests, max_lifetime_ms, max_idle, connection_pool_size;
        bool is_pooling, is_kept;
        const char *why;
    } cases[] = {
        {0, 0, 1, 1, true, true, "no reason to"},
        {2, 0, 1, 1, true, true, "one more request"},
        {1, 0, 1, 1, true, false, "max_requests"},
        {0, 61000, 1, 1, true, true, "young"},
        {0, 60000, 1, 1, true, false, "max_lifetime"},
        {0, 0, 0, 1, true, false, "max_idle 0"},
        {0, 0, 1, 0, true, false, "connection_pool_size 0"},
        {0, 0, 1, 1, false, false, "pooling is off"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        fixture_init(&f);
        f.conf.pool.max_requests = cases[i].max_requests;
        f.conf.pool.max_lifetime_ms = cases[i].max_lifetime_ms;
        f.conf.pool.max_idle = cases[i].max_idle;
        f.network.connection_pool_size = cases[i].connection_pool_size;
        f.network.is_connection_pooling = cases[i].is_pooling;
        fixture_adopt(&f);
        start_get(&f, 0);
        pass_ms(&f, 60000);
        receive(&f, 0, OK_ANSWER);
        assert_string_equal(f.attempts[0].log, "HBD");
        if (f.fake.sockets[0].is_open != cases[i].is_kept)
            fail_msg("%s: kept %d", cases[i].why, f.fake.sockets[0].is_open);
        fixture_fini(&f);
    }
}

static void pool__too_many_idle_connections_cost_the_oldest(void **state)
{
    static const struct {
        uint32_t max_idle, connection_pool_size;
        const char *why;
    } cases[] = {{2, 100, "per endpoint"}, {100, 2, "per worker"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        fixture_init(&f);
        f.conf.pool.max_idle = cases[i].max_idle;
        f.network.connection_pool_size = cases[i].connection_pool_size;
        fixture_adopt(&f);
        for (int a = 0; a < 3; a++)
            start_get(&f, a);
        turn(&f);
        receive(&f, 1, OK_ANSWER);
        receive(&f, 0, OK_ANSWER);
        receive(&f, 2, OK_ANSWER);
        if (f.fake.sockets[1].is_open || open_count(&f) != 2)
            fail_msg("%s: not the oldest", cases[i].why);
        assert_int_equal(f.upstreams->idle_count, 2);
        fixture_fini(&f);
    }
}

static void pool__idle_connections_time_out(void **state)
{
    static const struct {
        const char *keep_alive;
        uint64_t closed_after_ms; /* within 1 s before it is still open */
        const char *why;
    } cases[] = {
        {"", 55000, "the configured time"},
        {"Keep-Alive: timeout=5, max=100\r\n", 4000, "a second before the service does"},
        {"keep-alive: max=100,TIMEOUT=5\r\n", 4000, "any order, any case"},
        {"Keep-Alive: timeout=600\r\n", 55000, "no longer than configured"},
        {"Keep-Alive: timeout=1\r\n", 0, "too short to be of use"},
        {"Keep-Alive: timeout=0\r\n", 0, "not at all"},
        {"Keep-Alive: timeout=soon\r\n", 55000, "malformed"},
        {"Keep-Alive: timeout\r\n", 55000, "malformed"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        char answer[256];
        fixture_init(&f);
        snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\n%sContent-Length: 0\r\n\r\n",
                 cases[i].keep_alive);
        start_get(&f, 0);
        turn(&f);
        receive(&f, 0, answer);
        if (cases[i].closed_after_ms > 0) {
            pass_ms(&f, cases[i].closed_after_ms - 900);
            if (!f.fake.sockets[0].is_open)
                fail_msg("%s: closed early", cases[i].why);
            pass_ms(&f, 1000);
        }
        if (f.fake.sockets[0].is_open)
            fail_msg("%s: still open", cases[i].why);
        fixture_fini(&f);
    }
}

static void pool__a_reused_connection_gets_its_whole_idle_time_again(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    exchange(&f, 0);
    pass_ms(&f, 40000);
    start_get(&f, 1);
    pass_ms(&f, 40000); /* the old time passes during the lease */
    assert_true(f.fake.sockets[0].is_open);
    receive(&f, 0, OK_ANSWER);
    pass_ms(&f, 50000);
    assert_true(f.fake.sockets[0].is_open);
    pass_ms(&f, 6000);
    assert_false(f.fake.sockets[0].is_open);
    fixture_fini(&f);
}

static void pool__requests_over_max_per_endpoint_wait_in_order(void **state)
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
    assert_int_equal(stat_of(&f, SLOT_PENDING), 2);
    assert_null(f.attempts[1].attempt.conn);
    receive(&f, 0, OK_ANSWER);
    assert_string_equal(f.attempts[0].log, "HBD");
    assert_non_null(f.attempts[1].attempt.conn);
    assert_null(f.attempts[2].attempt.conn);
    receive(&f, 0, OK_ANSWER);
    receive(&f, 0, OK_ANSWER);
    assert_string_equal(f.attempts[1].log, "HBD");
    assert_string_equal(f.attempts[2].log, "HBD");
    assert_int_equal(f.fake.socket_count, 1);
    assert_int_equal(stat_of(&f, SLOT_PENDING), 0);
    assert_int_equal(stat_of(&f, SLOT_REUSED), 2);
    fixture_fini(&f);
}

static void pool__a_newcomer_does_not_overtake_those_who_wait(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    f.conf.pool.max_per_endpoint = 1;
    fixture_adopt(&f);
    start_get(&f, 0), start_get(&f, 1);
    turn(&f);
    f.fake.sockets[0].is_eof = true;
    receive(&f, 0, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    start_get(&f, 2);
    turn(&f);
    receive(&f, 1, OK_ANSWER);
    assert_string_equal(f.attempts[1].log, "HBD");
    assert_string_equal(f.attempts[2].log, "");
    fixture_fini(&f);
}

static void pool__a_closed_connection_makes_room_for_who_waits(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    f.conf.pool.max_per_endpoint = 1;
    fixture_adopt(&f);
    start_get(&f, 0), start_get(&f, 1);
    turn(&f);
    f.fake.sockets[0].is_reset = true;
    turn(&f);
    assert_string_equal(f.attempts[0].log, "F");
    assert_int_equal(open_count(&f), 1);
    receive(&f, 1, OK_ANSWER);
    assert_string_equal(f.attempts[1].log, "HBD");
    fixture_fini(&f);
}

static void pool__a_full_queue_refuses(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    f.conf.pool.max_per_endpoint = 1;
    f.conf.pool.max_pending = 1;
    fixture_adopt(&f);
    for (int i = 0; i < 3; i++)
        start_get(&f, i);
    assert_string_equal(f.attempts[2].log, ""); /* never inside start */
    turn(&f);
    assert_string_equal(f.attempts[2].log, "F");
    assert_int_equal(f.attempts[2].fail, CYC_FAIL_POOL_FULL);
    assert_false(f.attempts[2].may_replay);
    fixture_fini(&f);
}

static void pool__waiting_has_an_end(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    f.conf.pool.max_per_endpoint = 1;
    fixture_adopt(&f);
    start_get(&f, 0), start_get(&f, 1);
    pass_ms(&f, 499);
    assert_string_equal(f.attempts[1].log, "");
    pass_ms(&f, 3);
    assert_string_equal(f.attempts[1].log, "F");
    assert_int_equal(f.attempts[1].fail, CYC_FAIL_POOL_TIMEOUT);
    assert_int_equal(stat_of(&f, SLOT_PENDING), 0);
    assert_int_equal(stat_of(&f, SLOT_FAILS), 1);
    fixture_fini(&f);
}

static void pool__who_stops_waiting_is_not_served(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    f.conf.pool.max_per_endpoint = 1;
    fixture_adopt(&f);
    for (int i = 0; i < 3; i++)
        start_get(&f, i);
    turn(&f);
    cyc_attempt_abort(&f.attempts[1].attempt);
    receive(&f, 0, OK_ANSWER);
    assert_string_equal(f.attempts[1].log, "");
    assert_non_null(f.attempts[2].attempt.conn);
    fixture_fini(&f);
}

static void pool__another_endpoint_helps_out_before_anybody_waits(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    f.conf.pool.max_per_endpoint = 1;
    fixture_adopt(&f);
    fixture_set_endpoints(&f, (const uint16_t[]){1, 2}, 2);
    f.cluster->set.turn = 0;
    start_get(&f, 0);
    f.cluster->set.turn = 0; /* the full one again */
    start_get(&f, 1);
    turn(&f);
    assert_int_equal(f.fake.sockets[0].port, 1);
    assert_int_equal(f.fake.sockets[1].port, 2);
    assert_int_equal(stat_of(&f, SLOT_PENDING), 0);
    fixture_fini(&f);
}

static void pool__a_connection_opened_for_nobody_goes_into_the_pool(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    f.fake.connect_mode = FAKE_HANG;
    start_get(&f, 0);
    turn(&f);
    cyc_attempt_abort(&f.attempts[0].attempt);
    f.fake.connect_mode = FAKE_ACCEPT;
    turn(&f);
    assert_int_equal(conn_count(&f, CYC_UPSTREAM_IDLE), 1);
    assert_int_equal(exchange(&f, 1), 0);
    /* It has been idle, so it may have been closed meanwhile as any other. */
    assert_true(f.attempts[1].attempt.was_reused);
    fixture_fini(&f);
}

static void pool__a_connection_opened_for_nobody_is_closed_when_pooling_is_off(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    f.network.is_connection_pooling = false;
    fixture_adopt(&f);
    start_get(&f, 0);
    cyc_attempt_abort(&f.attempts[0].attempt);
    turn(&f);
    assert_int_equal(f.fake.socket_count, 1);
    assert_int_equal(open_count(&f), 0);
    fixture_fini(&f);
}

static void pool__a_connection_opened_for_nobody_goes_to_who_waits(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    f.conf.pool.max_per_endpoint = 1;
    fixture_adopt(&f);
    f.fake.connect_mode = FAKE_HANG;
    start_get(&f, 0), start_get(&f, 1);
    turn(&f);
    cyc_attempt_abort(&f.attempts[0].attempt);
    f.fake.connect_mode = FAKE_ACCEPT;
    turn(&f);
    receive(&f, 0, OK_ANSWER);
    assert_string_equal(f.attempts[1].log, "HBD");
    assert_int_equal(f.fake.socket_count, 1);
    fixture_fini(&f);
}

static void pool__limits_are_shared_out_among_workers(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    f.upstreams->env.worker_count = 4;
    f.conf.pool.max_per_endpoint = 6;
    f.conf.pool.max_pending = 1;
    f.network.connection_pool_size = 5;
    fixture_adopt(&f);
    assert_int_equal(f.cluster->pool.max_per_endpoint, 2);
    assert_int_equal(f.cluster->pool.max_pending, 1);
    assert_int_equal(f.upstreams->idle_count_max, 2);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pool__an_idle_connection_is_reused),
        cmocka_unit_test(pool__the_last_connection_to_become_idle_is_leased_first),
        cmocka_unit_test(pool__a_leased_connection_is_not_reused_after_a_reset),
        cmocka_unit_test(pool__an_idle_connection_that_ends_is_never_handed_out),
        cmocka_unit_test(pool__a_connection_that_is_not_clean_is_closed),
        cmocka_unit_test(pool__connections_retire),
        cmocka_unit_test(pool__too_many_idle_connections_cost_the_oldest),
        cmocka_unit_test(pool__idle_connections_time_out),
        cmocka_unit_test(pool__a_reused_connection_gets_its_whole_idle_time_again),
        cmocka_unit_test(pool__requests_over_max_per_endpoint_wait_in_order),
        cmocka_unit_test(pool__a_newcomer_does_not_overtake_those_who_wait),
        cmocka_unit_test(pool__a_closed_connection_makes_room_for_who_waits),
        cmocka_unit_test(pool__a_full_queue_refuses),
        cmocka_unit_test(pool__waiting_has_an_end),
        cmocka_unit_test(pool__who_stops_waiting_is_not_served),
        cmocka_unit_test(pool__another_endpoint_helps_out_before_anybody_waits),
        cmocka_unit_test(pool__a_connection_opened_for_nobody_goes_into_the_pool),
        cmocka_unit_test(pool__a_connection_opened_for_nobody_is_closed_when_pooling_is_off),
        cmocka_unit_test(pool__a_connection_opened_for_nobody_goes_to_who_waits),
        cmocka_unit_test(pool__limits_are_shared_out_among_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
