/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/io_sim.h"

#include "base/assert.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The longest a started op is left alone before the network is asked. */
#define HOLD_NS_MAX (20 * CYC_NS_PER_US)
#define PARK_NS_MAX (2 * CYC_NS_PER_MS)
#define SEND_BYTES_MAX 16384
#define DUE_COUNT_MAX 1024
/* How often a turn sees one event only, and a cancelled op its real end. */
#define SINGLE_PERMILLE 300
#define LATE_CANCEL_PERMILLE 300

/* cyc_op.state */
#define STATE_CANCELLED 1u

static struct sim_engine *engine_of(struct cyc_io *io)
{
    return cyc_container_of(io, struct sim_engine, base);
}

static struct sim_socket *socket_of(struct sim_engine *e, int fd)
{
    struct sim_socket *s = cyc_sim_socket_find(e->net, fd);
    cyc_assert(s != NULL && s->io == &e->base); /* closed, or another host's */
    return s;
}

static void op_log(const struct sim_engine *e, const struct cyc_op *op, int result)
{
    static const char *const kinds[] = {"idle", "recv", "send", "accept", "connect", "poll"};

    printf("                 host %u: %s on %d: %d\n", e->id, kinds[op->kind], op->fd, result);
}

static void op_finish(struct sim_engine *e, struct cyc_op *op, int result)
{
    if (CYC_UNLIKELY(cyc_sim_net_is_logged(e->net)))
        op_log(e, op, result);
    cyc_sim_net_trace(e->net, e->id, op->kind, (uint64_t)(int64_t)result);
    cyc_io_finish(&e->base, op, result);
}

static void reader_finish(struct sim_engine *e, struct sim_socket *s, int result)
{
    struct cyc_op *op = s->reader;
    if (result < 0 || op->kind == CYC_OP_RECV)
        s->reader = NULL;
    s->is_parked = false;
    op_finish(e, op, result);
}

static void writer_finish(struct sim_engine *e, struct sim_socket *s, int result)
{
    op_finish(e, cyc_take(s->writer), result);
}

static uint64_t hold_ns(struct sim_engine *e)
{
    uint64_t now_ns = cyc_sim_net_now_ns(e->net);
    return now_ns + cyc_rng_below(cyc_sim_net_rng(e->net), HOLD_NS_MAX);
}

static void engine_submit(struct cyc_io *io, struct cyc_op *op)
{
    struct sim_engine *e = engine_of(io);

    if (op->kind == CYC_OP_POLL)
        return; /* there are no such descriptors here */
    struct sim_socket *s = socket_of(e, op->fd);
    if (op->kind == CYC_OP_RECV || op->kind == CYC_OP_ACCEPT) {
        cyc_assert(s->reader == NULL);
        s->reader = op;
        s->reader_hold_ns = hold_ns(e);
        return;
    }
    cyc_assert(s->writer == NULL);
    s->writer = op;
    s->submit_seen_bytes = s->read_bytes;
    s->writer_hold_ns = hold_ns(e);
    if (op->kind == CYC_OP_CONNECT)
        cyc_sim_socket_connect(s, op->addr);
}

static void engine_cancel(struct cyc_io *io, struct cyc_op *op)
{
    struct sim_engine *e = engine_of(io);

    if (op->kind == CYC_OP_POLL) {
        op_finish(e, op, -ECANCELED);
        return;
    }
    struct sim_socket *s = socket_of(e, op->fd);
    bool is_reader = s->reader == op;
    cyc_assert(is_reader || s->writer == op);
    if (cyc_sim_net_chance(e->net, LATE_CANCEL_PERMILLE)) {
        op->state |= STATE_CANCELLED; /* at the next wait, with whatever has come of it by then */
        e->is_woken = true;
        return;
    }
    if (is_reader)
        reader_finish(e, s, -ECANCELED);
    else
        writer_finish(e, s, -ECANCELED);
}

static void recv_park(struct sim_engine *e, struct sim_socket *s)
{
    if (!s->is_parked)
        e->base.recv_parked_count++;
    s->is_parked = true;
}

