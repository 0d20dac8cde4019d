/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/stats.h"

#define LABELS(...) ((const struct cyc_span[]){__VA_ARGS__})
#define MINUTE_NS (60 * 1000000000ull)

static const struct cyc_metric_family requests = {
    "t_requests_total", "Requests.", CYC_METRIC_COUNTER, {"method", "status"}, false};
static const struct cyc_metric_family bytes_sent = {
    "t_bytes_sent_total", "Bytes.", CYC_METRIC_COUNTER, {NULL}, false};
static const struct cyc_metric_family breaker = {
    "t_breaker_state", "State.", CYC_METRIC_GAUGE, {"endpoint"}, false};
static const struct cyc_metric_family cpu = {
    "t_cpu_utilization", "Of the quota.", CYC_METRIC_GAUGE, {NULL}, false};
static const struct cyc_metric_family duration = {
    "t_request_duration_seconds", "How long.", CYC_METRIC_HISTOGRAM, {NULL}, true};
static const struct cyc_metric_family by_route = {
    "t_route_duration_seconds", "How long.", CYC_METRIC_HISTOGRAM, {"route"}, false};

static const double bounds_s[] = {0.005, 0.1, 1};

struct fixture {
    struct cyc_mem mem;
    struct cyc_buf_pool pool;
    struct cyc_stats_registry *registry;
    struct cyc_stats_block *blocks[2];
    struct cyc_stats_format format;
    char text[16384];
};

static int set_up(void **state)
{
    static struct fixture f;
    const struct cyc_hash_key key = {1, 2};
    memset(&f, 0, sizeof(f));
    cyc_buf_pool_init(&f.pool, &f.mem);
    f.registry = cyc_stats_registry_create(&f.mem, &key);
    f.blocks[0] = cyc_stats_block_create();
    f.blocks[1] = cyc_stats_block_create();
    f.format = (struct cyc_stats_format){.bounds_s = bounds_s, .bound_count = 3};
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    cyc_stats_registry_destroy(f->registry);
    cyc_stats_block_destroy(f->blocks[0]);
    cyc_stats_block_destroy(f->blocks[1]);
    cyc_buf_pool_fini(&f->pool);
    assert_int_equal(f->mem.total_bytes, 0);
    return 0;
}

static const char *scrape(struct fixture *f)
{
    struct cyc_buf out;
    cyc_buf_init(&out, &f->pool);
    cyc_stats_scrape(f->registry, f->blocks, 2, &f->format, &out);
    assert_true(out.bytes < sizeof(f->text));
    f->text[cyc_buf_peek(&out, f->text, sizeof(f->text))] = '\0';
    cyc_buf_clear(&out);
    return f->text;
}

static void assert_has(const char *text, const char *line)
{
    if (strstr(text, line) == NULL)
        fail_msg("no \"%s\" in:\n%s", line, text);
}

static void assert_has_not(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        fail_msg("there is \"%s\" in:\n%s", part, text);
}

static double read_double(void *owner)
{
    return *(double *)owner;
}

static void scrape__counters_are_summed_and_labels_escaped(void **state)
{
    struct fixture *f = *state;
    uint32_t slot =
        cyc_stats_slot(f->registry, &requests, LABELS(CYC_SPAN("a\"b\\c\nd"), CYC_SPAN("200")));
    cyc_stats_slot(f->registry, &requests, LABELS(CYC_SPAN("GET"), CYC_SPAN("500")));
    cyc_stats_add_family(f->registry, &bytes_sent);
    cyc_stat_add(f->blocks[0], slot, 3);
    cyc_stat_add(f->blocks[1], slot, 4);
    assert_string_equal(scrape(f), "# HELP t_requests_total Requests.\n"
                                   "# TYPE t_requests_total counter\n"
                                   "t_requests_total{method=\"a\\\"b\\\\c\\nd\",status=\"200\"} 7\n"
                                   "# HELP t_bytes_sent_total Bytes.\n"
                                   "# TYPE t_bytes_sent_total counter\n"
                                   "t_bytes_sent_total 0\n");
}

