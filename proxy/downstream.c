/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clocks of a client connection. One timer serves them all: when it fires it looks at what the
 * connection waits for and since when (`wait_ns`), and either ends it or sleeps until that wait
 * would be over.
 *
 *   waits for         since                     limit                        ends with
 *   first/next head   last answer, or accept    timeouts.idle                close
 *   rest of a head    its first byte            timeouts.header, min. rate   408
 *   body bytes        last read                 timeouts.body_idle           408 / cut
 *   the client to     last bytes taken          timeouts.write_idle          cut
 *     take bytes
 *   the service       (the stream's own timer: the route's timeout)
 */
#include "proxy/downstream.h"

#include "base/assert.h"
#include "proxy/stream.h"

#include <errno.h>
#include <string.h>

/* An answer is buffered up to here before the upstream is held (security.md: 64 KiB per stream). */
#define OUT_BYTES_HIGH (64 * 1024)
/* A tunnel with no byte in either direction for so long is over; WebSocket pings come far more
 * often. */
#define TUNNEL_IDLE_MS (60 * 60 * 1000)
/* ... and once one side has said its last, so long: a side that went away looks the same. */
#define TUNNEL_HALF_IDLE_MS (60 * 1000)
/* A head that trickles: so long in any case, then as long as its bytes come at this rate. */
#define HEAD_GRACE_MS 2000
#define HEAD_BYTES_PER_S_MIN 500
/* Bytes of an answer that a closing connection may still take its time for. */
#define LINGER_MS 5000
/* What a connection that has asked nothing yet gets when its listener closes. */
#define LAST_CALL_MS 1000

static const struct cyc_conn_vt downstream_vt;

static struct cyc_codec *codec_of(struct cyc_downstream *d)
{
    return &d->h1.codec;
}

static struct cyc_worker *worker_of(const struct cyc_downstream *d)
{
    return d->listener->worker;
}

struct cyc_codec_limits cyc_downstream_limits(const struct cyc_listener_spec *spec)
{
    struct cyc_codec_limits limits = {
        .head_bytes_max = 32 * 1024,
        .field_count_max = 100,
        .uri_bytes_max = 8 * 1024,
        .out_bytes_high = OUT_BYTES_HIGH,
    };
    if (spec != NULL) {
        limits.head_bytes_max = spec->conf->max_header_bytes;
        limits.field_count_max = spec->conf->max_header_count;
        limits.uri_bytes_max = spec->conf->max_uri_bytes;
    }
    return limits;
}

/* ---- what it waits for ----------------------------------------------------------------------- */

enum wait_kind {
    WAIT_NOTHING,
    WAIT_IDLE,
    WAIT_HEAD,
    WAIT_BODY,
    WAIT_WRITE,
    WAIT_TUNNEL,
    WAIT_LINGER
};

static enum wait_kind wait_kind(struct cyc_downstream *d)
{
    struct cyc_codec *codec = codec_of(d);

    if (d->is_closing)
        return WAIT_LINGER;
    if (d->is_tunnel)
        return WAIT_TUNNEL;
    if (d->conn.out.bytes > 0)
        return WAIT_WRITE;
    if (codec->is_head_begun)
        return WAIT_HEAD;
    if (codec->stream_count == 0)
        return WAIT_IDLE;
    if (d->stream != NULL && !d->stream->is_request_ended && !codec->is_read_held)
        return WAIT_BODY;
    return WAIT_NOTHING;
}

static bool is_half_closed(const struct cyc_downstream *d)
{
    return d->conn.is_eof || (d->stream != NULL && d->stream->is_source_ended);
}

static uint32_t wait_limit_ms(struct cyc_downstream *d, enum wait_kind kind)
{
    const struct cyc_listener_conf *conf = d->listener->spec->conf;

    switch (kind) {
    case WAIT_IDLE: /* who connects and says nothing has no more time than who says it slowly */
        if (d->listener->is_removed)
            return LAST_CALL_MS;
        return d->request_count > 0 ? conf->idle_timeout_ms : conf->header_timeout_ms;
    case WAIT_HEAD: {
        uint32_t paid_ms = HEAD_GRACE_MS + d->head_bytes * 1000 / HEAD_BYTES_PER_S_MIN;
        return paid_ms < conf->header_timeout_ms ? paid_ms : conf->header_timeout_ms;
    }
    case WAIT_BODY:
        return conf->body_idle_timeout_ms;
    case WAIT_WRITE:
        return conf->write_idle_timeout_ms;
    case WAIT_TUNNEL:
        return is_half_closed(d) ? TUNNEL_HALF_IDLE_MS : TUNNEL_IDLE_MS;
    case WAIT_LINGER:
        return LINGER_MS;
    case WAIT_NOTHING:
        break;
    }
    return conf->idle_timeout_ms; /* look again then */
}

