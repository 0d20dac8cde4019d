/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service behind the gateway: one address on a machine of its own.
 *
 * It reads requests with the second parser, checks that somebody asked for exactly that, and
 * answers by a script of the seed. It may also not be there at all, or never accept.
 */
#ifndef CYC_TESTS_SIM_SIM_SERVICE_H
#define CYC_TESTS_SIM_SIM_SERVICE_H

#include "tests/sim/sim_ledger.h"

enum sim_presence {
    SIM_PRESENCE_THERE,
    SIM_PRESENCE_ABSENT, /* nobody listens: connects are refused */
    SIM_PRESENCE_DEAF,   /* listens and never accepts */
};

struct sim_service {
    struct sim_host host;
    struct sim_ledger *ledger;
    uint32_t index;
    enum sim_presence presence;
    uint32_t mischief_permille;   /* answers that go wrong */
    uint32_t idle_close_permille; /* connections it closes whenever it likes */
    struct cyc_addr addr;
    struct cyc_op accept;
    struct cyc_timer accept_timer; /* after EMFILE: again in a moment */
    struct cyc_list conns;
    int fd;
    bool is_stopping;
};

void cyc_sim_service_start(struct sim_service *service, struct sim_run *run,
                           struct sim_ledger *ledger, uint32_t index, enum sim_presence presence);
/** Closes everything; turns until it is gone. */
void cyc_sim_service_stop(struct sim_service *service);
bool cyc_sim_service_is_gone(const struct sim_service *service);
/** After is_gone. */
void cyc_sim_service_fini(struct sim_service *service);
/** "10.9.0.<index + 1>:80", as in the configuration. */
size_t cyc_sim_service_address(uint32_t index, char out[32]);

#endif
