/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chain whose filters, ends and peers do anything they may, and the promises that must hold for
 * it:
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
 * The choices come from a seed (test_chain_random.c) or from bytes (fuzz_chain.c).
 */
#ifndef CYC_TESTS_LOOP_CHAIN_MODEL_H
#define CYC_TESTS_LOOP_CHAIN_MODEL_H

#include "base/assert.h"
#include "filters/chain.h"
#include "tests/unit/filters/fixture.h"

#include <stdio.h>
#include <stdlib.h>

#define FILTER_COUNT 5
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
    struct cyc_span choices; /* what is left of the fuzzer's input */
    struct cyc_rng rng;
    bool has_rng;
    uint64_t seed; /* of this life */
    struct cyc_chain chain;
    int depth;
    struct filter_seen seen[FILTER_COUNT];
    struct flow flows[2];
    struct cyc_msg trailers, reply;
    int abort_count, finished_count;
    bool has_replied, was_early;
    uint64_t reply_bytes;
} t;

#define check(c) (CYC_LIKELY(c) ? (void)0 : check_failed(#c, __LINE__))

_Noreturn static void check_failed(const char *what, int line)
{
    fprintf(stderr, "life %llu, line %d: %s\n", (unsigned long long)t.seed, line, what);
    abort();
}

/** A choice in [0, n): from the bytes of the fuzzer while there are some, else from the generator.
 */
static uint32_t choose(uint32_t n)
{
    if (t.choices.len == 0)
        return t.has_rng ? (uint32_t)cyc_rng_below(&t.rng, n) : n - 1;
    uint32_t choice = (uint8_t)t.choices.ptr[0] % n;
    t.choices.ptr++;
    t.choices.len--;
    return choice;
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
    uint32_t bytes = choose(3) == 0 ? 0 : choose(30);
    for (uint32_t i = 0; i < bytes; i++)
        cyc_buf_append(&body, CYC_SPAN("R"));
    cyc_msg_init(&t.reply, &t.f.arena, 1);
    t.reply.status = 500;
    t.has_replied = true;
    cyc_chain_reply(call, &t.reply, &body);
    check(body.bytes == 0);
    if (is_late && !was_replied)
        check(!t.chain.is_replied); /* what has left cannot be replaced */
}

static enum cyc_filter_result decide(struct cyc_filter_call *call, enum cyc_filter_dir dir)
{
    switch (choose(14)) {
    case 0:
    case 1:
        return CYC_FILTER_PAUSE;
    case 2:
        cyc_chain_resume(call, dir);
        return CYC_FILTER_PAUSE;
    case 3:
        if (choose(4) != 0)
            return CYC_FILTER_CONTINUE;
        reply_make(call);
        return CYC_FILTER_REPLIED;
    case 4:
        if (choose(8) == 0)
            cyc_chain_finish(&t.chain); /* the client vanished in the middle of a hook */
        return CYC_FILTER_CONTINUE;
    case 5:
        cyc_chain_resume(&t.chain.slots[choose(t.chain.slot_count)].call,
                         (enum cyc_filter_dir)choose(2));
        return CYC_FILTER_CONTINUE;
    default:
        return CYC_FILTER_CONTINUE;
    }
}

static enum cyc_filter_result hook(struct cyc_filter_call *call, enum cyc_filter_dir dir)
{
    check(t.depth == 0);
    t.depth++;
    check(t.seen[call->index].done == 0);
    enum cyc_filter_result result = decide(call, dir);
    t.depth--;
    return result;
}

static enum cyc_filter_result on_req_head(struct cyc_filter_call *call, struct cyc_msg *req)
{
    check(req == &t.f.req);
    for (uint32_t i = 0; i < call->index; i++)
        if (t.chain.slots[i].vt->on_req_head != NULL)
            check(t.seen[i].req_head == 1); /* in order */
    check(++t.seen[call->index].req_head == 1);
    return hook(call, CYC_DIR_REQUEST);
}

