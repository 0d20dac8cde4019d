/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "filters/registry.h"
#include "tests/unit/filters/fixture.h"

static struct fixture f;
static struct cyc_stats_registry *registry;
static char text[65536];

/** Counts one exchange and shows all metrics as text. */
static const char *scrape_after(const struct cyc_exchange *exchange)
{
    struct cyc_buf out;
    struct cyc_stats_format format = {0};
    const struct cyc_metrics_table *table = cyc_metrics_table_create(&f.arena, registry);
    const void *conf = cyc_metrics_compile(&f.arena, registry, table, CYC_SPAN("users"));
    struct cyc_filter_call call = fixture_call(&f, conf);
    f.exchange = *exchange;
    cyc_metrics_filter.on_done(&call);
    cyc_buf_init(&out, &f.pool);
    cyc_stats_scrape(registry, &f.env.stats, 1, &format, &out);
    size_t len = cyc_buf_peek(&out, text, sizeof(text) - 1);
    text[len] = '\0';
    cyc_buf_clear(&out);
    return text;
}

static int setup(void **state)
{
    (void)state;
    fixture_init(&f);
    registry = fixture_stats_init(&f);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_stats_fini(&f, registry);
    fixture_fini(&f);
    return 0;
}

static void expect_line(const char *all, const char *line)
{
    if (strstr(all, line) == NULL)
        fail_msg("%s is not in\n%s", line, all);
}

static void metrics__count_each_request_once_in_every_family(void **state)
{
    (void)state;
    struct cyc_exchange e = f.exchange;
    e.status = 200;
    e.end_ns = e.start_ns + 15 * CYC_NS_PER_MS;
    e.sent_bytes = 1024;
    e.received_bytes = 7;
    scrape_after(&e);
    const char *all = scrape_after(&e); /* a second configuration counts on in the same slots */
    expect_line(all, "cyclone_requests_total{method=\"GET\",status=\"200\"} 2\n");
    expect_line(all, "cyclone_route_requests_total{route=\"users\",class=\"2xx\"} 2\n");
    expect_line(all, "cyclone_responses_total{origin=\"upstream\",reason=\"\"} 2\n");
    expect_line(all, "cyclone_request_duration_seconds_count 2\n");
    expect_line(all, "cyclone_bytes_sent_total 2048\n");
    expect_line(all, "cyclone_bytes_received_total 14\n");
}

static void metrics__labels_are_bounded(void **state)
{
    static const struct {
        enum cyc_method method;
        uint16_t status;
        const char *line;
    } cases[] = {
        {CYC_METHOD_OTHER, 404, "cyclone_requests_total{method=\"OTHER\",status=\"404\"} 1\n"},
        {CYC_METHOD_POST, 299, "cyclone_requests_total{method=\"POST\",status=\"2xx\"} 1\n"},
        {CYC_METHOD_PUT, 999, "cyclone_requests_total{method=\"PUT\",status=\"5xx\"} 1\n"},
        {CYC_METHOD_DELETE, 0, "cyclone_requests_total{method=\"DELETE\",status=\"000\"} 1\n"},
        {CYC_METHOD_HEAD, 511, "cyclone_requests_total{method=\"HEAD\",status=\"511\"} 1\n"},
        {CYC_METHOD_GET, 101, "cyclone_requests_total{method=\"GET\",status=\"101\"} 1\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cyc_exchange e = f.exchange;
        f.req.method = cases[i].method;
        e.status = cases[i].status;
        expect_line(scrape_after(&e), cases[i].line);
    }
}

static void metrics__tell_the_proxys_answers_from_the_services(void **state)
{
    static const struct {
        enum cyc_fail fail;
        bool is_local;
        uint16_t status;
        const char *line;
    } cases[] = {
        {CYC_FAIL_UPSTREAM_CONNECT, true, 503,
         "cyclone_responses_total{origin=\"proxy\",reason=\"upstream_connect\"} 1\n"},
        {CYC_FAIL_UPSTREAM_TRUNCATED, false, 200,
         "cyclone_responses_total{origin=\"upstream\",reason=\"upstream_truncated\"} 1\n"},
        {CYC_FAIL_CLIENT_GONE, false, 0,
         "cyclone_responses_total{origin=\"proxy\",reason=\"client_gone\"} 1\n"},
        {CYC_FAIL_NONE, true, 301, "cyclone_responses_total{origin=\"proxy\",reason=\"\"} 1\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cyc_exchange e = f.exchange;
        e.fail = cases[i].fail;
        e.is_local = cases[i].is_local;
        e.status = cases[i].status;
        expect_line(scrape_after(&e), cases[i].line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(metrics__count_each_request_once_in_every_family, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(metrics__labels_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(metrics__tell_the_proxys_answers_from_the_services, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
