/* SPDX-License-Identifier: Apache-2.0 */
/* What cluster.h keeps opaque: for the files of this layer only. */
#ifndef CYC_UPSTREAM_CLUSTER_STATE_H
#define CYC_UPSTREAM_CLUSTER_STATE_H

#include "base/map.h"
#include "base/slab.h"
#include "upstream/attempt.h"
#include "upstream/cluster.h"
#include "upstream/lb.h"

struct cyc_cluster {
    struct cyc_upstreams *upstreams;
    const struct cyc_lb_vt *lb;
    struct cyc_lb_set set;     /* its endpoints; owns the array and them */
    struct cyc_pool_conf pool; /* process-wide counts already are this worker's share */
    uint32_t connect_timeout_ms;
    uint32_t attempt_count;  /* that have not ended */
    uint32_t endpoint_count; /* those in the set, and removed ones not yet freed */
    uint32_t room_turn;      /* where the last search for room ended */
    struct cyc_list waiting; /* attempts, in order of arrival */
    uint32_t waiting_count;
    struct cyc_upstream_slots slots;
    struct cyc_span name; /* owned */
    struct cyc_list link; /* in upstreams->dropped, once it is */
    bool is_dropped;
    bool is_unresolved; /* nobody has said yet what its endpoints are: requests wait for that */
};

struct cyc_upstreams {
    struct cyc_upstream_env env;
    struct cyc_slab conns;
    struct cyc_map clusters; /* by name, without the dropped ones */
    struct cyc_list due;     /* attempts with something to report */
    struct cyc_list idle;    /* every idle connection, the longest idle first */
    uint32_t idle_count, idle_count_max;
    struct cyc_list removed; /* endpoints */
    struct cyc_list dropped; /* clusters */
    bool is_reap_due;        /* something in `removed` or `dropped` may be freed */
    bool is_pooling, is_closing;
    struct cyc_sock_options sock_options;
    struct cyc_codec_limits limits;
};

/** cyc_upstreams_run() will tell. */
static inline void cyc_upstreams_add_due(struct cyc_upstreams *upstreams,
                                         struct cyc_attempt *attempt)
{
    if (!cyc_list_is_linked(&attempt->link))
        cyc_list_add_back(&upstreams->due, &attempt->link);
}

#endif
