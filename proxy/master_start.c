/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread's beginnings: its metrics and its log. */
#include "proxy/master_internal.h"

#include "base/assert.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const struct cyc_metric_family connections_active = {
    .name = "cyclone_active_connections",
    .help = "Client connections open now.",
    .type = CYC_METRIC_GAUGE,
};
static const struct cyc_metric_family connections_total = {
    .name = "cyclone_connections_total",
    .help = "Client connections accepted.",
    .type = CYC_METRIC_COUNTER,
};
static const struct cyc_metric_family connections_refused = {
    .name = "cyclone_connections_refused_total",
    .help = "Client connections closed at once because of a limit.",
    .type = CYC_METRIC_COUNTER,
};
static const struct cyc_metric_family accept_failures = {
    .name = "cyclone_accept_failures_total",
    .help = "Times accepting had to pause, for example without descriptors.",
    .type = CYC_METRIC_COUNTER,
};
static const struct cyc_metric_family requests_active = {
    .name = "cyclone_requests_active",
    .help = "Requests in progress.",
    .type = CYC_METRIC_GAUGE,
};
static const struct cyc_metric_family requests_refused = {
    .name = "cyclone_requests_refused_total",
    .help = "Requests refused because memory is at its limit.",
    .type = CYC_METRIC_COUNTER,
};
static const struct cyc_metric_family zero_copy = {
    .name = "cyclone_zero_copy_operations_total",
    .help = "Sends of body bytes that went from socket to socket inside the kernel.",
    .type = CYC_METRIC_COUNTER,
};

void cyc_master_register_core(struct cyc_master *master)
{
    struct cyc_stats_registry *registry = master->registry;

    master->slots = (struct cyc_core_slots){
        .connections_active = cyc_stats_slot(registry, &connections_active, NULL),
        .connections_total = cyc_stats_slot(registry, &connections_total, NULL),
        .connections_refused = cyc_stats_slot(registry, &connections_refused, NULL),
        .accept_failures = cyc_stats_slot(registry, &accept_failures, NULL),
        .requests_active = cyc_stats_slot(registry, &requests_active, NULL),
        .zero_copy = cyc_stats_slot(registry, &zero_copy, NULL),
        .streams_refused = cyc_stats_slot(registry, &requests_refused, NULL),
    };
}

uint32_t cyc_master_ring_bytes(const struct cyc_config *config)
{
    uint32_t bytes = 4 * CYC_LOG_LINE_BYTES_MAX;

    while (bytes < config->access_log.buffer_bytes && bytes < 1u << 24)
        bytes *= 2;
    return bytes;
}

static enum cyc_log_level level_of(uint32_t configured)
{
    static const enum cyc_log_level levels[] = {CYC_LEVEL_TRACE, CYC_LEVEL_DEBUG, CYC_LEVEL_INFO,
                                                CYC_LEVEL_WARN, CYC_LEVEL_ERROR};
    cyc_assert(configured < sizeof(levels) / sizeof(levels[0]));
    return levels[configured];
}

/** CYCLONE_LOG=level[,module=level...], as the guide's RUST_LOG: goes before log.level. */
static void filter_apply(struct cyc_master *master)
{
    static const struct cyc_span name = CYC_SPAN_INIT("CYCLONE_LOG=");
    uint32_t modules_on = 0;

    for (const char *const *at = master->environment; at != NULL && *at != NULL; at++) {
        struct cyc_span line = cyc_span_from_text(*at);
        if (!cyc_span_starts_with(line, name))
            continue;
        struct cyc_span filter = cyc_span_slice(line, name.len, line.len);
        if (!cyc_log_parse_filter(filter, &master->log.level, &modules_on))
            cyc_event(&master->log, CYC_EVENT_CONFIG_WARNING,
                      "CYCLONE_LOG is not level[,module=level...]: %.*s", (int)filter.len,
                      filter.ptr);
    }
}

static enum cyc_log_format format_of(enum cyc_log_style style, int fd)
{
    if (style == CYC_LOG_STYLE_AUTO)
        return isatty(fd) ? CYC_LOG_TEXT : CYC_LOG_JSON;
    return style == CYC_LOG_STYLE_TEXT ? CYC_LOG_TEXT : CYC_LOG_JSON;
}

/** Falls back to stderr with a message: a log that cannot be opened must not stop traffic. */
static void output_open(struct cyc_master *master, enum cyc_log_stream stream,
                        struct cyc_span target)
{
    int error = cyc_log_writer_set_output(master->writer, stream, target.ptr);

    if (error < 0) {
        fprintf(stderr, "cyclone: cannot write logs to %.*s: %s\n", (int)target.len, target.ptr,
                strerror(-error));
        cyc_log_writer_set_output(master->writer, stream, "stderr");
    }
}

void cyc_master_log_start(struct cyc_master *master)
{
    const struct cyc_config *config = master->current->config;

    master->writer = cyc_log_writer_create(&master->mem);
    master->ring = cyc_log_ring_create(&master->mem, cyc_master_ring_bytes(config));
    cyc_log_init(&master->log, master->ring, &master->io->clock);
    master->log.level = level_of(config->log.level);
    master->log.format = format_of(config->log.format, STDERR_FILENO);
    filter_apply(master);
    output_open(master, CYC_LOG_EVENTS, config->log.output);
    output_open(master, CYC_LOG_TRACE, config->log.output);
    if (config->access_log.is_enabled)
        output_open(master, CYC_LOG_ACCESS, config->access_log.output);
    cyc_log_writer_add_ring(master->writer, master->ring);
    int error = cyc_log_writer_start(master->writer);
    if (error < 0)
        fprintf(stderr, "cyclone: no log thread: %s\n", strerror(-error));
}