static void scrape__the_default_form_has_buckets_and_quantiles_under_one_name(void **state)
{
    struct fixture *f = *state;
    uint32_t slot = cyc_stats_slot(f->registry, &duration, NULL);
    f->format.has_quantiles = true;
    for (int i = 0; i < 90; i++)
        cyc_stat_observe_ns(f->blocks[i % 2], slot, 1 << 20); /* 1.05 ms */
    for (int i = 0; i < 10; i++)
        cyc_stat_observe_ns(f->blocks[0], slot, 1 << 29); /* 0.54 s */
    const char *text = scrape(f);
    assert_has(text, "# TYPE t_request_duration_seconds histogram\n"
                     "t_request_duration_seconds_bucket{le=\"0.005\"} 90\n"
                     "t_request_duration_seconds_bucket{le=\"0.1\"} 90\n"
                     "t_request_duration_seconds_bucket{le=\"1\"} 100\n"
                     "t_request_duration_seconds_bucket{le=\"+Inf\"} 100\n"
                     "t_request_duration_seconds_sum 5.46308096\n"
                     "t_request_duration_seconds_count 100\n"
                     "t_request_duration_seconds{quantile=\"0.5\"} 0.0011");
    assert_has(text, "\nt_request_duration_seconds{quantile=\"0.95\"} 0.57");
    assert_has(text, "\nt_request_duration_seconds{quantile=\"0.99\"} 0.59");
    assert_has_not(text, "quantile_seconds");
}

static void scrape__the_strict_form_has_quantiles_in_their_own_summary(void **state)
{
    struct fixture *f = *state;
    uint32_t slot = cyc_stats_slot(f->registry, &duration, NULL);
    f->format.has_quantiles = true;
    f->format.is_strict = true;
    cyc_stat_observe_ns(f->blocks[0], slot, 1 << 20);
    const char *text = scrape(f);
    assert_has_not(text, "t_request_duration_seconds{");
    assert_has(text, "t_request_duration_seconds_count 1\n"
                     "# HELP t_request_duration_quantile_seconds How long.\n"
                     "# TYPE t_request_duration_quantile_seconds summary\n"
                     "t_request_duration_quantile_seconds{quantile=\"0.5\"} ");
}

static void scrape__openmetrics_announces_counters_without_total_and_marks_the_end(void **state)
{
    struct fixture *f = *state;
    cyc_stats_add_family(f->registry, &bytes_sent);
    cyc_stats_add_family(f->registry, &duration);
    f->format.is_openmetrics = true;
    f->format.has_quantiles = true;
    const char *text = scrape(f);
    assert_has(text, "# TYPE t_bytes_sent counter\nt_bytes_sent_total 0\n");
    assert_has(text, "le=\"1.0\"} 0\n");
    assert_has(text, "t_request_duration_quantile_seconds{quantile=\"0.5\"} NaN\n");
    assert_string_equal(text + strlen(text) - strlen("\n# EOF\n"), "\n# EOF\n");
}

static void scrape__quantiles_forget_what_is_long_ago(void **state)
{
    struct fixture *f = *state;
    uint32_t slot = cyc_stats_slot(f->registry, &duration, NULL);
    f->format.has_quantiles = true;
    f->format.now_ns = 100 * MINUTE_NS;
    for (int i = 0; i < 1000; i++)
        cyc_stat_observe_ns(f->blocks[0], slot, 1ull << 33); /* 8.6 s, at first */
    assert_has(scrape(f), "{quantile=\"0.5\"} 9.1");
    f->format.now_ns += 5 * MINUTE_NS;
    scrape(f);
    cyc_stat_observe_ns(f->blocks[0], slot, 1ull << 20);
    assert_has(scrape(f), "{quantile=\"0.5\"} 9.1");
    f->format.now_ns += 5 * MINUTE_NS;
    assert_has(scrape(f), "{quantile=\"0.5\"} 0.0011");
    assert_has(f->text, "t_request_duration_seconds_count 1001\n"); /* buckets are of all time */
    f->format.now_ns += 6 * MINUTE_NS;
    scrape(f);
    assert_has(f->text, "{quantile=\"0.5\"} NaN\n"); /* nothing came in lately */
}

