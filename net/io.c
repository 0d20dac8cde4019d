/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the I/O engine that every backend shares: op states, finished results, the turn. */
#include "net/io.h"

#include "base/assert.h"

#include <string.h>

/* Results kept without growing: a few hundred finish in a busy turn. */
#define QUEUE_CAPACITY_MIN 256

void cyc_io_init(struct cyc_io *io, const struct cyc_io_vt *vt, const struct cyc_io_setup *setup)
{
    cyc_assert(io->clock.now_ns > 0);

    io->vt = vt;
    io->mem = setup->mem;
    io->pool = setup->pool;
    io->splice_bytes_min =
        setup->network->is_zero_copy ? setup->network->zero_copy_threshold_bytes : UINT64_MAX;
    io->wheel = cyc_wheel_create(setup->mem, setup->timer->wheel_size,
                                 setup->timer->resolution_ms * CYC_NS_PER_MS, io->clock.now_ns);
}

static void queue_fini(struct cyc_io *io, struct cyc_io_queue *queue)
{
    cyc_assert(queue->count == 0);
    cyc_mem_free(io->mem, CYC_MEM_IO, queue->events, queue->capacity * sizeof(queue->events[0]));
    *queue = (struct cyc_io_queue){0};
}

void cyc_io_destroy(struct cyc_io *io)
{
    if (io == NULL)
        return;
    cyc_assert(io->in_flight_count == 0);

    cyc_wheel_destroy(io->wheel);
    queue_fini(io, &io->finished);
    queue_fini(io, &io->batch);
    io->vt->destroy(io);
}

static bool op_is_source(const struct cyc_op *op)
{
    return op->kind == CYC_OP_ACCEPT || op->kind == CYC_OP_POLL;
}

static void op_start(struct cyc_io *io, struct cyc_op *op, enum cyc_op_kind kind, int fd,
                     cyc_op_done *done)
{
    cyc_assert(op->kind == CYC_OP_IDLE);
    cyc_assert(done != NULL);
    cyc_debug_assert(fd >= 0);

    op->kind = (uint8_t)kind;
    op->fd = fd;
    op->done = done;
    op->next = NULL;
    op->state = 0;
    io->in_flight_count++;
}

void cyc_io_recv(struct cyc_io *io, struct cyc_op *op, int fd, cyc_op_done *done)
{
    op_start(io, op, CYC_OP_RECV, fd, done);
    op->chunk = NULL;
    io->vt->submit(io, op);
}

void cyc_io_send(struct cyc_io *io, struct cyc_op *op, int fd, const struct cyc_buf *buf,
                 cyc_op_done *done)
{
    cyc_assert(buf->bytes > 0);

    op_start(io, op, CYC_OP_SEND, fd, done);
    op->buf = buf;
    io->vt->submit(io, op);
}

void cyc_io_accept(struct cyc_io *io, struct cyc_op *op, int fd, cyc_op_done *done)
{
    op_start(io, op, CYC_OP_ACCEPT, fd, done);
    io->vt->submit(io, op);
}

void cyc_io_connect(struct cyc_io *io, struct cyc_op *op, int fd, const struct cyc_addr *addr,
                    cyc_op_done *done)
{
    op_start(io, op, CYC_OP_CONNECT, fd, done);
    op->addr = addr;
    io->vt->submit(io, op);
}

void cyc_io_poll(struct cyc_io *io, struct cyc_op *op, int fd, cyc_op_done *done)
{
    op_start(io, op, CYC_OP_POLL, fd, done);
    io->vt->submit(io, op);
}

void cyc_io_cancel(struct cyc_io *io, struct cyc_op *op)
{
    if (op->kind == CYC_OP_IDLE || op->kind == CYC_OP_FINISHED)
        return; /* finished: it already has its real result; rule 3 */
    io->vt->cancel(io, op);
}

void cyc_io_finish(struct cyc_io *io, struct cyc_op *op, int result)
{
    cyc_assert(op->kind != CYC_OP_IDLE && op->kind != CYC_OP_FINISHED);

    struct cyc_io_queue *queue = &io->finished;
    if (queue->count == queue->capacity) {
        uint32_t capacity = queue->capacity > 0 ? queue->capacity * 2 : QUEUE_CAPACITY_MIN;
        queue->events = cyc_mem_resize(io->mem, CYC_MEM_IO, queue->events,
                                       queue->capacity * sizeof(queue->events[0]),
                                       capacity * sizeof(queue->events[0]));
        queue->capacity = capacity;
    }
    bool is_last = result < 0 || !op_is_source(op);
    if (is_last)
        op->kind = CYC_OP_FINISHED;
    queue->events[queue->count++] = (struct cyc_io_event){op, result, is_last};
}

int cyc_io_open(struct cyc_io *io, const struct cyc_addr *addr, const struct cyc_sock_options *opts)
{
    return io->vt->open(io, addr, opts);
}

int cyc_io_listen(struct cyc_io *io, const struct cyc_addr *addr,
                  const struct cyc_sock_options *opts)
{
    return io->vt->listen(io, addr, opts);
}

void cyc_io_close(struct cyc_io *io, int fd)
{
    io->vt->close(io, fd);
}

void cyc_io_quiesce(struct cyc_io *io, int fd)
{
    if (io->vt->quiesce != NULL)
        io->vt->quiesce(io, fd);
}

void cyc_io_reset(struct cyc_io *io, int fd)
{
    io->vt->reset(io, fd);
}

void cyc_io_shutdown(struct cyc_io *io, int fd)
{
    io->vt->shutdown(io, fd);
}

int cyc_io_peer_addr(struct cyc_io *io, int fd, struct cyc_addr *ret_addr)
{
    return io->vt->peer_addr(io, fd, ret_addr);
}

int cyc_io_local_addr(struct cyc_io *io, int fd, struct cyc_addr *ret_addr)
{
    return io->vt->local_addr(io, fd, ret_addr);
}

void cyc_io_wake(struct cyc_io *io)
{
    io->vt->wake(io);
}

uint64_t cyc_io_wait_ns(const struct cyc_io *io, uint64_t wait_ns_max)
{
    if (io->finished.count > 0)
        return 0;
    uint64_t timer_ns = cyc_wheel_wait_ns(io->wheel, io->clock.now_ns);
    return timer_ns < wait_ns_max ? timer_ns : wait_ns_max;
}

/** Runs the callbacks of what had finished when it was called. */
static int finished_run(struct cyc_io *io)
{
    /* The two queues change places: callbacks may start, finish and cancel ops freely. */
    struct cyc_io_queue batch = io->finished;
    io->finished = io->batch;
    io->batch = batch;

    for (uint32_t i = 0; i < batch.count; i++) {
        struct cyc_op *op = batch.events[i].op;
        if (batch.events[i].is_last) {
            op->kind = CYC_OP_IDLE; /* before done(): it may restart the op, or free its owner */
            io->in_flight_count--;
        }
        op->done(op, batch.events[i].result);
    }
    io->batch.count = 0;
    return (int)batch.count;
}

int cyc_io_turn(struct cyc_io *io, uint64_t wait_ns_max)
{
    int r = io->vt->wait(io, cyc_io_wait_ns(io, wait_ns_max));
    if (r < 0)
        return r;

    /* What arrived is looked at before what timed out: after a stall, data wins over deadlines. */
    cyc_wheel_set_time(io->wheel, io->clock.now_ns);
    int run_count = finished_run(io);
    return run_count + (int)cyc_wheel_advance(io->wheel, io->clock.now_ns);
}
