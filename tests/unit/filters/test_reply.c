/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "filters/reply.h"
#include "tests/unit/filters/fixture.h"

#include <stdio.h>

static void reply__failure_says_its_reason_in_body_and_field(void **state)
{
    struct fixture f;
    struct cyc_buf body;
    char text[256];
    (void)state;

    fixture_init(&f);
    cyc_buf_init(&body, &f.pool);
    struct cyc_msg *res = cyc_reply_fail(&f.exchange, CYC_FAIL_UPSTREAM_CONNECT, &body);
    assert_int_equal(res->status, 503);
    assert_int_equal(f.exchange.fail, CYC_FAIL_UPSTREAM_CONNECT);
    assert_span_equal(fixture_field(res, "content-type"), "text/plain; charset=utf-8");
    assert_span_equal(fixture_field(res, "proxy-status"), "cyclone; details=\"upstream_connect\"");
    size_t len = cyc_buf_peek(&body, text, sizeof(text));
    assert_span_equal(cyc_span_of(text, len),
                      "503 upstream_connect: could not connect to the service\n");
    assert_int_equal(res->body, CYC_BODY_LENGTH);
    assert_int_equal(res->body_bytes, len);
    cyc_buf_clear(&body);
    fixture_fini(&f);
}

static void reply__every_failure_with_a_status_can_be_answered(void **state)
{
    (void)state;
    for (uint32_t fail = 1; fail < CYC_FAIL_COUNT; fail++) {
        const struct cyc_fail_info *info = cyc_fail_info((enum cyc_fail)fail);
        struct fixture f;
        struct cyc_buf body;
        char text[256], expected[256];
        if (info->status == 0)
            continue;
        fixture_init(&f);
        cyc_buf_init(&body, &f.pool);
        assert_int_equal(cyc_reply_fail(&f.exchange, (enum cyc_fail)fail, &body)->status,
                         info->status);
        snprintf(expected, sizeof(expected), "%u %.*s: %.*s\n", (unsigned)info->status,
                 (int)info->reason.len, info->reason.ptr, (int)info->text.len, info->text.ptr);
        assert_span_equal(cyc_span_of(text, cyc_buf_peek(&body, text, sizeof(text))), expected);
        cyc_buf_clear(&body);
        fixture_fini(&f);
    }
}

static void reply__body_only_where_there_is_one(void **state)
{
    static const struct {
        enum cyc_method method;
        uint32_t status;
        enum cyc_body_kind body;
        bool has_length, has_type;
        size_t bytes;
        const char *why;
    } cases[] = {
        {CYC_METHOD_GET, 200, CYC_BODY_LENGTH, false, true, 5, "plain"},
        {CYC_METHOD_HEAD, 200, CYC_BODY_NONE, true, true, 0, "RFC 9110 9.3.2"},
        {CYC_METHOD_GET, 204, CYC_BODY_NONE, false, false, 0, "RFC 9110 15.3.5"},
        {CYC_METHOD_GET, 304, CYC_BODY_NONE, false, false, 0, "RFC 9110 15.4.5"},
        {CYC_METHOD_HEAD, 204, CYC_BODY_NONE, false, false, 0, "both"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        struct cyc_buf body;
        fixture_init(&f);
        cyc_buf_init(&body, &f.pool);
        f.req.method = cases[i].method;
        struct cyc_msg *res =
            cyc_reply_text(&f.exchange, cases[i].status, CYC_SPAN("hello"), &body);
        if (res->body != cases[i].body || res->has_length != cases[i].has_length ||
            body.bytes != cases[i].bytes || fixture_count(res, "Content-Type") != cases[i].has_type)
            fail_msg("case %zu: %s", i, cases[i].why);
        if (res->has_length)
            assert_int_equal(res->body_bytes, 5);
        cyc_buf_clear(&body);
        fixture_fini(&f);
    }
}

static void reply__head_without_a_type_says_none(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    struct cyc_msg *res = cyc_reply_head(&f.exchange, 200, (struct cyc_span){NULL, 0}, 0);
    assert_int_equal(res->field_count, 0);
    assert_int_equal(res->body, CYC_BODY_LENGTH);
    fixture_fini(&f);
}

static void reply__blank_request_can_be_read_like_any(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    f.exchange.req = NULL;
    struct cyc_msg *req = cyc_reply_blank_request(&f.exchange);
    assert_int_equal(req->method, CYC_METHOD_OTHER);
    assert_int_equal(req->path.len, 0);
    assert_null(cyc_msg_find(req, CYC_TOKEN_HOST));
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reply__failure_says_its_reason_in_body_and_field),
        cmocka_unit_test(reply__every_failure_with_a_status_can_be_answered),
        cmocka_unit_test(reply__body_only_where_there_is_one),
        cmocka_unit_test(reply__head_without_a_type_says_none),
        cmocka_unit_test(reply__blank_request_can_be_read_like_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
