/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading HTTP/1: what a message means and where it ends.
 *
 * What a head means is decided once, in http/rules.c, and the body is read by that decision:
 * counted, chunk by chunk, or to the end of the connection. The parser of heads (llhttp, in
 * http/h1_head.c) has no say in it, so there are not two opinions on where a message ends.
 *
 * Every event may change everything: the owner may answer, reset, or hold inside of it. So the
 * state is moved on before an event, and looked at anew after it.
 */
#include "http/h1.h"

#include "base/assert.h"
#include "http/h1_internal.h"
#include "http/rules.h"

#include <string.h>

/* Empty lines tolerated before a request (RFC 9112 2.2 asks for at least one). */
#define EMPTY_LINE_COUNT_MAX 4
/* Interim answers to one request: more is a service gone wrong. */
#define INFO_COUNT_MAX 32

CYC_BUILD_ASSERT(sizeof(struct h1) <= sizeof(struct cyc_h1));

/** @param why  what is wrong with what arrived */
static void incoming_fail(struct h1 *h1, enum cyc_fail why)
{
    h1_fail(h1, h1->role == CYC_ROLE_CLIENT ? CYC_FAIL_UPSTREAM_PROTOCOL : why);
}

/** The message will be complete with the next event. Client role: is the connection still what it
 * was before? Not if bytes follow that nobody asked for, or if the request is still on its way. */
static void incoming_is_complete(struct h1 *h1, const struct cyc_buf *in)
{
    h1->in = H1_IN_DONE;
    if (h1->role == CYC_ROLE_CLIENT && (in->bytes > 0 || h1->out != H1_OUT_DONE))
        h1->is_close = true;
}

/** After the event that ended it. */
static void incoming_was_complete(struct h1 *h1)
{
    if (h1->in == H1_IN_DONE && h1->codec.stream_count == 1)
        h1_check_end(h1);
}

/** The message ends with `body`. */
static void incoming_end(struct h1 *h1, struct cyc_buf *body, const struct cyc_buf *in)
{
    incoming_is_complete(h1, in);
    h1->codec.events->on_body(&h1->cs, body, true);
    incoming_was_complete(h1);
}

/* ---- a head is complete -----------------------------------------------------------------------
 */

static void request_body_begin(struct h1 *h1, const struct cyc_msg *msg)
{
    if (msg->body == CYC_BODY_STREAM) {
        h1->in = H1_IN_CHUNKED;
        h1_chunks_begin(h1);
    } else if (msg->body == CYC_BODY_LENGTH && msg->body_bytes > 0) {
        h1->in = H1_IN_LENGTH;
        h1->in_bytes = msg->body_bytes;
    } else {
        h1->in = msg->is_upgrade ? H1_IN_UPGRADE : H1_IN_DONE;
    }
}

static void request_head_done(struct h1 *h1)
{
    struct cyc_msg *msg = h1->msg;
    bool is_close = false;

    h1->method = (uint8_t)msg->method;
    h1->is_old = msg->version_minor == 0;
    enum cyc_fail why = cyc_rules_request(msg, &is_close);
    if (why != CYC_FAIL_NONE) {
        h1_fail(h1, why);
        return;
    }
    h1->is_close |= is_close;
    h1->is_upgrade = msg->is_upgrade;
    h1->wants_trailers = msg->wants_trailers;
    h1->msg = NULL;
    request_body_begin(h1, msg);
    h1->codec.events->on_head(&h1->cs, msg, h1->in == H1_IN_DONE);
}

static void answer_body_begin(struct h1 *h1, const struct cyc_msg *msg, const struct cyc_buf *in)
{
    if (h1->out == H1_OUT_UPGRADE)
        h1->out = msg->body == CYC_BODY_TUNNEL ? H1_OUT_TUNNEL : H1_OUT_DONE;
    switch (msg->body) {
    case CYC_BODY_TUNNEL:
        h1->in = H1_IN_TUNNEL;
        h1->is_close = true;
        return;
    case CYC_BODY_STREAM:
        h1->in = H1_IN_UNTIL_CLOSE;
        if ((msg->tokens_seen >> CYC_TOKEN_TRANSFER_ENCODING & 1) != 0) {
            h1->in = H1_IN_CHUNKED;
            h1_chunks_begin(h1);
        }
        return;
    case CYC_BODY_LENGTH:
        h1->in = H1_IN_LENGTH;
        h1->in_bytes = msg->body_bytes;
        if (msg->body_bytes > 0)
            return;
        break;
    case CYC_BODY_NONE:
        break;
    }
    incoming_is_complete(h1, in);
}

