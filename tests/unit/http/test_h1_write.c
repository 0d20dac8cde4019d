/* SPDX-License-Identifier: Apache-2.0 */
/* What the codec writes, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/http/h1_recorder.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

static const struct cyc_codec_vt *vt_of(struct recorder *r)
{
    return r->h1.codec.vt;
}

static struct cyc_msg message(struct recorder *r, uint16_t status)
{
    struct cyc_msg msg;
    cyc_msg_init(&msg, &r->arena, 8);
    msg.status = status;
    return msg;
}

static bool send_text(struct recorder *r, const char *text, bool is_end)
{
    struct cyc_buf body;
    cyc_buf_init(&body, &r->pool);
    cyc_buf_append(&body, cyc_span_from_text(text));
    bool has_room = vt_of(r)->send_body(r->cs, &body, is_end);
    assert_int_equal(body.bytes, 0);
    return has_room;
}

static void expect_out(struct recorder *r, const char *expected, const char *why)
{
    char *out = recorder_take_out(r);
    if (strcmp(out, expected) != 0)
        fail_msg("%s\n  written  %s\n  expected %s", why, out, expected);
    free(out);
}

/* ---- answers --------------------------------------------------------------------------------- */

struct answer_row {
    const char *request;
    uint16_t status;
    enum cyc_body_kind body;
    uint64_t body_bytes;
    bool has_length;
    const char *text; /* NULL: the head is the end */
    const char *expected;
    bool is_close;
    const char *why;
};

#define REQ(method, version, fields) method " / HTTP/" version "\r\nHost: h\r\n" fields "\r\n"

static void check_answer(const struct answer_row *row)
{
    struct recorder *r = recorder_create(CYC_ROLE_SERVER);

    recorder_feed_text(r, row->request);
    struct cyc_msg res = message(r, row->status);
    res.body = row->body;
    res.body_bytes = row->body_bytes;
    res.has_length = row->has_length;
    cyc_msg_add_known(&res, CYC_TOKEN_SERVER, CYC_SPAN("x"));
    vt_of(r)->send_head(r->cs, &res, row->text == NULL);
    if (row->text != NULL)
        send_text(r, row->text, true);
    expect_out(r, row->expected, row->why);
    if (r->h1.codec.wants_close != row->is_close || r->h1.codec.is_cut)
        fail_msg("close %d, cut %d: %s", r->h1.codec.wants_close, r->h1.codec.is_cut, row->why);
    assert_int_equal(r->gone_count, 1);
    recorder_destroy(r);
}

