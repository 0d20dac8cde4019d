/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When may a request be tried again?
 *
 *   nothing of it reached a service (connecting failed)          any request, while tries are left
 *   the connection had been used before and died unanswered      idempotent ones, once
 *   a service died after it may have acted on the request        idempotent ones, if retry.on has
 * reset a byte of the answer came                                    never
 *
 * Body that has left must be there again: what was sent is kept (by reference) up to
 * REPLAY_BYTES_MAX; a longer body gives up the right to a replay, not the request.
 */
#include "proxy/forward.h"

#include "base/assert.h"

#define REPLAY_BYTES_MAX (64 * 1024)
#define PENDING_BYTES_HIGH (64 * 1024)

static struct cyc_stream *stream_of(struct cyc_attempt *attempt)
{
    return cyc_container_of(attempt, struct cyc_stream, attempt);
}

static void attempt_start(struct cyc_stream *stream, const struct cyc_endpoint *avoid)
{
    struct cyc_cluster *cluster = stream->view->clusters[stream->route->cluster_index];
    struct cyc_exchange *exchange = &stream->exchange;

    stream->is_ready = false;
    exchange->attempt_count++;
    exchange->upstream_ns = stream->worker->io->clock.now_ns;
    cyc_attempt_start(
        &stream->attempt, cluster,
        &(struct cyc_attempt_request){.arena = &stream->arena,
                                      .head = exchange->req,
                                      .is_end = stream->is_head_end,
                                      .first_byte_ms = stream->route->first_byte_timeout_ms,
                                      .avoid = avoid});
}

/** The endpoint outlives the attempt, but perhaps not the log line: keep its name. */
static void endpoint_note(struct cyc_stream *stream)
{
    struct cyc_span text = cyc_attempt_endpoint_text(&stream->attempt);
    stream->exchange.endpoint = cyc_arena_copy(&stream->arena, text);
}

/* ---- request ------------------------------------------------------------------------------------
 */

/** From here on a body byte is sent once. So it may be in a pipe, where it cannot be read twice,
 * unless a filter wants to see it. */
static void replay_give_up(struct cyc_stream *stream)
{
    stream->can_replay = false;
    cyc_buf_clear(&stream->replay);
    if (stream->cs != NULL)
        stream->cs->can_splice = stream->chain.wants_body[CYC_DIR_REQUEST] == 0;
}

static void forward_start(struct cyc_stream *stream, struct cyc_msg *req, bool is_end)
{
    cyc_assert(req == stream->exchange.req);
    stream->is_head_end = is_end;
    stream->can_replay = cyc_method_is_idempotent(req->method);
    if (!stream->can_replay)
        replay_give_up(stream);
    attempt_start(stream, NULL);
}

static void replay_keep(struct cyc_stream *stream, const struct cyc_buf *body)
{
    if (!stream->can_replay)
        return;
    if (stream->replay.bytes + body->bytes > REPLAY_BYTES_MAX || stream->downstream->is_tunnel) {
        replay_give_up(stream);
        return;
    }
    cyc_buf_share(&stream->replay, body);
}

/** Sends what waits. */
static void pending_send(struct cyc_stream *stream)
{
    bool is_end = stream->is_pending_end;

    if (stream->pending.bytes == 0 && !is_end)
        return;
    replay_keep(stream, &stream->pending);
    bool has_room =
        cyc_attempt_send_body(&stream->attempt, &stream->pending, is_end, stream->pending_trailers);
    cyc_stream_hold_client(stream, CYC_HOLD_FAR_SIDE, !has_room && !is_end);
}

static void forward_body(struct cyc_stream *stream, struct cyc_buf *body, bool is_end,
                         struct cyc_msg *trailers)
{
    if (!stream->attempt.is_active)
        return; /* it failed and was answered; the rest of the body is of no use */
    cyc_buf_splice(&stream->pending, body);
    stream->is_pending_end = is_end;
    stream->pending_trailers = trailers;
    if (stream->is_ready)
        pending_send(stream);
    else if (stream->pending.bytes >= PENDING_BYTES_HIGH)
        cyc_stream_hold_client(stream, CYC_HOLD_FAR_SIDE, true);
}

