/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filters of docs/WRITING-A-FILTER.md, run. The last test reads the page and finds each of its
 * code blocks here, so what the page shows is what compiles.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "filters/chain.h"
#include "filters/reply.h"
#include "tests/unit/filters/fixture.h"

#include <stdio.h>

/* ---- upload_limit ---------------------------------------------------------------------------- */

/** What the configuration says, compiled: the same for all requests of a route. */
struct upload_limit_conf {
    uint64_t bytes_max;
};

/** What one request needs: zeroed when it begins, gone after on_done. */
struct upload_limit_state {
    uint64_t seen_bytes;
};

static enum cyc_filter_result upload_limit_refuse(struct cyc_filter_call *call)
{
    struct cyc_buf body;

    cyc_buf_init(&body, call->chain->pool);
    cyc_chain_reply(call, cyc_reply_fail(call->exchange, CYC_FAIL_BODY_TOO_LARGE, &body), &body);
    return CYC_FILTER_REPLIED;
}

static enum cyc_filter_result upload_limit_on_req_head(struct cyc_filter_call *call,
                                                       struct cyc_msg *req)
{
    const struct upload_limit_conf *conf = call->conf;

    if (req->body == CYC_BODY_LENGTH && req->body_bytes > conf->bytes_max)
        return upload_limit_refuse(call); /* no need to wait for it */
    return CYC_FILTER_CONTINUE;
}

static enum cyc_filter_result upload_limit_on_req_body(struct cyc_filter_call *call,
                                                       struct cyc_buf *body, bool is_end)
{
    const struct upload_limit_conf *conf = call->conf;
    struct upload_limit_state *state = call->state;
    (void)is_end;

    state->seen_bytes += body->bytes;
    return state->seen_bytes > conf->bytes_max ? upload_limit_refuse(call) : CYC_FILTER_CONTINUE;
}

static enum cyc_filter_result upload_limit_on_res_head(struct cyc_filter_call *call,
                                                       struct cyc_msg *res)
{
    const struct upload_limit_state *state = call->state;
    struct cyc_span seen =
        cyc_arena_format(call->exchange->arena, "%llu", (unsigned long long)state->seen_bytes);

    cyc_msg_add(res, CYC_TOKEN_OTHER, CYC_SPAN("X-Upload-Bytes"), seen);
    return CYC_FILTER_CONTINUE;
}

static const struct cyc_filter_vt upload_limit_filter = {
    .name = "upload_limit",
    .state_bytes = sizeof(struct upload_limit_state),
    .on_req_head = upload_limit_on_req_head,
    .on_req_body = upload_limit_on_req_body,
    .on_res_head = upload_limit_on_res_head,
};

/* ---- ask: one that waits --------------------------------------------------------------------- */

/** Somebody who answers later: a lookup, a timer, another service. */
struct question {
    void (*on_answer)(void *owner, bool is_allowed);
    void *owner; /* NULL: nobody asks */
};

struct ask_conf {
    struct question *question;
};

static void ask_on_answer(void *owner, bool is_allowed)
{
    struct cyc_filter_call *call = owner;
    struct cyc_buf body;

    if (is_allowed) {
        cyc_chain_resume(call, CYC_DIR_REQUEST);
        return;
    }
    cyc_buf_init(&body, call->chain->pool);
    cyc_chain_reply(call, cyc_reply_text(call->exchange, 403, CYC_SPAN("no\n"), &body), &body);
}

static enum cyc_filter_result ask_on_req_head(struct cyc_filter_call *call, struct cyc_msg *req)
{
    const struct ask_conf *conf = call->conf;
    (void)req;

    *conf->question = (struct question){ask_on_answer, call};
    return CYC_FILTER_PAUSE; /* the request, with all that arrives of its body, waits here */
}

static void ask_on_done(struct cyc_filter_call *call)
{
    const struct ask_conf *conf = call->conf;

    if (conf->question->owner == call) /* the client left first: nobody may answer any more */
        conf->question->owner = NULL;
}

static const struct cyc_filter_vt ask_filter = {
    .name = "ask",
    .on_req_head = ask_on_req_head,
    .on_done = ask_on_done,
};

/* ---- running them ---------------------------------------------------------------------------- */

static struct {
    struct fixture f;
    struct cyc_chain chain;
    uint64_t routed_bytes, answer_bytes;
    bool is_routed, is_answered;
    uint16_t status;
    char upload_bytes[24];
} t;

static void end_request_head(void *owner, struct cyc_msg *req, bool is_end)
{
    (void)owner, (void)req, (void)is_end;
    t.is_routed = true;
}

static void end_request_body(void *owner, struct cyc_buf *body, bool is_end,
                             struct cyc_msg *trailers)
{
    (void)owner, (void)is_end, (void)trailers;
    t.routed_bytes += body->bytes;
    cyc_buf_clear(body);
}

static void end_response_head(void *owner, struct cyc_msg *res, bool is_end)
{
    struct cyc_span seen = fixture_field(res, "X-Upload-Bytes");
    (void)owner, (void)is_end;
    t.status = res->status;
    snprintf(t.upload_bytes, sizeof(t.upload_bytes), "%.*s", (int)seen.len, seen.ptr);
}

static void end_response_body(void *owner, struct cyc_buf *body, bool is_end,
                              struct cyc_msg *trailers)
{
    (void)owner, (void)trailers;
    t.answer_bytes += body->bytes;
    t.is_answered = is_end;
    cyc_buf_clear(body);
}

static void end_abort(void *owner)
{
    (void)owner;
}

static void end_pressure(void *owner, enum cyc_filter_dir dir, bool is_high)
{
    (void)owner, (void)dir, (void)is_high;
}

