/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many short lives of one worker's upstream side, each decided by a seed: requests start and are
 * given up, services answer, stall, lie and die, limits and addresses change, time passes.
 *
 * What must hold, whatever happens: every attempt ends exactly once; an answer reaches the attempt
 * whose request it answers; nobody waits while there is room; no endpoint has more connections than
 * it may; gauges tell the truth; and in the end nothing is left. CYC_TEST_SEED and CYC_TEST_LIVES
 * choose other lives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/upstream/fixture.h"

#include <stdlib.h>

#define LIFE_COUNT 400
#define STEP_COUNT 120
#define MAX_PER_ENDPOINT 2

struct life {
    struct fixture f;
    struct cyc_rng dice;
    struct cyc_msg heads[TEST_ATTEMPT_COUNT_MAX];
    char targets[TEST_ATTEMPT_COUNT_MAX][24];
    uint32_t start_counts[TEST_ATTEMPT_COUNT_MAX], abort_counts[TEST_ATTEMPT_COUNT_MAX],
        end_counts[TEST_ATTEMPT_COUNT_MAX];
    uint32_t number; /* of the last request */
};

static uint32_t roll(struct life *life, uint32_t sides)
{
    return (uint32_t)cyc_rng_below(&life->dice, sides);
}

/** Takes over what the attempt wrote down. @return the promise that was broken, or NULL */
static const char *attempt_check(struct life *life, int i)
{
    struct test_attempt *t = &life->f.attempts[i];

    for (size_t at = 0; at < t->log_bytes; at++) {
        life->end_counts[i] += t->log[at] == 'D' || t->log[at] == 'F';
        if (t->log[at] == 'D' && t->status == 200 && strcmp(t->body, life->targets[i]) != 0)
            return "an answer reached somebody else";
    }
    t->log_bytes = 0;
    if (life->end_counts[i] + life->abort_counts[i] + t->attempt.is_active != life->start_counts[i])
        return "an attempt did not end exactly once";
    return NULL;
}

static void step_start(struct life *life, int i)
{
    struct fixture *f = &life->f;
    struct test_attempt *t = &f->attempts[i];
    struct cyc_msg *head = &life->heads[i];
    bool is_post = roll(life, 3) == 0;

    if (t->attempt.is_active)
        return;
    snprintf(life->targets[i], sizeof(life->targets[i]), "/r%u", ++life->number);
    fixture_msg(f, head, is_post ? CYC_METHOD_POST : CYC_METHOD_GET);
    head->target = head->path = cyc_span_from_text(life->targets[i]);
    head->body = is_post ? CYC_BODY_STREAM : CYC_BODY_NONE;
    memset(t->body, 0, sizeof(t->body));
    t->body_bytes = t->log_bytes = 0;
    t->status = 0;
    t->aborts_on_end = t->aborts_on_head = false;
    t->holds_on_head = roll(life, 8) == 0;
    life->start_counts[i]++;
    cyc_attempt_start(&t->attempt, f->cluster,
                      &(struct cyc_attempt_request){.arena = &f->arena,
                                                    .head = head,
                                                    .is_end = !is_post,
                                                    .first_byte_ms = roll(life, 2) ? 300 : 0,
                                                    .avoid = f->cluster->set.count > 0
                                                                 ? f->cluster->set.endpoints[0]
                                                                 : NULL});
}

static void step_attempt(struct life *life, int i)
{
    struct test_attempt *t = &life->f.attempts[i];
    struct cyc_buf body;

    cyc_buf_init(&body, &life->f.pool);
    switch (roll(life, 6)) {
    case 0:
        life->abort_counts[i] += t->attempt.is_active;
        cyc_attempt_abort(&t->attempt);
        break;
    case 1:
        cyc_attempt_hold(&t->attempt, CYC_HOLD_CHAIN);
        break;
    case 2:
    case 3:
        cyc_attempt_release(&t->attempt, CYC_HOLD_CHAIN | CYC_HOLD_FAR_SIDE);
        break;
    default: /* body of a POST that is ready for it */
        if (t->attempt.is_active && !t->attempt.is_request_ended && t->attempt.cs != NULL &&
            !t->attempt.is_ready_due) {
            cyc_buf_append(&body, CYC_SPAN("some"));
            cyc_attempt_send_body(&t->attempt, &body, roll(life, 2), NULL);
        }
        break;
    }
}

/** The service reads the first request it has not answered, and answers with its target. */
static void step_answer(struct life *life, struct fake_socket *socket)
{
    static const char *const forms[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
        "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=2\r\nContent-Length: %zu\r\n\r\n%s",
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
        "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%sHTTP/1.1 200 OK\r\n\r\n",
        "%zu %s: what is HTTP?\r\n",
    };
    char answer[256], target[24] = "";

    socket->sent[socket->sent_bytes] = '\0';
    const char *line = strstr(socket->sent, " /r");
    if (!socket->is_open || socket->is_eof || line == NULL)
        return;
    memcpy(target, line + 1, strcspn(line + 1, " "));
    size_t bytes =
        (size_t)snprintf(answer, sizeof(answer), forms[roll(life, 7)], strlen(target), target);
    if (roll(life, 8) == 0) { /* the rest never comes */
        bytes = bytes / 2;
        socket->is_eof = roll(life, 2);
    }
    memcpy(socket->in + socket->in_bytes, answer, bytes);
    socket->in_bytes += bytes;
    socket->sent_bytes = 0;
}

