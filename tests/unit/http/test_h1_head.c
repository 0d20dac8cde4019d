/* SPDX-License-Identifier: Apache-2.0 */
/* Request heads: what is taken, what is refused and why. Every row is fed whole, byte by byte and
 * in random pieces, and must come out the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/http/h1_recorder.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define HEAD(method, target) "open | head " method " " target " authority=h fields={"
#define PLAIN "} body=none | end"
#define REFUSED(why) "open | reset " why " can_answer"

struct row {
    struct cyc_span input;
    const char *expected, *why;
};
#define ROW(input, expected, why)                                                                  \
    {                                                                                              \
        CYC_SPAN_INIT(input), expected, why                                                        \
    }

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_record(CYC_ROLE_SERVER, NULL, rows[i].input, rows[i].expected, rows[i].why);
}

static void h1_head__requests_are_taken(void **state)
{
    static const struct row rows[] = {
        ROW("GET / HTTP/1.1\r\nHost: h\r\n\r\n", HEAD("GET", "/") PLAIN, "RFC 9112 3"),
        ROW("GET /a?b=c HTTP/1.1\r\nHost: h\r\nAccept: */*\r\nX-A:\r\n\r\n",
            HEAD("GET", "/a?b=c") "Accept: */*, X-A: " PLAIN, "an empty value (RFC 9110 5.5)"),
        ROW("GET / HTTP/1.1\r\nHost:h\r\nA:  b c \t \r\n\r\n", HEAD("GET", "/") "A: b c" PLAIN,
            "optional space around a value (RFC 9112 5)"),
        ROW("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", HEAD("GET", "/") PLAIN,
            "empty lines before a request (RFC 9112 2.2)"),
        ROW("PROPFIND / HTTP/1.1\r\nHost: h\r\n\r\n", HEAD("PROPFIND", "/") PLAIN,
            "other registered methods are passed on"),
        ROW("GET / HTTP/1.1\r\nHost: h\r\nA: \x80\xff\r\n\r\n",
            HEAD("GET", "/") "A: \x80\xff" PLAIN, "obs-text is opaque (RFC 9110 5.5)"),
        ROW("GET http://h/x HTTP/1.1\r\nHost: other\r\n\r\n", HEAD("GET", "/x") PLAIN,
            "an absolute target's authority wins (RFC 9112 3.2.2)"),
        ROW("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", HEAD("OPTIONS", "*") PLAIN, "RFC 9112 3.2.4"),
        ROW("GET / HTTP/1.0\r\nHost: h\r\n\r\n", HEAD("GET", "/") "} body=none 1.0 | end",
            "RFC 9112 2.3"),
        ROW("GET / HTTP/1.0\r\n\r\n", "open | head GET / authority= fields={} body=none 1.0 | end",
            "1.0 knows no Host (RFC 9112 3.2)"),
        ROW("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            HEAD("GET", "/") "} body=none upgrade=websocket", "RFC 9110 7.8"),
    };
    (void)state;
    check_rows(rows, COUNT(rows));
}

