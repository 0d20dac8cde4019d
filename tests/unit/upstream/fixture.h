/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One worker's upstream side on a network made of arrays.
 *
 * Every socket the code under test opens is a `struct fake_socket` with the number of its opening.
 * The test plays the service: it decides how connecting ends, what arrives, and when the service
 * hangs up. turn() is what a worker does once; time passes only when the test says so.
 */
#ifndef CYC_TESTS_UPSTREAM_FIXTURE_H
#define CYC_TESTS_UPSTREAM_FIXTURE_H

#include "base/arena.h"
#include "base/assert.h"
#include "net/io.h"
#include "upstream/attempt.h"
#include "upstream/cluster_state.h"
#include "upstream/upstream_conn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FAKE_SOCKET_COUNT_MAX 64
#define FAKE_TEXT_BYTES_MAX 4096
#define TEST_ATTEMPT_COUNT_MAX 16

/* ---- the network ----------------------------------------------------------------------------- */

enum fake_connect { FAKE_ACCEPT = 0, FAKE_REFUSE, FAKE_HANG };

struct fake_socket {
    bool is_open, is_eof, is_reset, is_shut_down;
    struct cyc_op *connect, *recv, *send; /* in flight */
    uint16_t port;
    char in[FAKE_TEXT_BYTES_MAX], sent[FAKE_TEXT_BYTES_MAX];
    size_t in_bytes, sent_bytes;
};

struct fake_io {
    struct cyc_io io; /* first */
    struct fake_socket sockets[FAKE_SOCKET_COUNT_MAX];
    int socket_count;
    enum fake_connect connect_mode;
    int open_error; /* a negative errno, or 0 */
};

static inline struct fake_socket *fake_socket_at(struct cyc_io *io, int fd)
{
    struct fake_io *fake = (struct fake_io *)(void *)io;
    cyc_assert(fd >= 0 && fd < fake->socket_count && fake->sockets[fd].is_open);
    return &fake->sockets[fd];
}

static inline struct cyc_op **fake_place(struct cyc_io *io, const struct cyc_op *op)
{
    struct fake_socket *socket = fake_socket_at(io, op->fd);
    if (op->kind == CYC_OP_CONNECT)
        return &socket->connect;
    return op->kind == CYC_OP_RECV ? &socket->recv : &socket->send;
}

static inline void fake_submit(struct cyc_io *io, struct cyc_op *op)
{
    cyc_assert(*fake_place(io, op) == NULL);
    *fake_place(io, op) = op;
}

static inline void fake_cancel(struct cyc_io *io, struct cyc_op *op)
{
    *fake_place(io, op) = NULL;
    cyc_io_finish(io, op, -ECANCELED);
}

static inline void fake_connect_step(struct fake_io *fake, struct fake_socket *socket)
{
    if (socket->connect == NULL || fake->connect_mode == FAKE_HANG)
        return;
    struct cyc_op *op = cyc_take(socket->connect);
    cyc_io_finish(&fake->io, op, fake->connect_mode == FAKE_ACCEPT ? 0 : -ECONNREFUSED);
}

static inline void fake_send_step(struct fake_io *fake, struct fake_socket *socket)
{
    if (socket->send == NULL)
        return;
    struct cyc_op *op = cyc_take(socket->send);
    if (socket->is_reset) {
        cyc_io_finish(&fake->io, op, -EPIPE);
        return;
    }
    size_t bytes = cyc_buf_peek(op->buf, socket->sent + socket->sent_bytes,
                                FAKE_TEXT_BYTES_MAX - 1 - socket->sent_bytes);
    socket->sent_bytes += bytes;
    cyc_io_finish(&fake->io, op, (int)bytes);
}