static void wait_over(struct cyc_downstream *d, enum wait_kind kind)
{
    switch (kind) {
    case WAIT_IDLE:
        codec_of(d)->vt->drain(codec_of(d));
        break;
    case WAIT_HEAD:
        cyc_stream_refuse(d->stream, CYC_FAIL_HEAD_TIMEOUT);
        break;
    case WAIT_BODY:
        cyc_stream_refuse(d->stream, CYC_FAIL_BODY_TIMEOUT);
        break;
    case WAIT_WRITE:
    case WAIT_TUNNEL:
        cyc_downstream_abort(d, CYC_FAIL_CLIENT_STALLED);
        break;
    case WAIT_LINGER:
        cyc_conn_close(&d->conn);
        break;
    case WAIT_NOTHING:
        break;
    }
}

static void timer_fire(struct cyc_timer *timer)
{
    struct cyc_downstream *d = cyc_container_of(timer, struct cyc_downstream, timer);
    struct cyc_io *io = d->conn.io;
    enum wait_kind kind = wait_kind(d);
    uint64_t limit_ms = wait_limit_ms(d, kind);
    uint64_t waited_ms = (io->clock.now_ns - d->wait_ns) / CYC_NS_PER_MS;

    if (waited_ms >= limit_ms) {
        wait_over(d, kind);
        d->wait_ns = io->clock.now_ns;
        waited_ms = 0;
        limit_ms = wait_limit_ms(d, wait_kind(d));
    }
    cyc_timer_set(io->wheel, timer, limit_ms - waited_ms);
}

/** A new wait begins now. (Moving an armed timer later is one store: net/timer.h.) Waiting for
 * bytes to leave turns into being idle without a call here, so the timer looks no later than that
 * allows. */
static void wait_begin(struct cyc_downstream *d)
{
    struct cyc_io *io = d->conn.io;
    uint32_t idle_ms = d->listener->spec->conf->idle_timeout_ms;
    uint32_t limit_ms = wait_limit_ms(d, wait_kind(d));

    d->wait_ns = io->clock.now_ns;
    cyc_timer_set(io->wheel, &d->timer, limit_ms < idle_ms ? limit_ms : idle_ms);
}

/* ---- the connection's events ------------------------------------------------------------------
 */

static void downstream_on_read(struct cyc_conn *conn, struct cyc_buf *in)
{
    struct cyc_downstream *d = cyc_container_of(conn, struct cyc_downstream, conn);
    struct cyc_codec *codec = codec_of(d);
    bool was_head_begun = codec->is_head_begun;
    uint32_t head_bytes = (was_head_begun ? d->head_bytes : 0) + (uint32_t)in->bytes;

    codec->wants_feed = false;
    codec->vt->feed(codec, in);
    d->head_bytes = head_bytes;
    if (!was_head_begun || !codec->is_head_begun)
        wait_begin(d); /* a head that trickles keeps the time of its first byte */
}

static void downstream_on_eof(struct cyc_conn *conn)
{
    struct cyc_downstream *d = cyc_container_of(conn, struct cyc_downstream, conn);
    struct cyc_codec *codec = codec_of(d);

    /* A tunnel may half-close. Anybody else who stops sending before the answer is there has, in
     * all likelihood, gone: the service is told, as nginx and Envoy do. */
    if (!d->is_tunnel || d->is_closing) {
        cyc_downstream_abort(d, CYC_FAIL_CLIENT_GONE);
        return;
    }
    codec->vt->feed_end(codec);
    wait_begin(d);
}

static void downstream_on_error(struct cyc_conn *conn, int error)
{
    struct cyc_downstream *d = cyc_container_of(conn, struct cyc_downstream, conn);
    (void)error;
    cyc_downstream_abort(d, CYC_FAIL_CLIENT_GONE);
}

static void downstream_on_sent(struct cyc_conn *conn, size_t bytes)
{
    struct cyc_downstream *d = cyc_container_of(conn, struct cyc_downstream, conn);
    struct cyc_codec *codec = codec_of(d);

    d->wait_ns = conn->io->clock.now_ns;
    if (d->stream != NULL)
        d->stream->progress_ns = d->wait_ns;
    codec->vt->sent(codec, bytes);
    if (CYC_UNLIKELY(!conn->is_reading) && conn->out.bytes < OUT_BYTES_HIGH)
        codec->events->on_wish(codec); /* perhaps it was held until now */
}

static void downstream_on_closed(struct cyc_conn *conn)
{
    struct cyc_downstream *d = cyc_container_of(conn, struct cyc_downstream, conn);
    struct cyc_worker *worker = worker_of(d);
    struct cyc_listener *listener = d->listener;

    cyc_assert(d->stream == NULL);
    codec_of(d)->vt->fini(codec_of(d));
    cyc_timer_cancel(&d->timer);
    cyc_list_remove(&d->link);
    cyc_list_remove(&d->wish_link);
    cyc_slab_put(&worker->downstream_slab, d);
    cyc_stat_sub(worker->stats, worker->slots->connections_active, 1);
    listener->on_connection_closed(listener);
}