static void recv_step(struct sim_engine *e, struct sim_socket *s)
{
    if (cyc_sim_net_chance(e->net, cyc_sim_net_faults(e->net)->buffer_permille)) {
        e->base.recv_parked_count++;
        s->is_parked = false; /* but this time for a while, whatever the pool has */
        s->reader_hold_ns =
            cyc_sim_net_now_ns(e->net) + 1 + cyc_rng_below(cyc_sim_net_rng(e->net), PARK_NS_MAX);
        return;
    }
    struct cyc_chunk *chunk = cyc_chunk_get(e->base.pool, s->reader->is_bulk);
    if (chunk == NULL && s->reader->is_bulk)
        chunk = cyc_chunk_get(e->base.pool, false);
    if (chunk == NULL) {
        recv_park(e, s);
        return;
    }
    int result = cyc_sim_socket_read(s, chunk->bytes, chunk->size_bytes);
    if (result > 0) {
        chunk->used_bytes = (uint32_t)result;
        s->reader->chunk = chunk;
    } else {
        cyc_chunk_unref(chunk);
    }
    if (result != -EAGAIN)
        reader_finish(e, s, result);
}

static void accept_step(struct sim_engine *e, struct sim_socket *s)
{
    int result = cyc_sim_socket_accept(s);
    if (result != -EAGAIN)
        reader_finish(e, s, result);
}

static void send_step(struct sim_engine *e, struct sim_socket *s)
{
    char bytes[SEND_BYTES_MAX];
    size_t len = cyc_buf_peek(s->writer->buf, bytes, sizeof(bytes));
    int result = cyc_sim_socket_write(s, bytes, len);
    if (result != -EAGAIN)
        writer_finish(e, s, result);
}

static void reader_step(struct sim_engine *e, struct sim_socket *s, uint64_t now_ns)
{
    bool is_cancelled = s->reader->state & STATE_CANCELLED;
    uint64_t due_ns = s->is_listening ? cyc_sim_socket_accept_ns(s) : cyc_sim_socket_read_ns(s);

    if (due_ns <= now_ns && (s->reader_hold_ns <= now_ns || is_cancelled)) {
        if (s->is_listening)
            accept_step(e, s);
        else
            recv_step(e, s);
    }
    if (is_cancelled && s->reader != NULL)
        reader_finish(e, s, -ECANCELED);
}

static void writer_step(struct sim_engine *e, struct sim_socket *s, uint64_t now_ns)
{
    bool is_connect = s->writer->kind == CYC_OP_CONNECT;
    bool is_cancelled = s->writer->state & STATE_CANCELLED;
    uint64_t due_ns = is_connect ? s->connect_ns : cyc_sim_socket_write_ns(s);

    if (due_ns <= now_ns && (s->writer_hold_ns <= now_ns || is_cancelled)) {
        if (is_connect)
            writer_finish(e, s, s->connect_result);
        else
            send_step(e, s);
    }
    if (is_cancelled && s->writer != NULL)
        writer_finish(e, s, -ECANCELED);
}

/** The sockets with ops in flight, in an order the seed decides. @return how many */
static uint32_t sockets_collect(struct sim_engine *e, struct sim_socket **sockets)
{
    uint32_t count = 0;

    for (struct sim_socket *s = cyc_sim_socket_next(e->net, -1); s != NULL;
         s = cyc_sim_socket_next(e->net, s->fd)) {
        if (s->io != &e->base || (s->reader == NULL && s->writer == NULL))
            continue;
        cyc_assert(count < DUE_COUNT_MAX);
        uint32_t at = (uint32_t)cyc_rng_below(cyc_sim_net_rng(e->net), count + 1);
        sockets[count++] = sockets[at];
        sockets[at] = s;
    }
    return count;
}

