/* SPDX-License-Identifier: Apache-2.0 */
/* The filter chain's promises, one test each. The filters here write what they see into a log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "filters/chain.h"
#include "tests/unit/filters/fixture.h"

#include <stdio.h>

#define HIGH_BYTES 64

struct probe_conf {
    char mark;
    enum cyc_filter_result on_head;
    uint16_t reply_status; /* when on_head or on_res_head is REPLIED */
    enum cyc_filter_result on_res_head;
    enum cyc_filter_result on_res_body;
    bool is_resumed_inside;
    bool is_collecting; /* pause the request body until its end */
    bool is_swallowing; /* take the request body away */
    bool is_finishing;  /* end it all in on_req_head */
};

struct probe_state {
    uint64_t count; /* of hooks that ran: starts at zero */
};

static struct {
    struct fixture f;
    char log[512];
    int hook_depth;
    struct cyc_chain chain;
    struct cyc_msg reply;
    int abort_count, finished_count;
    bool has_finished_at_response_end;
} t;

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
    size_t used = strlen(t.log);
    va_list args;
    va_start(args, format);
    vsnprintf(t.log + used, sizeof(t.log) - used, format, args);
    va_end(args);
}

static void reply_of(struct cyc_filter_call *call, uint16_t status, const char *body)
{
    struct cyc_buf buf;
    cyc_buf_init(&buf, &t.f.pool);
    cyc_buf_append(&buf, cyc_span_from_text(body));
    cyc_msg_init(&t.reply, &t.f.arena, 2);
    t.reply.status = status;
    cyc_chain_reply(call, &t.reply, &buf);
    assert_int_equal(buf.bytes, 0); /* taken */
}

static const struct probe_conf *enter(struct cyc_filter_call *call)
{
    struct probe_state *state = call->state;
    assert_int_equal(t.hook_depth++, 0); /* never nested */
    assert_ptr_equal(call->exchange, &t.f.exchange);
    assert_true(state->count < 100); /* it was zeroed */
    state->count++;
    return call->conf;
}

static enum cyc_filter_result leave(enum cyc_filter_result result)
{
    t.hook_depth--;
    return result;
}

static enum cyc_filter_result probe_req_head(struct cyc_filter_call *call, struct cyc_msg *req)
{
    const struct probe_conf *conf = enter(call);
    assert_ptr_equal(req, &t.f.req);
    note("q%c ", conf->mark);
    if (conf->is_resumed_inside)
        cyc_chain_resume(call, CYC_DIR_REQUEST);
    if (conf->is_finishing)
        cyc_chain_finish(call->chain);
    if (conf->on_head == CYC_FILTER_REPLIED)
        reply_of(call, conf->reply_status, "abc");
    return leave(conf->on_head);
}

static enum cyc_filter_result probe_req_body(struct cyc_filter_call *call, struct cyc_buf *body,
                                             bool is_end)
{
    const struct probe_conf *conf = enter(call);
    note("b%zu%s%c ", body->bytes, is_end ? "." : "", conf->mark);
    if (conf->is_swallowing)
        cyc_buf_clear(body);
    return leave(conf->is_collecting && !is_end ? CYC_FILTER_PAUSE : CYC_FILTER_CONTINUE);
}

static enum cyc_filter_result probe_res_head(struct cyc_filter_call *call, struct cyc_msg *res)
{
    const struct probe_conf *conf = enter(call);
    assert_true(res->status > 0);
    note("s%c ", conf->mark);
    if (conf->on_res_head == CYC_FILTER_REPLIED)
        reply_of(call, conf->reply_status, "");
    return leave(conf->on_res_head);
}

static enum cyc_filter_result probe_res_body(struct cyc_filter_call *call, struct cyc_buf *body,
                                             bool is_end)
{
    const struct probe_conf *conf = enter(call);
    note("r%zu%s%c ", body->bytes, is_end ? "." : "", conf->mark);
    if (conf->on_res_body == CYC_FILTER_REPLIED)
        reply_of(call, conf->reply_status, "late");
    return leave(conf->on_res_body);
}

static void probe_done(struct cyc_filter_call *call)
{
    note("d%c ", ((const struct probe_conf *)call->conf)->mark);
}

