/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a connection ends, from the inside:
 *
 *   close             cancel both ops -> (last one done) -> close the descriptor -> on_closed
 *   close_after_send  `out` sent -> shutdown -> drop what arrives until the peer's end, a bound in
 *                     bytes or one in time -> close
 *
 * The owner's callbacks run from two places only: from ops that finished (in the turn) and from the
 * flush, where a connection shows at most once what it had left over. A chain of connections waking
 * each other therefore ends, and one peer's pipelined flood waits for the next turn like all
 * others.
 */
#include "net/conn.h"

#include "base/assert.h"

#include <errno.h>
#include <string.h>

/* How long a peer that is told to go may go on talking. */
#define LINGER_BYTES_MAX (1024 * 1024)
#define LINGER_MS_MAX 1000

static void conn_on_recv(struct cyc_op *op, int result);
static void conn_on_send(struct cyc_op *op, int result);

static bool op_is_idle(const struct cyc_op *op)
{
    return op->kind == CYC_OP_IDLE;
}

static void dirty_requeue(struct cyc_conn *conn)
{
    cyc_list_remove(&conn->dirty_link);
    cyc_list_add_back(&conn->flush->dirty, &conn->dirty_link);
}

static void linger_on_timer(struct cyc_timer *timer)
{
    cyc_conn_close(cyc_container_of(timer, struct cyc_conn, linger_timer));
}

void cyc_conn_init(struct cyc_conn *conn, const struct cyc_conn_vt *vt, struct cyc_io *io,
                   struct cyc_conn_flush *flush, int fd)
{
    *conn = (struct cyc_conn){.vt = vt, .io = io, .flush = flush, .fd = fd};
    cyc_buf_init(&conn->in, io->pool);
    cyc_buf_init(&conn->out, io->pool);
    cyc_list_init(&conn->dirty_link);
    cyc_timer_init(&conn->linger_timer, linger_on_timer);
    conn->fed_round = flush->round - 1;
}

/* ---- reading --------------------------------------------------------------------------------- */

/** Keeps one receive armed while bytes are wanted and none are left over. */
static void recv_arm(struct cyc_conn *conn)
{
    bool is_wanted = (conn->is_reading && conn->in.bytes == 0) || conn->is_draining;
    if (is_wanted && op_is_idle(&conn->recv) && !conn->is_eof && !conn->is_closing &&
        !conn->is_connecting) {
        /* Little at a time is copied as fast as it is handed on. */
        bool may_splice = conn->opaque_bytes != NULL && conn->recv.is_bulk && !conn->is_draining;
        conn->recv.opaque_bytes = may_splice ? *conn->opaque_bytes : 0;
        cyc_io_recv(conn->io, &conn->recv, conn->fd, conn_on_recv);
    }
}

static void feed(struct cyc_conn *conn)
{
    conn->is_feed_due = false;
    conn->is_feeding = true;
    conn->vt->on_read(conn, &conn->in);
    conn->is_feeding = false;
    if (conn->in.bytes == 0)
        conn->is_feed_due = false; /* resumed from within, then took all */
    recv_arm(conn);
}

void cyc_conn_resume(struct cyc_conn *conn)
{
    if (conn->is_closing || conn->is_linger)
        return;
    conn->is_reading = true;
    if (conn->in.bytes > 0) {
        conn->is_feed_due = true;
        dirty_requeue(conn);
    } else if (!conn->is_feeding) {
        recv_arm(conn);
    }
}

void cyc_conn_pause(struct cyc_conn *conn)
{
    conn->is_reading = false;
    conn->is_feed_due = false;
}

/** The next receive is bulk after a full chunk, and no longer when little came in a large one. */
static void recv_adapt(struct cyc_conn *conn, const struct cyc_chunk *chunk)
{
    if (!chunk->is_pipe && chunk->used_bytes == chunk->size_bytes)
        conn->recv.is_bulk = true;
    else if (chunk->used_bytes < CYC_CHUNK_SMALL_BYTES / 4)
        conn->recv.is_bulk = false;
}

/* ---- closing --------------------------------------------------------------------------------- */