static const struct cyc_chain_ends ends = {
    .request_head = end_request_head,
    .request_body = end_request_body,
    .response_head = end_response_head,
    .response_body = end_response_body,
    .abort_request = end_abort,
    .pressure = end_pressure,
};

static void start(const struct cyc_filter_vt *vt, const void *conf)
{
    const struct cyc_chain_entry entry = {vt, conf};

    memset(&t, 0, sizeof(t));
    fixture_init(&t.f);
    cyc_chain_init(&t.chain, &(struct cyc_chain_setup){.entries = &entry,
                                                       .entry_count = 1,
                                                       .exchange = &t.f.exchange,
                                                       .pool = &t.f.pool,
                                                       .ends = &ends,
                                                       .owner = &t,
                                                       .high_bytes = 65536});
}

static void finish(void)
{
    cyc_chain_finish(&t.chain);
    fixture_fini(&t.f);
}

static void push_body(const char *text, bool is_end)
{
    struct cyc_buf body;
    cyc_buf_init(&body, &t.f.pool);
    cyc_buf_append(&body, cyc_span_from_text(text));
    cyc_chain_push_request(&t.chain, NULL, &body, is_end, NULL);
}

static void example__upload_within_the_limit(void **state)
{
    const struct upload_limit_conf conf = {.bytes_max = 10};
    (void)state;
    start(&upload_limit_filter, &conf);
    t.f.req.body = CYC_BODY_STREAM;
    cyc_chain_push_request(&t.chain, &t.f.req, NULL, false, NULL);
    push_body("hello", false);
    push_body("world", true);
    assert_int_equal(t.routed_bytes, 10);
    cyc_chain_push_response(&t.chain, &t.f.res, NULL, true, NULL);
    assert_int_equal(t.status, 200);
    assert_string_equal(t.upload_bytes, "10");
    finish();
}

static void example__upload_that_says_it_is_too_large(void **state)
{
    const struct upload_limit_conf conf = {.bytes_max = 10};
    (void)state;
    start(&upload_limit_filter, &conf);
    t.f.req.body = CYC_BODY_LENGTH;
    t.f.req.body_bytes = 11;
    cyc_chain_push_request(&t.chain, &t.f.req, NULL, false, NULL);
    assert_false(t.is_routed);
    assert_int_equal(t.status, 413);
    assert_true(t.is_answered);
    push_body("hello world", true); /* drained */
    assert_int_equal(t.routed_bytes, 0);
    finish();
}

static void example__upload_that_grows_too_large(void **state)
{
    const struct upload_limit_conf conf = {.bytes_max = 10};
    (void)state;
    start(&upload_limit_filter, &conf);
    t.f.req.body = CYC_BODY_STREAM;
    cyc_chain_push_request(&t.chain, &t.f.req, NULL, false, NULL);
    push_body("hello", false);
    push_body("hello world", false);
    assert_int_equal(t.routed_bytes, 5);
    assert_int_equal(t.status, 413);
    finish();
}

static void example__answer_lets_the_request_go_on(void **state)
{
    struct question question = {NULL, NULL};
    const struct ask_conf conf = {&question};
    (void)state;
    start(&ask_filter, &conf);
    cyc_chain_push_request(&t.chain, &t.f.req, NULL, false, NULL);
    push_body("hello", true);
    assert_false(t.is_routed);
    question.on_answer(question.owner, true);
    assert_true(t.is_routed);
    assert_int_equal(t.routed_bytes, 5);
    finish();
}

static void example__answer_refuses_the_request(void **state)
{
    struct question question = {NULL, NULL};
    const struct ask_conf conf = {&question};
    (void)state;
    start(&ask_filter, &conf);
    cyc_chain_push_request(&t.chain, &t.f.req, NULL, true, NULL);
    question.on_answer(question.owner, false);
    assert_false(t.is_routed);
    assert_int_equal(t.status, 403);
    assert_int_equal(t.answer_bytes, 3);
    finish();
}

static void example__client_leaves_while_the_question_is_open(void **state)
{
    struct question question = {NULL, NULL};
    const struct ask_conf conf = {&question};
    (void)state;
    start(&ask_filter, &conf);
    cyc_chain_push_request(&t.chain, &t.f.req, NULL, true, NULL);
    finish();
    assert_null(question.owner);
}

/* ---- the page -------------------------------------------------------------------------------- */

static char page[65536], source[65536];

static void file_read(const char *path, char *out)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s cannot be read", path);
    size_t len = fread(out, 1, sizeof(page) - 1, file);
    out[len] = '\0';
    (void)fclose(file);
}

static void example__page_shows_what_is_here(void **state)
{
    int block_count = 0;
    (void)state;

    file_read(CYC_SOURCE_DIR "/docs/WRITING-A-FILTER.md", page);
    file_read(CYC_SOURCE_DIR "/tests/unit/filters/test_example.c", source);
    for (char *at = page; (at = strstr(at, "\n```c\n")) != NULL;) {
        char *block = at + strlen("\n```c\n"), *end = strstr(block, "\n```\n");
        assert_non_null(end);
        *end = '\0';
        if (strstr(source, block) == NULL)
            fail_msg("not in the test:\n%s", block);
        at = end + 1;
        block_count++;
    }
    assert_true(block_count >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example__upload_within_the_limit),
        cmocka_unit_test(example__upload_that_says_it_is_too_large),
        cmocka_unit_test(example__upload_that_grows_too_large),
        cmocka_unit_test(example__answer_lets_the_request_go_on),
        cmocka_unit_test(example__answer_refuses_the_request),
        cmocka_unit_test(example__client_leaves_while_the_question_is_open),
        cmocka_unit_test(example__page_shows_what_is_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