/** Sees the request's body and the heads. */
static const struct cyc_filter_vt probe_vt = {
    .name = "probe",
    .state_bytes = sizeof(struct probe_state),
    .on_req_head = probe_req_head,
    .on_req_body = probe_req_body,
    .on_res_head = probe_res_head,
    .on_done = probe_done,
};

static const struct cyc_filter_vt head_vt = {
    .name = "head",
    .state_bytes = sizeof(struct probe_state),
    .on_req_head = probe_req_head,
    .on_res_head = probe_res_head,
    .on_done = probe_done,
};

static const struct cyc_filter_vt full_vt = {
    .name = "full",
    .state_bytes = sizeof(struct probe_state),
    .on_req_head = probe_req_head,
    .on_req_body = probe_req_body,
    .on_res_head = probe_res_head,
    .on_res_body = probe_res_body,
    .on_done = probe_done,
};

static const struct cyc_filter_vt done_vt = {.name = "done", .on_done = probe_done};

static void take(const char *name, struct cyc_buf *body, bool is_end, struct cyc_msg *trailers)
{
    note("%s%zu%s%s ", name, body->bytes, is_end ? "." : "", trailers != NULL ? "t" : "");
    cyc_buf_clear(body);
}

static void end_request_head(void *owner, struct cyc_msg *req, bool is_end)
{
    assert_ptr_equal(owner, &t);
    assert_ptr_equal(req, &t.f.req);
    note("ROUTE%s ", is_end ? "." : "");
}

static void end_request_body(void *owner, struct cyc_buf *body, bool is_end,
                             struct cyc_msg *trailers)
{
    assert_ptr_equal(owner, &t);
    take("UP", body, is_end, trailers);
}

static void end_response_head(void *owner, struct cyc_msg *res, bool is_end)
{
    assert_ptr_equal(owner, &t);
    note("OUT%u%s ", (unsigned)res->status, is_end ? "." : "");
    if (is_end && t.has_finished_at_response_end)
        cyc_chain_finish(&t.chain);
}

static void end_response_body(void *owner, struct cyc_buf *body, bool is_end,
                              struct cyc_msg *trailers)
{
    assert_ptr_equal(owner, &t);
    take("DOWN", body, is_end, trailers);
    if (is_end && t.has_finished_at_response_end)
        cyc_chain_finish(&t.chain); /* from inside the run loop, as the product does */
}

static void end_abort(void *owner)
{
    assert_ptr_equal(owner, &t);
    t.abort_count++;
}

static void end_pressure(void *owner, enum cyc_filter_dir dir, bool is_high)
{
    assert_ptr_equal(owner, &t);
    note("%s%s ", is_high ? "HIGH" : "LOW", dir == CYC_DIR_REQUEST ? "q" : "s");
}

static void end_finished(void *owner)
{
    assert_ptr_equal(owner, &t);
    t.finished_count++;
}

static const struct cyc_chain_ends ends = {
    .request_head = end_request_head,
    .request_body = end_request_body,
    .response_head = end_response_head,
    .response_body = end_response_body,
    .abort_request = end_abort,
    .pressure = end_pressure,
    .finished = end_finished,
};

static void chain_of_vts(const struct cyc_filter_vt *const *vts, const struct probe_conf *confs,
                         uint32_t count)
{
    struct cyc_chain_entry entries[CYC_CHAIN_FILTER_COUNT_MAX];
    memset(&t, 0, sizeof(t));
    fixture_init(&t.f);
    t.has_finished_at_response_end = true;
    for (uint32_t i = 0; i < count; i++)
        entries[i] = (struct cyc_chain_entry){.vt = vts[i], .conf = &confs[i]};
    cyc_chain_init(&t.chain, &(struct cyc_chain_setup){.entries = entries,
                                                       .entry_count = count,
                                                       .exchange = &t.f.exchange,
                                                       .pool = &t.f.pool,
                                                       .ends = &ends,
                                                       .owner = &t,
                                                       .high_bytes = HIGH_BYTES});
}

static void chain_of(const struct cyc_filter_vt *vt, const struct probe_conf *confs, uint32_t count)
{
    const struct cyc_filter_vt *vts[CYC_CHAIN_FILTER_COUNT_MAX];
    for (uint32_t i = 0; i < count; i++)
        vts[i] = vt;
    chain_of_vts(vts, confs, count);
}