static void h1_write__answers(void **state)
{
#define GET REQ("GET", "1.1", "")
#define OLD REQ("GET", "1.0", "")
#define OLD_KEPT REQ("GET", "1.0", "Connection: keep-alive\r\n")
#define CLOSED REQ("GET", "1.1", "Connection: close\r\n")
#define OK(rest) "HTTP/1.1 200 OK\r\nServer: x\r\n" DATE rest
    static const struct answer_row rows[] = {
        {GET, 200, CYC_BODY_LENGTH, 2, false, "hi", OK("Content-Length: 2\r\n\r\nhi"), false,
         "a length"},
        {GET, 200, CYC_BODY_LENGTH, 0, false, NULL, OK("Content-Length: 0\r\n\r\n"), false,
         "an empty body has a length"},
        {GET, 200, CYC_BODY_NONE, 0, false, NULL, OK("Content-Length: 0\r\n\r\n"), false,
         "so has none at all"},
        {GET, 200, CYC_BODY_STREAM, 0, false, NULL, OK("Content-Length: 0\r\n\r\n"), false,
         "and one that ended with the head"},
        {GET, 200, CYC_BODY_STREAM, 0, false, "hi",
         OK("Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"), false, "RFC 9112 7.1"},
        {GET, 200, CYC_BODY_STREAM, 0, false, "", OK("Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
         false, "never an empty chunk between"},
        {OLD, 200, CYC_BODY_STREAM, 0, false, "hi", OK("Connection: close\r\n\r\nhi"), true,
         "1.0 knows no chunks (RFC 9112 6.1)"},
        {OLD_KEPT, 200, CYC_BODY_STREAM, 0, false, "hi", OK("Connection: close\r\n\r\nhi"), true,
         "the end is the only mark"},
        {OLD_KEPT, 200, CYC_BODY_LENGTH, 2, false, "hi",
         OK("Content-Length: 2\r\nConnection: keep-alive\r\n\r\nhi"), false,
         "1.0 is told (RFC 9112 C.2.2)"},
        {OLD, 200, CYC_BODY_LENGTH, 2, false, "hi",
         OK("Content-Length: 2\r\nConnection: close\r\n\r\nhi"), true, "1.0 closes by itself"},
        {CLOSED, 200, CYC_BODY_LENGTH, 2, false, "hi",
         OK("Content-Length: 2\r\nConnection: close\r\n\r\nhi"), true, "RFC 9112 9.6"},
        {REQ("HEAD", "1.1", ""), 200, CYC_BODY_NONE, 7, true, NULL, OK("Content-Length: 7\r\n\r\n"),
         false, "HEAD describes (RFC 9110 9.3.2)"},
        {REQ("HEAD", "1.1", ""), 200, CYC_BODY_LENGTH, 2, false, "hi",
         OK("Content-Length: 2\r\n\r\n"), false, "and has no body, whoever sends one"},
        {REQ("HEAD", "1.1", ""), 200, CYC_BODY_STREAM, 0, false, "hi", OK("\r\n"), false,
         "nor chunks"},
        {GET, 204, CYC_BODY_NONE, 0, false, NULL,
         "HTTP/1.1 204 No Content\r\nServer: x\r\n" DATE "\r\n", false, "RFC 9110 8.6"},
        {GET, 204, CYC_BODY_LENGTH, 2, false, "hi",
         "HTTP/1.1 204 No Content\r\nServer: x\r\n" DATE "\r\n", false, "no body, no length"},
        {GET, 304, CYC_BODY_NONE, 7, true, NULL,
         "HTTP/1.1 304 Not Modified\r\nServer: x\r\n" DATE "Content-Length: 7\r\n\r\n", false,
         "304 describes (RFC 9110 15.4.5)"},
        {GET, 299, CYC_BODY_NONE, 0, false, NULL,
         "HTTP/1.1 299 \r\nServer: x\r\n" DATE "Content-Length: 0\r\n\r\n", false,
         "the space stays without a phrase (RFC 9112 4)"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        check_answer(&rows[i]);
}

static void h1_write__the_answers_own_fields_win_over_what_a_filter_put_there(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_SERVER);
    (void)state;

    recorder_feed_text(r, REQ("GET", "1.1", ""));
    struct cyc_msg res = message(r, 200);
    res.body = CYC_BODY_LENGTH;
    res.reason = CYC_SPAN("Fine");
    cyc_msg_add_known(&res, CYC_TOKEN_CONTENT_LENGTH, CYC_SPAN("99"));
    cyc_msg_add_known(&res, CYC_TOKEN_TRANSFER_ENCODING, CYC_SPAN("chunked"));
    cyc_msg_add_known(&res, CYC_TOKEN_CONNECTION, CYC_SPAN("close"));
    cyc_msg_add_known(&res, CYC_TOKEN_KEEP_ALIVE, CYC_SPAN("a"));
    cyc_msg_add_known(&res, CYC_TOKEN_UPGRADE, CYC_SPAN("a"));
    cyc_msg_add_known(&res, CYC_TOKEN_DATE, CYC_SPAN("today"));
    cyc_msg_add_known(&res, CYC_TOKEN_VARY, CYC_SPAN("a"))->is_removed = true;
    vt_of(r)->send_head(r->cs, &res, true);
    expect_out(r, "HTTP/1.1 200 Fine\r\nDate: today\r\nContent-Length: 0\r\n\r\n", "own lines");
    recorder_destroy(r);
}

static void h1_write__chunks_and_trailers(void **state)
{
    static const struct {
        const char *fields, *expected;
    } cases[] = {
        {"TE: trailers\r\n", "10\r\n0123456789abcdef\r\n1\r\nx\r\n0\r\nA: b\r\n\r\n"},
        {"", "10\r\n0123456789abcdef\r\n1\r\nx\r\n0\r\n\r\n"}, /* not asked for: RFC 9110 6.5.1 */
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct recorder *r = recorder_create(CYC_ROLE_SERVER);
        recorder_feed_text(r, "GET / HTTP/1.1\r\nHost: h\r\n");
        recorder_feed_text(r, cases[i].fields);
        recorder_feed_text(r, "\r\n");
        struct cyc_msg res = message(r, 200);
        res.body = CYC_BODY_STREAM;
        vt_of(r)->send_head(r->cs, &res, false);
        expect_out(r, "HTTP/1.1 200 OK\r\n" DATE "Transfer-Encoding: chunked\r\n\r\n", "head");
        assert_true(send_text(r, "0123456789abcdef", false));
        assert_true(send_text(r, "", false));
        assert_true(send_text(r, "x", false));
        struct cyc_msg trailers = message(r, 0);
        cyc_msg_add(&trailers, CYC_TOKEN_OTHER, CYC_SPAN("A"), CYC_SPAN("b"));
        cyc_msg_add_known(&trailers, CYC_TOKEN_CONTENT_LENGTH, CYC_SPAN("1"));
        vt_of(r)->send_trailers(r->cs, &trailers);
        expect_out(r, cases[i].expected, "trailers");
        assert_int_equal(r->gone_count, 1);
        recorder_destroy(r);
    }
}

static void h1_write__interim_answers(void **state)
{
    (void)state;

    for (int minor = 0; minor < 2; minor++) {
        struct recorder *r = recorder_create(CYC_ROLE_SERVER);
        recorder_feed_text(r, minor ? REQ("GET", "1.1", "") : REQ("GET", "1.0", ""));
        struct cyc_msg info = message(r, 103);
        cyc_msg_add(&info, CYC_TOKEN_OTHER, CYC_SPAN("Link"), CYC_SPAN("</a>"));
        vt_of(r)->send_info(r->cs, &info);
        expect_out(r, minor ? "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" : "",
                   "never to 1.0 (RFC 9110 15.2)");
        struct cyc_msg res = message(r, 200);
        res.body = CYC_BODY_LENGTH;
        res.body_bytes = 1;
        vt_of(r)->send_head(r->cs, &res, false);
        free(recorder_take_out(r));
        vt_of(r)->send_info(r->cs, &info);
        expect_out(r, "", "never behind the final head");
        recorder_destroy(r);
    }
}

static void h1_write__never_more_nor_less_than_the_length(void **state)
{
    (void)state;

    for (int is_short = 0; is_short < 2; is_short++) {
        struct recorder *r = recorder_create(CYC_ROLE_SERVER);
        recorder_feed_text(r, REQ("GET", "1.1", ""));
        struct cyc_msg res = message(r, 200);
        res.body = CYC_BODY_LENGTH;
        res.body_bytes = 3;
        vt_of(r)->send_head(r->cs, &res, false);
        free(recorder_take_out(r));
        send_text(r, is_short ? "ab" : "abcd", true);
        expect_out(r, is_short ? "ab" : "abc", "what was promised at most");
        assert_true(r->h1.codec.wants_close);
        assert_false(r->h1.codec.is_cut); /* the missing byte tells by itself */
        recorder_destroy(r);
    }
}

static void h1_write__huge_heads_are_written_whole(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_SERVER);
    struct cyc_span value = cyc_span_of(r->text + RECORD_BYTES / 2, 9000);
    (void)state;

    memset(r->text + RECORD_BYTES / 2, 'v', value.len);
    recorder_feed_text(r, REQ("GET", "1.1", ""));
    struct cyc_msg res = message(r, 200);
    res.body = CYC_BODY_LENGTH;
    cyc_msg_add(&res, CYC_TOKEN_OTHER, CYC_SPAN("A"), value);
    cyc_msg_add(&res, CYC_TOKEN_OTHER, CYC_SPAN("B"), value);
    vt_of(r)->send_head(r->cs, &res, true);
    char *out = recorder_take_out(r);
    assert_int_equal(strlen(out),
                     strlen("HTTP/1.1 200 OK\r\nA: \r\nB: \r\n" DATE "Content-Length: 0\r\n\r\n") +
                         2 * value.len);
    assert_string_equal(out + strlen(out) - 4, "\r\n\r\n");
    free(out);
    recorder_destroy(r);
}

static void h1_write__says_when_there_is_no_room_and_when_there_is_again(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_SERVER);
    char block[8193];
    (void)state;

    memset(block, 'x', sizeof(block) - 1);
    block[sizeof(block) - 1] = '\0';
    recorder_feed_text(r, REQ("GET", "1.1", ""));
    struct cyc_msg res = message(r, 200);
    res.body = CYC_BODY_STREAM;
    vt_of(r)->send_head(r->cs, &res, false);
    for (int i = 0; i < 7; i++)
        assert_true(send_text(r, block, false));
    assert_false(send_text(r, block, false));
    r->text_len = 0;
    cyc_buf_drop(&r->out, 30 * 1024);
    vt_of(r)->sent(&r->h1.codec, 30 * 1024);
    assert_int_equal(r->text_len, 0);
    cyc_buf_drop(&r->out, 5 * 1024);
    vt_of(r)->sent(&r->h1.codec, 5 * 1024);
    assert_string_equal(r->text, "room");
    cyc_buf_drop(&r->out, 1024);
    vt_of(r)->sent(&r->h1.codec, 1024);
    assert_string_equal(r->text, "room"); /* said once */
    recorder_destroy(r);
}

