/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin.h"

#include "base/assert.h"
#include "base/json.h"
#include "http/h1.h"
#include "net/sock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LISTENER_COUNT_MAX 8
/* An operator, a scraper and a few probes; more is a mistake or an attack. */
#define CONNECTION_COUNT_MAX 128
/* Answers are made whole; with so much unread a connection gets the one it asked for and no other.
 */
#define OUT_BYTES_HIGH (64 * 1024)
/* Out of descriptors: try again when something may have been freed. */
#define RETRY_DELAY_MS 100
#define IDLE_TIMEOUT_MS 75000
#define HEAD_BYTES_MAX (16 * 1024)
#define ARENA_BYTES 2048

struct admin_listener {
    struct cyc_op accept;
    struct cyc_timer retry;
    struct cyc_admin *admin;
    int fd;
};

struct cyc_admin {
    struct cyc_master *master;
    struct admin_listener listeners[LISTENER_COUNT_MAX];
    uint32_t listener_count, connection_count;
    struct cyc_list connections;
    struct cyc_date_cache date;
    bool is_stopping;
};

struct admin_conn {
    struct cyc_conn conn;
    struct cyc_h1 h1;
    struct cyc_admin *admin;
    struct cyc_arena arena;
    struct cyc_timer timer;
    struct cyc_list link;
    bool is_local, is_closing;
    uint64_t first_block[ARENA_BYTES / 8];
};

static const struct cyc_admin_endpoint endpoints[] = {
    {CYC_SPAN_INIT("/health"), true, cyc_ep_health},
    {CYC_SPAN_INIT("/ready"), true, cyc_ep_health},
    {CYC_SPAN_INIT("/health/deep"), true, cyc_ep_health},
    {CYC_SPAN_INIT("/metrics"), true, cyc_ep_metrics},
    {CYC_SPAN_INIT("/config"), false, cyc_ep_config},
    {CYC_SPAN_INIT("/clusters"), false, cyc_ep_clusters},
};
#define ENDPOINT_COUNT (sizeof(endpoints) / sizeof(endpoints[0]))

void cyc_admin_print(struct cyc_admin_answer *answer, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len > 0)
        cyc_buf_append(
            &answer->body,
            cyc_span_of(text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1));
}

void cyc_admin_print_json(struct cyc_admin_answer *answer, struct cyc_span text)
{
    char out[1024];
    size_t len = cyc_json_escape(out, sizeof(out), text);

    cyc_buf_append(&answer->body, CYC_SPAN("\""));
    cyc_buf_append(&answer->body, cyc_span_of(out, len));
    cyc_buf_append(&answer->body, CYC_SPAN("\""));
}

/* ---- who may ask --------------------------------------------------------------------------------
 */

/** "localhost", or a numeric address, with or without a port. */
static bool is_this_machine(struct cyc_span authority)
{
    struct cyc_addr addr;
    size_t colon = authority.len;

    while (colon > 0 && authority.ptr[colon - 1] != ':' && authority.ptr[colon - 1] != ']')
        colon--;
    struct cyc_span host = authority;
    if (colon > 0 && authority.ptr[colon - 1] == ':')
        host = cyc_span_slice(authority, 0, colon - 1);
    if (host.len > 2 && host.ptr[0] == '[')
        host = cyc_span_slice(host, 1, host.len - 1);
    return authority.len == 0 || cyc_span_equal_nocase(host, CYC_SPAN("localhost")) ||
           cyc_addr_parse_ip(host, 0, &addr);
}

static bool may_ask(const struct admin_conn *c, const struct cyc_admin_endpoint *endpoint,
                    const struct cyc_msg *req)
{
    if (c->is_local)
        return endpoint->is_open_to_remote || is_this_machine(req->authority);
    const struct cyc_snapshot *current = c->admin->master->current;
    if (current == NULL)
        return false;
    switch (current->config->admin.remote_access) {
    case CYC_REMOTE_READ:
        return endpoint->is_open_to_remote;
    case CYC_REMOTE_NONE:
        return false;
    case CYC_REMOTE_FULL:
        break;
    }
    return true;
}

/* ---- answering ----------------------------------------------------------------------------------
 */

static void fail(struct cyc_admin_answer *answer, uint32_t status, const char *text)
{
    answer->status = status;
    answer->content_type = CYC_SPAN("application/problem+json");
    cyc_admin_print(answer, "{\"status\":%u,\"title\":\"%s\"}\n", status, text);
}

static struct cyc_span metrics_path(const struct cyc_master *master)
{
    return master->current != NULL && master->current->config->metrics.path.len > 0
               ? master->current->config->metrics.path
               : CYC_SPAN("/metrics");
}