static void push(enum cyc_filter_dir dir, struct cyc_msg *head, size_t bytes, bool is_end)
{
    struct cyc_buf body;
    cyc_buf_init(&body, &t.f.pool);
    for (size_t i = 0; i < bytes; i++)
        cyc_buf_append(&body, CYC_SPAN("x"));
    if (dir == CYC_DIR_REQUEST)
        cyc_chain_push_request(&t.chain, head, bytes > 0 ? &body : NULL, is_end, NULL);
    else
        cyc_chain_push_response(&t.chain, head, bytes > 0 ? &body : NULL, is_end, NULL);
    assert_int_equal(body.bytes, 0); /* taken */
}

static void push_req(bool has_head, size_t bytes, bool is_end)
{
    push(CYC_DIR_REQUEST, has_head ? &t.f.req : NULL, bytes, is_end);
}

static void push_res(bool has_head, size_t bytes, bool is_end)
{
    push(CYC_DIR_RESPONSE, has_head ? &t.f.res : NULL, bytes, is_end);
}

static void resume(uint32_t i, enum cyc_filter_dir dir)
{
    cyc_chain_resume(&t.chain.slots[i].call, dir);
}

/** Compares the log and ends the life. */
static void expect(const char *log)
{
    cyc_chain_finish(&t.chain);
    assert_string_equal(t.log, log);
    assert_int_equal(t.finished_count, 1);
    fixture_fini(&t.f); /* no chunk may be left */
}

static void chain__request_first_to_last_response_last_to_first(void **state)
{
    (void)state;
    const struct probe_conf confs[] = {{.mark = '0'}, {.mark = '1'}, {.mark = '2'}};
    chain_of(&probe_vt, confs, 3);
    push_req(true, 0, false);
    push_req(false, 5, true);
    push_res(true, 9, true);
    expect("q0 q1 q2 ROUTE b5.0 b5.1 b5.2 UP5. s2 s1 s0 OUT200 DOWN9. d2 d1 d0 ");
}

static void chain__head_that_is_all_leaves_as_one(void **state)
{
    (void)state;
    const struct probe_conf confs[] = {{.mark = '0'}, {.mark = '1'}, {.mark = '2'}};
    chain_of(&head_vt, confs, 3);
    push_req(true, 0, true);
    push_res(true, 0, true);
    expect("q0 q1 q2 ROUTE. s2 s1 s0 OUT200. d2 d1 d0 ");

    const struct probe_conf with_body[] = {{.mark = '0'}, {.mark = '1'}};
    chain_of(&probe_vt, with_body, 2); /* body hooks still see the end, once */
    push_req(true, 0, true);
    expect("q0 b0.0 q1 b0.1 ROUTE. d1 d0 ");
}

static void chain__no_filter_at_all(void **state)
{
    (void)state;
    chain_of(&probe_vt, NULL, 0);
    push_req(true, 4, false);
    push_req(false, 6, true);
    push_res(true, 0, false);
    push_res(false, 7, true);
    expect("ROUTE UP4 UP6. OUT200 DOWN7. ");

    chain_of(&probe_vt, NULL, 0);
    push_req(true, 0, true);
    push_res(true, 0, true);
    expect("ROUTE. OUT200. ");
}

static void chain__filters_without_hooks_only_get_done(void **state)
{
    (void)state;
    const struct probe_conf confs[] = {{.mark = '0'}, {.mark = '1'}, {.mark = '2'}};
    const struct cyc_filter_vt *vts[] = {&done_vt, &head_vt, &done_vt};
    chain_of_vts(vts, confs, 3);
    push_req(true, 3, true);
    push_res(true, 9, true);
    expect("q1 ROUTE UP3. s1 OUT200 DOWN9. d2 d1 d0 ");
}