static void scrape__computed_values_are_read_each_time(void **state)
{
    struct fixture *f = *state;
    double value = 0.25, state_value = 2;
    cyc_stats_add_reader(f->registry, &cpu, NULL, read_double, &value);
    cyc_stats_add_reader(f->registry, &breaker, LABELS(CYC_SPAN("e1")), read_double, &state_value);
    assert_has(scrape(f), "# TYPE t_cpu_utilization gauge\nt_cpu_utilization 0.25\n");
    assert_has(f->text, "t_breaker_state{endpoint=\"e1\"} 2\n");
    value = (double)INFINITY;
    assert_has(scrape(f), "t_cpu_utilization +Inf\n");
    cyc_stats_add_reader(f->registry, &breaker, LABELS(CYC_SPAN("e1")), read_double, &value);
    assert_has_not(scrape(f), "t_breaker_state{endpoint=\"e1\"} 2\n"); /* replaced, not doubled */
    cyc_stats_remove_readers(f->registry, &value);
    assert_has_not(scrape(f), "\nt_cpu_utilization ");
    assert_has_not(f->text, "e1");
}

static void scrape__untouched_labelled_series_are_left_out_but_gauges_are_not(void **state)
{
    struct fixture *f = *state;
    cyc_stats_slot(f->registry, &requests, LABELS(CYC_SPAN("GET"), CYC_SPAN("200")));
    cyc_stats_slot(f->registry, &by_route, LABELS(CYC_SPAN("r1")));
    uint32_t gauge = cyc_stats_slot(f->registry, &breaker, LABELS(CYC_SPAN("gone")));
    cyc_stats_slot(f->registry, &breaker, LABELS(CYC_SPAN("stays")));
    const char *text = scrape(f);
    assert_has_not(text, "GET");
    assert_has_not(text, "r1");
    assert_has(text, "t_breaker_state{endpoint=\"gone\"} 0\n");
    cyc_stat_set(f->blocks[1], gauge, 1);
    cyc_stats_next_generation(f->registry); /* a reload without the endpoint */
    cyc_stats_slot(f->registry, &breaker, LABELS(CYC_SPAN("stays")));
    assert_has(scrape(f), "t_breaker_state{endpoint=\"gone\"} 1\n");
    cyc_stat_set(f->blocks[1], gauge, 0);
    assert_has_not(scrape(f), "gone");
    assert_has(f->text, "t_breaker_state{endpoint=\"stays\"} 0\n");
}

static void scrape__a_gauge_that_dips_below_zero_is_written_as_such(void **state)
{
    struct fixture *f = *state;
    uint32_t slot = cyc_stats_slot(f->registry, &breaker, LABELS(CYC_SPAN("e")));
    cyc_stat_add(f->blocks[0], slot, 1);
    cyc_stat_sub(f->blocks[1], slot, 3);
    assert_has(scrape(f), "t_breaker_state{endpoint=\"e\"} -2\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(scrape__counters_are_summed_and_labels_escaped),
        TEST(scrape__the_default_form_has_buckets_and_quantiles_under_one_name),
        TEST(scrape__the_strict_form_has_quantiles_in_their_own_summary),
        TEST(scrape__openmetrics_announces_counters_without_total_and_marks_the_end),
        TEST(scrape__quantiles_forget_what_is_long_ago),
        TEST(scrape__computed_values_are_read_each_time),
        TEST(scrape__untouched_labelled_series_are_left_out_but_gauges_are_not),
        TEST(scrape__a_gauge_that_dips_below_zero_is_written_as_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
