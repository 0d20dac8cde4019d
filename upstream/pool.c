/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who gets which connection, and what happens on it.
 *
 *                      attempt ----- wants one -----.
 *                         |                         v
 *      idle? ---yes---> lease            room? --yes--> connect --ok--> lease
 *        no ------------------------------^ no -> wait (FIFO, bounded, timed)
 *
 *   lease ends well -> first waiting attempt, or idle (bounded per endpoint and worker), or closed
 *   a connection is closed -> there is room: connect for the first waiting attempt
 *
 * Events of the codec only note how an exchange ended; the lease ends when the codec has returned
 * (cyc_pool_settle). So nobody leases a connection while bytes of the last answer are being parsed,
 * and bytes that came after that answer are seen before anybody could take them for his own.
 */
#include "upstream/pool.h"

#include "base/assert.h"
#include "upstream/cluster_state.h"
#include "upstream/upstream_conn.h"

static struct cyc_upstreams *upstreams_of(const struct cyc_upstream_conn *uc)
{
    return uc->endpoint->cluster->upstreams;
}

static struct cyc_stats_block *stats_of(const struct cyc_upstream_conn *uc)
{
    return upstreams_of(uc)->env.stats;
}

/* ---- leasing --------------------------------------------------------------------------------- */

static void attempt_bind(struct cyc_attempt *attempt, struct cyc_endpoint *endpoint)
{
    attempt->endpoint = endpoint;
    cyc_endpoint_enter(endpoint);
}

/** Makes the two know each other; the state is LEASED or about to be. */
static void conn_lease(struct cyc_upstream_conn *uc, struct cyc_attempt *attempt)
{
    cyc_assert(uc->fail == CYC_FAIL_NONE && !uc->is_gone);

    attempt->was_reused = uc->state != CYC_UPSTREAM_CONNECTING;
    if (uc->state != CYC_UPSTREAM_LEASED)
        cyc_upstream_conn_set_state(uc, CYC_UPSTREAM_LEASED);
    uc->attempt = attempt;
    attempt->conn = uc;
    cyc_stat_add(stats_of(uc), uc->endpoint->slots.reused, attempt->was_reused);
    uc->request_count++;
}

struct cyc_upstream_conn *cyc_pool_try_lease(struct cyc_endpoint *endpoint,
                                             struct cyc_attempt *attempt)
{
    struct cyc_list *idle = &endpoint->conns[CYC_UPSTREAM_IDLE];

    if (cyc_list_is_empty(idle))
        return NULL;
    struct cyc_upstream_conn *uc =
        cyc_container_of(idle->next, struct cyc_upstream_conn, state_link);
    attempt_bind(attempt, endpoint);
    conn_lease(uc, attempt);
    return uc;
}

static bool endpoint_may_open(const struct cyc_endpoint *endpoint)
{
    return cyc_endpoint_conn_count(endpoint) < endpoint->cluster->pool.max_per_endpoint;
}

struct cyc_endpoint *cyc_pool_find_room(struct cyc_cluster *cluster)
{
    const struct cyc_lb_set *set = &cluster->set;

    for (uint32_t i = 0; i < set->count; i++) {
        if (++cluster->room_turn >= set->count)
            cluster->room_turn = 0;
        struct cyc_endpoint *endpoint = set->endpoints[cluster->room_turn];
        if (endpoint->conn_counts[CYC_UPSTREAM_IDLE] > 0 || endpoint_may_open(endpoint))
            return endpoint;
    }
    return NULL;
}

/* ---- waiting --------------------------------------------------------------------------------- */

bool cyc_pool_wait(struct cyc_cluster *cluster, struct cyc_attempt *attempt)
{
    struct cyc_upstreams *upstreams = cluster->upstreams;

    cyc_assert(!attempt->is_waiting);
    if (cluster->waiting_count >= cluster->pool.max_pending)
        return false;
    attempt->is_waiting = true;
    cluster->waiting_count++;
    cyc_list_add_back(&cluster->waiting, &attempt->link);
    cyc_stat_add(upstreams->env.stats, cluster->slots.pending, 1);
    cyc_timer_set(upstreams->env.io->wheel, &attempt->timer, cluster->pool.pending_timeout_ms);
    return true;
}