static void chain__pause_at_head_holds_the_body_behind_it(void **state)
{
    (void)state;
    const struct probe_conf confs[] = {{.mark = '0'}, {.mark = '1', .on_head = CYC_FILTER_PAUSE}};
    chain_of(&probe_vt, confs, 2);
    push_req(true, 0, false);
    push_req(false, 4, false);
    push_req(false, 6, true);
    assert_string_equal(t.log, "q0 q1 b40 b6.0 ");
    resume(1, CYC_DIR_REQUEST);
    expect("q0 q1 b40 b6.0 ROUTE b10.1 UP10. d1 d0 ");

    chain_of(&head_vt, confs, 2); /* the same for a filter that has no body hook */
    push_req(true, 4, false);
    push_req(false, 6, true);
    resume(1, CYC_DIR_REQUEST);
    expect("q0 q1 ROUTE UP10. d1 d0 ");
}

static void chain__pause_at_head_that_is_all(void **state)
{
    (void)state;
    const struct probe_conf confs[] = {{.mark = '0', .on_head = CYC_FILTER_PAUSE}, {.mark = '1'}};
    chain_of(&probe_vt, confs, 2);
    push_req(true, 0, true);
    assert_string_equal(t.log, "q0 ");
    resume(0, CYC_DIR_REQUEST);
    expect("q0 b0.0 q1 b0.1 ROUTE. d1 d0 ");
}

static void chain__resume_inside_the_hook_is_not_reentrant(void **state)
{
    (void)state;
    const struct probe_conf confs[] = {
        {.mark = '0', .on_head = CYC_FILTER_PAUSE, .is_resumed_inside = true}, {.mark = '1'}};
    chain_of(&probe_vt, confs, 2);
    push_req(true, 0, true);
    expect("q0 b0.0 q1 b0.1 ROUTE. d1 d0 ");
}

static void chain__resume_without_pause_changes_nothing(void **state)
{
    (void)state;
    const struct probe_conf confs[] = {{.mark = '0'}, {.mark = '1', .is_collecting = true}};
    chain_of(&probe_vt, confs, 2);
    push_req(true, 0, false);
    resume(0, CYC_DIR_REQUEST);
    resume(1, CYC_DIR_RESPONSE);
    push_req(false, 3, false);
    resume(1, CYC_DIR_REQUEST); /* what was shown goes on, what comes later is held again */
    push_req(false, 4, false);
    push_req(false, 0, true);
    expect("q0 q1 ROUTE b30 b31 UP3 b40 b41 b0.0 b4.1 UP4. d1 d0 ");
}

static void chain__reply_is_seen_by_outer_filters_only(void **state)
{
    (void)state;
    const struct probe_conf confs[] = {
        {.mark = '0'},
        {.mark = '1', .on_head = CYC_FILTER_REPLIED, .reply_status = 429},
        {.mark = '2'}};
    chain_of(&probe_vt, confs, 3);
    push_req(true, 0, false);
    assert_string_equal(t.log, "q0 q1 s0 OUT429 DOWN3. d1 d0 ");
    assert_true(t.f.exchange.is_local);
    assert_ptr_equal(t.f.exchange.res, &t.reply);
    assert_int_equal(t.abort_count, 0);
    push_req(false, 7, true); /* late body is drained quietly */
    expect("q0 q1 s0 OUT429 DOWN3. d1 d0 ");
}

static void chain__outer_filters_drain_the_body_of_a_refused_request(void **state)
{
    (void)state;
    const struct probe_conf confs[] = {
        {.mark = '0'}, {.mark = '1', .on_head = CYC_FILTER_REPLIED, .reply_status = 429}};
    chain_of(&probe_vt, confs, 2);
    t.has_finished_at_response_end = false;
    push_req(true, 5, false);
    push_req(false, 7, true);
    expect("q0 q1 s0 OUT429 DOWN3. b50 b7.0 d1 d0 ");
}

static void chain__reply_by_the_first_filter(void **state)
{
    (void)state;
    const struct probe_conf confs[] = {
        {.mark = '0', .on_head = CYC_FILTER_REPLIED, .reply_status = 403}, {.mark = '1'}};
    chain_of(&probe_vt, confs, 2);
    push_req(true, 5, true);
    expect("q0 OUT403 DOWN3. d0 ");
}

static void chain__late_reply_aborts_the_routed_request_once(void **state)
{
    (void)state;
    const struct probe_conf confs[] = {{.mark = '0'}, {.mark = '1'}};
    chain_of(&probe_vt, confs, 2);
    push_req(true, 0, true);
    reply_of(&t.chain.slots[1].call, 504, ""); /* as a timeout would */
    assert_int_equal(t.abort_count, 1);
    assert_true(t.chain.is_replied);
    push_res(true, 9, true); /* upstream lost the race */
    expect("q0 b0.0 q1 b0.1 ROUTE. s0 OUT504. d1 d0 ");
}

