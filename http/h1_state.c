/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When an HTTP/1 exchange is over and what becomes of the connection then.
 *
 * The connection goes on only when nothing is in doubt: the message that came in was read to its
 * end, nobody asked for a close, and (client role) the request had left completely when its answer
 * ended and nothing came after that answer. In every other case `in` is DEAD: what still arrives is
 * dropped.
 */
#include "base/assert.h"
#include "http/h1_internal.h"

/** Would feed() make use of bytes now? */
static bool can_consume(const struct h1 *h1)
{
    switch ((enum h1_in)h1->in) {
    case H1_IN_IDLE:
    case H1_IN_HEAD:
    case H1_IN_METHOD:
    case H1_IN_DEAD:
        return true;
    case H1_IN_LENGTH:
    case H1_IN_CHUNKED:
    case H1_IN_TRAILERS:
    case H1_IN_UNTIL_CLOSE:
    case H1_IN_TUNNEL:
        return h1->cs.holds == 0;
    case H1_IN_DONE:
        return h1->role == CYC_ROLE_CLIENT; /* to notice bytes nobody asked for */
    case H1_IN_UPGRADE:
        break;
    }
    return false;
}

/** How many bytes from here on are body that is only counted. */
static uint64_t opaque_bytes(const struct h1 *h1)
{
    if (!h1->cs.can_splice || h1->codec.stream_count == 0)
        return 0;
    if (h1->in == H1_IN_LENGTH)
        return h1->in_bytes;
    return h1->in == H1_IN_UNTIL_CLOSE || h1->in == H1_IN_TUNNEL ? UINT64_MAX : 0;
}

void h1_settle(struct h1 *h1)
{
    struct cyc_codec *codec = &h1->codec;
    bool is_idle = codec->stream_count == 0 && h1->in == H1_IN_IDLE;

    codec->wants_close = h1->in == H1_IN_DEAD && codec->stream_count == 0;
    codec->is_head_begun =
        h1->role == CYC_ROLE_SERVER && (h1->in == H1_IN_HEAD || h1->in == H1_IN_METHOD);
    codec->can_open = codec->is_reusable = h1->role == CYC_ROLE_CLIENT && is_idle;
    if (h1->is_feeding)
        return; /* it does the rest when it knows what is left */
    codec->opaque_bytes = opaque_bytes(h1);
    /* While an answer is awaited one read may be armed, to notice that the client has gone. */
    bool may_look = h1->in == H1_IN_DONE || h1->in == H1_IN_UPGRADE;
    bool is_consuming = can_consume(h1);
    codec->is_read_held = !is_consuming && (h1->has_leftover || !may_look);
    codec->wants_feed = is_consuming && h1->has_leftover;
    codec->events->on_wish(codec);
}

void h1_exchange_begin(struct h1 *h1)
{
    cyc_assert(h1->codec.stream_count == 0 && h1->in == H1_IN_IDLE);

    h1->codec.stream_count = 1;
    h1->codec.has_answer_begun = false;
    h1->cs = (struct cyc_codec_stream){.codec = &h1->codec};
    h1->out = H1_OUT_HEAD;
    h1->method = CYC_METHOD_OTHER;
    h1->info_count = 0;
    h1->empty_line_count = 0;
    h1->is_after_cr = false;
    h1->is_close = h1->is_draining;
    h1->is_old = h1->is_upgrade = h1->wants_trailers = false;
    h1->is_over_high = false;
}

static bool may_go_on(const struct h1 *h1)
{
    if (h1->is_close || h1->in != H1_IN_DONE)
        return false;
    return h1->role == CYC_ROLE_SERVER || h1->codec.out->bytes == 0;
}

static void exchange_end(struct h1 *h1)
{
    h1->in = may_go_on(h1) ? H1_IN_IDLE : H1_IN_DEAD;
    h1->out = H1_OUT_HEAD;
    h1->msg = NULL;
    h1->codec.stream_count = 0;
    h1_settle(h1);
    h1->codec.events->on_gone(&h1->cs);
}

void h1_check_end(struct h1 *h1)
{
    bool is_in_over = h1->role == CYC_ROLE_SERVER ? h1->in != H1_IN_TUNNEL : h1->in == H1_IN_DONE;

    cyc_debug_assert(h1->codec.stream_count == 1);
    if (h1->out == H1_OUT_DONE && is_in_over)
        exchange_end(h1);
    else
        h1_settle(h1);
}

void h1_forget(struct h1 *h1)
{
    /* A missing last chunk or byte tells by itself; here only the end of the connection would. */
    bool is_end_the_close = h1->out == H1_OUT_UNTIL_CLOSE || h1->out == H1_OUT_TUNNEL;

    cyc_assert(h1->codec.stream_count == 1);
    h1->codec.is_cut |= h1->role == CYC_ROLE_SERVER && is_end_the_close;
    h1->codec.stream_count = 0;
    h1->in = H1_IN_DEAD;
    h1->msg = NULL;
}

void h1_fail(struct h1 *h1, enum cyc_fail why)
{
    bool can_answer =
        h1->role == CYC_ROLE_SERVER && h1->out == H1_OUT_HEAD && cyc_fail_info(why)->status != 0;

    h1->fail = (uint8_t)why;
    h1->in = H1_IN_DEAD;
    h1->is_close = true;
    if (h1->codec.stream_count == 0)
        return;
    if (!can_answer)
        h1_forget(h1);
    h1->codec.events->on_reset(&h1->cs, why, can_answer);
}