void cyc_pool_unwait(struct cyc_attempt *attempt)
{
    struct cyc_cluster *cluster = attempt->cluster;

    if (!attempt->is_waiting)
        return;
    cyc_assert(cluster->waiting_count > 0);
    attempt->is_waiting = false;
    cluster->waiting_count--;
    cyc_list_remove(&attempt->link);
    cyc_stat_sub(cluster->upstreams->env.stats, cluster->slots.pending, 1);
    cyc_timer_cancel(&attempt->timer);
}

/** Takes the one that has waited longest out of the queue, or answers NULL. */
static struct cyc_attempt *waiting_take(struct cyc_cluster *cluster)
{
    if (cluster->waiting_count == 0)
        return NULL;
    struct cyc_attempt *attempt = cyc_container_of(cluster->waiting.next, struct cyc_attempt, link);
    cyc_pool_unwait(attempt);
    return attempt;
}

void cyc_pool_fail_waiting(struct cyc_cluster *cluster, enum cyc_fail why)
{
    struct cyc_attempt *attempt;

    while ((attempt = waiting_take(cluster)) != NULL) {
        attempt->start_fail = why;
        cyc_upstreams_add_due(cluster->upstreams, attempt);
    }
}

void cyc_pool_serve(struct cyc_cluster *cluster)
{
    struct cyc_endpoint *endpoint;

    while (cluster->waiting_count > 0 && (endpoint = cyc_pool_find_room(cluster)) != NULL) {
        struct cyc_attempt *attempt = waiting_take(cluster);
        if (cyc_pool_try_lease(endpoint, attempt) != NULL)
            attempt->lease_vt->on_lease(attempt);
        else
            cyc_pool_connect(endpoint, attempt);
    }
}

/* ---- the way back ---------------------------------------------------------------------------- */

static struct cyc_upstream_conn *oldest_idle_of_endpoint(struct cyc_endpoint *endpoint)
{
    return cyc_container_of(endpoint->conns[CYC_UPSTREAM_IDLE].previous, struct cyc_upstream_conn,
                            state_link);
}

static struct cyc_upstream_conn *oldest_idle(struct cyc_upstreams *upstreams)
{
    return cyc_container_of(upstreams->idle.next, struct cyc_upstream_conn, idle_link);
}

/** A usable connection without an attempt: to the first that waits, or into the pool. */
static void conn_offer(struct cyc_upstream_conn *uc)
{
    struct cyc_endpoint *endpoint = uc->endpoint;
    struct cyc_upstreams *upstreams = upstreams_of(uc);

    cyc_upstream_conn_apply_wishes(uc); /* a read is armed from here on */
    struct cyc_attempt *attempt = waiting_take(endpoint->cluster);
    if (attempt != NULL) {
        attempt_bind(attempt, endpoint);
        conn_lease(uc, attempt);
        attempt->lease_vt->on_lease(attempt);
        return;
    }
    if (CYC_UNLIKELY(!upstreams->is_pooling)) {
        cyc_upstream_conn_close(uc);
        return;
    }
    cyc_upstream_conn_set_state(uc, CYC_UPSTREAM_IDLE);
    if (endpoint->conn_counts[CYC_UPSTREAM_IDLE] > endpoint->cluster->pool.max_idle)
        cyc_upstream_conn_close(oldest_idle_of_endpoint(endpoint));
    else if (upstreams->idle_count > upstreams->idle_count_max)
        cyc_upstream_conn_close(oldest_idle(upstreams));
}

void cyc_pool_put(struct cyc_upstream_conn *uc)
{
    cyc_assert(uc->state == CYC_UPSTREAM_LEASED);
    cyc_assert(uc->attempt == NULL && !uc->is_busy);

    if (!cyc_upstream_conn_is_keepable(uc)) {
        if (CYC_UNLIKELY(uc->codec->wants_shutdown))
            cyc_upstream_conn_close_after_send(uc); /* a tunnel: its last bytes are still here */
        else
            cyc_upstream_conn_close(uc);
        return;
    }
    uc->is_gone = false;
    conn_offer(uc);
}

void cyc_pool_discard(struct cyc_upstream_conn *uc)
{
    cyc_upstream_conn_close(uc);
}

/** The exchange is over, one way or the other: gives the connection back, then tells the attempt.
 */
