/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same objects on every engine: what is promised by net/io.h and net/conn.h holds on io_uring,
 * on epoll and in simulation alike.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "net/conn.h"
#include "net/io_uring.h"
#include "tests/sim/echo.h"
#include "tests/sim/io_sim.h"

#define CLIENT_COUNT 40
#define TURN_COUNT_MAX 200000
#define WAIT_NS (100 * CYC_NS_PER_MS)

enum engine { ENGINE_URING, ENGINE_URING_OLD, ENGINE_EPOLL, ENGINE_SIM };

/** Everything an engine needs to live. */
struct rig {
    struct cyc_mem mem;
    struct cyc_buf_pool pool;
    struct cyc_sim_net *net; /* SIM only */
    struct cyc_io *io;
    struct echo_host host;
};

/** @return false when this machine does not let us have the engine */
static bool rig_init(struct rig *rig, enum engine engine)
{
    static const struct cyc_network_conf network = {.syscall_batch_size = 128};
    static const struct cyc_timer_conf timer = {.wheel_size = 256, .resolution_ms = 1};
    struct cyc_sim_faults faults = {.latency_us_max = 200};
    int error = 0;

    *rig = (struct rig){0};
    cyc_buf_pool_init(&rig->pool, &rig->mem);
    struct cyc_io_setup setup = {&rig->mem, &rig->pool, &network, &timer};
    if (engine == ENGINE_SIM) {
        rig->net = cyc_sim_net_create(&rig->mem, 7, &faults);
        rig->io = cyc_io_sim_create(rig->net, &setup, NULL);
    } else {
        struct cyc_io_choice choice;
        if (cyc_io_pick(engine == ENGINE_EPOLL ? CYC_IO_EPOLL : CYC_IO_URING, &choice) < 0)
            return false;
        rig->io = cyc_io_create(&choice, &setup, &error);
        assert_non_null(rig->io);
#ifndef CYC_NO_IO_URING
        if (engine == ENGINE_URING_OLD)
            cyc_io_uring_forgo(rig->io);
#endif
    }
    echo_host_init(&rig->host, rig->io);
    return true;
}

static void rig_turn(struct rig *rig)
{
    if (rig->net != NULL) {
        uint64_t now_ns = cyc_sim_net_now_ns(rig->net);
        uint64_t next_ns = cyc_sim_net_next_event_ns(rig->net);
        cyc_sim_net_advance(rig->net, next_ns < now_ns + WAIT_NS ? next_ns : now_ns + WAIT_NS);
    }
    assert_true(echo_host_turn(&rig->host, WAIT_NS) >= 0);
}

static void rig_fini(struct rig *rig)
{
    for (int i = 0; i < 1000 && rig->io->in_flight_count > 0; i++)
        rig_turn(rig);
    assert_int_equal(rig->io->in_flight_count, 0);
    cyc_io_destroy(rig->io);
    if (rig->net != NULL)
        cyc_sim_net_destroy(rig->net);
    cyc_buf_pool_fini(&rig->pool);
    assert_int_equal(rig->mem.total_bytes, 0);
}

/** Where the server of a case listens. */
static struct cyc_addr case_addr(const char *text, enum engine engine)
{
    struct cyc_addr addr;
    char unique[CYC_ADDR_TEXT_BYTES_MAX];

    snprintf(unique, sizeof(unique), "%s%s", text, engine == ENGINE_SIM ? "8080" : "0");
    if (strncmp(text, "unix:", 5) == 0)
        snprintf(unique, sizeof(unique), "%s-%d-%d", text, (int)getpid(), (int)engine);
    assert_true(cyc_addr_parse(cyc_span_from_text(unique), &addr));
    return addr;
}

static void echo_at(enum engine engine, const char *where)
{
    static struct echo_client clients[CLIENT_COUNT];
    struct rig rig;
    struct echo_server server;
    uint32_t closed_count = 0;

    if (!rig_init(&rig, engine))
        skip();
    struct cyc_addr addr = case_addr(where, engine);
    assert_int_equal(echo_server_start(&server, &rig.host, &addr), 0);
    for (size_t i = 0; i < CLIENT_COUNT; i++)
        echo_client_start(&clients[i], &rig.host, &addr, 1 + i * i * i * 11);
    for (int i = 0; i < TURN_COUNT_MAX && (closed_count < CLIENT_COUNT || server.live_count > 0);
         i++) {
        rig_turn(&rig);
        closed_count = 0;
        for (size_t j = 0; j < CLIENT_COUNT; j++)
            closed_count += clients[j].is_closed;
    }
    for (size_t i = 0; i < CLIENT_COUNT; i++) {
        assert_int_equal(clients[i].error, 0);
        assert_false(clients[i].is_wrong);
        assert_int_equal(clients[i].received_bytes, clients[i].total_bytes);
    }
    assert_int_equal(server.accepted_count, CLIENT_COUNT);
    assert_int_equal(server.live_count, 0);
    echo_server_stop(&server);
    rig_fini(&rig);
}

