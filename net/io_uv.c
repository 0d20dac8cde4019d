/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fallback engine: libuv is the host, its readiness is turned into completions.
 *
 * An op is tried when there is reason to think it will go through, parked otherwise, and tried
 * again when libuv says so. Every call to the kernel that finds nothing is a loss, so:
 *
 *   - A receive that did not fill its chunk has emptied the socket: the next one waits first.
 *   - Interest in reading stays registered from one receive to the next. It is taken back only when
 *     bytes arrive that nobody wants yet (backpressure), interest in writing only when the socket
 * is writable and nothing waits for that: changing it costs libuv two calls each way.
 *   - A libuv handle belongs to a descriptor number, not to a connection: making one costs three
 *     calls, and numbers come again.
 *   - What finished inside the starting call gets its turn before the next wait for the kernel.
 */
#include "net/io.h"

#include "base/assert.h"
#include "net/sock.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <uv.h>

#define IOV_COUNT_MAX 16
#define SLOT_COUNT_MIN 64
/* Connections taken per event at most: the others of the worker want their turn, too. */
#define ACCEPT_BURST_MAX 64

struct uv_engine;

/** What is going on at one descriptor number. */
struct uv_slot {
    uv_poll_t poll;
    struct uv_engine *engine;
    struct cyc_op *reader;       /* RECV, ACCEPT or POLL in flight */
    struct cyc_op *writer;       /* SEND or CONNECT in flight */
    struct cyc_list parked_link; /* linked: `reader` waits for a chunk, not for the socket */
    int fd;
    int armed;             /* UV_READABLE, UV_WRITABLE: what libuv watches */
    uint32_t accept_burst; /* how many to take at the next event */
    bool is_readable;      /* as far as we know a receive would find something */
};

struct uv_engine {
    struct cyc_io base;
    uv_loop_t loop;
    uv_async_t wake;
    uv_prepare_t prepare;   /* runs before each wait, to bound it */
    uv_timer_t timer;       /* bounds the wait */
    uint64_t wait_ns;       /* how long the wait about to begin may be */
    uint64_t timer_due_ns;  /* when it fires at the latest; UINT64_MAX: not running */
    struct uv_slot **slots; /* by descriptor */
    uint32_t slot_count;
    struct cyc_list parked;
    bool did_skip; /* the last wait did not ask the kernel */
};

static struct uv_engine *engine_of(struct cyc_io *io)
{
    return cyc_container_of(io, struct uv_engine, base);
}

/* ---- slots ----------------------------------------------------------------------------------- */

static void slots_grow(struct uv_engine *e, uint32_t fd)
{
    uint32_t count = e->slot_count > 0 ? e->slot_count : SLOT_COUNT_MIN;
    while (count <= fd)
        count *= 2;
    e->slots = cyc_mem_resize(e->base.mem, CYC_MEM_IO, e->slots,
                              e->slot_count * sizeof(e->slots[0]), count * sizeof(e->slots[0]));
    for (uint32_t i = e->slot_count; i < count; i++)
        e->slots[i] = NULL;
    e->slot_count = count;
}

static void slot_reset(struct uv_slot *slot)
{
    slot->is_readable = true; /* an accepted connection often brings its first bytes along */
    slot->accept_burst = 1;
}

static struct uv_slot *slot_get(struct uv_engine *e, int fd)
{
    cyc_assert(fd >= 0);
    if ((uint32_t)fd >= e->slot_count)
        slots_grow(e, (uint32_t)fd);
    struct uv_slot *slot = e->slots[fd];
    if (slot != NULL)
        return slot;
    slot = cyc_mem_zalloc(e->base.mem, CYC_MEM_IO, sizeof(*slot));
    slot->engine = e;
    slot->fd = fd;
    cyc_list_init(&slot->parked_link);
    slot_reset(slot);
    e->slots[fd] = slot;
    return slot;
}

static void slot_on_event(uv_poll_t *poll, int status, int events);

/** Tells libuv what to watch. @return 0 or a negative errno */
static int interest_set(struct uv_slot *slot, int events)
{
    int r = 0;

    if (events == slot->armed)
        return 0;
    if (slot->poll.type != UV_POLL) {
        r = uv_poll_init(&slot->engine->loop, &slot->poll, slot->fd);
        if (r < 0)
            return r;
    }
    if (events == 0)
        r = uv_poll_stop(&slot->poll);
    else
        r = uv_poll_start(&slot->poll, events, slot_on_event);
    slot->armed = events;
    return r;
}