static const struct cyc_admin_endpoint *endpoint_find(const struct cyc_master *master,
                                                      struct cyc_span path)
{
    for (size_t i = 0; i < ENDPOINT_COUNT; i++) {
        bool is_metrics = endpoints[i].answer == cyc_ep_metrics;
        if (cyc_span_equal(path, is_metrics ? metrics_path(master) : endpoints[i].path))
            return &endpoints[i];
    }
    return NULL;
}

static void answer_make(struct admin_conn *c, const struct cyc_msg *req,
                        struct cyc_admin_answer *answer)
{
    struct cyc_master *master = c->admin->master;
    const struct cyc_admin_endpoint *endpoint = endpoint_find(master, req->path);

    if (endpoint == NULL)
        fail(answer, 404,
             "no such endpoint; there are /health /ready /health/deep /metrics /config /clusters");
    else if (req->method != CYC_METHOD_GET && req->method != CYC_METHOD_HEAD)
        fail(answer, 405, "this endpoint only answers GET");
    else if (!may_ask(c, endpoint, req))
        fail(answer, 403, "not allowed from there: see admin.remote_access");
    else
        endpoint->answer(master, req, answer);
}

static void answer_send(struct cyc_codec_stream *cs, struct cyc_admin_answer *answer)
{
    const struct cyc_codec_vt *vt = cs->codec->vt;
    struct cyc_msg *res = cyc_arena_alloc(cs->arena, sizeof(*res));

    cyc_msg_init(res, cs->arena, 4);
    res->status = (uint16_t)answer->status;
    res->body = CYC_BODY_LENGTH;
    res->body_bytes = answer->body.bytes;
    res->has_length = true;
    cyc_msg_add_known(res, CYC_TOKEN_CONTENT_TYPE, answer->content_type);
    cyc_msg_add_known(res, CYC_TOKEN_CACHE_CONTROL, CYC_SPAN("no-store"));
    bool is_empty = answer->body.bytes == 0;
    vt->send_head(cs, res, is_empty);
    if (!is_empty)
        vt->send_body(cs, &answer->body, true);
    cyc_buf_clear(&answer->body);
}

static bool admin_on_open(struct cyc_codec_stream *cs)
{
    struct admin_conn *c = cs->codec->owner;
    cs->owner = c;
    cs->arena = &c->arena;
    return true;
}

static void admin_on_head(struct cyc_codec_stream *cs, struct cyc_msg *head, bool is_end)
{
    struct admin_conn *c = cs->owner;
    struct cyc_admin_answer answer = {.status = 200, .content_type = CYC_SPAN("application/json")};
    (void)is_end;

    if (c->conn.out.bytes >= OUT_BYTES_HIGH) /* it asks and does not read */
        cs->codec->vt->drain(cs->codec);
    cyc_buf_init(&answer.body, &c->admin->master->pool);
    answer_make(c, head, &answer);
    answer_send(cs, &answer);
}

static void admin_on_body(struct cyc_codec_stream *cs, struct cyc_buf *body, bool is_end)
{
    (void)cs, (void)body, (void)is_end; /* no endpoint takes one */
}

static void admin_on_trailers(struct cyc_codec_stream *cs, struct cyc_msg *trailers)
{
    (void)cs, (void)trailers;
}

static void admin_on_room(struct cyc_codec_stream *cs)
{
    (void)cs;
}

static void admin_on_reset(struct cyc_codec_stream *cs, enum cyc_fail why, bool can_answer)
{
    struct admin_conn *c = cs->owner;
    struct cyc_admin_answer answer = {0};

    if (!can_answer) {
        cyc_arena_reset(&c->arena);
        return;
    }
    cyc_buf_init(&answer.body, &c->admin->master->pool);
    fail(&answer, cyc_fail_info(why)->status, cyc_fail_info(why)->text.ptr);
    answer_send(cs, &answer);
}

static void admin_on_gone(struct cyc_codec_stream *cs)
{
    struct admin_conn *c = cs->owner;
    cyc_arena_reset(&c->arena);
}

static void conn_settle(struct admin_conn *c)
{
    struct cyc_codec *codec = &c->h1.codec;

    if (c->is_closing)
        return;
    if (c->conn.out.bytes > 0)
        cyc_conn_mark_dirty(&c->conn);
    if (codec->wants_close && codec->stream_count == 0) {
        c->is_closing = true;
        cyc_conn_close_after_send(&c->conn);
    } else if (codec->wants_feed || codec->is_read_held != !c->conn.is_reading) {
        if (codec->is_read_held)
            cyc_conn_pause(&c->conn);
        else
            cyc_conn_resume(&c->conn);
    }
    cyc_timer_set(c->conn.io->wheel, &c->timer, IDLE_TIMEOUT_MS);
}

