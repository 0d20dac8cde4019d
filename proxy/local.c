/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/local.h"

#include "filters/reply.h"
#include "proxy/health.h"

/* A request body up to here is read and dropped rather than answered early. */
#define DRAIN_BYTES_MAX (64 * 1024)

static void answer_health(struct cyc_stream *stream, struct cyc_buf *body)
{
    struct cyc_exchange *exchange = &stream->exchange;
    uint32_t status = cyc_health_answer(stream->worker->shared, exchange->req->path,
                                        exchange->env->clock->wall_ns, body);
    struct cyc_msg *res =
        cyc_reply_head(exchange, status, CYC_SPAN("application/json"), body->bytes);
    cyc_stream_answer(stream, res, body);
}

static void answer_fixed(struct cyc_stream *stream, struct cyc_buf *body)
{
    const struct cyc_route *route = stream->route;

    cyc_buf_append(body, route->respond_body);
    struct cyc_msg *res = cyc_reply_head(&stream->exchange, route->respond_status,
                                         route->respond_content_type, body->bytes);
    cyc_stream_answer(stream, res, body);
}

static void local_answer(struct cyc_stream *stream)
{
    struct cyc_buf body;

    cyc_buf_init(&body, &stream->worker->pool);
    stream->exchange.is_local = true;
    if (stream->exchange.fail != CYC_FAIL_NONE)
        cyc_stream_fail(stream, stream->exchange.fail);
    else if (stream->route->kind == CYC_ROUTE_KIND_HEALTH)
        answer_health(stream, &body);
    else if (stream->route->kind == CYC_ROUTE_KIND_RESPOND)
        answer_fixed(stream, &body);
    else
        cyc_stream_fail(stream, stream->route->fail);
}

/** An answer before the end of the request costs the connection; a short body is read first. */
static bool is_worth_waiting(const struct cyc_stream *stream, const struct cyc_msg *req)
{
    return stream->exchange.fail == CYC_FAIL_NONE && !req->expects_continue &&
           req->body == CYC_BODY_LENGTH && req->body_bytes <= DRAIN_BYTES_MAX;
}

static void local_start(struct cyc_stream *stream, struct cyc_msg *req, bool is_end)
{
    if (is_end || !is_worth_waiting(stream, req))
        local_answer(stream);
}

static void local_body(struct cyc_stream *stream, struct cyc_buf *body, bool is_end,
                       struct cyc_msg *trailers)
{
    (void)trailers;
    cyc_buf_clear(body); /* of no interest */
    if (is_end && !stream->is_answer_pushed)
        local_answer(stream);
}

static void local_hold(struct cyc_stream *stream, uint32_t reasons, bool is_held)
{
    (void)stream, (void)reasons, (void)is_held; /* everything was pushed at once, and is small */
}

static void local_abort(struct cyc_stream *stream)
{
    (void)stream;
}

const struct cyc_stream_source cyc_local_source = {
    .start = local_start,
    .body = local_body,
    .hold = local_hold,
    .abort = local_abort,
};