static void chain__reply_replaces_a_response_that_has_not_passed(void **state)
{
    (void)state;
    const struct probe_conf confs[] = {
        {.mark = '0'},
        {.mark = '1', .on_res_head = CYC_FILTER_REPLIED, .reply_status = 502},
        {.mark = '2'}};
    chain_of(&full_vt, confs, 3);
    push_req(true, 0, true);
    push_res(true, 20, true);
    assert_int_equal(t.abort_count, 1);
    expect("q0 b0.0 q1 b0.1 q2 b0.2 ROUTE. s2 s1 s0 r0.0 OUT502. d2 d1 d0 ");
}

static void chain__reply_after_the_response_has_passed_cuts_it_short(void **state)
{
    (void)state;
    const struct probe_conf confs[] = {
        {.mark = '0'}, {.mark = '1', .on_res_body = CYC_FILTER_REPLIED, .reply_status = 500}};
    chain_of(&full_vt, confs, 2);
    push_req(true, 0, true);
    push_res(true, 20, false);
    assert_int_equal(t.abort_count, 1);
    assert_false(t.chain.is_replied); /* tells the owner that nothing more comes */
    push_res(false, 30, true);
    expect("q0 b0.0 q1 b0.1 ROUTE. s1 s0 OUT200 r201 d1 d0 ");
}

static void chain__outer_reply_wins_over_an_inner_one_on_its_way(void **state)
{
    (void)state;
    const struct probe_conf confs[] = {
        {.mark = '0'},
        {.mark = '1', .on_res_head = CYC_FILTER_PAUSE},
        {.mark = '2', .on_head = CYC_FILTER_REPLIED, .reply_status = 429}};
    chain_of(&head_vt, confs, 3);
    push_req(true, 0, true);
    assert_string_equal(t.log, "q0 q1 q2 s1 "); /* the inner one is held at 1 */
    reply_of(&t.chain.slots[1].call, 504, "");
    reply_of(&t.chain.slots[2].call, 500, ""); /* out of the game */
    assert_int_equal(t.abort_count, 0);
    expect("q0 q1 q2 s1 s0 OUT504. d2 d1 d0 ");
}

static void chain__owner_may_answer_before_the_request_has_left(void **state)
{
    (void)state;
    const struct probe_conf confs[] = {
        {.mark = '0'}, {.mark = '1', .on_head = CYC_FILTER_PAUSE}, {.mark = '2'}};
    chain_of(&probe_vt, confs, 3);
    t.has_finished_at_response_end = false;
    push_req(true, 8, false);
    push_res(true, 4, true); /* filter 2 has not seen the request: it does not see the answer */
    resume(1, CYC_DIR_REQUEST);
    push_req(false, 8, true);
    expect("q0 q1 b80 s1 s0 OUT200 DOWN4. b8.0 d1 d0 ");
}

static void chain__collecting_filter_sees_the_body_grow(void **state)
{
    (void)state;
    const struct probe_conf confs[] = {{.mark = '0', .is_collecting = true}, {.mark = '1'}};
    chain_of(&probe_vt, confs, 2);
    push_req(true, 0, false);
    push_req(false, 2, false);
    push_req(false, 3, false);
    push_req(false, 0, true);
    expect("q0 q1 ROUTE b20 b50 b5.0 b5.1 UP5. d1 d0 ");
}

static void chain__filter_may_take_the_body_away(void **state)
{
    (void)state;
    const struct probe_conf confs[] = {{.mark = '0', .is_swallowing = true}, {.mark = '1'}};
    chain_of(&probe_vt, confs, 2);
    push_req(true, 2, false);
    push_req(false, 3, true);
    expect("q0 q1 ROUTE b20 b3.0 b0.1 UP0. d1 d0 ");
}

