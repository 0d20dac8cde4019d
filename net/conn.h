/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One byte-stream connection: two ops, an outgoing queue, an orderly close.
 *
 * Reading is one RECV kept armed while the owner wants bytes: an idle connection holds no buffer,
 * and a peer that goes away is noticed. Writing appends to `out`; everything appended in one turn
 * leaves in one send at the end of the turn (cyc_conn_flush_all). Closing is asynchronous: nothing
 * is reported after cyc_conn_close() but on_closed, once no op is in flight; then the memory is the
 * owner's.
 */
#ifndef CYC_NET_CONN_H
#define CYC_NET_CONN_H

#include "net/io.h"

struct cyc_conn;

/** The owner's side. None of these runs inside a cyc_conn_* call. */
struct cyc_conn_vt {
    /** Bytes arrived. Take what you want from `in` (a queue that lives for the call); what is left
     * is kept and shown again, with more, at the next read or after cyc_conn_resume(). */
    void (*on_read)(struct cyc_conn *conn, struct cyc_buf *in);
    /** The peer sends no more. Bytes may still be written. */
    void (*on_eof)(struct cyc_conn *conn);
    /** The connection is broken (a negative errno); the owner must close it. What had arrived
     * before was shown before. */
    void (*on_error)(struct cyc_conn *conn, int error);
    /** Bytes left: conn->out shrank. */
    void (*on_sent)(struct cyc_conn *conn, size_t bytes);
    /** Connecting ended: 0, or a negative errno (the owner must close it). */
    void (*on_connected)(struct cyc_conn *conn, int error);
    /** The descriptor is closed and nothing is in flight: the last call. */
    void (*on_closed)(struct cyc_conn *conn);
};

/** Connections with something to send or to show, flushed once a turn. One per worker. */
struct cyc_conn_flush {
    struct cyc_list dirty;
    uint32_t round; /* counts flushes: a connection shows its bytes once in each */
};

struct cyc_conn {
    const struct cyc_conn_vt *vt;
    struct cyc_io *io;
    struct cyc_conn_flush *flush;
    struct cyc_op recv, send; /* `send` is also the CONNECT op */
    struct cyc_buf out;       /* append freely, then cyc_conn_mark_dirty() */
    struct cyc_buf in;        /* bytes the owner has not taken yet */
    struct cyc_list dirty_link;
    /* Where the owner says how many of the next bytes nobody will look at; NULL: he looks at all.
     * Set after init, lives as long as the connection. */
    const uint64_t *opaque_bytes;
    int fd;
    bool is_reading;      /* the owner wants on_read */
    bool is_eof;          /* no more reads */
    bool is_shutdown_due; /* after `out` has drained: no more sends */
    bool is_shut_down;
    bool is_closing, is_linger; /* linger: send `out` first */
    bool is_reset;              /* close with a reset */
    bool is_connecting;
    bool is_feeding; /* on_read is on the stack */
    /* private */
    bool is_feed_due;       /* `in` is to be shown by the next flush */
    bool is_draining;       /* lingering, `out` is gone: what still arrives is dropped */
    uint32_t fed_round;     /* the flush that showed `in` last */
    uint32_t dropped_bytes; /* while lingering */
    int send_error;         /* 0, or why sending ended while a receive is still in flight */
    struct cyc_timer linger_timer;
};

/** Adopts a connected descriptor (or one about to be connected). Reading is off. */
void cyc_conn_init(struct cyc_conn *conn, const struct cyc_conn_vt *vt, struct cyc_io *io,
                   struct cyc_conn_flush *flush, int fd);
/** @param addr  borrowed until on_connected */
void cyc_conn_connect(struct cyc_conn *conn, const struct cyc_addr *addr);

/** Starts (again) to read. Bytes left over from before are shown at the end of this turn. */
void cyc_conn_resume(struct cyc_conn *conn);
/** Stops after the read in flight, if any: its bytes wait in `in`. The peer's end is then noticed
 * only by that one read: keep reading where it matters. */
void cyc_conn_pause(struct cyc_conn *conn);

/** Something was appended to conn->out: send it when this turn ends. */
static inline void cyc_conn_mark_dirty(struct cyc_conn *conn)
{
    if (!cyc_list_is_linked(&conn->dirty_link))
        cyc_list_add_back(&conn->flush->dirty, &conn->dirty_link);
}
/** After `out` has drained, tell the peer that no more comes. */
void cyc_conn_shutdown(struct cyc_conn *conn);
/** Drops `out` and closes. Idempotent. */
void cyc_conn_close(struct cyc_conn *conn);
/** The same, and the peer sees a reset: what it got must not look complete. */
void cyc_conn_reset(struct cyc_conn *conn);
/** Sends `out` first, then ends the stream, reads on for a moment so that the peer gets the last
 * bytes and not a reset (RFC 9112 9.6), and closes. Until `out` has gone the owner still gets
 * on_sent and on_error, and must have a timer: a peer may never take the bytes. No on_read, no
 * on_eof. */
void cyc_conn_close_after_send(struct cyc_conn *conn);

void cyc_conn_flush_init(struct cyc_conn_flush *flush);
/** At the end of every turn. */
void cyc_conn_flush_all(struct cyc_conn_flush *flush);
/** After a flush: whether something was left for the next turn, which must then not wait. */
static inline bool cyc_conn_flush_is_due(const struct cyc_conn_flush *flush)
{
    return !cyc_list_is_empty(&flush->dirty);
}

#endif
