/* SPDX-License-Identifier: Apache-2.0 */
/* The chunked coding (RFC 9112 7.1), however it is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/http/h1_recorder.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define POST "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
#define OPEN "open | head POST / authority=h fields={} body=stream"
#define REFUSED " | reset BAD_CHUNK can_answer"

struct row {
    struct cyc_span input;
    const char *expected, *why;
};
#define ROW(input, expected, why)                                                                  \
    {                                                                                              \
        CYC_SPAN_INIT(POST input), OPEN expected, why                                              \
    }

static void h1_chunk__bodies_are_decoded(void **state)
{
    static const struct row rows[] = {
        ROW("0\r\n\r\n", " | end", "an empty body"),
        ROW("3\r\nabc\r\n0\r\n\r\n", " | body abc | end", "one chunk"),
        ROW("1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n", " | body abcdef | end", "several"),
        ROW("00000000000000A\r\n0123456789\r\n0\r\n\r\n", " | body 0123456789 | end",
            "leading zeros, upper case"),
        ROW("a\r\n\r\n0\r\n\r\n\r\n\r\r\n000\r\n\r\n", " | body \r\n0\r\n\r\n\r\n\r | end",
            "data that looks like framing"),
        ROW("3;a\r\nabc\r\n0;b=c\r\n\r\n", " | body abc | end", "extensions are dropped"),
        ROW("3;a=\"\\\"\x80 \t;\"\r\nabc\r\n0\r\n\r\n", " | body abc | end", "quoted ones too"),
        ROW("3\r\nabc\r\n0\r\nA: b\r\nC: d\r\n\r\n", " | body abc | trailers fields={A: b, C: d}",
            "trailers (RFC 9112 7.1.2)"),
        ROW("0\r\nA: b\r\n\r\n", " | trailers fields={A: b}", "trailers alone"),
        ROW("3\r\nabc\r\n0\r\nContent-Length: 3\r\nHost: x\r\nAuthorization: y\r\n\r\n",
            " | body abc | end", "trailers that may not be any (RFC 9110 6.5.1)"),
        ROW("0\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n", " | trailers fields={A: b}",
            "the same"),
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        check_record(CYC_ROLE_SERVER, NULL, rows[i].input, rows[i].expected, rows[i].why);
}

#define E64 "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"

static void h1_chunk__malformed_ones_are_refused(void **state)
{
    static const struct row rows[] = {
        ROW("\r\nabc\r\n0\r\n\r\n", REFUSED, "no size"),
        ROW(";a\r\nabc\r\n", REFUSED, "no size"),
        ROW("g\r\n", REFUSED, "not a digit"),
        ROW("+3\r\nabc\r\n", REFUSED, "a sign"),
        ROW("-1\r\n", REFUSED, "a sign"),
        ROW("0x3\r\nabc\r\n", REFUSED, "0x"),
        ROW(" 3\r\nabc\r\n", REFUSED, "a space before"),
        ROW("3 \r\nabc\r\n", REFUSED, "a space after"),
        ROW("3 ;a\r\nabc\r\n", REFUSED, "a space before the extension"),
        ROW("3\t\r\nabc\r\n", REFUSED, "a tab"),
        ROW("3_0\r\n", REFUSED, "an underscore"),
        ROW("00000000000000003\r\nabc\r\n", REFUSED, "17 digits"),
        ROW("fffffffffffffffff\r\nabc\r\n", REFUSED, "overflow"),
        ROW("8000000000000000\r\nabc\r\n", REFUSED, "2^63"),
        ROW("3\nabc\r\n0\r\n\r\n", REFUSED, "bare LF behind the size (TERM.EXT)"),
        ROW("3\rabc\r\n0\r\n\r\n", REFUSED, "bare CR behind the size"),
        ROW("3;a\nabc\r\n0\r\n\r\n", REFUSED, "bare LF in an extension"),
        ROW("3;a\rX\r\nabc\r\n", REFUSED, "bare CR in an extension"),
        ROW("3;\0\r\nabc\r\n", REFUSED, "NUL in an extension"),
        ROW("3;" E64 E64 E64 E64 "e\r\nabc\r\n", REFUSED, "257 bytes of extension"),
        ROW("3\r\nabc0\r\n\r\n", " | body abc" REFUSED, "no CRLF behind the data"),
        ROW("3\r\nabcd\r\n0\r\n\r\n", " | body abc" REFUSED, "longer than it says"),
        ROW("3\r\nabc\n0\r\n\r\n", " | body abc" REFUSED, "bare LF behind the data"),
        ROW("3\r\nabc\r0\r\n\r\n", " | body abc" REFUSED, "bare CR behind the data"),
        ROW("3\r\nabcX\n0\r\n\r\n", " | body abc" REFUSED, "not a CR behind the data"),
        ROW("3\r\nabc\rX0\r\n\r\n", " | body abc" REFUSED, "not an LF behind the data"),
        ROW("3\r\nabc\r\n\r\n0\r\n\r\n", " | body abc" REFUSED, "an empty line between"),
        ROW("0\r\n\n", REFUSED, "bare LF at the end"),
        ROW("0\r\n\rX", REFUSED, "bare CR at the end"),
        ROW("0\r\nA : b\r\n\r\n", REFUSED, "a malformed trailer"),
        ROW("0\r\nA: b\nC: d\r\n\r\n", REFUSED, "bare LF in the trailers"),
        ROW("0\r\nA: b\r\n c\r\n\r\n", REFUSED, "obs-fold in the trailers"),
        ROW("0\r\nA: \0\r\n\r\n", REFUSED, "NUL in the trailers"),
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        check_record(CYC_ROLE_SERVER, NULL, rows[i].input, rows[i].expected, rows[i].why);
}

static void h1_chunk__an_extension_of_256_bytes_is_within_the_limit(void **state)
{
    (void)state;
    check_record(CYC_ROLE_SERVER, NULL, CYC_SPAN(POST "3;" E64 E64 E64 E64 "\r\nabc\r\n0\r\n\r\n"),
                 OPEN " | body abc | end", "256 bytes");
}

static void h1_chunk__extensions_are_counted_over_the_body(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_SERVER);
    uint32_t chunk_count = 0;
    (void)state;

    recorder_feed_text(r, POST);
    while (r->fed == CYC_FAIL_NONE && chunk_count < 1000) {
        recorder_feed_text(r, "1;" E64 "\r\na\r\n");
        chunk_count++;
    }
    assert_int_equal(r->fed, CYC_FAIL_BAD_CHUNK);
    assert_int_equal(chunk_count, 16 * 1024 / 64 + 1);
    recorder_destroy(r);
}

static void feed_field(struct recorder *r, size_t value_bytes, uint32_t seed)
{
    char *field = malloc(value_bytes + 5);

    memset(field, 'a', value_bytes + 3);
    memcpy(field, "A: ", 3);
    memcpy(field + 3 + value_bytes, "\r\n", 2);
    recorder_feed_cut(r, cyc_span_of(field, value_bytes + 5), seed);
    free(field);
}

/** Head and trailers together: 32 KiB and 100 fields. */
static void h1_chunk__trailers_count_against_the_head_limits(void **state)
{
    static const char head[] = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n";
    (void)state;

    for (size_t over = 0; over < 2; over++) {
        for (uint32_t seed = 0; seed < 4; seed++) {
            struct recorder *r = recorder_create(CYC_ROLE_SERVER);
            recorder_feed_text(r, head);
            feed_field(r, 15 * 1024, seed);
            recorder_feed_text(r, "\r\n0\r\n");
            feed_field(r, 9 * 1024, seed);
            feed_field(r, 8 * 1024 - strlen(head) - 2 - 3 * 5 + over, seed);
            assert_int_equal(r->fed, CYC_FAIL_NONE);
            recorder_feed_text(r, "\r\n");
            assert_int_equal(r->fed, over ? CYC_FAIL_HEAD_TOO_LARGE : CYC_FAIL_NONE);
            recorder_destroy(r);
        }
    }
    for (int over = 0; over < 2; over++) {
        struct recorder *r = recorder_create(CYC_ROLE_SERVER);
        recorder_feed_text(r, POST "0\r\n");
        for (int i = 0; i < 98 + over; i++)
            recorder_feed_text(r, "A: b\r\n");
        assert_int_equal(r->fed, over ? CYC_FAIL_HEAD_TOO_LARGE : CYC_FAIL_NONE);
        recorder_destroy(r);
    }
}

