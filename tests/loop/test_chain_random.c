/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Throws random sequences at the chain and checks the promises that must hold for all of them:
 *
 *   - hooks never nest; each head is shown once, in order, never after on_done
 *   - the response is shown to filters that saw the request only (the onion)
 *   - on_done once for each filter that was entered, and `finished` once
 *   - bodies come out as they went in, byte for byte, unless an answer cut them short
 *   - the end comes once and last, trailers with it and never without it
 *   - pressure is told in pairs and agrees with what waits
 *   - a routed request is aborted at most once, and only when a filter replied
 *   - no chunk is left over
 *
 * CYC_CHAIN_SEED and CYC_CHAIN_LIVES replay or lengthen the run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "filters/chain.h"
#include "tests/unit/filters/fixture.h"

#include <stdlib.h>

#define FILTER_COUNT 5
#define LIFE_COUNT 40000
#define STEP_COUNT 60
#define HIGH_BYTES 200

/** One direction as the two ends see it. Bytes are a running number, so any loss or swap shows. */
struct flow {
    uint8_t next_in, next_out;
    uint64_t bytes_in, bytes_out;
    bool has_head, is_over; /* pushed */
    bool has_trailers_in, has_trailers_out;
    int head_count, end_count; /* came out */
    bool is_high;
};

struct filter_seen {
    int req_head, res_head, done;
    bool req_end, res_end;
};

static struct {
    struct fixture f;
    struct cyc_rng rng;
    struct cyc_chain chain;
    int depth;
    struct filter_seen seen[FILTER_COUNT];
    struct flow flows[2];
    struct cyc_msg trailers, reply;
    int abort_count, finished_count;
    bool has_replied, was_early;
    uint64_t reply_bytes;
} t;

static uint32_t rng_below(uint32_t n)
{
    return (uint32_t)cyc_rng_below(&t.rng, n);
}

static void body_fill(struct cyc_buf *body, struct flow *flow, uint32_t bytes)
{
    cyc_buf_init(body, &t.f.pool);
    for (uint32_t i = 0; i < bytes; i++) {
        char byte = (char)flow->next_in++;
        cyc_buf_append(body, cyc_span_of(&byte, 1));
    }
    flow->bytes_in += bytes;
}

static void reply_make(struct cyc_filter_call *call)
{
    struct cyc_buf body;
    bool is_late = t.flows[CYC_DIR_RESPONSE].head_count > 0, was_replied = t.chain.is_replied;

    cyc_buf_init(&body, &t.f.pool);
    uint32_t bytes = rng_below(3) == 0 ? 0 : rng_below(30);
    for (uint32_t i = 0; i < bytes; i++)
        cyc_buf_append(&body, CYC_SPAN("R"));
    cyc_msg_init(&t.reply, &t.f.arena, 1);
    t.reply.status = 500;
    t.has_replied = true;
    cyc_chain_reply(call, &t.reply, &body);
    assert_int_equal(body.bytes, 0);
    if (is_late && !was_replied)
        assert_false(t.chain.is_replied); /* what has left cannot be replaced */
}

static enum cyc_filter_result decide(struct cyc_filter_call *call, enum cyc_filter_dir dir)
{
    switch (rng_below(14)) {
    case 0:
    case 1:
        return CYC_FILTER_PAUSE;
    case 2:
        cyc_chain_resume(call, dir);
        return CYC_FILTER_PAUSE;
    case 3:
        if (rng_below(4) != 0)
            return CYC_FILTER_CONTINUE;
        reply_make(call);
        return CYC_FILTER_REPLIED;
    case 4:
        if (rng_below(8) == 0)
            cyc_chain_finish(&t.chain); /* the client vanished in the middle of a hook */
        return CYC_FILTER_CONTINUE;
    case 5:
        cyc_chain_resume(&t.chain.slots[rng_below(t.chain.slot_count)].call,
                         (enum cyc_filter_dir)rng_below(2));
        return CYC_FILTER_CONTINUE;
    default:
        return CYC_FILTER_CONTINUE;
    }
}

