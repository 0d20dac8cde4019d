/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request with everything known about it: what filters read and logs print.
 *
 * Filled in by the proxy as the exchange goes on; a filter may read all of it in any hook and
 * change only what its comment allows. Times are on the worker's monotonic clock, 0 while they have
 * not happened.
 */
#ifndef CYC_FILTERS_EXCHANGE_H
#define CYC_FILTERS_EXCHANGE_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/stats.h"
#include "http/fail.h"
#include "http/msg.h"
#include "net/addr.h"

#include <stdbool.h>
#include <stdint.h>

/** What a worker lends to the filters of all its requests. */
struct cyc_filter_env {
    const struct cyc_clock *clock;
    struct cyc_rng *rng;
    struct cyc_stats_block *stats;
    struct cyc_log_ring *access_log; /* NULL: off */
};

struct cyc_exchange {
    const struct cyc_filter_env *env;
    struct cyc_arena *arena; /* the request's: lives until on_done has run */
    struct cyc_msg *req;     /* as it came in; filters edit it in on_req_head */
    struct cyc_msg *res;     /* NULL until there is one */

    const struct cyc_addr *client; /* the peer */
    struct cyc_span client_ip;     /* as text: the peer's, or the one a trusted peer vouches for */
    bool is_client_trusted;        /* the peer is in the listener's trusted_proxies */
    bool is_tls;
    struct cyc_span request_id; /* set by the request_id filter */

    struct cyc_span listener_name, route_name, cluster_name;
    struct cyc_span endpoint; /* address text of the last attempt */
    uint32_t attempt_count;

    enum cyc_fail fail;     /* why it failed; NONE: it did not */
    bool is_local;          /* the answer is Cyclone's own */
    uint16_t status;        /* sent to the client; 0: none */
    uint64_t start_ns;      /* first byte of the request */
    uint64_t head_ns;       /* request head complete */
    uint64_t upstream_ns;   /* request head handed to an upstream connection (last attempt) */
    uint64_t first_byte_ns; /* response head from the upstream */
    uint64_t end_ns;
    uint64_t received_bytes; /* request body bytes from the client */
    uint64_t sent_bytes;     /* response body bytes to the client */
};

/** From the first byte of the request to its end, or to now while it goes on. */
static inline uint64_t cyc_exchange_duration_ns(const struct cyc_exchange *exchange)
{
    uint64_t end_ns = exchange->end_ns != 0 ? exchange->end_ns : exchange->env->clock->now_ns;
    return end_ns > exchange->start_ns ? end_ns - exchange->start_ns : 0;
}

#endif
