/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control thread: configuration, signals, workers' lives. Nothing of a request passes here.
 *
 * It has an I/O engine of its own (always libuv's), on which the admin listener, DNS and signals
 * live. Workers are reached by letters only.
 */
#ifndef CYC_PROXY_MASTER_H
#define CYC_PROXY_MASTER_H

#include "base/log_writer.h"
#include "net/conn.h"
#include "proxy/config.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

#define CYC_WORKER_COUNT_MAX 1024
/** Exit status of a configuration that does not load (sysexits.h EX_CONFIG). */
#define CYC_EXIT_CONFIG 78

struct cyc_discover;

struct cyc_worker_thread {
    struct cyc_worker worker;
    struct cyc_master *master;
    struct cyc_log_ring *ring;
    pthread_t thread;
    sem_t started;    /* posted when the engine runs, or could not be made */
    int error;        /* negative errno: no engine */
    uint32_t is_done; /* atomic: the worker has left its loop */
};

/** A listening address, open for every worker. */
struct cyc_open_listener {
    struct cyc_addr wanted; /* as configured; port 0: any, and then `name` tells them apart */
    char name[64];
    uint32_t name_len;
    struct cyc_addr actual;
    bool is_used; /* by the configuration being loaded */
    bool is_new;  /* opened for it */
};

#define CYC_LISTENER_COUNT_MAX 256

struct cyc_master {
    struct cyc_mem mem;
    struct cyc_buf_pool pool;
    struct cyc_io *io;
    struct cyc_conn_flush flush;
    struct cyc_mailbox inbox;
    struct cyc_shared shared;
    struct cyc_log log;
    struct cyc_log_ring *ring;
    struct cyc_log_writer *writer;
    struct cyc_stats_registry *registry;
    struct cyc_stats_block **blocks; /* one per worker; the last is the control thread's own */
    struct cyc_core_slots slots;
    struct cyc_worker_thread *threads;
    uint32_t worker_count, block_count;
    struct cyc_snapshot *current;
    uint64_t epoch;
    struct cyc_open_listener listeners[CYC_LISTENER_COUNT_MAX];
    uint32_t listener_count;
    struct cyc_discover *discover;
    const char *config_path; /* NULL: the embedded demo */
    const char *const *environment;
    struct cyc_span demo_address;
    char demo_address_text[64];
    struct cyc_op signal_op;
    int signal_fd;
    struct cyc_timer housekeeping, drain_timer;
    enum cyc_worker_phase phase;
    uint64_t last_reload_wall_ns, file_stamp;
    double cpu_seen_s, cpu_used_s, cpu_last; /* cyclone_cpu_utilization at the last scrape */
    void *kind_readers;                      /* admin/ep_metrics.c */
    bool is_last_reload_ok;
    bool has_timed_out; /* the grace period ended with requests in flight */
};

/** What to run, from the command line. */
struct cyc_master_options {
    const char *config_path;        /* NULL: the embedded demo */
    const char *const *environment; /* as environ */
};

/**
 * Loads the configuration, starts the workers, opens the listeners. Errors are said on stderr.
 * @return 0, or an exit status
 */
int cyc_master_start(struct cyc_master *master, const struct cyc_master_options *options);
/** Runs until every worker is done. @return exit status */
int cyc_master_loop(struct cyc_master *master);
void cyc_master_fini(struct cyc_master *master);

/** Loads the configuration file again. @return false when nothing changed because of errors; they
 * are logged, and rendered into `ret_report` (in `arena`) when that is not NULL */
bool cyc_master_reload(struct cyc_master *master, struct cyc_arena *arena,
                       struct cyc_span *ret_report);
/** Begins to shut down. @param is_delayed  keep accepting for server.drain_delay first */
void cyc_master_drain(struct cyc_master *master, bool is_delayed);

#endif