static enum cyc_filter_result hook(struct cyc_filter_call *call, enum cyc_filter_dir dir)
{
    assert_int_equal(t.depth, 0);
    t.depth++;
    assert_int_equal(t.seen[call->index].done, 0);
    enum cyc_filter_result result = decide(call, dir);
    t.depth--;
    return result;
}

static enum cyc_filter_result on_req_head(struct cyc_filter_call *call, struct cyc_msg *req)
{
    assert_ptr_equal(req, &t.f.req);
    for (uint32_t i = 0; i < call->index; i++)
        if (t.chain.slots[i].vt->on_req_head != NULL)
            assert_int_equal(t.seen[i].req_head, 1); /* in order */
    assert_int_equal(++t.seen[call->index].req_head, 1);
    return hook(call, CYC_DIR_REQUEST);
}

static enum cyc_filter_result on_req_body(struct cyc_filter_call *call, struct cyc_buf *body,
                                          bool is_end)
{
    struct filter_seen *seen = &t.seen[call->index];
    assert_int_equal(seen->req_head, 1);
    assert_true(body->bytes > 0 || is_end);
    seen->req_end = is_end;
    return hook(call, CYC_DIR_REQUEST);
}

static enum cyc_filter_result on_res_head(struct cyc_filter_call *call, struct cyc_msg *res)
{
    struct filter_seen *seen = &t.seen[call->index];
    assert_true(res == &t.f.res || res == &t.reply);
    assert_int_equal(seen->req_head, 1); /* onion: only those the request went through */
    assert_int_equal(++seen->res_head, 1);
    return hook(call, CYC_DIR_RESPONSE);
}

static enum cyc_filter_result on_res_body(struct cyc_filter_call *call, struct cyc_buf *body,
                                          bool is_end)
{
    struct filter_seen *seen = &t.seen[call->index];
    assert_int_equal(seen->res_head, 1);
    assert_true(body->bytes > 0 || is_end);
    seen->res_end = is_end;
    return hook(call, CYC_DIR_RESPONSE);
}

static void on_done(struct cyc_filter_call *call)
{
    assert_int_equal(t.depth, 0);
    assert_int_equal(++t.seen[call->index].done, 1);
    assert_int_equal(t.finished_count, 0);
}

static const struct cyc_filter_vt random_vts[] = {
    {"random", 24, on_req_head, on_req_body, on_res_head, on_res_body, on_done},
    {"random_heads", 0, on_req_head, NULL, on_res_head, NULL, on_done},
    {"random_request", 8, on_req_head, on_req_body, NULL, NULL, on_done},
    {"random_done", 0, NULL, NULL, NULL, NULL, on_done},
};

static void flow_check(struct flow *flow, struct cyc_buf *body, bool is_end,
                       const struct cyc_msg *trailers)
{
    char bytes[1024];
    bool is_reply = flow == &t.flows[CYC_DIR_RESPONSE] && t.chain.is_replied;

    assert_int_equal(flow->head_count, 1);
    assert_int_equal(flow->end_count, 0);
    size_t len = cyc_buf_peek(body, bytes, sizeof(bytes));
    assert_true(body->bytes > 0 || is_end);
    for (size_t left = body->bytes; left > 0; left -= len) {
        len = cyc_buf_peek(body, bytes, sizeof(bytes));
        for (size_t i = 0; i < len; i++)
            assert_int_equal((uint8_t)bytes[i], is_reply ? 'R' : flow->next_out++);
        cyc_buf_drop(body, len);
    }
    if (!is_reply)
        flow->bytes_out = flow->next_out; /* modulo 256, compared with bytes_in likewise */
    assert_true(trailers == NULL || is_end);
    flow->has_trailers_out = trailers != NULL;
    flow->end_count += is_end;
}

static void end_request_head(void *owner, struct cyc_msg *req, bool is_end)
{
    (void)owner;
    assert_ptr_equal(req, &t.f.req);
    assert_int_equal(++t.flows[CYC_DIR_REQUEST].head_count, 1);
    t.flows[CYC_DIR_REQUEST].end_count += is_end;
    for (uint32_t i = 0; i < t.chain.slot_count; i++)
        if (t.chain.slots[i].vt->on_req_head != NULL)
            assert_int_equal(t.seen[i].req_head, 1);
}