/** The last step, from an op that finished or from the flush. */
static void close_finish(struct cyc_conn *conn)
{
    cyc_assert(op_is_idle(&conn->recv) && op_is_idle(&conn->send));

    cyc_list_remove(&conn->dirty_link);
    cyc_buf_clear(&conn->in);
    cyc_buf_clear(&conn->out);
    if (conn->is_reset)
        cyc_io_reset(conn->io, conn->fd);
    cyc_io_close(conn->io, conn->fd);
    conn->fd = -1;
    conn->vt->on_closed(conn);
}

/** While closing: finishes when nothing is in flight any more. */
static void close_step(struct cyc_conn *conn)
{
    if (op_is_idle(&conn->recv) && op_is_idle(&conn->send))
        close_finish(conn);
}

void cyc_conn_close(struct cyc_conn *conn)
{
    if (conn->is_closing)
        return;
    conn->is_closing = true;
    conn->is_feed_due = false;
    conn->is_reset |= conn->out.bytes > 0; /* dropped: what the peer has got must not look whole */
    cyc_timer_cancel(&conn->linger_timer);
    cyc_io_cancel(conn->io, &conn->recv);
    cyc_io_cancel(conn->io, &conn->send);
    if (op_is_idle(&conn->recv) && op_is_idle(&conn->send))
        dirty_requeue(conn); /* on_closed never runs inside this call */
}

void cyc_conn_reset(struct cyc_conn *conn)
{
    conn->is_reset = true;
    cyc_conn_close(conn);
}

void cyc_conn_close_after_send(struct cyc_conn *conn)
{
    if (conn->is_closing || conn->is_linger)
        return;
    conn->is_linger = true;
    conn->is_reading = conn->is_feed_due = false;
    cyc_conn_mark_dirty(conn);
}

void cyc_conn_shutdown(struct cyc_conn *conn)
{
    conn->is_shutdown_due = true;
    cyc_conn_mark_dirty(conn);
}

/** `out` has gone: what was to follow it? Starts things, calls nobody. */
static void drained(struct cyc_conn *conn)
{
    bool is_end = conn->is_shutdown_due || (conn->is_linger && !conn->is_eof);
    if (is_end && !conn->is_shut_down) {
        conn->is_shut_down = true;
        cyc_io_shutdown(conn->io, conn->fd);
    }
    if (!conn->is_linger || conn->is_draining)
        return;
    if (conn->is_eof) {
        cyc_conn_close(conn);
        return;
    }
    conn->is_draining = true;
    cyc_timer_set(conn->io->wheel, &conn->linger_timer, LINGER_MS_MAX);
    recv_arm(conn);
}

/* ---- finished ops ---------------------------------------------------------------------------- */

/** Lingering: nobody is interested in these bytes. */
static void linger_drop(struct cyc_conn *conn, int result)
{
    if (result > 0) {
        conn->dropped_bytes += (uint32_t)result;
        if (conn->dropped_bytes <= LINGER_BYTES_MAX) {
            recv_arm(conn);
            return;
        }
    }
    conn->is_eof = true;
    if (conn->is_draining)
        cyc_conn_close(conn);
    else if (result < 0)
        conn->vt->on_error(conn, result);
}

static void conn_on_recv(struct cyc_op *op, int result)
{
    struct cyc_conn *conn = cyc_container_of(op, struct cyc_conn, recv);

    if (result > 0) {
        struct cyc_chunk *chunk = op->chunk;
        if (!conn->is_closing && !conn->is_linger) {
            recv_adapt(conn, chunk);
            cyc_buf_append_chunk(&conn->in, chunk, chunk->bytes, chunk->used_bytes);
        }
        cyc_chunk_unref(chunk);
    }
    if (conn->is_closing) {
        close_step(conn);
    } else if (conn->is_linger) {
        linger_drop(conn, result);
    } else if (result > 0) {
        if (conn->is_reading)
            feed(conn);
    } else {
        conn->is_eof = true;
        if (conn->send_error != 0)
            conn->vt->on_error(conn, conn->send_error);
        else if (result == 0)
            conn->vt->on_eof(conn);
        else
            conn->vt->on_error(conn, result);
    }
}

