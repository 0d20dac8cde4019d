/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The io_uring engine: ops map one to one onto submissions, the op's address is the user data.
 *
 * One io_uring_enter per turn hands over everything that was started and waits for something to
 * finish. What is used of io_uring is decided by trying it, never by the kernel's version:
 *
 *   lent buffers (5.19)       else RECV polls in the ring and receives by a call of its own
 *   multishot accept (5.19)   else one accept at a time, sent again after each
 *   multishot poll (5.13)     else the same
 *
 * A receive that finds no lent buffer (-ENOBUFS) is parked and sent again at the next wait, when
 * the groups have been refilled; the caller never sees it.
 *
 * Bytes that nobody will look at go through pipes (base/pipe.h): those ops only poll in the ring.
 *
 * The engine belongs to the thread that created it; only wake() may come from others.
 */
#include "net/io.h"

#include "base/assert.h"
#include "net/guest_uv.h"
#include "net/io_uring.h"
#include "net/io_uring_ring.h"
#include "net/sock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define ENTRY_COUNT_MIN 64
#define SMALL_LENT_COUNT_MAX 1024 /* 4 MiB when a worker is that busy */
#define LARGE_LENT_COUNT_MAX 64   /* 4 MiB */
/* Pieces per send. More are rare, and leave with the next send. */
#define IOV_COUNT_MAX 16

/* User data that is no op: ops are aligned, so small numbers are free. */
enum tag { TAG_NONE = 0, TAG_GUEST, TAG_WAKE, TAG_COUNT };

/* cyc_op.state */
#define STATE_CANCELLED 1u /* the caller asked for an end: do not send it again */
#define STATE_PARKED 2u    /* waits for a buffer, the kernel does not know it */
#define STATE_LARGE 4u     /* asked for a large buffer */
#define STATE_MULTISHOT 8u
#define STATE_SPLICE 16u /* polls; the bytes are moved by a call of its own */

/** What a gathering send points at until it is submitted. One per submission entry. */
struct gather {
    struct msghdr msg;
    struct iovec iovs[IOV_COUNT_MAX];
};

struct uring_engine {
    struct cyc_io base;
    struct io_uring ring;
    struct gather *gathers;
    uint32_t gather_count;
    struct cyc_uring_bufs small, large;
    struct cyc_op *parked_head, *parked_tail;
    bool has_lent_bufs, has_multishot_accept, has_multishot_poll;
    bool is_multishot_accept_proven; /* it has worked: EINVAL is not the kernel's age */
    bool is_batching;                /* network.enable_syscall_batching */
    bool can_gather;                 /* the kernel has copied the gather when submit returns */
    uint8_t quiet;                   /* sqe flags for what only completes visibly when it fails */
    int wake_fd;
    uint64_t wake_value; /* read into by the ring */
    struct cyc_guest_uv *guest;
    uint64_t guest_due_ns; /* when the guest wants to run by itself */
};

static struct uring_engine *engine_of(struct cyc_io *io)
{
    return cyc_container_of(io, struct uring_engine, base);
}

/* ---- submissions ----------------------------------------------------------------------------- */

static struct io_uring_sqe *sqe_get(struct uring_engine *e)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&e->ring);
    if (CYC_UNLIKELY(sqe == NULL)) {
        io_uring_submit(&e->ring); /* full: hand the batch over early */
        sqe = io_uring_get_sqe(&e->ring);
    }
    cyc_assert(sqe != NULL);
    return sqe;
}

static void sqe_tag(struct io_uring_sqe *sqe, enum tag tag)
{
    io_uring_sqe_set_data64(sqe, (uint64_t)tag);
}