static void end_request_body(void *owner, struct cyc_buf *body, bool is_end,
                             struct cyc_msg *trailers)
{
    (void)owner;
    flow_check(&t.flows[CYC_DIR_REQUEST], body, is_end, trailers);
}

static void maybe_finish(bool is_end)
{
    if (is_end && rng_below(4) != 0)
        cyc_chain_finish(&t.chain);
}

static void end_response_head(void *owner, struct cyc_msg *res, bool is_end)
{
    (void)owner;
    assert_ptr_equal(res, t.chain.is_replied ? &t.reply : &t.f.res);
    assert_int_equal(++t.flows[CYC_DIR_RESPONSE].head_count, 1);
    t.flows[CYC_DIR_RESPONSE].end_count += is_end;
    maybe_finish(is_end);
}

static void end_response_body(void *owner, struct cyc_buf *body, bool is_end,
                              struct cyc_msg *trailers)
{
    (void)owner;
    flow_check(&t.flows[CYC_DIR_RESPONSE], body, is_end, trailers);
    maybe_finish(is_end);
}

static void end_abort(void *owner)
{
    (void)owner;
    assert_int_equal(++t.abort_count, 1);
    assert_true(t.has_replied);
    assert_int_equal(t.flows[CYC_DIR_REQUEST].head_count, 1);
    if (!t.chain.is_replied)
        cyc_chain_finish(&t.chain); /* as chain.h asks of the owner */
}

static void end_pressure(void *owner, enum cyc_filter_dir dir, bool is_high)
{
    struct flow *flow = &t.flows[dir];
    (void)owner;
    assert_int_equal(t.depth, 0);
    assert_true(flow->is_high != is_high);
    flow->is_high = is_high;
    assert_true(is_high ? t.chain.waiting_bytes[dir] > HIGH_BYTES
                        : t.chain.waiting_bytes[dir] <= HIGH_BYTES / 2);
    assert_false(t.chain.is_finish_due);
}

static void end_finished(void *owner)
{
    (void)owner;
    assert_int_equal(++t.finished_count, 1);
}

static const struct cyc_chain_ends ends = {end_request_head,  end_request_body, end_response_head,
                                           end_response_body, end_abort,        end_pressure,
                                           end_finished};

static void push(enum cyc_filter_dir dir, struct cyc_msg *head)
{
    struct flow *flow = &t.flows[dir];
    struct cyc_buf body;

    body_fill(&body, flow, rng_below(3) == 0 ? 0 : rng_below(100));
    flow->is_over = rng_below(3) == 0;
    flow->has_trailers_in = flow->is_over && rng_below(4) == 0;
    bool has_head = flow->has_head;
    flow->has_head = true;
    (dir == CYC_DIR_REQUEST ? cyc_chain_push_request : cyc_chain_push_response)(
        &t.chain, has_head ? NULL : head, rng_below(2) || body.bytes > 0 ? &body : NULL,
        flow->is_over, flow->has_trailers_in ? &t.trailers : NULL);
    assert_int_equal(body.bytes, 0);
}

static void step(void)
{
    struct flow *req = &t.flows[CYC_DIR_REQUEST], *res = &t.flows[CYC_DIR_RESPONSE];
    uint32_t count = t.chain.slot_count;

    switch (rng_below(8)) {
    case 0:
    case 1:
    case 2:
        if (!req->is_over)
            push(CYC_DIR_REQUEST, &t.f.req);
        break;
    case 3:
    case 4:
        if (res->is_over || !req->has_head)
            break;
        if (req->head_count == 0) {
            if (rng_below(16) != 0)
                break;
            t.was_early = true; /* the owner gave up on it */
        }
        push(CYC_DIR_RESPONSE, &t.f.res);
        break;
    case 5:
        if (count > 0 && rng_below(40) == 0 && t.chain.entered_count > 0)
            reply_make(&t.chain.slots[rng_below(t.chain.entered_count)].call); /* a timer */
        break;
    default:
        if (count > 0)
            cyc_chain_resume(&t.chain.slots[rng_below(count)].call,
                             (enum cyc_filter_dir)rng_below(2));
    }
}

