/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exposition: Prometheus text 0.0.4 and OpenMetrics 1.0.
 *
 * The default form gives a histogram family `quantile` samples besides its buckets. The formats do
 * not foresee that, every scraper takes it, and the dashboards of the deployment guide ask for both
 * under one name. The strict form moves them to a summary family of their own.
 *
 * Differences of OpenMetrics: counters are announced without "_total", and the end is marked.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/stats.h"
#include "base/stats_series.h"

#include <math.h>
#include <stdio.h>

#define NAME_BYTES_MAX 128

struct scrape {
    struct cyc_stats_registry *registry;
    struct cyc_stats_block *const *blocks;
    uint32_t block_count;
    const struct cyc_stats_format *format;
    struct cyc_buf *out;
};

static const struct {
    uint32_t permille;
    const char *label;
} quantiles[] = {{500, "quantile=\"0.5\""}, {950, "quantile=\"0.95\""}, {990, "quantile=\"0.99\""}};

#define QUANTILE_COUNT (sizeof(quantiles) / sizeof(quantiles[0]))

/* ---- pieces of text -------------------------------------------------------------------------- */

static void put(struct scrape *scrape, const char *text)
{
    cyc_buf_append(scrape->out, cyc_span_from_text(text));
}

static size_t number_format(char out[32], double value)
{
    if (isnan(value))
        return (size_t)snprintf(out, 32, "NaN");
    if (isinf(value))
        return (size_t)snprintf(out, 32, value > 0 ? "+Inf" : "-Inf");
    return (size_t)snprintf(out, 32, "%.9g", value);
}

/** OpenMetrics wants bounds to look like floating point numbers: 1.0. */
static void bound_label_format(char out[48], double bound_s, bool is_openmetrics)
{
    char number[32];
    bool is_whole = number_format(number, bound_s) == strspn(number, "0123456789");

    snprintf(out, 48, "le=\"%s%s\"", number, is_whole && is_openmetrics ? ".0" : "");
}

/** `name suffix{labels,more} ` up to the value. @param more  a further label, or NULL */
static void put_series(struct scrape *scrape, const char *name, const char *suffix,
                       struct cyc_span labels, const char *more)
{
    put(scrape, name);
    put(scrape, suffix);
    if (labels.len > 0 || more != NULL) {
        put(scrape, "{");
        cyc_buf_append(scrape->out, labels);
        if (labels.len > 0 && more != NULL)
            put(scrape, ",");
        put(scrape, more != NULL ? more : "");
        put(scrape, "}");
    }
    put(scrape, " ");
}

static void put_count(struct scrape *scrape, uint64_t value)
{
    char text[21];
    size_t len = cyc_format_u64(text, value);

    text[len++] = '\n';
    cyc_buf_append(scrape->out, cyc_span_of(text, len));
}

static void put_number(struct scrape *scrape, double value)
{
    char text[33];
    size_t len = number_format(text, value);

    text[len++] = '\n';
    cyc_buf_append(scrape->out, cyc_span_of(text, len));
}

static void put_head(struct scrape *scrape, const char *name, const char *help, const char *type)
{
    put(scrape, "# HELP ");
    put(scrape, name);
    put(scrape, " ");
    put(scrape, help);
    put(scrape, "\n# TYPE ");
    put(scrape, name);
    put(scrape, " ");
    put(scrape, type);
    put(scrape, "\n");
}

/* ---- histograms ------------------------------------------------------------------------------ */

static void put_buckets(struct scrape *scrape, const char *name, struct cyc_span labels,
                        const struct cyc_histogram *h)
{
    const struct cyc_stats_format *format = scrape->format;
    uint64_t count = cyc_histogram_count(h);
    char label[48];

    for (uint32_t i = 0; i < format->bound_count; i++) {
        double bound_s = format->bounds_s[i];
        bound_label_format(label, bound_s, format->is_openmetrics);
        put_series(scrape, name, "_bucket", labels, label);
        put_count(scrape, cyc_histogram_count_up_to(h, (uint64_t)(bound_s * 1e9 + 0.5)));
    }
    put_series(scrape, name, "_bucket", labels, "le=\"+Inf\"");
    put_count(scrape, count);
    put_series(scrape, name, "_sum", labels, NULL);
    put_number(scrape, cyc_histogram_sum_s(h));
    put_series(scrape, name, "_count", labels, NULL);
    put_count(scrape, count);
}

/** Leaves in `h` what came in lately, and moves the window on when it is time. */
static void window_apply(struct scrape *scrape, struct cyc_stats_series *series,
                         struct cyc_histogram *h)
{
    uint64_t now_ns = scrape->format->now_ns;
    struct cyc_histogram all = *h;

    if (now_ns == 0)
        return;
    if (series->window == NULL) { /* zeroed: at first the window reaches back to the start */
        series->window = cyc_arena_zalloc(&scrape->registry->arena, sizeof(*series->window));
        series->window->younger_at_ns = now_ns;
    }
    struct cyc_stats_window *window = series->window;
    if (now_ns - window->younger_at_ns >= CYC_STATS_QUANTILE_SPAN_NS) {
        window->older = window->younger;
        window->younger = all;
        window->younger_at_ns = now_ns;
    }
    cyc_histogram_subtract(h, &window->older);
}

