/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that pass an engine without leaving the kernel, on each engine that lives on one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/pipe.h"
#include "net/io.h"
#include "net/io_uring.h"

#define THRESHOLD (16 * 1024)
#define SIZE (4 * 1024 * 1024)

enum engine { ENGINE_URING, ENGINE_URING_OLD, ENGINE_EPOLL };

struct probe {
    struct cyc_op op;
    int done_count, result;
};

struct rig {
    struct cyc_mem mem;
    struct cyc_buf_pool pool;
    struct cyc_io *io;
    int from[2], to[2]; /* [0]: ours, non-blocking; [1]: the peer's */
    struct probe recv, send;
    struct cyc_buf buf;
    uint32_t pipe_chunk_count;
};

static void probe_on_done(struct cyc_op *op, int result)
{
    struct probe *p = cyc_container_of(op, struct probe, op);
    p->result = result;
    p->done_count++;
}

/** @return false when this machine does not let us have the engine */
static bool rig_init(struct rig *rig, enum engine engine, bool is_zero_copy)
{
    static const struct cyc_timer_conf timer = {.wheel_size = 256, .resolution_ms = 1};
    struct cyc_network_conf network = {.syscall_batch_size = 128,
                                       .is_syscall_batching = true,
                                       .is_zero_copy = is_zero_copy,
                                       .zero_copy_threshold_bytes = THRESHOLD};
    struct cyc_io_choice choice;
    int error = 0;

    memset(rig, 0, sizeof(*rig));
    cyc_buf_pool_init(&rig->pool, &rig->mem);
    cyc_buf_init(&rig->buf, &rig->pool);
    if (cyc_io_pick(engine == ENGINE_EPOLL ? CYC_IO_EPOLL : CYC_IO_URING, &choice) < 0)
        return false;
    struct cyc_io_setup setup = {&rig->mem, &rig->pool, &network, &timer};
    rig->io = cyc_io_create(&choice, &setup, &error);
    assert_non_null(rig->io);
#ifndef CYC_NO_IO_URING
    if (engine == ENGINE_URING_OLD)
        cyc_io_uring_forgo(rig->io);
#endif
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, rig->from), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, rig->to), 0);
    return true;
}

static void turns_until(struct rig *rig, const struct probe *p, int wanted)
{
    for (int i = 0; i < 1000 && p->done_count < wanted; i++)
        assert_true(cyc_io_turn(rig->io, 10 * CYC_NS_PER_MS) >= 0);
    assert_int_equal(p->done_count, wanted);
}

static void rig_fini(struct rig *rig)
{
    cyc_buf_clear(&rig->buf);
    for (int i = 0; i < 100 && rig->io->in_flight_count > 0; i++)
        assert_true(cyc_io_turn(rig->io, CYC_NS_PER_MS) >= 0);
    cyc_io_close(rig->io, rig->from[0]);
    cyc_io_close(rig->io, rig->to[0]);
    close(rig->from[1]);
    close(rig->to[1]);
    cyc_io_destroy(rig->io);
    cyc_buf_pool_fini(&rig->pool);
    assert_int_equal(rig->mem.total_bytes, 0);
}

/** Receives once, up to `opaque_bytes` of it unseen, and queues what came. */
static void receive(struct rig *rig, uint64_t opaque_bytes)
{
    rig->recv.op.opaque_bytes = opaque_bytes;
    rig->recv.op.is_bulk = true;
    cyc_io_recv(rig->io, &rig->recv.op, rig->from[0], probe_on_done);
    turns_until(rig, &rig->recv, rig->recv.done_count + 1);
    if (rig->recv.result <= 0)
        return;
    struct cyc_chunk *chunk = rig->recv.op.chunk;
    assert_int_equal(chunk->used_bytes, rig->recv.result);
    rig->pipe_chunk_count += chunk->is_pipe;
    cyc_buf_append_chunk(&rig->buf, chunk, chunk->bytes, chunk->used_bytes);
    cyc_chunk_unref(chunk);
}

static char byte_at(size_t i)
{
    return (char)(i * 7 + (i >> 9));
}