static void reader_finish(struct uv_slot *slot, int result)
{
    struct cyc_op *op = slot->reader;
    cyc_assert(op != NULL);
    if (result < 0 || op->kind == CYC_OP_RECV)
        slot->reader = NULL;
    cyc_io_finish(&slot->engine->base, op, result);
}

static void writer_finish(struct uv_slot *slot, int result)
{
    cyc_io_finish(&slot->engine->base, cyc_take(slot->writer), result);
}

static void reader_wait(struct uv_slot *slot)
{
    int r = interest_set(slot, slot->armed | UV_READABLE);
    if (r < 0)
        reader_finish(slot, r);
}

static void writer_wait(struct uv_slot *slot)
{
    int r = interest_set(slot, slot->armed | UV_WRITABLE);
    if (r < 0)
        writer_finish(slot, r);
}

static bool is_passing(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* ---- trying ---------------------------------------------------------------------------------- */

static void recv_park(struct uv_slot *slot)
{
    slot->engine->base.recv_parked_count++;
    cyc_list_add_back(&slot->engine->parked, &slot->parked_link);
    interest_set(slot, slot->armed & ~UV_READABLE); /* it would go on saying so */
}

/** @return false: this op goes the usual way */
static bool splice_try(struct uv_slot *slot, struct cyc_op *op)
{
    bool is_recv = op->kind == CYC_OP_RECV;

    if (!cyc_io_wants_splice(&slot->engine->base, op))
        return false;
    int result = cyc_io_splice(&slot->engine->base, op);
    if (result == -EOPNOTSUPP)
        return false;
    if (is_recv)
        slot->is_readable = false; /* see io_splice.c */
    if (result == -EAGAIN && is_recv)
        reader_wait(slot);
    else if (result == -EAGAIN)
        writer_wait(slot);
    else if (is_recv)
        reader_finish(slot, result);
    else
        writer_finish(slot, result);
    return true;
}

static void recv_try(struct uv_slot *slot)
{
    struct cyc_op *op = slot->reader;
    if (splice_try(slot, op))
        return;
    struct cyc_chunk *chunk = cyc_chunk_get(slot->engine->base.pool, op->is_bulk);
    if (chunk == NULL && op->is_bulk)
        chunk = cyc_chunk_get(slot->engine->base.pool, false);
    if (chunk == NULL) {
        recv_park(slot);
        return;
    }
    ssize_t n = recv(slot->fd, chunk->bytes, chunk->size_bytes, MSG_DONTWAIT);
    int error = n < 0 ? errno : 0;
    if (n > 0) {
        chunk->used_bytes = (uint32_t)n;
        slot->is_readable = (size_t)n == chunk->size_bytes;
        op->chunk = chunk;
        reader_finish(slot, (int)n);
        return;
    }
    cyc_chunk_unref(chunk);
    slot->is_readable = !is_passing(error);
    if (slot->is_readable)
        reader_finish(slot, -error);
    else
        reader_wait(slot);
}

/** Takes what waits, at most a burst; one that was used up makes the next one larger. */
static void accept_try(struct uv_slot *slot)
{
    uint32_t taken_count = 0;

    while (taken_count < slot->accept_burst) {
        int fd = accept4(slot->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            taken_count++;
            reader_finish(slot, fd);
        } else if (is_passing(errno)) {
            break;
        } else if (errno != ECONNABORTED) {
            reader_finish(slot, -errno);
            return;
        }
    }
    if (taken_count == slot->accept_burst && taken_count < ACCEPT_BURST_MAX)
        slot->accept_burst *= 2;
    else if (taken_count < slot->accept_burst)
        slot->accept_burst = taken_count > 1 ? taken_count : 1;
}

static void reader_try(struct uv_slot *slot)
{
    switch ((enum cyc_op_kind)slot->reader->kind) {
    case CYC_OP_RECV:
        recv_try(slot);
        break;
    case CYC_OP_ACCEPT:
        accept_try(slot);
        break;
    default:
        reader_finish(slot, POLLIN);
        break;
    }
}

static void send_try(struct uv_slot *slot)
{
    struct iovec iovs[IOV_COUNT_MAX];
    struct msghdr msg = {.msg_iov = iovs};

    if (splice_try(slot, slot->writer))
        return;
    msg.msg_iovlen = cyc_buf_iovecs(slot->writer->buf, iovs, IOV_COUNT_MAX);
    ssize_t n = msg.msg_iovlen == 1
                    ? send(slot->fd, iovs[0].iov_base, iovs[0].iov_len, MSG_NOSIGNAL | MSG_DONTWAIT)
                    : sendmsg(slot->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0)
        writer_finish(slot, (int)n);
    else if (is_passing(errno))
        writer_wait(slot);
    else
        writer_finish(slot, -errno);
}

static void connect_try(struct uv_slot *slot)
{
    const struct cyc_addr *addr = slot->writer->addr;

    slot->is_readable = false;
    if (connect(slot->fd, &addr->any, addr->len) == 0)
        writer_finish(slot, 0);
    else if (errno == EINPROGRESS)
        writer_wait(slot);
    else
        writer_finish(slot, -errno);
}

static void slot_on_event(uv_poll_t *poll, int status, int events)
{
    struct uv_slot *slot = cyc_container_of(poll, struct uv_slot, poll);
    int unwanted = 0;

    if (status < 0) { /* the socket has an error; libuv has stopped watching */
        slot->armed = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    if (events & UV_READABLE) {
        slot->is_readable = true;
        if (slot->reader == NULL)
            unwanted |= UV_READABLE;
        else if (!cyc_list_is_linked(&slot->parked_link))
            reader_try(slot);
    }
    if (events & UV_WRITABLE) {
        if (slot->writer == NULL)
            unwanted |= UV_WRITABLE;
        else if (slot->writer->kind == CYC_OP_CONNECT)
            writer_finish(slot, cyc_sock_take_error(slot->fd));
        else
            send_try(slot);
    }
    interest_set(slot, slot->armed & ~unwanted);
    if (slot->reader != NULL && slot->armed == 0 && !cyc_list_is_linked(&slot->parked_link))
        reader_wait(slot); /* a source that survived the error */
}

static void parked_resume(struct uv_engine *e)
{
    struct cyc_list parked, *link;

    cyc_list_move_all(&e->parked, &parked);
    while (cyc_io_has_chunks(&e->base) && (link = cyc_list_take_front(&parked)) != NULL)
        recv_try(cyc_container_of(link, struct uv_slot, parked_link));
    while ((link = cyc_list_take_front(&parked)) != NULL)
        cyc_list_add_back(&e->parked, link);
}

/* ---- the engine ------------------------------------------------------------------------------ */

static void engine_submit(struct cyc_io *io, struct cyc_op *op)
{
    struct uv_slot *slot = slot_get(engine_of(io), op->fd);

    switch ((enum cyc_op_kind)op->kind) {
    case CYC_OP_RECV:
    case CYC_OP_ACCEPT:
    case CYC_OP_POLL:
        cyc_assert(slot->reader == NULL);
        slot->reader = op;
        if (op->kind == CYC_OP_RECV && slot->is_readable)
            recv_try(slot);
        else
            reader_wait(slot);
        break;
    case CYC_OP_SEND:
    case CYC_OP_CONNECT:
        cyc_assert(slot->writer == NULL);
        slot->writer = op;
        if (op->kind == CYC_OP_SEND)
            send_try(slot);
        else
            connect_try(slot);
        break;
    case CYC_OP_IDLE:
    case CYC_OP_FINISHED:
        cyc_unreachable();
    }
}

static void engine_cancel(struct cyc_io *io, struct cyc_op *op)
{
    struct uv_slot *slot = slot_get(engine_of(io), op->fd);

    if (slot->reader == op) {
        cyc_list_remove(&slot->parked_link);
        reader_finish(slot, -ECANCELED);
    } else {
        cyc_assert(slot->writer == op);
        writer_finish(slot, -ECANCELED);
    }
}

static void timer_on_fire(uv_timer_t *timer)
{
    cyc_container_of(timer, struct uv_engine, timer)->timer_due_ns = UINT64_MAX;
}

static void wake_on_event(uv_async_t *wake)
{
    (void)wake; /* that the wait returns is all that is wanted */
}

/**
 * Makes the wait that follows end in time. A timer that is early is left alone: it costs one idle
 * turn. This is the last moment: up to 1.44 libuv fires what is due before it waits, and would then
 * wait for ever.
 */
static void prepare_on_run(uv_prepare_t *prepare)
{
    struct uv_engine *e = cyc_container_of(prepare, struct uv_engine, prepare);
    uint64_t now_ns = e->base.clock.now_ns;
    uint64_t wait_ns = e->base.finished.count > 0 ? 0 : e->wait_ns;

    if (wait_ns >= UINT64_MAX - now_ns || now_ns + wait_ns >= e->timer_due_ns)
        return;
    uint64_t wait_ms = (wait_ns + CYC_NS_PER_MS - 1) / CYC_NS_PER_MS;
    uv_timer_start(&e->timer, timer_on_fire, wait_ms, 0);
    e->timer_due_ns = now_ns + wait_ns;
}

static int engine_wait(struct cyc_io *io, uint64_t wait_ns_max)
{
    struct uv_engine *e = engine_of(io);

    if (!cyc_list_is_empty(&e->parked))
        parked_resume(e);
    if (io->finished.count > 0) {
        wait_ns_max = 0;
        /* Sends mostly finish as they start: let their owners know before asking for more work.
         * Not twice in a row, or the kernel would never be asked. */
        e->did_skip = !e->did_skip;
        if (e->did_skip)
            return 0;
    }
    e->did_skip = false;
    e->wait_ns = wait_ns_max > 0 ? wait_ns_max : UINT64_MAX; /* else libuv does not wait anyway */
    uv_run(&e->loop, wait_ns_max > 0 ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    cyc_io_clock_read(io);
    return 0;
}

static void engine_wake(struct cyc_io *io)
{
    uv_async_send(&engine_of(io)->wake);
}

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
    struct uv_slot *slot = slot_get(engine_of(io), fd);

    cyc_assert(slot->reader == NULL && slot->writer == NULL);
    interest_set(slot, 0);
    slot_reset(slot);
    close(fd);
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
    cyc_sock_shutdown(fd);
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
    return &engine_of(io)->loop;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void slots_free(struct uv_engine *e)
{
    for (uint32_t i = 0; i < e->slot_count; i++)
        if (e->slots[i] != NULL)
            cyc_mem_free(e->base.mem, CYC_MEM_IO, e->slots[i], sizeof(*e->slots[i]));
    cyc_mem_free(e->base.mem, CYC_MEM_IO, e->slots, e->slot_count * sizeof(e->slots[0]));
}

static void engine_destroy(struct cyc_io *io)
{
    struct uv_engine *e = engine_of(io);

    for (uint32_t i = 0; i < e->slot_count; i++)
        if (e->slots[i] != NULL && e->slots[i]->poll.type == UV_POLL)
            uv_close((uv_handle_t *)&e->slots[i]->poll, NULL);
    uv_close((uv_handle_t *)&e->prepare, NULL);
    uv_close((uv_handle_t *)&e->timer, NULL);
    uv_close((uv_handle_t *)&e->wake, NULL);
    uv_run(&e->loop, UV_RUN_DEFAULT);
    int r = uv_loop_close(&e->loop);
    cyc_assert(r == 0);
    slots_free(e);
    cyc_mem_free(io->mem, CYC_MEM_IO, e, sizeof(*e));
}

static const struct cyc_io_vt io_uv_vt = {
    .name = "epoll",
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

struct cyc_io *cyc_io_uv_create(const struct cyc_io_setup *setup, int *ret_error)
{
    struct uv_engine *e = cyc_mem_zalloc(setup->mem, CYC_MEM_IO, sizeof(*e));
    int r = uv_loop_init(&e->loop);
    if (r < 0) {
        cyc_mem_free(setup->mem, CYC_MEM_IO, e, sizeof(*e));
        *ret_error = r; /* libuv's errors are negative errnos on Linux */
        return NULL;
    }
    uv_timer_init(&e->loop, &e->timer);
    uv_prepare_init(&e->loop, &e->prepare);
    uv_prepare_start(&e->prepare, prepare_on_run);
    r = uv_async_init(&e->loop, &e->wake, wake_on_event);
    if (r < 0) {
        uv_close((uv_handle_t *)&e->prepare, NULL);
        uv_close((uv_handle_t *)&e->timer, NULL);
        uv_run(&e->loop, UV_RUN_DEFAULT);
        uv_loop_close(&e->loop);
        cyc_mem_free(setup->mem, CYC_MEM_IO, e, sizeof(*e));
        *ret_error = r;
        return NULL;
    }
    e->timer_due_ns = UINT64_MAX;
    cyc_list_init(&e->parked);
    cyc_io_clock_read(&e->base);
    cyc_io_init(&e->base, &io_uv_vt, setup);
    return &e->base;
}