static void admin_on_wish(struct cyc_codec *codec)
{
    (void)codec; /* settled right after each feed */
}

static const struct cyc_codec_events admin_events = {
    .on_open = admin_on_open,
    .on_head = admin_on_head,
    .on_body = admin_on_body,
    .on_trailers = admin_on_trailers,
    .on_room = admin_on_room,
    .on_reset = admin_on_reset,
    .on_gone = admin_on_gone,
    .on_wish = admin_on_wish,
};

/* ---- connections --------------------------------------------------------------------------------
 */

static void admin_on_read(struct cyc_conn *conn, struct cyc_buf *in)
{
    struct admin_conn *c = cyc_container_of(conn, struct admin_conn, conn);

    cyc_list_remove(&c->link);
    cyc_list_add_back(&c->admin->connections, &c->link); /* the front is the longest silent */
    c->h1.codec.wants_feed = false;
    c->h1.codec.vt->feed(&c->h1.codec, in);
    conn_settle(c);
}

static void conn_abort(struct admin_conn *c)
{
    c->h1.codec.vt->abort(&c->h1.codec, CYC_FAIL_CLIENT_GONE);
    c->is_closing = true;
    cyc_conn_close(&c->conn);
}

static void admin_on_eof(struct cyc_conn *conn)
{
    conn_abort(cyc_container_of(conn, struct admin_conn, conn));
}

static void admin_on_error(struct cyc_conn *conn, int error)
{
    (void)error;
    conn_abort(cyc_container_of(conn, struct admin_conn, conn));
}

static void admin_on_sent(struct cyc_conn *conn, size_t bytes)
{
    struct admin_conn *c = cyc_container_of(conn, struct admin_conn, conn);
    c->h1.codec.vt->sent(&c->h1.codec, bytes);
    conn_settle(c);
}

static void admin_on_closed(struct cyc_conn *conn)
{
    struct admin_conn *c = cyc_container_of(conn, struct admin_conn, conn);
    struct cyc_admin *admin = c->admin;

    c->h1.codec.vt->fini(&c->h1.codec);
    cyc_arena_fini(&c->arena);
    cyc_timer_cancel(&c->timer);
    cyc_list_remove(&c->link);
    cyc_mem_free(&admin->master->mem, CYC_MEM_CONNECTIONS, c, sizeof(*c));
    admin->connection_count--;
}

static const struct cyc_conn_vt admin_conn_vt = {
    .on_read = admin_on_read,
    .on_eof = admin_on_eof,
    .on_error = admin_on_error,
    .on_sent = admin_on_sent,
    .on_closed = admin_on_closed,
};

static void conn_timer_fire(struct cyc_timer *timer)
{
    conn_abort(cyc_container_of(timer, struct admin_conn, timer));
}

static void conn_open(struct cyc_admin *admin, int fd)
{
    struct cyc_master *master = admin->master;
    struct admin_conn *c = cyc_mem_zalloc(&master->mem, CYC_MEM_CONNECTIONS, sizeof(*c));
    struct cyc_codec_limits limits = {
        .head_bytes_max = HEAD_BYTES_MAX,
        .field_count_max = 100,
        .uri_bytes_max = 8192,
        .out_bytes_high = 1u << 30, /* an answer is made whole */
        .date = &admin->date,
    };
    struct cyc_addr peer;

    c->admin = admin;
    cyc_arena_init(&c->arena, &master->mem, CYC_MEM_STREAMS, c->first_block,
                   sizeof(c->first_block));
    cyc_conn_init(&c->conn, &admin_conn_vt, master->io, &master->flush, fd);
    cyc_h1_init(
        &c->h1, CYC_ROLE_SERVER,
        &(struct cyc_codec_setup){&admin_events, &c->conn.out, &master->io->clock, &limits});
    c->h1.codec.owner = c;
    c->is_local = cyc_io_peer_addr(master->io, fd, &peer) == 0 && cyc_addr_is_loopback(&peer);
    cyc_timer_init(&c->timer, conn_timer_fire);
    cyc_timer_set(master->io->wheel, &c->timer, IDLE_TIMEOUT_MS);
    cyc_list_add_back(&admin->connections, &c->link);
    admin->connection_count++;
    cyc_conn_resume(&c->conn);
}

