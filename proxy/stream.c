/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/stream.h"

#include "base/assert.h"
#include "filters/reply.h"
#include "proxy/forward.h"
#include "proxy/health.h"
#include "proxy/local.h"
#include "proxy/trust.h"

#include <string.h>

/* Body bytes that may wait between the two sides in one direction before the sender is held. */
#define CHAIN_BYTES_HIGH (64 * 1024)
/* Body that waits for an upstream connection. */
#define PENDING_BYTES_HIGH (64 * 1024)
/* A request body that comes slower than this on average has only the route's timeout. */
#define BODY_BYTES_PER_S_MIN 240

static const struct cyc_chain_ends stream_ends;

static struct cyc_stream *stream_of(struct cyc_codec_stream *cs)
{
    return cs->owner;
}

/* ---- birth and death ---------------------------------------------------------------------------
 */

static void stream_timer_fire(struct cyc_timer *timer);

static bool stream_on_open(struct cyc_codec_stream *cs)
{
    struct cyc_downstream *d = cs->codec->owner;
    struct cyc_worker *worker = d->listener->worker;
    struct cyc_stream *stream = cyc_slab_get(&worker->stream_slab);

    if (stream == NULL) {
        cyc_stat_add(worker->stats, worker->slots->streams_refused, 1);
        return false;
    }
    memset(stream, 0, offsetof(struct cyc_stream, first_block));
    cyc_arena_init(&stream->arena, &worker->mem, CYC_MEM_STREAMS, stream->first_block,
                   CYC_STREAM_ARENA_BYTES);
    stream->worker = worker;
    stream->downstream = d;
    stream->cs = cs;
    stream->listener = d->listener->spec;
    stream->view = d->listener->is_removed ? d->listener->view : worker->view;
    stream->exchange = (struct cyc_exchange){
        .env = &worker->filter_env,
        .arena = &stream->arena,
        .client = &d->peer,
        .client_ip = cyc_span_of(d->client_ip, d->client_ip_len),
        .is_client_trusted = d->is_trusted,
        .start_ns = worker->io->clock.now_ns,
    };
    cyc_buf_init(&stream->pending, &worker->pool);
    cyc_buf_init(&stream->replay, &worker->pool);
    cyc_timer_init(&stream->timer, stream_timer_fire);
    cyc_list_init(&stream->link);
    cyc_attempt_init(&stream->attempt, &cyc_forward_attempt_vt);
    cyc_view_pin(stream->view);
    d->stream = stream;
    d->request_count++;
    cs->owner = stream;
    cs->arena = &stream->arena;
    cyc_stat_add(worker->stats, worker->slots->requests_active, 1);
    return true;
}

/** The one way out. The codec must already have forgotten the exchange, or be told by the caller.
 */
static void stream_end(struct cyc_stream *stream)
{
    if (stream->is_ended)
        return;
    stream->is_ended = true;
    stream->cs = NULL;
    stream->exchange.end_ns = stream->worker->io->clock.now_ns;
    if (stream->source != NULL)
        stream->source->abort(stream);
    cyc_timer_cancel(&stream->timer);
    if (stream->route != NULL)
        cyc_chain_finish(&stream->chain);
    if (stream->downstream->stream == stream)
        stream->downstream->stream = NULL;
    cyc_list_add_back(&stream->worker->ended, &stream->link);
}

void cyc_streams_reap(struct cyc_worker *worker)
{
    struct cyc_list *link;

    while ((link = cyc_list_take_front(&worker->ended)) != NULL) {
        struct cyc_stream *stream = cyc_container_of(link, struct cyc_stream, link);
        cyc_assert(stream->route == NULL || stream->chain.is_finished);
        cyc_attempt_abort(&stream->attempt);
        cyc_view_unpin(stream->view);
        cyc_buf_clear(&stream->pending);
        cyc_buf_clear(&stream->replay);
        cyc_arena_fini(&stream->arena);
        cyc_slab_put(&worker->stream_slab, stream);
        cyc_stat_sub(worker->stats, worker->slots->requests_active, 1);
    }
}

/** Cuts the client's side: nothing more can be said on it. */
static void stream_cut(struct cyc_stream *stream, enum cyc_fail why)
{
    struct cyc_codec_stream *cs = stream->cs;

    if (stream->exchange.fail == CYC_FAIL_NONE)
        stream->exchange.fail = why;
    if (cs != NULL)
        cs->codec->vt->reset(cs, why);
    stream_end(stream);
}

/* ---- the request comes in ----------------------------------------------------------------------
 */

