/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completion-style I/O: the only way Cyclone talks to the kernel on the request path.
 *
 * You own a `struct cyc_op`, you start it, and later its `done` runs exactly once, never before the
 * starting call has returned. Four rules make everything above this header simple:
 *
 *   1. An op is idle or in flight; starting one in flight is a bug.
 *   2. Its memory, and the buffer it names, stay put until `done` runs.
 *   3. Cancelling is a request: `done` still runs, with -ECANCELED or with the real result.
 *   4. A descriptor is closed only when no op on it is in flight.
 *
 * ACCEPT and POLL are sources: `done` runs once per event with a result of 0 or more, and one last
 * time with a negative result, after which the op is idle.
 *
 * RECV lends no buffer while it waits: the engine picks a chunk when bytes are there and hands it
 * over in `op->chunk`. An engine short of chunks parks the op and goes on when there is room again.
 *
 * Bytes nobody will look at need not leave the kernel: a RECV told so (`opaque_bytes`) may hand
 * over a pipe chunk, and a SEND whose queue begins with one moves it to the socket.
 *
 * Engines: io_uring (native), uv (libuv's loop; readiness turned into completions), sim (tests: no
 * kernel, no real time, one seed decides every short read, delay and reset).
 */
#ifndef CYC_NET_IO_H
#define CYC_NET_IO_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/addr.h"
#include "net/net_conf.h"
#include "net/timer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cyc_io;
struct cyc_op;

/** @param result  what the kind of op says below, or a negative errno */
typedef void cyc_op_done(struct cyc_op *op, int result);

enum cyc_op_kind {
    CYC_OP_IDLE = 0,
    CYC_OP_RECV,     /* bytes received, in op->chunk (yours to unref); 0: end of stream */
    CYC_OP_SEND,     /* bytes sent from the front of op->buf */
    CYC_OP_ACCEPT,   /* source: a new descriptor, yours to close */
    CYC_OP_CONNECT,  /* 0 */
    CYC_OP_POLL,     /* source: the descriptor became readable (the guest loop's, an eventfd) */
    CYC_OP_FINISHED, /* its last result waits for its callback */
};

/** One operation. Embed it in the object it serves; find that object again with cyc_container_of.
 */
struct cyc_op {
    cyc_op_done *done;
    union {
        struct cyc_chunk *chunk;     /* RECV, out: set when the result is above 0 */
        const struct cyc_buf *buf;   /* SEND: borrowed; may grow at the end while in flight */
        const struct cyc_addr *addr; /* CONNECT: borrowed until done */
    };
    struct cyc_op *next; /* engine's */
    int fd;
    uint8_t kind; /* enum cyc_op_kind; IDLE when not in flight */
    bool is_bulk; /* RECV, in: the caller expects a lot; use a large chunk */
    bool is_dry;  /* RECV: the last one emptied the socket, so wait first (engine's own hint) */
    bool is_unspliceable;  /* RECV: this socket has refused (engine's own note) */
    uint8_t state;         /* engine's; 0 when started */
    uint64_t opaque_bytes; /* RECV, in: nobody will look at the next so many; they may stay in the
                              kernel and come as a pipe chunk (base/pipe.h) */
};

/** How a socket is made. */
struct cyc_sock_options {
    bool is_nodelay, is_keepalive;
    uint32_t keepalive_idle_s, keepalive_interval_s, keepalive_probe_count;
    uint32_t buffer_bytes; /* 0: the kernel tunes */
    uint32_t backlog;      /* listening sockets */
};

/** What an engine must provide. `wait` moves finished ops to io->finished and never calls `done`.
 */
