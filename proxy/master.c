/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/master.h"

#include "base/assert.h"
#include "proxy/cpu.h"
#include "proxy/discover.h"
#include "proxy/master_internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define HOUSEKEEPING_MS 1000
/* Workers turn at least this often, so that a stuck one is told from an idle one. */
#define WORKER_WAIT_NS (2 * CYC_NS_PER_S)
#define MASTER_WAIT_NS CYC_NS_PER_S

/* ---- workers ----------------------------------------------------------------------------------
 */

static void master_wake(void *owner)
{
    struct cyc_master *master = owner;
    cyc_io_wake(master->io);
}

static void *worker_main(void *arg)
{
    struct cyc_worker_thread *thread = arg;
    struct cyc_master *master = thread->master;
    const struct cyc_config *config = master->current->config;
    struct cyc_io_setup setup = {
        .mem = &thread->worker.mem,
        .pool = &thread->worker.pool,
        .network = &config->network,
        .timer = &config->timer,
    };
    struct cyc_io *io = cyc_io_create(&master->shared.io_choice, &setup, &thread->error);

    if (io == NULL) {
        sem_post(&thread->started);
        return NULL;
    }
    cyc_worker_start(&thread->worker, io);
    sem_post(&thread->started);
    while (cyc_worker_turn(&thread->worker, WORKER_WAIT_NS))
        continue;
    /* Descriptors the last turn closed: a ring takes orders from its own thread only, and a
     * listener left open would leave callers without an answer while other workers go on. */
    cyc_io_turn(io, 0);
    __atomic_store_n(&thread->is_done, 1, __ATOMIC_RELEASE);
    master_wake(master);
    return NULL;
}

static void worker_prepare(struct cyc_master *master, uint32_t index, uint64_t memory_bytes)
{
    const struct cyc_config *config = master->current->config;
    struct cyc_worker_thread *thread = &master->threads[index];
    uint64_t seed;

    cyc_rng_kernel_bytes(&seed, sizeof(seed));
    thread->master = master;
    thread->ring = cyc_log_ring_create(&master->mem, cyc_master_ring_bytes(config));
    cyc_log_writer_add_ring(master->writer, thread->ring);
    cyc_worker_init(&thread->worker, &(struct cyc_worker_setup){
                                         .index = index,
                                         .count = master->worker_count,
                                         .seed = seed,
                                         .memory_limit_bytes = memory_bytes,
                                         .stats = master->blocks[index],
                                         .slots = &master->slots,
                                         .ring = thread->ring,
                                         .log_level = master->log.level,
                                         .log_format = master->log.format,
                                         .is_access_logged = config->access_log.is_enabled,
                                         .control = &master->inbox,
                                         .wake_control = master_wake,
                                         .control_owner = master,
                                         .shared = &master->shared,
                                     });
    sem_init(&thread->started, 0, 0);
}

static bool worker_launch(struct cyc_master *master, uint32_t index)
{
    struct cyc_worker_thread *thread = &master->threads[index];

    int error = pthread_create(&thread->thread, NULL, worker_main, thread);
    if (error != 0) {
        fprintf(stderr, "cyclone: cannot start worker %u: %s\n", index, strerror(error));
        return false;
    }
    sem_wait(&thread->started);
    if (thread->error == 0)
        return true;
    fprintf(stderr, "cyclone: worker %u has no I/O engine: %s\n", index, strerror(-thread->error));
    return false;
}

/** A share of the limit each; without a configured one, 60 % of the cgroup's. */
static uint64_t worker_memory_bytes(const struct cyc_master *master)
{
    uint64_t bytes = master->current->config->memory.pool_bytes;
    if (bytes == 0)
        bytes = cyc_memory_limit_bytes() / 10 * 6;
    return bytes / master->worker_count;
}

static bool workers_launch(struct cyc_master *master)
{
    for (uint32_t i = 0; i < master->worker_count; i++)
        worker_prepare(master, i, worker_memory_bytes(master));
    for (uint32_t i = 0; i < master->worker_count; i++)
        if (!worker_launch(master, i))
            return false;
    return true;
}

static bool workers_are_done(const struct cyc_master *master)
{
    for (uint32_t i = 0; i < master->worker_count; i++)
        if (__atomic_load_n(&master->threads[i].is_done, __ATOMIC_ACQUIRE) == 0)
            return false;
    return true;
}