static void h1_head__start_lines_are_read_to_the_letter(void **state)
{
    static const struct row rows[] = {
        ROW("GET  / HTTP/1.1\r\nHost: h\r\n\r\n", REFUSED("BAD_REQUEST"),
            "two spaces (RFC 9112 3)"),
        ROW("GET /  HTTP/1.1\r\nHost: h\r\n\r\n", REFUSED("BAD_REQUEST"), "two spaces"),
        ROW("GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n", REFUSED("BAD_REQUEST"), "a tab"),
        ROW("GET /\tHTTP/1.1\r\nHost: h\r\n\r\n", REFUSED("BAD_TARGET"), "a tab"),
        ROW("GET / HTTP/1.1 \r\nHost: h\r\n\r\n", REFUSED("BAD_REQUEST"), "a space at the end"),
        ROW(" GET / HTTP/1.1\r\nHost: h\r\n\r\n", REFUSED("BAD_REQUEST"), "a space before"),
        ROW("\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", REFUSED("BAD_REQUEST"), "a bare LF before"),
        ROW("\rGET / HTTP/1.1\r\nHost: h\r\n\r\n", REFUSED("BAD_REQUEST"), "a bare CR before"),
        ROW("\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", REFUSED("BAD_REQUEST"),
            "too many empty lines"),
        ROW("GET /\r\n\r\n", REFUSED("BAD_REQUEST"), "HTTP/0.9"),
        ROW("GET / \r\n\r\n", REFUSED("BAD_REQUEST"), "no version"),
        ROW("GET / HTTP/0.9\r\nHost: h\r\n\r\n", REFUSED("VERSION"), "0.9 with a version"),
        ROW("GET / HTTP/1.2\r\nHost: h\r\n\r\n", REFUSED("VERSION"), "not spoken"),
        ROW("GET / HTTP/2.0\r\nHost: h\r\n\r\n", REFUSED("VERSION"), "2.0 in clear"),
        ROW("GET / HTTP/3.0\r\nHost: h\r\n\r\n", REFUSED("VERSION"), "not spoken"),
        ROW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", REFUSED("PLAIN_HTTP2"), "RFC 9113 3.4"),
        ROW("GET / HTTP/1.x\r\nHost: h\r\n\r\n", REFUSED("BAD_REQUEST"), "not a version"),
        ROW("GET / HTTP/11\r\nHost: h\r\n\r\n", REFUSED("BAD_REQUEST"), "not a version"),
        ROW("GET / http/1.1\r\nHost: h\r\n\r\n", REFUSED("BAD_REQUEST"), "case (RFC 9112 2.3)"),
        ROW("GET / RTSP/1.0\r\nHost: h\r\n\r\n", REFUSED("BAD_REQUEST"), "another protocol"),
        ROW("GET / ICE/1.0\r\nHost: h\r\n\r\n", REFUSED("BAD_REQUEST"), "another protocol"),
        ROW("FOO / HTTP/1.1\r\nHost: h\r\n\r\n", REFUSED("NOT_IMPLEMENTED"), "RFC 9110 9.1"),
        ROW("get / HTTP/1.1\r\nHost: h\r\n\r\n", REFUSED("NOT_IMPLEMENTED"), "methods have case"),
        ROW("GETX / HTTP/1.1\r\nHost: h\r\n\r\n", REFUSED("NOT_IMPLEMENTED"), "GET and more"),
        ROW("G\x01T / HTTP/1.1\r\nHost: h\r\n\r\n", REFUSED("BAD_REQUEST"), "not a token"),
        ROW("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", REFUSED("BAD_REQUEST"), "TLS"),
        ROW("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n\r\n", REFUSED("NOT_IMPLEMENTED"),
            "32 bytes of method"),
        ROW("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n\r\n", REFUSED("BAD_REQUEST"),
            "33 bytes of method"),
        ROW("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", REFUSED("METHOD_REFUSED"),
            "no tunnels to anywhere"),
        ROW("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", REFUSED("METHOD_REFUSED"), "RFC 9110 9.3.8"),
        ROW("GET h HTTP/1.1\r\nHost: h\r\n\r\n", REFUSED("BAD_TARGET"), "no target form"),
        ROW("GET * HTTP/1.1\r\nHost: h\r\n\r\n", REFUSED("BAD_TARGET"), "* is for OPTIONS"),
        ROW("GET /#a HTTP/1.1\r\nHost: h\r\n\r\n", REFUSED("BAD_TARGET"), "a fragment"),
        ROW("GET /\xc3\xa9 HTTP/1.1\r\nHost: h\r\n\r\n", REFUSED("BAD_TARGET"), "raw non-ASCII"),
        ROW("GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n", REFUSED("BAD_TARGET"), "an escaped NUL"),
        ROW("GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n", REFUSED("BAD_TARGET"), "userinfo"),
    };
    (void)state;
    check_rows(rows, COUNT(rows));
}

