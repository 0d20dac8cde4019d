/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One event loop with everything it owns: a value, not a thread.
 *
 * cyc_worker_turn() is the whole loop body, so a thread runs it for ever and the simulator runs
 * many workers in one thread in whatever order its seed picks. Nothing in a worker is locked: the
 * control thread sends letters, the worker answers with letters, and counters have one writer.
 */
#ifndef CYC_PROXY_WORKER_H
#define CYC_PROXY_WORKER_H

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/slab.h"
#include "base/stats.h"
#include "filters/exchange.h"
#include "http/date.h"
#include "net/conn.h"
#include "proxy/mailbox.h"
#include "proxy/snapshot.h"
#include "upstream/cluster.h"

#include <stdbool.h>
#include <stdint.h>

/** What every thread may read about the process. Written by the control thread, with relaxed
 * atomics. */
struct cyc_shared {
    uint32_t is_ready;    /* configuration loaded, listeners open */
    uint32_t is_draining; /* SIGTERM was seen: /ready says 503, answers carry Connection: close */
    uint32_t is_stuck;    /* a worker's loop has not turned for too long */
    uint32_t worker_count;
    uint64_t config_epoch;
    uint64_t start_wall_ns;
    struct cyc_io_choice io_choice;
};

struct cyc_view;

enum cyc_worker_phase {
    CYC_WORKER_RUNNING,
    CYC_WORKER_DRAINING, /* still accepts; every answer is the last of its connection */
    CYC_WORKER_CLOSING, /* accepts no more, idle connections close; leaves when the last has gone */
    CYC_WORKER_ABORTING, /* cuts what is left */
    CYC_WORKER_DONE,
};

struct cyc_worker {
    uint32_t index, count;
    enum cyc_worker_phase phase;
    struct cyc_mem mem;
    struct cyc_buf_pool pool;
    struct cyc_io *io;
    struct cyc_conn_flush flush;
    struct cyc_rng rng;
    struct cyc_stats_block *stats; /* borrowed */
    const struct cyc_core_slots *slots;
    struct cyc_log log;
    struct cyc_filter_env filter_env;
    struct cyc_date_cache date;
    struct cyc_upstreams *upstreams;
    struct cyc_slab downstream_slab, stream_slab;
    struct cyc_mailbox inbox;
    struct cyc_mailbox *control; /* where letters go back to */
    void (*wake_control)(void *owner);
    void *control_owner;
    const struct cyc_shared *shared;
    struct cyc_list listeners, downstreams;
    struct cyc_list wishes; /* downstreams whose codec wants something applied */
    struct cyc_list ended;  /* streams to be freed at the end of the turn */
    struct cyc_view *view;  /* current; NULL before the first */
    struct cyc_list old_views;
    uint64_t
        heartbeat_ns; /* atomic: when the last turn began; the control thread looks for stalls */
};

/** What a worker is made of; all borrowed for its life. */
struct cyc_worker_setup {
    uint32_t index, count;
    uint64_t seed, memory_limit_bytes;
    struct cyc_stats_block *stats;
    const struct cyc_core_slots *slots;
    struct cyc_log_ring *ring;
    enum cyc_log_level log_level;
    enum cyc_log_format log_format;
    bool is_access_logged;
    struct cyc_mailbox *control;
    void (*wake_control)(void *owner);
    void *control_owner;
    const struct cyc_shared *shared;
};

/** The first half: no I/O yet, so any thread may do it. */
void cyc_worker_init(struct cyc_worker *worker, const struct cyc_worker_setup *setup);
/** The second: on the thread that will run it. Takes the engine, which was made with the worker's
 *  `mem` and `pool`. */
void cyc_worker_start(struct cyc_worker *worker, struct cyc_io *io);
/** One turn, waiting at most that long for something to do. @return false when the worker is done
 */
bool cyc_worker_turn(struct cyc_worker *worker, uint64_t wait_ns_max);
/** After the last turn. Frees everything the worker owns, the engine included. */
void cyc_worker_fini(struct cyc_worker *worker);

/* Control thread. */

/** What the letter of a new view does: adopts its clusters and listeners, makes it current. */
void cyc_worker_run_view(struct cyc_letter *letter, void *owner);
/** The letter comes back to the control mailbox. */
void cyc_worker_post(struct cyc_worker *worker, struct cyc_letter *letter);

/* For the worker's own parts. */
/** Moves on to `phase` (never back) and does what it implies. */
void cyc_worker_set_phase(struct cyc_worker *worker, enum cyc_worker_phase phase);

#endif