static void chain__trailers_ride_with_the_end(void **state)
{
    (void)state;
    const struct probe_conf confs[] = {{.mark = '0', .is_collecting = true}, {.mark = '1'}};
    struct cyc_msg trailers;
    chain_of(&probe_vt, confs, 2);
    push_req(true, 2, false);
    cyc_msg_init(&trailers, &t.f.arena, 1);
    cyc_chain_push_request(&t.chain, NULL, NULL, true, &trailers);
    cyc_chain_push_response(&t.chain, &t.f.res, NULL, true, &trailers);
    expect("q0 q1 ROUTE b20 b2.0 b2.1 UP2.t s1 s0 OUT200 DOWN0.t d1 d0 ");
}

static void chain__pressure_is_told_once_per_crossing(void **state)
{
    (void)state;
    const struct probe_conf confs[] = {{.mark = '0', .on_head = CYC_FILTER_PAUSE}};
    chain_of(&head_vt, confs, 1);
    push_req(true, 60, false);
    push_req(false, 5, false); /* 65 > 64 */
    push_req(false, 50, true);
    resume(0, CYC_DIR_REQUEST);
    expect("q0 HIGHq ROUTE UP115. LOWq d0 ");

    chain_of(&head_vt, confs, 1); /* what a reply drops no longer presses */
    push_req(true, 70, true);
    t.has_finished_at_response_end = false;
    reply_of(&t.chain.slots[0].call, 408, "");
    expect("q0 HIGHq OUT408. LOWq d0 ");
}

static void chain__finish_while_paused_owes_done_once(void **state)
{
    (void)state;
    const struct probe_conf confs[] = {
        {.mark = '0'}, {.mark = '1', .on_head = CYC_FILTER_PAUSE}, {.mark = '2'}};
    chain_of(&probe_vt, confs, 3);
    push_req(true, 20, true);
    cyc_chain_finish(&t.chain); /* client went away */
    cyc_chain_finish(&t.chain);
    resume(1, CYC_DIR_REQUEST);
    push_res(true, 4, true);
    expect("q0 q1 b20.0 d1 d0 ");
}

static void chain__finish_inside_a_hook_waits_for_its_return(void **state)
{
    (void)state;
    const struct probe_conf confs[] = {
        {.mark = '0'}, {.mark = '1', .is_finishing = true}, {.mark = '2'}};
    chain_of(&probe_vt, confs, 3);
    push_req(true, 20, true);
    assert_int_equal(t.finished_count, 1);
    expect("q0 q1 d1 d0 ");
}

static void chain__finish_before_anything_came(void **state)
{
    (void)state;
    const struct probe_conf confs[] = {{.mark = '0'}};
    chain_of(&probe_vt, confs, 1);
    expect("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chain__request_first_to_last_response_last_to_first),
        cmocka_unit_test(chain__head_that_is_all_leaves_as_one),
        cmocka_unit_test(chain__no_filter_at_all),
        cmocka_unit_test(chain__filters_without_hooks_only_get_done),
        cmocka_unit_test(chain__pause_at_head_holds_the_body_behind_it),
        cmocka_unit_test(chain__pause_at_head_that_is_all),
        cmocka_unit_test(chain__resume_inside_the_hook_is_not_reentrant),
        cmocka_unit_test(chain__resume_without_pause_changes_nothing),
        cmocka_unit_test(chain__reply_is_seen_by_outer_filters_only),
        cmocka_unit_test(chain__outer_filters_drain_the_body_of_a_refused_request),
        cmocka_unit_test(chain__reply_by_the_first_filter),
        cmocka_unit_test(chain__late_reply_aborts_the_routed_request_once),
        cmocka_unit_test(chain__reply_replaces_a_response_that_has_not_passed),
        cmocka_unit_test(chain__reply_after_the_response_has_passed_cuts_it_short),
        cmocka_unit_test(chain__outer_reply_wins_over_an_inner_one_on_its_way),
        cmocka_unit_test(chain__owner_may_answer_before_the_request_has_left),
        cmocka_unit_test(chain__collecting_filter_sees_the_body_grow),
        cmocka_unit_test(chain__filter_may_take_the_body_away),
        cmocka_unit_test(chain__trailers_ride_with_the_end),
        cmocka_unit_test(chain__pressure_is_told_once_per_crossing),
        cmocka_unit_test(chain__finish_while_paused_owes_done_once),
        cmocka_unit_test(chain__finish_inside_a_hook_waits_for_its_return),
        cmocka_unit_test(chain__finish_before_anything_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