/* ---- requests -------------------------------------------------------------------------------- */

static struct cyc_msg request(struct recorder *r, const char *method)
{
    struct cyc_msg msg = message(r, 0);
    msg.method_text = cyc_span_from_text(method);
    msg.method = cyc_method_find(msg.method_text);
    msg.path = CYC_SPAN("/p");
    msg.authority = CYC_SPAN("h");
    return msg;
}

static void h1_write__requests(void **state)
{
#define LINE(method) method " /p HTTP/1.1\r\nHost: h\r\n"
    static const struct {
        const char *method, *text, *expected, *why;
        enum cyc_body_kind body;
        uint64_t body_bytes;
        bool is_upgrade, wants_trailers, expects_continue;
    } rows[] = {
        {"GET", NULL, LINE("GET") "\r\n", "no framing", CYC_BODY_NONE, 0, 0, 0, 0},
        {"DELETE", NULL, LINE("DELETE") "\r\n", "no framing", CYC_BODY_NONE, 0, 0, 0, 0},
        {"POST", NULL, LINE("POST") "Content-Length: 0\r\n\r\n", "RFC 9110 8.6", CYC_BODY_NONE, 0,
         0, 0, 0},
        {"GET", NULL, LINE("GET") "Content-Length: 0\r\n\r\n", "as it was framed", CYC_BODY_LENGTH,
         0, 0, 0, 0},
        {"GET", "abc", LINE("GET") "Content-Length: 3\r\n\r\nabc", "a GET with a body",
         CYC_BODY_LENGTH, 3, 0, 0, 0},
        {"PUT", "abc", LINE("PUT") "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
         "a stream", CYC_BODY_STREAM, 0, 0, 0, 0},
        {"GET", "", LINE("GET") "Connection: Upgrade\r\nUpgrade: ws\r\n\r\n", "RFC 9110 7.8",
         CYC_BODY_NONE, 0, true, 0, 0},
        {"GET", NULL, LINE("GET") "Connection: TE\r\nTE: trailers\r\n\r\n", "RFC 9110 10.1.4",
         CYC_BODY_NONE, 0, 0, true, 0},
        {"POST", "abc", LINE("POST") "Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
         "RFC 9110 10.1.1", CYC_BODY_LENGTH, 3, 0, 0, true},
        {"GET", NULL, LINE("GET") "\r\n", "nothing to wait for", CYC_BODY_NONE, 0, 0, 0, true},
        {"QUERY", NULL, LINE("QUERY") "\r\n", "another method", CYC_BODY_NONE, 0, 0, 0, 0},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct recorder *r = recorder_create(CYC_ROLE_CLIENT);
        struct cyc_msg req = request(r, rows[i].method);
        req.body = rows[i].body;
        req.body_bytes = rows[i].body_bytes;
        req.is_upgrade = rows[i].is_upgrade;
        req.upgrade = CYC_SPAN("ws");
        req.wants_trailers = rows[i].wants_trailers;
        req.expects_continue = rows[i].expects_continue;
        r->cs = vt_of(r)->open(&r->h1.codec, r, &r->arena);
        vt_of(r)->send_head(r->cs, &req, rows[i].text == NULL);
        if (rows[i].text != NULL)
            send_text(r, rows[i].text, rows[i].text[0] != '\0');
        expect_out(r, rows[i].expected, rows[i].why);
        recorder_destroy(r);
    }
}

