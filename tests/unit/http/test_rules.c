/* SPDX-License-Identifier: Apache-2.0 */
/* The rules on messages put together by hand; how they look on the wire is test_h1_head's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/rules.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct fixture {
    struct cyc_mem mem;
    struct cyc_arena arena;
    struct cyc_msg msg;
};

static void setup(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    cyc_arena_init(&f->arena, &f->mem, CYC_MEM_STREAMS, NULL, 0);
    cyc_msg_init(&f->msg, &f->arena, 8);
    f->msg.method = CYC_METHOD_GET;
    f->msg.method_text = CYC_SPAN("GET");
    f->msg.target = CYC_SPAN("/");
}

/** @param fields  "Name: value\n" each */
static void add_fields(struct fixture *f, const char *fields)
{
    while (*fields != '\0') {
        const char *colon = strchr(fields, ':'), *end = strchr(fields, '\n');
        struct cyc_span name = cyc_span_of(fields, (size_t)(colon - fields));
        struct cyc_span value = cyc_span_trim(cyc_span_of(colon + 1, (size_t)(end - colon - 1)));
        cyc_msg_add(&f->msg, cyc_token_find(name), name, value);
        fields = end + 1;
    }
}

static uint32_t visible_count(const struct cyc_msg *msg)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < msg->field_count; i++)
        count += !msg->fields[i].is_removed;
    return count;
}

static void rules__hop_by_hop_fields_end_here(void **state)
{
    static const struct {
        const char *fields;
        uint32_t kept_count;
        const char *why;
    } cases[] = {
        {"A: b\n", 1, "an end-to-end field"},
        {"Connection: close\n", 0, "RFC 9110 7.6.1"},
        {"Connection: a, b\nA: 1\nB: 2\nC: 3\n", 1, "nominated fields"},
        {"Connection: a\nConnection: b\nA: 1\nB: 2\nC: 3\n", 1, "in several fields"},
        {"Connection: A\na: 1\na: 2\n", 0, "all of that name, any case"},
        {"Connection: ,, a ,\nA: 1\n", 0, "empty members (RFC 9110 5.6.1)"},
        {"Connection: content-length\nConnection: transfer-encoding\nA: 1\n", 1, "no framing left"},
        {"Connection: cookie, authorization\nCookie: a\nAuthorization: b\n", 2,
         "a nomination cannot strip credentials"},
        {"Connection: x-forwarded-for, x-request-id, via, forwarded\nX-Forwarded-For: a\n"
         "X-Request-Id: b\nVia: c\nForwarded: d\n",
         4, "nor what says where the request came from"},
        {"Keep-Alive: timeout=5\nProxy-Connection: keep-alive\nTE: gzip\nUpgrade: x\n"
         "Proxy-Authorization: a\nHTTP2-Settings: b\n",
         0, "hop by hop without being nominated"},
        {"Trailer: x\nTE: trailers\n", 1, "Trailer describes the message, not the hop"},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture f;
        bool is_close;
        setup(&f);
        add_fields(&f, "Host: h\n");
        add_fields(&f, cases[i].fields);
        assert_int_equal(cyc_rules_request(&f.msg, &is_close), CYC_FAIL_NONE);
        if (visible_count(&f.msg) != cases[i].kept_count)
            fail_msg("%u fields left: %s", visible_count(&f.msg), cases[i].why);
        assert_null(cyc_msg_find(&f.msg, CYC_TOKEN_HOST)); /* it is msg.authority now */
        cyc_arena_fini(&f.arena);
    }
}

static void rules__a_flood_of_connection_options_is_refused(void **state)
{
    struct fixture f;
    bool is_close;
    (void)state;

    setup(&f);
    add_fields(&f, "Host: h\n");
    for (int i = 0; i < 13; i++)
        add_fields(&f, "Connection: a,b,c,d,e\n");
    assert_int_equal(cyc_rules_request(&f.msg, &is_close), CYC_FAIL_BAD_REQUEST);
    cyc_arena_fini(&f.arena);
}

