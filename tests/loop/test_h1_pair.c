/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client role against the server role, without sockets: what one writes the other reads, cut at
 * random, held at random, several exchanges on one connection. A plan by seed says what is sent; at
 * the end both sides must have seen exactly that, and agree on whether the connection goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "http/date.h"
#include "http/h1.h"

#include <stdio.h>
#include <string.h>

#define SEED_COUNT 1000
#define EXCHANGE_COUNT_MAX 5
#define STEP_COUNT_MAX 200000
#define BODY_BYTES_MAX 40000
#define OUT_BYTES_HIGH 8192

enum wire_end { CLIENT, SERVER };

struct plan {
    enum cyc_method method;
    uint16_t status;
    enum cyc_body_kind body[2]; /* what each end sends */
    uint64_t body_bytes[2];
    uint32_t trailer_count[2];
    uint32_t info_count;
    bool wants_trailers, expects_continue;
    bool is_answered_early; /* the answer may overtake the request's body */
};

/** One codec and what its owner has sent and seen in the exchange. */
struct end {
    struct cyc_h1 h1;
    struct cyc_arena arena;
    struct cyc_buf in, out;
    struct cyc_codec_stream *cs;
    struct cyc_rng *rng;
    const struct plan *plan;
    uint64_t sent_bytes, seen_bytes;
    uint32_t seen_trailer_count, seen_info_count, sent_info_count;
    bool has_room, has_sent_head, has_sent_end, has_seen_head, has_seen_end;
    uint32_t gone_count, reset_count;
};

struct pair {
    struct cyc_mem mem;
    struct cyc_buf_pool pool;
    struct cyc_clock clock;
    struct cyc_date_cache date;
    struct cyc_rng rng;
    struct end ends[2];
    struct plan plan;
};

static struct end *end_of(struct cyc_codec *codec)
{
    return codec->owner;
}

static const struct cyc_codec_vt *vt_of(struct end *e)
{
    return e->h1.codec.vt;
}

/* ---- what is sent -----------------------------------------------------------------------------
 */

static char pattern(uint64_t at)
{
    return (char)(at * 7 + at / 251);
}

static bool has_body(const struct plan *plan, enum wire_end which)
{
    if (which == CLIENT)
        return plan->body[CLIENT] != CYC_BODY_NONE;
    return plan->method != CYC_METHOD_HEAD && plan->status != 204 && plan->status != 304;
}

static void plan_body(struct cyc_rng *rng, struct plan *plan, enum wire_end which)
{
    plan->body[which] = cyc_rng_below(rng, 2) ? CYC_BODY_LENGTH : CYC_BODY_STREAM;
    plan->body_bytes[which] =
        cyc_rng_below(rng, 3) ? cyc_rng_below(rng, 300) : cyc_rng_below(rng, BODY_BYTES_MAX);
    if (plan->body[which] == CYC_BODY_STREAM && cyc_rng_below(rng, 3) == 0)
        plan->trailer_count[which] = 1 + (uint32_t)cyc_rng_below(rng, 12);
}

static struct plan plan_make(struct cyc_rng *rng)
{
    static const enum cyc_method methods[] = {CYC_METHOD_GET, CYC_METHOD_HEAD, CYC_METHOD_POST,
                                              CYC_METHOD_PUT, CYC_METHOD_DELETE};
    static const uint16_t statuses[] = {200, 200, 200, 404, 204, 304, 500};
    struct plan plan = {
        .method = methods[cyc_rng_below(rng, 5)],
        .status = statuses[cyc_rng_below(rng, 7)],
        .info_count = cyc_rng_below(rng, 4) ? 0 : (uint32_t)cyc_rng_below(rng, 4),
        .wants_trailers = cyc_rng_below(rng, 2) != 0,
        .is_answered_early = cyc_rng_below(rng, 8) == 0,
    };

    if (cyc_rng_below(rng, 2))
        plan_body(rng, &plan, CLIENT);
    plan_body(rng, &plan, SERVER);
    plan.expects_continue = plan.body[CLIENT] != CYC_BODY_NONE && cyc_rng_below(rng, 3) == 0;
    return plan;
}

static void add_fields(struct cyc_msg *msg, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        cyc_msg_add(msg, CYC_TOKEN_OTHER, cyc_arena_format(msg->arena, "X-%u", i),
                    cyc_arena_format(msg->arena, "value %u", i * i));
}