struct cyc_io_vt {
    const char *name;
    void (*submit)(struct cyc_io *io, struct cyc_op *op);
    void (*cancel)(struct cyc_io *io, struct cyc_op *op);
    /** Submits what is pending, waits up to `wait_ns_max` for one completion, updates io->clock. */
    int (*wait)(struct cyc_io *io, uint64_t wait_ns_max);
    void (*wake)(struct cyc_io *io); /* any thread: makes the current or next wait return */
    int (*open)(struct cyc_io *io, const struct cyc_addr *addr,
                const struct cyc_sock_options *opts);
    int (*listen)(struct cyc_io *io, const struct cyc_addr *addr,
                  const struct cyc_sock_options *opts);
    void (*quiesce)(struct cyc_io *io, int fd); /* NULL: nothing to do */
    void (*close)(struct cyc_io *io, int fd);
    void (*shutdown)(struct cyc_io *io, int fd); /* no more sends */
    void (*reset)(struct cyc_io *io, int fd);    /* the close that follows is to be a reset */
    int (*peer_addr)(struct cyc_io *io, int fd, struct cyc_addr *ret_addr);
    int (*local_addr)(struct cyc_io *io, int fd, struct cyc_addr *ret_addr);
    /** The libuv loop that lives with this engine (host or guest); NULL in simulation. A guest is
     *  made by the first call; call again after every change to its handles made outside its own
     *  callbacks, so that the guest looks at them. */
    void *(*uv_loop)(struct cyc_io *io);
    void (*destroy)(struct cyc_io *io);
};

/** A result on its way to its callback. */
struct cyc_io_event {
    struct cyc_op *op;
    int result;
    bool is_last; /* of this op: false for the events of a source */
};

struct cyc_io_queue {
    struct cyc_io_event *events;
    uint32_t count, capacity;
};

/** The common part of every engine; engines embed it first. */
struct cyc_io {
    const struct cyc_io_vt *vt;
    struct cyc_clock clock; /* read once a turn; the one clock the data path reads */
    struct cyc_wheel *wheel;
    struct cyc_buf_pool *pool; /* where RECV takes chunks from */
    struct cyc_mem *mem;
    uint32_t in_flight_count;
    uint64_t recv_parked_count; /* times an op had to wait for a chunk */
    uint64_t zero_copy_count;   /* sends from a pipe since it was last asked for */
    uint64_t splice_bytes_min;  /* fewer opaque bytes than this are received as usual; UINT64_MAX:
                                   all are */
    /* private */
    struct cyc_io_queue finished, batch;
    uint64_t wall_offset_ns, wall_checked_ns;
};

/** What every engine is created with. */
struct cyc_io_setup {
    struct cyc_mem *mem;
    struct cyc_buf_pool *pool;
    const struct cyc_network_conf *network;
    const struct cyc_timer_conf *timer;
};

void cyc_io_recv(struct cyc_io *io, struct cyc_op *op, int fd, cyc_op_done *done);
/** Sends from the front of `buf` (not empty): maybe only part of it. The caller drops what was
 * sent. */
void cyc_io_send(struct cyc_io *io, struct cyc_op *op, int fd, const struct cyc_buf *buf,
                 cyc_op_done *done);
void cyc_io_accept(struct cyc_io *io, struct cyc_op *op, int fd, cyc_op_done *done);
void cyc_io_connect(struct cyc_io *io, struct cyc_op *op, int fd, const struct cyc_addr *addr,
                    cyc_op_done *done);
void cyc_io_poll(struct cyc_io *io, struct cyc_op *op, int fd, cyc_op_done *done);

/** Asks for an early end. No-op on an idle op. */
void cyc_io_cancel(struct cyc_io *io, struct cyc_op *op);

/** A stream socket for connecting to `addr`, non-blocking. @return descriptor or negative errno */
int cyc_io_open(struct cyc_io *io, const struct cyc_addr *addr,
                const struct cyc_sock_options *opts);
/** A listening socket of this worker (SO_REUSEPORT for IP). @return descriptor or negative errno */
int cyc_io_listen(struct cyc_io *io, const struct cyc_addr *addr,
                  const struct cyc_sock_options *opts);
/** For a listener that is to be closed in a moment: nobody new is let in, and who had begun to
 * connect still comes out of ACCEPT. Closing at once would reset those who wait. */