static void put_quantiles(struct scrape *scrape, const char *name, struct cyc_stats_series *series,
                          struct cyc_histogram *h)
{
    window_apply(scrape, series, h);
    bool is_empty = cyc_histogram_count(h) == 0;
    for (size_t i = 0; i < QUANTILE_COUNT; i++) {
        double ns = (double)cyc_histogram_quantile_ns(h, quantiles[i].permille);
        put_series(scrape, name, "", series->labels, quantiles[i].label);
        put_number(scrape, is_empty ? (double)NAN : ns / (double)CYC_NS_PER_S);
    }
}

static bool histogram_is_shown(const struct cyc_stats_family *family, const struct cyc_histogram *h)
{
    return family->label_count == 0 || cyc_histogram_count(h) > 0;
}

/** cyclone_request_duration_seconds -> cyclone_request_duration_quantile_seconds */
static void quantile_name(char out[NAME_BYTES_MAX], const char *name)
{
    struct cyc_span base = cyc_span_from_text(name), unit = CYC_SPAN("_seconds");

    if (!cyc_span_ends_with_nocase(base, unit))
        unit.len = 0;
    snprintf(out, NAME_BYTES_MAX, "%.*s_quantile%.*s", (int)(base.len - unit.len), name,
             (int)unit.len, unit.ptr);
}

static void put_quantile_family(struct scrape *scrape, struct cyc_stats_family *family)
{
    struct cyc_histogram h;
    char name[NAME_BYTES_MAX];

    quantile_name(name, family->info->name);
    put_head(scrape, name, family->info->help, "summary");
    for (struct cyc_stats_series *series = family->first; series != NULL; series = series->next) {
        cyc_stats_merge(scrape->blocks, scrape->block_count, series->slot, &h);
        if (histogram_is_shown(family, &h))
            put_quantiles(scrape, name, series, &h);
    }
}

static void put_histogram_family(struct scrape *scrape, struct cyc_stats_family *family)
{
    const struct cyc_stats_format *format = scrape->format;
    bool has_quantiles = format->has_quantiles && family->info->has_quantiles;
    bool is_strict = format->is_strict || format->is_openmetrics;
    struct cyc_histogram h;

    put_head(scrape, family->info->name, family->info->help, "histogram");
    for (struct cyc_stats_series *series = family->first; series != NULL; series = series->next) {
        cyc_stats_merge(scrape->blocks, scrape->block_count, series->slot, &h);
        if (!histogram_is_shown(family, &h))
            continue;
        put_buckets(scrape, family->info->name, series->labels, &h);
        if (has_quantiles && !is_strict)
            put_quantiles(scrape, family->info->name, series, &h);
    }
    if (has_quantiles && is_strict)
        put_quantile_family(scrape, family);
}

/* ---- counters and gauges --------------------------------------------------------------------- */

static bool value_is_shown(const struct scrape *scrape, const struct cyc_stats_family *family,
                           const struct cyc_stats_series *series, uint64_t value)
{
    if (family->label_count == 0 || value != 0)
        return true;
    return family->info->type == CYC_METRIC_GAUGE &&
           series->generation == scrape->registry->generation;
}

static void put_value(struct scrape *scrape, const struct cyc_stats_family *family,
                      const struct cyc_stats_series *series)
{
    const char *name = family->info->name;

    if (series->read != NULL) {
        put_series(scrape, name, "", series->labels, NULL);
        put_number(scrape, series->read(series->owner));
        return;
    }
    uint64_t value = cyc_stats_sum(scrape->blocks, scrape->block_count, series->slot);
    if (!value_is_shown(scrape, family, series, value))
        return;
    put_series(scrape, name, "", series->labels, NULL);
    if (family->info->type == CYC_METRIC_GAUGE && (int64_t)value < 0) {
        put(scrape, "-"); /* between two workers' updates a sum may dip below zero */
        value = -value;
    }
    put_count(scrape, value);
}

static void put_value_family(struct scrape *scrape, const struct cyc_stats_family *family)
{
    bool is_counter = family->info->type == CYC_METRIC_COUNTER;
    struct cyc_span name = cyc_span_from_text(family->info->name), total = CYC_SPAN("_total");
    char announced[NAME_BYTES_MAX];

    if (is_counter && scrape->format->is_openmetrics && cyc_span_ends_with_nocase(name, total))
        name.len -= total.len;
    snprintf(announced, sizeof(announced), "%.*s", (int)name.len, name.ptr);
    put_head(scrape, announced, family->info->help, is_counter ? "counter" : "gauge");
    for (struct cyc_stats_series *series = family->first; series != NULL; series = series->next)
        put_value(scrape, family, series);
}

void cyc_stats_scrape(struct cyc_stats_registry *registry, struct cyc_stats_block *const *blocks,
                      uint32_t block_count, const struct cyc_stats_format *format,
                      struct cyc_buf *out)
{
    struct scrape scrape = {registry, blocks, block_count, format, out};

    for (struct cyc_stats_family *family = registry->first; family != NULL; family = family->next)
        if (family->info->type == CYC_METRIC_HISTOGRAM)
            put_histogram_family(&scrape, family);
        else
            put_value_family(&scrape, family);
    if (format->is_openmetrics)
        put(&scrape, "# EOF\n");
}