static void send_request_head(struct end *e)
{
    const struct plan *plan = e->plan;
    struct cyc_msg head;

    cyc_msg_init(&head, &e->arena, 4);
    head.method = plan->method;
    head.method_text = cyc_method_name(plan->method);
    head.path = CYC_SPAN("/pair");
    head.authority = CYC_SPAN("pair.example:80");
    head.body = plan->body[CLIENT];
    head.body_bytes = plan->body_bytes[CLIENT];
    head.wants_trailers = plan->wants_trailers;
    head.expects_continue = plan->expects_continue;
    add_fields(&head, 3);
    e->has_sent_head = true;
    e->has_sent_end = !has_body(plan, CLIENT);
    vt_of(e)->send_head(e->cs, &head, e->has_sent_end);
}

static void send_answer_head(struct end *e)
{
    const struct plan *plan = e->plan;
    struct cyc_msg head;

    cyc_msg_init(&head, &e->arena, 4);
    head.status = plan->status;
    head.body = has_body(plan, SERVER) ? plan->body[SERVER] : CYC_BODY_NONE;
    head.body_bytes = plan->body_bytes[SERVER];
    add_fields(&head, 5);
    e->has_sent_head = true;
    e->has_sent_end = !has_body(plan, SERVER);
    vt_of(e)->send_head(e->cs, &head, e->has_sent_end);
}

static void send_info(struct end *e)
{
    struct cyc_msg head;

    cyc_msg_init(&head, &e->arena, 1);
    head.status = e->plan->expects_continue && e->sent_info_count == 0 ? 100 : 103;
    e->sent_info_count++;
    vt_of(e)->send_info(e->cs, &head);
}

static void send_part(struct end *e, enum wire_end which)
{
    uint64_t left = e->plan->body_bytes[which] - e->sent_bytes;
    uint64_t len = left > 0 ? 1 + cyc_rng_below(e->rng, left < 5000 ? left : 5000) : 0;
    bool has_trailers = e->plan->trailer_count[which] > 0;
    struct cyc_buf body;

    cyc_buf_init(&body, e->out.pool);
    for (uint64_t i = 0; i < len; i++) {
        char c = pattern(e->sent_bytes + i);
        cyc_buf_append(&body, cyc_span_of(&c, 1));
    }
    e->sent_bytes += len;
    bool is_end = e->sent_bytes == e->plan->body_bytes[which] && !has_trailers;
    e->has_sent_end = is_end;
    e->has_room = vt_of(e)->send_body(e->cs, &body, is_end);
    assert_int_equal(body.bytes, 0);
}

static void send_trailers(struct end *e, enum wire_end which)
{
    struct cyc_msg trailers;

    cyc_msg_init(&trailers, &e->arena, 4);
    add_fields(&trailers, e->plan->trailer_count[which]);
    e->has_sent_end = true;
    vt_of(e)->send_trailers(e->cs, &trailers);
}

/* ---- what is seen -----------------------------------------------------------------------------
 */

static void check_fields(const struct cyc_msg *msg, uint32_t count)
{
    char text[32];

    for (uint32_t i = 0; i < count; i++) {
        snprintf(text, sizeof(text), "X-%u", i);
        struct cyc_field *field = cyc_msg_find_name(msg, cyc_span_from_text(text));
        assert_non_null(field);
        snprintf(text, sizeof(text), "value %u", i * i);
        assert_true(cyc_span_equal(field->value, cyc_span_from_text(text)));
    }
}

static bool on_open(struct cyc_codec_stream *cs)
{
    struct end *e = end_of(cs->codec);
    cs->arena = &e->arena;
    e->cs = cs;
    return true;
}

static void on_head(struct cyc_codec_stream *cs, struct cyc_msg *head, bool is_end)
{
    struct end *e = end_of(cs->codec);
    const struct plan *plan = e->plan;
    bool is_request = head->method_text.len > 0;

    assert_false(e->has_seen_head);
    e->has_seen_head = true;
    e->has_seen_end = is_end;
    check_fields(head, is_request ? 3 : 5);
    if (!is_request) {
        assert_int_equal(head->status, plan->status);
        return;
    }
    assert_int_equal(head->method, plan->method);
    assert_true(cyc_span_equal(head->authority, CYC_SPAN("pair.example:80")));
    assert_true(cyc_span_equal(head->path, CYC_SPAN("/pair")));
    if (plan->body[CLIENT] != CYC_BODY_NONE)
        assert_int_equal(head->body, plan->body[CLIENT]);
    assert_int_equal(head->wants_trailers, plan->wants_trailers);
}

static void on_info(struct cyc_codec_stream *cs, struct cyc_msg *head)
{
    (void)head;
    end_of(cs->codec)->seen_info_count++;
}

