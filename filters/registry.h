/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filters of this build, and how a route's features become its chain.
 *
 * One fixed order, outermost first, so that nobody has to think about it:
 *
 *   metrics            counts what really went out
 *   access_log         writes what really went out
 *   request_id         before anything that may answer, so that every answer has one
 *   request_headers    edits what the service sees
 *   response_headers   has the last word on what the client sees, security_headers included
 *   security_headers   fills in what the service did not say
 *
 * A filter with nothing to do on a route is not in its chain.
 */
#ifndef CYC_FILTERS_REGISTRY_H
#define CYC_FILTERS_REGISTRY_H

#include "base/arena.h"
#include "filters/feature_conf.h"
#include "filters/filter.h"
#include "filters/metrics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What filters must know about the route beyond its features. Spans live as long as the arena. */
struct cyc_filter_route {
    struct cyc_span route_name;
    const struct cyc_metrics_table *metrics; /* may be NULL when not is_metered */
    bool is_metered;
    bool is_access_logged;
    bool is_log_text;          /* else JSON */
    uint32_t sample_permyriad; /* of requests that did not fail; 10000: all */
};

/**
 * Compiles the features of one route. Control thread.
 * @param arena  of the snapshot: everything the chain needs at run time goes there
 * @param ret_entries  room for CYC_CHAIN_FILTER_COUNT_MAX
 * @return entries written
 */
uint32_t cyc_registry_build(struct cyc_arena *arena, struct cyc_stats_registry *registry,
                            const struct cyc_feature_conf *features,
                            const struct cyc_filter_route *route,
                            struct cyc_chain_entry *ret_entries);

/** All filters in order, for listings. @return NULL after the last */
const struct cyc_filter_vt *cyc_filter_at(size_t i);

/* ---- the filters: compiled configuration and vtable ------------------------------------------ */

struct cyc_request_id_conf {
    bool is_always_new; /* believe nobody */
};
extern const struct cyc_filter_vt cyc_request_id_filter;

struct cyc_access_log_filter_conf {
    bool is_text;
    uint32_t sample_permyriad;
};
extern const struct cyc_filter_vt cyc_access_log_filter;

/** One filter per direction, so that the other costs nothing. */
extern const struct cyc_filter_vt cyc_request_headers_filter;
extern const struct cyc_filter_vt cyc_response_headers_filter;
/** @return the compiled edits, NULL when there are none */
const void *cyc_headers_compile(struct cyc_arena *arena, struct cyc_stats_registry *registry,
                                const struct cyc_headers_conf *conf);

extern const struct cyc_filter_vt cyc_security_headers_filter;
/** @return static; NULL when the preset is OFF */
const void *cyc_security_headers_preset(enum cyc_security_preset preset);

extern const struct cyc_filter_vt cyc_metrics_filter;
const void *cyc_metrics_compile(struct cyc_arena *arena, struct cyc_stats_registry *registry,
                                const struct cyc_metrics_table *table, struct cyc_span route_name);

#endif