/** 1xx: the answer is still to come. */
static void info_head_done(struct h1 *h1, struct cyc_msg *msg)
{
    h1->msg = NULL;
    if (++h1->info_count > INFO_COUNT_MAX) {
        h1_fail(h1, CYC_FAIL_UPSTREAM_PROTOCOL);
        return;
    }
    h1->in = H1_IN_IDLE;
    if (h1->codec.events->on_info != NULL)
        h1->codec.events->on_info(&h1->cs, msg);
}

static void answer_head_done(struct h1 *h1, const struct cyc_buf *in)
{
    struct cyc_msg *msg = h1->msg;
    bool is_close = false;

    enum cyc_fail why = cyc_rules_response(msg, h1->method, h1->is_upgrade, &is_close);
    if (why != CYC_FAIL_NONE) {
        h1_fail(h1, why);
        return;
    }
    if (msg->status < 200 && msg->status != 101) {
        info_head_done(h1, msg);
        return;
    }
    h1->is_close |= is_close;
    h1->msg = NULL;
    answer_body_begin(h1, msg, in);
    bool is_end = h1->in == H1_IN_DONE;
    h1->codec.events->on_head(&h1->cs, msg, is_end);
    if (is_end)
        incoming_was_complete(h1);
}

static void trailers_done(struct h1 *h1, const struct cyc_buf *in)
{
    struct cyc_msg *trailers = h1->msg;
    struct cyc_buf none;
    bool is_any_left = false;

    h1->msg = NULL;
    cyc_rules_trailers(trailers);
    for (uint32_t i = 0; i < trailers->field_count; i++)
        is_any_left |= !trailers->fields[i].is_removed;
    if (!is_any_left) {
        cyc_buf_init(&none, in->pool);
        incoming_end(h1, &none, in);
        return;
    }
    incoming_is_complete(h1, in);
    h1->codec.events->on_trailers(&h1->cs, trailers);
    incoming_was_complete(h1);
}

/* ---- feeding: heads ---------------------------------------------------------------------------
 */

static void feed_head(struct h1 *h1, struct cyc_buf *in)
{
    enum h1_head_result result = h1_head_take(h1, in);

    if (result == H1_HEAD_FAILED && h1->in == H1_IN_TRAILERS && h1->fail != CYC_FAIL_HEAD_TOO_LARGE)
        incoming_fail(h1, CYC_FAIL_BAD_CHUNK);
    else if (result == H1_HEAD_FAILED)
        incoming_fail(h1, h1->fail);
    else if (result == H1_HEAD_MORE)
        return;
    else if (h1->in == H1_IN_TRAILERS)
        trailers_done(h1, in);
    else if (h1->role == CYC_ROLE_SERVER)
        request_head_done(h1);
    else
        answer_head_done(h1, in);
}

/** Takes the empty lines before a request (RFC 9112 2.2). @return false at a first byte of its own
 */
static bool take_empty_line_byte(struct h1 *h1, struct cyc_buf *in)
{
    char c = in->head->ptr[0];

    if (c != (h1->is_after_cr ? '\n' : '\r') || h1->empty_line_count == EMPTY_LINE_COUNT_MAX)
        return false;
    if (h1->is_after_cr)
        h1->empty_line_count++;
    h1->is_after_cr = !h1->is_after_cr;
    cyc_buf_drop(in, 1);
    return true;
}

/** @param is_malformed  it begins with something no request begins with */
static void request_begin(struct h1 *h1, bool is_malformed)
{
    h1_exchange_begin(h1);
    if (!h1->codec.events->on_open(&h1->cs)) {
        h1->codec.stream_count = 0;
        h1->in = H1_IN_DEAD;
        h1->fail = CYC_FAIL_NO_MEMORY;
        h1_send_unavailable(h1);
        return;
    }
    cyc_assert(h1->cs.arena != NULL);
    h1_head_begin(h1);
    if (is_malformed)
        h1_fail(h1, CYC_FAIL_BAD_REQUEST);
}

static void feed_idle(struct h1 *h1, struct cyc_buf *in)
{
    if (h1->role == CYC_ROLE_SERVER) {
        bool is_empty_line = in->head->ptr[0] <= ' ' && take_empty_line_byte(h1, in);
        if (!is_empty_line)
            request_begin(h1, h1->is_after_cr || in->head->ptr[0] <= ' ');
    } else if (h1->codec.stream_count == 1 && h1->out != H1_OUT_HEAD) {
        h1->codec.has_answer_begun = true;
        h1_head_begin(h1);
    } else {
        h1_fail(h1, CYC_FAIL_UPSTREAM_PROTOCOL); /* nothing was asked */
    }
}

/* ---- feeding: bodies --------------------------------------------------------------------------
 */