static void h1_write__targets_and_own_fields_of_requests(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_CLIENT);
    struct cyc_msg req = request(r, "GET");
    (void)state;

    req.query = CYC_SPAN("");
    cyc_msg_add_known(&req, CYC_TOKEN_HOST, CYC_SPAN("other"));
    cyc_msg_add_known(&req, CYC_TOKEN_EXPECT, CYC_SPAN("x"));
    cyc_msg_add_known(&req, CYC_TOKEN_TE, CYC_SPAN("gzip"));
    cyc_msg_add_known(&req, CYC_TOKEN_COOKIE, CYC_SPAN("a"));
    r->cs = vt_of(r)->open(&r->h1.codec, r, &r->arena);
    vt_of(r)->send_head(r->cs, &req, true);
    expect_out(r, "GET /p? HTTP/1.1\r\nHost: h\r\nCookie: a\r\n\r\n", "an empty query is one");
    recorder_destroy(r);

    r = recorder_create(CYC_ROLE_CLIENT);
    req = request(r, "OPTIONS");
    req.path = CYC_SPAN("*");
    r->cs = vt_of(r)->open(&r->h1.codec, r, &r->arena);
    vt_of(r)->send_head(r->cs, &req, true);
    expect_out(r, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "RFC 9112 3.2.4");
    recorder_destroy(r);
}