static void on_body(struct cyc_codec_stream *cs, struct cyc_buf *body, bool is_end)
{
    struct end *e = end_of(cs->codec);

    assert_true(e->has_seen_head);
    assert_false(e->has_seen_end);
    for (struct cyc_seg *seg = body->head; seg != NULL; seg = seg->next)
        for (size_t i = 0; i < seg->len; i++)
            assert_int_equal(seg->ptr[i], pattern(e->seen_bytes++));
    e->has_seen_end = is_end;
}

static void on_trailers(struct cyc_codec_stream *cs, struct cyc_msg *trailers)
{
    struct end *e = end_of(cs->codec);

    assert_false(e->has_seen_end);
    e->has_seen_end = true;
    e->seen_trailer_count = trailers->field_count;
    check_fields(trailers, trailers->field_count);
}

static void on_room(struct cyc_codec_stream *cs)
{
    end_of(cs->codec)->has_room = true;
}

static void on_reset(struct cyc_codec_stream *cs, enum cyc_fail why, bool can_answer)
{
    struct end *e = end_of(cs->codec);
    (void)why, (void)can_answer;
    e->reset_count++;
    e->cs = NULL;
}

static void on_gone(struct cyc_codec_stream *cs)
{
    struct end *e = end_of(cs->codec);
    e->gone_count++;
    e->cs = NULL;
}

static void on_wish(struct cyc_codec *codec)
{
    (void)codec;
}

static const struct cyc_codec_events events = {
    .on_open = on_open,
    .on_info = on_info,
    .on_head = on_head,
    .on_body = on_body,
    .on_trailers = on_trailers,
    .on_room = on_room,
    .on_reset = on_reset,
    .on_gone = on_gone,
    .on_wish = on_wish,
};

/* ---- one connection ----------------------------------------------------------------------------
 */

static void pair_init(struct pair *p, uint64_t seed)
{
    struct cyc_codec_limits limits = {
        .head_bytes_max = 32 * 1024,
        .field_count_max = 100,
        .uri_bytes_max = 8 * 1024,
        .out_bytes_high = OUT_BYTES_HIGH,
        .date = &p->date,
    };

    memset(p, 0, sizeof(*p));
    cyc_rng_init(&p->rng, seed);
    cyc_buf_pool_init(&p->pool, &p->mem);
    for (int i = 0; i < 2; i++) {
        struct end *e = &p->ends[i];
        cyc_arena_init(&e->arena, &p->mem, CYC_MEM_STREAMS, NULL, 0);
        cyc_buf_init(&e->in, &p->pool);
        cyc_buf_init(&e->out, &p->pool);
        cyc_h1_init(&e->h1, i == CLIENT ? CYC_ROLE_CLIENT : CYC_ROLE_SERVER,
                    &(struct cyc_codec_setup){&events, &e->out, &p->clock, &limits});
        e->h1.codec.owner = e;
        e->rng = &p->rng;
        e->plan = &p->plan;
    }
}

static void pair_fini(struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        struct end *e = &p->ends[i];
        if (e->cs != NULL)
            vt_of(e)->reset(e->cs, CYC_FAIL_SHUT_DOWN);
        vt_of(e)->fini(&e->h1.codec);
        cyc_buf_clear(&e->in);
        cyc_buf_clear(&e->out);
        cyc_arena_fini(&e->arena);
    }
    cyc_buf_pool_fini(&p->pool);
    assert_int_equal(p->mem.total_bytes, 0);
}

static void exchange_begin(struct pair *p)
{
    p->plan = plan_make(&p->rng);
    for (int i = 0; i < 2; i++) {
        struct end *e = &p->ends[i];
        e->sent_bytes = e->seen_bytes = 0;
        e->seen_trailer_count = e->seen_info_count = e->sent_info_count = 0;
        e->has_sent_head = e->has_sent_end = e->has_seen_head = e->has_seen_end = false;
        e->has_room = true;
        e->gone_count = 0;
        cyc_arena_reset(&e->arena);
    }
    struct end *client = &p->ends[CLIENT];
    client->cs = vt_of(client)->open(&client->h1.codec, client, &client->arena);
    assert_non_null(client->cs);
    send_request_head(client);
}