/* ---- shutting down -----------------------------------------------------------------------------
 */

/** Tells one worker to move on. Comes back to be freed. */
struct phase_letter {
    struct cyc_letter letter;
    enum cyc_worker_phase phase;
};

static void phase_letter_free(struct cyc_letter *letter, void *owner)
{
    struct cyc_master *master = owner;
    struct phase_letter *phase = cyc_container_of(letter, struct phase_letter, letter);
    cyc_mem_free(&master->mem, CYC_MEM_OTHER, phase, sizeof(*phase));
}

static void phase_letter_run(struct cyc_letter *letter, void *owner)
{
    struct cyc_worker *worker = owner;
    struct phase_letter *phase = cyc_container_of(letter, struct phase_letter, letter);

    cyc_worker_set_phase(worker, phase->phase);
    letter->run = phase_letter_free;
    cyc_mailbox_post(worker->control, letter);
    worker->wake_control(worker->control_owner);
}

static void phase_begin(struct cyc_master *master, enum cyc_worker_phase phase)
{
    if (phase <= master->phase)
        return;
    master->phase = phase;
    for (uint32_t i = 0; i < master->worker_count; i++) {
        struct phase_letter *letter = cyc_mem_zalloc(&master->mem, CYC_MEM_OTHER, sizeof(*letter));
        letter->letter.run = phase_letter_run;
        letter->phase = phase;
        cyc_worker_post(&master->threads[i].worker, &letter->letter);
    }
}

static void drain_fire(struct cyc_timer *timer)
{
    struct cyc_master *master = cyc_container_of(timer, struct cyc_master, drain_timer);
    const struct cyc_server_conf *server = &master->current->config->server;

    if (master->phase < CYC_WORKER_CLOSING) {
        phase_begin(master, CYC_WORKER_CLOSING);
        cyc_timer_set(master->io->wheel, timer, server->shutdown_grace_ms);
        return;
    }
    master->has_timed_out = true;
    cyc_event(&master->log, CYC_EVENT_DRAIN_TIMEOUT, "requests still in flight after %u ms are cut",
              server->shutdown_grace_ms);
    phase_begin(master, CYC_WORKER_ABORTING);
}

void cyc_master_drain(struct cyc_master *master, bool is_delayed)
{
    const struct cyc_server_conf *server = &master->current->config->server;
    uint32_t delay_ms = is_delayed ? server->drain_delay_ms : 0;

    if (master->phase >= CYC_WORKER_DRAINING) { /* asked twice: no more waiting */
        phase_begin(master, CYC_WORKER_ABORTING);
        return;
    }
    __atomic_store_n(&master->shared.is_draining, 1, __ATOMIC_RELAXED);
    cyc_event(&master->log, CYC_EVENT_DRAIN_STARTED,
              "not ready from now on; listeners close in %u ms, requests have %u ms after that",
              delay_ms, server->shutdown_grace_ms);
    phase_begin(master, CYC_WORKER_DRAINING);
    cyc_timer_set(master->io->wheel, &master->drain_timer, delay_ms);
}

/* ---- signals and the clock ---------------------------------------------------------------------
 */