static void h1_head__malformed_fields_are_refused(void **state)
{
#define FIELDS(text) "GET / HTTP/1.1\r\nHost: h\r\n" text "\r\n"
    static const struct row rows[] = {
        ROW("GET / HTTP/1.1\nHost: h\n\n", REFUSED("BAD_REQUEST"), "bare LF (RFC 9112 2.2)"),
        ROW("GET / HTTP/1.1\r\nHost: h\n\r\n", REFUSED("BAD_REQUEST"), "bare LF"),
        ROW("GET / HTTP/1.1\r\nHost: h\r\n\n", REFUSED("BAD_REQUEST"), "bare LF ends the head"),
        ROW(FIELDS("A: b\rC: d\r\n"), REFUSED("BAD_REQUEST"), "bare CR (CVE-2023-30589)"),
        ROW(FIELDS("A:\rTransfer-Encoding: chunked\r\n"), REFUSED("BAD_REQUEST"), "bare CR"),
        ROW("GET / HTTP/1.1\r\nHost: h\r\n\rX", REFUSED("BAD_REQUEST"), "CR X (CVE-2025-23167)"),
        ROW(FIELDS("A: b\r\n c\r\n"), REFUSED("BAD_REQUEST"), "obs-fold (RFC 9112 5.2)"),
        ROW(FIELDS("A: b\r\n\tc\r\n"), REFUSED("BAD_REQUEST"), "obs-fold"),
        ROW("GET / HTTP/1.1\r\n Host: h\r\n\r\n", REFUSED("BAD_REQUEST"),
            "space before the first field (RFC 9112 2.2)"),
        ROW(FIELDS("A : b\r\n"), REFUSED("BAD_REQUEST"), "space before the colon (RFC 9112 5.1)"),
        ROW(FIELDS("A\t: b\r\n"), REFUSED("BAD_REQUEST"), "tab before the colon"),
        ROW(FIELDS(": b\r\n"), REFUSED("BAD_REQUEST"), "an empty name"),
        ROW(FIELDS("A\r\n"), REFUSED("BAD_REQUEST"), "no colon"),
        ROW(FIELDS("A b: c\r\n"), REFUSED("BAD_REQUEST"), "not a token (RFC 9110 5.1)"),
        ROW(FIELDS("A(b): c\r\n"), REFUSED("BAD_REQUEST"), "not a token"),
        ROW(FIELDS("A\x80: c\r\n"), REFUSED("BAD_REQUEST"), "not a token"),
        ROW(FIELDS("A\0: c\r\n"), REFUSED("BAD_REQUEST"), "NUL in a name"),
        ROW(FIELDS("A: b\0c\r\n"), REFUSED("BAD_REQUEST"), "NUL in a value (RFC 9110 5.5)"),
        ROW(FIELDS("A: b\x01\r\n"), REFUSED("BAD_REQUEST"), "a control character"),
        ROW(FIELDS("A: \x0b\r\n"), REFUSED("BAD_REQUEST"), "a vertical tab"),
        ROW(FIELDS("A: b\x7f\r\n"), REFUSED("BAD_REQUEST"), "DEL"),
    };
    (void)state;
    check_rows(rows, COUNT(rows));
}