/** Sends what is queued; reads at the far end only when the socket is full. */
static void forward(struct rig *rig, size_t *got_bytes)
{
    static char got[65536];

    while (rig->buf.bytes > 0) {
        int before = rig->send.done_count;
        cyc_io_send(rig->io, &rig->send.op, rig->to[0], &rig->buf, probe_on_done);
        while (rig->send.done_count == before) {
            assert_true(cyc_io_turn(rig->io, CYC_NS_PER_MS) >= 0);
            ssize_t n = rig->send.done_count > before ? 0 : read(rig->to[1], got, sizeof(got));
            for (ssize_t i = 0; i < n; i++)
                assert_int_equal(got[i], byte_at((*got_bytes)++));
        }
        assert_true(rig->send.result > 0);
        cyc_buf_drop(&rig->buf, (size_t)rig->send.result);
    }
}

static void body_on(enum engine engine, bool is_zero_copy)
{
    static struct rig rig;
    static char sent[70000], got[65536];
    size_t sent_bytes = 0, taken_bytes = 0, got_bytes = 0;
    ssize_t n;

    if (!rig_init(&rig, engine, is_zero_copy))
        return;
    while (taken_bytes < SIZE) {
        if (sent_bytes == taken_bytes) {
            size_t len = SIZE - sent_bytes < sizeof(sent) ? SIZE - sent_bytes : sizeof(sent);
            for (size_t i = 0; i < len; i++)
                sent[i] = byte_at(sent_bytes + i);
            n = write(rig.from[1], sent, len);
            assert_true(n > 0);
            sent_bytes += (size_t)n;
        }
        receive(&rig, SIZE - taken_bytes);
        assert_true(rig.recv.result > 0);
        taken_bytes += (size_t)rig.recv.result;
        forward(&rig, &got_bytes);
    }
    while ((n = read(rig.to[1], got, sizeof(got))) > 0)
        for (ssize_t i = 0; i < n; i++)
            assert_int_equal(got[i], byte_at(got_bytes++));
    assert_int_equal(got_bytes, SIZE);
    assert_int_equal(rig.pipe_chunk_count > 0, is_zero_copy);
    assert_int_equal(cyc_io_take_zero_copy_count(rig.io) > 0, is_zero_copy);
    rig_fini(&rig);
}

static void splice__a_body_passes_unchanged_on_each_engine(void **state)
{
    (void)state;
    for (enum engine engine = ENGINE_URING; engine <= ENGINE_EPOLL; engine++)
        body_on(engine, true);
}

static void splice__switched_off_nothing_is_in_a_pipe(void **state)
{
    (void)state;
    for (enum engine engine = ENGINE_URING; engine <= ENGINE_EPOLL; engine++)
        body_on(engine, false);
}

/** What follows the opaque bytes is received into memory, and so is little. */
static void rest_on(enum engine engine)
{
    static struct rig rig;
    static char bytes[THRESHOLD + 5];

    if (!rig_init(&rig, engine, true))
        return;
    memset(bytes, 'b', THRESHOLD);
    memcpy(bytes + THRESHOLD, "NEXT!", 5);
    assert_int_equal(write(rig.from[1], bytes, sizeof(bytes)), sizeof(bytes));
    receive(&rig, THRESHOLD);
    assert_int_equal(rig.recv.result, THRESHOLD);
    assert_int_equal(rig.pipe_chunk_count, 1);
    cyc_buf_clear(&rig.buf); /* unsent: its pipe is closed, not used again */
    assert_int_equal(rig.pool.pipe_count, 0);
    receive(&rig, 0);
    assert_int_equal(rig.recv.result, 5);
    assert_memory_equal(cyc_buf_front(&rig.buf).ptr, "NEXT!", 5);
    assert_int_equal(write(rig.from[1], bytes, 100), 100);
    receive(&rig, THRESHOLD - 1);
    assert_int_equal(rig.recv.result, 100);
    assert_int_equal(rig.pipe_chunk_count, 1);
    rig_fini(&rig);
}

static void splice__what_follows_the_body_is_left_alone(void **state)
{
    (void)state;
    for (enum engine engine = ENGINE_URING; engine <= ENGINE_EPOLL; engine++)
        rest_on(engine);
}

/** A waiting one ends by cancelling; the stream's end is an end. */
static void end_on(enum engine engine)
{
    static struct rig rig;

    if (!rig_init(&rig, engine, true))
        return;
    rig.recv.op.opaque_bytes = SIZE;
    for (int i = 1; i <= 2; i++) { /* the second one waits in the engine from the start */
        cyc_io_recv(rig.io, &rig.recv.op, rig.from[0], probe_on_done);
        assert_true(cyc_io_turn(rig.io, 0) >= 0);
        cyc_io_cancel(rig.io, &rig.recv.op);
        turns_until(&rig, &rig.recv, i);
        assert_int_equal(rig.recv.result, -ECANCELED);
    }
    shutdown(rig.from[1], SHUT_WR);
    receive(&rig, SIZE);
    assert_int_equal(rig.recv.result, 0);
    rig_fini(&rig);
}