static const struct cyc_conn_vt downstream_vt = {
    .on_read = downstream_on_read,
    .on_eof = downstream_on_eof,
    .on_error = downstream_on_error,
    .on_sent = downstream_on_sent,
    .on_closed = downstream_on_closed,
};

/* ---- its life ---------------------------------------------------------------------------------
 */

static void peer_note(struct cyc_downstream *d)
{
    const struct cyc_listener_conf *conf = d->listener->spec->conf;
    char text[CYC_ADDR_TEXT_BYTES_MAX];
    uint8_t ip[16];

    if (cyc_io_peer_addr(d->conn.io, d->conn.fd, &d->peer) < 0)
        d->peer.len = 0;
    size_t len = cyc_addr_format_ip(&d->peer, text);
    d->client_ip_len = (uint8_t)(len < sizeof(d->client_ip) ? len : sizeof(d->client_ip));
    memcpy(d->client_ip, text, d->client_ip_len);
    d->is_trusted = cyc_addr_ip_bytes(&d->peer, ip) &&
                    cyc_cidrs_contain(conf->trusted_proxies, conf->trusted_proxy_count, ip);
}

bool cyc_downstream_open(struct cyc_listener *listener, int fd)
{
    struct cyc_worker *worker = listener->worker;
    struct cyc_downstream *d = cyc_slab_get(&worker->downstream_slab);

    if (d == NULL) {
        cyc_io_close(worker->io, fd);
        cyc_stat_add(worker->stats, worker->slots->connections_refused, 1);
        return false;
    }
    struct cyc_codec_limits limits = cyc_downstream_limits(listener->spec);
    limits.date = &worker->date;
    cyc_conn_init(&d->conn, &downstream_vt, worker->io, &worker->flush, fd);
    cyc_h1_init(
        &d->h1, CYC_ROLE_SERVER,
        &(struct cyc_codec_setup){&cyc_stream_events, &d->conn.out, &worker->io->clock, &limits});
    d->h1.codec.owner = d;
    d->conn.opaque_bytes = &d->h1.codec.opaque_bytes;
    d->listener = listener;
    d->stream = NULL;
    d->open_ns = d->wait_ns = worker->io->clock.now_ns;
    d->is_closing = d->is_tunnel = false;
    d->request_count = d->head_bytes = 0;
    cyc_timer_init(&d->timer, timer_fire);
    cyc_list_add_back(&worker->downstreams, &d->link);
    cyc_list_init(&d->wish_link);
    peer_note(d);
    cyc_timer_set(worker->io->wheel, &d->timer, wait_limit_ms(d, WAIT_IDLE));
    cyc_conn_resume(&d->conn);
    cyc_stat_add(worker->stats, worker->slots->connections_active, 1);
    cyc_stat_add(worker->stats, worker->slots->connections_total, 1);
    return true;
}

void cyc_downstream_drain(struct cyc_downstream *d)
{
    if (d->is_closing)
        return;
    if (d->request_count == 0)
        wait_begin(d);
    else
        codec_of(d)->vt->drain(codec_of(d));
}

void cyc_downstream_abort(struct cyc_downstream *d, enum cyc_fail why)
{
    codec_of(d)->vt->abort(codec_of(d), why);
    d->is_closing = true;
    if (codec_of(d)->is_cut)
        cyc_conn_reset(&d->conn);
    else
        cyc_conn_close(&d->conn);
}

/** Everything was answered, or nothing more can be: bytes still queued go out first, unless the
 * answer was cut and must not look complete. */
static void downstream_close(struct cyc_downstream *d)
{
    if (d->is_closing)
        return;
    d->is_closing = true;
    d->wait_ns = d->conn.io->clock.now_ns;
    if (codec_of(d)->is_cut)
        cyc_conn_reset(&d->conn);
    else
        cyc_conn_close_after_send(&d->conn);
    cyc_timer_set(d->conn.io->wheel, &d->timer, LINGER_MS);
}

/** A client that goes on asking and takes no answers gets no more of them: the rest of its
 *  requests stays in the kernel. */
static bool is_next_request_held(struct cyc_downstream *d)
{
    const struct cyc_codec *codec = codec_of(d);

    return d->conn.out.bytes >= OUT_BYTES_HIGH &&
           (codec->stream_count == 0 || codec->is_head_begun);
}

void cyc_downstream_settle(struct cyc_downstream *d)
{
    struct cyc_codec *codec = codec_of(d);

    if (d->is_closing)
        return;
    if (d->conn.out.bytes > 0)
        cyc_conn_mark_dirty(&d->conn);
    if (codec->wants_close && codec->stream_count == 0) {
        downstream_close(d);
        return;
    }
    if (codec->wants_shutdown)
        cyc_conn_shutdown(&d->conn);
    if (codec->is_read_held || is_next_request_held(d))
        cyc_conn_pause(&d->conn);
    else if (codec->wants_feed || !d->conn.is_reading)
        cyc_conn_resume(&d->conn);
    if (!codec->is_head_begun) /* a head's clock runs from its first byte: downstream_on_read */
        wait_begin(d);
}
