/* SPDX-License-Identifier: Apache-2.0 */
/* Is what a client got right, and may its request have ended that way? */
#ifndef CYC_TESTS_SIM_SIM_VERDICT_H
#define CYC_TESTS_SIM_SIM_VERDICT_H

#include "tests/sim/sim_client.h"

/** Looks at the final head in client->wire; sets client->arrival when a service made it. */
void cyc_sim_verdict_head(struct sim_client *client, struct sim_request *request);
/** The answer looks complete. Ends the request. */
void cyc_sim_verdict_whole(struct sim_client *client, struct sim_request *request);
/** The connection ended first. Ends the request. @return whether to ask again */
bool cyc_sim_verdict_broken(struct sim_client *client, struct sim_request *request);

#endif