static void splice__a_waiting_one_can_be_cancelled_and_sees_the_end(void **state)
{
    (void)state;
    for (enum engine engine = ENGINE_URING; engine <= ENGINE_EPOLL; engine++)
        end_on(engine);
}

/** A send from a pipe into a socket that takes nothing more. */
static void full_on(enum engine engine)
{
    static struct rig rig;
    static char bytes[THRESHOLD];

    if (!rig_init(&rig, engine, true))
        return;
    while (write(rig.to[0], bytes, sizeof(bytes)) > 0)
        continue;
    assert_int_equal(write(rig.from[1], bytes, sizeof(bytes)), sizeof(bytes));
    receive(&rig, SIZE);
    assert_int_equal(rig.pipe_chunk_count, 1);
    cyc_io_send(rig.io, &rig.send.op, rig.to[0], &rig.buf, probe_on_done);
    for (int i = 0; i < 5; i++)
        assert_true(cyc_io_turn(rig.io, 0) >= 0);
    assert_int_equal(rig.send.done_count, 0);
    cyc_io_cancel(rig.io, &rig.send.op);
    turns_until(&rig, &rig.send, 1);
    assert_int_equal(rig.send.result, -ECANCELED);
    rig_fini(&rig);
}

static void splice__a_full_socket_keeps_the_bytes_waiting(void **state)
{
    (void)state;
    for (enum engine engine = ENGINE_URING; engine <= ENGINE_EPOLL; engine++)
        full_on(engine);
}

/** Without a pipe to be had, bytes are received as usual. */
static void scarce_on(enum engine engine)
{
    static struct rig rig;
    static struct cyc_chunk *chunks[1000];
    uint32_t count = 0;

    if (!rig_init(&rig, engine, true))
        return;
    while (count < 1000 && (chunks[count] = cyc_pipe_get(&rig.pool)) != NULL)
        count++;
    assert_int_equal(write(rig.from[1], "abc", 3), 3);
    receive(&rig, SIZE);
    assert_int_equal(rig.recv.result, 3);
    assert_int_equal(rig.pipe_chunk_count, 0);
    while (count > 0)
        cyc_chunk_unref(chunks[--count]);
    rig_fini(&rig);
}

static void splice__without_a_pipe_bytes_are_received_as_usual(void **state)
{
    (void)state;
    for (enum engine engine = ENGINE_URING; engine <= ENGINE_EPOLL; engine++)
        scarce_on(engine);
}

/** What cannot be spliced is received, and not tried again. */
static void refusal_on(enum engine engine)
{
    static struct rig rig;

    if (!rig_init(&rig, engine, true))
        return;
    int fd = epoll_create1(EPOLL_CLOEXEC); /* nothing to splice from, nor to receive from */
    assert_true(fd >= 0);
    rig.recv.op.opaque_bytes = SIZE;
    cyc_io_recv(rig.io, &rig.recv.op, fd, probe_on_done);
    for (int i = 0; i < 5; i++)
        assert_true(cyc_io_turn(rig.io, 0) >= 0);
    cyc_io_cancel(rig.io, &rig.recv.op); /* an engine that waits first would wait for ever */
    turns_until(&rig, &rig.recv, 1);
    assert_true(rig.recv.result < 0);
    assert_true(rig.recv.op.is_unspliceable);
    assert_int_equal(rig.pool.pipe_count, rig.pool.pipe_free_count);
    cyc_io_close(rig.io, fd);
    rig_fini(&rig);
}

static void splice__a_socket_that_refuses_is_received_from_as_usual(void **state)
{
    (void)state;
    for (enum engine engine = ENGINE_URING; engine <= ENGINE_EPOLL; engine++)
        refusal_on(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splice__a_body_passes_unchanged_on_each_engine),
        cmocka_unit_test(splice__switched_off_nothing_is_in_a_pipe),
        cmocka_unit_test(splice__what_follows_the_body_is_left_alone),
        cmocka_unit_test(splice__a_waiting_one_can_be_cancelled_and_sees_the_end),
        cmocka_unit_test(splice__a_full_socket_keeps_the_bytes_waiting),
        cmocka_unit_test(splice__without_a_pipe_bytes_are_received_as_usual),
        cmocka_unit_test(splice__a_socket_that_refuses_is_received_from_as_usual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