/* ---- runs of untouched fields ------------------------------------------------------------------
 */

static void change_fields(struct recorder *r, struct cyc_msg *head, bool is_end)
{
    struct cyc_field *fields = head->fields;
    (void)is_end;

    cyc_msg_remove_name(head, CYC_SPAN("B"));
    cyc_msg_find_name(head, CYC_SPAN("D"))->value = CYC_SPAN("new");
    cyc_msg_find_name(head, CYC_SPAN("E"))->value.len = 1; /* shortened in place */
    cyc_msg_find_name(head, CYC_SPAN("F"))->name = CYC_SPAN("Ff");
    cyc_msg_add(head, CYC_TOKEN_OTHER, CYC_SPAN("Z"), CYC_SPAN(""));
    assert_true(fields == head->fields);
    head->body = CYC_BODY_LENGTH;
    head->status = 200;
    vt_of(r)->send_head(r->cs, head, true);
}

/** Fields are copied in runs where they were not touched: the result must be the same. */
static void h1_write__fields_touched_and_untouched(void **state)
{
    static const struct cyc_span input =
        CYC_SPAN_INIT("GET / HTTP/1.1\r\nA: 1\r\nHost: h\r\nB: 2\r\nC: 3\r\nC2: 33\r\nD: 4\r\n"
                      "E: 55\r\nF: 6\r\nG:7\r\nH:  8\r\nI: 9 \r\nJ: 10\r\nK:\r\nL: 12\r\n\r\n");
    (void)state;

    for (uint32_t seed = 0; seed < 8; seed++) {
        struct recorder *r = recorder_create(CYC_ROLE_SERVER);
        r->at_head = change_fields;
        recorder_feed_cut(r, input, seed);
        expect_out(r,
                   "HTTP/1.1 200 OK\r\nA: 1\r\nC: 3\r\nC2: 33\r\nD: new\r\nE: 5\r\nFf: 6\r\n"
                   "G: 7\r\nH: 8\r\nI: 9\r\nJ: 10\r\nK: \r\nL: 12\r\nZ: \r\n" DATE
                   "Content-Length: 0\r\n\r\n",
                   "every field once, as it is now");
        recorder_destroy(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h1_write__answers),
        cmocka_unit_test(h1_write__the_answers_own_fields_win_over_what_a_filter_put_there),
        cmocka_unit_test(h1_write__chunks_and_trailers),
        cmocka_unit_test(h1_write__interim_answers),
        cmocka_unit_test(h1_write__never_more_nor_less_than_the_length),
        cmocka_unit_test(h1_write__huge_heads_are_written_whole),
        cmocka_unit_test(h1_write__says_when_there_is_no_room_and_when_there_is_again),
        cmocka_unit_test(h1_write__requests),
        cmocka_unit_test(h1_write__targets_and_own_fields_of_requests),
        cmocka_unit_test(h1_write__fields_touched_and_untouched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
