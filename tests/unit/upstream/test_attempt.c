/* SPDX-License-Identifier: Apache-2.0 */
/* One try: what is reported, when, and what becomes of the connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/upstream/fixture.h"

static struct test_attempt *start_post(struct fixture *f, int i)
{
    struct test_attempt *t = &f->attempts[i];
    cyc_attempt_start(&t->attempt, f->cluster,
                      &(struct cyc_attempt_request){.arena = &f->arena,
                                                    .head = &f->post,
                                                    .is_end = false,
                                                    .first_byte_ms = 0,
                                                    .avoid = NULL});
    return t;
}

static bool send_text(struct fixture *f, struct test_attempt *t, const char *text, bool is_end)
{
    struct cyc_buf body;
    cyc_buf_init(&body, &f->pool);
    cyc_buf_append(&body, cyc_span_from_text(text));
    bool has_room = cyc_attempt_send_body(&t->attempt, &body, is_end, NULL);
    assert_int_equal(body.bytes, 0);
    return has_room;
}

static void attempt__a_plain_exchange_is_head_body_done(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    struct test_attempt *t = start_get(&f, 0);
    assert_string_equal(t->log, ""); /* nothing inside start */
    assert_true(cyc_span_equal(cyc_attempt_endpoint_text(&t->attempt), CYC_SPAN("10.0.0.1:1")));
    turn(&f);
    assert_non_null(strstr(f.fake.sockets[0].sent, "GET /x HTTP/1.1\r\n"));
    assert_non_null(strstr(f.fake.sockets[0].sent, "svc.example"));
    assert_int_equal(t->attempt.head_sent_ns, f.fake.io.clock.now_ns);
    receive(&f, 0, OK_ANSWER);
    assert_string_equal(t->log, "HBD"); /* no R: the head was all of it */
    assert_string_equal(t->body, "ok");
    assert_int_equal(t->status, 200);
    assert_false(t->attempt.is_active);
    fixture_fini(&f);
}

static void attempt__a_reused_connection_gets_the_head_inside_start(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    exchange(&f, 0);
    struct test_attempt *t = start_get(&f, 1);
    assert_true(t->attempt.conn->conn.out.bytes > 0);
    assert_true(cyc_list_is_linked(&t->attempt.conn->conn.dirty_link));
    assert_false(cyc_upstreams_is_due(f.upstreams));
    fixture_fini(&f);
}