static inline void fake_recv_step(struct fake_io *fake, struct fake_socket *socket)
{
    if (socket->recv == NULL)
        return;
    if (socket->in_bytes > 0) {
        struct cyc_op *op = cyc_take(socket->recv);
        op->chunk = cyc_chunk_get_always(fake->io.pool, false);
        memcpy(op->chunk->bytes, socket->in, socket->in_bytes);
        op->chunk->used_bytes = (uint32_t)socket->in_bytes;
        socket->in_bytes = 0;
        cyc_io_finish(&fake->io, op, (int)op->chunk->used_bytes);
    } else if (socket->is_eof || socket->is_reset) {
        struct cyc_op *op = cyc_take(socket->recv);
        cyc_io_finish(&fake->io, op, socket->is_reset ? -ECONNRESET : 0);
    }
}

static inline int fake_wait(struct cyc_io *io, uint64_t wait_ns_max)
{
    struct fake_io *fake = (struct fake_io *)(void *)io;
    (void)wait_ns_max;

    for (int fd = 0; fd < fake->socket_count; fd++) {
        fake_connect_step(fake, &fake->sockets[fd]);
        fake_send_step(fake, &fake->sockets[fd]);
        fake_recv_step(fake, &fake->sockets[fd]);
    }
    return 0;
}

static inline int fake_open(struct cyc_io *io, const struct cyc_addr *addr,
                            const struct cyc_sock_options *opts)
{
    struct fake_io *fake = (struct fake_io *)(void *)io;
    (void)opts;

    if (fake->open_error < 0)
        return fake->open_error;
    cyc_assert(fake->socket_count < FAKE_SOCKET_COUNT_MAX);
    struct fake_socket *socket = &fake->sockets[fake->socket_count];
    *socket = (struct fake_socket){.is_open = true, .port = (uint16_t)cyc_addr_port(addr)};
    return fake->socket_count++;
}

static inline void fake_close(struct cyc_io *io, int fd)
{
    struct fake_socket *socket = fake_socket_at(io, fd);
    cyc_assert(socket->connect == NULL && socket->recv == NULL && socket->send == NULL);
    socket->is_open = false;
}

static inline void fake_shutdown(struct cyc_io *io, int fd)
{
    fake_socket_at(io, fd)->is_shut_down = true;
}

static inline void fake_reset(struct cyc_io *io, int fd)
{
    fake_socket_at(io, fd)->is_eof = true;
}

static inline void fake_destroy(struct cyc_io *io)
{
    (void)io;
}

static inline void fake_init(struct fake_io *fake, struct cyc_mem *mem, struct cyc_buf_pool *pool)
{
    static const struct cyc_io_vt vt = {
        .name = "fake",
        .submit = fake_submit,
        .cancel = fake_cancel,
        .wait = fake_wait,
        .open = fake_open,
        .close = fake_close,
        .shutdown = fake_shutdown,
        .reset = fake_reset,
        .destroy = fake_destroy,
    };
    static const struct cyc_timer_conf timer = {.wheel_size = 256, .resolution_ms = 1};
    static const struct cyc_network_conf network;

    fake->socket_count = 0;
    fake->connect_mode = FAKE_ACCEPT;
    fake->open_error = 0;
    memset(&fake->io, 0, sizeof(fake->io));
    fake->io.clock.now_ns = 1000 * CYC_NS_PER_S;
    cyc_io_init(
        &fake->io, &vt,
        &(struct cyc_io_setup){.mem = mem, .pool = pool, .network = &network, .timer = &timer});
}

/* ---- attempts that write down what happens to them ------------------------------------------- */

struct test_attempt {
    struct cyc_attempt attempt;
    char log[128]; /* one letter per event: R ready, I info, H head, B body, O room, D done, F fail
                    */
    char body[FAKE_TEXT_BYTES_MAX];
    size_t log_bytes, body_bytes;
    uint32_t status;
    enum cyc_fail fail;
    bool may_replay;
    bool aborts_on_end; /* calls abort inside the event that ends the answer */
    bool aborts_on_head;
    bool holds_on_head;
    struct cyc_cluster *restart; /* on_fail starts it again, there */
};

