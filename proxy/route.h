/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which route takes a request: compiled once per configuration, walked once per request.
 *
 * The most specific match wins, in the order of the Gateway API: exact host before wildcard host
 * before any host, then exact path before the longest prefix, then a method before none, then file
 * order. The cost depends on the length of the path and the number of labels in the host, not on
 * the number of routes: every (host, path) pair that some route names is one entry of a hash table.
 */
#ifndef CYC_PROXY_ROUTE_H
#define CYC_PROXY_ROUTE_H

#include "base/arena.h"
#include "http/msg.h"
#include "proxy/config.h"

#include <stdint.h>

struct cyc_route;
struct cyc_route_table;

/** One thing to put into a table. */
struct cyc_route_rule {
    const struct cyc_route_conf *conf; /* hosts, paths, methods */
    const struct cyc_route *route;     /* what to answer */
};

/** @param rules  in file order; borrowed for the call, what they point to as long as the arena */
struct cyc_route_table *cyc_route_table_create(struct cyc_arena *arena,
                                               const struct cyc_route_rule *rules,
                                               uint32_t rule_count);

/** @return NULL when nothing matches */
const struct cyc_route *cyc_route_match(const struct cyc_route_table *table,
                                        const struct cyc_msg *req);

/** Is there a route for that very path, or for a prefix of it that is longer than "/"? */
bool cyc_route_claims_path(const struct cyc_route_table *table, const struct cyc_msg *req);

#endif