/** Releases everything that is held: then what went in must have come out. */
static void drain(void)
{
    for (int round = 0; round < 200 && !t.chain.is_finished; round++)
        for (uint32_t i = 0; i < t.chain.slot_count && !t.chain.is_finished; i++) {
            cyc_chain_resume(&t.chain.slots[i].call, CYC_DIR_REQUEST);
            if (!t.chain.is_finished)
                cyc_chain_resume(&t.chain.slots[i].call, CYC_DIR_RESPONSE);
        }
}

static void flow_check_whole(const struct flow *flow)
{
    assert_int_equal((uint8_t)flow->bytes_in, (uint8_t)flow->bytes_out);
    assert_int_equal(flow->head_count, flow->has_head);
    assert_int_equal(flow->end_count, flow->is_over);
    assert_int_equal(flow->has_trailers_in, flow->has_trailers_out);
    assert_false(flow->is_high);
}

static void life_check(void)
{
    const struct cyc_chain *chain = &t.chain;

    if (!chain->is_finished) {
        drain();
        if (!chain->is_finished && !t.has_replied && !t.was_early) {
            flow_check_whole(&t.flows[CYC_DIR_REQUEST]);
            flow_check_whole(&t.flows[CYC_DIR_RESPONSE]);
        }
        if (!chain->is_finished && chain->is_replied)
            assert_int_equal(t.flows[CYC_DIR_RESPONSE].end_count, 1); /* a reply is whole */
    }
    cyc_chain_finish(&t.chain);
    assert_int_equal(t.finished_count, 1);
    for (uint32_t i = 0; i < chain->slot_count; i++) {
        bool is_entered = i < chain->entered_count;
        assert_int_equal(t.seen[i].done, is_entered);
        if (chain->slots[i].vt->on_req_head != NULL)
            assert_int_equal(t.seen[i].req_head, is_entered);
    }
    assert_int_equal(chain->waiting_bytes[0] + chain->waiting_bytes[1], 0);
}

static void life_run(void)
{
    struct cyc_chain_entry entries[FILTER_COUNT];
    uint32_t count = rng_below(FILTER_COUNT + 1);

    memset(t.seen, 0, sizeof(t.seen));
    memset(t.flows, 0, sizeof(t.flows));
    t.depth = t.abort_count = t.finished_count = 0;
    t.has_replied = t.was_early = false;
    t.f.exchange.res = NULL;
    for (uint32_t i = 0; i < count; i++)
        entries[i] = (struct cyc_chain_entry){.vt = &random_vts[rng_below(4)]};
    cyc_chain_init(&t.chain, entries, count, &t.f.exchange, &t.f.pool, &ends, &t, HIGH_BYTES);
    for (int i = 0; i < STEP_COUNT && !t.chain.is_finished; i++)
        step();
    life_check();
    cyc_arena_reset(&t.f.arena);
}

static uint64_t number_from(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 0) : fallback;
}

static void chain__promises_hold_for_random_lives(void **state)
{
    uint64_t seed = number_from("CYC_CHAIN_SEED", 1);
    uint64_t lives = number_from("CYC_CHAIN_LIVES", LIFE_COUNT);
    uint64_t replied = 0, completed = 0, aborted = 0, early = 0;
    (void)state;

    print_message("%llu lives from CYC_CHAIN_SEED=%llu\n", (unsigned long long)lives,
                  (unsigned long long)seed);
    fixture_init(&t.f);
    for (uint64_t life = 0; life < lives; life++) {
        cyc_rng_init(&t.rng, seed + life);
        life_run();
        replied += t.chain.is_replied;
        completed += t.flows[CYC_DIR_RESPONSE].end_count > 0;
        aborted += t.abort_count > 0;
        early += t.was_early;
    }
    fixture_fini(&t.f);
    print_message("replied %llu, completed %llu, aborted %llu, answered early %llu\n",
                  (unsigned long long)replied, (unsigned long long)completed,
                  (unsigned long long)aborted, (unsigned long long)early);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(chain__promises_hold_for_random_lives)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
