/* SPDX-License-Identifier: Apache-2.0 */
/* Against a name server of the test's own, on the same loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "base/list.h"
#include "net/dns.h"

#define QUERY_BYTES_MAX 512
#define TYPE_A 1
#define TYPE_AAAA 28
#define RCODE_SERVFAIL 2
#define RCODE_NXDOMAIN 3

/** One name the server knows. */
struct record {
    const char *name;
    uint8_t last_bytes[4]; /* 10.0.0.x for each that is not 0 */
    bool has_v6;           /* 2001:db8::1 */
    uint32_t ttl_s;
    bool is_failing, is_silent;
};

struct rig {
    struct cyc_mem mem;
    uv_loop_t loop;
    uv_udp_t server;
    uv_timer_t tick; /* libuv 1.44 may run a timer and then wait for ever */
    uint32_t query_count;
    struct record record;
    struct cyc_dns *dns;
};

struct watcher {
    uint32_t result_count, changed_count, error_count, addr_count;
    struct cyc_addr addrs[8];
    struct cyc_dns_watch *watch;
    bool wants_drop;
};

/* ---- the server ------------------------------------------------------------------------------ */

static void server_on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    static char bytes[QUERY_BYTES_MAX];
    (void)handle, (void)size;
    *buf = uv_buf_init(bytes, sizeof(bytes));
}

/** The question's name with dots, lower case. @return bytes of the question in the message */
static size_t question_read(const uint8_t *message, size_t len, char *name, uint16_t *ret_type)
{
    size_t at = 12, out = 0;
    while (at < len && message[at] != 0) {
        size_t label_bytes = message[at++];
        if (out > 0)
            name[out++] = '.';
        for (size_t i = 0; i < label_bytes; i++)
            name[out++] = cyc_char_lower((char)message[at++]);
    }
    name[out] = '\0';
    *ret_type = (uint16_t)(message[at + 1] << 8 | message[at + 2]);
    return at + 5 - 12;
}

static size_t answer_add(uint8_t *out, uint16_t type, uint32_t ttl_s, const uint8_t *bytes)
{
    uint8_t len = type == TYPE_A ? 4 : 16;
    uint8_t head[12] = {0xc0, 12, 0, (uint8_t)type, 0, 1, 0, 0, 0, (uint8_t)ttl_s, 0, len};
    memcpy(out, head, sizeof(head));
    memcpy(out + sizeof(head), bytes, len);
    return sizeof(head) + len;
}

static size_t answers_write(const struct record *r, uint16_t type, uint8_t *out, uint8_t *ret_count)
{
    static const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
    size_t len = 0;

    *ret_count = 0;
    for (size_t i = 0; type == TYPE_A && i < sizeof(r->last_bytes); i++) {
        uint8_t v4[4] = {10, 0, 0, r->last_bytes[i]};
        if (v4[3] == 0)
            continue;
        len += answer_add(out + len, type, r->ttl_s, v4);
        (*ret_count)++;
    }
    if (type == TYPE_AAAA && r->has_v6) {
        len += answer_add(out + len, type, r->ttl_s, v6);
        (*ret_count)++;
    }
    return len;
}

static void server_on_query(uv_udp_t *server, ssize_t len, const uv_buf_t *buf,
                            const struct sockaddr *from, unsigned flags)
{
    struct rig *rig = server->data;
    uint8_t out[QUERY_BYTES_MAX] = {0}, answer_count = 0;
    char name[QUERY_BYTES_MAX];
    uint16_t type;

    (void)flags;
    if (len < 17 || from == NULL)
        return;
    rig->query_count++;
    size_t question_bytes = question_read((const uint8_t *)buf->base, (size_t)len, name, &type);
    bool is_known = rig->record.name != NULL && strcmp(name, rig->record.name) == 0;
    if (is_known && rig->record.is_silent)
        return;
    memcpy(out, buf->base, 12 + question_bytes);
    size_t out_bytes = 12 + question_bytes;
    bool is_failing = is_known && rig->record.is_failing;
    if (is_known && !is_failing)
        out_bytes += answers_write(&rig->record, type, out + out_bytes, &answer_count);
    out[2] = 0x81; /* an answer, recursion desired */
    out[3] = (uint8_t)(0x80 | (is_failing ? RCODE_SERVFAIL : is_known ? 0 : RCODE_NXDOMAIN));
    memset(out + 4, 0, 8);
    out[5] = 1;
    out[7] = answer_count;
    uv_buf_t answer = uv_buf_init((char *)out, (unsigned)out_bytes);
    assert_true(uv_udp_try_send(server, &answer, 1, from) > 0);
}

static void tick_on_fire(uv_timer_t *tick)
{
    (void)tick;
}

