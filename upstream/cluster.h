/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's view of the services: clusters, their endpoints, their connections.
 *
 * Config is in the snapshot; here is the state, which outlives it: keyed by cluster name and
 * endpoint address, adopted by the next configuration, drained when it names them no more. Nothing
 * here locks: every worker has its own.
 */
#ifndef CYC_UPSTREAM_CLUSTER_H
#define CYC_UPSTREAM_CLUSTER_H

#include "base/list.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/stats.h"
#include "http/codec.h"
#include "net/conn.h"
#include "upstream/cluster_conf.h"

#include <stdbool.h>
#include <stdint.h>

struct cyc_cluster;
struct cyc_endpoint;
struct cyc_upstreams;

/** What a worker lends to its upstream side. All borrowed for the life of the upstreams. */
struct cyc_upstream_env {
    struct cyc_io *io;
    struct cyc_conn_flush *flush;
    struct cyc_mem *mem;
    struct cyc_rng *rng;
    struct cyc_stats_block *stats;
    struct cyc_log *log;
    uint32_t worker_count; /* process-wide limits are shared out evenly */
};

/**
 * Statistics slots of one cluster or endpoint, allocated on the control thread (0: nobody cares).
 * What happens to a request that has an endpoint is counted there; `pending`, and failures of
 * requests that got none, are counted in the cluster's. Give all the same slots to have sums per
 * cluster.
 */
struct cyc_upstream_slots {
    uint32_t requests, fails, connects, connect_fails, active, idle, pending, reused, stale,
        retries, sent_bytes, received_bytes;
};

/** One endpoint as the control thread knows it: resolved. */
struct cyc_endpoint_spec {
    struct cyc_addr addr;
    struct cyc_span authority; /* "host:port" as configured: Host of requests that have none */
    uint32_t weight;
    struct cyc_upstream_slots slots;
};

/** Creates the empty set. */
struct cyc_upstreams *cyc_upstreams_create(const struct cyc_upstream_env *env);
/** Every connection must be closed (cyc_upstreams_close, then turns until is_idle). */
void cyc_upstreams_destroy(struct cyc_upstreams *upstreams);
/**
 * Reports what attempts could not report inside a call (failures at the start, readiness) and frees
 * endpoints and clusters that are gone. Once a turn, after all events and before the flush.
 */
void cyc_upstreams_run(struct cyc_upstreams *upstreams);
/** Something is left for cyc_upstreams_run: do not wait before it. */
bool cyc_upstreams_is_due(const struct cyc_upstreams *upstreams);
/** Closes idle connections and, as leases come back, all others. */
void cyc_upstreams_close(struct cyc_upstreams *upstreams);
bool cyc_upstreams_is_idle(const struct cyc_upstreams *upstreams);

/** Network options from now on (after each configuration). */
void cyc_upstreams_set_network(struct cyc_upstreams *upstreams,
                               const struct cyc_network_conf *network,
                               const struct cyc_codec_limits *limits);

/**
 * Adopts or creates the cluster of that name. What is needed of `conf` is copied.
 */
struct cyc_cluster *cyc_cluster_adopt(struct cyc_upstreams *upstreams,
                                      const struct cyc_cluster_conf *conf,
                                      const struct cyc_upstream_slots *slots);
/** No configuration names it any more: idle connections close, leases run out, then it is gone. No
 *  attempt may be started on it from now on. */
void cyc_cluster_drop(struct cyc_cluster *cluster);
struct cyc_cluster *cyc_cluster_find(struct cyc_upstreams *upstreams, struct cyc_span name);

/** The endpoints from now on (configuration or DNS); those that stay keep their connections.
 * Copied. */
void cyc_cluster_set_endpoints(struct cyc_cluster *cluster, const struct cyc_endpoint_spec *specs,
                               uint32_t spec_count);
uint32_t cyc_cluster_endpoint_count(const struct cyc_cluster *cluster);
struct cyc_span cyc_cluster_name(const struct cyc_cluster *cluster);

#endif