static inline struct test_attempt *test_attempt_of(struct cyc_attempt *attempt)
{
    return cyc_container_of(attempt, struct test_attempt, attempt);
}

static inline void test_note(struct test_attempt *t, char letter)
{
    cyc_assert(t->log_bytes < sizeof(t->log) - 1);
    t->log[t->log_bytes++] = letter;
}

static inline void test_on_ready(struct cyc_attempt *attempt)
{
    test_note(test_attempt_of(attempt), 'R');
}

static inline void test_on_info(struct cyc_attempt *attempt, struct cyc_msg *head)
{
    (void)head;
    test_note(test_attempt_of(attempt), 'I');
}

static inline void test_on_head(struct cyc_attempt *attempt, struct cyc_msg *head, bool is_end)
{
    struct test_attempt *t = test_attempt_of(attempt);
    test_note(t, 'H');
    t->status = head->status;
    if (t->holds_on_head)
        cyc_attempt_hold(attempt, CYC_HOLD_FAR_SIDE);
    if ((is_end && t->aborts_on_end) || t->aborts_on_head)
        cyc_attempt_abort(attempt);
}

static inline void test_on_body(struct cyc_attempt *attempt, struct cyc_buf *body, bool is_end,
                                struct cyc_msg *trailers)
{
    struct test_attempt *t = test_attempt_of(attempt);
    (void)trailers;
    test_note(t, 'B');
    t->body_bytes +=
        cyc_buf_peek(body, t->body + t->body_bytes, sizeof(t->body) - 1 - t->body_bytes);
    cyc_buf_clear(body);
    if (is_end && t->aborts_on_end)
        cyc_attempt_abort(attempt);
}

static inline void test_on_room(struct cyc_attempt *attempt)
{
    test_note(test_attempt_of(attempt), 'O');
}

static inline void test_on_done(struct cyc_attempt *attempt)
{
    cyc_assert(!attempt->is_active);
    test_note(test_attempt_of(attempt), 'D');
}

static inline void test_on_fail(struct cyc_attempt *attempt, enum cyc_fail why, bool may_replay)
{
    struct test_attempt *t = test_attempt_of(attempt);
    cyc_assert(!attempt->is_active);
    test_note(t, 'F');
    t->fail = why;
    t->may_replay = may_replay;
    if (t->restart != NULL)
        cyc_attempt_start(attempt, cyc_take(t->restart),
                          &(struct cyc_attempt_request){.arena = attempt->arena,
                                                        .head = attempt->head,
                                                        .is_end = attempt->is_end,
                                                        .first_byte_ms = attempt->first_byte_ms,
                                                        .avoid = attempt->endpoint});
}

static const struct cyc_attempt_vt test_attempt_vt = {
    .on_ready = test_on_ready,
    .on_info = test_on_info,
    .on_head = test_on_head,
    .on_body = test_on_body,
    .on_room = test_on_room,
    .on_done = test_on_done,
    .on_fail = test_on_fail,
};

/* ---- the worker ------------------------------------------------------------------------------ */

/* The slots of the one cluster and all its endpoints. */
enum test_slot {
    SLOT_REQUESTS = 1,
    SLOT_FAILS,
    SLOT_CONNECTS,
    SLOT_CONNECT_FAILS,
    SLOT_ACTIVE,
    SLOT_IDLE,
    SLOT_PENDING,
    SLOT_REUSED,
    SLOT_STALE,
    SLOT_SENT_BYTES,
    SLOT_RECEIVED_BYTES,
};

struct fixture {
    struct cyc_mem mem;
    struct cyc_buf_pool pool;
    struct fake_io fake;
    struct cyc_conn_flush flush;
    struct cyc_rng rng;
    struct cyc_stats_block *stats;
    struct cyc_arena arena;
    struct cyc_upstreams *upstreams;
    struct cyc_cluster *cluster;
    struct cyc_cluster_conf conf;
    struct cyc_upstream_slots slots;
    struct cyc_network_conf network;
    struct cyc_codec_limits limits;
    struct cyc_msg get, post;
    struct test_attempt attempts[TEST_ATTEMPT_COUNT_MAX];
};