static void rig_init(struct rig *rig)
{
    struct sockaddr_in addr;
    char servers[32];
    int len = sizeof(addr);
    const char *error = NULL;

    *rig = (struct rig){0};
    assert_int_equal(uv_loop_init(&rig->loop), 0);
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &addr), 0);
    uv_timer_init(&rig->loop, &rig->tick);
    uv_timer_start(&rig->tick, tick_on_fire, 5, 5);
    uv_udp_init(&rig->loop, &rig->server);
    rig->server.data = rig;
    assert_int_equal(uv_udp_bind(&rig->server, (struct sockaddr *)&addr, 0), 0);
    assert_int_equal(uv_udp_getsockname(&rig->server, (struct sockaddr *)&addr, &len), 0);
    assert_int_equal(uv_udp_recv_start(&rig->server, server_on_alloc, server_on_query), 0);
    snprintf(servers, sizeof(servers), "127.0.0.1:%d", ntohs(addr.sin_port));
    struct cyc_dns_setup setup = {
        .mem = &rig->mem,
        .uv_loop = &rig->loop,
        .servers = servers,
        .timeout_ms = 50,
        .try_count = 1,
    };
    rig->dns = cyc_dns_create(&setup, &error);
    assert_non_null(rig->dns);
}

static void rig_fini(struct rig *rig)
{
    cyc_dns_destroy(rig->dns);
    uv_close((uv_handle_t *)&rig->server, NULL);
    uv_close((uv_handle_t *)&rig->tick, NULL);
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&rig->loop), 0);
    assert_int_equal(rig->mem.total_bytes, 0);
}

/* ---- the watcher ----------------------------------------------------------------------------- */

static void watcher_on_result(void *owner, const struct cyc_dns_result *result)
{
    struct watcher *w = owner;

    w->result_count++;
    w->changed_count += result->is_changed;
    w->error_count += result->error != NULL;
    w->addr_count = result->addr_count;
    for (uint32_t i = 0; i < result->addr_count && i < 8; i++)
        w->addrs[i] = result->addrs[i];
    if (w->wants_drop)
        cyc_dns_unwatch(cyc_take(w->watch));
}

static void watcher_start(struct watcher *w, struct rig *rig, const char *name, uint64_t refresh_ms)
{
    struct cyc_dns_name what = {cyc_span_from_text(name), 8080, refresh_ms};
    bool wants_drop = w->wants_drop;

    *w = (struct watcher){.wants_drop = wants_drop};
    w->watch = cyc_dns_watch(rig->dns, &what, watcher_on_result, w);
    assert_int_equal(w->result_count, 0); /* never inside the call */
}

static void results_wait(struct rig *rig, const struct watcher *w, uint32_t count)
{
    while (w->result_count < count)
        uv_run(&rig->loop, UV_RUN_ONCE);
}

static void assert_addr(const struct cyc_addr *addr, const char *text)
{
    char printed[CYC_ADDR_TEXT_BYTES_MAX];
    struct cyc_span span = cyc_span_of(printed, cyc_addr_format(addr, printed));
    if (!cyc_span_equal(span, cyc_span_from_text(text)))
        fail_msg("%.*s is not %s", (int)span.len, span.ptr, text);
}

static void dns__both_families_arrive_sorted_and_with_their_port(void **state)
{
    struct rig rig;
    struct watcher w = {0};

    (void)state;
    rig_init(&rig);
    rig.record = (struct record){"a.test", {2, 1}, true, 30, false, false};
    watcher_start(&w, &rig, "a.test", 0);
    results_wait(&rig, &w, 1);
    assert_int_equal(w.error_count, 0);
    assert_int_equal(w.changed_count, 1);
    assert_int_equal(w.addr_count, 3);
    assert_addr(&w.addrs[0], "10.0.0.1:8080");
    assert_addr(&w.addrs[1], "10.0.0.2:8080");
    assert_addr(&w.addrs[2], "[2001:db8::1]:8080");
    cyc_dns_unwatch(w.watch);
    rig_fini(&rig);
}

static void dns__order_is_no_change_but_another_address_is(void **state)
{
    struct rig rig;
    struct watcher w = {0};

    (void)state;
    rig_init(&rig);
    rig.record = (struct record){"a.test", {1, 2}, false, 30, false, false};
    watcher_start(&w, &rig, "a.test", 0);
    results_wait(&rig, &w, 1);
    rig.record = (struct record){"a.test", {2, 1}, false, 30, false, false};
    cyc_dns_refresh(w.watch);
    results_wait(&rig, &w, 2);
    assert_int_equal(w.changed_count, 1);
    rig.record = (struct record){"a.test", {2, 3}, false, 30, false, false};
    cyc_dns_refresh(w.watch);
    results_wait(&rig, &w, 3);
    assert_int_equal(w.changed_count, 2);
    assert_addr(&w.addrs[1], "10.0.0.3:8080");
    cyc_dns_unwatch(w.watch);
    rig_fini(&rig);
}