static void lease_end(struct cyc_upstream_conn *uc)
{
    struct cyc_attempt *attempt = cyc_take(uc->attempt);
    enum cyc_fail why = uc->fail;
    bool is_stale = attempt != NULL && attempt->was_reused && why == CYC_FAIL_UPSTREAM_RESET &&
                    !uc->codec->has_answer_begun;

    cyc_stat_add(stats_of(uc), uc->endpoint->slots.stale, is_stale);
    if (why == CYC_FAIL_NONE)
        cyc_pool_put(uc);
    else
        cyc_pool_discard(uc);
    if (attempt != NULL) {
        attempt->conn = NULL;
        attempt->lease_vt->on_end(attempt, why, is_stale);
    }
}

/** The attempt left in the belief that its exchange was complete, and then it was not. */
static void lease_orphaned(struct cyc_upstream_conn *uc)
{
    if (uc->codec->stream_count > 0)
        uc->codec->vt->abort(uc->codec, CYC_FAIL_UPSTREAM_RESET);
    cyc_pool_discard(uc);
}

void cyc_pool_settle(struct cyc_upstream_conn *uc)
{
    if (uc->is_busy || uc->state != CYC_UPSTREAM_LEASED)
        return;
    if (uc->fail != CYC_FAIL_NONE || uc->is_gone)
        lease_end(uc);
    else if (CYC_UNLIKELY(uc->attempt == NULL))
        lease_orphaned(uc);
    else
        cyc_upstream_conn_apply_wishes(uc);
}

void cyc_pool_abandon(struct cyc_upstream_conn *uc, bool is_complete)
{
    cyc_assert(uc->state == CYC_UPSTREAM_CONNECTING || uc->state == CYC_UPSTREAM_LEASED);

    uc->attempt = NULL;
    if (uc->state == CYC_UPSTREAM_CONNECTING && !uc->endpoint->is_removed &&
        !upstreams_of(uc)->is_closing)
        return; /* it will find another use */
    if (is_complete)
        cyc_pool_settle(uc);
    else
        cyc_pool_discard(uc);
}

/* ---- events of a connection ------------------------------------------------------------------ */

static struct cyc_upstream_conn *uc_of(struct cyc_conn *conn)
{
    return cyc_container_of(conn, struct cyc_upstream_conn, conn);
}

/** After the codec has been given something: what came of it. */
static void codec_returned(struct cyc_upstream_conn *uc, enum cyc_fail fail)
{
    if (CYC_UNLIKELY(fail != CYC_FAIL_NONE) && uc->state == CYC_UPSTREAM_LEASED) {
        if (uc->is_gone)
            uc->is_spoiled = true; /* the answer was whole; what followed it was not */
        else if (uc->fail == CYC_FAIL_NONE)
            uc->codec->vt->abort(uc->codec, fail);
        if (!uc->is_gone && uc->fail == CYC_FAIL_NONE)
            uc->fail = fail;
    }
    uc->is_busy = false;
    cyc_pool_settle(uc);
}

static void conn_on_read(struct cyc_conn *conn, struct cyc_buf *in)
{
    struct cyc_upstream_conn *uc = uc_of(conn);
    struct cyc_codec *codec = uc->codec;
    enum cyc_fail fail;
    size_t left_bytes;

    cyc_stat_add(stats_of(uc), uc->endpoint->slots.received_bytes, in->bytes - uc->left_bytes);
    if (CYC_UNLIKELY(uc->state != CYC_UPSTREAM_LEASED)) {
        cyc_upstream_conn_close(uc); /* nobody asked: a 408, or an attack on the next request */
        return;
    }
    uc->is_busy = true;
    do {
        left_bytes = in->bytes;
        fail = codec->vt->feed(codec, in);
    } while (fail == CYC_FAIL_NONE && CYC_UNLIKELY(codec->wants_feed) && !codec->is_read_held &&
             in->bytes > 0 && in->bytes < left_bytes && uc->state == CYC_UPSTREAM_LEASED);
    uc->left_bytes = in->bytes;
    codec_returned(uc, fail);
}

static void conn_on_eof(struct cyc_conn *conn)
{
    struct cyc_upstream_conn *uc = uc_of(conn);

    if (uc->state != CYC_UPSTREAM_LEASED) {
        cyc_upstream_conn_close(uc);
        return;
    }
    uc->is_busy = true;
    codec_returned(uc, uc->codec->vt->feed_end(uc->codec));
}

static void conn_on_error(struct cyc_conn *conn, int error)
{
    struct cyc_upstream_conn *uc = uc_of(conn);
    (void)error;

    if (uc->state != CYC_UPSTREAM_LEASED) {
        cyc_upstream_conn_close(uc);
        return;
    }
    bool has_begun = uc->codec->has_answer_begun;
    uc->is_busy = true;
    codec_returned(uc, has_begun ? CYC_FAIL_UPSTREAM_TRUNCATED : CYC_FAIL_UPSTREAM_RESET);
}

