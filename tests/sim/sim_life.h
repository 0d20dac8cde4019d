/* SPDX-License-Identifier: Apache-2.0 */
/* One seed, one life of a gateway with everything around it. */
#ifndef CYC_TESTS_SIM_SIM_LIFE_H
#define CYC_TESTS_SIM_SIM_LIFE_H

#include <stdbool.h>
#include <stdint.h>

/** What is worth knowing about many of them. */
struct sim_life_result {
    uint32_t complaint_count;
    uint64_t trace_hash;
    uint64_t request_count, answered_count, reload_count, turn_count;
    uint64_t buffer_bytes_peak;
};

/** How much is printed on the way. */
enum sim_telling { SIM_TELLING_NOTHING = 0, SIM_TELLING_STORY, SIM_TELLING_OPS };

struct sim_life_result cyc_sim_life(uint64_t seed, enum sim_telling telling);

#endif