static void echo_everywhere(enum engine engine)
{
    static const char *const places[] = {"127.0.0.1:", "[::1]:", "unix:@cyclone-test-io"};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        echo_at(engine, places[i]);
}

static void io__echo_comes_back_whole_on_io_uring(void **state)
{
    (void)state;
    echo_everywhere(ENGINE_URING);
}

static void io__echo_comes_back_whole_on_an_old_io_uring(void **state)
{
    (void)state;
    echo_everywhere(ENGINE_URING_OLD);
}

static void io__echo_comes_back_whole_on_epoll(void **state)
{
    (void)state;
    echo_everywhere(ENGINE_EPOLL);
}

static void io__echo_comes_back_whole_in_simulation(void **state)
{
    (void)state;
    echo_everywhere(ENGINE_SIM);
}

/* ---- ops one by one -------------------------------------------------------------------------- */

struct probe {
    struct cyc_op op;
    struct cyc_io *io;
    int done_count, result, event_count;
    bool is_starting; /* inside the starting call: done must not run */
};

static void probe_on_done(struct cyc_op *op, int result)
{
    struct probe *p = cyc_container_of(op, struct probe, op);
    assert_false(p->is_starting);
    p->result = result;
    if (op->kind == CYC_OP_IDLE)
        p->done_count++;
    else
        p->event_count++;
    if (op->kind == CYC_OP_IDLE && result > 0)
        cyc_chunk_unref(op->chunk);
}

static void turns_until(struct rig *rig, const int *count, int wanted)
{
    for (int i = 0; i < 1000 && *count < wanted; i++)
        rig_turn(rig);
    assert_int_equal(*count, wanted);
}

/** A listener, a connected client end, and the accepted end. */
struct link {
    struct probe accept, connect;
    struct cyc_addr addr;
    int listen_fd, client_fd, server_fd;
};

static void link_init(struct link *link, struct rig *rig, enum engine engine)
{
    struct cyc_sock_options opts = {.backlog = 16};

    *link = (struct link){.addr = case_addr("127.0.0.1:", engine)};
    link->listen_fd = cyc_io_listen(rig->io, &link->addr, &opts);
    assert_true(link->listen_fd >= 0);
    assert_int_equal(cyc_io_local_addr(rig->io, link->listen_fd, &link->addr), 0);
    cyc_io_accept(rig->io, &link->accept.op, link->listen_fd, probe_on_done);
    link->client_fd = cyc_io_open(rig->io, &link->addr, &opts);
    assert_true(link->client_fd >= 0);
    link->connect.is_starting = true;
    cyc_io_connect(rig->io, &link->connect.op, link->client_fd, &link->addr, probe_on_done);
    link->connect.is_starting = false;
    turns_until(rig, &link->connect.done_count, 1);
    assert_int_equal(link->connect.result, 0);
    turns_until(rig, &link->accept.event_count, 1);
    link->server_fd = link->accept.result;
}

static void link_fini(struct link *link, struct rig *rig)
{
    cyc_io_cancel(rig->io, &link->accept.op);
    turns_until(rig, &link->accept.done_count, 1);
    assert_int_equal(link->accept.result, -ECANCELED);
    cyc_io_close(rig->io, link->listen_fd);
    cyc_io_close(rig->io, link->client_fd);
    cyc_io_close(rig->io, link->server_fd);
}

