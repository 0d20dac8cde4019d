/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Least request, by the power of two choices: two endpoints at random, the less busy one of them.
 *
 * Looking at two is nearly as good as looking at all, costs the same for any number of endpoints,
 * and does not send everybody to the same one as a strict minimum over stale numbers would.
 * Candidates are drawn in proportion to their weights and compared by requests per weight; of
 * equals the first drawn wins. So an idle service is used in proportion to the weights, a busy one
 * is loaded in proportion to them. (Uniform candidates compared by (active + 1) / weight would
 * starve light endpoints of an idle service.)
 */
#include "upstream/lb.h"

/** Another index than `index`, which stands for one draw among the others. */
static uint32_t second_draw(struct cyc_lb_set *set, uint32_t index)
{
    if (set->is_weighted)
        return cyc_lb_set_sample(set); /* may be the same: what weights mean */
    uint32_t other = (uint32_t)cyc_rng_below(set->rng, set->count - 1);
    return other + (other >= index);
}

static struct cyc_endpoint *least_request_pick(struct cyc_lb_set *set,
                                               const struct cyc_endpoint *avoid)
{
    if (set->count == 1)
        return set->endpoints[0];

    uint32_t index = cyc_lb_set_sample(set);
    struct cyc_endpoint *first = set->endpoints[cyc_lb_set_sidestep(set, index, avoid)];
    index = second_draw(set, index);
    struct cyc_endpoint *second = set->endpoints[cyc_lb_set_sidestep(set, index, avoid)];

    uint64_t first_load = (uint64_t)first->active_count * second->weight;
    uint64_t second_load = (uint64_t)second->active_count * first->weight;
    return second_load < first_load ? second : first;
}

const struct cyc_lb_vt cyc_lb_least_request = {.name = "least_request", .pick = least_request_pick};
