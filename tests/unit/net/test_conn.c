/* SPDX-License-Identifier: Apache-2.0 */
/* One connection against a plain descriptor in the test's hands, on both engines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/conn.h"

#define TURN_COUNT_MAX 2000
#define WAIT_NS (20 * CYC_NS_PER_MS)

struct owner {
    struct cyc_mem mem;
    struct cyc_buf_pool pool;
    struct cyc_io *io;
    struct cyc_conn_flush flush;
    struct cyc_conn conn;
    int peer_fd;
    uint32_t read_count, eof_count, error_count, closed_count;
    int error;
    size_t shown_bytes, sent_bytes; /* shown: in the last on_read */
    size_t take_bytes_max;          /* per on_read */
    bool wants_resume;              /* from inside on_read, with bytes left */
    bool wants_close_on_read;
    size_t taken_bytes;
    bool is_in_call; /* inside a cyc_conn_* call: nothing may be reported */
};

static struct owner *owner_of(struct cyc_conn *conn)
{
    struct owner *o = cyc_container_of(conn, struct owner, conn);
    assert_false(o->is_in_call);
    return o;
}

static void owner_on_read(struct cyc_conn *conn, struct cyc_buf *in)
{
    struct owner *o = owner_of(conn);
    size_t take = in->bytes < o->take_bytes_max ? in->bytes : o->take_bytes_max;

    assert_int_equal(o->closed_count, 0);
    o->read_count++;
    o->shown_bytes = in->bytes;
    o->taken_bytes += take;
    cyc_buf_drop(in, take);
    if (o->wants_resume)
        cyc_conn_resume(conn);
    if (o->wants_close_on_read)
        cyc_conn_close(conn);
}

static void owner_on_eof(struct cyc_conn *conn)
{
    owner_of(conn)->eof_count++;
}

static void owner_on_error(struct cyc_conn *conn, int error)
{
    struct owner *o = owner_of(conn);
    o->error_count++;
    o->error = error;
}

static void owner_on_sent(struct cyc_conn *conn, size_t bytes)
{
    owner_of(conn)->sent_bytes += bytes;
}

static void owner_on_closed(struct cyc_conn *conn)
{
    struct owner *o = owner_of(conn);
    o->closed_count++;
    assert_int_equal(conn->recv.kind, CYC_OP_IDLE);
    assert_int_equal(conn->send.kind, CYC_OP_IDLE);
}

static const struct cyc_conn_vt owner_vt = {
    .on_read = owner_on_read,
    .on_eof = owner_on_eof,
    .on_error = owner_on_error,
    .on_sent = owner_on_sent,
    .on_closed = owner_on_closed,
};

static void owner_init(struct owner *o, enum cyc_io_backend backend)
{
    static const struct cyc_network_conf network = {.syscall_batch_size = 64,
                                                    .is_syscall_batching = true};
    static const struct cyc_timer_conf timer = {.wheel_size = 256, .resolution_ms = 1};
    struct cyc_io_choice choice;
    int fds[2], error = 0;

    *o = (struct owner){.take_bytes_max = SIZE_MAX};
    cyc_buf_pool_init(&o->pool, &o->mem);
    struct cyc_io_setup setup = {&o->mem, &o->pool, &network, &timer};
    assert_int_equal(cyc_io_pick(backend, &choice), 0);
    o->io = cyc_io_create(&choice, &setup, &error);
    assert_non_null(o->io);
    cyc_conn_flush_init(&o->flush);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    cyc_conn_init(&o->conn, &owner_vt, o->io, &o->flush, fds[0]);
    o->peer_fd = fds[1];
}

static void turn(struct owner *o)
{
    bool is_due = cyc_conn_flush_is_due(&o->flush);
    assert_true(cyc_io_turn(o->io, is_due ? 0 : WAIT_NS) >= 0);
    cyc_conn_flush_all(&o->flush);
}

static void turns_until(struct owner *o, const uint32_t *count, uint32_t wanted)
{
    for (int i = 0; i < TURN_COUNT_MAX && *count < wanted; i++)
        turn(o);
    assert_int_equal(*count, wanted);
}

static void owner_fini(struct owner *o)
{
    o->is_in_call = true;
    cyc_conn_close(&o->conn);
    cyc_conn_close(&o->conn);
    o->is_in_call = false;
    turns_until(o, &o->closed_count, 1);
    if (o->peer_fd >= 0)
        close(o->peer_fd);
    turn(o); /* the close itself may still be queued */
    assert_int_equal(o->io->in_flight_count, 0);
    cyc_io_destroy(o->io);
    cyc_buf_pool_fini(&o->pool);
    assert_int_equal(o->mem.total_bytes, 0);
}

static void peer_write(struct owner *o, size_t bytes)
{
    static char zeros[100000];
    assert_int_equal(write(o->peer_fd, zeros, bytes), bytes);
}

