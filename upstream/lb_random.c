/* SPDX-License-Identifier: Apache-2.0 */
/* Random: each endpoint in proportion to its weight, whatever it is doing. */
#include "upstream/lb.h"

static struct cyc_endpoint *random_pick(struct cyc_lb_set *set, const struct cyc_endpoint *avoid)
{
    if (set->count == 1)
        return set->endpoints[0];
    return set->endpoints[cyc_lb_set_sidestep(set, cyc_lb_set_sample(set), avoid)];
}

const struct cyc_lb_vt cyc_lb_random = {.name = "random", .pick = random_pick};