static void rules__connection_says_whether_it_goes_on(void **state)
{
    static const struct {
        const char *fields;
        uint8_t version_minor;
        bool is_close;
    } cases[] = {
        {"", 1, false},
        {"Connection: close\n", 1, true},
        {"Connection: CLOSE\n", 1, true},
        {"Connection: keep-alive, close\n", 1, true},
        {"Connection: x\nConnection: close\n", 1, true},
        {"Connection: closed\n", 1, false},
        {"", 0, true},
        {"Connection: keep-alive\n", 0, false},
        {"Connection: keep-alive, close\n", 0, true},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture f;
        bool is_close = !cases[i].is_close;
        setup(&f);
        add_fields(&f, "Host: h\n");
        add_fields(&f, cases[i].fields);
        f.msg.version_minor = cases[i].version_minor;
        assert_int_equal(cyc_rules_request(&f.msg, &is_close), CYC_FAIL_NONE);
        if (is_close != cases[i].is_close)
            fail_msg("1.%u, %s", cases[i].version_minor, cases[i].fields);
        cyc_arena_fini(&f.arena);
    }
}

static void rules__upgrade_is_kept_only_when_it_can_be_answered(void **state)
{
    static const struct {
        const char *fields;
        uint8_t version_minor;
        bool is_upgrade;
        const char *why;
    } cases[] = {
        {"Upgrade: websocket\nConnection: upgrade\n", 1, true, "RFC 9110 7.8"},
        {"Upgrade: x/1\nConnection: keep-alive, Upgrade\n", 1, true, "with a version"},
        {"Upgrade: websocket\n", 1, false, "not nominated"},
        {"Connection: upgrade\n", 1, false, "nothing to upgrade to"},
        {"Upgrade: websocket\nConnection: upgrade\n", 0, false, "1.0 has none"},
        {"Upgrade: h2c\nConnection: upgrade, http2-settings\n", 1, false, "withdrawn"},
        {"Upgrade: H2C\nConnection: upgrade\n", 1, false, "in any case"},
        {"Upgrade: HTTP/2.0\nConnection: upgrade\n", 1, false, "HTTP itself"},
        {"Upgrade: websocket, h2c\nConnection: upgrade\n", 1, false, "a choice"},
        {"Upgrade: a\nUpgrade: b\nConnection: upgrade\n", 1, false, "several fields"},
        {"Upgrade: a b\nConnection: upgrade\n", 1, false, "not a token"},
        {"Upgrade: websocket\nConnection: upgrade\nContent-Length: 1\n", 1, false, "a body"},
        {"Upgrade: websocket\nConnection: upgrade\nTransfer-Encoding: chunked\n", 1, false,
         "a body"},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture f;
        bool is_close;
        setup(&f);
        add_fields(&f, "Host: h\n");
        add_fields(&f, cases[i].fields);
        f.msg.version_minor = cases[i].version_minor;
        assert_int_equal(cyc_rules_request(&f.msg, &is_close), CYC_FAIL_NONE);
        if (f.msg.is_upgrade != cases[i].is_upgrade)
            fail_msg("%s", cases[i].why);
        assert_null(cyc_msg_find(&f.msg, CYC_TOKEN_UPGRADE));
        cyc_arena_fini(&f.arena);
    }
}