static void signals_mask(sigset_t *set)
{
    static const int wanted[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

    sigemptyset(set);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        sigaddset(set, wanted[i]);
}

static void signal_handle(struct cyc_master *master, uint32_t signal)
{
    cyc_event(&master->log, CYC_EVENT_SIGNAL, "signal %u (%s)", signal, strsignal((int)signal));
    switch (signal) {
    case SIGHUP:
        cyc_master_reload(master, NULL, NULL);
        break;
    case SIGUSR1:
        if (cyc_log_writer_reopen(master->writer) < 0)
            cyc_event(&master->log, CYC_EVENT_LOG_OPEN_FAILED,
                      "a log file cannot be opened again; the old one is written on");
        break;
    default:
        cyc_master_drain(master, signal == SIGTERM);
        break;
    }
}

static void signal_on_readable(struct cyc_op *op, int result)
{
    struct cyc_master *master = cyc_container_of(op, struct cyc_master, signal_op);
    struct signalfd_siginfo info;

    if (result < 0)
        return;
    while (read(master->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        signal_handle(master, info.ssi_signo);
}

/** A worker that has not turned for long, though it would have woken by itself, is stuck. */
static bool any_worker_is_stuck(const struct cyc_master *master)
{
    for (uint32_t i = 0; i < master->worker_count; i++) {
        const struct cyc_worker_thread *thread = &master->threads[i];
        uint64_t turned_ns = __atomic_load_n(&thread->worker.heartbeat_ns, __ATOMIC_RELAXED);
        if (turned_ns + CYC_HEALTH_STUCK_MS * CYC_NS_PER_MS < master->io->clock.now_ns &&
            turned_ns != 0 && __atomic_load_n(&thread->is_done, __ATOMIC_ACQUIRE) == 0)
            return true;
    }
    return false;
}

static void housekeeping_fire(struct cyc_timer *timer)
{
    struct cyc_master *master = cyc_container_of(timer, struct cyc_master, housekeeping);
    bool is_stuck = any_worker_is_stuck(master);

    if (is_stuck)
        cyc_event(&master->log, CYC_EVENT_WORKER_STUCK, "a worker has not turned for %u ms",
                  CYC_HEALTH_STUCK_MS);
    __atomic_store_n(&master->shared.is_stuck, is_stuck, __ATOMIC_RELAXED);
    cyc_master_watch(master);
    cyc_timer_set(master->io->wheel, timer, HOUSEKEEPING_MS);
}

static bool signals_start(struct cyc_master *master)
{
    sigset_t set;

    signals_mask(&set);
    master->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (master->signal_fd < 0)
        return false;
    cyc_io_poll(master->io, &master->signal_op, master->signal_fd, signal_on_readable);
    return true;
}

/* ---- life ---------------------------------------------------------------------------------------
 */

static void signals_block(void)
{
    sigset_t set;

    signals_mask(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static bool control_engine_start(struct cyc_master *master)
{
    static const struct cyc_network_conf network = {.listen_backlog = 128, .is_tcp_nodelay = true};
    static const struct cyc_timer_conf timer = {.wheel_size = 256, .resolution_ms = 5};
    struct cyc_io_setup setup = {&master->mem, &master->pool, &network, &timer};
    int error = 0;

    cyc_buf_pool_init(&master->pool, &master->mem);
    cyc_conn_flush_init(&master->flush);
    master->io = cyc_io_uv_create(&setup, &error);
    if (master->io == NULL)
        fprintf(stderr, "cyclone: no event loop for the control thread: %s\n", strerror(-error));
    return master->io != NULL;
}

static bool engine_pick(struct cyc_master *master)
{
    struct cyc_io_choice *choice = &master->shared.io_choice;
    enum cyc_io_backend wanted = master->current->config->network.io_backend;

    if (cyc_io_pick(wanted, choice) < 0) {
        fprintf(stderr, "cyclone: network.io_backend: io_uring cannot be had: %s\n",
                choice->reason);
        return false;
    }
    return true;
}

static void stats_start(struct cyc_master *master)
{
    struct cyc_hash_key key;

    cyc_rng_kernel_bytes(&key, sizeof(key));
    master->registry = cyc_stats_registry_create(&master->mem, &key);
    cyc_master_register_core(master);
}

static void blocks_create(struct cyc_master *master)
{
    uint32_t threads = master->current->config->server.worker_threads;

    master->worker_count = threads > 0 ? threads : cyc_cpu_count_allowed();
    master->block_count = master->worker_count + 1;
    master->shared.worker_count = master->worker_count;
    master->blocks = cyc_mem_zalloc(&master->mem, CYC_MEM_METRICS,
                                    master->block_count * sizeof(*master->blocks));
    for (uint32_t i = 0; i < master->block_count; i++)
        master->blocks[i] = cyc_stats_block_create();
    master->threads = cyc_mem_alloc_aligned(&master->mem, CYC_MEM_OTHER,
                                            master->worker_count * sizeof(*master->threads));
    memset(master->threads, 0, master->worker_count * sizeof(*master->threads));
}

int cyc_master_start(struct cyc_master *master, const struct cyc_master_options *options)
{
    *master = (struct cyc_master){
        .config_path = options->config_path,
        .environment = options->environment,
        .phase = CYC_WORKER_RUNNING,
    };
    cyc_timer_init(&master->housekeeping, housekeeping_fire);
    cyc_timer_init(&master->drain_timer, drain_fire);
    signals_block();
    if (!control_engine_start(master) || !signals_start(master))
        return EXIT_FAILURE;
    stats_start(master);
    master->shared.start_wall_ns = master->io->clock.wall_ns;
    int status = cyc_master_first_config(master);
    if (status != 0)
        return status;
    if (!engine_pick(master))
        return EXIT_FAILURE;
    blocks_create(master);
    cyc_master_log_start(master);
    master->discover = cyc_discover_create(master);
    if (!workers_launch(master) || !cyc_master_publish(master, master->current, stderr))
        return EXIT_FAILURE;
    cyc_event(&master->log, CYC_EVENT_IO_BACKEND, "%s: %s (%s)",
              master->shared.io_choice.backend == CYC_IO_URING ? "io_uring" : "epoll",
              master->shared.io_choice.reason, master->shared.io_choice.features);
    cyc_event(&master->log, CYC_EVENT_STARTED, "cyclone %s with %u workers", CYC_VERSION,
              master->worker_count);
    cyc_timer_set(master->io->wheel, &master->housekeeping, HOUSEKEEPING_MS);
    return 0;
}

static void letters_run(struct cyc_master *master)
{
    struct cyc_letter *letter = cyc_mailbox_take_all(&master->inbox);

    while (letter != NULL) {
        struct cyc_letter *next = letter->next;
        letter->run(letter, master);
        letter = next;
    }
}

int cyc_master_loop(struct cyc_master *master)
{
    while (!workers_are_done(master)) {
        if (CYC_UNLIKELY(master->shared.is_ready == 0) && cyc_discover_is_settled(master->discover))
            __atomic_store_n(&master->shared.is_ready, 1, __ATOMIC_RELAXED);
        if (cyc_io_turn(master->io, MASTER_WAIT_NS) < 0)
            return EXIT_FAILURE;
        letters_run(master);
        cyc_conn_flush_all(&master->flush);
    }
    cyc_event(&master->log, CYC_EVENT_DRAIN_DONE, "all workers are done");
    return EXIT_SUCCESS;
}

/** Letters that came after the worker's last turn go home like all others. */
static void inbox_empty(struct cyc_worker *worker)
{
    struct cyc_letter *letter = cyc_mailbox_take_all(&worker->inbox);

    while (letter != NULL) {
        struct cyc_letter *next = letter->next;
        letter->run(letter, worker);
        letter = next;
    }
}

static void workers_fini(struct cyc_master *master)
{
    for (uint32_t i = 0; i < master->worker_count; i++) {
        struct cyc_worker_thread *thread = &master->threads[i];
        pthread_join(thread->thread, NULL);
        inbox_empty(&thread->worker);
        cyc_worker_fini(&thread->worker);
        cyc_log_writer_remove_ring(master->writer, thread->ring);
        cyc_log_ring_destroy(thread->ring);
        sem_destroy(&thread->started);
    }
    letters_run(master); /* views and phases that came back with the last turns */
}

void cyc_master_fini(struct cyc_master *master)
{
    workers_fini(master);
    cyc_timer_cancel(&master->housekeeping);
    cyc_timer_cancel(&master->drain_timer);
    cyc_discover_destroy(master->discover);
    cyc_io_cancel(master->io, &master->signal_op);
    while (master->io->in_flight_count > 0)
        if (cyc_io_turn(master->io, 0) < 0)
            break;
    close(master->signal_fd);
    cyc_log_writer_remove_ring(master->writer, master->ring);
    cyc_log_writer_destroy(master->writer);
    cyc_log_ring_destroy(master->ring);
    cyc_stats_registry_destroy(master->registry);
    for (uint32_t i = 0; i < master->block_count; i++)
        cyc_stats_block_destroy(master->blocks[i]);
    cyc_mem_free(&master->mem, CYC_MEM_METRICS, master->blocks,
                 master->block_count * sizeof(*master->blocks));
    cyc_mem_free(&master->mem, CYC_MEM_OTHER, master->threads,
                 master->worker_count * sizeof(*master->threads));
    cyc_io_destroy(master->io);
    cyc_buf_pool_fini(&master->pool);
}
