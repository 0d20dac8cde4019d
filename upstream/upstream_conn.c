/* SPDX-License-Identifier: Apache-2.0 */
#include "upstream/upstream_conn.h"

#include "base/assert.h"
#include "upstream/cluster_state.h"

/* What a Keep-Alive hint may say; more is as good as nothing. */
#define KEEP_ALIVE_S_MAX (24 * 3600)
/* How long the last bytes of a tunnel may take to leave. */
#define LINGER_MS 5000

static struct cyc_upstreams *upstreams_of(const struct cyc_upstream_conn *uc)
{
    return uc->endpoint->cluster->upstreams;
}

/* ---- state ----------------------------------------------------------------------------------- */

#define MAY(s) (1u << (s))
static const uint8_t state_moves[CYC_UPSTREAM_STATE_COUNT] = {
    [CYC_UPSTREAM_CONNECTING] =
        MAY(CYC_UPSTREAM_LEASED) | MAY(CYC_UPSTREAM_IDLE) | MAY(CYC_UPSTREAM_CLOSING),
    [CYC_UPSTREAM_IDLE] = MAY(CYC_UPSTREAM_LEASED) | MAY(CYC_UPSTREAM_CLOSING),
    [CYC_UPSTREAM_LEASED] = MAY(CYC_UPSTREAM_IDLE) | MAY(CYC_UPSTREAM_CLOSING),
    [CYC_UPSTREAM_CLOSING] = 0,
};

static uint32_t idle_timeout_ms(const struct cyc_upstream_conn *uc)
{
    uint32_t conf_ms = uc->endpoint->cluster->pool.idle_timeout_ms;
    return uc->idle_ms_max < conf_ms ? uc->idle_ms_max : conf_ms;
}

static void idle_enter(struct cyc_upstream_conn *uc)
{
    struct cyc_upstreams *upstreams = upstreams_of(uc);

    cyc_list_add_back(&upstreams->idle, &uc->idle_link);
    upstreams->idle_count++;
    cyc_stat_add(upstreams->env.stats, uc->endpoint->slots.idle, 1);
    cyc_timer_set(upstreams->env.io->wheel, &uc->timer, idle_timeout_ms(uc));
}

static void idle_leave(struct cyc_upstream_conn *uc)
{
    struct cyc_upstreams *upstreams = upstreams_of(uc);

    cyc_assert(upstreams->idle_count > 0);
    cyc_list_remove(&uc->idle_link);
    upstreams->idle_count--;
    cyc_stat_sub(upstreams->env.stats, uc->endpoint->slots.idle, 1);
}

static void state_enter(struct cyc_upstream_conn *uc, enum cyc_upstream_state to)
{
    struct cyc_endpoint *endpoint = uc->endpoint;

    uc->state = (uint8_t)to;
    cyc_list_add_front(&endpoint->conns[to], &uc->state_link);
    endpoint->conn_counts[to]++;
    if (to == CYC_UPSTREAM_IDLE)
        idle_enter(uc);
    else if (to == CYC_UPSTREAM_CONNECTING)
        cyc_timer_set(upstreams_of(uc)->env.io->wheel, &uc->timer,
                      endpoint->cluster->connect_timeout_ms);
    else if (to == CYC_UPSTREAM_CLOSING)
        cyc_timer_cancel(&uc->timer);
}

static void state_leave(struct cyc_upstream_conn *uc)
{
    struct cyc_endpoint *endpoint = uc->endpoint;

    cyc_assert(endpoint->conn_counts[uc->state] > 0);
    cyc_list_remove(&uc->state_link);
    endpoint->conn_counts[uc->state]--;
    if (uc->state == CYC_UPSTREAM_IDLE)
        idle_leave(uc);
}

