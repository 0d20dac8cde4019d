/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every part of one simulated run shares: the seed's numbers, the clock, the network, and
 * where findings go.
 *
 * A run is one life of a gateway. Parts tell what they do with cyc_sim_trace() (shown with
 * --verbose, hashed always) and what must never happen with cyc_sim_complain(): one line that names
 * the seed.
 */
#ifndef CYC_TESTS_SIM_SIM_RUN_H
#define CYC_TESTS_SIM_SIM_RUN_H

#include "net/conn.h"
#include "tests/sim/io_sim.h"
#include "tests/sim/sim_net.h"

#include <stdbool.h>
#include <stdint.h>

/** Complaints shown of one run: the first few say it all. */
#define CYC_SIM_COMPLAINT_COUNT_MAX 5

struct sim_run {
    uint64_t seed;
    bool is_verbose;
    bool is_calm;   /* no faults at all: every request must succeed */
    bool is_healed; /* from now on nothing goes wrong any more */
    struct cyc_mem mem;
    struct cyc_sim_net *net;
    struct cyc_rng *rng;
    uint64_t hash; /* of everything traced */
    uint32_t complaint_count;
};

void cyc_sim_run_init(struct sim_run *run, uint64_t seed, const struct cyc_sim_faults *faults);
/** Every engine must be gone. Complains about memory that was not given back. */
void cyc_sim_run_fini(struct sim_run *run);

__attribute__((format(printf, 2, 3))) void cyc_sim_trace(struct sim_run *run, const char *format,
                                                         ...);
__attribute__((format(printf, 2, 3))) void cyc_sim_complain(struct sim_run *run, const char *format,
                                                            ...);

/** Uniform in [0, n). */
uint64_t cyc_sim_below(struct sim_run *run, uint64_t n);
/** Uniform in [min, max]. */
uint64_t cyc_sim_between(struct sim_run *run, uint64_t min, uint64_t max);
bool cyc_sim_chance(struct sim_run *run, uint32_t permille);
uint64_t cyc_sim_now_ms(const struct sim_run *run);

/** cyc_timer_set() from outside the turns of that engine, whose wheel may be behind the time. */
void cyc_sim_timer_set(struct sim_run *run, struct cyc_io *io, struct cyc_timer *timer,
                       uint64_t delay_ms);

/** Somebody with an engine: what the driver calls when it is his turn. */
struct sim_party {
    void (*turn)(struct sim_party *party);
};

/** A machine of its own for clients, services and whoever else needs timers. */
struct sim_host {
    struct sim_party party;
    struct sim_run *run;
    struct cyc_mem mem;
    struct cyc_buf_pool pool;
    struct cyc_io *io;
    struct cyc_conn_flush flush;
};

void cyc_sim_host_init(struct sim_host *host, struct sim_run *run);
/** Nothing may live on it any more. */
void cyc_sim_host_fini(struct sim_host *host);

#endif