static void forward_hold(struct cyc_stream *stream, uint32_t reasons, bool is_held)
{
    if (!stream->attempt.is_active)
        return;
    if (is_held)
        cyc_attempt_hold(&stream->attempt, reasons);
    else
        cyc_attempt_release(&stream->attempt, reasons);
}

/** Not an attempt whose answer is complete: it is about to end well, and its connection to be
 * reused. */
static void forward_abort(struct cyc_stream *stream)
{
    if (stream->is_source_ended)
        return;
    if (stream->attempt.is_active && stream->attempt.endpoint != NULL)
        endpoint_note(stream);
    cyc_attempt_abort(&stream->attempt);
}

const struct cyc_stream_source cyc_forward_source = {
    .start = forward_start,
    .body = forward_body,
    .hold = forward_hold,
    .abort = forward_abort,
};

/* ---- answer -------------------------------------------------------------------------------------
 */

static void forward_on_ready(struct cyc_attempt *attempt)
{
    struct cyc_stream *stream = stream_of(attempt);
    stream->is_ready = true;
    pending_send(stream);
}

static void forward_on_info(struct cyc_attempt *attempt, struct cyc_msg *head)
{
    struct cyc_stream *stream = stream_of(attempt);
    if (stream->cs != NULL && stream->exchange.req->version_minor > 0)
        stream->cs->codec->vt->send_info(stream->cs, head);
}

static void forward_on_head(struct cyc_attempt *attempt, struct cyc_msg *head, bool is_end)
{
    struct cyc_stream *stream = stream_of(attempt);

    endpoint_note(stream);
    stream->exchange.first_byte_ns = stream->progress_ns = stream->worker->io->clock.now_ns;
    stream->can_replay = false;
    stream->is_source_ended = is_end;
    cyc_buf_clear(&stream->replay);
    attempt->cs->can_splice = stream->chain.wants_body[CYC_DIR_RESPONSE] == 0;
    cyc_stream_push_head(stream, head, is_end);
}

static void forward_on_body(struct cyc_attempt *attempt, struct cyc_buf *body, bool is_end,
                            struct cyc_msg *trailers)
{
    struct cyc_stream *stream = stream_of(attempt);
    stream->is_source_ended = is_end;
    cyc_stream_push_body(stream, body, is_end, trailers);
}

static void forward_on_room(struct cyc_attempt *attempt)
{
    cyc_stream_hold_client(stream_of(attempt), CYC_HOLD_FAR_SIDE, false);
}

static void forward_on_done(struct cyc_attempt *attempt)
{
    (void)attempt; /* the stream ends with the client's side */
}

static bool may_try_again(const struct cyc_stream *stream, enum cyc_fail why, bool may_replay)
{
    const struct cyc_retry_conf *retry = &stream->route->retry;
    bool was_sent = why != CYC_FAIL_UPSTREAM_CONNECT && why != CYC_FAIL_CONNECT_TIMEOUT;

    if (stream->is_answer_pushed || !cyc_fail_info(why)->is_retryable)
        return false;
    if (!was_sent)
        return retry->on_connect && stream->tries_left > 0;
    if (!stream->can_replay)
        return false;
    return may_replay ? !stream->has_replayed : retry->on_reset && stream->tries_left > 0;
}

/** Puts the body that was already sent in front of the body that was not. */
static void replay_restore(struct cyc_stream *stream)
{
    cyc_buf_splice(&stream->replay, &stream->pending);
    cyc_buf_splice(&stream->pending, &stream->replay);
}

static void forward_on_fail(struct cyc_attempt *attempt, enum cyc_fail why, bool may_replay)
{
    struct cyc_stream *stream = stream_of(attempt);
    const struct cyc_endpoint *failed = attempt->endpoint;

    if (attempt->endpoint != NULL)
        endpoint_note(stream);
    if (!may_try_again(stream, why, may_replay)) {
        cyc_stream_fail(stream, why);
        return;
    }
    if (may_replay)
        stream->has_replayed = true;
    else
        stream->tries_left--;
    replay_restore(stream);
    attempt_start(stream, may_replay ? NULL : failed);
}

const struct cyc_attempt_vt cyc_forward_attempt_vt = {
    .on_ready = forward_on_ready,
    .on_info = forward_on_info,
    .on_head = forward_on_head,
    .on_body = forward_on_body,
    .on_room = forward_on_room,
    .on_done = forward_on_done,
    .on_fail = forward_on_fail,
};