static size_t peer_read(struct owner *o)
{
    char bytes[65536];
    ssize_t n = read(o->peer_fd, bytes, sizeof(bytes));
    return n > 0 ? (size_t)n : 0;
}

static void reading_on(enum cyc_io_backend backend)
{
    struct owner o;

    owner_init(&o, backend);
    peer_write(&o, 10);
    turn(&o);
    assert_int_equal(o.read_count, 0); /* reading is off at first */
    o.is_in_call = true;
    cyc_conn_resume(&o.conn);
    o.is_in_call = false;
    turns_until(&o, &o.read_count, 1);
    assert_int_equal(o.shown_bytes, 10);

    /* What is not taken is shown again when asked for, and not before. */
    o.take_bytes_max = 4;
    peer_write(&o, 10);
    turns_until(&o, &o.read_count, 2);
    turn(&o);
    assert_int_equal(o.read_count, 2);
    cyc_conn_resume(&o.conn);
    turns_until(&o, &o.read_count, 3);
    assert_int_equal(o.shown_bytes, 6);

    /* Pausing keeps the bytes of the receive in flight. */
    o.take_bytes_max = SIZE_MAX;
    cyc_conn_resume(&o.conn);
    turns_until(&o, &o.read_count, 4);
    cyc_conn_pause(&o.conn);
    peer_write(&o, 7);
    for (int i = 0; i < 5; i++)
        turn(&o);
    assert_int_equal(o.read_count, 4);
    cyc_conn_resume(&o.conn);
    turns_until(&o, &o.read_count, 5);
    assert_int_equal(o.shown_bytes, 7);
    assert_int_equal(o.taken_bytes, 27);
    owner_fini(&o);
}

static void bulk_on(enum cyc_io_backend backend)
{
    struct owner o;

    owner_init(&o, backend);
    cyc_conn_resume(&o.conn);
    peer_write(&o, 60000);
    for (int i = 0; i < TURN_COUNT_MAX && o.taken_bytes < 60000; i++)
        turn(&o);
    assert_int_equal(o.taken_bytes, 60000);
    assert_true(o.conn.recv.is_bulk);
    assert_in_range(o.read_count, 2, 4); /* one small chunk, then large ones */
    peer_write(&o, 10);
    turns_until(&o, &o.read_count, o.read_count + 1);
    assert_false(o.conn.recv.is_bulk);
    owner_fini(&o);
}

static void flood_on(enum cyc_io_backend backend)
{
    struct owner o;

    owner_init(&o, backend);
    o.take_bytes_max = 1;
    o.wants_resume = true;
    cyc_conn_resume(&o.conn);
    peer_write(&o, 100);
    for (int i = 0; i < TURN_COUNT_MAX && o.taken_bytes < 100; i++) {
        uint32_t before_count = o.read_count;
        turn(&o);
        assert_true(o.read_count - before_count <= 2); /* one by the op, one by the flush */
        assert_true(cyc_conn_flush_is_due(&o.flush) == (o.conn.in.bytes > 0));
    }
    assert_int_equal(o.taken_bytes, 100);
    owner_fini(&o);
}

static void half_close_on(enum cyc_io_backend backend)
{
    struct owner o;

    owner_init(&o, backend);
    cyc_conn_resume(&o.conn);
    peer_write(&o, 5);
    assert_int_equal(shutdown(o.peer_fd, SHUT_WR), 0);
    turns_until(&o, &o.eof_count, 1);
    assert_int_equal(o.taken_bytes, 5);

    /* We still may send; what is appended in one turn leaves in one piece. */
    cyc_buf_append(&o.conn.out, CYC_SPAN("one "));
    cyc_conn_mark_dirty(&o.conn);
    cyc_buf_append(&o.conn.out, CYC_SPAN("two"));
    cyc_conn_mark_dirty(&o.conn);
    cyc_conn_shutdown(&o.conn);
    for (int i = 0; i < TURN_COUNT_MAX && o.sent_bytes < 7; i++)
        turn(&o);
    turn(&o);
    char text[16];
    assert_int_equal(read(o.peer_fd, text, sizeof(text)), 7);
    assert_memory_equal(text, "one two", 7);
    assert_int_equal(read(o.peer_fd, text, sizeof(text)), 0);
    assert_int_equal(o.error_count, 0);
    owner_fini(&o);
}

static void linger_on(enum cyc_io_backend backend)
{
    struct owner o;
    size_t got_bytes = 0;

    owner_init(&o, backend);
    cyc_conn_resume(&o.conn);
    turn(&o);
    for (int i = 0; i < 100; i++)
        cyc_buf_append(&o.conn.out, CYC_SPAN("0123456789012345678901234567890123456789012345678"));
    cyc_conn_close_after_send(&o.conn);
    peer_write(&o, 1000); /* it has not heard yet: dropped, not answered with a reset */
    for (int i = 0; i < TURN_COUNT_MAX && got_bytes < 4900; i++) {
        turn(&o);
        got_bytes += peer_read(&o);
    }
    assert_int_equal(got_bytes, 4900);
    assert_int_equal(o.closed_count, 0); /* waits for the peer's end */
    peer_write(&o, 1000);
    turn(&o);
    close(o.peer_fd);
    o.peer_fd = -1;
    turns_until(&o, &o.closed_count, 1);
    assert_int_equal(o.read_count + o.eof_count + o.error_count, 0);
    owner_fini(&o);
}

