/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway under test: real workers on simulated engines, and a control thread that is neither a
 * thread nor proxy/master.c, but does the same: loads configurations, opens listeners, sends views
 * and phases by letter, frees what comes back.
 *
 * Checks after every turn of a worker, and at the end of its life, are here.
 */
#ifndef CYC_TESTS_SIM_SIM_GATEWAY_H
#define CYC_TESTS_SIM_SIM_GATEWAY_H

#include "proxy/master.h"
#include "tests/sim/sim_plan.h"

struct sim_gateway;

struct sim_gateway_worker {
    struct sim_party party;
    struct sim_gateway *gateway;
    struct cyc_worker worker;
    struct cyc_log_ring *ring;
    uint64_t buffer_bytes_peak;
    bool is_done;
};

struct sim_gateway {
    struct sim_party party; /* the control thread */
    struct sim_run *run;
    struct sim_plan *plan;
    struct cyc_mem mem;
    struct cyc_buf_pool pool;
    struct cyc_io *io;
    struct cyc_mailbox inbox;
    struct cyc_shared shared;
    struct cyc_master master; /* only to register the core metrics */
    struct cyc_stats_block *blocks[CYC_SIM_WORKER_COUNT_MAX];
    struct sim_gateway_worker workers[CYC_SIM_WORKER_COUNT_MAX];
    uint32_t worker_count;
    struct cyc_snapshot *current;
    uint64_t epoch;
    uint32_t snapshot_count, letter_count; /* alive */
    bool is_open[CYC_SIM_LISTENER_COUNT_MAX];
    uint32_t removed_counts[CYC_SIM_LISTENER_COUNT_MAX]; /* how often it was taken away */
    struct cyc_timer drain_timer;
    enum cyc_worker_phase phase;
    uint64_t access_line_count;
};

/** Starts the workers and publishes the plan's configuration. */
void cyc_sim_gateway_start(struct sim_gateway *gateway, struct sim_run *run, struct sim_plan *plan);
/** Loads the configuration of the plan anew. Ignored once it drains. */
void cyc_sim_gateway_reload(struct sim_gateway *gateway);
/** Other endpoints for some cluster, as after a DNS answer. */
void cyc_sim_gateway_change_endpoints(struct sim_gateway *gateway);
/** Complains about client connections: all clients have gone. */
void cyc_sim_gateway_check_settled(struct sim_gateway *gateway);
/** SIGTERM; the second one ends it at once. */
void cyc_sim_gateway_drain(struct sim_gateway *gateway);
bool cyc_sim_gateway_is_done(const struct sim_gateway *gateway);
/** After is_done: nothing may be left of it. */
void cyc_sim_gateway_fini(struct sim_gateway *gateway);

#endif
