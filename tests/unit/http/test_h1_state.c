/* SPDX-License-Identifier: Apache-2.0 */
/* When an exchange is over, and what becomes of the connection then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/http/h1_recorder.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define POST(path, length) "POST " path " HTTP/1.1\r\nHost: h\r\nContent-Length: " length "\r\n\r\n"

static const struct cyc_codec_vt *vt_of(struct recorder *r)
{
    return r->h1.codec.vt;
}

static void answer_with(struct recorder *r, uint16_t status, const char *text, bool is_end)
{
    struct cyc_msg res;
    struct cyc_buf body;

    cyc_msg_init(&res, &r->arena, 8);
    res.status = status;
    res.body = CYC_BODY_LENGTH;
    res.body_bytes = strlen(text) + (is_end ? 0 : 1);
    vt_of(r)->send_head(r->cs, &res, false);
    cyc_buf_init(&body, &r->pool);
    cyc_buf_append(&body, cyc_span_from_text(text));
    vt_of(r)->send_body(r->cs, &body, is_end);
}

static void answer(struct recorder *r)
{
    answer_with(r, 200, "ok", true);
}

static void answer_at_head(struct recorder *r, struct cyc_msg *head, bool is_end)
{
    (void)head, (void)is_end;
    answer(r);
}

static bool is_closing(struct recorder *r)
{
    return r->h1.codec.wants_close;
}

static bool out_says_close(struct recorder *r)
{
    char *out = recorder_take_out(r);
    bool says = strstr(out, "Connection: close\r\n") != NULL;
    free(out);
    return says;
}

/* ---- server -----------------------------------------------------------------------------------
 */

static void h1_state__pipelined_requests_wait_for_their_turn(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_SERVER);
    (void)state;

    recorder_feed_text(r, GET("/1") GET("/2") "GET ");
    assert_int_equal(r->h1.codec.stream_count, 1);
    assert_true(r->h1.codec.is_read_held);
    assert_false(r->h1.codec.wants_feed);
    answer(r);
    assert_true(r->h1.codec.wants_feed);
    assert_false(r->h1.codec.is_read_held);
    recorder_feed_text(r, "");
    answer(r);
    recorder_feed_text(r, "");
    assert_true(r->h1.codec.is_head_begun);
    recorder_feed_text(r, "/3 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_false(r->h1.codec.is_head_begun);
    assert_string_equal(r->text,
                        "open | head GET /1 authority=h fields={} body=none | end | gone"
                        " | open | head GET /2 authority=h fields={} body=none | end | gone"
                        " | open | head GET /3 authority=h fields={} body=none | end");
    recorder_destroy(r);
}

static void h1_state__answers_given_within_the_event_leave_in_order(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_SERVER);
    (void)state;

    r->at_head = answer_at_head;
    recorder_feed_text(r, GET("/1") GET("/2") GET("/3"));
    assert_int_equal(r->gone_count, 3);
    assert_int_equal(r->in.bytes, 0);
    assert_false(r->h1.codec.wants_feed);
    recorder_destroy(r);
}

static void h1_state__while_an_answer_is_awaited_the_end_can_be_noticed(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_SERVER);
    (void)state;

    recorder_feed_text(r, GET("/"));
    assert_false(r->h1.codec.is_read_held);
    recorder_destroy(r);
}

static void h1_state__after_close_nothing_more_is_parsed(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_SERVER);
    (void)state;

    recorder_feed_text(r, "GET /1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" GET("/2"));
    answer(r);
    assert_true(is_closing(r));
    recorder_feed_text(r, GET("/3"));
    assert_int_equal(r->in.bytes, 0);
    assert_string_equal(r->text, "open | head GET /1 authority=h fields={} body=none | end | gone");
    recorder_destroy(r);
}

static void h1_state__held_body_stays_in_the_queue(void **state)
{
    static const char *const inputs[] = {
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
    };
    static const char *const bodies[][2] = {{"abc", "def"},
                                            {"3\r\nabc", "\r\n3\r\ndef\r\n0\r\n\r\n"}};
    (void)state;

    for (size_t i = 0; i < COUNT(inputs); i++) {
        struct recorder *r = recorder_create(CYC_ROLE_SERVER);
        recorder_feed_text(r, inputs[i]);
        recorder_feed_text(r, bodies[i][0]);
        vt_of(r)->hold(r->cs, CYC_HOLD_CHAIN);
        vt_of(r)->hold(r->cs, CYC_HOLD_FAR_SIDE);
        vt_of(r)->hold(r->cs, CYC_HOLD_FAR_SIDE); /* one bit each, never unbalanced */
        assert_true(r->h1.codec.is_read_held);
        recorder_feed_text(r, bodies[i][1]);
        assert_int_equal(r->body_bytes, 3);
        assert_int_equal(r->in.bytes, strlen(bodies[i][1]));
        vt_of(r)->release(r->cs, CYC_HOLD_CHAIN);
        assert_true(r->h1.codec.is_read_held);
        assert_false(r->h1.codec.wants_feed);
        vt_of(r)->release(r->cs, CYC_HOLD_FAR_SIDE);
        assert_false(r->h1.codec.is_read_held);
        assert_true(r->h1.codec.wants_feed);
        recorder_feed_text(r, "");
        assert_int_equal(r->body_bytes, 6);
        assert_int_equal(r->in.bytes, 0);
        recorder_destroy(r);
    }
}