static void h1_head__ambiguous_framing_is_refused(void **state)
{
#define POST(text) "POST / HTTP/1.1\r\nHost: h\r\n" text "\r\n"
    static const struct row rows[] = {
        ROW(POST("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), REFUSED("BAD_FRAMING"),
            "RFC 9112 6.3 rule 3"),
        ROW(POST("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), REFUSED("BAD_FRAMING"),
            "in the other order"),
        ROW(POST("Content-Length: 3\r\nContent-Length: 4\r\n"), REFUSED("BAD_FRAMING"),
            "RFC 9112 6.3 rule 5"),
        ROW(POST("Content-Length: 3\r\nContent-Length: 3\r\n"), REFUSED("BAD_FRAMING"), "repeated"),
        ROW(POST("Content-Length: 3, 3\r\n"), REFUSED("BAD_FRAMING"), "a list"),
        ROW(POST("Content-Length: +3\r\n"), REFUSED("BAD_FRAMING"), "a sign (RFC 9110 8.6)"),
        ROW(POST("Content-Length: -1\r\n"), REFUSED("BAD_FRAMING"), "a sign"),
        ROW(POST("Content-Length: 1 1\r\n"), REFUSED("BAD_FRAMING"), "a space inside"),
        ROW(POST("Content-Length: 0x3\r\n"), REFUSED("BAD_FRAMING"), "hexadecimal"),
        ROW(POST("Content-Length: a\r\n"), REFUSED("BAD_FRAMING"), "not a number"),
        ROW(POST("Content-Length:\r\n"), REFUSED("BAD_FRAMING"), "empty"),
        ROW(POST("Content-Length: 9223372036854775808\r\n"), REFUSED("BAD_FRAMING"), "2^63"),
        ROW(POST("Content-Length: 99999999999999999999999\r\n"), REFUSED("BAD_FRAMING"),
            "overflow"),
        ROW(POST("Transfer-Encoding: xchunked\r\n"), REFUSED("BAD_FRAMING"), "not a coding"),
        ROW(POST("Transfer-Encoding: chunked, chunked\r\n"), REFUSED("BAD_FRAMING"), "twice"),
        ROW(POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
            REFUSED("BAD_FRAMING"), "two fields"),
        ROW(POST("Transfer-Encoding: identity, chunked\r\n"), REFUSED("BAD_FRAMING"),
            "identity is no coding (RFC 9112 7)"),
        ROW(POST("Transfer-Encoding: chunked, identity\r\n"), REFUSED("BAD_FRAMING"), "the same"),
        ROW(POST("Transfer-Encoding: chunked;a=b\r\n"), REFUSED("BAD_FRAMING"),
            "chunked has no parameters (RFC 9112 7.1)"),
        ROW(POST("Transfer-Encoding: \"chunked\"\r\n"), REFUSED("BAD_FRAMING"), "quoted"),
        ROW(POST("Transfer-Encoding: ,chunked\r\n"), REFUSED("BAD_FRAMING"), "an empty member"),
        ROW(POST("Transfer-Encoding:\r\n"), REFUSED("BAD_FRAMING"), "empty"),
        ROW(POST("Transfer-Encoding: gzip\r\n"), REFUSED("BAD_FRAMING"), "chunked is not last"),
        ROW(POST("Transfer-Encoding: chunked, gzip\r\n"), REFUSED("BAD_FRAMING"), "not last"),
        ROW(POST("Transfer-Encoding: \x0b"
                 "chunked\r\n"),
            REFUSED("BAD_REQUEST"), "obfuscated"),
        ROW(POST("Transfer-Encoding : chunked\r\n"), REFUSED("BAD_REQUEST"), "obfuscated"),
        ROW(POST("Transfer-Encoding: gzip, chunked\r\n"), REFUSED("NOT_IMPLEMENTED"),
            "RFC 9112 6.1: 501 for a coding that is known but not done"),
        ROW("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            REFUSED("BAD_FRAMING"), "1.0 has no codings (RFC 9112 6.1)"),
    };
    (void)state;
    check_rows(rows, COUNT(rows));
}

static void h1_head__hosts_that_are_not_one_are_refused(void **state)
{
#define HOSTS(text) "GET / HTTP/1.1\r\n" text "\r\n"
    static const struct row rows[] = {
        ROW(HOSTS(""), REFUSED("BAD_HOST"), "missing in 1.1 (RFC 9112 3.2)"),
        ROW(HOSTS("Host: a\r\nHost: a\r\n"), REFUSED("BAD_HOST"), "several"),
        ROW(HOSTS("Host: a\r\nhost: b\r\n"), REFUSED("BAD_HOST"), "several"),
        ROW(HOSTS("Host:\r\n"), REFUSED("BAD_HOST"), "empty"),
        ROW(HOSTS("Host: a b\r\n"), REFUSED("BAD_HOST"), "a space"),
        ROW(HOSTS("Host: a,b\r\n"), REFUSED("BAD_HOST"), "a list"),
        ROW(HOSTS("Host: u@a\r\n"), REFUSED("BAD_HOST"), "userinfo"),
        ROW(HOSTS("Host: a/b\r\n"), REFUSED("BAD_HOST"), "a path"),
        ROW(HOSTS("Host: a:b\r\n"), REFUSED("BAD_HOST"), "not a port"),
        ROW(HOSTS("Host: a:99999\r\n"), REFUSED("BAD_HOST"), "not a port"),
        ROW(HOSTS("Host: [::1\r\n"), REFUSED("BAD_HOST"), "a bracket"),
        ROW("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", REFUSED("BAD_HOST"), "several in 1.0"),
        ROW("GET http://a/ HTTP/1.1\r\n\r\n", REFUSED("BAD_HOST"),
            "missing beside an absolute target"),
    };
    (void)state;
    check_rows(rows, COUNT(rows));
}

/* ---- limits ---------------------------------------------------------------------------------- */

static char *repeat(char *at, const char *text, size_t count)
{
    for (size_t len = strlen(text); count > 0; count--, at += len)
        memcpy(at, text, len);
    return at;
}

struct built {
    size_t len;
    char text[128 * 1024];
};

static void built_add(struct built *b, const char *text, size_t count)
{
    b->len = (size_t)(repeat(b->text + b->len, text, count) - b->text);
}

static void check_built(struct built *b, const char *expected, const char *why)
{
    char got[64];

    for (uint32_t seed = 0; seed < 5; seed++) {
        struct recorder *r = recorder_create(CYC_ROLE_SERVER);
        recorder_feed_cut(r, cyc_span_of(b->text, b->len), seed == 1 ? 2 : seed);
        snprintf(got, sizeof(got), "%.*s", (int)strlen(expected), r->text);
        if (strcmp(got, expected) != 0)
            fail_msg("%s (cut %u): %.80s", why, seed, r->text);
        recorder_destroy(r);
    }
    b->len = 0;
}

static void h1_head__limits_hold_while_it_arrives(void **state)
{
    static struct built b;
    (void)state;

    built_add(&b, "GET /", 1);
    built_add(&b, "a", 8 * 1024 - 1);
    built_add(&b, " HTTP/1.1\r\nHost: h\r\n\r\n", 1);
    check_built(&b, "open | head GET /a", "a target of 8 KiB");
    built_add(&b, "GET /", 1);
    built_add(&b, "a", 8 * 1024);
    check_built(&b, "open | reset URI_TOO_LONG can_answer", "a target over 8 KiB");

    built_add(&b, "GET / HTTP/1.1\r\nHost: h\r\n", 1);
    built_add(&b, "A: b\r\n", 99);
    built_add(&b, "\r\n", 1);
    check_built(&b, "open | head GET /", "100 fields");
    built_add(&b, "GET / HTTP/1.1\r\nHost: h\r\n", 1);
    built_add(&b, "A: b\r\n", 100);
    check_built(&b, "open | reset HEAD_TOO_LARGE can_answer", "101 fields");

    built_add(&b, "GET / HTTP/1.1\r\nHost: h\r\n", 1);
    built_add(&b, "a", 256);
    built_add(&b, ": b\r\n\r\n", 1);
    check_built(&b, "open | head GET /", "a name of 256 bytes");
    built_add(&b, "GET / HTTP/1.1\r\nHost: h\r\n", 1);
    built_add(&b, "a", 257);
    check_built(&b, "open | reset HEAD_TOO_LARGE can_answer", "a name of 257 bytes");

    built_add(&b, "GET / HTTP/1.1\r\nHost: h\r\nA: ", 1);
    built_add(&b, "a", 16 * 1024);
    built_add(&b, "\r\n\r\n", 1);
    check_built(&b, "open | head GET /", "a value of 16 KiB");
    built_add(&b, "GET / HTTP/1.1\r\nHost: h\r\nA: ", 1);
    built_add(&b, "a", 16 * 1024 + 1);
    check_built(&b, "open | reset HEAD_TOO_LARGE can_answer", "a value over 16 KiB");

    built_add(&b, "GET / HTTP/1.1\r\nHost: h\r\nA: ", 1);
    built_add(&b, " ", 64 * 1024);
    check_built(&b, "open | reset HEAD_TOO_LARGE can_answer", "space without an end");
}

static void h1_head__exactly_at_the_limit_is_within_it(void **state)
{
    static struct built b;
    (void)state;

    for (size_t over = 0; over < 2; over++) {
        built_add(&b, "GET / HTTP/1.1\r\nHost: h\r\n", 1);
        built_add(&b, "A: 89\r\n", 1);
        built_add(&b, "B: ", 1);
        built_add(&b, "b", 16 * 1024);
        built_add(&b, "\r\nC: ", 1);
        built_add(&b, "c", 32 * 1024 - b.len - 4 + over);
        built_add(&b, "\r\n\r\n", 1);
        assert_int_equal(b.len, 32 * 1024 + over);
        check_built(&b, over ? "open | reset HEAD_TOO_LARGE can_answer" : "open | head GET /",
                    "32 KiB");
    }
}

/** A head in single bytes must not cost memory by the square of its length. */
static void h1_head__in_single_bytes_costs_little_memory(void **state)
{
    static struct built b;
    struct recorder *r = recorder_create(CYC_ROLE_SERVER);
    (void)state;

    built_add(&b, "GET / HTTP/1.1\r\nHost: h\r\nA: ", 1);
    built_add(&b, "a", 16 * 1024);
    recorder_feed_cut(r, cyc_span_of(b.text, b.len), 1);
    assert_true(r->mem.kind_bytes[CYC_MEM_STREAMS] < 256 * 1024);
    recorder_destroy(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h1_head__requests_are_taken),
        cmocka_unit_test(h1_head__start_lines_are_read_to_the_letter),
        cmocka_unit_test(h1_head__malformed_fields_are_refused),
        cmocka_unit_test(h1_head__ambiguous_framing_is_refused),
        cmocka_unit_test(h1_head__hosts_that_are_not_one_are_refused),
        cmocka_unit_test(h1_head__limits_hold_while_it_arrives),
        cmocka_unit_test(h1_head__exactly_at_the_limit_is_within_it),
        cmocka_unit_test(h1_head__in_single_bytes_costs_little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