/**
 * A peer that no longer takes bytes may have said why before it went (an early answer): what it
 * sent is shown first, and the error when the receive in flight has met the end.
 */
static void send_failed(struct cyc_conn *conn, int error)
{
    if (op_is_idle(&conn->recv) || conn->is_linger) {
        conn->vt->on_error(conn, error);
        return;
    }
    conn->send_error = error;
    cyc_buf_clear(&conn->out);
}

static void conn_on_send(struct cyc_op *op, int result)
{
    struct cyc_conn *conn = cyc_container_of(op, struct cyc_conn, send);

    if (conn->is_closing) {
        close_step(conn);
        return;
    }
    if (result < 0) {
        send_failed(conn, result);
        return;
    }
    cyc_buf_drop(&conn->out, (size_t)result);
    if (conn->vt->on_sent != NULL)
        conn->vt->on_sent(conn, (size_t)result);
    if (conn->is_closing)
        return;
    /* More to send leaves with what else this turn appends; nothing more may mean an end. */
    if (conn->out.bytes > 0 || conn->is_shutdown_due || conn->is_linger)
        cyc_conn_mark_dirty(conn);
}

static void conn_on_connect(struct cyc_op *op, int result)
{
    struct cyc_conn *conn = cyc_container_of(op, struct cyc_conn, send);

    conn->is_connecting = false;
    if (conn->is_closing) {
        close_step(conn);
        return;
    }
    if (result == 0) {
        if (conn->out.bytes > 0)
            cyc_conn_mark_dirty(conn);
        recv_arm(conn);
    }
    conn->vt->on_connected(conn, result);
}

void cyc_conn_connect(struct cyc_conn *conn, const struct cyc_addr *addr)
{
    conn->is_connecting = true;
    conn->recv.is_dry = true; /* nothing can have arrived yet */
    cyc_io_connect(conn->io, &conn->send, conn->fd, addr, conn_on_connect);
}

/* ---- the end of a turn ----------------------------------------------------------------------- */

void cyc_conn_flush_init(struct cyc_conn_flush *flush)
{
    cyc_list_init(&flush->dirty);
    flush->round = 0;
}

/** Starts what a dirty connection was marked for. Calls nobody. */
static void conn_flush(struct cyc_conn *conn)
{
    if (conn->is_closing || conn->is_connecting || !op_is_idle(&conn->send))
        return; /* the op in flight goes on from here when it is done */
    if (conn->send_error != 0)
        cyc_buf_clear(&conn->out);
    else if (conn->out.bytes > 0)
        cyc_io_send(conn->io, &conn->send, conn->fd, &conn->out, conn_on_send);
    else
        drained(conn);
}

/** Runs the callbacks that are due; what is dirty afterwards is in `to_flush`. */
static void flush_callbacks(struct cyc_conn_flush *flush, struct cyc_list *to_flush)
{
    struct cyc_list *link;

    while ((link = cyc_list_take_front(&flush->dirty)) != NULL) {
        struct cyc_conn *conn = cyc_container_of(link, struct cyc_conn, dirty_link);
        if (conn->is_closing) {
            close_step(conn);
            continue;
        }
        if (conn->is_feed_due && conn->fed_round != flush->round) {
            conn->fed_round = flush->round;
            feed(conn);
        }
        if (!cyc_list_is_linked(link)) /* else it will be here again */
            cyc_list_add_back(to_flush, link);
    }
}

void cyc_conn_flush_all(struct cyc_conn_flush *flush)
{
    struct cyc_list to_flush, *link;

    if (cyc_list_is_empty(&flush->dirty))
        return;
    flush->round++;
    cyc_list_init(&to_flush);
    flush_callbacks(flush, &to_flush);
    /* All bytes of the turn are in their queues now: one send each. */
    while ((link = cyc_list_take_front(&to_flush)) != NULL) {
        struct cyc_conn *conn = cyc_container_of(link, struct cyc_conn, dirty_link);
        conn_flush(conn);
        if (conn->is_feed_due)
            cyc_conn_mark_dirty(conn); /* it has had its turn: the next one */
    }
}
