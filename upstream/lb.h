/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which endpoint gets the next request: one picker per policy, over one worker's set.
 *
 * A pick allocates nothing and costs O(1), or O(log n) where weights differ (round robin: O(n)).
 */
#ifndef CYC_UPSTREAM_LB_H
#define CYC_UPSTREAM_LB_H

#include "base/rng.h"
#include "upstream/cluster_conf.h"
#include "upstream/endpoint.h"

/** What pickers see. The array belongs to the cluster. */
struct cyc_lb_set {
    struct cyc_endpoint **endpoints;
    uint32_t count;
    bool is_weighted; /* not all weights are the same */
    uint64_t weight_sum;
    uint32_t turn; /* round robin's place */
    struct cyc_rng *rng;
};

struct cyc_lb_vt {
    const char *name; /* as the configuration has it */
    /** @param set  not empty
     *  @param avoid  not to be picked when there is another; compared, never followed; or NULL */
    struct cyc_endpoint *(*pick)(struct cyc_lb_set *set, const struct cyc_endpoint *avoid);
};

extern const struct cyc_lb_vt cyc_lb_least_request;
extern const struct cyc_lb_vt cyc_lb_round_robin;
extern const struct cyc_lb_vt cyc_lb_random;

const struct cyc_lb_vt *cyc_lb_at(enum cyc_lb_policy policy);

/** After the set's endpoints or their weights have changed. */
void cyc_lb_set_update(struct cyc_lb_set *set);
/** @return an index, at random, in proportion to the weights */
uint32_t cyc_lb_set_sample(struct cyc_lb_set *set);
/** `index`, or the one after it when that is `avoid`. */
uint32_t cyc_lb_set_sidestep(const struct cyc_lb_set *set, uint32_t index,
                             const struct cyc_endpoint *avoid);

#endif