void cyc_upstream_conn_set_state(struct cyc_upstream_conn *uc, enum cyc_upstream_state to)
{
    cyc_assert(state_moves[uc->state] & MAY(to));
    cyc_assert(to != CYC_UPSTREAM_IDLE || uc->attempt == NULL);

    state_leave(uc);
    state_enter(uc, to);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct cyc_upstream_conn *cyc_upstream_conn_open(struct cyc_endpoint *endpoint,
                                                 const struct cyc_upstream_conn_handler *handler,
                                                 enum cyc_fail *ret_fail)
{
    struct cyc_upstreams *upstreams = endpoint->cluster->upstreams;
    struct cyc_io *io = upstreams->env.io;
    struct cyc_upstream_conn *uc = cyc_slab_get(&upstreams->conns);

    if (uc == NULL) {
        *ret_fail = CYC_FAIL_NO_MEMORY;
        return NULL;
    }
    int fd = cyc_io_open(io, &endpoint->addr, &upstreams->sock_options);
    if (fd < 0) {
        cyc_slab_put(&upstreams->conns, uc);
        *ret_fail = CYC_FAIL_UPSTREAM_CONNECT;
        return NULL;
    }
    cyc_conn_init(&uc->conn, handler->vt, io, upstreams->env.flush, fd);
    cyc_h1_init(
        &uc->h1, CYC_ROLE_CLIENT,
        &(struct cyc_codec_setup){handler->events, &uc->conn.out, &io->clock, &upstreams->limits});
    uc->codec = &uc->h1.codec;
    uc->codec->owner = uc;
    uc->conn.opaque_bytes = &uc->codec->opaque_bytes;
    uc->endpoint = endpoint;
    uc->attempt = NULL;
    cyc_list_init(&uc->state_link);
    cyc_list_init(&uc->idle_link);
    cyc_timer_init(&uc->timer, handler->on_timer);
    uc->created_ns = io->clock.now_ns;
    uc->request_count = 0;
    uc->idle_ms_max = UINT32_MAX;
    uc->left_bytes = 0;
    uc->fail = CYC_FAIL_NONE;
    uc->is_busy = uc->is_gone = uc->is_spoiled = false;
    state_enter(uc, CYC_UPSTREAM_CONNECTING);
    cyc_conn_connect(&uc->conn, &endpoint->addr);
    return uc;
}

void cyc_upstream_conn_close(struct cyc_upstream_conn *uc)
{
    uc->attempt = NULL;
    if (uc->state != CYC_UPSTREAM_CLOSING)
        cyc_upstream_conn_set_state(uc, CYC_UPSTREAM_CLOSING);
    cyc_conn_close(&uc->conn);
}

void cyc_upstream_conn_close_after_send(struct cyc_upstream_conn *uc)
{
    if (uc->conn.out.bytes == 0) {
        cyc_upstream_conn_close(uc);
        return;
    }
    uc->attempt = NULL;
    cyc_upstream_conn_set_state(uc, CYC_UPSTREAM_CLOSING);
    cyc_timer_set(upstreams_of(uc)->env.io->wheel, &uc->timer, LINGER_MS);
    cyc_conn_close_after_send(&uc->conn);
}

void cyc_upstream_conn_free(struct cyc_upstream_conn *uc)
{
    cyc_assert(uc->state == CYC_UPSTREAM_CLOSING);
    cyc_assert(!uc->is_busy);

    cyc_timer_cancel(&uc->timer);
    state_leave(uc);
    uc->codec->vt->fini(uc->codec);
    cyc_slab_put(&upstreams_of(uc)->conns, uc);
}

/* ---- what the codec wants -------------------------------------------------------------------- */

void cyc_upstream_conn_apply_wishes(struct cyc_upstream_conn *uc)
{
    struct cyc_codec *codec = uc->codec;
    struct cyc_conn *conn = &uc->conn;

    if (CYC_UNLIKELY(codec->is_read_held)) {
        if (conn->is_reading)
            cyc_conn_pause(conn);
    } else if (!conn->is_reading || codec->wants_feed) {
        cyc_conn_resume(conn);
    }
    if (CYC_UNLIKELY(codec->wants_shutdown) && !conn->is_shutdown_due)
        cyc_conn_shutdown(conn);
    if (conn->out.bytes > 0)
        cyc_conn_mark_dirty(conn);
}

bool cyc_upstream_conn_is_keepable(const struct cyc_upstream_conn *uc)
{
    const struct cyc_upstreams *upstreams = upstreams_of(uc);
    const struct cyc_pool_conf *pool = &uc->endpoint->cluster->pool;
    const struct cyc_conn *conn = &uc->conn;

    if (!uc->codec->is_reusable || uc->codec->wants_close || uc->left_bytes > 0)
        return false; /* bytes after the answer are nobody's: never another request's answer */
    if (uc->is_spoiled || conn->is_eof || conn->is_shutdown_due || conn->is_closing)
        return false;
    if (!upstreams->is_pooling || upstreams->is_closing || uc->endpoint->is_removed)
        return false;
    if (uc->idle_ms_max == 0 || (pool->max_requests > 0 && uc->request_count >= pool->max_requests))
        return false;
    uint64_t age_ns = upstreams->env.io->clock.now_ns - uc->created_ns;
    return pool->max_lifetime_ms == 0 || age_ns < pool->max_lifetime_ms * CYC_NS_PER_MS;
}

static void keep_alive_read(struct cyc_upstream_conn *uc, struct cyc_span value)
{
    struct cyc_span prefix = CYC_SPAN("timeout="), member;
    uint64_t seconds;

    while (cyc_span_take_member(&value, &member)) {
        struct cyc_span name = cyc_span_slice(member, 0, prefix.len);
        struct cyc_span digits = cyc_span_slice(member, prefix.len, member.len);
        if (cyc_span_equal_nocase(name, prefix) &&
            cyc_span_parse_u64(digits, KEEP_ALIVE_S_MAX, &seconds))
            uc->idle_ms_max = seconds > 0 ? (uint32_t)(seconds - 1) * 1000 : 0;
    }
}

void cyc_upstream_conn_note_keep_alive(struct cyc_upstream_conn *uc, const struct cyc_msg *head)
{
    /* A hop-by-hop field: marked as removed by the time it is seen here, but still readable. */
    for (uint32_t i = 0; i < head->field_count; i++)
        if (head->fields[i].token == CYC_TOKEN_KEEP_ALIVE)
            keep_alive_read(uc, head->fields[i].value);
}