static enum cyc_filter_result on_req_body(struct cyc_filter_call *call, struct cyc_buf *body,
                                          bool is_end)
{
    struct filter_seen *seen = &t.seen[call->index];
    check(seen->req_head == 1);
    check(body->bytes > 0 || is_end);
    seen->req_end = is_end;
    return hook(call, CYC_DIR_REQUEST);
}

static enum cyc_filter_result on_res_head(struct cyc_filter_call *call, struct cyc_msg *res)
{
    struct filter_seen *seen = &t.seen[call->index];
    check(res == &t.f.res || res == &t.reply);
    check(seen->req_head == 1); /* onion: only those the request went through */
    check(++seen->res_head == 1);
    return hook(call, CYC_DIR_RESPONSE);
}

static enum cyc_filter_result on_res_body(struct cyc_filter_call *call, struct cyc_buf *body,
                                          bool is_end)
{
    struct filter_seen *seen = &t.seen[call->index];
    check(seen->res_head == 1);
    check(body->bytes > 0 || is_end);
    seen->res_end = is_end;
    return hook(call, CYC_DIR_RESPONSE);
}

static void on_done(struct cyc_filter_call *call)
{
    check(t.depth == 0);
    check(++t.seen[call->index].done == 1);
    check(t.finished_count == 0);
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

    check(flow->head_count == 1);
    check(flow->end_count == 0);
    size_t len = cyc_buf_peek(body, bytes, sizeof(bytes));
    check(body->bytes > 0 || is_end);
    for (size_t left = body->bytes; left > 0; left -= len) {
        len = cyc_buf_peek(body, bytes, sizeof(bytes));
        for (size_t i = 0; i < len; i++)
            check((uint8_t)bytes[i] == (is_reply ? 'R' : flow->next_out++));
        cyc_buf_drop(body, len);
    }
    if (!is_reply)
        flow->bytes_out = flow->next_out; /* modulo 256, compared with bytes_in likewise */
    check(trailers == NULL || is_end);
    flow->has_trailers_out = trailers != NULL;
    flow->end_count += is_end;
}

static void end_request_head(void *owner, struct cyc_msg *req, bool is_end)
{
    (void)owner;
    check(req == &t.f.req);
    check(++t.flows[CYC_DIR_REQUEST].head_count == 1);
    t.flows[CYC_DIR_REQUEST].end_count += is_end;
    for (uint32_t i = 0; i < t.chain.slot_count; i++)
        if (t.chain.slots[i].vt->on_req_head != NULL)
            check(t.seen[i].req_head == 1);
}

static void end_request_body(void *owner, struct cyc_buf *body, bool is_end,
                             struct cyc_msg *trailers)
{
    (void)owner;
    flow_check(&t.flows[CYC_DIR_REQUEST], body, is_end, trailers);
}

static void maybe_finish(bool is_end)
{
    if (is_end && choose(4) != 0)
        cyc_chain_finish(&t.chain);
}

static void end_response_head(void *owner, struct cyc_msg *res, bool is_end)
{
    (void)owner;
    check(res == (t.chain.is_replied ? &t.reply : &t.f.res));
    check(++t.flows[CYC_DIR_RESPONSE].head_count == 1);
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
    check(++t.abort_count == 1);
    check(t.has_replied);
    check(t.flows[CYC_DIR_REQUEST].head_count == 1);
    if (!t.chain.is_replied)
        cyc_chain_finish(&t.chain); /* as chain.h asks of the owner */
}

static void end_pressure(void *owner, enum cyc_filter_dir dir, bool is_high)
{
    struct flow *flow = &t.flows[dir];
    (void)owner;
    check(t.depth == 0);
    check(flow->is_high != is_high);
    flow->is_high = is_high;
    check(is_high ? t.chain.waiting_bytes[dir] > HIGH_BYTES
                  : t.chain.waiting_bytes[dir] <= HIGH_BYTES / 2);
    check(!t.chain.is_finish_due);
}

static void end_finished(void *owner)
{
    (void)owner;
    check(++t.finished_count == 1);
}