static void h1_state__the_end_waits_behind_held_bytes(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_SERVER);
    (void)state;

    recorder_feed_text(r, POST("/", "3"));
    vt_of(r)->hold(r->cs, CYC_HOLD_CHAIN);
    recorder_feed_text(r, "abc");
    vt_of(r)->feed_end(&r->h1.codec);
    assert_int_equal(r->reset_count, 0);
    vt_of(r)->release(r->cs, CYC_HOLD_CHAIN);
    recorder_feed_text(r, "");
    assert_string_equal(r->text, "open | head POST / authority=h fields={} body=length(3) | "
                                 "body abc | end");
    answer(r);
    assert_true(is_closing(r));
    recorder_destroy(r);
}

static void h1_state__a_client_that_half_closed_gets_its_answers(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_SERVER);
    (void)state;

    recorder_feed_text(r, GET("/1") GET("/2"));
    vt_of(r)->feed_end(&r->h1.codec);
    answer(r);
    assert_false(is_closing(r));
    assert_false(out_says_close(r));
    recorder_feed_text(r, "");
    answer(r);
    assert_true(is_closing(r));
    assert_true(out_says_close(r));
    assert_int_equal(r->gone_count, 2);
    recorder_destroy(r);
}

/** The request is not read to its end, so the connection cannot be used again: CL.0 and its like.
 */
static void h1_state__an_early_answer_ends_the_connection(void **state)
{
    static const struct {
        const char *input;
        uint16_t status;
        const char *why;
    } rows[] = {
        {POST("/", "9") "abc", 413, "an error before the body was read"},
        {POST("/", "9"), 401, "before any of it came"},
        {POST("/", "9") "abc", 200, "even if the rest should come before the answer's end"},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n", 200,
         "a client that was never told to continue"},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", 400,
         "only the trailers are missing"},
        {"POST / HTTP/1.1\r\nHost: h\r\n", 408, "within the head"},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct recorder *r = recorder_create(CYC_ROLE_SERVER);
        recorder_feed_text(r, rows[i].input);
        answer_with(r, rows[i].status, "no", true);
        if (!is_closing(r) || r->h1.codec.is_cut || r->gone_count != 1 || !out_says_close(r))
            fail_msg("%s", rows[i].why);
        recorder_feed_text(r, "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_null(strstr(r->text, "smuggled"));
        assert_int_equal(r->in.bytes, 0);
        recorder_destroy(r);
    }
}

/** Which of the two ends first is not known when the head is sent: closing without having said so
 *  would lose what a client has pipelined. */
static void h1_state__an_answer_that_began_early_stays_the_last(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_SERVER);
    struct cyc_buf body;
    (void)state;

    recorder_feed_text(r, POST("/", "3"));
    answer_with(r, 200, "a", false);
    assert_true(out_says_close(r));
    recorder_feed_text(r, "abc" GET("/2"));
    cyc_buf_init(&body, &r->pool);
    cyc_buf_append(&body, CYC_SPAN("b"));
    vt_of(r)->send_body(r->cs, &body, true);
    assert_true(is_closing(r));
    assert_int_equal(r->gone_count, 1);
    assert_string_equal(r->text, "open | head POST / authority=h fields={} body=length(3) | "
                                 "body abc | end | gone");
    recorder_destroy(r);
}