static void rules__bodies(void **state)
{
    static const struct {
        const char *fields;
        uint8_t version_minor;
        enum cyc_fail fail;
        enum cyc_body_kind body;
        uint64_t body_bytes;
        const char *why;
    } cases[] = {
        {"", 1, CYC_FAIL_NONE, CYC_BODY_NONE, 0, "RFC 9112 6.3 rule 7"},
        {"Content-Length: 7\n", 1, CYC_FAIL_NONE, CYC_BODY_LENGTH, 7, "rule 6"},
        {"Content-Length: 9223372036854775807\n", 1, CYC_FAIL_NONE, CYC_BODY_LENGTH, INT64_MAX,
         "the largest"},
        {"Transfer-Encoding: CHUNKED\n", 1, CYC_FAIL_NONE, CYC_BODY_STREAM, 0, "rule 4"},
        {"Transfer-Encoding: chunked\nTransfer-Encoding: chunked\n", 1, CYC_FAIL_BAD_FRAMING, 0, 0,
         "two fields"},
        {"Transfer-Encoding: gzip\nTransfer-Encoding: chunked\n", 1, CYC_FAIL_BAD_FRAMING, 0, 0,
         "two fields"},
        {"Transfer-Encoding: chunked\nContent-Length: 7\n", 1, CYC_FAIL_BAD_FRAMING, 0, 0,
         "rule 3"},
        {"Transfer-Encoding: chunked\n", 0, CYC_FAIL_BAD_FRAMING, 0, 0, "not in 1.0"},
        {"Transfer-Encoding: gzip, chunked\n", 1, CYC_FAIL_NOT_IMPLEMENTED, 0, 0, "RFC 9112 6.1"},
        {"Transfer-Encoding: x-gzip,\tchunked\n", 1, CYC_FAIL_NOT_IMPLEMENTED, 0, 0, "the same"},
        {"Transfer-Encoding: gzip\n", 1, CYC_FAIL_BAD_FRAMING, 0, 0, "no end"},
        {"Transfer-Encoding: gzip;q=1, chunked\n", 1, CYC_FAIL_BAD_FRAMING, 0, 0, "parameters"},
        {"Content-Length: 7\nContent-Length: 7\n", 1, CYC_FAIL_BAD_FRAMING, 0, 0, "rule 5"},
        {"Content-Length: 7,7\n", 1, CYC_FAIL_BAD_FRAMING, 0, 0, "rule 5"},
        {"Content-Length:\n", 1, CYC_FAIL_BAD_FRAMING, 0, 0, "rule 5"},
        {"Content-Length: 9223372036854775808\n", 1, CYC_FAIL_BAD_FRAMING, 0, 0, "2^63"},
        {"Content-Length: 18446744073709551617\n", 1, CYC_FAIL_BAD_FRAMING, 0, 0, "2^64 + 1"},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture f;
        bool is_close;
        setup(&f);
        add_fields(&f, "Host: h\n");
        add_fields(&f, cases[i].fields);
        f.msg.version_minor = cases[i].version_minor;
        if (cyc_rules_request(&f.msg, &is_close) != cases[i].fail)
            fail_msg("%s: %s", cases[i].fields, cases[i].why);
        if (cases[i].fail == CYC_FAIL_NONE &&
            (f.msg.body != cases[i].body || f.msg.body_bytes != cases[i].body_bytes))
            fail_msg("%s is misread: %s", cases[i].fields, cases[i].why);
        cyc_arena_fini(&f.arena);
    }
}

static void rules__expectations(void **state)
{
    static const struct {
        const char *fields;
        uint8_t version_minor;
        enum cyc_fail fail;
        bool expects_continue;
        const char *why;
    } cases[] = {
        {"Expect: 100-continue\nContent-Length: 1\n", 1, CYC_FAIL_NONE, true, "RFC 9110 10.1.1"},
        {"Expect: 100-Continue\nTransfer-Encoding: chunked\n", 1, CYC_FAIL_NONE, true, "any case"},
        {"Expect: 100-continue\n", 1, CYC_FAIL_NONE, false, "no body to wait for"},
        {"Expect: 100-continue\nContent-Length: 0\n", 1, CYC_FAIL_NONE, false, "the same"},
        {"Expect: 100-continue\nContent-Length: 1\n", 0, CYC_FAIL_NONE, false, "1.0 is ignored"},
        {"Expect: 200-ok\nContent-Length: 1\n", 1, CYC_FAIL_EXPECTATION, false, "417"},
        {"Expect:\n", 1, CYC_FAIL_EXPECTATION, false, "417"},
        {"Expect: 100-continue\nExpect: 100-continue\n", 1, CYC_FAIL_BAD_REQUEST, false, "twice"},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture f;
        bool is_close;
        setup(&f);
        add_fields(&f, "Host: h\n");
        add_fields(&f, cases[i].fields);
        f.msg.version_minor = cases[i].version_minor;
        if (cyc_rules_request(&f.msg, &is_close) != cases[i].fail)
            fail_msg("%s", cases[i].why);
        if (f.msg.expects_continue != cases[i].expects_continue)
            fail_msg("%s", cases[i].why);
        if (cases[i].fail == CYC_FAIL_NONE)
            assert_null(cyc_msg_find(&f.msg, CYC_TOKEN_EXPECT));
        cyc_arena_fini(&f.arena);
    }
}