static void linger_bounds_on(enum cyc_io_backend backend)
{
    static const bool is_flood[] = {false, true}; /* a silent peer, and one that does not stop */
    static const char zeros[65536];

    for (size_t i = 0; i < sizeof(is_flood) / sizeof(is_flood[0]); i++) {
        struct owner o;
        owner_init(&o, backend);
        cyc_conn_resume(&o.conn);
        cyc_conn_close_after_send(&o.conn);
        uint64_t start_ns = o.io->clock.now_ns;
        while (is_flood[i] && o.closed_count == 0) {
            ssize_t n = send(o.peer_fd, zeros, sizeof(zeros), MSG_DONTWAIT | MSG_NOSIGNAL);
            assert_true(n > 0 || errno == EAGAIN || errno == EPIPE);
            turn(&o);
        }
        turns_until(&o, &o.closed_count, 1);
        uint64_t took_ns = o.io->clock.now_ns - start_ns;
        assert_true((took_ns > 900 * CYC_NS_PER_MS) == !is_flood[i]);
        owner_fini(&o);
    }
}

static void close_on(enum cyc_io_backend backend)
{
    struct owner o;

    owner_init(&o, backend); /* with nothing in flight */
    owner_fini(&o);

    owner_init(&o, backend); /* from inside on_read, with bytes to send */
    cyc_buf_append(&o.conn.out, CYC_SPAN("never seen"));
    o.wants_close_on_read = true;
    cyc_conn_resume(&o.conn);
    peer_write(&o, 3);
    turns_until(&o, &o.closed_count, 1);
    turn(&o);
    assert_int_equal(o.read_count, 1);
    char byte;
    assert_int_equal(read(o.peer_fd, &byte, 1), 0);
    owner_fini(&o);
}

/** A peer that answers early and goes away: the answer counts, then the error. */
static void early_answer_on(enum cyc_io_backend backend)
{
    struct owner o;

    owner_init(&o, backend);
    cyc_conn_resume(&o.conn);
    peer_write(&o, 50);
    close(o.peer_fd);
    o.peer_fd = -1;
    cyc_buf_append(&o.conn.out, CYC_SPAN("the rest of a long request"));
    cyc_conn_mark_dirty(&o.conn);
    cyc_conn_flush_all(&o.flush);
    for (int i = 0; i < TURN_COUNT_MAX && o.error_count + o.eof_count == 0; i++)
        turn(&o);
    assert_int_equal(o.taken_bytes, 50);
    assert_int_equal(o.error_count, 1);
    assert_int_equal(o.error, -EPIPE);
    owner_fini(&o);
}

static void on_both(void (*test)(enum cyc_io_backend backend))
{
    test(CYC_IO_EPOLL);
    test(CYC_IO_AUTO);
}

static void conn__bytes_are_shown_when_wanted_and_never_lost(void **state)
{
    (void)state;
    on_both(reading_on);
}

static void conn__receives_grow_with_the_traffic_and_shrink_again(void **state)
{
    (void)state;
    on_both(bulk_on);
}

static void conn__leftover_bytes_are_shown_once_a_turn(void **state)
{
    (void)state;
    on_both(flood_on);
}

static void conn__half_closed_connection_still_sends(void **state)
{
    (void)state;
    on_both(half_close_on);
}

static void conn__close_after_send_waits_for_the_peer(void **state)
{
    (void)state;
    on_both(linger_on);
}

static void conn__lingering_is_bounded_in_time_and_bytes(void **state)
{
    (void)state;
    on_both(linger_bounds_on);
}

static void conn__close_reports_once_and_later(void **state)
{
    (void)state;
    on_both(close_on);
}

static void conn__early_answer_is_shown_before_the_error(void **state)
{
    (void)state;
    on_both(early_answer_on);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conn__bytes_are_shown_when_wanted_and_never_lost),
        cmocka_unit_test(conn__receives_grow_with_the_traffic_and_shrink_again),
        cmocka_unit_test(conn__leftover_bytes_are_shown_once_a_turn),
        cmocka_unit_test(conn__half_closed_connection_still_sends),
        cmocka_unit_test(conn__close_after_send_waits_for_the_peer),
        cmocka_unit_test(conn__lingering_is_bounded_in_time_and_bytes),
        cmocka_unit_test(conn__close_reports_once_and_later),
        cmocka_unit_test(conn__early_answer_is_shown_before_the_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
