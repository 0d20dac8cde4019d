/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of an attempt:
 *
 *   start -> [waits] -> [connects] -> leased: head sent -> [on_ready, body] -> answer -> done
 *     `---------`------------`-------------------`---------------------`-----------------> failed
 *
 * Events arrive from the codec while it is on the stack; they go straight up, but for the last one:
 * the lease ends when the codec has returned, and on_done or on_fail follow. So whoever starts the
 * next attempt from there finds the connection of this one in the pool.
 */
#include "upstream/attempt.h"

#include "base/assert.h"
#include "upstream/cluster_state.h"
#include "upstream/pool.h"
#include "upstream/upstream_conn.h"

static const struct cyc_lease_vt attempt_lease_vt;

static struct cyc_wheel *wheel_of(const struct cyc_attempt *attempt)
{
    return attempt->cluster->upstreams->env.io->wheel;
}

/* ---- the end --------------------------------------------------------------------------------- */

/** Leaves everything it was in. Idle afterwards. */
static void attempt_close(struct cyc_attempt *attempt, bool is_failed)
{
    struct cyc_cluster *cluster = attempt->cluster;

    cyc_assert(attempt->is_active);
    cyc_assert(attempt->conn == NULL);
    cyc_pool_unwait(attempt);
    cyc_list_remove(&attempt->link);
    cyc_timer_cancel(&attempt->timer);
    attempt->cs = NULL;
    attempt->is_active = false;
    if (attempt->endpoint != NULL)
        cyc_endpoint_leave(attempt->endpoint, is_failed);
    else
        cyc_stat_add(cluster->upstreams->env.stats, cluster->slots.fails, is_failed);
    cyc_assert(cluster->attempt_count > 0);
    cluster->attempt_count--;
    if (CYC_UNLIKELY(cluster->is_dropped))
        cluster->upstreams->is_reap_due = true;
}

static void event_write(const struct cyc_attempt *attempt, enum cyc_fail why)
{
    struct cyc_log *log = attempt->cluster->upstreams->env.log;
    struct cyc_span name = attempt->cluster->name, text = cyc_attempt_endpoint_text(attempt);

    if (why == CYC_FAIL_NO_ENDPOINT)
        cyc_event(log, CYC_EVENT_ENDPOINTS_EMPTY, "%.*s", (int)name.len, name.ptr);
    else if (why == CYC_FAIL_UPSTREAM_PROTOCOL)
        cyc_event(log, CYC_EVENT_UPSTREAM_PROTOCOL_ERROR, "%.*s of %.*s", (int)text.len, text.ptr,
                  (int)name.len, name.ptr);
}

/** Once the answer is complete a failure of the rest of the request is nobody's concern. */
static void attempt_report(struct cyc_attempt *attempt, enum cyc_fail why, bool may_replay)
{
    bool is_failed = why != CYC_FAIL_NONE && !attempt->is_answer_ended;

    attempt_close(attempt, is_failed);
    if (is_failed) {
        event_write(attempt, why);
        attempt->vt->on_fail(attempt, why, may_replay);
    } else {
        attempt->vt->on_done(attempt);
    }
}

static void attempt_on_end(struct cyc_attempt *attempt, enum cyc_fail why, bool may_replay)
{
    attempt->cs = NULL;
    if (!attempt->is_calling) {
        attempt_report(attempt, why, may_replay);
        return;
    }
    attempt->start_fail = why;
    attempt->is_done_due = true;
    cyc_upstreams_add_due(attempt->cluster->upstreams, attempt);
}

/** From a timer. */
static void attempt_time_out(struct cyc_attempt *attempt, enum cyc_fail why)
{
    struct cyc_upstream_conn *uc = cyc_take(attempt->conn);
    struct cyc_codec_stream *cs = cyc_take(attempt->cs);

    if (cs != NULL)
        cs->codec->vt->reset(cs, why);
    if (uc != NULL)
        cyc_pool_discard(uc);
    attempt_report(attempt, why, false);
}

static void attempt_on_timer(struct cyc_timer *timer)
{
    struct cyc_attempt *attempt = cyc_container_of(timer, struct cyc_attempt, timer);

    attempt_time_out(attempt,
                     attempt->is_waiting ? CYC_FAIL_POOL_TIMEOUT : CYC_FAIL_FIRST_BYTE_TIMEOUT);
}

static void attempt_on_due(struct cyc_attempt *attempt)
{
    if (attempt->is_done_due || attempt->start_fail != CYC_FAIL_NONE) {
        attempt_report(attempt, attempt->start_fail, false);
    } else if (attempt->is_ready_due) {
        attempt->is_ready_due = false;
        attempt->vt->on_ready(attempt);
    }
}

/* ---- the start ------------------------------------------------------------------------------- */

static void fail_later(struct cyc_attempt *attempt, enum cyc_fail why)
{
    attempt->start_fail = why;
    cyc_upstreams_add_due(attempt->cluster->upstreams, attempt);
}

/** The connection is ours: sends the head. */
static void attempt_on_lease(struct cyc_attempt *attempt)
{
    struct cyc_upstream_conn *uc = attempt->conn;
    struct cyc_codec *codec = uc->codec;
    struct cyc_codec_stream *cs = codec->vt->open(codec, attempt, attempt->arena);

    if (CYC_UNLIKELY(cs == NULL)) {
        attempt->conn = NULL;
        cyc_pool_discard(uc);
        fail_later(attempt, CYC_FAIL_NO_MEMORY);
        return;
    }
    attempt->cs = cs;
    attempt->head_sent_ns = attempt->cluster->upstreams->env.io->clock.now_ns;
    codec->vt->send_head(cs, attempt->head, attempt->is_end);
    if (CYC_UNLIKELY(attempt->holds != 0))
        codec->vt->hold(cs, attempt->holds);
    cyc_conn_mark_dirty(&uc->conn);
    if (attempt->first_byte_ms > 0)
        cyc_timer_set(wheel_of(attempt), &attempt->timer, attempt->first_byte_ms);
    if (!attempt->is_end) {
        attempt->is_ready_due = true;
        cyc_upstreams_add_due(attempt->cluster->upstreams, attempt);
    }
}

/** @return false when this endpoint has neither an idle connection nor room for one */
static bool attempt_try(struct cyc_attempt *attempt, struct cyc_endpoint *endpoint)
{
    if (CYC_LIKELY(cyc_pool_try_lease(endpoint, attempt) != NULL)) {
        attempt_on_lease(attempt);
        return true;
    }
    return cyc_pool_connect(endpoint, attempt);
}

static bool attempt_try_any(struct cyc_attempt *attempt, const struct cyc_endpoint *avoid)
{
    struct cyc_cluster *cluster = attempt->cluster;

    if (CYC_UNLIKELY(cluster->waiting_count > 0))
        return false; /* first come, first served */
    if (CYC_LIKELY(attempt_try(attempt, cluster->lb->pick(&cluster->set, avoid))))
        return true;
    struct cyc_endpoint *endpoint = cyc_pool_find_room(cluster);
    return endpoint != NULL && attempt_try(attempt, endpoint);
}

void cyc_attempt_init(struct cyc_attempt *attempt, const struct cyc_attempt_vt *vt)
{
    *attempt = (struct cyc_attempt){.vt = vt, .lease_vt = &attempt_lease_vt};
    cyc_timer_init(&attempt->timer, attempt_on_timer);
    cyc_list_init(&attempt->link);
}

void cyc_attempt_start(struct cyc_attempt *attempt, struct cyc_cluster *cluster,
                       const struct cyc_attempt_request *request)
{
    cyc_assert(!attempt->is_active);
    cyc_assert(!attempt->is_calling);

    attempt->cluster = cluster;
    attempt->endpoint = NULL;
    attempt->arena = request->arena;
    attempt->head = request->head;
    attempt->is_end = attempt->is_request_ended = request->is_end;
    attempt->first_byte_ms = request->first_byte_ms;
    attempt->head_sent_ns = 0;
    attempt->holds = 0;
    attempt->is_active = true;
    attempt->has_head = attempt->is_answer_ended = attempt->was_reused = false;
    attempt->is_ready_due = attempt->is_done_due = false;
    attempt->start_fail = CYC_FAIL_NONE;
    cluster->attempt_count++;
    bool has_endpoint = cluster->set.count > 0;
    if (CYC_UNLIKELY(!has_endpoint && !cluster->is_unresolved))
        fail_later(attempt, CYC_FAIL_NO_ENDPOINT);
    else if (!(has_endpoint && attempt_try_any(attempt, request->avoid)) &&
             !cyc_pool_wait(cluster, attempt))
        fail_later(attempt, CYC_FAIL_POOL_FULL);
}

/* ---- calls while it runs --------------------------------------------------------------------- */

bool cyc_attempt_send_body(struct cyc_attempt *attempt, struct cyc_buf *body, bool is_end,
                           struct cyc_msg *trailers)
{
    struct cyc_codec_stream *cs = attempt->cs;
    struct cyc_upstream_conn *uc = attempt->conn;
    struct cyc_buf none = {0};
    bool has_room = true;

    if (body == NULL)
        body = &none;
    if (CYC_UNLIKELY(cs == NULL)) {
        cyc_buf_clear(body);
        return true;
    }
    attempt->is_calling = true;
    attempt->is_request_ended = is_end;
    if (trailers == NULL || body->bytes > 0)
        has_room = cs->codec->vt->send_body(cs, body, is_end && trailers == NULL);
    if (trailers != NULL)
        cs->codec->vt->send_trailers(cs, trailers);
    if (!attempt->has_head && attempt->first_byte_ms > 0)
        cyc_timer_set(wheel_of(attempt), &attempt->timer, attempt->first_byte_ms);
    cyc_conn_mark_dirty(&uc->conn);
    cyc_pool_settle(uc);
    attempt->is_calling = false;
    return has_room;
}

void cyc_attempt_hold(struct cyc_attempt *attempt, uint32_t reasons)
{
    struct cyc_codec_stream *cs = attempt->cs;

    attempt->holds |= reasons;
    if (cs == NULL)
        return;
    cs->codec->vt->hold(cs, reasons);
    cyc_pool_settle(attempt->conn);
}

void cyc_attempt_release(struct cyc_attempt *attempt, uint32_t reasons)
{
    struct cyc_codec_stream *cs = attempt->cs;

    attempt->holds &= ~reasons;
    if (cs == NULL)
        return;
    cs->codec->vt->release(cs, reasons);
    cyc_pool_settle(attempt->conn);
}

void cyc_attempt_abort(struct cyc_attempt *attempt)
{
    if (!attempt->is_active)
        return;
    struct cyc_upstream_conn *uc = cyc_take(attempt->conn);
    struct cyc_codec_stream *cs = cyc_take(attempt->cs);
    bool is_complete = attempt->is_request_ended && attempt->is_answer_ended;

    /* Complete, and the codec has not said so yet: we are inside the answer's last event. */
    if (cs != NULL && is_complete)
        cs->owner = NULL;
    else if (cs != NULL)
        cs->codec->vt->reset(cs, CYC_FAIL_CLIENT_GONE);
    attempt_close(attempt, false);
    if (uc != NULL)
        cyc_pool_abandon(uc, is_complete);
}

struct cyc_span cyc_attempt_endpoint_text(const struct cyc_attempt *attempt)
{
    return attempt->endpoint != NULL ? attempt->endpoint->text : (struct cyc_span){NULL, 0};
}

/* ---- events of the codec --------------------------------------------------------------------- */

static void attempt_on_info(struct cyc_codec_stream *cs, struct cyc_msg *head)
{
    struct cyc_attempt *attempt = cs->owner;
    attempt->vt->on_info(attempt, head);
}

static void attempt_on_head(struct cyc_codec_stream *cs, struct cyc_msg *head, bool is_end)
{
    struct cyc_attempt *attempt = cs->owner;

    cyc_timer_cancel(&attempt->timer);
    attempt->has_head = true;
    attempt->is_answer_ended = is_end;
    if ((head->tokens_seen >> CYC_TOKEN_KEEP_ALIVE & 1) != 0)
        cyc_upstream_conn_note_keep_alive(attempt->conn, head);
    attempt->vt->on_head(attempt, head, is_end);
}

static void attempt_on_body(struct cyc_codec_stream *cs, struct cyc_buf *body, bool is_end)
{
    struct cyc_attempt *attempt = cs->owner;

    attempt->is_answer_ended = is_end;
    attempt->vt->on_body(attempt, body, is_end, NULL);
}

static void attempt_on_trailers(struct cyc_codec_stream *cs, struct cyc_msg *trailers)
{
    struct cyc_attempt *attempt = cs->owner;
    struct cyc_buf none;

    cyc_buf_init(&none, attempt->conn->conn.out.pool);
    attempt->is_answer_ended = true;
    attempt->vt->on_body(attempt, &none, true, trailers);
}

static void attempt_on_room(struct cyc_codec_stream *cs)
{
    struct cyc_attempt *attempt = cs->owner;
    if (attempt != NULL)
        attempt->vt->on_room(attempt);
}

/** The last event: reported when the codec has returned. */
static void attempt_on_reset(struct cyc_codec_stream *cs, enum cyc_fail why, bool can_answer)
{
    struct cyc_attempt *attempt = cs->owner;
    struct cyc_upstream_conn *uc = cs->codec->owner;
    (void)can_answer;

    uc->fail = why;
    if (attempt != NULL)
        attempt->cs = NULL;
}

static void attempt_on_gone(struct cyc_codec_stream *cs)
{
    struct cyc_attempt *attempt = cs->owner;
    struct cyc_upstream_conn *uc = cs->codec->owner;

    uc->is_gone = true;
    if (attempt != NULL)
        attempt->cs = NULL;
}

static void attempt_on_wish(struct cyc_codec *codec)
{
    (void)codec; /* cyc_pool_settle looks at the wishes after every call on the codec */
}

static const struct cyc_lease_vt attempt_lease_vt = {
    .events =
        {
            .on_info = attempt_on_info,
            .on_head = attempt_on_head,
            .on_body = attempt_on_body,
            .on_trailers = attempt_on_trailers,
            .on_room = attempt_on_room,
            .on_reset = attempt_on_reset,
            .on_gone = attempt_on_gone,
            .on_wish = attempt_on_wish,
        },
    .on_lease = attempt_on_lease,
    .on_end = attempt_on_end,
    .on_due = attempt_on_due,
};