static void ops_on(enum engine engine)
{
    struct rig rig;
    struct link link;
    struct probe recv = {0}, send = {0};
    struct cyc_buf buf;
    struct cyc_addr remote, local;

    if (!rig_init(&rig, engine))
        skip();
    link_init(&link, &rig, engine);
    assert_int_equal(cyc_io_local_addr(rig.io, link.client_fd, &local), 0);
    assert_int_equal(cyc_io_peer_addr(rig.io, link.server_fd, &remote), 0);
    assert_true(cyc_addr_equal(&local, &remote));

    /* A receive that waits can be cancelled; cancelling twice or when idle is harmless. */
    cyc_io_recv(rig.io, &recv.op, link.server_fd, probe_on_done);
    rig_turn(&rig);
    cyc_io_cancel(rig.io, &recv.op);
    cyc_io_cancel(rig.io, &recv.op);
    turns_until(&rig, &recv.done_count, 1);
    assert_int_equal(recv.result, -ECANCELED);
    cyc_io_cancel(rig.io, &recv.op);
    assert_int_equal(rig.io->in_flight_count, 1); /* the accept */

    /* A send of several pieces arrives, and never finishes inside the starting call. */
    cyc_buf_init(&buf, &rig.pool);
    for (int i = 0; i < 3; i++) {
        struct cyc_chunk *chunk = cyc_chunk_get(&rig.pool, false);
        memset(chunk->bytes, 'a' + i, 2000);
        chunk->used_bytes = 2000;
        cyc_buf_append_chunk(&buf, chunk, chunk->bytes, 2000);
        cyc_chunk_unref(chunk);
    }
    send.is_starting = true;
    cyc_io_send(rig.io, &send.op, link.client_fd, &buf, probe_on_done);
    send.is_starting = false;
    turns_until(&rig, &send.done_count, 1);
    assert_int_equal(send.result, 6000);
    cyc_buf_clear(&buf);
    recv.is_starting = true;
    cyc_io_recv(rig.io, &recv.op, link.server_fd, probe_on_done);
    recv.is_starting = false;
    turns_until(&rig, &recv.done_count, 2);
    assert_in_range(recv.result, 1, CYC_CHUNK_SMALL_BYTES);

    /* The end of the stream is a result of 0, after all bytes. */
    cyc_io_shutdown(rig.io, link.client_fd);
    for (int i = 0; i < 10 && recv.result > 0; i++) {
        int count = recv.done_count;
        cyc_io_recv(rig.io, &recv.op, link.server_fd, probe_on_done);
        turns_until(&rig, &recv.done_count, count + 1);
    }
    assert_int_equal(recv.result, 0);
    link_fini(&link, &rig);
    rig_fini(&rig);
}

static void io__ops_keep_their_rules_on_io_uring(void **state)
{
    (void)state;
    ops_on(ENGINE_URING);
}

static void io__ops_keep_their_rules_on_an_old_io_uring(void **state)
{
    (void)state;
    ops_on(ENGINE_URING_OLD);
}

static void io__ops_keep_their_rules_on_epoll(void **state)
{
    (void)state;
    ops_on(ENGINE_EPOLL);
}

static void io__ops_keep_their_rules_in_simulation(void **state)
{
    (void)state;
    ops_on(ENGINE_SIM);
}

static void refused_on(enum engine engine)
{
    struct rig rig;
    struct probe connect = {0};
    struct cyc_sock_options opts = {.backlog = 1};

    if (!rig_init(&rig, engine))
        skip();
    struct cyc_addr addr = case_addr("127.0.0.1:", engine);
    int fd = cyc_io_listen(rig.io, &addr, &opts); /* a port that is surely free again */
    assert_int_equal(cyc_io_local_addr(rig.io, fd, &addr), 0);
    cyc_io_close(rig.io, fd);
    rig_turn(&rig);
    fd = cyc_io_open(rig.io, &addr, &opts);
    cyc_io_connect(rig.io, &connect.op, fd, &addr, probe_on_done);
    turns_until(&rig, &connect.done_count, 1);
    assert_int_equal(connect.result, -ECONNREFUSED);
    cyc_io_close(rig.io, fd);
    rig_fini(&rig);
}

static void io__connect_to_nobody_is_refused(void **state)
{
    (void)state;
    refused_on(ENGINE_EPOLL);
    refused_on(ENGINE_SIM);
    refused_on(ENGINE_URING);
}

static void poll_and_wake_on(enum engine engine)
{
    struct rig rig;
    struct probe poll = {0};
    uint64_t value = 1;

    if (!rig_init(&rig, engine))
        skip();
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    cyc_io_poll(rig.io, &poll.op, fd, probe_on_done);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(write(fd, &value, sizeof(value)), sizeof(value));
        turns_until(&rig, &poll.event_count, i);
        assert_int_equal(read(fd, &value, sizeof(value)), sizeof(value));
        value = 1;
    }
    cyc_io_cancel(rig.io, &poll.op);
    turns_until(&rig, &poll.done_count, 1);
    close(fd);

    /* A wake-up before the wait ends it at once: this would take an hour otherwise. */
    for (int i = 0; i < 3; i++) {
        cyc_io_wake(rig.io);
        assert_true(cyc_io_turn(rig.io, 3600 * CYC_NS_PER_S) >= 0);
    }
    rig_fini(&rig);
}