static int engine_wait(struct cyc_io *io, uint64_t wait_ns_max)
{
    struct sim_engine *e = engine_of(io);
    struct sim_socket *sockets[DUE_COUNT_MAX];
    uint64_t now_ns = cyc_sim_net_now_ns(e->net);

    (void)wait_ns_max;
    io->clock.now_ns = now_ns;
    io->clock.wall_ns = cyc_sim_net_wall_ns(e->net);
    e->is_woken = false;
    uint32_t count = sockets_collect(e, sockets);
    bool is_single = cyc_sim_net_chance(e->net, SINGLE_PERMILLE);
    for (uint32_t i = 0; i < count; i++) {
        if (sockets[i]->reader != NULL)
            reader_step(e, sockets[i], now_ns);
        if (sockets[i]->writer != NULL)
            writer_step(e, sockets[i], now_ns);
        if (is_single && io->finished.count > 0) {
            e->is_woken = true; /* the rest next time */
            break;
        }
    }
    return 0;
}

static void engine_wake(struct cyc_io *io)
{
    engine_of(io)->is_woken = true;
}

static int engine_open(struct cyc_io *io, const struct cyc_addr *addr,
                       const struct cyc_sock_options *opts)
{
    (void)opts;
    return cyc_sim_socket_open(engine_of(io)->net, io, addr);
}

static int engine_listen(struct cyc_io *io, const struct cyc_addr *addr,
                         const struct cyc_sock_options *opts)
{
    return cyc_sim_socket_listen(engine_of(io)->net, io, addr, opts->backlog);
}

static void engine_close(struct cyc_io *io, int fd)
{
    struct sim_socket *s = socket_of(engine_of(io), fd);
    cyc_assert(s->reader == NULL && s->writer == NULL); /* rule 4 of net/io.h */
    cyc_sim_socket_close(s);
}

static void engine_reset(struct cyc_io *io, int fd)
{
    socket_of(engine_of(io), fd)->is_reset_on_close = true;
}

static void engine_shutdown(struct cyc_io *io, int fd)
{
    cyc_sim_socket_shutdown(socket_of(engine_of(io), fd));
}

static int engine_peer_addr(struct cyc_io *io, int fd, struct cyc_addr *ret_addr)
{
    struct sim_socket *s = socket_of(engine_of(io), fd);
    if (!s->is_connected)
        return -ENOTCONN;
    *ret_addr = s->remote;
    return 0;
}

static int engine_local_addr(struct cyc_io *io, int fd, struct cyc_addr *ret_addr)
{
    *ret_addr = socket_of(engine_of(io), fd)->local;
    return 0;
}

static void *engine_uv_loop(struct cyc_io *io)
{
    (void)io;
    return NULL;
}

static void engine_destroy(struct cyc_io *io)
{
    struct sim_engine *e = engine_of(io);
    cyc_sim_net_remove_engine(e->net, e);
    cyc_mem_free(io->mem, CYC_MEM_IO, e, sizeof(*e));
}

static const struct cyc_io_vt io_sim_vt = {
    .name = "sim",
    .submit = engine_submit,
    .cancel = engine_cancel,
    .wait = engine_wait,
    .wake = engine_wake,
    .open = engine_open,
    .listen = engine_listen,
    .close = engine_close,
    .shutdown = engine_shutdown,
    .reset = engine_reset,
    .peer_addr = engine_peer_addr,
    .local_addr = engine_local_addr,
    .uv_loop = engine_uv_loop,
    .destroy = engine_destroy,
};

struct cyc_io *cyc_io_sim_create(struct cyc_sim_net *net, const struct cyc_io_setup *setup,
                                 void *owner)
{
    struct sim_engine *e = cyc_mem_zalloc(setup->mem, CYC_MEM_IO, sizeof(*e));
    e->net = net;
    e->owner = owner;
    cyc_list_init(&e->link);
    e->id = cyc_sim_net_add_engine(net, e);
    e->base.clock.now_ns = cyc_sim_net_now_ns(net);
    e->base.clock.wall_ns = cyc_sim_net_wall_ns(net);
    cyc_io_init(&e->base, &io_sim_vt, setup);
    return &e->base;
}

void *cyc_io_sim_owner(const struct cyc_io *io)
{
    return ((const struct sim_engine *)(const void *)io)->owner;
}

bool cyc_io_sim_is_due(struct cyc_io *io)
{
    struct sim_engine *e = engine_of(io);
    return cyc_sim_engine_due_ns(e) <= cyc_sim_net_now_ns(e->net);
}
