/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes that can never match.
 *
 * A route is a set of (host, path, method) triples, and among equal triples the first route wins.
 * So all triples of all routes are sorted, and a route whose every triple also belongs to an
 * earlier route that is open on the same listeners gets nothing. A triple that is merely wider is
 * no threat: the narrower one wins.
 */
#include "proxy/config_load.h"

#include <stdlib.h>

#define ARG(span) (int)(span).len, (span).ptr
#define TRIPLE_COUNT_MAX 1000000 /* in all; a larger configuration is not judged */
#define RIVAL_COUNT_MAX 16       /* earlier routes with the same triple that are looked at */

struct triple {
    struct cyc_span host, path, method;
    uint32_t route;
};

static int compare_keys(const struct triple *left, const struct triple *right)
{
    int order = cyc_span_compare(left->host, right->host);

    if (order == 0)
        order = cyc_span_compare(left->path, right->path);
    return order != 0 ? order : cyc_span_compare(left->method, right->method);
}

static int compare_triples(const void *a, const void *b)
{
    const struct triple *left = a, *right = b;
    int order = compare_keys(left, right);

    if (order != 0)
        return order;
    return left->route < right->route ? -1 : left->route > right->route;
}

static uint32_t at_least_one(uint32_t count)
{
    return count > 0 ? count : 1;
}

static uint64_t triple_count(const struct cyc_route_conf *route)
{
    return (uint64_t)at_least_one(route->host_count) * at_least_one(route->path_count) *
           at_least_one(route->method_count);
}

static uint32_t add_triples(struct triple *triples, const struct cyc_route_conf *route,
                            uint32_t index)
{
    uint32_t count = 0;

    for (uint32_t h = 0; h < at_least_one(route->host_count); h++)
        for (uint32_t p = 0; p < at_least_one(route->path_count); p++)
            for (uint32_t m = 0; m < at_least_one(route->method_count); m++)
                triples[count++] = (struct triple){
                    route->host_count > 0 ? route->hosts[h] : CYC_SPAN("*"),
                    route->path_count > 0 ? route->paths[p] : CYC_SPAN("/*"),
                    route->method_count > 0 ? route->methods[m] : cyc_span_of(NULL, 0),
                    index,
                };
    return count;
}

/** Whether `first` is open on every listener that `later` is. */
static bool covers_listeners(const struct cyc_route_conf *first, const struct cyc_route_conf *later)
{
    if (first->listener_count == 0)
        return true;
    for (uint32_t i = 0; i < later->listener_count; i++) {
        bool is_found = false;
        for (uint32_t j = 0; j < first->listener_count && !is_found; j++)
            is_found = cyc_span_equal(first->listeners[j], later->listeners[i]);
        if (!is_found)
            return false;
    }
    return later->listener_count > 0;
}

/** @return an earlier route that takes what `triples[at]` would; NULL: there is none */
static const struct cyc_route_conf *find_rival(const struct cyc_config *config,
                                               const struct triple *triples, uint32_t at)
{
    const struct triple *own = &triples[at];

    for (uint32_t i = at; i > 0 && at - i < RIVAL_COUNT_MAX; i--) {
        const struct triple *other = &triples[i - 1];
        if (compare_keys(other, own) != 0)
            return NULL;
        if (other->route < own->route &&
            covers_listeners(&config->routes[other->route], &config->routes[own->route]))
            return &config->routes[other->route];
    }
    return NULL;
}

static void report_route(struct cyc_config_load *load, const struct cyc_route_conf *route,
                         const struct cyc_route_conf *rival)
{
    struct cyc_diag_item *item = cyc_diag_error(load->bind.diag, &route->mark, "unreachable-route",
                                                "route \"%.*s\" can never match", ARG(route->name));

    cyc_diag_hint(load->bind.diag, item,
                  "every request it matches goes to route \"%.*s\" first (%s:%u)", ARG(rival->name),
                  rival->mark.file, rival->mark.line);
    if (item != NULL)
        item->related = rival->mark;
}

void cyc_config_check_reach(struct cyc_config_load *load)
{
    const struct cyc_config *config = &load->config;
    struct cyc_arena *scratch = load->bind.scratch;
    uint64_t total = 0;
    uint32_t count = 0;

    for (uint32_t i = 0; i < config->route_count; i++)
        total += triple_count(&config->routes[i]);
    if (total > TRIPLE_COUNT_MAX || config->route_count < 2)
        return;

    struct triple *triples = cyc_arena_alloc(scratch, total * sizeof(*triples));
    uint32_t *taken_counts = cyc_arena_zalloc(scratch, config->route_count * sizeof(uint32_t));
    const struct cyc_route_conf **rivals =
        cyc_arena_zalloc(scratch, config->route_count * sizeof(*rivals));
    for (uint32_t i = 0; i < config->route_count; i++)
        count += add_triples(triples + count, &config->routes[i], i);
    qsort(triples, count, sizeof(*triples), compare_triples);
    for (uint32_t i = 0; i < count; i++) {
        const struct cyc_route_conf *rival = find_rival(config, triples, i);
        if (rival == NULL)
            continue;
        rivals[triples[i].route] = rival;
        taken_counts[triples[i].route]++;
    }
    for (uint32_t i = 0; i < config->route_count; i++)
        if (taken_counts[i] == triple_count(&config->routes[i]))
            report_route(load, &config->routes[i], rivals[i]);
}