static const struct cyc_route *route_find(const struct cyc_listener_spec *spec,
                                          const struct cyc_msg *req)
{
    if (CYC_UNLIKELY(spec->health_route != NULL && cyc_health_is_path(req->path)) &&
        (spec->health == CYC_HEALTH_ALWAYS || !cyc_route_claims_path(spec->table, req)))
        return spec->health_route;
    const struct cyc_route *route = cyc_route_match(spec->table, req);
    return route != NULL ? route : spec->default_route;
}

static const struct cyc_stream_source *source_of(const struct cyc_route *route)
{
    switch (route->kind) {
    case CYC_ROUTE_KIND_CLUSTER:
        return &cyc_forward_source;
    case CYC_ROUTE_KIND_DEMO:
        return &cyc_demo_source;
    case CYC_ROUTE_KIND_RESPOND:
    case CYC_ROUTE_KIND_FAIL:
    case CYC_ROUTE_KIND_HEALTH:
        break;
    }
    return &cyc_local_source;
}

/** From here on the request has a route, and with it a chain that logs and counts it. */
static void stream_enter(struct cyc_stream *stream, const struct cyc_route *route)
{
    struct cyc_exchange *exchange = &stream->exchange;
    struct cyc_worker *worker = stream->worker;

    stream->route = route;
    stream->source = source_of(route);
    stream->tries_left = route->retry.attempts;
    exchange->route_name = route->name;
    exchange->listener_name = stream->listener->conf->name;
    if (route->kind == CYC_ROUTE_KIND_CLUSTER)
        exchange->cluster_name = stream->view->snapshot->clusters[route->cluster_index].conf->name;
    exchange->head_ns = stream->progress_ns = worker->io->clock.now_ns;
    cyc_chain_init(&stream->chain, &(struct cyc_chain_setup){
                                       .entries = route->entries,
                                       .entry_count = route->entry_count,
                                       .exchange = exchange,
                                       .pool = &worker->pool,
                                       .ends = &stream_ends,
                                       .owner = stream,
                                       .high_bytes = CHAIN_BYTES_HIGH,
                                   });
    if (route->timeout_ms > 0)
        cyc_timer_set(worker->io->wheel, &stream->timer, route->timeout_ms);
}

/** Over the limit by what the head says? */
static bool body_is_too_large(const struct cyc_stream *stream, const struct cyc_route *route,
                              uint64_t bytes)
{
    uint64_t bytes_max = route->max_body_bytes;

    if (bytes_max == UINT64_MAX)
        bytes_max = stream->listener->conf->max_body_bytes;
    return bytes_max > 0 && bytes > bytes_max;
}

/** A refused request goes through the chain like any other, so that it is logged and counted; what
 * is at the far end answers with the failure. */
static void stream_enter_refused(struct cyc_stream *stream, const struct cyc_route *route,
                                 enum cyc_fail why)
{
    struct cyc_exchange *exchange = &stream->exchange;

    exchange->fail = why;
    if (exchange->req == NULL)
        exchange->req = cyc_reply_blank_request(exchange);
    stream_enter(stream, route);
    stream->source = &cyc_local_source;
    cyc_chain_push_request(&stream->chain, exchange->req, NULL, true, NULL);
}

static void drain_if_due(struct cyc_stream *stream)
{
    struct cyc_codec *codec = stream->cs->codec;
    const struct cyc_listener_conf *conf = stream->listener->conf;
    struct cyc_downstream *d = stream->downstream;
    uint64_t age_ms = (stream->worker->io->clock.now_ns - d->open_ns) / CYC_NS_PER_MS;

    if (stream->worker->phase != CYC_WORKER_RUNNING || d->listener->is_removed ||
        (conf->max_requests > 0 && d->request_count >= conf->max_requests) ||
        (conf->max_age_ms > 0 && age_ms >= conf->max_age_ms))
        codec->vt->drain(codec);
}

static void stream_on_head(struct cyc_codec_stream *cs, struct cyc_msg *head, bool is_end)
{
    struct cyc_stream *stream = stream_of(cs);

    stream->exchange.req = head;
    stream->is_head_end = stream->is_request_ended = is_end;
    if (!stream->listener->is_demo) /* it plays the service, not the gateway */
        cyc_trust_apply(stream, head);
    drain_if_due(stream);
    const struct cyc_route *route = route_find(stream->listener, head);
    if (head->body == CYC_BODY_LENGTH && body_is_too_large(stream, route, head->body_bytes)) {
        stream->is_refused = true;
        stream_enter_refused(stream, route, CYC_FAIL_BODY_TOO_LARGE);
        return;
    }
    stream_enter(stream, route);
    cyc_chain_push_request(&stream->chain, head, NULL, is_end, NULL);
}

