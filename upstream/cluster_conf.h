/* SPDX-License-Identifier: Apache-2.0 */
/* One entry of `clusters`: a named service, its endpoints and how to talk to them. */
#ifndef CYC_UPSTREAM_CLUSTER_CONF_H
#define CYC_UPSTREAM_CLUSTER_CONF_H

#include "base/span.h"
#include "conf/diag.h"

#include <stdbool.h>
#include <stdint.h>

struct cyc_arena;
struct cyc_conf_section;
struct cyc_value_problem;

enum cyc_lb_policy { CYC_LB_LEAST_REQUEST = 0, CYC_LB_ROUND_ROBIN, CYC_LB_RANDOM };

struct cyc_endpoint_conf {
    struct cyc_span address; /* "10.0.0.1:80", "[::1]:80", "unix:/path" or "name:port" */
    struct cyc_span host;    /* name part of name:port, empty otherwise */
    uint32_t port;
    bool is_dns;     /* `address` is a name to resolve and keep resolving */
    bool is_all;     /* dns://: every address is an endpoint of its own */
    uint32_t weight; /* 1..1000 */
};

struct cyc_pool_conf {
    uint32_t max_per_endpoint;
    uint32_t max_idle; /* per endpoint and worker */
    uint32_t idle_timeout_ms;
    uint32_t max_lifetime_ms; /* 0: no limit */
    uint32_t max_requests;    /* per connection; 0: no limit */
    uint32_t max_pending;     /* requests that may wait for a connection */
    uint32_t pending_timeout_ms;
};

struct cyc_cluster_conf {
    struct cyc_span name;
    struct cyc_endpoint_conf *endpoints;
    uint32_t endpoint_count;
    enum cyc_lb_policy lb_policy;
    uint32_t connect_timeout_ms;
    uint32_t dns_refresh_ms; /* 0: by the record's TTL, 1 s to 5 min */
    struct cyc_pool_conf pool;
    struct cyc_conf_mark mark; /* where it was written */
};

extern const struct cyc_conf_section cyc_cluster_section;

/** Whether a text can only be a target, never a cluster's name: it has a colon or a slash. */
bool cyc_target_is_inline(struct cyc_span text);

/**
 * Reads a target: `host:port`, `http://host[:port]`, `dns://name:port`, `unix:/path`.
 * @param arena  for the texts of the endpoint
 * @param is_builtin  also accept "builtin:demo"
 * @param ret_endpoint  `weight` is left alone
 * @return false with `problem` filled in
 */
bool cyc_cluster_target_parse(struct cyc_arena *arena, struct cyc_span text, bool is_builtin,
                              struct cyc_endpoint_conf *ret_endpoint,
                              struct cyc_value_problem *problem);

#endif