static void rules__target_and_host(void **state)
{
    static const struct {
        const char *target, *fields;
        uint8_t version_minor;
        enum cyc_fail fail;
        const char *authority, *path;
    } cases[] = {
        {"/a/../b?q", "Host: H:80\n", 1, CYC_FAIL_NONE, "H:80", "/b"},
        {"http://x:1/a", "Host: h\n", 1, CYC_FAIL_NONE, "x:1", "/a"},
        {"http://x:1/a", "", 0, CYC_FAIL_NONE, "x:1", "/a"},
        {"/", "", 0, CYC_FAIL_NONE, "", "/"},
        {"/", "Host: [::1]:8080\n", 1, CYC_FAIL_NONE, "[::1]:8080", "/"},
        {"/", "", 1, CYC_FAIL_BAD_HOST, NULL, NULL},
        {"/", "Host: a\nHost: a\n", 1, CYC_FAIL_BAD_HOST, NULL, NULL},
        {"http://x/", "Host: a b\n", 1, CYC_FAIL_BAD_HOST, NULL, NULL},
        {"http://x:y/", "Host: a\n", 1, CYC_FAIL_BAD_TARGET, NULL, NULL},
        {"/%", "Host: a\n", 1, CYC_FAIL_BAD_TARGET, NULL, NULL},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture f;
        bool is_close;
        setup(&f);
        add_fields(&f, cases[i].fields);
        f.msg.target = cyc_span_from_text(cases[i].target);
        f.msg.version_minor = cases[i].version_minor;
        if (cyc_rules_request(&f.msg, &is_close) != cases[i].fail)
            fail_msg("%s %s", cases[i].target, cases[i].fields);
        if (cases[i].fail == CYC_FAIL_NONE) {
            assert_true(cyc_span_equal(f.msg.authority, cyc_span_from_text(cases[i].authority)));
            assert_true(cyc_span_equal(f.msg.path, cyc_span_from_text(cases[i].path)));
        }
        cyc_arena_fini(&f.arena);
    }
}

struct answer_case {
    uint16_t status;
    enum cyc_method method;
    const char *fields;
    bool is_upgrade_asked;
    uint8_t version_minor;
    bool is_accepted;
    enum cyc_body_kind body;
    bool has_length, is_close;
    const char *why;
};

#define GET CYC_METHOD_GET
#define HEAD CYC_METHOD_HEAD
#define NONE CYC_BODY_NONE
#define LENGTH CYC_BODY_LENGTH
#define STREAM CYC_BODY_STREAM
#define TUNNEL CYC_BODY_TUNNEL