static void attempt__an_answer_in_pieces_is_passed_on_in_pieces(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    struct test_attempt *t = start_get(&f, 0);
    turn(&f);
    receive(&f, 0, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Le");
    assert_string_equal(t->log, "I");
    receive(&f, 0, "ngth: 6\r\n\r\nabc");
    assert_string_equal(t->log, "IHB");
    receive(&f, 0, "def");
    assert_string_equal(t->log, "IHBBD");
    assert_string_equal(t->body, "abcdef");
    fixture_fini(&f);
}

static void attempt__failures_have_their_reason(void **state)
{
    enum { NOT_YET, REFUSED, HUNG, NO_DESCRIPTOR, NO_MEMORY_LEFT, NO_ENDPOINTS };
    static const struct {
        int connecting;
        const char *answer;
        bool is_eof, is_reset;
        enum cyc_fail fail;
        const char *why;
    } cases[] = {
        {REFUSED, "", false, false, CYC_FAIL_UPSTREAM_CONNECT, "nobody listens"},
        {HUNG, "", false, false, CYC_FAIL_CONNECT_TIMEOUT, "SYN into the void"},
        {NO_DESCRIPTOR, "", false, false, CYC_FAIL_UPSTREAM_CONNECT, "EMFILE"},
        {NO_MEMORY_LEFT, "", false, false, CYC_FAIL_NO_MEMORY, "at the memory limit"},
        {NO_ENDPOINTS, "", false, false, CYC_FAIL_NO_ENDPOINT, "the name resolves to nothing"},
        {NOT_YET, "", true, false, CYC_FAIL_UPSTREAM_RESET, "closed before an answer"},
        {NOT_YET, "", false, true, CYC_FAIL_UPSTREAM_RESET, "reset before an answer"},
        {NOT_YET, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", true, false,
         CYC_FAIL_UPSTREAM_TRUNCATED, "RFC 9112 8: closed in the middle of a body"},
        {NOT_YET, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", false, true,
         CYC_FAIL_UPSTREAM_TRUNCATED, "reset in the middle of a body"},
        {NOT_YET, "220 mail.example ESMTP\r\n", false, false, CYC_FAIL_UPSTREAM_PROTOCOL,
         "not HTTP"},
        {NOT_YET, "", false, false, CYC_FAIL_FIRST_BYTE_TIMEOUT, "no answer"},
        {NOT_YET, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200", false, false,
         CYC_FAIL_FIRST_BYTE_TIMEOUT, "half a head is no answer, nor is an interim one"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        fixture_init(&f);
        struct test_attempt *t = &f.attempts[0];
        f.fake.connect_mode = cases[i].connecting == REFUSED ? FAKE_REFUSE
                              : cases[i].connecting == HUNG  ? FAKE_HANG
                                                             : FAKE_ACCEPT;
        if (cases[i].connecting == NO_DESCRIPTOR)
            f.fake.open_error = -EMFILE;
        if (cases[i].connecting == NO_MEMORY_LEFT)
            f.mem.limit_bytes = 1;
        if (cases[i].connecting == NO_ENDPOINTS)
            fixture_set_endpoints(&f, NULL, 0);
        cyc_attempt_start(&t->attempt, f.cluster,
                          &(struct cyc_attempt_request){.arena = &f.arena,
                                                        .head = &f.get,
                                                        .is_end = true,
                                                        .first_byte_ms = 2000,
                                                        .avoid = NULL});
        assert_string_equal(t->log, "");
        turn(&f);
        if (cases[i].connecting == NOT_YET) {
            f.fake.sockets[0].is_eof = cases[i].is_eof;
            f.fake.sockets[0].is_reset = cases[i].is_reset;
            receive(&f, 0, cases[i].answer);
            turn(&f);
        }
        if (!cases[i].is_eof && !cases[i].is_reset)
            pass_ms(&f, 2002);
        if (t->fail != cases[i].fail)
            fail_msg("%s: events %s, reason %s", cases[i].why, t->log,
                     cyc_fail_info(t->fail)->reason.ptr);
        assert_int_equal(t->log[t->log_bytes - 1], 'F');
        assert_false(t->may_replay);
        assert_int_equal(open_count(&f), 0);
        assert_int_equal(stat_of(&f, SLOT_FAILS), 1);
        assert_int_equal(stat_of(&f, SLOT_ACTIVE), 0);
        f.mem.limit_bytes = 0;
        fixture_fini(&f);
    }
}

static void attempt__time_limits_are_kept_to_the_tick(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    f.fake.connect_mode = FAKE_HANG;
    start_get(&f, 0);
    pass_ms(&f, 999);
    assert_string_equal(f.attempts[0].log, "");
    pass_ms(&f, 3);
    assert_int_equal(f.attempts[0].fail, CYC_FAIL_CONNECT_TIMEOUT);
    assert_int_equal(stat_of(&f, SLOT_CONNECT_FAILS), 1);

    f.fake.connect_mode = FAKE_ACCEPT;
    struct test_attempt *t = &f.attempts[1];
    cyc_attempt_start(
        &t->attempt, f.cluster,
        &(struct cyc_attempt_request){
            .arena = &f.arena, .head = &f.get, .is_end = true, .first_byte_ms = 50, .avoid = NULL});
    pass_ms(&f, 50);
    assert_string_equal(t->log, "");
    pass_ms(&f, 3);
    assert_int_equal(t->fail, CYC_FAIL_FIRST_BYTE_TIMEOUT);
    assert_false(f.fake.sockets[1].is_open); /* the answer may still come: not for the next one */
    fixture_fini(&f);
}

static void attempt__a_dead_reused_connection_may_be_replayed(void **state)
{
    static const struct {
        bool is_reused, is_reset;
        const char *answer;
        bool may_replay;
        const char *why;
    } cases[] = {
        {true, false, "", true, "closed while the request was on its way: RFC 9110 9.2.2"},
        {true, true, "", true, "reset while the request was on its way"},
        {false, false, "", false, "a new connection is not stale"},
        {false, true, "", false, "a new connection is not stale"},
        {true, false, "H", false, "a byte of the answer came"},
        {true, true, "HTTP/1.1 100 Continue\r\n\r\n", false, "an interim answer came"},
        {true, false, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", false, "the head came"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        fixture_init(&f);
        if (cases[i].is_reused)
            exchange(&f, 0);
        struct test_attempt *t = start_get(&f, 1);
        turn(&f);
        receive(&f, 0, cases[i].answer);
        f.fake.sockets[0].is_eof = !cases[i].is_reset;
        f.fake.sockets[0].is_reset = cases[i].is_reset;
        turn(&f);
        if (t->log[t->log_bytes - 1] != 'F' || t->may_replay != cases[i].may_replay)
            fail_msg("%s: events %s, may_replay %d", cases[i].why, t->log, t->may_replay);
        assert_int_equal(stat_of(&f, SLOT_STALE), cases[i].may_replay);
        fixture_fini(&f);
    }
}

static void attempt__can_be_started_again_from_its_failure(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    fixture_set_endpoints(&f, (const uint16_t[]){1, 2}, 2);
    f.cluster->set.turn = 0;
    f.fake.connect_mode = FAKE_REFUSE;
    struct test_attempt *t = start_get(&f, 0);
    t->restart = f.cluster;
    cyc_io_turn(&f.fake.io, 0);
    assert_string_equal(t->log, "F");
    assert_true(t->attempt.is_active);
    f.fake.connect_mode = FAKE_ACCEPT;
    turn(&f);
    assert_int_equal(f.fake.sockets[1].port, 2); /* not the one that failed */
    receive(&f, 1, OK_ANSWER);
    assert_string_equal(t->log, "FHBD");
    fixture_fini(&f);
}

static void attempt__a_body_is_sent_after_ready(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    struct test_attempt *t = start_post(&f, 0);
    assert_string_equal(t->log, "");
    turn(&f);
    assert_string_equal(t->log, "R");
    assert_true(send_text(&f, t, "he", false));
    assert_true(send_text(&f, t, "llo", true));
    turn(&f);
    assert_non_null(strstr(f.fake.sockets[0].sent, "\r\n\r\nhello"));
    receive(&f, 0, OK_ANSWER);
    assert_string_equal(t->log, "RHBD");
    assert_int_equal(conn_count(&f, CYC_UPSTREAM_IDLE), 1);

    t = start_post(&f, 1); /* the same on a reused connection: ready later, in the same turn */
    assert_string_equal(t->log, "");
    assert_true(cyc_upstreams_is_due(f.upstreams));
    cyc_upstreams_run(f.upstreams);
    assert_string_equal(t->log, "R");
    fixture_fini(&f);
}

static void attempt__a_body_can_end_with_trailers_or_with_nothing(void **state)
{
    struct fixture f;
    struct cyc_msg trailers;
    (void)state;
    fixture_init(&f);
    f.post.body = CYC_BODY_STREAM;
    struct test_attempt *t = start_post(&f, 0);
    turn(&f);
    cyc_msg_init(&trailers, &f.arena, 1);
    cyc_msg_add(&trailers, CYC_TOKEN_OTHER, CYC_SPAN("x-sum"), CYC_SPAN("1"));
    send_text(&f, t, "hello", false);
    cyc_attempt_send_body(&t->attempt, NULL, true, &trailers);
    turn(&f);
    assert_non_null(strstr(f.fake.sockets[0].sent, "hello\r\n0\r\nx-sum: 1\r\n\r\n"));
    receive(&f, 0, OK_ANSWER);
    assert_string_equal(t->log, "RHBD");

    t = start_post(&f, 1);
    turn(&f);
    cyc_attempt_send_body(&t->attempt, NULL, true, NULL);
    turn(&f);
    receive(&f, 0, OK_ANSWER);
    assert_string_equal(t->log, "RHBD");
    fixture_fini(&f);
}

static void attempt__a_long_body_waits_for_room(void **state)
{
    struct fixture f;
    char text[2001];
    (void)state;
    fixture_init(&f);
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    f.post.body = CYC_BODY_STREAM;
    struct test_attempt *t = start_post(&f, 0);
    turn(&f);
    assert_false(send_text(&f, t, text, false)); /* the mark of the fixture is 1024 */
    assert_string_equal(t->log, "R");
    turn(&f);
    assert_string_equal(t->log, "RO");
    fixture_fini(&f);
}

static void attempt__the_first_byte_timeout_does_not_run_while_the_body_moves(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    f.post.body = CYC_BODY_STREAM;
    struct test_attempt *t = &f.attempts[0];
    cyc_attempt_start(&t->attempt, f.cluster,
                      &(struct cyc_attempt_request){.arena = &f.arena,
                                                    .head = &f.post,
                                                    .is_end = false,
                                                    .first_byte_ms = 100,
                                                    .avoid = NULL});
    turn(&f);
    for (int i = 0; i < 5; i++) {
        pass_ms(&f, 80);
        send_text(&f, t, "x", i == 4);
    }
    assert_string_equal(t->log, "R");
    pass_ms(&f, 80);
    assert_string_equal(t->log, "R");
    pass_ms(&f, 25);
    assert_int_equal(t->fail, CYC_FAIL_FIRST_BYTE_TIMEOUT);
    fixture_fini(&f);
}

static void attempt__an_early_answer_ends_it_when_the_body_has_been_sent(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    struct test_attempt *t = start_post(&f, 0);
    turn(&f);
    send_text(&f, t, "he", false);
    receive(&f, 0, OK_ANSWER);
    assert_string_equal(t->log, "RHB");
    send_text(&f, t, "llo", true);
    assert_string_equal(t->log, "RHB"); /* not inside the call */
    cyc_upstreams_run(f.upstreams);
    assert_string_equal(t->log, "RHBD");
    assert_true(send_text(&f, t, "late", true)); /* dropped */
    turn(&f);
    assert_int_equal(open_count(&f), 0); /* its state is in doubt: not for another request */
    fixture_fini(&f);
}

static void attempt__a_break_after_the_answer_is_complete_is_no_failure(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    struct test_attempt *t = start_post(&f, 0);
    turn(&f);
    receive(&f, 0,
            "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n"
            "Content-Length: 0\r\n\r\n");
    assert_string_equal(t->log, "RH");
    f.fake.sockets[0].is_reset = true;
    turn(&f);
    assert_string_equal(t->log, "RHD");
    assert_int_equal(stat_of(&f, SLOT_FAILS), 0);
    fixture_fini(&f);
}

static void attempt__abort_in_the_last_event_keeps_the_connection(void **state)
{
    static const char chunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n";
    static const char *const answers[] = {OK_ANSWER, "HTTP/1.1 204 No Content\r\n\r\n", chunked};
    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct fixture f;
        fixture_init(&f);
        struct test_attempt *t = start_get(&f, 0);
        t->aborts_on_end = true;
        turn(&f);
        receive(&f, 0, answers[i]);
        assert_null(strchr(t->log, 'D'));
        assert_false(t->attempt.is_active);
        assert_int_equal(conn_count(&f, CYC_UPSTREAM_IDLE), 1);
        assert_int_equal(stat_of(&f, SLOT_ACTIVE), 0);
        assert_int_equal(exchange(&f, 1), 0);
        fixture_fini(&f);
    }
}

static void attempt__abort_before_the_end_closes_the_connection(void **state)
{
    enum { NOW, CONNECTED, IN_HEAD, IN_BODY, STAGE_COUNT };
    (void)state;
    for (int stage = NOW; stage < STAGE_COUNT; stage++) {
        struct fixture f;
        fixture_init(&f);
        exchange(&f, 1);
        struct test_attempt *t = start_get(&f, 0);
        t->aborts_on_head = stage == IN_HEAD;
        if (stage >= CONNECTED)
            turn(&f);
        if (stage >= IN_HEAD)
            receive(&f, 0, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
        cyc_attempt_abort(&t->attempt);
        cyc_attempt_abort(&t->attempt); /* idle: nothing happens */
        turn(&f);
        assert_string_equal(t->log, stage < IN_HEAD ? "" : stage == IN_HEAD ? "H" : "HB");
        assert_int_equal(open_count(&f), 0);
        assert_int_equal(stat_of(&f, SLOT_ACTIVE), 0);
        fixture_fini(&f);
    }
}

static void attempt__abort_cancels_what_was_to_be_reported(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    f.fake.open_error = -EMFILE;
    struct test_attempt *t = start_get(&f, 0);
    assert_true(cyc_upstreams_is_due(f.upstreams));
    cyc_attempt_abort(&t->attempt);
    turn(&f);
    assert_string_equal(t->log, "");
    fixture_fini(&f);
}

static void attempt__held_bytes_stay_with_the_service(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    struct test_attempt *t = start_get(&f, 0);
    t->holds_on_head = true;
    turn(&f);
    receive(&f, 0, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc");
    assert_string_equal(t->log, "H"); /* what had arrived waits */
    receive(&f, 0, "def");
    assert_int_equal(f.fake.sockets[0].in_bytes, 3); /* not even read */
    cyc_attempt_hold(&t->attempt, CYC_HOLD_CHAIN);
    cyc_attempt_release(&t->attempt, CYC_HOLD_FAR_SIDE);
    turn(&f);
    assert_string_equal(t->log, "H"); /* one reason is enough */
    cyc_attempt_release(&t->attempt, CYC_HOLD_CHAIN);
    assert_string_equal(t->log, "H"); /* not inside the call */
    turn(&f);
    assert_string_equal(t->body, "abcdef");
    assert_int_equal(t->log[t->log_bytes - 1], 'D');
    assert_int_equal(conn_count(&f, CYC_UPSTREAM_IDLE), 1);
    assert_int_equal(stat_of(&f, SLOT_RECEIVED_BYTES),
                     strlen("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef"));
    fixture_fini(&f);
}

static void attempt__a_hold_before_there_is_a_connection_counts(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    struct test_attempt *t = start_get(&f, 0);
    cyc_attempt_hold(&t->attempt, CYC_HOLD_FAR_SIDE);
    turn(&f);
    receive(&f, 0, OK_ANSWER);
    assert_null(strchr(t->log, 'B'));
    cyc_attempt_release(&t->attempt, CYC_HOLD_FAR_SIDE);
    turn(&f);
    assert_string_equal(t->body, "ok");
    fixture_fini(&f);
}

static void attempt__a_tunnel_ends_side_by_side(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    f.get.is_upgrade = true;
    f.get.upgrade = CYC_SPAN("websocket");
    struct test_attempt *t = &f.attempts[0];
    cyc_attempt_start(
        &t->attempt, f.cluster,
        &(struct cyc_attempt_request){
            .arena = &f.arena, .head = &f.get, .is_end = false, .first_byte_ms = 0, .avoid = NULL});
    turn(&f);
    receive(&f, 0,
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
            "Upgrade: websocket\r\n\r\nhi");
    assert_string_equal(t->log, "RHB");
    assert_int_equal(t->status, 101);
    send_text(&f, t, "bye", true);
    turn(&f);
    assert_true(f.fake.sockets[0].is_shut_down); /* half-close is passed on */
    assert_non_null(strstr(f.fake.sockets[0].sent, "\r\n\r\nbye"));
    receive(&f, 0, "bye");
    f.fake.sockets[0].is_eof = true;
    turn(&f);
    assert_string_equal(t->body, "hibye");
    assert_int_equal(t->log[t->log_bytes - 1], 'D');
    assert_int_equal(open_count(&f), 0);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attempt__a_plain_exchange_is_head_body_done),
        cmocka_unit_test(attempt__a_reused_connection_gets_the_head_inside_start),
        cmocka_unit_test(attempt__an_answer_in_pieces_is_passed_on_in_pieces),
        cmocka_unit_test(attempt__failures_have_their_reason),
        cmocka_unit_test(attempt__time_limits_are_kept_to_the_tick),
        cmocka_unit_test(attempt__a_dead_reused_connection_may_be_replayed),
        cmocka_unit_test(attempt__can_be_started_again_from_its_failure),
        cmocka_unit_test(attempt__a_body_is_sent_after_ready),
        cmocka_unit_test(attempt__a_body_can_end_with_trailers_or_with_nothing),
        cmocka_unit_test(attempt__a_long_body_waits_for_room),
        cmocka_unit_test(attempt__the_first_byte_timeout_does_not_run_while_the_body_moves),
        cmocka_unit_test(attempt__an_early_answer_ends_it_when_the_body_has_been_sent),
        cmocka_unit_test(attempt__a_break_after_the_answer_is_complete_is_no_failure),
        cmocka_unit_test(attempt__abort_in_the_last_event_keeps_the_connection),
        cmocka_unit_test(attempt__abort_before_the_end_closes_the_connection),
        cmocka_unit_test(attempt__abort_cancels_what_was_to_be_reported),
        cmocka_unit_test(attempt__held_bytes_stay_with_the_service),
        cmocka_unit_test(attempt__a_hold_before_there_is_a_connection_counts),
        cmocka_unit_test(attempt__a_tunnel_ends_side_by_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