static void recv_prep(struct uring_engine *e, struct io_uring_sqe *sqe, struct cyc_op *op)
{
    if (CYC_UNLIKELY(!e->has_lent_bufs)) {
        io_uring_prep_poll_add(sqe, op->fd, POLLIN);
        return;
    }
    /* Large ones may have run out where small ones have not. */
    bool is_large = op->is_bulk && e->large.lent_count > 0;
    io_uring_prep_recv(sqe, op->fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = is_large ? e->large.group : e->small.group;
    if (op->is_dry)
        sqe->ioprio |= IORING_RECVSEND_POLL_FIRST; /* spares a read that would find nothing */
    if (is_large)
        op->state |= STATE_LARGE;
    else
        op->state &= (uint8_t)~STATE_LARGE;
}

static void send_prep(struct uring_engine *e, struct io_uring_sqe *sqe, struct cyc_op *op)
{
    struct gather *gather = &e->gathers[sqe - e->ring.sq.sqes];
    uint32_t iov_count_max = e->can_gather && op->buf->head->next != NULL ? IOV_COUNT_MAX : 1;
    uint32_t iov_count = cyc_buf_iovecs(op->buf, gather->iovs, iov_count_max);

    if (iov_count == 1) {
        struct iovec *iov = &gather->iovs[0];
        io_uring_prep_send(sqe, op->fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL);
        return;
    }
    gather->msg = (struct msghdr){.msg_iov = gather->iovs, .msg_iovlen = iov_count};
    io_uring_prep_sendmsg(sqe, op->fd, &gather->msg, MSG_NOSIGNAL);
}

static void accept_prep(struct uring_engine *e, struct io_uring_sqe *sqe, struct cyc_op *op)
{
    int flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
    if (e->has_multishot_accept) {
        io_uring_prep_multishot_accept(sqe, op->fd, NULL, NULL, flags);
        op->state |= STATE_MULTISHOT;
    } else {
        io_uring_prep_accept(sqe, op->fd, NULL, NULL, flags);
        op->state &= (uint8_t)~STATE_MULTISHOT;
    }
}

static void poll_prep(struct uring_engine *e, struct io_uring_sqe *sqe, struct cyc_op *op)
{
    if (e->has_multishot_poll) {
        io_uring_prep_poll_multishot(sqe, op->fd, POLLIN);
        op->state |= STATE_MULTISHOT;
    } else {
        io_uring_prep_poll_add(sqe, op->fd, POLLIN);
        op->state &= (uint8_t)~STATE_MULTISHOT;
    }
}

/**
 * The ring would hand a splice to a kernel thread: it only says when, the call is ours.
 * @return false: this op goes the usual way
 */
static bool splice_submit(struct uring_engine *e, struct cyc_op *op)
{
    bool is_recv = op->kind == CYC_OP_RECV;
    int result = -EAGAIN;

    if (!cyc_io_wants_splice(&e->base, op))
        return false;
    if (!is_recv || !op->is_dry)
        result = cyc_io_splice(&e->base, op);
    if (result == -EOPNOTSUPP)
        return false;
    if (result != -EAGAIN) {
        cyc_io_finish(&e->base, op, result);
        return true;
    }
    struct io_uring_sqe *sqe = sqe_get(e);
    io_uring_prep_poll_add(sqe, op->fd, is_recv ? POLLIN : POLLOUT);
    op->state |= STATE_SPLICE;
    io_uring_sqe_set_data(sqe, op);
    if (CYC_UNLIKELY(!e->is_batching))
        io_uring_submit(&e->ring);
    return true;
}

static void engine_submit(struct cyc_io *io, struct cyc_op *op)
{
    struct uring_engine *e = engine_of(io);

    if (CYC_UNLIKELY(splice_submit(e, op)))
        return;
    struct io_uring_sqe *sqe = sqe_get(e);
    switch ((enum cyc_op_kind)op->kind) {
    case CYC_OP_RECV:
        recv_prep(e, sqe, op);
        break;
    case CYC_OP_SEND:
        send_prep(e, sqe, op);
        break;
    case CYC_OP_ACCEPT:
        accept_prep(e, sqe, op);
        break;
    case CYC_OP_CONNECT:
        io_uring_prep_connect(sqe, op->fd, &op->addr->any, op->addr->len);
        break;
    case CYC_OP_POLL:
        poll_prep(e, sqe, op);
        break;
    case CYC_OP_IDLE:
    case CYC_OP_FINISHED:
        cyc_unreachable();
    }
    io_uring_sqe_set_data(sqe, op);
    if (CYC_UNLIKELY(!e->is_batching))
        io_uring_submit(&e->ring);
}

static void guest_watch(struct uring_engine *e)
{
    struct io_uring_sqe *sqe = sqe_get(e);
    if (e->has_multishot_poll)
        io_uring_prep_poll_multishot(sqe, cyc_guest_uv_fd(e->guest), POLLIN);
    else
        io_uring_prep_poll_add(sqe, cyc_guest_uv_fd(e->guest), POLLIN);
    sqe_tag(sqe, TAG_GUEST);
}

static void wake_watch(struct uring_engine *e)
{
    struct io_uring_sqe *sqe = sqe_get(e);
    io_uring_prep_read(sqe, e->wake_fd, &e->wake_value, sizeof(e->wake_value), 0);
    sqe_tag(sqe, TAG_WAKE);
}

/* ---- parked receives ------------------------------------------------------------------------- */

static void recv_park(struct uring_engine *e, struct cyc_op *op)
{
    cyc_uring_bufs_grow(op->state & STATE_LARGE ? &e->large : &e->small);
    e->base.recv_parked_count++;
    op->state |= STATE_PARKED;
    op->next = NULL;
    if (e->parked_tail != NULL)
        e->parked_tail->next = op;
    else
        e->parked_head = op;
    e->parked_tail = op;
}

static void recv_unpark(struct uring_engine *e, struct cyc_op *op)
{
    struct cyc_op *previous = NULL, *at = e->parked_head;
    for (; at != op; at = at->next) {
        cyc_assert(at != NULL);
        previous = at;
    }
    if (previous != NULL)
        previous->next = op->next;
    else
        e->parked_head = op->next;
    if (e->parked_tail == op)
        e->parked_tail = previous;
    op->next = NULL;
    op->state &= (uint8_t)~STATE_PARKED;
}

/** Sends the parked again: at most as many as there are buffers, so that none goes round in vain.
 */
static void parked_resume(struct uring_engine *e)
{
    uint32_t budget = e->small.lent_count + e->large.lent_count;
    if (!e->has_lent_bufs && cyc_io_has_chunks(&e->base))
        budget = UINT32_MAX;
    for (; e->parked_head != NULL && budget > 0; budget--) {
        struct cyc_op *op = e->parked_head;
        recv_unpark(e, op);
        engine_submit(&e->base, op);
    }
}

static void engine_cancel(struct cyc_io *io, struct cyc_op *op)
{
    struct uring_engine *e = engine_of(io);

    if (op->state & STATE_PARKED) {
        recv_unpark(e, op);
        cyc_io_finish(io, op, -ECANCELED);
        return;
    }
    op->state |= STATE_CANCELLED;
    struct io_uring_sqe *sqe = sqe_get(e);
    io_uring_prep_cancel(sqe, op, 0);
    sqe->flags |= e->quiet;
    sqe_tag(sqe, TAG_NONE);
}

/* ---- completions ----------------------------------------------------------------------------- */

/** Sends an op again, unless its owner wants it to end. */
static void op_repeat(struct uring_engine *e, struct cyc_op *op)
{
    if (op->state & STATE_CANCELLED)
        cyc_io_finish(&e->base, op, -ECANCELED);
    else
        engine_submit(&e->base, op);
}

static void recv_finish(struct uring_engine *e, struct cyc_op *op, const struct io_uring_cqe *cqe)
{
    struct cyc_uring_bufs *bufs = op->state & STATE_LARGE ? &e->large : &e->small;
    struct cyc_chunk *chunk = NULL;
    int result = cqe->res;

    if (cqe->flags & IORING_CQE_F_BUFFER)
        chunk = cyc_uring_bufs_take(bufs, (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT));
    if (result > 0) {
        cyc_assert(chunk != NULL && (uint32_t)result <= chunk->size_bytes);
        chunk->used_bytes = (uint32_t)result;
        op->chunk = chunk;
        op->is_dry =
            !(cqe->flags & IORING_CQE_F_SOCK_NONEMPTY) && chunk->used_bytes < chunk->size_bytes;
    } else if (chunk != NULL) {
        cyc_chunk_unref(chunk);
    }
    if (result != -ENOBUFS)
        cyc_io_finish(&e->base, op, result);
    else if (op->state & STATE_CANCELLED)
        cyc_io_finish(&e->base, op, -ECANCELED);
    else
        recv_park(e, op);
}

/** Without lent buffers: the socket is readable, so a chunk taken now will not wait. */
static void recv_ready(struct uring_engine *e, struct cyc_op *op, int result)
{
    if (result < 0) {
        cyc_io_finish(&e->base, op, result);
        return;
    }
    struct cyc_chunk *chunk = cyc_chunk_get(e->base.pool, op->is_bulk);
    if (chunk == NULL && op->is_bulk)
        chunk = cyc_chunk_get(e->base.pool, false);
    if (chunk == NULL) {
        if (op->state & STATE_CANCELLED)
            cyc_io_finish(&e->base, op, -ECANCELED);
        else
            recv_park(e, op);
        return;
    }
    ssize_t n = recv(op->fd, chunk->bytes, chunk->size_bytes, MSG_DONTWAIT);
    int error = n < 0 ? -errno : 0;
    if (n > 0) {
        chunk->used_bytes = (uint32_t)n;
        op->chunk = chunk;
    } else {
        cyc_chunk_unref(chunk);
    }
    if (error == -EAGAIN || error == -EINTR)
        op_repeat(e, op);
    else
        cyc_io_finish(&e->base, op, n < 0 ? error : (int)n);
}

/** Whether a source met something that passes by itself, or a kernel that is too old for it. */
static bool source_should_repeat(struct uring_engine *e, const struct cyc_op *op, int result)
{
    if (result == -EAGAIN || result == -EINTR || result == -ECONNABORTED)
        return true;
    if (result != -EINVAL || !(op->state & STATE_MULTISHOT))
        return false;
    if (op->kind == CYC_OP_ACCEPT && e->is_multishot_accept_proven)
        return false; /* a UNIX listener that was quiesced, and whose last has come out */
    if (op->kind == CYC_OP_ACCEPT)
        e->has_multishot_accept = false;
    else
        e->has_multishot_poll = false;
    return true;
}

static void source_event(struct uring_engine *e, struct cyc_op *op, const struct io_uring_cqe *cqe)
{
    if (cqe->res >= 0) {
        e->is_multishot_accept_proven |= op->kind == CYC_OP_ACCEPT;
        cyc_io_finish(&e->base, op, cqe->res);
        if (!(cqe->flags & IORING_CQE_F_MORE))
            op_repeat(e, op);
        return;
    }
    if (source_should_repeat(e, op, cqe->res))
        op_repeat(e, op);
    else
        cyc_io_finish(&e->base, op, cqe->res);
}

/** A completion of the engine's own. */
static void tag_event(struct uring_engine *e, const struct io_uring_cqe *cqe)
{
    switch (cqe->user_data) {
    case TAG_WAKE:
        wake_watch(e);
        break;
    case TAG_GUEST:
        e->guest_due_ns = 0; /* run it */
        if (cqe->res == -EINVAL)
            e->has_multishot_poll = false;
        if (!(cqe->flags & IORING_CQE_F_MORE))
            guest_watch(e);
        break;
    default:
        break; /* a cancel or a close: nobody waits for it */
    }
}

/** The socket of a splice is ready. */
static void splice_ready(struct uring_engine *e, struct cyc_op *op, int result)
{
    op->state &= (uint8_t)~STATE_SPLICE;
    op->is_dry = false;
    if (result < 0)
        cyc_io_finish(&e->base, op, result);
    else
        op_repeat(e, op);
}

static void cqe_handle(struct uring_engine *e, const struct io_uring_cqe *cqe)
{
    if (cqe->user_data < TAG_COUNT || cqe->user_data == LIBURING_UDATA_TIMEOUT) {
        tag_event(e, cqe);
        return;
    }
    struct cyc_op *op = io_uring_cqe_get_data(cqe);
    if (op->state & STATE_SPLICE) {
        splice_ready(e, op, cqe->res);
        return;
    }
    switch ((enum cyc_op_kind)op->kind) {
    case CYC_OP_RECV:
        if (e->has_lent_bufs)
            recv_finish(e, op, cqe);
        else
            recv_ready(e, op, cqe->res);
        break;
    case CYC_OP_ACCEPT:
    case CYC_OP_POLL:
        source_event(e, op, cqe);
        break;
    default:
        cyc_io_finish(&e->base, op, cqe->res);
        break;
    }
}

static void completions_reap(struct uring_engine *e)
{
    struct io_uring_cqe *cqe;
    unsigned head, seen_count = 0;

    io_uring_for_each_cqe (&e->ring, head, cqe) {
        cqe_handle(e, cqe);
        seen_count++;
    }
    io_uring_cq_advance(&e->ring, seen_count);
}

static void guest_run(struct uring_engine *e)
{
    uint64_t wait_ns = cyc_guest_uv_run(e->guest);
    uint64_t now_ns = e->base.clock.now_ns;
    e->guest_due_ns = wait_ns < UINT64_MAX - now_ns ? now_ns + wait_ns : UINT64_MAX;
}

/** Submits, and waits for one completion. @return 0, or a negative errno that no retry will mend */
static int ring_enter(struct uring_engine *e, uint64_t wait_ns)
{
    struct io_uring_cqe *cqe;
    int r;

    if (wait_ns == 0 || io_uring_cq_ready(&e->ring) > 0) {
        r = io_uring_submit_and_get_events(&e->ring);
    } else if (wait_ns >= INT64_MAX) {
        r = io_uring_submit_and_wait(&e->ring, 1);
    } else {
        struct __kernel_timespec at = {.tv_sec = (int64_t)(wait_ns / CYC_NS_PER_S),
                                       .tv_nsec = (long long)(wait_ns % CYC_NS_PER_S)};
        r = io_uring_submit_and_wait_timeout(&e->ring, &cqe, 1, &at, NULL);
    }
    /* Time over, a signal, or a kernel that wants its completions collected before taking more. */
    bool is_passing = r == -ETIME || r == -EINTR || r == -EAGAIN || r == -EBUSY;
    return r >= 0 || is_passing ? 0 : r;
}

static int engine_wait(struct cyc_io *io, uint64_t wait_ns_max)
{
    struct uring_engine *e = engine_of(io);

    if (e->has_lent_bufs) {
        cyc_uring_bufs_refill(&e->small);
        cyc_uring_bufs_refill(&e->large);
    }
    if (CYC_UNLIKELY(e->parked_head != NULL))
        parked_resume(e);
    if (e->guest_due_ns <= io->clock.now_ns)
        guest_run(e);
    if (e->guest_due_ns - io->clock.now_ns < wait_ns_max)
        wait_ns_max = e->guest_due_ns - io->clock.now_ns;
    /* What the guest's callbacks finished must not wait for the kernel. */
    int r = ring_enter(e, io->finished.count > 0 ? 0 : wait_ns_max);
    cyc_io_clock_read(io);
    if (r < 0)
        return r;
    completions_reap(e);
    if (e->guest_due_ns <= io->clock.now_ns)
        guest_run(e);
    return 0;
}

static void engine_wake(struct cyc_io *io)
{
    uint64_t one = 1;
    ssize_t n = write(engine_of(io)->wake_fd, &one, sizeof(one));
    (void)n; /* a full counter is a wake-up too */
}

/* ---- sockets --------------------------------------------------------------------------------- */

static int engine_open(struct cyc_io *io, const struct cyc_addr *addr,
                       const struct cyc_sock_options *opts)
{
    (void)io;
    return cyc_sock_open(addr, opts);
}

static int engine_listen(struct cyc_io *io, const struct cyc_addr *addr,
                         const struct cyc_sock_options *opts)
{
    (void)io;
    return cyc_sock_listen(addr, opts);
}

static void engine_close(struct cyc_io *io, int fd)
{
    struct uring_engine *e = engine_of(io);
    struct io_uring_sqe *sqe = sqe_get(e);
    io_uring_prep_close(sqe, fd);
    sqe->flags |= e->quiet;
    sqe_tag(sqe, TAG_NONE);
}

static void engine_quiesce(struct cyc_io *io, int fd)
{
    (void)io;
    cyc_sock_quiesce(fd);
}

static void engine_reset(struct cyc_io *io, int fd)
{
    (void)io;
    cyc_sock_reset_on_close(fd);
}

static void engine_shutdown(struct cyc_io *io, int fd)
{
    (void)io;
    cyc_sock_shutdown(fd); /* the ring would hand it to a kernel thread */
}

static int engine_peer_addr(struct cyc_io *io, int fd, struct cyc_addr *ret_addr)
{
    (void)io;
    return cyc_sock_peer_addr(fd, ret_addr);
}

static int engine_local_addr(struct cyc_io *io, int fd, struct cyc_addr *ret_addr)
{
    (void)io;
    return cyc_sock_local_addr(fd, ret_addr);
}

static void *engine_uv_loop(struct cyc_io *io)
{
    struct uring_engine *e = engine_of(io);
    int error;

    if (e->guest == NULL) {
        e->guest = cyc_guest_uv_create(io->mem, &error);
        if (e->guest == NULL)
            return NULL;
        guest_watch(e);
    }
    e->guest_due_ns = 0;
    return cyc_guest_uv_loop(e->guest);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void engine_free(struct uring_engine *e)
{
    struct cyc_mem *mem = e->base.mem;

    if (e->wake_fd >= 0)
        close(e->wake_fd);
    cyc_mem_free(mem, CYC_MEM_IO, e->gathers, e->gather_count * sizeof(e->gathers[0]));
    cyc_mem_free(mem, CYC_MEM_IO, e, sizeof(*e));
}

static void engine_destroy(struct cyc_io *io)
{
    struct uring_engine *e = engine_of(io);

    if (e->guest != NULL)
        cyc_guest_uv_destroy(e->guest);
    io_uring_submit(&e->ring); /* descriptors whose close is still queued */
    cyc_uring_bufs_fini(&e->small);
    cyc_uring_bufs_fini(&e->large);
    io_uring_queue_exit(&e->ring);
    engine_free(e);
}

static const struct cyc_io_vt io_uring_vt = {
    .name = "io_uring",
    .submit = engine_submit,
    .cancel = engine_cancel,
    .wait = engine_wait,
    .wake = engine_wake,
    .open = engine_open,
    .listen = engine_listen,
    .quiesce = engine_quiesce,
    .close = engine_close,
    .shutdown = engine_shutdown,
    .reset = engine_reset,
    .peer_addr = engine_peer_addr,
    .local_addr = engine_local_addr,
    .uv_loop = engine_uv_loop,
    .destroy = engine_destroy,
};

static bool lent_bufs_init(struct uring_engine *e, struct cyc_buf_pool *pool)
{
    if (cyc_uring_bufs_init(&e->small, &e->ring, pool, 0, SMALL_LENT_COUNT_MAX) < 0)
        return false;
    if (cyc_uring_bufs_init(&e->large, &e->ring, pool, 1, LARGE_LENT_COUNT_MAX) == 0)
        return true;
    cyc_uring_bufs_fini(&e->small);
    return false;
}

/** What this kernel has, as far as it says so itself; the rest shows at the first use. */
static void features_set(struct uring_engine *e, struct cyc_buf_pool *pool)
{
    e->has_lent_bufs = lent_bufs_init(e, pool);
    e->has_multishot_accept = e->has_multishot_poll = true;
    e->can_gather = e->ring.features & IORING_FEAT_SUBMIT_STABLE;
    e->quiet = e->ring.features & IORING_FEAT_CQE_SKIP ? IOSQE_CQE_SKIP_SUCCESS : 0;
}

void cyc_io_uring_forgo(struct cyc_io *io)
{
    struct uring_engine *e = engine_of(io);
    e->has_lent_bufs = e->has_multishot_accept = e->has_multishot_poll = false;
    e->quiet = 0;
}

struct cyc_io *cyc_io_uring_create(const struct cyc_io_setup *setup, int *ret_error)
{
    uint32_t entry_count = setup->network->syscall_batch_size;
    if (entry_count < ENTRY_COUNT_MIN)
        entry_count = ENTRY_COUNT_MIN;

    struct uring_engine *e = cyc_mem_zalloc(setup->mem, CYC_MEM_IO, sizeof(*e));
    e->base.mem = setup->mem;
    e->is_batching = setup->network->is_syscall_batching;
    e->guest_due_ns = UINT64_MAX;
    e->wake_fd = eventfd(0, EFD_CLOEXEC);
    int r = e->wake_fd >= 0 ? cyc_uring_setup(&e->ring, entry_count) : -errno;
    if (r < 0) {
        engine_free(e);
        *ret_error = r;
        return NULL;
    }
    e->gather_count = e->ring.sq.ring_entries;
    e->gathers = cyc_mem_alloc(setup->mem, CYC_MEM_IO, e->gather_count * sizeof(e->gathers[0]));
    features_set(e, setup->pool);
    cyc_io_clock_read(&e->base);
    cyc_io_init(&e->base, &io_uring_vt, setup);
    wake_watch(e);
    return &e->base;
}
