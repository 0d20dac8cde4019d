/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated engine: a host on a simulated network (sim_net.h).
 *
 * A wait never waits and never moves the clock: it finishes what is due now. Whoever drives the run
 * asks cyc_sim_net_pick() whose turn is next, and lets that one's owner take a turn:
 *
 *     while ((io = cyc_sim_net_pick(net, limit_ns)) != NULL)
 *         turn_of(cyc_io_sim_owner(io));
 *
 * An owner that has more to do although nothing is due (cyc_conn_flush_is_due) wakes its engine.
 * POLL ops never fire; there is no libuv loop.
 */
#ifndef CYC_TESTS_SIM_IO_SIM_H
#define CYC_TESTS_SIM_IO_SIM_H

#include "tests/sim/sim_net.h"

/** @param owner  whatever the driver wants back from cyc_io_sim_owner(); may be NULL */
struct cyc_io *cyc_io_sim_create(struct cyc_sim_net *net, const struct cyc_io_setup *setup,
                                 void *owner);
void *cyc_io_sim_owner(const struct cyc_io *io);
/** Whether a turn would find something to do now. */
bool cyc_io_sim_is_due(struct cyc_io *io);

#endif