static void io__poll_fires_per_event_and_wake_ends_a_wait(void **state)
{
    (void)state;
    poll_and_wake_on(ENGINE_EPOLL);
    poll_and_wake_on(ENGINE_URING_OLD);
    poll_and_wake_on(ENGINE_URING);
}

static void bounded_on(enum engine engine)
{
    struct rig rig;

    if (!rig_init(&rig, engine))
        skip();
    cyc_io_wake(rig.io);
    assert_true(cyc_io_turn(rig.io, 2 * CYC_NS_PER_MS) >= 0); /* ends early: a bound is left over */
    uint64_t start_ns = rig.io->clock.now_ns;
    while (rig.io->clock.now_ns < start_ns + 5 * CYC_NS_PER_MS)
        cyc_io_clock_read(rig.io); /* a callback that takes its time */
    assert_true(cyc_io_turn(rig.io, 20 * CYC_NS_PER_MS) >= 0);
    assert_true(cyc_io_turn(rig.io, 20 * CYC_NS_PER_MS) >= 0);
    rig_fini(&rig);
}

static void io__a_wait_ends_although_an_earlier_bound_has_passed(void **state)
{
    (void)state;
    bounded_on(ENGINE_EPOLL);
    bounded_on(ENGINE_URING_OLD);
    bounded_on(ENGINE_URING);
}

/** With no room in the pool a receive waits inside the engine and goes on when there is. */
static void parking_on(enum engine engine)
{
    struct rig rig;
    struct link link;
    struct probe recv = {0}, send = {0};
    struct cyc_buf buf;

    if (!rig_init(&rig, engine))
        skip();
    link_init(&link, &rig, engine);
    cyc_buf_init(&buf, &rig.pool);
    cyc_buf_append(&buf, CYC_SPAN("ping"));
    rig.mem.limit_bytes = 1;
    cyc_io_send(rig.io, &send.op, link.client_fd, &buf, probe_on_done);
    cyc_io_recv(rig.io, &recv.op, link.server_fd, probe_on_done);
    turns_until(&rig, &send.done_count, 1);
    for (int i = 0; i < 1000 && rig.io->recv_parked_count == 0; i++)
        rig_turn(&rig);
    assert_int_equal(rig.io->recv_parked_count, 1);
    for (int i = 0; i < 10; i++)
        assert_true(cyc_io_turn(rig.io, 0) >= 0);
    assert_int_equal(recv.done_count, 0);
    rig.mem.limit_bytes = 0;
    turns_until(&rig, &recv.done_count, 1);
    assert_int_equal(recv.result, 4);

    /* A parked one can be cancelled. */
    rig.mem.limit_bytes = 1;
    cyc_io_send(rig.io, &send.op, link.client_fd, &buf, probe_on_done);
    cyc_io_recv(rig.io, &recv.op, link.server_fd, probe_on_done);
    for (int i = 0; i < 1000 && rig.io->recv_parked_count == 1; i++)
        rig_turn(&rig);
    cyc_io_cancel(rig.io, &recv.op);
    turns_until(&rig, &recv.done_count, 2);
    assert_int_equal(recv.result, -ECANCELED);
    turns_until(&rig, &send.done_count, 2);
    cyc_buf_clear(&buf);
    link_fini(&link, &rig);
    rig_fini(&rig);
}

/* Today's io_uring has buffers lent in advance: see test_io_uring.c. */
static void io__receive_without_room_waits_in_the_engine(void **state)
{
    (void)state;
    parking_on(ENGINE_EPOLL);
    parking_on(ENGINE_SIM);
    parking_on(ENGINE_URING_OLD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(io__echo_comes_back_whole_on_io_uring),
        cmocka_unit_test(io__echo_comes_back_whole_on_an_old_io_uring),
        cmocka_unit_test(io__echo_comes_back_whole_on_epoll),
        cmocka_unit_test(io__echo_comes_back_whole_in_simulation),
        cmocka_unit_test(io__ops_keep_their_rules_on_io_uring),
        cmocka_unit_test(io__ops_keep_their_rules_on_an_old_io_uring),
        cmocka_unit_test(io__ops_keep_their_rules_on_epoll),
        cmocka_unit_test(io__ops_keep_their_rules_in_simulation),
        cmocka_unit_test(io__connect_to_nobody_is_refused),
        cmocka_unit_test(io__poll_fires_per_event_and_wake_ends_a_wait),
        cmocka_unit_test(io__a_wait_ends_although_an_earlier_bound_has_passed),
        cmocka_unit_test(io__receive_without_room_waits_in_the_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
