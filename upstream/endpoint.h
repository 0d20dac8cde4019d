/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One address of a service, as one worker knows it: who uses it and its connections by state.
 *
 * Every connection is in exactly one of the state lists; only cyc_upstream_conn_set_state() moves
 * it. An endpoint that no configuration names any more is removed: it is not picked again, its idle
 * connections close, what is leased runs out, and it is freed at the end of a turn in which neither
 * a connection nor an attempt belongs to it.
 */
#ifndef CYC_UPSTREAM_ENDPOINT_H
#define CYC_UPSTREAM_ENDPOINT_H

#include "base/list.h"
#include "net/addr.h"
#include "upstream/cluster.h"

#include <stdbool.h>
#include <stdint.h>

/** Of a connection to a service. */
enum cyc_upstream_state {
    CYC_UPSTREAM_CONNECTING = 0,
    CYC_UPSTREAM_IDLE,    /* in the pool, a read armed */
    CYC_UPSTREAM_LEASED,  /* serves one attempt */
    CYC_UPSTREAM_CLOSING, /* until the last op is back */
    CYC_UPSTREAM_STATE_COUNT
};

struct cyc_endpoint {
    struct cyc_cluster *cluster;
    uint32_t active_count; /* attempts that picked it and have not ended */
    uint32_t weight;       /* at least 1 */
    uint64_t weight_end;   /* sum of the weights in the set up to and with this one */
    int64_t turn_credit;   /* round robin's */
    struct cyc_list conns[CYC_UPSTREAM_STATE_COUNT]; /* the last to enter first */
    uint32_t conn_counts[CYC_UPSTREAM_STATE_COUNT];
    struct cyc_upstream_slots slots;
    struct cyc_addr addr;
    struct cyc_span authority; /* owned: "host:port" as configured */
    struct cyc_span text;      /* of `addr`, in text_bytes */
    struct cyc_list link;      /* in upstreams->removed */
    bool is_removed;
    bool is_kept; /* scratch of cyc_cluster_set_endpoints */
    char text_bytes[CYC_ADDR_TEXT_BYTES_MAX];
};

/** Copies `spec`. */
struct cyc_endpoint *cyc_endpoint_create(struct cyc_cluster *cluster,
                                         const struct cyc_endpoint_spec *spec);
/** Neither a connection nor an attempt may belong to it. */
void cyc_endpoint_destroy(struct cyc_endpoint *endpoint);
/** Same address, perhaps another weight, authority or statistics slots: gauges move along. */
void cyc_endpoint_update(struct cyc_endpoint *endpoint, const struct cyc_endpoint_spec *spec);

/** Connections in every state, those that are closing too: the service may still see them. */
static inline uint32_t cyc_endpoint_conn_count(const struct cyc_endpoint *endpoint)
{
    const uint32_t *counts = endpoint->conn_counts;
    return counts[CYC_UPSTREAM_CONNECTING] + counts[CYC_UPSTREAM_IDLE] +
           counts[CYC_UPSTREAM_LEASED] + counts[CYC_UPSTREAM_CLOSING];
}

/** An attempt was given this endpoint. */
void cyc_endpoint_enter(struct cyc_endpoint *endpoint);
/** That attempt ended. */
void cyc_endpoint_leave(struct cyc_endpoint *endpoint, bool is_failed);

#endif
