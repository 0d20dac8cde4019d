/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One configuration, compiled: what workers run on.
 *
 * Built whole on the control thread, then never changed. Workers get the pointer by letter and pin
 * the snapshot per stream; when none needs it any more they say so and the control thread frees the
 * arena. State (pools, counters, health) lives elsewhere and is adopted by the next one.
 */
#ifndef CYC_PROXY_SNAPSHOT_H
#define CYC_PROXY_SNAPSHOT_H

#include "base/arena.h"
#include "base/stats.h"
#include "filters/filter.h"
#include "proxy/config.h"
#include "proxy/route.h"
#include "upstream/cluster.h"

#include <stdbool.h>
#include <stdint.h>

/** What answers a request. */
enum cyc_route_kind {
    CYC_ROUTE_KIND_CLUSTER, /* forwarded */
    CYC_ROUTE_KIND_RESPOND, /* fixed status and body */
    CYC_ROUTE_KIND_FAIL,    /* a failure of fail.def: no route */
    CYC_ROUTE_KIND_HEALTH,  /* /health, /ready, /health/deep */
    CYC_ROUTE_KIND_DEMO,    /* the built-in demo service */
};

struct cyc_route {
    struct cyc_span name;
    enum cyc_route_kind kind;
    uint32_t cluster_index;
    enum cyc_fail fail;
    uint32_t respond_status;
    struct cyc_span respond_body, respond_content_type;
    uint32_t timeout_ms, first_byte_timeout_ms;
    uint64_t max_body_bytes; /* 0: unlimited; UINT64_MAX: what the listener says */
    struct cyc_retry_conf retry;
    struct cyc_chain_entry *entries;
    uint32_t entry_count;
};

struct cyc_listener_spec {
    const struct cyc_listener_conf *conf;
    struct cyc_addr addr;
    struct cyc_route_table *table;
    const struct cyc_route *default_route; /* nothing matched */
    const struct cyc_route *health_route;  /* NULL: health_endpoints are off */
    enum cyc_health_endpoints health;
    uint32_t connection_count_max; /* of the process: shared out among the workers */
    bool is_demo;
};

struct cyc_cluster_spec {
    const struct cyc_cluster_conf *conf;
    struct cyc_upstream_slots slots;
    struct cyc_endpoint_spec *endpoints; /* those that need no resolving */
    uint32_t endpoint_count;
    bool needs_dns;
};

struct cyc_snapshot {
    struct cyc_arena arena;
    uint64_t epoch;
    const struct cyc_config *config;
    struct cyc_listener_spec *listeners;
    uint32_t listener_count;
    struct cyc_cluster_spec *clusters;
    uint32_t cluster_count;
    uint32_t unreleased_count; /* control thread: workers that still may use it */
};

/** Statistics slots that do not depend on the configuration. */
struct cyc_core_slots {
    uint32_t connections_active, connections_total, connections_refused, accept_failures,
        requests_active, streams_refused, reloads, recv_parked, zero_copy;
};

/**
 * Compiles `config` (whose texts live in `snapshot->arena`).
 * @param demo_address  where the built-in demo service listens ("unix:@..."), empty: nowhere
 */
void cyc_snapshot_compile(struct cyc_snapshot *snapshot, struct cyc_stats_registry *registry,
                          struct cyc_span demo_address);

#endif
