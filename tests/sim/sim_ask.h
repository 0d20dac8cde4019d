/* SPDX-License-Identifier: Apache-2.0 */
/* What a client asks: chosen by the seed, and written as bytes. */
#ifndef CYC_TESTS_SIM_SIM_ASK_H
#define CYC_TESTS_SIM_SIM_ASK_H

#include "tests/sim/sim_ledger.h"

/** Decides everything about a request but its ids. @param may_be_old  HTTP/1.0: not behind another,
 * whose answer would go down with the reset that a cut answer of 1.0 ends with */
void cyc_sim_ask_draw(struct sim_run *run, struct sim_request *request, bool may_be_old);
/** A plain one that must succeed when nothing goes wrong. */
void cyc_sim_ask_draw_probe(struct sim_run *run, struct sim_request *request, uint32_t group);
/** The head, or all of a malformed request. */
void cyc_sim_ask_head(struct sim_run *run, const struct sim_request *request, struct cyc_buf *out);
/** The writer of its body, or of what goes into its tunnel. */
struct sim_writer cyc_sim_ask_body(const struct sim_request *request, bool is_tunnel);
/** Such a request may be answered before what is wrong with it was seen. */
bool cyc_sim_ask_has_good_head(const struct sim_request *request);
/** Nothing can follow it on its connection. */
bool cyc_sim_ask_is_last(const struct sim_request *request);

#endif
