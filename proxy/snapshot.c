/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/snapshot.h"

#include "base/assert.h"
#include "filters/chain.h"
#include "filters/registry.h"

#include <sys/resource.h>

/* Descriptors kept free of client connections: files, listeners, and a third for upstreams. */
#define RESERVED_FD_COUNT 64

static const struct cyc_metric_family upstream_requests = {
    .name = "cyclone_upstream_requests_total",
    .help = "Requests sent to a cluster, every attempt counted.",
    .type = CYC_METRIC_COUNTER,
    .label_names = {"cluster"},
};
static const struct cyc_metric_family upstream_fails = {
    .name = "cyclone_upstream_failures_total",
    .help = "Attempts that failed.",
    .type = CYC_METRIC_COUNTER,
    .label_names = {"cluster"},
};
static const struct cyc_metric_family upstream_connects = {
    .name = "cyclone_upstream_connects_total",
    .help = "Connections opened to a cluster's endpoints.",
    .type = CYC_METRIC_COUNTER,
    .label_names = {"cluster"},
};
static const struct cyc_metric_family upstream_connect_fails = {
    .name = "cyclone_upstream_connect_failures_total",
    .help = "Connections to a cluster's endpoints that could not be opened.",
    .type = CYC_METRIC_COUNTER,
    .label_names = {"cluster"},
};
static const struct cyc_metric_family upstream_active = {
    .name = "cyclone_upstream_active_requests",
    .help = "Requests in progress at a cluster's endpoints.",
    .type = CYC_METRIC_GAUGE,
    .label_names = {"cluster"},
};
static const struct cyc_metric_family upstream_idle = {
    .name = "cyclone_upstream_idle_connections",
    .help = "Connections kept for the next request.",
    .type = CYC_METRIC_GAUGE,
    .label_names = {"cluster"},
};
static const struct cyc_metric_family upstream_pending = {
    .name = "cyclone_upstream_pending_requests",
    .help = "Requests that wait for a connection.",
    .type = CYC_METRIC_GAUGE,
    .label_names = {"cluster"},
};
static const struct cyc_metric_family upstream_reused = {
    .name = "cyclone_upstream_reused_total",
    .help = "Requests sent on a connection that had been used before.",
    .type = CYC_METRIC_COUNTER,
    .label_names = {"cluster"},
};
static const struct cyc_metric_family upstream_stale = {
    .name = "cyclone_upstream_stale_total",
    .help = "Reused connections that turned out to be closed already.",
    .type = CYC_METRIC_COUNTER,
    .label_names = {"cluster"},
};
static const struct cyc_metric_family upstream_sent = {
    .name = "cyclone_upstream_bytes_sent_total",
    .help = "Bytes sent to a cluster's endpoints.",
    .type = CYC_METRIC_COUNTER,
    .label_names = {"cluster"},
};
static const struct cyc_metric_family upstream_received = {
    .name = "cyclone_upstream_bytes_received_total",
    .help = "Bytes received from a cluster's endpoints.",
    .type = CYC_METRIC_COUNTER,
    .label_names = {"cluster"},
};

static struct cyc_upstream_slots cluster_slots(struct cyc_stats_registry *registry,
                                               struct cyc_span name)
{
    return (struct cyc_upstream_slots){
        .requests = cyc_stats_slot(registry, &upstream_requests, &name),
        .fails = cyc_stats_slot(registry, &upstream_fails, &name),
        .connects = cyc_stats_slot(registry, &upstream_connects, &name),
        .connect_fails = cyc_stats_slot(registry, &upstream_connect_fails, &name),
        .active = cyc_stats_slot(registry, &upstream_active, &name),
        .idle = cyc_stats_slot(registry, &upstream_idle, &name),
        .pending = cyc_stats_slot(registry, &upstream_pending, &name),
        .reused = cyc_stats_slot(registry, &upstream_reused, &name),
        .stale = cyc_stats_slot(registry, &upstream_stale, &name),
        .sent_bytes = cyc_stats_slot(registry, &upstream_sent, &name),
        .received_bytes = cyc_stats_slot(registry, &upstream_received, &name),
    };
}

/* ---- clusters ----------------------------------------------------------------------------------
 */

static void cluster_compile(struct cyc_snapshot *snapshot, struct cyc_cluster_spec *spec,
                            struct cyc_span demo_address)
{
    const struct cyc_cluster_conf *conf = spec->conf;

    spec->endpoints =
        cyc_arena_zalloc(&snapshot->arena, (conf->endpoint_count + 1) * sizeof(*spec->endpoints));
    for (uint32_t i = 0; i < conf->endpoint_count; i++) {
        const struct cyc_endpoint_conf *endpoint = &conf->endpoints[i];
        bool is_demo = cyc_span_equal(endpoint->address, CYC_SPAN("builtin:demo"));
        if (endpoint->is_dns && !is_demo) {
            spec->needs_dns = true;
            continue;
        }
        struct cyc_endpoint_spec *at = &spec->endpoints[spec->endpoint_count++];
        bool is_address = cyc_addr_parse(is_demo ? demo_address : endpoint->address, &at->addr);
        cyc_assert(is_address); /* checked when it was loaded */
        at->authority = is_demo ? CYC_SPAN("demo") : endpoint->address;
        at->weight = endpoint->weight;
        at->slots = spec->slots;
    }
}

