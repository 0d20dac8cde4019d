/* SPDX-License-Identifier: Apache-2.0 */
#include "filters/metrics.h"

#include "base/assert.h"
#include "filters/filter.h"
#include "filters/registry.h"

#define CLASS_COUNT 6 /* none, 1xx .. 5xx */

/* ---- families -------------------------------------------------------------------------------- */

static const struct cyc_metric_family requests_total = {
    .name = "cyclone_requests_total",
    .help = "Requests by method and status; status 000: the client got no answer.",
    .type = CYC_METRIC_COUNTER,
    .label_names = {"method", "status"},
};
static const struct cyc_metric_family request_duration = {
    .name = "cyclone_request_duration_seconds",
    .help = "From the first byte of the request to the end of the exchange.",
    .type = CYC_METRIC_HISTOGRAM,
    .has_quantiles = true,
};
static const struct cyc_metric_family route_requests_total = {
    .name = "cyclone_route_requests_total",
    .help = "Requests by route and status class.",
    .type = CYC_METRIC_COUNTER,
    .label_names = {"route", "class"},
};
static const struct cyc_metric_family responses_total = {
    .name = "cyclone_responses_total",
    .help = "Answers by who made them and what went wrong; an empty reason: nothing.",
    .type = CYC_METRIC_COUNTER,
    .label_names = {"origin", "reason"},
};
static const struct cyc_metric_family bytes_sent_total = {
    .name = "cyclone_bytes_sent_total",
    .help = "Response body bytes sent to clients.",
    .type = CYC_METRIC_COUNTER,
};
static const struct cyc_metric_family bytes_received_total = {
    .name = "cyclone_bytes_received_total",
    .help = "Request body bytes received from clients.",
    .type = CYC_METRIC_COUNTER,
};

/* ---- slots ----------------------------------------------------------------------------------- */

static const char *const class_names[CLASS_COUNT] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

/** Slots of one status for all methods. */
static void status_add(struct cyc_metrics_table *table, struct cyc_stats_registry *registry,
                       uint32_t index, const char *label)
{
    cyc_assert(index < CYC_METRICS_STATUS_COUNT_MAX);
    for (uint32_t method = 0; method < CYC_METHOD_COUNT; method++) {
        struct cyc_span labels[] = {cyc_method_name((enum cyc_method)method),
                                    cyc_span_from_text(label)};
        table->requests[method][index] = cyc_stats_slot(registry, &requests_total, labels);
    }
}

static void statuses_add(struct cyc_metrics_table *table, struct cyc_stats_registry *registry)
{
    uint32_t count = 0;

    status_add(table, registry, count++, "000");
    for (uint32_t class = 1; class < CLASS_COUNT; class ++)
        status_add(table, registry, count++, class_names[class]);
    for (uint32_t status = 100; status <= CYC_METRICS_STATUS_MAX; status++) {
        char label[4] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10),
                         (char)('0' + status % 10), '\0'};
        table->status_index[status] = (uint8_t)(status / 100);
        if (cyc_status_reason(status).len == 0)
            continue;
        status_add(table, registry, count, label);
        table->status_index[status] = (uint8_t)count++;
    }
}

static void responses_add(uint32_t *slots, struct cyc_stats_registry *registry,
                          struct cyc_span origin)
{
    for (uint32_t fail = 0; fail < CYC_FAIL_COUNT; fail++) {
        struct cyc_span labels[] = {origin, cyc_fail_info((enum cyc_fail)fail)->reason};
        slots[fail] = cyc_stats_slot(registry, &responses_total, labels);
    }
}

const struct cyc_metrics_table *cyc_metrics_table_create(struct cyc_arena *arena,
                                                         struct cyc_stats_registry *registry)
{
    struct cyc_metrics_table *table = cyc_arena_zalloc(arena, sizeof(*table));

    statuses_add(table, registry);
    responses_add(table->responses_upstream, registry, CYC_SPAN("upstream"));
    responses_add(table->responses_proxy, registry, CYC_SPAN("proxy"));
    table->duration = cyc_stats_slot(registry, &request_duration, NULL);
    table->bytes_sent = cyc_stats_slot(registry, &bytes_sent_total, NULL);
    table->bytes_received = cyc_stats_slot(registry, &bytes_received_total, NULL);
    return table;
}

/* ---- the filter ------------------------------------------------------------------------------ */

struct metrics_conf {
    const struct cyc_metrics_table *table;
    uint32_t route_classes[CLASS_COUNT];
};

const void *cyc_metrics_compile(struct cyc_arena *arena, struct cyc_stats_registry *registry,
                                const struct cyc_metrics_table *table, struct cyc_span route_name)
{
    struct metrics_conf *conf = cyc_arena_alloc(arena, sizeof(*conf));

    conf->table = table;
    for (uint32_t class = 0; class < CLASS_COUNT; class ++) {
        struct cyc_span labels[] = {route_name, cyc_span_from_text(class_names[class])};
        conf->route_classes[class] = cyc_stats_slot(registry, &route_requests_total, labels);
    }
    return conf;
}

static void metrics_on_done(struct cyc_filter_call *call)
{
    const struct metrics_conf *conf = call->conf;
    const struct cyc_metrics_table *table = conf->table;
    const struct cyc_exchange *exchange = call->exchange;
    struct cyc_stats_block *stats = exchange->env->stats;
    uint32_t status =
        exchange->status <= CYC_METRICS_STATUS_MAX ? exchange->status : CYC_METRICS_STATUS_MAX;
    const uint32_t *responses =
        exchange->is_local || status == 0 ? table->responses_proxy : table->responses_upstream;

    cyc_stat_add(stats, table->requests[exchange->req->method][table->status_index[status]], 1);
    cyc_stat_add(stats, conf->route_classes[status / 100], 1);
    cyc_stat_add(stats, responses[exchange->fail], 1);
    cyc_stat_observe_ns(stats, table->duration, cyc_exchange_duration_ns(exchange));
    if (exchange->sent_bytes > 0)
        cyc_stat_add(stats, table->bytes_sent, exchange->sent_bytes);
    if (exchange->received_bytes > 0)
        cyc_stat_add(stats, table->bytes_received, exchange->received_bytes);
}

const struct cyc_filter_vt cyc_metrics_filter = {
    .name = "metrics",
    .on_done = metrics_on_done,
};