static inline void fixture_msg(struct fixture *f, struct cyc_msg *msg, enum cyc_method method)
{
    cyc_msg_init(msg, &f->arena, 4);
    msg->method = method;
    msg->method_text = cyc_method_name(method);
    msg->target = msg->path = CYC_SPAN("/x");
    msg->authority = CYC_SPAN("svc.example");
    msg->version_minor = 1;
}

/** The configuration as it is now, in force. */
static inline void fixture_adopt(struct fixture *f)
{
    cyc_upstreams_set_network(f->upstreams, &f->network, &f->limits);
    f->cluster = cyc_cluster_adopt(f->upstreams, &f->conf, &f->slots);
}

/** Endpoints 10.0.0.1:<port> for each port. */
static inline void fixture_set_endpoints(struct fixture *f, const uint16_t *ports, uint32_t count)
{
    struct cyc_endpoint_spec specs[8];
    char text[32];

    cyc_assert(count <= 8);
    for (uint32_t i = 0; i < count; i++) {
        int len = snprintf(text, sizeof(text), "10.0.0.1:%u", (unsigned)ports[i]);
        specs[i] = (struct cyc_endpoint_spec){.weight = 1, .slots = f->slots};
        cyc_assert(cyc_addr_parse(cyc_span_of(text, (size_t)len), &specs[i].addr));
        specs[i].authority = CYC_SPAN("svc.example:80");
    }
    cyc_cluster_set_endpoints(f->cluster, specs, count);
}

static inline void fixture_conf(struct fixture *f)
{
    f->slots = (struct cyc_upstream_slots){
        .requests = SLOT_REQUESTS,
        .fails = SLOT_FAILS,
        .connects = SLOT_CONNECTS,
        .connect_fails = SLOT_CONNECT_FAILS,
        .active = SLOT_ACTIVE,
        .idle = SLOT_IDLE,
        .pending = SLOT_PENDING,
        .reused = SLOT_REUSED,
        .stale = SLOT_STALE,
        .sent_bytes = SLOT_SENT_BYTES,
        .received_bytes = SLOT_RECEIVED_BYTES,
    };
    f->network =
        (struct cyc_network_conf){.is_connection_pooling = true, .connection_pool_size = 100};
    f->limits = (struct cyc_codec_limits){.head_bytes_max = 65536,
                                          .field_count_max = 100,
                                          .uri_bytes_max = 8192,
                                          .out_bytes_high = 1024};
    f->conf = (struct cyc_cluster_conf){
        .name = CYC_SPAN("svc"),
        .lb_policy = CYC_LB_ROUND_ROBIN,
        .connect_timeout_ms = 1000,
        .pool = {.max_per_endpoint = 10,
                 .max_idle = 10,
                 .idle_timeout_ms = 55000,
                 .max_pending = 10,
                 .pending_timeout_ms = 500},
    };
}

/** One worker, one cluster "svc" with the endpoint 10.0.0.1:1. */
static inline void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    cyc_buf_pool_init(&f->pool, &f->mem);
    fake_init(&f->fake, &f->mem, &f->pool);
    cyc_conn_flush_init(&f->flush);
    cyc_rng_init(&f->rng, 7);
    f->stats = cyc_stats_block_create();
    cyc_arena_init(&f->arena, &f->mem, CYC_MEM_STREAMS, NULL, 0);
    fixture_msg(f, &f->get, CYC_METHOD_GET);
    fixture_msg(f, &f->post, CYC_METHOD_POST);
    f->post.body = CYC_BODY_LENGTH;
    f->post.body_bytes = 5;
    fixture_conf(f);
    f->upstreams = cyc_upstreams_create(&(struct cyc_upstream_env){.io = &f->fake.io,
                                                                   .flush = &f->flush,
                                                                   .mem = &f->mem,
                                                                   .rng = &f->rng,
                                                                   .stats = f->stats,
                                                                   .worker_count = 1});
    fixture_adopt(f);
    fixture_set_endpoints(f, (const uint16_t[]){1}, 1);
    for (size_t i = 0; i < TEST_ATTEMPT_COUNT_MAX; i++)
        cyc_attempt_init(&f->attempts[i].attempt, &test_attempt_vt);
}