static void stream_on_body(struct cyc_codec_stream *cs, struct cyc_buf *body, bool is_end)
{
    struct cyc_stream *stream = stream_of(cs);

    stream->exchange.received_bytes += body->bytes;
    stream->is_request_ended = is_end;
    stream->progress_ns = stream->worker->io->clock.now_ns;
    if (stream->is_refused)
        return;
    if (body_is_too_large(stream, stream->route, stream->exchange.received_bytes) &&
        !stream->downstream->is_tunnel) {
        cyc_stream_refuse(stream, CYC_FAIL_BODY_TOO_LARGE);
        return;
    }
    cyc_chain_push_request(&stream->chain, NULL, body, is_end, NULL);
}

static void stream_on_trailers(struct cyc_codec_stream *cs, struct cyc_msg *trailers)
{
    struct cyc_stream *stream = stream_of(cs);
    stream->is_request_ended = true;
    if (!stream->is_refused)
        cyc_chain_push_request(&stream->chain, NULL, NULL, true, trailers);
}

static void stream_on_room(struct cyc_codec_stream *cs)
{
    struct cyc_stream *stream = stream_of(cs);
    stream->source->hold(stream, CYC_HOLD_FAR_SIDE, false);
}

static void stream_on_reset(struct cyc_codec_stream *cs, enum cyc_fail why, bool can_answer)
{
    struct cyc_stream *stream = stream_of(cs);

    if (can_answer) {
        cyc_stream_refuse(stream, why);
        return;
    }
    stream->cs = NULL;
    if (stream->exchange.fail == CYC_FAIL_NONE)
        stream->exchange.fail = why;
    stream_end(stream);
}

static void stream_on_gone(struct cyc_codec_stream *cs)
{
    stream_end(stream_of(cs));
}

static void stream_on_wish(struct cyc_codec *codec)
{
    struct cyc_downstream *d = codec->owner;
    if (!cyc_list_is_linked(&d->wish_link))
        cyc_list_add_back(&d->listener->worker->wishes, &d->wish_link);
}

const struct cyc_codec_events cyc_stream_events = {
    .on_open = stream_on_open,
    .on_head = stream_on_head,
    .on_body = stream_on_body,
    .on_trailers = stream_on_trailers,
    .on_room = stream_on_room,
    .on_reset = stream_on_reset,
    .on_gone = stream_on_gone,
    .on_wish = stream_on_wish,
};

/* ---- the request leaves the chain --------------------------------------------------------------
 */

static void end_request_head(void *owner, struct cyc_msg *req, bool is_end)
{
    struct cyc_stream *stream = owner;
    stream->source->start(stream, req, is_end);
}

static void end_request_body(void *owner, struct cyc_buf *body, bool is_end,
                             struct cyc_msg *trailers)
{
    struct cyc_stream *stream = owner;
    stream->source->body(stream, body, is_end, trailers);
}

static void end_abort_request(void *owner)
{
    struct cyc_stream *stream = owner;

    stream->source->abort(stream);
    if (!stream->chain.is_replied) /* the answer had gone too far for the filter's to replace it */
        stream_cut(stream, CYC_FAIL_INTERNAL);
}

static void end_pressure(void *owner, enum cyc_filter_dir dir, bool is_high)
{
    struct cyc_stream *stream = owner;

    if (dir == CYC_DIR_RESPONSE)
        stream->source->hold(stream, CYC_HOLD_CHAIN, is_high);
    else
        cyc_stream_hold_client(stream, CYC_HOLD_CHAIN, is_high);
}

void cyc_stream_hold_client(struct cyc_stream *stream, uint32_t reasons, bool is_held)
{
    struct cyc_codec_stream *cs = stream->cs;

    if (cs == NULL)
        return;
    if (is_held)
        cs->codec->vt->hold(cs, reasons);
    else
        cs->codec->vt->release(cs, reasons);
}

/* ---- the answer goes out -----------------------------------------------------------------------
 */

static void end_response_head(void *owner, struct cyc_msg *res, bool is_end)
{
    struct cyc_stream *stream = owner;
    struct cyc_codec_stream *cs = stream->cs;

    if (cs == NULL)
        return;
    stream->exchange.res = res;
    stream->exchange.status = res->status;
    stream->is_answer_begun = true;
    stream->downstream->is_tunnel = res->body == CYC_BODY_TUNNEL;
    if (!stream->listener->is_demo)
        cyc_msg_add_known(res, CYC_TOKEN_VIA, CYC_SPAN("1.1 cyclone"));
    cs->codec->vt->send_head(cs, res, is_end);
}

static void end_response_body(void *owner, struct cyc_buf *body, bool is_end,
                              struct cyc_msg *trailers)
{
    struct cyc_stream *stream = owner;
    struct cyc_codec_stream *cs = stream->cs;

