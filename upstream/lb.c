/* SPDX-License-Identifier: Apache-2.0 */
/* What the pickers share: the list of them, and a random endpoint in proportion to the weights. */
#include "upstream/lb.h"

#include "base/assert.h"

const struct cyc_lb_vt *cyc_lb_at(enum cyc_lb_policy policy)
{
    static const struct cyc_lb_vt *const all[] = {
        [CYC_LB_LEAST_REQUEST] = &cyc_lb_least_request,
        [CYC_LB_ROUND_ROBIN] = &cyc_lb_round_robin,
        [CYC_LB_RANDOM] = &cyc_lb_random,
    };
    cyc_assert((unsigned)policy < sizeof(all) / sizeof(all[0]));
    return all[policy];
}

void cyc_lb_set_update(struct cyc_lb_set *set)
{
    set->weight_sum = 0;
    set->is_weighted = false;
    for (uint32_t i = 0; i < set->count; i++) {
        struct cyc_endpoint *endpoint = set->endpoints[i];
        set->weight_sum += endpoint->weight;
        endpoint->weight_end = set->weight_sum;
        endpoint->turn_credit = 0;
        set->is_weighted |= endpoint->weight != set->endpoints[0]->weight;
    }
}

/** The first endpoint whose weights end after `mark`. */
static uint32_t weights_search(const struct cyc_lb_set *set, uint64_t mark)
{
    uint32_t low = 0, high = set->count - 1;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (set->endpoints[middle]->weight_end > mark)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

uint32_t cyc_lb_set_sample(struct cyc_lb_set *set)
{
    cyc_assert(set->count > 0);

    if (set->is_weighted)
        return weights_search(set, cyc_rng_below(set->rng, set->weight_sum));
    return (uint32_t)cyc_rng_below(set->rng, set->count);
}

uint32_t cyc_lb_set_sidestep(const struct cyc_lb_set *set, uint32_t index,
                             const struct cyc_endpoint *avoid)
{
    if (CYC_LIKELY(set->endpoints[index] != avoid))
        return index;
    return index + 1 < set->count ? index + 1 : 0;
}