static void clusters_compile(struct cyc_snapshot *snapshot, struct cyc_stats_registry *registry,
                             struct cyc_span demo_address)
{
    const struct cyc_config *config = snapshot->config;

    snapshot->cluster_count = config->cluster_count;
    snapshot->clusters = cyc_arena_zalloc(&snapshot->arena, (config->cluster_count + 1) *
                                                                sizeof(*snapshot->clusters));
    for (uint32_t i = 0; i < config->cluster_count; i++) {
        struct cyc_cluster_spec *spec = &snapshot->clusters[i];
        spec->conf = &config->clusters[i];
        spec->slots = cluster_slots(registry, spec->conf->name);
        cluster_compile(snapshot, spec, demo_address);
    }
}

/* ---- routes -------------------------------------------------------------------------------------
 */

struct route_maker {
    struct cyc_snapshot *snapshot;
    struct cyc_stats_registry *registry;
    const struct cyc_metrics_table *metrics;
};

/** Gives a route its filter chain. */
static void route_chain(struct route_maker *maker, struct cyc_route *route,
                        const struct cyc_feature_conf *features)
{
    const struct cyc_config *config = maker->snapshot->config;
    struct cyc_filter_route names = {
        .route_name = route->name,
        .metrics = maker->metrics,
        .is_metered = config->metrics.is_enabled,
        .is_access_logged = config->access_log.is_enabled && features->is_access_logged,
        .is_log_text = config->access_log.format == CYC_LOG_STYLE_TEXT,
        .sample_permyriad = config->access_log.sample_permyriad,
    };
    struct cyc_chain_entry entries[CYC_CHAIN_FILTER_COUNT_MAX];

    route->entry_count =
        cyc_registry_build(&maker->snapshot->arena, maker->registry, features, &names, entries);
    route->entries = cyc_arena_alloc(&maker->snapshot->arena,
                                     (route->entry_count + 1) * sizeof(*route->entries));
    for (uint32_t i = 0; i < route->entry_count; i++)
        route->entries[i] = entries[i];
}

/** A route that is not in the configuration: health, no match, demo. */
static struct cyc_route *route_builtin(struct route_maker *maker, enum cyc_route_kind kind,
                                       struct cyc_span name, enum cyc_fail fail)
{
    const struct cyc_config *config = maker->snapshot->config;
    struct cyc_route *route = cyc_arena_zalloc(&maker->snapshot->arena, sizeof(*route));

    route->name = name;
    route->kind = kind;
    route->fail = fail;
    route->timeout_ms = config->defaults.timeout_ms;
    route_chain(maker, route, &config->defaults);
    return route;
}

static void route_fill(struct route_maker *maker, struct cyc_route *route,
                       const struct cyc_route_conf *conf)
{
    *route = (struct cyc_route){
        .name = conf->name,
        .kind = conf->action == CYC_ROUTE_RESPOND ? CYC_ROUTE_KIND_RESPOND : CYC_ROUTE_KIND_CLUSTER,
        .cluster_index = conf->cluster_index,
        .respond_status = conf->respond_status,
        .respond_body = conf->respond_body,
        .respond_content_type = conf->respond_content_type,
        .timeout_ms = conf->features.timeout_ms,
        .first_byte_timeout_ms = conf->features.first_byte_timeout_ms,
        .max_body_bytes = conf->features.max_body_bytes,
        .retry = conf->features.retry,
    };
    uint32_t per_try_ms = conf->features.retry.per_try_timeout_ms;
    if (per_try_ms > 0 &&
        (route->first_byte_timeout_ms == 0 || per_try_ms < route->first_byte_timeout_ms))
        route->first_byte_timeout_ms = per_try_ms;
    route_chain(maker, route, &conf->features);
}

/* ---- listeners
 * ----------------------------------------------------------------------------------- */

static bool is_bound_to(const struct cyc_route_conf *route, struct cyc_span listener)
{
    for (uint32_t i = 0; i < route->listener_count; i++)
        if (cyc_span_equal(route->listeners[i], listener))
            return true;
    return route->listener_count == 0;
}

static struct cyc_route_table *table_for(struct cyc_snapshot *snapshot, struct cyc_route **routes,
                                         struct cyc_span listener)
{
    const struct cyc_config *config = snapshot->config;
    struct cyc_route_rule *rules =
        cyc_arena_alloc(&snapshot->arena, (config->route_count + 1) * sizeof(*rules));
    uint32_t count = 0;