static void conn_on_sent(struct cyc_conn *conn, size_t bytes)
{
    struct cyc_upstream_conn *uc = uc_of(conn);

    cyc_stat_add(stats_of(uc), uc->endpoint->slots.sent_bytes, bytes);
    uc->is_busy = true;
    uc->codec->vt->sent(uc->codec, bytes);
    codec_returned(uc, CYC_FAIL_NONE);
}

static void connect_fail(struct cyc_upstream_conn *uc, enum cyc_fail why, const char *text)
{
    struct cyc_attempt *attempt = cyc_take(uc->attempt);
    const struct cyc_endpoint *endpoint = uc->endpoint;

    cyc_stat_add(stats_of(uc), endpoint->slots.connect_fails, 1);
    cyc_event(upstreams_of(uc)->env.log, CYC_EVENT_UPSTREAM_CONNECT_FAILED, "%.*s of %.*s: %s",
              (int)endpoint->text.len, endpoint->text.ptr, (int)endpoint->cluster->name.len,
              endpoint->cluster->name.ptr, text);
    cyc_upstream_conn_close(uc);
    if (attempt != NULL) {
        attempt->conn = NULL;
        attempt->lease_vt->on_end(attempt, why, false);
    }
}

static void conn_on_connected(struct cyc_conn *conn, int error)
{
    struct cyc_upstream_conn *uc = uc_of(conn);
    struct cyc_attempt *attempt = uc->attempt;

    cyc_assert(uc->state == CYC_UPSTREAM_CONNECTING);
    if (error < 0) {
        connect_fail(uc, CYC_FAIL_UPSTREAM_CONNECT, strerror(-error));
        return;
    }
    cyc_stat_add(stats_of(uc), uc->endpoint->slots.connects, 1);
    cyc_conn_resume(conn);
    if (attempt != NULL) {
        conn_lease(uc, attempt);
        attempt->lease_vt->on_lease(attempt);
    } else if (uc->endpoint->is_removed || upstreams_of(uc)->is_closing) {
        cyc_upstream_conn_close(uc);
    } else {
        conn_offer(uc);
    }
}

static void conn_on_closed(struct cyc_conn *conn)
{
    struct cyc_upstream_conn *uc = uc_of(conn);
    struct cyc_endpoint *endpoint = uc->endpoint;

    cyc_upstream_conn_free(uc);
    if (CYC_UNLIKELY(endpoint->is_removed)) {
        endpoint->cluster->upstreams->is_reap_due = true;
        return;
    }
    /* Mostly one: more when opening fails at once, which reports itself and leaves the room. */
    while (endpoint->cluster->waiting_count > 0 && endpoint_may_open(endpoint))
        cyc_pool_connect(endpoint, waiting_take(endpoint->cluster));
}

static void conn_on_timer(struct cyc_timer *timer)
{
    struct cyc_upstream_conn *uc = cyc_container_of(timer, struct cyc_upstream_conn, timer);

    if (uc->state == CYC_UPSTREAM_CONNECTING)
        connect_fail(uc, CYC_FAIL_CONNECT_TIMEOUT, "timed out");
    else if (uc->state != CYC_UPSTREAM_LEASED)
        cyc_upstream_conn_close(uc);
    /* LEASED: armed for a state that has passed. */
}

static const struct cyc_conn_vt pool_conn_vt = {
    .on_read = conn_on_read,
    .on_eof = conn_on_eof,
    .on_error = conn_on_error,
    .on_sent = conn_on_sent,
    .on_connected = conn_on_connected,
    .on_closed = conn_on_closed,
};

bool cyc_pool_connect(struct cyc_endpoint *endpoint, struct cyc_attempt *attempt)
{
    struct cyc_upstream_conn_handler handler = {
        .vt = &pool_conn_vt,
        .events = &attempt->lease_vt->events,
        .on_timer = conn_on_timer,
    };

    if (!endpoint_may_open(endpoint))
        return false;
    attempt_bind(attempt, endpoint);
    attempt->conn = cyc_upstream_conn_open(endpoint, &handler, &attempt->start_fail);
    if (attempt->conn != NULL)
        attempt->conn->attempt = attempt;
    else
        cyc_upstreams_add_due(endpoint->cluster->upstreams, attempt);
    return true;
}
