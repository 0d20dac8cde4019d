/* SPDX-License-Identifier: Apache-2.0 */
/* At the end of a gateway's life its metrics must add up. */
#ifndef CYC_TESTS_SIM_SIM_BOOKS_H
#define CYC_TESTS_SIM_SIM_BOOKS_H

struct sim_gateway;

/** Requests counted once under each view of them, one log line each, and every gauge back at 0. */
void cyc_sim_books_check(struct sim_gateway *gateway);

#endif