/** What a worker does once, and again while that leaves something to do. */
static inline void turn(struct fixture *f)
{
    for (int i = 0; i < 3; i++) {
        cyc_io_turn(&f->fake.io, 0);
        cyc_upstreams_run(f->upstreams);
        cyc_conn_flush_all(&f->flush);
    }
}

/** Time passes, in steps as a busy worker would see it. */
static inline void pass_ms(struct fixture *f, uint64_t ms)
{
    uint64_t step_ms = ms > 100 ? ms / 100 : 1;

    while (ms > 0) {
        step_ms = step_ms < ms ? step_ms : ms;
        ms -= step_ms;
        f->fake.io.clock.now_ns += step_ms * CYC_NS_PER_MS;
        turn(f);
    }
}

/** Nothing may be left: no connection, no timer, no chunk, no byte. */
static inline void fixture_fini(struct fixture *f)
{
    for (size_t i = 0; i < TEST_ATTEMPT_COUNT_MAX; i++)
        cyc_attempt_abort(&f->attempts[i].attempt);
    cyc_upstreams_close(f->upstreams);
    turn(f);
    turn(f);
    cyc_assert(cyc_upstreams_is_idle(f->upstreams));
    cyc_upstreams_destroy(f->upstreams);
    cyc_io_destroy(&f->fake.io);
    cyc_arena_fini(&f->arena);
    cyc_buf_pool_fini(&f->pool);
    cyc_stats_block_destroy(f->stats);
    cyc_assert(f->mem.total_bytes == 0);
}

/* ---- short hands ----------------------------------------------------------------------------- */

static inline struct test_attempt *start_get(struct fixture *f, int i)
{
    struct test_attempt *t = &f->attempts[i];
    memset(t->log, 0, sizeof(t->log));
    memset(t->body, 0, sizeof(t->body));
    t->log_bytes = t->body_bytes = 0;
    t->fail = CYC_FAIL_NONE;
    cyc_attempt_start(&t->attempt, f->cluster,
                      &(struct cyc_attempt_request){.arena = &f->arena,
                                                    .head = &f->get,
                                                    .is_end = true,
                                                    .first_byte_ms = 0,
                                                    .avoid = NULL});
    return t;
}

static inline void receive(struct fixture *f, int fd, const char *text)
{
    struct fake_socket *socket = &f->fake.sockets[fd];
    cyc_assert(socket->is_open && socket->in_bytes + strlen(text) <= FAKE_TEXT_BYTES_MAX);
    memcpy(socket->in + socket->in_bytes, text, strlen(text));
    socket->in_bytes += strlen(text);
    turn(f);
}

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/** A whole exchange, on whatever connection. @return its socket */
static inline int exchange(struct fixture *f, int i)
{
    struct test_attempt *t = start_get(f, i);
    turn(f);
    int fd = t->attempt.conn->conn.fd;
    receive(f, fd, OK_ANSWER);
    return fd;
}

/** Sockets the code under test holds open. */
static inline int open_count(const struct fixture *f)
{
    int count = 0;
    for (int fd = 0; fd < f->fake.socket_count; fd++)
        count += f->fake.sockets[fd].is_open;
    return count;
}

static inline uint64_t stat_of(const struct fixture *f, enum test_slot slot)
{
    return cyc_stat_get(f->stats, slot);
}

static inline uint32_t conn_count(const struct fixture *f, enum cyc_upstream_state state)
{
    return f->cluster->set.endpoints[0]->conn_counts[state];
}

#endif