    for (uint32_t i = 0; i < config->route_count; i++)
        if (is_bound_to(&config->routes[i], listener))
            rules[count++] = (struct cyc_route_rule){&config->routes[i], routes[i]};
    return cyc_route_table_create(&snapshot->arena, rules, count);
}

static uint32_t connection_limit(const struct cyc_listener_conf *conf)
{
    struct rlimit limit;

    if (conf->max_connections > 0)
        return conf->max_connections;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= 2 * RESERVED_FD_COUNT)
        return RESERVED_FD_COUNT;
    return (uint32_t)((limit.rlim_cur - RESERVED_FD_COUNT) / 4 * 3);
}

static const struct cyc_route *default_route(struct route_maker *maker,
                                             const struct cyc_listener_conf *conf)
{
    static const enum cyc_fail fails[] = {
        [CYC_DEFAULT_ROUTE_404] = CYC_FAIL_NO_ROUTE,
        [CYC_DEFAULT_ROUTE_421] = CYC_FAIL_MISDIRECTED,
        [CYC_DEFAULT_ROUTE_CLOSE] = CYC_FAIL_NO_ROUTE_CLOSE,
    };
    return route_builtin(maker, CYC_ROUTE_KIND_FAIL, CYC_SPAN("-"), fails[conf->default_route]);
}

static void listener_compile(struct route_maker *maker, struct cyc_listener_spec *spec,
                             const struct cyc_listener_conf *conf, struct cyc_route **routes)
{
    struct cyc_snapshot *snapshot = maker->snapshot;

    bool is_address = cyc_addr_parse(conf->address, &spec->addr);
    cyc_assert(is_address); /* checked when it was loaded */
    spec->conf = conf;
    spec->table = table_for(snapshot, routes, conf->name);
    spec->default_route = default_route(maker, conf);
    spec->health = snapshot->config->server.health_endpoints;
    if (spec->health != CYC_HEALTH_OFF)
        spec->health_route =
            route_builtin(maker, CYC_ROUTE_KIND_HEALTH, CYC_SPAN("health"), CYC_FAIL_NONE);
    spec->connection_count_max = connection_limit(conf);
}

/** The listener the demo service answers on: of this process only. */
static void demo_compile(struct route_maker *maker, struct cyc_listener_spec *spec,
                         struct cyc_span demo_address)
{
    struct cyc_snapshot *snapshot = maker->snapshot;
    struct cyc_listener_conf *conf = cyc_arena_alloc(&snapshot->arena, sizeof(*conf));

    *conf = snapshot->config->listeners[0];
    conf->name = CYC_SPAN("demo");
    conf->address = demo_address;
    bool is_address = cyc_addr_parse(demo_address, &spec->addr);
    cyc_assert(is_address);
    struct cyc_route *route = cyc_arena_zalloc(&snapshot->arena, sizeof(*route));
    *route = (struct cyc_route){.name = conf->name, .kind = CYC_ROUTE_KIND_DEMO};
    spec->conf = conf;
    spec->table = cyc_route_table_create(&snapshot->arena, NULL, 0);
    spec->default_route = route;
    spec->connection_count_max = connection_limit(conf);
    spec->is_demo = true;
}

static bool has_demo(const struct cyc_config *config)
{
    for (uint32_t i = 0; i < config->cluster_count; i++)
        for (uint32_t e = 0; e < config->clusters[i].endpoint_count; e++)
            if (cyc_span_equal(config->clusters[i].endpoints[e].address, CYC_SPAN("builtin:demo")))
                return true;
    return false;
}

void cyc_snapshot_compile(struct cyc_snapshot *snapshot, struct cyc_stats_registry *registry,
                          struct cyc_span demo_address)
{
    const struct cyc_config *config = snapshot->config;
    struct route_maker maker = {.snapshot = snapshot, .registry = registry};

    maker.metrics = cyc_metrics_table_create(&snapshot->arena, registry);
    clusters_compile(snapshot, registry, demo_address);
    struct cyc_route **routes =
        cyc_arena_alloc(&snapshot->arena, (config->route_count + 1) * sizeof(*routes));
    for (uint32_t i = 0; i < config->route_count; i++) {
        routes[i] = cyc_arena_alloc(&snapshot->arena, sizeof(*routes[i])); /* its chain behind it */
        route_fill(&maker, routes[i], &config->routes[i]);
    }

    snapshot->listener_count = config->listener_count;
    snapshot->listeners = cyc_arena_zalloc(&snapshot->arena, (config->listener_count + 1) *
                                                                 sizeof(*snapshot->listeners));
    for (uint32_t i = 0; i < config->listener_count; i++)
        listener_compile(&maker, &snapshot->listeners[i], &config->listeners[i], routes);
    if (has_demo(config))
        demo_compile(&maker, &snapshot->listeners[snapshot->listener_count++], demo_address);
}
