/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/worker.h"

#include "base/assert.h"
#include "proxy/downstream.h"
#include "proxy/listener.h"
#include "proxy/stream.h"
#include "proxy/view.h"

/* Free objects a worker keeps warm: a few hundred connections' worth, the rest goes back. */
#define DOWNSTREAM_KEEP_COUNT 256
#define STREAM_KEEP_COUNT 128

/* Ends of a turn: settling may feed pipelined bytes, which may end streams and make new wishes.
 * What is still wanted after so many rounds waits for the next turn, so that sockets get their
 * share. */
#define SETTLE_ROUNDS_MAX 4

void cyc_worker_init(struct cyc_worker *worker, const struct cyc_worker_setup *setup)
{
    *worker = (struct cyc_worker){
        .index = setup->index,
        .count = setup->count,
        .stats = setup->stats,
        .slots = setup->slots,
        .control = setup->control,
        .wake_control = setup->wake_control,
        .control_owner = setup->control_owner,
        .shared = setup->shared,
    };
    worker->mem.limit_bytes = setup->memory_limit_bytes;
    cyc_buf_pool_init(&worker->pool, &worker->mem);
    cyc_rng_init(&worker->rng, setup->seed);
    cyc_slab_init(&worker->downstream_slab, &worker->mem, CYC_MEM_CONNECTIONS,
                  sizeof(struct cyc_downstream),
                  (struct cyc_slab_limits){0, DOWNSTREAM_KEEP_COUNT});
    cyc_slab_init(&worker->stream_slab, &worker->mem, CYC_MEM_STREAMS, sizeof(struct cyc_stream),
                  (struct cyc_slab_limits){0, STREAM_KEEP_COUNT});
    cyc_list_init(&worker->listeners);
    cyc_list_init(&worker->downstreams);
    cyc_list_init(&worker->wishes);
    cyc_list_init(&worker->ended);
    cyc_list_init(&worker->old_views);
    cyc_conn_flush_init(&worker->flush);
    worker->filter_env.access_log = setup->is_access_logged ? setup->ring : NULL;
    cyc_log_init(&worker->log, setup->ring, NULL);
    worker->log.level = setup->log_level;
    worker->log.format = setup->log_format;
}

void cyc_worker_start(struct cyc_worker *worker, struct cyc_io *io)
{
    worker->io = io;
    worker->log.clock = &io->clock;
    worker->filter_env.clock = &io->clock;
    worker->filter_env.rng = &worker->rng;
    worker->filter_env.stats = worker->stats;
    worker->upstreams = cyc_upstreams_create(&(struct cyc_upstream_env){
        .io = io,
        .flush = &worker->flush,
        .mem = &worker->mem,
        .rng = &worker->rng,
        .stats = worker->stats,
        .log = &worker->log,
        .worker_count = worker->count,
    });
}

/* ---- views ----------------------------------------------------------------------------------- */

/** Port 0 is a port of its own for each listener: there the name decides. */
static bool is_same_listener(const struct cyc_listener *listener,
                             const struct cyc_listener_spec *spec)
{
    bool is_any_port = cyc_addr_port(&spec->addr) == 0 && !cyc_addr_is_unix(&spec->addr);

    return cyc_addr_equal(&listener->addr, &spec->addr) &&
           (!is_any_port || cyc_span_equal(listener->spec->conf->name, spec->conf->name));
}

static struct cyc_listener *listener_find(struct cyc_worker *worker,
                                          const struct cyc_listener_spec *spec)
{
    cyc_list_for_each (link, &worker->listeners) {
        struct cyc_listener *listener = cyc_container_of(link, struct cyc_listener, link);
        if (!listener->is_removed && is_same_listener(listener, spec))
            return listener;
    }
    return NULL;
}

static void view_open_listeners(struct cyc_view *view)
{
    struct cyc_worker *worker = view->worker;
    struct cyc_snapshot *snapshot = view->snapshot;

    for (uint32_t i = 0; i < snapshot->listener_count; i++) {
        struct cyc_listener *listener = listener_find(worker, &snapshot->listeners[i]);
        if (listener != NULL)
            cyc_listener_adopt(listener, view, i);
        else if (view->listener_fds[i] >= 0)
            cyc_listener_open(worker, view, i, view->listener_fds[i]);
    }
    cyc_list_for_each (link, &worker->listeners) {
        struct cyc_listener *listener = cyc_container_of(link, struct cyc_listener, link);
        if (listener->view != view)
            cyc_listener_close(listener);
    }
}

static void view_adopt_clusters(struct cyc_view *view)
{
    struct cyc_snapshot *snapshot = view->snapshot;
    struct cyc_upstreams *upstreams = view->worker->upstreams;
    struct cyc_codec_limits limits = cyc_downstream_limits(NULL);

    limits.date = &view->worker->date;
    cyc_upstreams_set_network(upstreams, &snapshot->config->network, &limits);
    for (uint32_t i = 0; i < snapshot->cluster_count; i++) {
        struct cyc_cluster_spec *spec = &snapshot->clusters[i];
        view->clusters[i] = cyc_cluster_adopt(upstreams, spec->conf, &spec->slots);
        if (!spec->needs_dns)
            cyc_cluster_set_endpoints(view->clusters[i], spec->endpoints, spec->endpoint_count);
    }
}

