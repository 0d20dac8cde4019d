/* SPDX-License-Identifier: Apache-2.0 */
/* What only the io_uring engine does: lent buffers, early submission, the libuv guest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/io.h"

#ifdef CYC_NO_IO_URING

int main(void)
{
    return 0;
}

#else

#define PAIR_COUNT 300 /* more than are lent at first, more than the submission ring holds */

struct rig {
    struct cyc_mem mem;
    struct cyc_buf_pool pool;
    struct cyc_io *io;
};

struct receiver {
    struct cyc_op op;
    int fds[2];
    int result;
    bool is_done, wants_bulk;
    char first_byte;
    uint32_t chunk_bytes;
};

static void rig_init(struct rig *rig)
{
    static const struct cyc_network_conf network = {.syscall_batch_size = 64,
                                                    .is_syscall_batching = true};
    static const struct cyc_timer_conf timer = {.wheel_size = 64, .resolution_ms = 1};
    int error = 0;

    *rig = (struct rig){0};
    cyc_buf_pool_init(&rig->pool, &rig->mem);
    struct cyc_io_setup setup = {&rig->mem, &rig->pool, &network, &timer};
    rig->io = cyc_io_uring_create(&setup, &error);
    if (rig->io == NULL)
        skip();
}

static void rig_fini(struct rig *rig)
{
    cyc_io_destroy(rig->io);
    cyc_buf_pool_fini(&rig->pool);
    assert_int_equal(rig->mem.total_bytes, 0);
}

static void receiver_on_done(struct cyc_op *op, int result)
{
    struct receiver *r = cyc_container_of(op, struct receiver, op);
    r->is_done = true;
    r->result = result;
    if (result <= 0)
        return;
    r->first_byte = op->chunk->bytes[0];
    r->chunk_bytes = op->chunk->size_bytes;
    cyc_chunk_unref(op->chunk);
}

static void receivers_open(struct receiver *receivers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        receivers[i] = (struct receiver){0};
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, receivers[i].fds), 0);
    }
}

static void receivers_close(struct rig *rig, struct receiver *receivers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cyc_io_close(rig->io, receivers[i].fds[0]);
        close(receivers[i].fds[1]);
    }
    assert_true(cyc_io_turn(rig->io, 0) >= 0);
}

static void receivers_wait(struct rig *rig, const struct receiver *receivers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (int j = 0; j < 1000 && !receivers[i].is_done; j++)
            assert_true(cyc_io_turn(rig->io, CYC_NS_PER_S) >= 0);
}

static void burst_run(struct rig *rig)
{
    static struct receiver receivers[PAIR_COUNT];

    receivers_open(receivers, PAIR_COUNT);
    for (size_t i = 0; i < PAIR_COUNT; i++) {
        char byte = (char)i;
        assert_int_equal(write(receivers[i].fds[1], &byte, 1), 1);
        cyc_io_recv(rig->io, &receivers[i].op, receivers[i].fds[0], receiver_on_done);
    }
    receivers_wait(rig, receivers, PAIR_COUNT);
    for (size_t i = 0; i < PAIR_COUNT; i++) {
        assert_int_equal(receivers[i].result, 1);
        assert_int_equal(receivers[i].first_byte, (char)i);
    }
    receivers_close(rig, receivers, PAIR_COUNT);
}

static void io_uring__burst_larger_than_the_lent_buffers_arrives_whole(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    burst_run(&rig);
    assert_true(rig.io->recv_parked_count > 0);
    /* With the pool full only the reserve goes round: slowly, but everybody gets there. */
    rig.mem.limit_bytes = 1;
    burst_run(&rig);
    rig_fini(&rig);
}

static void io_uring__bulk_receives_get_large_chunks(void **state)
{
    static char bytes[20000];
    struct receiver receiver;
    struct rig rig;

    (void)state;
    rig_init(&rig);
    receivers_open(&receiver, 1);
    assert_int_equal(write(receiver.fds[1], bytes, sizeof(bytes)), sizeof(bytes));
    receiver.op.is_bulk = true;
    assert_true(cyc_io_turn(rig.io, 0) >= 0); /* the first turn lends them */
    cyc_io_recv(rig.io, &receiver.op, receiver.fds[0], receiver_on_done);
    receivers_wait(&rig, &receiver, 1);
    assert_int_equal(receiver.result, sizeof(bytes));
    assert_int_equal(receiver.chunk_bytes, CYC_CHUNK_LARGE_BYTES);
    assert_true(receiver.op.is_dry);
    receivers_close(&rig, &receiver, 1);
    rig_fini(&rig);
}

static void io_uring__waiting_receives_hold_no_memory(void **state)
{
    static struct receiver receivers[PAIR_COUNT];
    struct rig rig;

    (void)state;
    rig_init(&rig);
    receivers_open(receivers, PAIR_COUNT);
    assert_true(cyc_io_turn(rig.io, 0) >= 0);
    uint64_t before_bytes = rig.mem.total_bytes;
    for (size_t i = 0; i < PAIR_COUNT; i++)
        cyc_io_recv(rig.io, &receivers[i].op, receivers[i].fds[0], receiver_on_done);
    assert_true(cyc_io_turn(rig.io, 0) >= 0);
    assert_int_equal(rig.mem.total_bytes, before_bytes);
    for (size_t i = 0; i < PAIR_COUNT; i++)
        cyc_io_cancel(rig.io, &receivers[i].op);
    receivers_wait(&rig, receivers, PAIR_COUNT);
    for (size_t i = 0; i < PAIR_COUNT; i++)
        assert_int_equal(receivers[i].result, -ECANCELED);
    receivers_close(&rig, receivers, PAIR_COUNT);
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(io_uring__burst_larger_than_the_lent_buffers_arrives_whole),
        cmocka_unit_test(io_uring__bulk_receives_get_large_chunks),
        cmocka_unit_test(io_uring__waiting_receives_hold_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
