/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/echo.h"

#include "base/assert.h"

#include <errno.h>

#define HIGH_BYTES 65536 /* more than this unsent: read no further */
#define LOW_BYTES 16384
#define PIECE_BYTES 5000
#define ACCEPT_PAUSE_MS 10
#define IDLE_MS 60000

struct echo_conn {
    struct cyc_conn conn;
    struct cyc_timer timer;
    struct echo_server *server;
};

void echo_host_init(struct echo_host *host, struct cyc_io *io)
{
    host->io = io;
    cyc_conn_flush_init(&host->flush);
}

int echo_host_turn(struct echo_host *host, uint64_t wait_ns_max)
{
    if (cyc_conn_flush_is_due(&host->flush))
        wait_ns_max = 0;
    int r = cyc_io_turn(host->io, wait_ns_max);
    cyc_conn_flush_all(&host->flush);
    if (cyc_conn_flush_is_due(&host->flush))
        cyc_io_wake(host->io);
    return r;
}

/* ---- the server ------------------------------------------------------------------------------ */

static struct echo_conn *echo_of(struct cyc_conn *conn)
{
    return cyc_container_of(conn, struct echo_conn, conn);
}

static void echo_touch(struct echo_conn *echo)
{
    cyc_timer_set(echo->conn.io->wheel, &echo->timer, IDLE_MS);
}

static void echo_on_read(struct cyc_conn *conn, struct cyc_buf *in)
{
    echo_touch(echo_of(conn));
    cyc_buf_splice(&conn->out, in);
    cyc_conn_mark_dirty(conn);
    if (conn->out.bytes > HIGH_BYTES)
        cyc_conn_pause(conn);
}

static void echo_on_sent(struct cyc_conn *conn, size_t bytes)
{
    cyc_assert(bytes > 0);
    echo_touch(echo_of(conn));
    if (!conn->is_reading && !conn->is_eof && conn->out.bytes < LOW_BYTES)
        cyc_conn_resume(conn);
}

static void echo_on_eof(struct cyc_conn *conn)
{
    cyc_conn_close_after_send(conn);
}

static void echo_on_error(struct cyc_conn *conn, int error)
{
    cyc_assert(error < 0);
    echo_of(conn)->server->error_count++;
    cyc_conn_close(conn);
}

static void echo_on_closed(struct cyc_conn *conn)
{
    struct echo_conn *echo = echo_of(conn);
    echo->server->live_count--;
    cyc_timer_cancel(&echo->timer);
    cyc_mem_free(conn->io->mem, CYC_MEM_OTHER, echo, sizeof(*echo));
}

static const struct cyc_conn_vt echo_vt = {
    .on_read = echo_on_read,
    .on_eof = echo_on_eof,
    .on_error = echo_on_error,
    .on_sent = echo_on_sent,
    .on_closed = echo_on_closed,
};

static void echo_on_timer(struct cyc_timer *timer)
{
    cyc_conn_close(&cyc_container_of(timer, struct echo_conn, timer)->conn);
}

static void server_on_accept(struct cyc_op *op, int result)
{
    struct echo_server *server = cyc_container_of(op, struct echo_server, accept);
    struct cyc_io *io = server->host->io;

    if (result < 0 && server->is_stopping) {
        cyc_io_close(io, server->fd);
        server->fd = -1;
        return;
    }
    if (result < 0) {
        server->accept_error_count++;
        cyc_timer_set(io->wheel, &server->accept_timer, ACCEPT_PAUSE_MS);
        return;
    }
    struct echo_conn *echo = cyc_mem_alloc(io->mem, CYC_MEM_OTHER, sizeof(*echo));
    echo->server = server;
    cyc_conn_init(&echo->conn, &echo_vt, io, &server->host->flush, result);
    cyc_timer_init(&echo->timer, echo_on_timer);
    server->live_count++;
    server->accepted_count++;
    echo_touch(echo);
    cyc_conn_resume(&echo->conn);
}

static void server_accept(struct cyc_timer *timer)
{
    struct echo_server *server = cyc_container_of(timer, struct echo_server, accept_timer);
    cyc_io_accept(server->host->io, &server->accept, server->fd, server_on_accept);
}