static const struct cyc_chain_ends ends = {end_request_head,  end_request_body, end_response_head,
                                           end_response_body, end_abort,        end_pressure,
                                           end_finished};

static void push(enum cyc_filter_dir dir, struct cyc_msg *head)
{
    struct flow *flow = &t.flows[dir];
    struct cyc_buf body;

    body_fill(&body, flow, choose(3) == 0 ? 0 : choose(100));
    flow->is_over = choose(3) == 0;
    flow->has_trailers_in = flow->is_over && choose(4) == 0;
    bool has_head = flow->has_head;
    flow->has_head = true;
    (dir == CYC_DIR_REQUEST ? cyc_chain_push_request : cyc_chain_push_response)(
        &t.chain, has_head ? NULL : head, choose(2) || body.bytes > 0 ? &body : NULL, flow->is_over,
        flow->has_trailers_in ? &t.trailers : NULL);
    check(body.bytes == 0);
}

static void push_some_request(void)
{
    if (!t.flows[CYC_DIR_REQUEST].is_over)
        push(CYC_DIR_REQUEST, &t.f.req);
}

static void push_some_response(void)
{
    const struct flow *req = &t.flows[CYC_DIR_REQUEST], *res = &t.flows[CYC_DIR_RESPONSE];

    if (res->is_over || !req->has_head)
        return;
    if (req->head_count == 0) {
        if (choose(16) != 0)
            return;
        t.was_early = true; /* the owner gave up on it */
    }
    push(CYC_DIR_RESPONSE, &t.f.res);
}

static void step(void)
{
    uint32_t count = t.chain.slot_count, kind = choose(8);

    if (kind < 3)
        push_some_request();
    else if (kind < 5)
        push_some_response();
    else if (count == 0)
        return;
    else if (kind > 5)
        cyc_chain_resume(&t.chain.slots[choose(count)].call, (enum cyc_filter_dir)choose(2));
    else if (choose(40) == 0 && t.chain.entered_count > 0) /* a timer */
        reply_make(&t.chain.slots[choose(t.chain.entered_count)].call);
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
    check((uint8_t)flow->bytes_in == (uint8_t)flow->bytes_out);
    check(flow->head_count == flow->has_head);
    check(flow->end_count == flow->is_over);
    check(flow->has_trailers_in == flow->has_trailers_out);
    check(!flow->is_high);
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
            check(t.flows[CYC_DIR_RESPONSE].end_count == 1); /* a reply is whole */
    }
    cyc_chain_finish(&t.chain);
    check(t.finished_count == 1);
    for (uint32_t i = 0; i < chain->slot_count; i++) {
        bool is_entered = i < chain->entered_count;
        check(t.seen[i].done == is_entered);
        if (chain->slots[i].vt->on_req_head != NULL)
            check(t.seen[i].req_head == is_entered);
    }
    check(chain->waiting_bytes[0] + chain->waiting_bytes[1] == 0);
}

/** One exchange from beginning to end, whatever happens in it. The fixture must be there. */
static void life_run(void)
{
    struct cyc_chain_entry entries[FILTER_COUNT];
    uint32_t count = choose(FILTER_COUNT + 1);

    memset(t.seen, 0, sizeof(t.seen));
    memset(t.flows, 0, sizeof(t.flows));
    t.depth = t.abort_count = t.finished_count = 0;
    t.has_replied = t.was_early = false;
    t.f.exchange.res = NULL;
    for (uint32_t i = 0; i < count; i++)
        entries[i] = (struct cyc_chain_entry){.vt = &random_vts[choose(4)]};
    cyc_chain_init(&t.chain, &(struct cyc_chain_setup){.entries = entries,
                                                       .entry_count = count,
                                                       .exchange = &t.f.exchange,
                                                       .pool = &t.f.pool,
                                                       .ends = &ends,
                                                       .owner = &t,
                                                       .high_bytes = HIGH_BYTES});
    for (int i = 0; i < STEP_COUNT && !t.chain.is_finished; i++)
        step();
    life_check();
    cyc_arena_reset(&t.f.arena);
}

#endif