void cyc_worker_run_view(struct cyc_letter *letter, void *owner)
{
    struct cyc_view *view = cyc_container_of(letter, struct cyc_view, letter);
    struct cyc_worker *worker = owner;
    struct cyc_view *previous = worker->view;
    cyc_assert(view->worker == worker);

    view_adopt_clusters(view);
    worker->view = view;
    if (worker->phase < CYC_WORKER_CLOSING)
        view_open_listeners(view);
    if (previous == NULL)
        return;
    if (previous->pin_count == 0)
        cyc_view_release(previous);
    else
        cyc_list_add_back(&worker->old_views, &previous->link);
}

/* ---- phases ---------------------------------------------------------------------------------- */

static void listeners_close(struct cyc_worker *worker)
{
    cyc_list_for_each (link, &worker->listeners)
        cyc_listener_close(cyc_container_of(link, struct cyc_listener, link));
}

static void downstreams_abort(struct cyc_worker *worker)
{
    cyc_list_for_each (link, &worker->downstreams)
        cyc_downstream_abort(cyc_container_of(link, struct cyc_downstream, link),
                             CYC_FAIL_SHUT_DOWN);
}

void cyc_worker_set_phase(struct cyc_worker *worker, enum cyc_worker_phase phase)
{
    while (worker->phase < phase && worker->phase < CYC_WORKER_ABORTING) {
        worker->phase++;
        if (worker->phase == CYC_WORKER_CLOSING)
            listeners_close(worker);
        else if (worker->phase == CYC_WORKER_ABORTING)
            downstreams_abort(worker);
    }
}

/** Once the last connection is gone: close the upstream side, give the last view back, be done. */
static void leave(struct cyc_worker *worker)
{
    if (!cyc_list_is_empty(&worker->listeners) || !cyc_list_is_empty(&worker->downstreams) ||
        !cyc_list_is_empty(&worker->old_views))
        return;
    if (worker->view != NULL) {
        struct cyc_view *view = cyc_take(worker->view);
        cyc_assert(view->pin_count == 0);
        cyc_view_release(view);
        cyc_upstreams_close(worker->upstreams);
    }
    if (cyc_upstreams_is_idle(worker->upstreams) && worker->io->in_flight_count == 0)
        worker->phase = CYC_WORKER_DONE;
}

/* ---- the turn -------------------------------------------------------------------------------- */

static void letters_run(struct cyc_worker *worker)
{
    struct cyc_letter *letter = cyc_mailbox_take_all(&worker->inbox);

    while (letter != NULL) {
        struct cyc_letter *next = letter->next;
        letter->run(letter, worker);
        letter = next;
    }
}

static void wishes_settle(struct cyc_worker *worker)
{
    struct cyc_list due;
    struct cyc_list *link;

    cyc_list_move_all(&worker->wishes, &due);
    while ((link = cyc_list_take_front(&due)) != NULL)
        cyc_downstream_settle(cyc_container_of(link, struct cyc_downstream, wish_link));
}

/** Everything that events asked for and that must not happen inside them. */
static void turn_end(struct cyc_worker *worker)
{
    for (int round = 0; round < SETTLE_ROUNDS_MAX; round++) {
        cyc_upstreams_run(worker->upstreams);
        wishes_settle(worker);
        cyc_streams_reap(worker);
        cyc_conn_flush_all(&worker->flush);
        if (cyc_list_is_empty(&worker->wishes) && cyc_list_is_empty(&worker->ended) &&
            !cyc_upstreams_is_due(worker->upstreams))
            break;
    }
}

bool cyc_worker_turn(struct cyc_worker *worker, uint64_t wait_ns_max)
{
    bool is_pending = !cyc_list_is_empty(&worker->wishes) || !cyc_list_is_empty(&worker->ended) ||
                      !cyc_mailbox_is_empty(&worker->inbox) ||
                      cyc_upstreams_is_due(worker->upstreams) ||
                      cyc_conn_flush_is_due(&worker->flush);

    int result = cyc_io_turn(worker->io, is_pending ? 0 : wait_ns_max);
    cyc_assert(result >= 0); /* an engine that fails while running cannot be worked around */
    __atomic_store_n(&worker->heartbeat_ns, worker->io->clock.now_ns, __ATOMIC_RELAXED);
    if (CYC_UNLIKELY(!cyc_mailbox_is_empty(&worker->inbox)))
        letters_run(worker);
    turn_end(worker);
    if (worker->io->zero_copy_count > 0)
        cyc_stat_add(worker->stats, worker->slots->zero_copy,
                     cyc_io_take_zero_copy_count(worker->io));
    if (CYC_UNLIKELY(worker->phase >= CYC_WORKER_CLOSING))
        leave(worker);
    return worker->phase != CYC_WORKER_DONE;
}

void cyc_worker_post(struct cyc_worker *worker, struct cyc_letter *letter)
{
    cyc_mailbox_post(&worker->inbox, letter);
    cyc_io_wake(worker->io);
}

void cyc_worker_fini(struct cyc_worker *worker)
{
    cyc_assert(worker->phase == CYC_WORKER_DONE);

    cyc_upstreams_destroy(worker->upstreams);
    cyc_io_destroy(worker->io);
    cyc_slab_fini(&worker->downstream_slab);
    cyc_slab_fini(&worker->stream_slab);
    cyc_buf_pool_fini(&worker->pool);
}