static void dns__failure_keeps_the_addresses_known_before(void **state)
{
    static const struct {
        struct record record;
        const char *why;
    } cases[] = {
        {{"a.test", {0}, false, 30, true, false}, "the server fails"},
        {{"a.test", {0}, false, 30, false, true}, "the server is silent"},
        {{"a.test", {0}, false, 30, false, false}, "the name has no addresses any more"},
        {{"b.test", {1}, false, 30, false, false}, "the name is gone"},
    };
    struct rig rig;
    struct watcher w = {0};

    (void)state;
    rig_init(&rig);
    rig.record = (struct record){"a.test", {1}, false, 30, false, false};
    watcher_start(&w, &rig, "a.test", 0);
    results_wait(&rig, &w, 1);
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rig.record = cases[i].record;
        cyc_dns_refresh(w.watch);
        results_wait(&rig, &w, 2 + i);
        if (w.error_count != i + 1 || w.addr_count != 1 || w.changed_count != 1)
            fail_msg("%s", cases[i].why);
    }
    cyc_dns_unwatch(w.watch);
    rig_fini(&rig);
}

static void dns__records_are_looked_up_again_when_they_expire(void **state)
{
    struct rig rig;
    struct watcher by_ttl = {0}, by_period = {0};

    (void)state;
    rig_init(&rig);
    rig.record = (struct record){"a.test", {1}, false, 0, false, false};
    watcher_start(&by_period, &rig, "a.test", 20);
    results_wait(&rig, &by_period, 3);
    cyc_dns_unwatch(by_period.watch);

    uint64_t start_ms = uv_now(&rig.loop);
    watcher_start(&by_ttl, &rig, "a.test", 0);
    results_wait(&rig, &by_ttl, 2);
    assert_true(uv_now(&rig.loop) - start_ms >= 850); /* a TTL of 0 counts as 1 s, less jitter */
    cyc_dns_unwatch(by_ttl.watch);
    rig_fini(&rig);
}

static void dns__numbers_pass_through_without_asking(void **state)
{
    static const struct {
        const char *name, *addr;
    } cases[] = {{"10.1.2.3", "10.1.2.3:8080"}, {"2001:db8::5", "[2001:db8::5]:8080"}};
    struct rig rig;
    struct watcher w = {0};

    (void)state;
    rig_init(&rig);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        watcher_start(&w, &rig, cases[i].name, 0);
        results_wait(&rig, &w, 1);
        assert_int_equal(w.addr_count, 1);
        assert_addr(&w.addrs[0], cases[i].addr);
        cyc_dns_unwatch(w.watch);
    }
    assert_int_equal(rig.query_count, 0);
    rig_fini(&rig);
}

static void dns__what_is_no_name_fails(void **state)
{
    char long_name[400];
    const char *names[] = {"", "a..test", long_name};
    struct rig rig;
    struct watcher w = {0};

    (void)state;
    memset(long_name, 'a', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    rig_init(&rig);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        watcher_start(&w, &rig, names[i], 0);
        results_wait(&rig, &w, 1);
        assert_int_equal(w.error_count, 1);
        assert_int_equal(w.addr_count, 0);
        cyc_dns_unwatch(w.watch);
    }
    rig_fini(&rig);
}

static void dns__hosts_file_is_read(void **state)
{
    struct rig rig;
    struct watcher w = {0};

    (void)state;
    rig_init(&rig);
    watcher_start(&w, &rig, "localhost", 0);
    results_wait(&rig, &w, 1);
    if (w.error_count > 0) /* a container without one */
        assert_int_equal(w.addr_count, 0);
    else
        assert_true(w.addr_count > 0 && cyc_addr_is_loopback(&w.addrs[0]));
    cyc_dns_unwatch(w.watch);
    rig_fini(&rig);
}

static void dns__a_watch_may_be_dropped_at_any_time(void **state)
{
    struct rig rig;
    struct watcher in_callback = {.wants_drop = true}, before = {0}, during = {0};

    (void)state;
    rig_init(&rig);
    rig.record = (struct record){"a.test", {1}, false, 30, false, true};
    watcher_start(&before, &rig, "a.test", 0);
    cyc_dns_unwatch(before.watch);
    watcher_start(&during, &rig, "a.test", 0);
    while (rig.query_count == 0)
        uv_run(&rig.loop, UV_RUN_ONCE);
    cyc_dns_unwatch(during.watch);
    rig.record.is_silent = false;
    watcher_start(&in_callback, &rig, "a.test", 0);
    results_wait(&rig, &in_callback, 1);
    assert_null(in_callback.watch);
    rig_fini(&rig); /* the unanswered query is still out: it must not come back */
    assert_int_equal(before.result_count + during.result_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dns__both_families_arrive_sorted_and_with_their_port),
        cmocka_unit_test(dns__order_is_no_change_but_another_address_is),
        cmocka_unit_test(dns__failure_keeps_the_addresses_known_before),
        cmocka_unit_test(dns__records_are_looked_up_again_when_they_expire),
        cmocka_unit_test(dns__numbers_pass_through_without_asking),
        cmocka_unit_test(dns__what_is_no_name_fails),
        cmocka_unit_test(dns__hosts_file_is_read),
        cmocka_unit_test(dns__a_watch_may_be_dropped_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