/** Makes room for a newcomer: whoever holds connections open must not lock the probes out. */
static void longest_silent_abort(struct cyc_admin *admin)
{
    cyc_list_for_each (link, &admin->connections) {
        struct admin_conn *c = cyc_container_of(link, struct admin_conn, link);
        if (!c->conn.is_closing) {
            conn_abort(c);
            return;
        }
    }
}

static void admin_on_accept(struct cyc_op *op, int result)
{
    struct admin_listener *listener = cyc_container_of(op, struct admin_listener, accept);
    struct cyc_admin *admin = listener->admin;

    if (result >= 0) {
        if (admin->connection_count >= CONNECTION_COUNT_MAX)
            longest_silent_abort(admin);
        conn_open(admin, result);
    } else if (!admin->is_stopping) {
        cyc_timer_set(admin->master->io->wheel, &listener->retry, RETRY_DELAY_MS);
    }
}

static void retry_fire(struct cyc_timer *timer)
{
    struct admin_listener *listener = cyc_container_of(timer, struct admin_listener, retry);
    cyc_io_accept(listener->admin->master->io, &listener->accept, listener->fd, admin_on_accept);
}

/* ---- life ---------------------------------------------------------------------------------------
 */

static bool listener_open(struct cyc_admin *admin, struct cyc_span address)
{
    struct admin_listener *listener = &admin->listeners[admin->listener_count];
    struct cyc_sock_options options = {.is_nodelay = true, .backlog = 128};
    char text[CYC_ADDR_TEXT_BYTES_MAX];
    struct cyc_addr addr;
    int fd = -1;

    if (admin->listener_count < LISTENER_COUNT_MAX && cyc_addr_parse(address, &addr))
        fd = cyc_sock_listen(&addr, &options);
    if (fd < 0) {
        fprintf(stderr, "cyclone: admin cannot listen on %.*s: %s\n", (int)address.len, address.ptr,
                strerror(-fd));
        return false;
    }
    cyc_sock_local_addr(fd, &addr);
    size_t len = cyc_addr_format(&addr, text);
    cyc_event(&admin->master->log, CYC_EVENT_LISTENING, "admin on %.*s", (int)len, text);
    listener->admin = admin;
    listener->fd = fd;
    cyc_timer_init(&listener->retry, retry_fire);
    admin->listener_count++;
    cyc_io_accept(admin->master->io, &listener->accept, fd, admin_on_accept);
    return true;
}

bool cyc_admin_start(struct cyc_master *master, struct cyc_admin **ret_admin)
{
    const struct cyc_admin_conf *conf = &master->current->config->admin;

    cyc_ep_metrics_register(master);
    *ret_admin = NULL;
    if (!conf->is_enabled)
        return true;
    struct cyc_admin *admin = cyc_mem_zalloc(&master->mem, CYC_MEM_OTHER, sizeof(*admin));
    admin->master = master;
    cyc_list_init(&admin->connections);
    *ret_admin = admin;
    for (uint32_t i = 0; i < conf->address_count; i++)
        if (!listener_open(admin, conf->addresses[i]))
            return false;
    return true;
}

size_t cyc_admin_format_address(const struct cyc_admin *admin, char *out)
{
    struct cyc_addr addr;

    if (admin == NULL || admin->listener_count == 0 ||
        cyc_sock_local_addr(admin->listeners[0].fd, &addr) < 0)
        return 0;
    return cyc_addr_format(&addr, out);
}

static bool is_busy(const struct cyc_admin *admin)
{
    for (uint32_t i = 0; i < admin->listener_count; i++)
        if (admin->listeners[i].accept.kind != CYC_OP_IDLE)
            return true;
    return admin->connection_count > 0;
}

void cyc_admin_stop(struct cyc_admin *admin)
{
    if (admin == NULL)
        return;
    struct cyc_master *master = admin->master;

    admin->is_stopping = true;
    for (uint32_t i = 0; i < admin->listener_count; i++) {
        cyc_timer_cancel(&admin->listeners[i].retry);
        cyc_io_cancel(master->io, &admin->listeners[i].accept);
    }
    cyc_list_for_each (link, &admin->connections)
        conn_abort(cyc_container_of(link, struct admin_conn, link));
    while (is_busy(admin)) {
        if (cyc_io_turn(master->io, CYC_NS_PER_MS) < 0)
            break;
        cyc_conn_flush_all(&master->flush);
    }
    for (uint32_t i = 0; i < admin->listener_count; i++)
        cyc_io_close(master->io, admin->listeners[i].fd);
    cyc_mem_free(&master->mem, CYC_MEM_OTHER, admin, sizeof(*admin));
}
