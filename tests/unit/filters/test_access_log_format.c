/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "filters/access_log_format.h"
#include "tests/unit/filters/fixture.h"

static char line[CYC_ACCESS_LOG_LINE_BYTES_MAX];

static void proxied(struct fixture *f)
{
    struct cyc_exchange *e = &f->exchange;
    fixture_add(&f->req, "User-Agent", "curl/8.5.0");
    fixture_add(&f->req, "Referer", "https://shop.example/start?token=secret");
    e->request_id = CYC_SPAN("abc-123");
    e->endpoint = CYC_SPAN("10.0.0.5:8080");
    e->status = 200;
    e->attempt_count = 1;
    e->sent_bytes = 1024;
    e->upstream_ns = e->start_ns + CYC_NS_PER_MS;
    e->first_byte_ns = e->start_ns + 15 * CYC_NS_PER_MS;
    e->end_ns = e->start_ns + 15204 * CYC_NS_PER_US;
}

static void access_log__json_line_of_a_proxied_request(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    proxied(&f);
    assert_span_equal(
        cyc_span_of(line, cyc_access_log_json(&f.exchange, line)),
        "{\"timestamp\":\"2026-01-15T10:30:00.123Z\",\"level\":\"INFO\",\"service\":\"cyclone\","
        "\"request_id\":\"abc-123\",\"method\":\"GET\",\"path\":\"/api/v1/users\",\"status\":200,"
        "\"duration_ms\":15,\"bytes_sent\":1024,\"duration_us\":15204,\"route\":\"users\","
        "\"cluster\":\"backend\",\"upstream\":\"10.0.0.5:8080\",\"upstream_ms\":14,"
        "\"protocol\":\"HTTP/1.1\",\"client_ip\":\"192.0.2.7\",\"host\":\"shop.example\","
        "\"user_agent\":\"curl/8.5.0\",\"bytes_received\":0,\"attempts\":1,"
        "\"origin\":\"upstream\"}\n");
    fixture_fini(&f);
}

static void access_log__json_line_of_a_request_nothing_is_known_of(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    cyc_msg_init(&f.req, &f.arena, 1);
    f.req.version_minor = 0;
    f.exchange = (struct cyc_exchange){
        .env = &f.env, .arena = &f.arena, .req = &f.req, .start_ns = f.clock.now_ns};
    f.exchange.fail = CYC_FAIL_CLIENT_GONE;
    assert_span_equal(
        cyc_span_of(line, cyc_access_log_json(&f.exchange, line)),
        "{\"timestamp\":\"2026-01-15T10:30:00.123Z\",\"level\":\"INFO\",\"service\":\"cyclone\","
        "\"request_id\":null,\"method\":null,\"path\":null,\"status\":0,\"duration_ms\":0,"
        "\"bytes_sent\":0,\"duration_us\":0,\"reason\":\"client_gone\",\"flags\":\"DC\","
        "\"protocol\":\"HTTP/1.0\",\"bytes_received\":0,\"attempts\":0}\n");
    fixture_fini(&f);
}

static void access_log__says_what_the_proxy_answered_and_why(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    f.exchange.status = 503;
    f.exchange.fail = CYC_FAIL_UPSTREAM_CONNECT;
    f.exchange.is_local = true;
    size_t len = cyc_access_log_json(&f.exchange, line);
    line[len - 1] = '\0';
    assert_non_null(strstr(line, "\"reason\":\"upstream_connect\",\"flags\":\"UF\""));
    assert_non_null(strstr(line, "\"origin\":\"proxy\"}"));
    fixture_fini(&f);
}

static void access_log__nothing_a_peer_sends_breaks_the_line(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    proxied(&f);
    f.req.path = CYC_SPAN("/\"},{\"x\":\"\\\n\x01\xff");
    f.req.authority = CYC_SPAN("a\"b");
    size_t len = cyc_access_log_json(&f.exchange, line);
    for (size_t i = 0; i + 1 < len; i++)
        assert_true((unsigned char)line[i] >= 0x20);
    line[len - 1] = '\0';
    assert_non_null(strstr(line, "\"path\":\"/\\\"},{\\\"x\\\":\\\"\\\\\\n\\u0001"));
    len = cyc_access_log_text(&f.exchange, line);
    for (size_t i = 0; i + 1 < len; i++)
        assert_true((unsigned char)line[i] >= 0x20);
    line[len - 1] = '\0';
    assert_null(strstr(line, "/\"}")); /* the quote is escaped in text, too */
    fixture_fini(&f);
}

static void access_log__longest_values_fit(void **state)
{
    static char long_text[20000];
    struct fixture f;
    (void)state;
    fixture_init(&f);
    memset(long_text, 1, sizeof(long_text)); /* the worst to escape */
    struct cyc_span span = cyc_span_of(long_text, sizeof(long_text));
    f.req.path = f.req.method_text = f.req.authority = span;
    cyc_msg_add_known(&f.req, CYC_TOKEN_USER_AGENT, span);
    cyc_msg_add_known(&f.req, CYC_TOKEN_REFERER, span);
    struct cyc_exchange *e = &f.exchange;
    e->request_id = e->client_ip = e->route_name = e->cluster_name = e->endpoint = span;
    e->status = UINT16_MAX;
    e->sent_bytes = e->received_bytes = UINT64_MAX;
    e->fail = CYC_FAIL_UPSTREAM_PROTOCOL;
    e->upstream_ns = 1;
    e->first_byte_ns = e->end_ns = UINT64_MAX;
    assert_in_range(cyc_access_log_json(e, line), 5000, sizeof(line));
    assert_in_range(cyc_access_log_text(e, line), 5000, sizeof(line));
    fixture_fini(&f);
}

static void access_log__text_line_is_combined_and_more(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    proxied(&f);
    assert_span_equal(
        cyc_span_of(line, cyc_access_log_text(&f.exchange, line)),
        "192.0.2.7 - - [15/Jan/2026:10:30:00 +0000] \"GET /api/v1/users HTTP/1.1\" 200 "
        "1024 \"https://shop.example/start\" \"curl/8.5.0\" 15204us route=users "
        "upstream=10.0.0.5:8080 flags=- request_id=abc-123\n");
    cyc_msg_init(&f.req, &f.arena, 1);
    f.exchange = (struct cyc_exchange){
        .env = &f.env, .arena = &f.arena, .req = &f.req, .start_ns = f.clock.now_ns};
    assert_span_equal(cyc_span_of(line, cyc_access_log_text(&f.exchange, line)),
                      "- - - [15/Jan/2026:10:30:00 +0000] \"- - HTTP/1.1\" 0 0 \"-\" \"-\" 0us "
                      "route=- upstream=- flags=- request_id=-\n");
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(access_log__json_line_of_a_proxied_request),
        cmocka_unit_test(access_log__json_line_of_a_request_nothing_is_known_of),
        cmocka_unit_test(access_log__says_what_the_proxy_answered_and_why),
        cmocka_unit_test(access_log__nothing_a_peer_sends_breaks_the_line),
        cmocka_unit_test(access_log__longest_values_fit),
        cmocka_unit_test(access_log__text_line_is_combined_and_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
