/* SPDX-License-Identifier: Apache-2.0 */
/* Reading: bodies and answers, however they are cut, and what the end of a connection means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/pipe.h"
#include "tests/unit/http/h1_recorder.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct cyc_codec_vt *vt_of(struct recorder *r)
{
    return r->h1.codec.vt;
}

/* ---- requests ---------------------------------------------------------------------------------
 */

static void h1__request_bodies_are_read_as_framed(void **state)
{
#define REQUEST(fields, body) CYC_SPAN_INIT("POST / HTTP/1.1\r\nHost: h\r\n" fields "\r\n" body)
#define HEAD(kind) "open | head POST / authority=h fields={} body=" kind
    static const struct {
        struct cyc_span input;
        const char *expected, *why;
    } rows[] = {
        {REQUEST("Content-Length: 3\r\n", "abc"), HEAD("length(3) | body abc | end"), "a length"},
        {REQUEST("Content-Length: 0\r\n", ""), HEAD("length(0) | end"), "an empty body"},
        {REQUEST("Content-Length: 003\r\n", "abc"), HEAD("length(3) | body abc | end"), "zeros"},
        {REQUEST("Transfer-Encoding: Chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"),
         HEAD("stream | body abc | end"), "codings have no case (RFC 9112 7)"},
        {REQUEST("", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"), HEAD("none | end"),
         "no framing is no body (RFC 9112 6.3 rule 7); what follows waits"},
        {REQUEST("Content-Length: 3\r\nExpect: 100-continue\r\n", "abc"),
         HEAD("length(3) expects | body abc | end"), "RFC 9110 10.1.1"},
        {REQUEST("Content-Length: 3\r\nExpect: soup\r\n", "abc"),
         "open | reset EXPECTATION can_answer", "RFC 9110 10.1.1"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        check_record(CYC_ROLE_SERVER, NULL, rows[i].input, rows[i].expected, rows[i].why);
}

static void h1__a_body_on_get_is_forwarded_as_framed(void **state)
{
    (void)state;
    check_record(CYC_ROLE_SERVER, NULL,
                 CYC_SPAN("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"),
                 "open | head GET / authority=h fields={} body=length(3) | body abc | end",
                 "never guessed (CL.0)");
}

static void h1__bytes_behind_a_refused_request_are_never_parsed(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_SERVER);
    (void)state;

    recorder_feed_text(r, "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(r->fed, CYC_FAIL_BAD_HOST);
    recorder_feed_text(r, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_string_equal(r->text, "open | reset BAD_HOST can_answer");
    assert_int_equal(r->in.bytes, 0);
    assert_false(r->h1.codec.wants_close); /* the answer is still to come */
    vt_of(r)->reset(r->cs, CYC_FAIL_BAD_HOST);
    assert_true(r->h1.codec.wants_close);
    recorder_destroy(r);
}

static void h1__without_memory_a_request_is_refused_whole(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_SERVER);
    (void)state;

    r->refuses_open = true;
    recorder_feed_text(r, "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\n");
    assert_int_equal(r->fed, CYC_FAIL_NO_MEMORY);
    assert_true(r->h1.codec.wants_close);
    char *out = recorder_take_out(r);
    assert_string_equal(out, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                             "Connection: close\r\n\r\n");
    free(out);
    assert_string_equal(r->text, "");
    recorder_destroy(r);
}

/* ---- answers ----------------------------------------------------------------------------------
 */

static void ask_with(struct recorder *r, const char *method, bool is_upgrade)
{
    struct cyc_msg req;

    cyc_msg_init(&req, &r->arena, 8);
    req.method_text = cyc_span_from_text(method);
    req.method = cyc_method_find(req.method_text);
    req.path = CYC_SPAN("/");
    req.authority = CYC_SPAN("h");
    req.is_upgrade = is_upgrade;
    req.upgrade = CYC_SPAN("ws");
    r->cs = vt_of(r)->open(&r->h1.codec, r, &r->arena);
    vt_of(r)->send_head(r->cs, &req, !is_upgrade);
    free(recorder_take_out(r));
}

static void ask_get(struct recorder *r)
{
    ask_with(r, "GET", false);
}

static void ask_head(struct recorder *r)
{
    ask_with(r, "HEAD", false);
}

static void ask_upgrade(struct recorder *r)
{
    ask_with(r, "GET", true);
}

#define REFUSED "reset UPSTREAM_PROTOCOL"
#define OK "HTTP/1.1 200 OK\r\n"
#define HEAD_OK "head 200 OK fields={} body="

struct answer_row {
    recorder_prepare *ask;
    struct cyc_span input;
    const char *expected, *why;
};
#define ROW(ask, input, expected, why)                                                             \
    {                                                                                              \
        ask, CYC_SPAN_INIT(input), expected, why                                                   \
    }

static void check_answers(const struct answer_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_record(CYC_ROLE_CLIENT, rows[i].ask, rows[i].input, rows[i].expected, rows[i].why);
}

static void h1__answers_are_read_as_framed(void **state)
{
    static const struct answer_row rows[] = {
        ROW(ask_get, OK "Content-Length: 3\r\n\r\nabc", HEAD_OK "length(3) | body abc | end | gone",
            "a length"),
        ROW(ask_get, OK "Content-Length: 0\r\n\r\n", HEAD_OK "length(0) | end | gone", "empty"),
        ROW(ask_get, OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            HEAD_OK "stream | body abc | end | gone", "chunked"),
        ROW(ask_get, OK "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n",
            HEAD_OK "stream | trailers fields={A: b} | gone", "trailers"),
        ROW(ask_get, OK "\r\nabc", HEAD_OK "stream | body abc", "until the close"),
        ROW(ask_head, OK "Content-Length: 3\r\n\r\n", HEAD_OK "none(3) | end | gone", "HEAD"),
        ROW(ask_head, OK "Transfer-Encoding: chunked\r\n\r\n", HEAD_OK "none | end | gone", "HEAD"),
        ROW(ask_get, "HTTP/1.1 204 No Content\r\n\r\n",
            "head 204 No Content fields={} body=none | end | gone", "no body"),
        ROW(ask_get, "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n",
            "head 304 Not Modified fields={} body=none(3) | end | gone", "no body"),
        ROW(ask_get, "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n",
            "head 404  fields={} body=length(0) | end | gone", "no reason, no space"),
        ROW(ask_get, "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
            "head 200  fields={} body=length(0) | end | gone", "no reason"),
        ROW(ask_get, "HTTP/1.1 200 a \x80\t b\r\nContent-Length: 0\r\n\r\n",
            "head 200 a \x80\t b fields={} body=length(0) | end | gone", "RFC 9112 4"),
        ROW(ask_get, "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            "head 200 OK fields={} body=length(0) 1.0 | end | gone", "1.0"),
        ROW(ask_get,
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\n" OK
            "Content-Length: 0\r\n\r\n",
            "info 100 Continue fields={} body=none | info 103 Early fields={A: b} body=none "
            "| " HEAD_OK "length(0) | end | gone",
            "interim answers (RFC 9110 15.2)"),
        ROW(ask_upgrade, "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: ws\r\n\r\nHTTP/1.1",
            "head 101 S fields={} body=tunnel upgrade=ws | body HTTP/1.1", "bytes behind a 101"),
        ROW(ask_upgrade, OK "Content-Length: 3\r\n\r\nabc",
            HEAD_OK "length(3) | body abc | end | gone", "an upgrade not granted"),
        ROW(ask_upgrade, "HTTP/1.1 100 C\r\n\r\n" OK "Content-Length: 0\r\n\r\n",
            "info 100 C fields={} body=none | " HEAD_OK "length(0) | end | gone", "interim before"),
    };
    (void)state;
    check_answers(rows, COUNT(rows));
}

static void h1__malformed_answers_are_refused(void **state)
{
    static const struct answer_row rows[] = {
        ROW(ask_get, "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: ws\r\n\r\n", REFUSED,
            "nobody asked"),
        ROW(ask_get, OK "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", REFUSED, "both"),
        ROW(ask_get, OK "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", REFUSED, "both"),
        ROW(ask_get, OK "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", REFUSED, "two lengths"),
        ROW(ask_get, OK "Content-Length: +3\r\n\r\n", REFUSED, "a sign"),
        ROW(ask_get, OK "Transfer-Encoding: gzip\r\n\r\n", REFUSED, "not chunked"),
        ROW(ask_get, OK "Transfer-Encoding: gzip, chunked\r\n\r\n", REFUSED, "not done here"),
        ROW(ask_get, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", REFUSED, "1.0"),
        ROW(ask_get, "HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\nabc", REFUSED, "204 and a body"),
        ROW(ask_get, "HTTP/1.1 103 E\r\nContent-Length: 3\r\n\r\nabc", REFUSED, "1xx and a body"),
        ROW(ask_get, "HTTP/1.1 099 X\r\n\r\n", REFUSED, "no status"),
        ROW(ask_get, "HTTP/1.1 600 X\r\n\r\n", REFUSED, "no status"),
        ROW(ask_get, "HTTP/1.1 20 X\r\n\r\n", REFUSED, "no status"),
        ROW(ask_get, "HTTP/1.1 2000 X\r\n\r\n", REFUSED, "no status"),
        ROW(ask_get, "HTTP/1.1 200X\r\n\r\n", REFUSED, "no space"),
        ROW(ask_get, "HTTP/1.1  200 OK\r\n\r\n", REFUSED, "two spaces"),
        ROW(ask_get, "HTTP/1.1 200 O\x01K\r\n\r\n", REFUSED, "a control character"),
        ROW(ask_get, "HTTP/1.1 200 O\0K\r\n\r\n", REFUSED, "NUL"),
        ROW(ask_get, "HTTP/2.0 200 OK\r\n\r\n", REFUSED, "version"),
        ROW(ask_get, "HTTP/0.9 200 OK\r\n\r\n", REFUSED, "version"),
        ROW(ask_get, "RTSP/1.0 200 OK\r\n\r\n", REFUSED, "another protocol"),
        ROW(ask_get, "\r\nHTTP/1.1 200 OK\r\n\r\n", REFUSED, "an empty line before"),
        ROW(ask_get, "HTTP/1.1 200 OK\nContent-Length: 0\n\n", REFUSED, "bare LF"),
        ROW(ask_get, OK "A: b\rSet-Cookie: c\r\n\r\n", REFUSED, "bare CR"),
        ROW(ask_get, OK "A: b\r\n c\r\n\r\n", REFUSED, "obs-fold"),
        ROW(ask_get, OK "A: \0\r\n\r\n", REFUSED, "NUL"),
        ROW(ask_get, OK "A : b\r\n\r\n", REFUSED, "space before the colon"),
        ROW(ask_get, "<html>", REFUSED, "HTTP/0.9 or garbage"),
        ROW(ask_get, OK "Transfer-Encoding: chunked\r\n\r\n3 \r\nabc", HEAD_OK "stream | " REFUSED,
            "a bad chunk"),
    };
    (void)state;
    check_answers(rows, COUNT(rows));
}

static void h1__endless_interim_answers_are_refused(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_CLIENT);
    int count = 0;
    (void)state;

    ask_get(r);
    while (r->fed == CYC_FAIL_NONE && count < 100) {
        recorder_feed_text(r, "HTTP/1.1 102 Processing\r\n\r\n");
        count++;
    }
    assert_int_equal(count, 33);
    assert_int_equal(r->fed, CYC_FAIL_UPSTREAM_PROTOCOL);
    recorder_destroy(r);
}

static void h1__answer_heads_have_limits_too(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_CLIENT);
    char *value = malloc(40 * 1024);
    (void)state;

    memset(value, 'a', 40 * 1024);
    ask_get(r);
    recorder_feed_text(r, OK "A: ");
    recorder_feed(r, value, 40 * 1024);
    assert_int_equal(r->fed, CYC_FAIL_UPSTREAM_PROTOCOL);
    assert_true(r->h1.codec.wants_close);
    free(value);
    recorder_destroy(r);
}

/* ---- the end of the connection ------------------------------------------------------------------
 */

static void h1__what_the_end_of_an_answer_connection_means(void **state)
{
    static const struct {
        const char *input, *expected;
        bool has_answer_begun;
        const char *why;
    } rows[] = {
        {"", "reset UPSTREAM_RESET", false, "nothing came: it may be sent again"},
        {"H", "reset UPSTREAM_TRUNCATED", true, "within the head"},
        {OK, "reset UPSTREAM_TRUNCATED", true, "within the head"},
        {"HTTP/1.1 100 C\r\n\r\n", "info 100 C fields={} body=none | reset UPSTREAM_TRUNCATED",
         true, "after a 1xx"},
        {OK "Content-Length: 3\r\n\r\nab", HEAD_OK "length(3) | body ab | reset UPSTREAM_TRUNCATED",
         true, "RFC 9112 8"},
        {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
         HEAD_OK "stream | body abc | reset UPSTREAM_TRUNCATED", true, "no last chunk"},
        {OK "Transfer-Encoding: chunked\r\n\r\n0\r\n", HEAD_OK "stream | reset UPSTREAM_TRUNCATED",
         true, "no end of the trailers"},
        {OK "\r\nab", HEAD_OK "stream | body ab | end | gone", true, "that is its end"},
        {OK "\r\n", HEAD_OK "stream | end | gone", true, "and an empty body"},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct recorder *r = recorder_create(CYC_ROLE_CLIENT);
        ask_get(r);
        recorder_feed_text(r, rows[i].input);
        vt_of(r)->feed_end(&r->h1.codec);
        if (strcmp(r->text, rows[i].expected) != 0)
            fail_msg("%s: %s", rows[i].why, r->text);
        assert_int_equal(r->h1.codec.has_answer_begun, rows[i].has_answer_begun);
        assert_true(r->h1.codec.wants_close);
        assert_false(r->h1.codec.can_open);
        recorder_destroy(r);
    }
}

static void h1__a_client_that_stops_within_its_request_is_gone(void **state)
{
    static const char *const inputs[] = {
        "G",
        "FOO",
        "GET / HTTP/1.1\r\nHost: h\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nab",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: ws\r\n\r\n",
    };
    static const char expected[] = "reset CLIENT_GONE";
    (void)state;

    for (size_t i = 0; i < COUNT(inputs); i++) {
        struct recorder *r = recorder_create(CYC_ROLE_SERVER);
        recorder_feed_text(r, inputs[i]);
        vt_of(r)->feed_end(&r->h1.codec);
        if (strcmp(r->text + r->text_len - strlen(expected), expected) != 0)
            fail_msg("%s: %s", inputs[i], r->text);
        assert_true(r->h1.codec.wants_close);
        recorder_destroy(r);
    }
}

static void h1__an_idle_connection_that_ends_wants_to_be_closed(void **state)
{
    (void)state;
    for (int role = 0; role < 2; role++) {
        struct recorder *r = recorder_create(role ? CYC_ROLE_CLIENT : CYC_ROLE_SERVER);
        vt_of(r)->feed_end(&r->h1.codec);
        assert_true(r->h1.codec.wants_close);
        assert_false(r->h1.codec.can_open);
        assert_string_equal(r->text, "");
        recorder_destroy(r);
    }
}

/* ---- tunnels ------------------------------------------------------------------------------------
 */

static void send_switch(struct recorder *r)
{
    struct cyc_msg res;

    cyc_msg_init(&res, &r->arena, 8);
    res.status = 101;
    res.body = CYC_BODY_TUNNEL;
    res.upgrade = CYC_SPAN("ws");
    vt_of(r)->send_head(r->cs, &res, false);
}

static void send_bytes(struct recorder *r, const char *text, bool is_end)
{
    struct cyc_buf body;
    cyc_buf_init(&body, &r->pool);
    cyc_buf_append(&body, cyc_span_from_text(text));
    vt_of(r)->send_body(r->cs, &body, is_end);
}

/** Bytes sent behind the request wait for the answer, and belong to the tunnel then. */
static void h1__server_tunnel_carries_bytes_and_half_closes(void **state)
{
    (void)state;

    for (int client_first = 0; client_first < 2; client_first++) {
        struct recorder *r = recorder_create(CYC_ROLE_SERVER);
        recorder_feed_text(r, "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\n"
                              "Upgrade: ws\r\n\r\nGET ");
        assert_true(r->h1.codec.is_read_held);
        send_switch(r);
        assert_true(r->h1.codec.wants_feed);
        recorder_feed_text(r, "/ HTTP");
        send_bytes(r, "hello", false);
        if (client_first) {
            vt_of(r)->feed_end(&r->h1.codec);
            assert_false(r->h1.codec.wants_close);
            send_bytes(r, "!", true);
        } else {
            send_bytes(r, "!", true);
            assert_true(r->h1.codec.wants_shutdown);
            assert_false(r->h1.codec.wants_close);
            recorder_feed_text(r, "");
            vt_of(r)->feed_end(&r->h1.codec);
        }
        assert_string_equal(r->text, "open | head GET / authority=h fields={} body=none upgrade=ws"
                                     " | body GET / HTTP | end | gone");
        assert_true(r->h1.codec.wants_close);
        char *out = recorder_take_out(r);
        assert_non_null(strstr(out, "Connection: Upgrade\r\nUpgrade: ws\r\n\r\nhello!"));
        free(out);
        recorder_destroy(r);
    }
}

static void h1__upgrade_answered_otherwise_leaves_http(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_SERVER);
    struct cyc_msg res;
    (void)state;

    recorder_feed_text(r, "GET /1 HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: ws\r\n\r\n"
                          "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
    cyc_msg_init(&res, &r->arena, 8);
    res.status = 200;
    vt_of(r)->send_head(r->cs, &res, true);
    assert_true(r->h1.codec.wants_feed);
    recorder_feed_text(r, "");
    assert_string_equal(r->text, "open | head GET /1 authority=h fields={} body=none upgrade=ws | "
                                 "gone | open | head GET /2 authority=h fields={} body=none | end");
    recorder_destroy(r);
}

static void h1__client_tunnel_half_closes(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_CLIENT);
    (void)state;

    ask_upgrade(r);
    send_bytes(r, "too early", false);
    assert_int_equal(r->out.bytes, 0);
    recorder_feed_text(r, "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: ws\r\n\r\nabc");
    send_bytes(r, "hello", true);
    assert_true(r->h1.codec.wants_shutdown);
    assert_int_equal(r->gone_count, 0);
    recorder_feed_text(r, "def");
    vt_of(r)->feed_end(&r->h1.codec);
    assert_string_equal(r->text, "head 101 S fields={} body=tunnel upgrade=ws | body abcdef | "
                                 "end | gone");
    assert_true(r->h1.codec.wants_close);
    assert_false(r->h1.codec.is_reusable);
    recorder_destroy(r);
}

/* ---- bytes nobody looks at ------------------------------------------------------------------- */

static void allow_splice(struct recorder *r, struct cyc_msg *head, bool is_end)
{
    (void)head;
    (void)is_end;
    r->cs->can_splice = true;
}

/** Feeds `len` bytes that are in a pipe. */
static void feed_pipe(struct recorder *r, size_t len)
{
    static char bytes[4096];
    struct cyc_chunk *chunk = cyc_pipe_get(&r->pool);
    int ends[2];

    assert_non_null(chunk);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(write(ends[0], bytes, len), len);
    assert_int_equal(cyc_pipe_fill(chunk, ends[1], len), len);
    close(ends[0]);
    close(ends[1]);
    cyc_buf_append_chunk(&r->in, chunk, chunk->bytes, chunk->used_bytes);
    cyc_chunk_unref(chunk);
    r->fed = r->h1.codec.vt->feed(&r->h1.codec, &r->in);
}

static void h1__a_counted_body_may_come_in_pipes_when_its_owner_says_so(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_SERVER);
    (void)state;

    r->at_head = allow_splice;
    assert_int_equal(r->h1.codec.opaque_bytes, 0);
    recorder_feed_text(r, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\nabc");
    r->is_quiet = true; /* the recorder looks at what it records */
    assert_int_equal(r->h1.codec.opaque_bytes, 4997);
    feed_pipe(r, 4000);
    assert_int_equal(r->h1.codec.opaque_bytes, 997);
    r->h1.codec.vt->hold(r->cs, CYC_HOLD_CHAIN);
    feed_pipe(r, 900); /* waits, and is not looked at */
    assert_int_equal(r->in.bytes, 900);
    r->h1.codec.vt->release(r->cs, CYC_HOLD_CHAIN);
    recorder_feed(r, NULL, 0);
    assert_int_equal(r->h1.codec.opaque_bytes, 97);
    feed_pipe(r, 97);
    assert_int_equal(r->body_bytes, 5000);
    assert_int_equal(r->h1.codec.opaque_bytes, 0);
    assert_int_equal(r->fed, CYC_FAIL_NONE);
    recorder_destroy(r);
}

static void h1__what_is_parsed_is_never_said_to_be_opaque(void **state)
{
    static const struct {
        const char *input;
        uint64_t opaque_bytes;
        const char *why;
    } cases[] = {
        {"", 0, "nothing has arrived"},
        {OK "Content-Len", 0, "half a head"},
        {OK "Content-Length: 100\r\n\r\n12345", 95, "a length"},
        {OK "\r\n12345", UINT64_MAX, "RFC 9112 6.3: to the end of the connection"},
        {OK "Transfer-Encoding: chunked\r\n\r\nffff\r\nabc", 0, "chunk lines are among them"},
        {OK "Content-Length: 3\r\n\r\nabc", 0, "it has ended"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (int may_splice = 0; may_splice < 2; may_splice++) {
            struct recorder *r = recorder_create(CYC_ROLE_CLIENT);
            ask_get(r);
            r->at_head = may_splice ? allow_splice : NULL;
            recorder_feed_text(r, cases[i].input);
            if (r->h1.codec.opaque_bytes != (may_splice ? cases[i].opaque_bytes : 0))
                fail_msg("%s", cases[i].why);
            recorder_destroy(r);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h1__request_bodies_are_read_as_framed),
        cmocka_unit_test(h1__a_body_on_get_is_forwarded_as_framed),
        cmocka_unit_test(h1__bytes_behind_a_refused_request_are_never_parsed),
        cmocka_unit_test(h1__without_memory_a_request_is_refused_whole),
        cmocka_unit_test(h1__answers_are_read_as_framed),
        cmocka_unit_test(h1__malformed_answers_are_refused),
        cmocka_unit_test(h1__endless_interim_answers_are_refused),
        cmocka_unit_test(h1__answer_heads_have_limits_too),
        cmocka_unit_test(h1__what_the_end_of_an_answer_connection_means),
        cmocka_unit_test(h1__a_client_that_stops_within_its_request_is_gone),
        cmocka_unit_test(h1__an_idle_connection_that_ends_wants_to_be_closed),
        cmocka_unit_test(h1__server_tunnel_carries_bytes_and_half_closes),
        cmocka_unit_test(h1__upgrade_answered_otherwise_leaves_http),
        cmocka_unit_test(h1__client_tunnel_half_closes),
        cmocka_unit_test(h1__a_counted_body_may_come_in_pipes_when_its_owner_says_so),
        cmocka_unit_test(h1__what_is_parsed_is_never_said_to_be_opaque),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
