/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Round robin: every endpoint in its turn.
 *
 * With equal weights that is an index going round. With different ones it is the smooth variant (as
 * in nginx): each pick gives every endpoint its weight in credit, the richest is picked and pays
 * the sum of all weights. 5:1:1 so becomes a a b a c a a, not a a a a a b c.
 */
#include "upstream/lb.h"

#include "base/assert.h"

static struct cyc_endpoint *turn_pick(struct cyc_lb_set *set, const struct cyc_endpoint *avoid)
{
    if (set->turn >= set->count)
        set->turn = 0;
    uint32_t index = cyc_lb_set_sidestep(set, set->turn, avoid);
    set->turn = index + 1;
    return set->endpoints[index];
}

static struct cyc_endpoint *smooth_pick(struct cyc_lb_set *set, const struct cyc_endpoint *avoid)
{
    struct cyc_endpoint *best = NULL;

    for (uint32_t i = 0; i < set->count; i++) {
        struct cyc_endpoint *endpoint = set->endpoints[i];
        endpoint->turn_credit += endpoint->weight;
        if (endpoint != avoid && (best == NULL || endpoint->turn_credit > best->turn_credit))
            best = endpoint;
    }
    cyc_assert(best != NULL); /* at most one is avoided, and there are two */
    best->turn_credit -= (int64_t)set->weight_sum;
    return best;
}

static struct cyc_endpoint *round_robin_pick(struct cyc_lb_set *set,
                                             const struct cyc_endpoint *avoid)
{
    if (set->count == 1)
        return set->endpoints[0];
    return set->is_weighted ? smooth_pick(set, avoid) : turn_pick(set, avoid);
}

const struct cyc_lb_vt cyc_lb_round_robin = {.name = "round_robin", .pick = round_robin_pick};