static const struct answer_case answer_cases[] = {
    {200, GET, "Content-Length: 3\n", 0, 1, true, LENGTH, 0, 0, "RFC 9112 6.3 rule 6"},
    {200, GET, "Transfer-Encoding: chunked\n", 0, 1, true, STREAM, 0, 0, "rule 4"},
    {200, GET, "", 0, 1, true, STREAM, 0, true, "rule 8: until the close"},
    {200, GET, "Connection: keep-alive\n", 0, 0, true, STREAM, 0, true, "in 1.0 too"},
    {200, HEAD, "Content-Length: 3\n", 0, 1, true, NONE, true, 0, "rule 1"},
    {200, HEAD, "Transfer-Encoding: chunked\n", 0, 1, true, NONE, 0, 0, "rule 1"},
    {304, GET, "Content-Length: 3\n", 0, 1, true, NONE, true, 0, "rule 1"},
    {204, GET, "", 0, 1, true, NONE, 0, 0, "rule 1"},
    {204, GET, "Content-Length: 0\n", 0, 1, true, NONE, 0, 0, "common, and harmless"},
    {204, GET, "Content-Length: 3\n", 0, 1, false, NONE, 0, 0, "a 204 with a body"},
    {204, GET, "Transfer-Encoding: chunked\n", 0, 1, false, NONE, 0, 0, "RFC 9112 6.1"},
    {103, GET, "Link: a\n", 0, 1, true, NONE, 0, 0, "RFC 8297"},
    {103, GET, "Content-Length: 3\n", 0, 1, false, NONE, 0, 0, "a 1xx with a body"},
    {100, GET, "Transfer-Encoding: chunked\n", 0, 1, false, NONE, 0, 0, "RFC 9112 6.1"},
    {101, GET, "Upgrade: x\nConnection: upgrade\n", true, 1, true, TUNNEL, 0, 0, "7.8"},
    {101, GET, "Upgrade: x\nConnection: upgrade\n", 0, 1, false, NONE, 0, 0, "not asked"},
    {101, GET, "", true, 1, false, NONE, 0, 0, "to what? (RFC 9110 15.2.2)"},
    {101, GET, "Upgrade: x\n", true, 1, false, NONE, 0, 0, "not nominated"},
    {101, GET, "Upgrade: x\nConnection: upgrade\nContent-Length: 3\n", true, 1, false, NONE, 0, 0,
     "a length"},
    {200, GET, "Content-Length: 3\nTransfer-Encoding: chunked\n", 0, 1, false, NONE, 0, 0,
     "rule 3"},
    {200, GET, "Content-Length: 3\nContent-Length: 3\n", 0, 1, false, NONE, 0, 0, "rule 5"},
    {200, GET, "Content-Length: 3,3\n", 0, 1, false, NONE, 0, 0, "rule 5"},
    {200, HEAD, "Content-Length: x\n", 0, 1, false, NONE, 0, 0, "even for HEAD"},
    {200, GET, "Transfer-Encoding: gzip\n", 0, 1, false, NONE, 0, 0, "not chunked"},
    {200, GET, "Transfer-Encoding: gzip, chunked\n", 0, 1, false, NONE, 0, 0, "not decoded"},
    {200, GET, "Transfer-Encoding: chunked\n", 0, 0, false, NONE, 0, 0, "not in 1.0"},
    {99, GET, "", 0, 1, false, NONE, 0, 0, "no status"},
    {600, GET, "", 0, 1, false, NONE, 0, 0, "no status"},
};

#undef GET
#undef HEAD
#undef NONE
#undef LENGTH
#undef STREAM
#undef TUNNEL

static void rules__answers(void **state)
{
    (void)state;

    for (size_t i = 0; i < COUNT(answer_cases); i++) {
        struct fixture f;
        bool is_close = false;
        setup(&f);
        add_fields(&f, answer_cases[i].fields);
        f.msg.status = answer_cases[i].status;
        f.msg.version_minor = answer_cases[i].version_minor;
        enum cyc_fail fail = cyc_rules_response(&f.msg, answer_cases[i].method,
                                                answer_cases[i].is_upgrade_asked, &is_close);
        if (fail != (answer_cases[i].is_accepted ? CYC_FAIL_NONE : CYC_FAIL_UPSTREAM_PROTOCOL))
            fail_msg("%u %s: %s", answer_cases[i].status, answer_cases[i].fields,
                     answer_cases[i].why);
        if (fail == CYC_FAIL_NONE &&
            (f.msg.body != answer_cases[i].body || f.msg.has_length != answer_cases[i].has_length ||
             is_close != answer_cases[i].is_close))
            fail_msg("%u %s is misread: %s", answer_cases[i].status, answer_cases[i].fields,
                     answer_cases[i].why);
        cyc_arena_fini(&f.arena);
    }
}