    if (cs == NULL)
        return;
    stream->exchange.sent_bytes += body->bytes;
    stream->progress_ns = stream->worker->io->clock.now_ns;
    if (trailers == NULL) {
        if (!cs->codec->vt->send_body(cs, body, is_end) && !is_end)
            stream->source->hold(stream, CYC_HOLD_FAR_SIDE, true);
        return;
    }
    if (body->bytes > 0)
        cs->codec->vt->send_body(cs, body, false);
    cs->codec->vt->send_trailers(cs, trailers);
}

static const struct cyc_chain_ends stream_ends = {
    .request_head = end_request_head,
    .request_body = end_request_body,
    .response_head = end_response_head,
    .response_body = end_response_body,
    .abort_request = end_abort_request,
    .pressure = end_pressure,
};

void cyc_stream_push_head(struct cyc_stream *stream, struct cyc_msg *res, bool is_end)
{
    if (stream->is_ended)
        return;
    stream->is_answer_pushed = true;
    cyc_chain_push_response(&stream->chain, res, NULL, is_end, NULL);
}

void cyc_stream_push_body(struct cyc_stream *stream, struct cyc_buf *body, bool is_end,
                          struct cyc_msg *trailers)
{
    if (!stream->is_ended)
        cyc_chain_push_response(&stream->chain, NULL, body, is_end, trailers);
}

void cyc_stream_answer(struct cyc_stream *stream, struct cyc_msg *res, struct cyc_buf *body)
{
    bool is_empty = res->body == CYC_BODY_NONE || body->bytes == 0;

    cyc_stream_push_head(stream, res, is_empty);
    if (!is_empty)
        cyc_stream_push_body(stream, body, true, NULL);
    cyc_buf_clear(body);
}

/* ---- failures ----------------------------------------------------------------------------------
 */

/** The answer of a failure, pushed through the chain like any other. */
static void stream_answer_failure(struct cyc_stream *stream, enum cyc_fail why)
{
    struct cyc_buf body;

    cyc_buf_init(&body, &stream->worker->pool);
    stream->exchange.fail = why;
    stream->exchange.is_local = true;
    cyc_stream_answer(stream, cyc_reply_fail(&stream->exchange, why, &body), &body);
}

void cyc_stream_fail(struct cyc_stream *stream, enum cyc_fail why)
{
    if (stream->is_ended || stream->chain.is_replied)
        return;
    if (stream->is_answer_pushed || cyc_fail_info(why)->status == 0)
        stream_cut(stream, why);
    else
        stream_answer_failure(stream, why);
}

void cyc_stream_refuse(struct cyc_stream *stream, enum cyc_fail why)
{
    if (stream == NULL || stream->is_ended)
        return;
    stream->is_refused = true;
    if (stream->route == NULL) {
        stream_enter_refused(stream, stream->listener->default_route, why);
        return;
    }
    stream->source->abort(stream);
    stream->source = &cyc_local_source;
    cyc_stream_fail(stream, why);
}

/** How long this wait may last, in ms from the last byte that moved; 0 when it is over. Only a
 * service that does nothing runs into the limit: bytes that wait for the client have the client's
 * clock (downstream.c), and a request that is still arriving may take its time, at a minimum rate.
 */
static uint64_t patience_ms(const struct cyc_stream *stream)
{
    uint64_t now_ns = stream->worker->io->clock.now_ns;
    uint64_t limit_ms = stream->route->timeout_ms;
    uint64_t still_ms = (now_ns - stream->progress_ns) / CYC_NS_PER_MS;
    uint64_t age_ms = (now_ns - stream->exchange.head_ns) / CYC_NS_PER_MS;
    uint64_t paid_ms = stream->exchange.received_bytes * 1000 / BODY_BYTES_PER_S_MIN;

    if (stream->is_answer_begun && stream->downstream->conn.out.bytes > 0)
        return limit_ms;
    if (still_ms >= limit_ms)
        return 0;
    bool is_arriving = !stream->is_request_ended && !stream->is_answer_begun;
    return is_arriving && age_ms >= limit_ms + paid_ms ? 0 : limit_ms - still_ms;
}

/** The route's timeout. Neither a request that arrives nor an answer that flows is cut. */
static void stream_timer_fire(struct cyc_timer *timer)
{
    struct cyc_stream *stream = cyc_container_of(timer, struct cyc_stream, timer);

    if (stream->downstream->is_tunnel)
        return; /* a tunnel has its own clock, in the downstream */
    uint64_t more_ms = patience_ms(stream);
    if (more_ms > 0) {
        cyc_timer_set(stream->worker->io->wheel, timer, more_ms);
        return;
    }
    stream->source->abort(stream);
    cyc_stream_fail(stream, CYC_FAIL_REQUEST_TIMEOUT);
}