static void step_socket(struct life *life)
{
    struct fake_io *fake = &life->f.fake;

    if (fake->socket_count == 0)
        return;
    struct fake_socket *socket = &fake->sockets[roll(life, (uint32_t)fake->socket_count)];
    switch (roll(life, 8)) {
    case 0:
        socket->is_eof = true;
        break;
    case 1:
        socket->is_reset = true;
        break;
    default:
        step_answer(life, socket);
        break;
    }
}

static void step_world(struct life *life)
{
    static const uint16_t ports[] = {1, 2, 3};
    struct fixture *f = &life->f;

    switch (roll(life, 6)) {
    case 0:
        f->fake.connect_mode = (enum fake_connect)roll(life, 3);
        break;
    case 1:
        f->fake.open_error = roll(life, 4) == 0 ? -EMFILE : 0;
        break;
    case 2:
        fixture_set_endpoints(f, ports + roll(life, 2), roll(life, 3));
        break;
    case 3:
        f->conf.lb_policy = (enum cyc_lb_policy)roll(life, 3);
        f->conf.pool.max_idle = roll(life, 3);
        f->conf.pool.max_requests = roll(life, 3);
        f->network.is_connection_pooling = roll(life, 4) > 0;
        fixture_adopt(f);
        break;
    case 4:
        pass_ms(f, roll(life, 2000));
        break;
    default:
        f->fake.connect_mode = FAKE_ACCEPT;
        f->fake.open_error = 0;
        break;
    }
}

static void step_any(struct life *life)
{
    int i = (int)roll(life, TEST_ATTEMPT_COUNT_MAX);
    uint32_t kind = roll(life, 10);

    if (kind < 3)
        step_start(life, i);
    else if (kind < 5)
        step_attempt(life, i);
    else if (kind < 9)
        step_socket(life);
    else
        step_world(life);
}

static const char *cluster_check(const struct fixture *f, uint32_t active_count)
{
    const struct cyc_cluster *cluster = f->cluster;
    uint32_t idle_count = 0;
    bool has_room = false;

    for (uint32_t i = 0; i < cluster->set.count; i++) {
        const struct cyc_endpoint *endpoint = cluster->set.endpoints[i];
        uint32_t count = cyc_endpoint_conn_count(endpoint);
        if (count > MAX_PER_ENDPOINT)
            return "too many connections to one endpoint";
        has_room |= count < MAX_PER_ENDPOINT || endpoint->conn_counts[CYC_UPSTREAM_IDLE] > 0;
        idle_count += endpoint->conn_counts[CYC_UPSTREAM_IDLE];
    }
    if (cluster->waiting_count > 0 && has_room)
        return "somebody waits while there is room";
    if (f->upstreams->idle_count != idle_count || stat_of(f, SLOT_IDLE) != idle_count ||
        stat_of(f, SLOT_ACTIVE) != active_count ||
        stat_of(f, SLOT_PENDING) != cluster->waiting_count)
        return "a gauge lies";
    return NULL;
}

static const char *life_check(struct life *life)
{
    uint32_t active_count = 0;

    for (int i = 0; i < TEST_ATTEMPT_COUNT_MAX; i++) {
        const struct cyc_attempt *attempt = &life->f.attempts[i].attempt;
        const char *broken = attempt_check(life, i);
        if (broken != NULL)
            return broken;
        active_count += attempt->is_active && attempt->endpoint != NULL;
    }
    return cluster_check(&life->f, active_count);
}

static void life_run(struct life *life, uint64_t seed)
{
    struct fixture *f = &life->f;

    memset(life, 0, sizeof(*life));
    fixture_init(f);
    f->conf.pool.max_per_endpoint = MAX_PER_ENDPOINT;
    f->conf.pool.max_pending = 3;
    fixture_adopt(f);
    cyc_rng_init(&life->dice, seed);
    for (int step = 0; step < STEP_COUNT; step++) {
        if (f->fake.socket_count >= FAKE_SOCKET_COUNT_MAX - 2 * TEST_ATTEMPT_COUNT_MAX)
            break;
        step_any(life);
        if (roll(life, 3) > 0)
            turn(f);
        const char *broken = life_check(life);
        if (broken != NULL)
            fail_msg("seed %llu, step %d: %s", (unsigned long long)seed, step, broken);
    }
    f->fake.connect_mode = FAKE_HANG; /* no new sockets while what is left ends */
    fixture_fini(f);
}

static void upstream__many_lives_keep_their_promises(void **state)
{
    struct life *life = test_malloc(sizeof(*life));
    const char *lives = getenv("CYC_TEST_LIVES"), *first = getenv("CYC_TEST_SEED");
    uint64_t seed = first != NULL ? strtoull(first, NULL, 10) : 0;
    uint64_t seed_end = seed + (lives != NULL ? strtoull(lives, NULL, 10) : LIFE_COUNT);
    (void)state;

    for (; seed < seed_end; seed++)
        life_run(life, seed);
    test_free(life);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(upstream__many_lives_keep_their_promises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