static void rules__hop_by_hop_fields_of_answers_end_here_too(void **state)
{
    struct fixture f;
    bool is_close = false;
    (void)state;

    setup(&f);
    f.msg.status = 200;
    add_fields(&f, "Connection: close, x\nX: 1\nKeep-Alive: a\nUpgrade: h2\nContent-Length: 0\n"
                   "Proxy-Authenticate: b\nY: 2\n");
    assert_int_equal(cyc_rules_response(&f.msg, CYC_METHOD_GET, false, &is_close), CYC_FAIL_NONE);
    assert_true(is_close);
    assert_int_equal(visible_count(&f.msg), 1);
    assert_non_null(cyc_msg_find_name(&f.msg, CYC_SPAN("y")));
    cyc_arena_fini(&f.arena);
}

static void rules__trailers_carry_no_framing_routing_or_credentials(void **state)
{
    struct fixture f;
    (void)state;

    setup(&f);
    add_fields(&f, "Content-Length: 1\nTransfer-Encoding: chunked\nHost: h\nAuthorization: a\n"
                   "Cookie: b\nSet-Cookie: c\nContent-Whatever: d\nCONTENT-MD5: e\nTE: f\n"
                   "X-Forwarded-For: g\nConnection: h\nGrpc-Status: 0\nContent: i\n");
    cyc_rules_trailers(&f.msg);
    assert_int_equal(visible_count(&f.msg), 2);
    assert_non_null(cyc_msg_find_name(&f.msg, CYC_SPAN("grpc-status")));
    assert_non_null(cyc_msg_find_name(&f.msg, CYC_SPAN("content")));
    cyc_arena_fini(&f.arena);
}

static void rules__authorities(void **state)
{
    static const struct {
        const char *text;
        bool is_valid;
    } cases[] = {
        {"h", true},          {"a.b-c_d.example", true},
        {"1.2.3.4", true},    {"1.2.3.4:80", true},
        {"[::1]", true},      {"[::1]:443", true},
        {"h:", true},         {"h:0", true},
        {"h:65535", true},    {"H", true},
        {"", false},          {":80", false},
        {"h:65536", false},   {"h:123456", false},
        {"h:8a", false},      {"h:-1", false},
        {"h:80:80", false},   {"u@h", false},
        {"u:p@h", false},     {"h/", false},
        {"h?", false},        {"h#", false},
        {"h h", false},       {"h,i", false},
        {"h\\", false},       {"h%41", false},
        {"[::1", false},      {"::1", false},
        {"[]", false},        {"[::1]x", false},
        {"[::g]", false},     {"[v1.a]", false},
        {"h\xc3\xa9", false}, {"h\n", false},
        {"[::1%25e]", false},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++)
        if (cyc_rules_is_authority(cyc_span_from_text(cases[i].text)) != cases[i].is_valid)
            fail_msg("\"%s\"", cases[i].text);
}

static void rules__values(void **state)
{
    (void)state;
    assert_true(cyc_rules_is_value(CYC_SPAN("")));
    assert_true(cyc_rules_is_value(CYC_SPAN("a\tb \x80\xff~")));
    for (int c = 0; c < 0x20; c++) {
        char byte = (char)c;
        assert_int_equal(cyc_rules_is_value(cyc_span_of(&byte, 1)), c == '\t');
    }
    assert_false(cyc_rules_is_value(CYC_SPAN("\x7f")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules__hop_by_hop_fields_end_here),
        cmocka_unit_test(rules__a_flood_of_connection_options_is_refused),
        cmocka_unit_test(rules__connection_says_whether_it_goes_on),
        cmocka_unit_test(rules__upgrade_is_kept_only_when_it_can_be_answered),
        cmocka_unit_test(rules__bodies),
        cmocka_unit_test(rules__expectations),
        cmocka_unit_test(rules__target_and_host),
        cmocka_unit_test(rules__answers),
        cmocka_unit_test(rules__hop_by_hop_fields_of_answers_end_here_too),
        cmocka_unit_test(rules__trailers_carry_no_framing_routing_or_credentials),
        cmocka_unit_test(rules__authorities),
        cmocka_unit_test(rules__values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