int echo_server_start(struct echo_server *server, struct echo_host *host, struct cyc_addr *addr)
{
    struct cyc_sock_options opts = {.is_nodelay = true, .backlog = 128};

    *server = (struct echo_server){.host = host};
    cyc_timer_init(&server->accept_timer, server_accept);
    server->fd = cyc_io_listen(host->io, addr, &opts);
    if (server->fd < 0)
        return server->fd;
    server_accept(&server->accept_timer);
    return cyc_io_local_addr(host->io, server->fd, addr);
}

void echo_server_stop(struct echo_server *server)
{
    server->is_stopping = true;
    if (server->accept.kind != CYC_OP_IDLE) {
        cyc_io_cancel(server->host->io, &server->accept);
        return;
    }
    cyc_timer_cancel(&server->accept_timer);
    cyc_io_close(server->host->io, server->fd);
    server->fd = -1;
}

/* ---- a client -------------------------------------------------------------------------------- */

static struct echo_client *client_of(struct cyc_conn *conn)
{
    return cyc_container_of(conn, struct echo_client, conn);
}

static char client_byte(const struct echo_client *client, size_t at)
{
    return (char)(at * 7 + at / 251 + client->salt);
}

static void client_end(struct echo_client *client, int error)
{
    if (client->error == 0)
        client->error = error;
    cyc_timer_cancel(&client->timer);
    cyc_conn_close(&client->conn);
}

static void client_on_timer(struct cyc_timer *timer)
{
    client_end(cyc_container_of(timer, struct echo_client, timer), -ETIMEDOUT);
}

static void client_send(struct echo_client *client)
{
    struct cyc_buf *out = &client->conn.out;

    while (client->sent_bytes < client->total_bytes && out->bytes < HIGH_BYTES) {
        char piece[PIECE_BYTES];
        size_t len = client->total_bytes - client->sent_bytes;
        if (len > sizeof(piece))
            len = sizeof(piece);
        for (size_t i = 0; i < len; i++)
            piece[i] = client_byte(client, client->sent_bytes + i);
        cyc_buf_append(out, cyc_span_of(piece, len));
        client->sent_bytes += len;
    }
    if (out->bytes > 0)
        cyc_conn_mark_dirty(&client->conn);
}

static void client_on_connected(struct cyc_conn *conn, int error)
{
    if (error != 0) {
        client_end(client_of(conn), error);
        return;
    }
    cyc_conn_resume(conn);
    client_send(client_of(conn));
}

static void client_on_read(struct cyc_conn *conn, struct cyc_buf *in)
{
    struct echo_client *client = client_of(conn);

    for (const struct cyc_seg *seg = in->head; seg != NULL; seg = seg->next)
        for (size_t i = 0; i < seg->len; i++)
            if (seg->ptr[i] != client_byte(client, client->received_bytes++))
                client->is_wrong = true;
    cyc_buf_clear(in);
    if (client->received_bytes == client->total_bytes)
        cyc_conn_shutdown(conn);
}

static void client_on_sent(struct cyc_conn *conn, size_t bytes)
{
    cyc_assert(bytes > 0);
    if (conn->out.bytes < LOW_BYTES)
        client_send(client_of(conn));
}

static void client_on_eof(struct cyc_conn *conn)
{
    struct echo_client *client = client_of(conn);
    client_end(client, client->received_bytes == client->total_bytes ? 0 : -EPIPE);
}

static void client_on_error(struct cyc_conn *conn, int error)
{
    cyc_assert(error < 0);
    client_end(client_of(conn), error);
}

static void client_on_closed(struct cyc_conn *conn)
{
    client_of(conn)->is_closed = true;
}

static const struct cyc_conn_vt client_vt = {
    .on_read = client_on_read,
    .on_eof = client_on_eof,
    .on_error = client_on_error,
    .on_sent = client_on_sent,
    .on_connected = client_on_connected,
    .on_closed = client_on_closed,
};

void echo_client_start(struct echo_client *client, struct echo_host *host,
                       const struct cyc_addr *addr, size_t total_bytes)
{
    struct cyc_sock_options opts = {.is_nodelay = true};

    *client = (struct echo_client){
        .host = host, .addr = *addr, .total_bytes = total_bytes, .salt = (uint8_t)total_bytes};
    cyc_timer_init(&client->timer, client_on_timer);
    int fd = cyc_io_open(host->io, addr, &opts);
    cyc_assert(fd >= 0);
    cyc_conn_init(&client->conn, &client_vt, host->io, &host->flush, fd);
    cyc_timer_set(host->io->wheel, &client->timer, IDLE_MS);
    cyc_conn_connect(&client->conn, &client->addr);
}
