/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/listener.h"

#include "base/assert.h"
#include "proxy/downstream.h"

#include <errno.h>

/* Out of descriptors or memory: try again when something may have been freed. */
#define RETRY_DELAY_MS 100
/* A closing listener takes whom the kernel has let in, or is about to: a round trip or so. */
#define LAST_ACCEPT_MS 200

static void listener_on_accept(struct cyc_op *op, int result);

static void accept_start(struct cyc_listener *listener)
{
    if (listener->accept.kind == CYC_OP_IDLE && !listener->is_removed &&
        listener->connection_count < listener->connection_count_max)
        cyc_io_accept(listener->worker->io, &listener->accept, listener->fd, listener_on_accept);
}

/** Frees a removed listener once nothing needs it. */
static void listener_leave(struct cyc_listener *listener)
{
    struct cyc_worker *worker = listener->worker;

    if (!listener->is_removed || listener->accept.kind != CYC_OP_IDLE)
        return;
    if (listener->fd >= 0) {
        cyc_io_close(worker->io, listener->fd);
        listener->fd = -1;
    }
    if (listener->connection_count > 0)
        return;
    struct cyc_view *view = listener->view;
    cyc_list_remove(&listener->link);
    cyc_timer_cancel(&listener->retry);
    cyc_mem_free(&worker->mem, CYC_MEM_CONNECTIONS, listener, sizeof(*listener));
    cyc_view_unpin(view);
}

static void retry_fire(struct cyc_timer *timer)
{
    struct cyc_listener *listener = cyc_container_of(timer, struct cyc_listener, retry);

    accept_start(listener);
    if (listener->is_removed)
        cyc_io_cancel(listener->worker->io, &listener->accept);
    listener_leave(listener);
}

static void accept_failed(struct cyc_listener *listener, int error)
{
    struct cyc_worker *worker = listener->worker;

    if (listener->is_removed) {
        listener_leave(listener);
        return;
    }
    if (error == -ECANCELED) { /* paused at the limit, and there may be room again */
        accept_start(listener);
        return;
    }
    cyc_stat_add(worker->stats, worker->slots->accept_failures, 1);
    cyc_event(&worker->log, CYC_EVENT_ACCEPT_FAILED, "accept: error %d", -error);
    cyc_timer_set(worker->io->wheel, &listener->retry, RETRY_DELAY_MS);
}

static void listener_on_accept(struct cyc_op *op, int result)
{
    struct cyc_listener *listener = cyc_container_of(op, struct cyc_listener, accept);

    if (result < 0) {
        accept_failed(listener, result);
        return;
    }
    if (listener->connection_count >= listener->connection_count_max) {
        cyc_io_close(listener->worker->io, result); /* came with the batch that reached the limit */
        cyc_stat_add(listener->worker->stats, listener->worker->slots->connections_refused, 1);
        return;
    }
    if (cyc_downstream_open(listener, result))
        listener->connection_count++;
    if (listener->connection_count >= listener->connection_count_max)
        cyc_io_cancel(listener->worker->io, &listener->accept);
}

static void connection_closed(struct cyc_listener *listener)
{
    cyc_assert(listener->connection_count > 0);

    listener->connection_count--;
    if (listener->is_removed)
        listener_leave(listener);
    else
        accept_start(listener);
}

struct cyc_listener *cyc_listener_open(struct cyc_worker *worker, struct cyc_view *view,
                                       uint32_t spec_index, int fd)
{
    struct cyc_listener *listener =
        cyc_mem_zalloc(&worker->mem, CYC_MEM_CONNECTIONS, sizeof(*listener));

    listener->worker = worker;
    listener->fd = fd;
    listener->on_connection_closed = connection_closed;
    listener->addr = view->snapshot->listeners[spec_index].addr;
    cyc_timer_init(&listener->retry, retry_fire);
    cyc_list_add_back(&worker->listeners, &listener->link);
    cyc_listener_adopt(listener, view, spec_index);
    return listener;
}

void cyc_listener_adopt(struct cyc_listener *listener, struct cyc_view *view, uint32_t spec_index)
{
    listener->view = view;
    listener->spec = &view->snapshot->listeners[spec_index];
    uint32_t worker_count = listener->worker->count; /* the limit is the process's */
    listener->connection_count_max =
        (listener->spec->connection_count_max + worker_count - 1) / worker_count;
    accept_start(listener);
}

void cyc_listener_close(struct cyc_listener *listener)
{
    if (listener->is_removed)
        return;
    listener->is_removed = true;
    cyc_view_pin(listener->view); /* its connections go on under the last configuration they had */
    cyc_list_for_each (link, &listener->worker->downstreams) {
        struct cyc_downstream *downstream = cyc_container_of(link, struct cyc_downstream, link);
        if (downstream->listener == listener)
            cyc_downstream_drain(downstream);
    }
    bool is_accepting = listener->accept.kind != CYC_OP_IDLE;
    if (is_accepting)
        cyc_io_quiesce(listener->worker->io, listener->fd);
    cyc_timer_set(listener->worker->io->wheel, &listener->retry, is_accepting ? LAST_ACCEPT_MS : 0);
}