static void h1_state__a_hundred_that_was_sent_keeps_the_connection(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_SERVER);
    struct cyc_msg info;
    (void)state;

    recorder_feed_text(r, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
                          "Expect: 100-continue\r\n\r\n");
    cyc_msg_init(&info, &r->arena, 1);
    info.status = 100;
    vt_of(r)->send_info(r->cs, &info);
    recorder_feed_text(r, "abc");
    answer(r);
    char *out = recorder_take_out(r);
    assert_non_null(strstr(out, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
    assert_null(strstr(out, "Connection: close"));
    free(out);
    assert_false(is_closing(r));
    recorder_destroy(r);
}

static void answer_refusal(struct recorder *r, enum cyc_fail why, bool can_answer)
{
    if (can_answer)
        answer_with(r, cyc_fail_info(why)->status, "no", true);
}

static void h1_state__a_refused_request_is_answered_and_then_it_is_over(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_SERVER);
    (void)state;

    r->at_reset = answer_refusal;
    recorder_feed_text(r, "GET / HTTP/1.1\r\n\r\n" GET("/2"));
    assert_string_equal(r->text, "open | reset BAD_HOST can_answer | gone");
    assert_true(is_closing(r));
    assert_true(out_says_close(r));
    recorder_destroy(r);
}

static void h1_state__a_body_that_turns_bad_behind_an_answers_head_ends_it(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_SERVER);
    (void)state;

    recorder_feed_text(r, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    answer_with(r, 200, "a", false);
    recorder_feed_text(r, "x");
    assert_string_equal(r->text, "open | head POST / authority=h fields={} body=stream | "
                                 "reset BAD_CHUNK");
    assert_true(is_closing(r));
    recorder_destroy(r);
}

static void answer_stream(struct recorder *r)
{
    struct cyc_msg res;
    struct cyc_buf body;

    cyc_msg_init(&res, &r->arena, 8);
    res.status = 200;
    res.body = CYC_BODY_STREAM;
    vt_of(r)->send_head(r->cs, &res, false);
    cyc_buf_init(&body, &r->pool);
    cyc_buf_append(&body, CYC_SPAN("part"));
    vt_of(r)->send_body(r->cs, &body, false);
}

/** A client can tell a cut answer from a whole one: by what is missing, or (where the end of the
 *  connection would be the end) because the owner is told to reset it. */
static void h1_state__a_cut_answer_never_looks_whole(void **state)
{
    static const struct {
        const char *input, *out_end;
        bool has_begun, is_stream, is_cut;
    } rows[] = {
        {GET("/"), "", false, false, false},
        {GET("/"), "Content-Length: 2\r\n\r\na", true, false, false},
        {GET("/"), "chunked\r\n\r\n4\r\npart\r\n", true, true, false},
        {"GET / HTTP/1.0\r\n\r\n", "Connection: close\r\n\r\npart", true, true, true},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct recorder *r = recorder_create(CYC_ROLE_SERVER);
        recorder_feed_text(r, rows[i].input);
        if (rows[i].has_begun && rows[i].is_stream)
            answer_stream(r);
        else if (rows[i].has_begun)
            answer_with(r, 200, "a", false);
        vt_of(r)->reset(r->cs, CYC_FAIL_UPSTREAM_TRUNCATED);
        char *out = recorder_take_out(r);
        assert_string_equal(out + strlen(out) - strlen(rows[i].out_end), rows[i].out_end);
        free(out);
        assert_true(is_closing(r));
        assert_int_equal(r->h1.codec.is_cut, rows[i].is_cut);
        assert_int_equal(r->gone_count + r->reset_count, 0); /* no event follows */
        recorder_destroy(r);
    }
}

static void h1_state__drain_says_goodbye(void **state)
{
    (void)state;

    struct recorder *r = recorder_create(CYC_ROLE_SERVER);
    vt_of(r)->drain(&r->h1.codec);
    assert_true(is_closing(r)); /* idle: at once */
    recorder_feed_text(r, GET("/"));
    assert_string_equal(r->text, "");
    recorder_destroy(r);

    r = recorder_create(CYC_ROLE_SERVER);
    recorder_feed_text(r, GET("/"));
    vt_of(r)->drain(&r->h1.codec);
    assert_false(is_closing(r));
    answer(r);
    assert_true(out_says_close(r));
    assert_true(is_closing(r));
    recorder_destroy(r);

    r = recorder_create(CYC_ROLE_SERVER);
    recorder_feed_text(r, "GET ");
    vt_of(r)->drain(&r->h1.codec); /* a request that has begun is answered */
    recorder_feed_text(r, "/ HTTP/1.1\r\nHost: h\r\n\r\n");
    answer(r);
    assert_true(out_says_close(r));
    assert_true(is_closing(r));
    recorder_destroy(r);
}