/** Some of what `from` has written arrives. */
static void transfer(struct pair *p, struct end *from, struct end *to)
{
    char bytes[3000];
    size_t max = cyc_rng_below(&p->rng, 3) ? sizeof(bytes) : 20;
    size_t len = cyc_buf_peek(&from->out, bytes, 1 + (size_t)cyc_rng_below(&p->rng, max));

    if (len > 0 && !to->h1.codec.is_read_held) {
        cyc_buf_drop(&from->out, len);
        vt_of(from)->sent(&from->h1.codec, len);
        cyc_buf_append(&to->in, cyc_span_of(bytes, len));
        vt_of(to)->feed(&to->h1.codec, &to->in);
    } else if (to->h1.codec.wants_feed) {
        vt_of(to)->feed(&to->h1.codec, &to->in);
    }
}

static void toggle_hold(struct pair *p, struct end *e)
{
    if (e->cs == NULL)
        return;
    if (cyc_rng_below(&p->rng, 3) == 0)
        vt_of(e)->hold(e->cs, CYC_HOLD_CHAIN);
    else
        vt_of(e)->release(e->cs, CYC_HOLD_CHAIN);
}

static bool may_answer(const struct pair *p)
{
    const struct end *server = &p->ends[SERVER];
    if (server->cs == NULL || !server->has_seen_head)
        return false;
    return server->has_seen_end || p->plan.is_answered_early;
}

static void send_more(struct pair *p, enum wire_end which)
{
    struct end *e = &p->ends[which];

    if (e->cs == NULL || e->has_sent_end || !e->has_room)
        return;
    if (which == SERVER && !may_answer(p))
        return;
    if (which == SERVER && e->sent_info_count < p->plan.info_count)
        send_info(e);
    else if (!e->has_sent_head)
        send_answer_head(e);
    else if (e->sent_bytes == p->plan.body_bytes[which] && p->plan.trailer_count[which] > 0)
        send_trailers(e, which);
    else
        send_part(e, which);
}

static void step(struct pair *p)
{
    struct end *client = &p->ends[CLIENT], *server = &p->ends[SERVER];

    switch (cyc_rng_below(&p->rng, 8)) {
    case 0:
        send_more(p, CLIENT);
        break;
    case 1:
        send_more(p, SERVER);
        break;
    case 2:
        toggle_hold(p, client);
        break;
    case 3:
        toggle_hold(p, server);
        break;
    case 4:
    case 5:
        transfer(p, client, server);
        break;
    default:
        transfer(p, server, client);
        break;
    }
}

static bool is_over(const struct pair *p)
{
    return p->ends[CLIENT].cs == NULL && p->ends[SERVER].cs == NULL;
}

static void check_seen(const struct pair *p)
{
    const struct end *client = &p->ends[CLIENT], *server = &p->ends[SERVER];
    const struct plan *plan = &p->plan;

    assert_int_equal(client->reset_count, 0);
    assert_int_equal(server->reset_count, 0);
    assert_int_equal(client->gone_count, 1);
    assert_int_equal(server->gone_count, 1);
    assert_true(client->has_seen_end);
    assert_int_equal(client->seen_bytes, has_body(plan, SERVER) ? plan->body_bytes[SERVER] : 0);
    assert_int_equal(client->seen_info_count, plan->info_count);
    assert_int_equal(client->seen_trailer_count, has_body(plan, SERVER) && plan->wants_trailers
                                                     ? plan->trailer_count[SERVER]
                                                     : 0);
    if (plan->is_answered_early)
        return;
    assert_true(server->has_seen_end);
    assert_int_equal(server->seen_bytes, has_body(plan, CLIENT) ? plan->body_bytes[CLIENT] : 0);
    assert_int_equal(server->seen_trailer_count, plan->trailer_count[CLIENT]);
}

static void run_seed(uint64_t seed)
{
    struct pair p;

    pair_init(&p, seed);
    for (int exchange = 0; exchange < EXCHANGE_COUNT_MAX; exchange++) {
        exchange_begin(&p);
        for (uint32_t steps = 0; !is_over(&p); steps++) {
            if (steps == STEP_COUNT_MAX)
                fail_msg("seed %llu hangs", (unsigned long long)seed);
            step(&p);
        }
        check_seen(&p);
        bool can_client = p.ends[CLIENT].h1.codec.is_reusable;
        bool can_server = !p.ends[SERVER].h1.codec.wants_close;
        if (!p.plan.is_answered_early && (!can_client || !can_server))
            fail_msg("seed %llu ends the connection", (unsigned long long)seed);
        if (!can_client || !can_server)
            break;
    }
    pair_fini(&p);
}

static void h1_pair__both_sides_see_what_was_sent(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEED_COUNT; seed++)
        run_seed(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(h1_pair__both_sides_see_what_was_sent)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