void cyc_io_quiesce(struct cyc_io *io, int fd);
void cyc_io_close(struct cyc_io *io, int fd);
void cyc_io_shutdown(struct cyc_io *io, int fd);
/** Before cyc_io_close: the peer is to see a reset, not an orderly end. */
void cyc_io_reset(struct cyc_io *io, int fd);
int cyc_io_peer_addr(struct cyc_io *io, int fd, struct cyc_addr *ret_addr);
int cyc_io_local_addr(struct cyc_io *io, int fd, struct cyc_addr *ret_addr);
void cyc_io_wake(struct cyc_io *io);

/** How long the next turn may wait, at most `wait_ns_max`: 0 when ops have already finished. */
uint64_t cyc_io_wait_ns(const struct cyc_io *io, uint64_t wait_ns_max);
/**
 * One turn: wait, then run the callbacks of everything that had finished by then, then the timers.
 * Ops finished by those callbacks wait for the next turn, so a turn is bounded.
 * @return callbacks run, or a negative errno if the engine itself failed
 */
int cyc_io_turn(struct cyc_io *io, uint64_t wait_ns_max);
/** Nothing may be in flight and no timer armed. NULL is a no-op. */
void cyc_io_destroy(struct cyc_io *io);

/** How many sends went from a pipe since the last call. */
static inline uint64_t cyc_io_take_zero_copy_count(struct cyc_io *io)
{
    uint64_t count = io->zero_copy_count;
    io->zero_copy_count = 0;
    return count;
}

/** For engines: fills the common part but for `clock`, which must be set. */
void cyc_io_init(struct cyc_io *io, const struct cyc_io_vt *vt, const struct cyc_io_setup *setup);
/** For engines: hand a finished op (or one event of a source) over. */
void cyc_io_finish(struct cyc_io *io, struct cyc_op *op, int result);
/** For engines: whether a parked RECV may try again, that is whether a small chunk can be had. */
static inline bool cyc_io_has_chunks(const struct cyc_io *io)
{
    const struct cyc_slab *small = &io->pool->small;
    return small->free != NULL || cyc_mem_has_room(small->mem, small->object_bytes);
}
/** For the engines that live on a kernel: whether the bytes of this op are to go through a pipe. */
bool cyc_io_wants_splice(const struct cyc_io *io, const struct cyc_op *op);
/** ... moves them, without waiting. @return what the op is to finish with, -EAGAIN: when the socket
 * is ready, or -EOPNOTSUPP: a RECV that has to go the usual way */
int cyc_io_splice(struct cyc_io *io, struct cyc_op *op);
/** For the engines that live in real time: reads the kernel's clocks into io->clock. */
void cyc_io_clock_read(struct cyc_io *io);

/** @return NULL, with the reason in *ret_error (a negative errno), when it cannot be had */
struct cyc_io *cyc_io_uring_create(const struct cyc_io_setup *setup, int *ret_error);
struct cyc_io *cyc_io_uv_create(const struct cyc_io_setup *setup, int *ret_error);

/** What io_pick found out, for the log line, the metric and /health/deep. */
struct cyc_io_choice {
    enum cyc_io_backend backend; /* URING or EPOLL */
    char reason[160];            /* one sentence: why this one */
    char features[160];          /* "single_issuer defer_taskrun buf_ring multishot_accept ..." */
};

/**
 * Probes what this process may use (ring set-up with its flags, a buffer ring, a no-op that really
 * goes through: seccomp may refuse late) and decides.
 * @return 0, or a negative errno when `wanted` is URING and cannot be had (ret->reason says why)
 */
int cyc_io_pick(enum cyc_io_backend wanted, struct cyc_io_choice *ret);
/** Creates the engine that was picked. */
struct cyc_io *cyc_io_create(const struct cyc_io_choice *choice, const struct cyc_io_setup *setup,
                             int *ret_error);

#endif