static void h1_state__abort_tells_the_exchange(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_SERVER);
    (void)state;

    recorder_feed_text(r, GET("/1") GET("/2"));
    vt_of(r)->abort(&r->h1.codec, CYC_FAIL_CLIENT_GONE);
    assert_string_equal(r->text, "open | head GET /1 authority=h fields={} body=none | end | "
                                 "reset CLIENT_GONE");
    assert_true(is_closing(r));
    vt_of(r)->abort(&r->h1.codec, CYC_FAIL_CLIENT_GONE); /* again: nothing */
    assert_int_equal(r->reset_count, 1);
    recorder_destroy(r);
}

/* ---- client -----------------------------------------------------------------------------------
 */

static void ask_for(struct recorder *r, enum cyc_body_kind body, uint64_t body_bytes)
{
    struct cyc_msg req;

    cyc_msg_init(&req, &r->arena, 8);
    req.method_text = CYC_SPAN("POST");
    req.method = CYC_METHOD_POST;
    req.path = CYC_SPAN("/");
    req.authority = CYC_SPAN("h");
    req.body = body;
    req.body_bytes = body_bytes;
    r->cs = vt_of(r)->open(&r->h1.codec, r, &r->arena);
    assert_non_null(r->cs);
    vt_of(r)->send_head(r->cs, &req, body == CYC_BODY_NONE);
}

static void ask(struct recorder *r, bool is_end)
{
    ask_for(r, is_end ? CYC_BODY_NONE : CYC_BODY_STREAM, 0);
}

static void ask_with_length(struct recorder *r, uint64_t body_bytes)
{
    ask_for(r, CYC_BODY_LENGTH, body_bytes);
}

static void send_all(struct recorder *r)
{
    free(recorder_take_out(r));
}

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void h1_state__a_clean_connection_can_be_used_again(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_CLIENT);
    (void)state;

    assert_true(r->h1.codec.is_reusable);
    for (int i = 0; i < 3; i++) {
        ask(r, true);
        assert_false(r->h1.codec.can_open);
        assert_false(r->h1.codec.is_reusable);
        assert_null(vt_of(r)->open(&r->h1.codec, r, &r->arena));
        assert_false(r->h1.codec.has_answer_begun);
        send_all(r);
        recorder_feed_text(r, OK);
        assert_true(r->h1.codec.is_reusable);
        assert_false(is_closing(r));
    }
    assert_int_equal(r->gone_count, 3);
    recorder_destroy(r);
}

static void h1_state__a_connection_in_doubt_is_not_used_again(void **state)
{
    static const struct {
        const char *input, *why;
    } rows[] = {
        {OK "H", "bytes behind the answer"},
        {OK OK, "an answer nobody asked for"},
        {"HTTP/1.1 204 N\r\n\r\nabc", "a body where there is none"},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "it said so"},
        {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "1.0 closes by itself"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\r\n", "an empty line"},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct recorder *r = recorder_create(CYC_ROLE_CLIENT);
        ask(r, true);
        send_all(r);
        recorder_feed_text(r, rows[i].input);
        if (r->h1.codec.is_reusable || r->h1.codec.can_open || !is_closing(r) || r->gone_count != 1)
            fail_msg("%s", rows[i].why);
        recorder_destroy(r);
    }
}

static void h1_state__answers_nobody_asked_for_end_the_connection(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_CLIENT);
    (void)state;

    ask(r, true);
    send_all(r);
    recorder_feed_text(r, OK);
    assert_true(r->h1.codec.is_reusable);
    recorder_feed_text(r, "HTTP/1.1 408 Request Timeout\r\n\r\n");
    assert_false(r->h1.codec.is_reusable);
    assert_true(is_closing(r));
    recorder_destroy(r);
}

static void check_not_reusable(struct recorder *r)
{
    assert_false(r->h1.codec.is_reusable);
}

/** What is left in the same read must be seen before anybody could reuse the connection. */
static void h1_state__doubt_is_known_before_the_last_event(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_CLIENT);
    (void)state;

    r->at_gone = check_not_reusable;
    ask(r, true);
    send_all(r);
    recorder_feed_text(r, OK OK);
    assert_int_equal(r->gone_count, 1);
    recorder_destroy(r);
}

static void ask_again(struct recorder *r)
{
    assert_true(r->h1.codec.is_reusable);
    if (r->gone_count < 3)
        ask(r, true);
}

static void h1_state__the_next_request_may_be_sent_from_the_last_event(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_CLIENT);
    (void)state;

    r->at_gone = ask_again;
    ask(r, true);
    for (int i = 0; i < 3; i++) {
        send_all(r);
        recorder_feed_text(r, OK);
    }
    assert_int_equal(r->gone_count, 3);
    assert_true(r->h1.codec.is_reusable);
    recorder_destroy(r);
}