static void feed_plain(struct h1 *h1, struct cyc_buf *in)
{
    bool is_counted = h1->in == H1_IN_LENGTH;
    size_t bytes = is_counted && in->bytes > h1->in_bytes ? h1->in_bytes : in->bytes;
    struct cyc_buf body;

    cyc_buf_init(&body, in->pool);
    cyc_buf_move(&body, in, bytes);
    if (is_counted)
        h1->in_bytes -= bytes;
    if (is_counted && h1->in_bytes == 0)
        incoming_end(h1, &body, in);
    else
        h1->codec.events->on_body(&h1->cs, &body, false);
    cyc_buf_clear(&body);
}

/** What follows the last chunk; in nearly all cases an empty line. @return true when that is all */
static bool take_trailers_end(struct h1 *h1, struct cyc_buf *in)
{
    struct cyc_span front = cyc_buf_front(in);

    h1->head_bytes_left += 2; /* the empty line is no field: the limit does not count it */
    if (front.len < 2 || front.ptr[0] != '\r' || front.ptr[1] != '\n') {
        h1_trailers_begin(h1);
        return false;
    }
    cyc_buf_drop(in, 2);
    return true;
}

static void feed_chunked(struct h1 *h1, struct cyc_buf *in)
{
    struct cyc_buf body;
    bool is_end = false;

    cyc_buf_init(&body, in->pool);
    bool is_well = h1_chunks_take(h1, in, &body);
    if (is_well && h1->chunk == H1_CHUNK_LAST)
        is_end = take_trailers_end(h1, in);
    if (is_end)
        incoming_end(h1, &body, in);
    else if (body.bytes > 0)
        h1->codec.events->on_body(&h1->cs, &body, false);
    if (!is_well && h1->in == H1_IN_CHUNKED)
        incoming_fail(h1, CYC_FAIL_BAD_CHUNK);
    cyc_buf_clear(&body);
}

static void feed_body(struct h1 *h1, struct cyc_buf *in)
{
    if (h1->in == H1_IN_CHUNKED)
        feed_chunked(h1, in);
    else if (h1->in == H1_IN_TRAILERS)
        feed_head(h1, in);
    else
        feed_plain(h1, in);
}

/** Takes what can be taken in this state. @return false when the rest must wait */
static bool feed_step(struct h1 *h1, struct cyc_buf *in)
{
    switch ((enum h1_in)h1->in) {
    case H1_IN_IDLE:
        feed_idle(h1, in);
        return true;
    case H1_IN_HEAD:
    case H1_IN_METHOD:
        feed_head(h1, in);
        return true;
    case H1_IN_LENGTH:
    case H1_IN_CHUNKED:
    case H1_IN_TRAILERS:
    case H1_IN_UNTIL_CLOSE:
    case H1_IN_TUNNEL:
        if (h1->cs.holds != 0)
            return false;
        feed_body(h1, in);
        return true;
    case H1_IN_UPGRADE:
        return false;
    case H1_IN_DONE:
        if (h1->role == CYC_ROLE_SERVER)
            return false;
        h1->is_close = true; /* bytes behind an answer: never reuse this connection */
        break;
    case H1_IN_DEAD:
        break;
    }
    cyc_buf_drop(in, in->bytes);
    return false;
}

/* ---- the end of the incoming direction --------------------------------------------------------
 */

static void end_of_request_bytes(struct h1 *h1)
{
    switch ((enum h1_in)h1->in) {
    case H1_IN_IDLE:
        h1->in = H1_IN_DEAD;
        break;
    case H1_IN_DONE: /* half-closed: the answer can still be sent */
    case H1_IN_DEAD:
        h1->is_close = true;
        break;
    default:
        h1_fail(h1, CYC_FAIL_CLIENT_GONE);
        break;
    }
}

static void end_of_answer_bytes(struct h1 *h1)
{
    switch ((enum h1_in)h1->in) {
    case H1_IN_IDLE:
        if (h1->codec.stream_count == 0)
            h1->in = H1_IN_DEAD;
        else
            h1_fail(h1, h1->codec.has_answer_begun ? CYC_FAIL_UPSTREAM_TRUNCATED
                                                   : CYC_FAIL_UPSTREAM_RESET);
        break;
    case H1_IN_DONE:
    case H1_IN_DEAD:
        h1->is_close = true;
        break;
    default:
        h1_fail(h1, CYC_FAIL_UPSTREAM_TRUNCATED);
        break;
    }
}

/** Everything that arrived was taken and nothing more comes. */
static void end_of_bytes(struct h1 *h1)
{
    struct cyc_buf none;

    cyc_buf_init(&none, h1->codec.out->pool);
    if (h1->in == H1_IN_TUNNEL || h1->in == H1_IN_UNTIL_CLOSE) {
        h1->is_close = true;
        incoming_end(h1, &none, &none);
    } else if (h1->role == CYC_ROLE_SERVER) {
        end_of_request_bytes(h1);
    } else {
        end_of_answer_bytes(h1);
    }
}