static void count_segments(struct recorder *r, struct cyc_buf *body, bool is_end)
{
    uint32_t *count = r->test;
    (void)is_end;
    for (struct cyc_seg *seg = body->head; seg != NULL; seg = seg->next)
        ++*count;
}

/** Many small chunks in one read become one segment, not one each. */
static void h1_chunk__small_chunks_do_not_become_many_segments(void **state)
{
    struct recorder *r = recorder_create(CYC_ROLE_SERVER);
    char input[2048];
    size_t len = 0;
    uint32_t segment_count = 0;
    (void)state;

    r->test = &segment_count;
    r->at_body = count_segments;
    recorder_feed_text(r, POST);
    for (int i = 0; i < 200; i++) {
        memcpy(input + len, "1\r\nx\r\n", 6);
        len += 6;
    }
    recorder_feed(r, input, len);
    assert_int_equal(r->body_bytes, 200);
    assert_int_equal(segment_count, 1);
    recorder_destroy(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h1_chunk__bodies_are_decoded),
        cmocka_unit_test(h1_chunk__malformed_ones_are_refused),
        cmocka_unit_test(h1_chunk__an_extension_of_256_bytes_is_within_the_limit),
        cmocka_unit_test(h1_chunk__extensions_are_counted_over_the_body),
        cmocka_unit_test(h1_chunk__trailers_count_against_the_head_limits),
        cmocka_unit_test(h1_chunk__small_chunks_do_not_become_many_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