static void h1_state__an_answer_before_the_requests_end_spends_the_connection(void **state)
{
    struct cyc_buf none;
    (void)state;

    struct recorder *r = recorder_create(CYC_ROLE_CLIENT);
    ask(r, false);
    send_all(r);
    recorder_feed_text(r, OK);
    assert_string_equal(r->text, "head 200 OK fields={} body=length(2) | body ok | end");
    cyc_buf_init(&none, &r->pool);
    vt_of(r)->send_body(r->cs, &none, true);
    assert_int_equal(r->gone_count, 1);
    assert_true(is_closing(r));
    recorder_destroy(r);

    r = recorder_create(CYC_ROLE_CLIENT); /* all of it has left, only nobody had said so */
    ask_with_length(r, 2);
    cyc_buf_init(&none, &r->pool);
    cyc_buf_append(&none, CYC_SPAN("ab"));
    vt_of(r)->send_body(r->cs, &none, false);
    send_all(r);
    recorder_feed_text(r, OK);
    vt_of(r)->send_body(r->cs, &none, true);
    assert_int_equal(r->gone_count, 1);
    assert_true(is_closing(r));
    recorder_destroy(r);

    r = recorder_create(CYC_ROLE_CLIENT); /* complete, but not all of it has left */
    ask(r, true);
    recorder_feed_text(r, OK);
    assert_int_equal(r->gone_count, 1);
    assert_true(is_closing(r));
    recorder_destroy(r);
}

static void h1_state__a_reset_request_spends_the_connection(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_CLIENT);
    (void)state;

    ask(r, true);
    vt_of(r)->reset(r->cs, CYC_FAIL_REQUEST_TIMEOUT);
    assert_true(is_closing(r));
    assert_false(r->h1.codec.can_open);
    recorder_feed_text(r, OK);
    assert_string_equal(r->text, "");
    recorder_destroy(r);
}

static void h1_state__a_held_answer_stays_in_the_queue(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_CLIENT);
    (void)state;

    ask(r, true);
    send_all(r);
    recorder_feed_text(r, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc");
    vt_of(r)->hold(r->cs, CYC_HOLD_FAR_SIDE);
    recorder_feed_text(r, "def");
    assert_int_equal(r->body_bytes, 3);
    vt_of(r)->feed_end(&r->h1.codec); /* the end waits behind the bytes */
    assert_int_equal(r->reset_count, 0);
    vt_of(r)->release(r->cs, CYC_HOLD_FAR_SIDE);
    assert_true(r->h1.codec.wants_feed);
    recorder_feed_text(r, "");
    assert_int_equal(r->gone_count, 1);
    assert_true(is_closing(r));
    recorder_destroy(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h1_state__pipelined_requests_wait_for_their_turn),
        cmocka_unit_test(h1_state__answers_given_within_the_event_leave_in_order),
        cmocka_unit_test(h1_state__while_an_answer_is_awaited_the_end_can_be_noticed),
        cmocka_unit_test(h1_state__after_close_nothing_more_is_parsed),
        cmocka_unit_test(h1_state__held_body_stays_in_the_queue),
        cmocka_unit_test(h1_state__the_end_waits_behind_held_bytes),
        cmocka_unit_test(h1_state__a_client_that_half_closed_gets_its_answers),
        cmocka_unit_test(h1_state__an_early_answer_ends_the_connection),
        cmocka_unit_test(h1_state__an_answer_that_began_early_stays_the_last),
        cmocka_unit_test(h1_state__a_hundred_that_was_sent_keeps_the_connection),
        cmocka_unit_test(h1_state__a_refused_request_is_answered_and_then_it_is_over),
        cmocka_unit_test(h1_state__a_body_that_turns_bad_behind_an_answers_head_ends_it),
        cmocka_unit_test(h1_state__a_cut_answer_never_looks_whole),
        cmocka_unit_test(h1_state__drain_says_goodbye),
        cmocka_unit_test(h1_state__abort_tells_the_exchange),
        cmocka_unit_test(h1_state__a_clean_connection_can_be_used_again),
        cmocka_unit_test(h1_state__a_connection_in_doubt_is_not_used_again),
        cmocka_unit_test(h1_state__answers_nobody_asked_for_end_the_connection),
        cmocka_unit_test(h1_state__doubt_is_known_before_the_last_event),
        cmocka_unit_test(h1_state__the_next_request_may_be_sent_from_the_last_event),
        cmocka_unit_test(h1_state__an_answer_before_the_requests_end_spends_the_connection),
        cmocka_unit_test(h1_state__a_reset_request_spends_the_connection),
        cmocka_unit_test(h1_state__a_held_answer_stays_in_the_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