/* ---- the vtable -------------------------------------------------------------------------------
 */

static enum cyc_fail h1_feed(struct cyc_codec *codec, struct cyc_buf *in)
{
    struct h1 *h1 = (struct h1 *)(void *)codec;

    cyc_assert(!h1->is_feeding);

    h1->is_feeding = true;
    while (in->bytes > 0 && feed_step(h1, in))
        continue;
    h1->has_leftover = in->bytes > 0;
    if (h1->is_eof && !h1->has_leftover)
        end_of_bytes(h1);
    h1->is_feeding = false;
    h1_settle(h1);
    return h1->in == H1_IN_DEAD ? h1->fail : CYC_FAIL_NONE;
}

static enum cyc_fail h1_feed_end(struct cyc_codec *codec)
{
    struct h1 *h1 = (struct h1 *)(void *)codec;

    if (!h1->is_eof) {
        h1->is_eof = true;
        h1->is_feeding = true;
        if (!h1->has_leftover)
            end_of_bytes(h1);
        h1->is_feeding = false;
        h1_settle(h1);
    }
    return h1->in == H1_IN_DEAD ? h1->fail : CYC_FAIL_NONE;
}

static void h1_abort(struct cyc_codec *codec, enum cyc_fail why)
{
    struct h1 *h1 = (struct h1 *)(void *)codec;

    h1->in = H1_IN_DEAD;
    h1->has_leftover = false;
    if (codec->stream_count == 1) {
        h1_forget(h1);
        codec->events->on_reset(&h1->cs, why, false);
    }
    h1_settle(h1);
}

static void h1_drain(struct cyc_codec *codec)
{
    struct h1 *h1 = (struct h1 *)(void *)codec;

    h1->is_draining = true;
    if (codec->stream_count == 1)
        h1->is_close = true;
    else
        h1->in = H1_IN_DEAD;
    h1_settle(h1);
}

static struct cyc_codec_stream *h1_open(struct cyc_codec *codec, void *owner,
                                        struct cyc_arena *arena)
{
    struct h1 *h1 = (struct h1 *)(void *)codec;

    if (!codec->can_open)
        return NULL;
    h1_exchange_begin(h1);
    h1->cs.owner = owner;
    h1->cs.arena = arena;
    h1_settle(h1);
    return &h1->cs;
}

static void h1_reset(struct cyc_codec_stream *cs, enum cyc_fail why)
{
    struct h1 *h1 = h1_of(cs);
    (void)why;

    h1_forget(h1);
    h1_settle(h1);
}

static void h1_hold(struct cyc_codec_stream *cs, uint32_t reasons)
{
    cs->holds |= reasons;
    h1_settle(h1_of(cs));
}

static void h1_release(struct cyc_codec_stream *cs, uint32_t reasons)
{
    cs->holds &= ~reasons;
    h1_settle(h1_of(cs));
}

static void h1_sent(struct cyc_codec *codec, size_t bytes)
{
    struct h1 *h1 = (struct h1 *)(void *)codec;
    (void)bytes;

    if (!h1->is_over_high || codec->out->bytes > codec->limits.out_bytes_high / 2)
        return;
    h1->is_over_high = false;
    if (codec->stream_count == 1)
        codec->events->on_room(&h1->cs);
}

static void h1_fini(struct cyc_codec *codec)
{
    cyc_assert(codec->stream_count == 0);
}

static const struct cyc_codec_vt h1_vt = {
    .name = "h1",
    .feed = h1_feed,
    .feed_end = h1_feed_end,
    .abort = h1_abort,
    .drain = h1_drain,
    .open = h1_open,
    .send_info = h1_send_info,
    .send_head = h1_send_head,
    .send_body = h1_send_body,
    .send_trailers = h1_send_trailers,
    .reset = h1_reset,
    .hold = h1_hold,
    .release = h1_release,
    .sent = h1_sent,
    .fini = h1_fini,
};

void cyc_h1_init(struct cyc_h1 *codec, enum cyc_codec_role role,
                 const struct cyc_codec_setup *setup)
{
    struct h1 *h1 = (struct h1 *)(void *)codec;

    memset(codec, 0, sizeof(*codec));
    h1->codec = (struct cyc_codec){
        .vt = &h1_vt,
        .events = setup->events,
        .out = setup->out,
        .clock = setup->clock,
        .limits = *setup->limits,
        .can_open = role == CYC_ROLE_CLIENT,
        .is_reusable = role == CYC_ROLE_CLIENT,
    };
    h1->role = (uint8_t)role;
}
