/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/sim_client.h"

#include "base/assert.h"
#include "tests/sim/sim_ask.h"
#include "tests/sim/sim_verdict.h"

#include <errno.h>
#include <string.h>

#define REQUEST_COUNT_MAX 12
#define RETRY_COUNT_MAX 40
#define AWAY_MS_MAX 300
#define THINK_MS_MAX 150
#define CONTINUE_MS 400
#define OUT_BYTES_HIGH 20000
#define OUT_BYTES_LOW 4000
#define PIECE_BYTES_MAX 2000
/* A connection that takes longer is stuck. In a storm links fall silent, so clients must give up;
 * without faults only a bug makes them wait so long. */
#define PATIENCE_MS 100000
#define PATIENCE_STORM_MS 20000
/* Longer than any clock of a storm's listeners. */
#define SILENCE_MS 15000

static void go_on(struct sim_client *client);

static struct sim_run *run_of(const struct sim_client *client)
{
    return client->host->run;
}

static void timer_set(struct sim_client *client, struct cyc_timer *timer, uint64_t delay_ms)
{
    cyc_sim_timer_set(run_of(client), client->host->io, timer, delay_ms);
}

/* ---- the end of a connection ----------------------------------------------------------------- */

static void timers_cancel(struct sim_client *client)
{
    cyc_timer_cancel(&client->timer);
    cyc_timer_cancel(&client->pause_timer);
    cyc_timer_cancel(&client->quit_timer);
    cyc_timer_cancel(&client->patience_timer);
}

/** Whatever is unanswered has its end now. */
static void flight_end(struct sim_client *client)
{
    for (uint32_t i = 0; i < client->flight_count; i++) {
        if (cyc_sim_verdict_broken(client, client->flight[i]) && client->retries_left > 0) {
            client->retries_left--;
            client->requests_left++;
        }
        client->is_broken |= client->has_head; /* what was behind it is lost with it */
        client->has_head = false;
    }
    client->flight_count = 0;
}

static void leave(struct sim_client *client)
{
    if (client->state != SIM_CLIENT_LEAVING) {
        client->state = SIM_CLIENT_LEAVING;
        timers_cancel(client);
        flight_end(client);
    }
    cyc_conn_close(&client->conn);
}

/** Both directions of a tunnel have ended; what was written still goes out. */
static void leave_tunnel(struct sim_client *client)
{
    client->state = SIM_CLIENT_LEAVING;
    timers_cancel(client);
    timer_set(client, &client->patience_timer, PATIENCE_STORM_MS);
    flight_end(client);
    cyc_conn_close_after_send(&client->conn);
}

static void on_closed(struct cyc_conn *conn)
{
    struct sim_client *client = cyc_container_of(conn, struct sim_client, conn);
    bool is_gateway_gone = client->gateway->phase >= CYC_WORKER_CLOSING;

    timers_cancel(client);
    cyc_buf_clear(&client->pending);
    if (client->requests_left == 0 || is_gateway_gone) {
        client->state = SIM_CLIENT_FINISHED;
        cyc_sim_trace(run_of(client), "client %u has finished", client->index);
        return;
    }
    client->state = SIM_CLIENT_AWAY;
    timer_set(client, &client->timer, cyc_sim_below(run_of(client), AWAY_MS_MAX));
}

static void quit(struct sim_client *client)
{
    client->has_quit = true;
    for (uint32_t i = 0; i < client->flight_count; i++)
        client->flight[i]->is_quit = true;
    if (client->sending != NULL)
        client->sending->is_quit = true;
}

static void on_quit_timer(struct cyc_timer *timer)
{
    struct sim_client *client = cyc_container_of(timer, struct sim_client, quit_timer);

    if (client->state != SIM_CLIENT_TALKING)
        return;
    cyc_sim_trace(run_of(client), "client %u quits (%d)", client->index,
                  (int)client->manners.quit_kind);
    quit(client);
    switch (client->manners.quit_kind) {
    case SIM_QUIT_HALF_CLOSE:
        client->is_last_sent = true;
        cyc_conn_shutdown(&client->conn);
        return;
    case SIM_QUIT_SILENCE:
        client->is_silent = true;
        cyc_conn_pause(&client->conn);
        timer_set(client, &client->pause_timer, SILENCE_MS);
        return;
    case SIM_QUIT_RESET:
        cyc_sim_socket_kill(cyc_sim_socket_find(run_of(client)->net, client->conn.fd));
        break;
    case SIM_QUIT_CLOSE:
    case SIM_QUIT_COUNT:
        break;
    }
    leave(client);
}

/** Who neither sends nor reads is cut by the clocks of the listener; but a tunnel may be silent,
 * and a connection nobody has accepted has no clock. */
static bool is_cut_overdue(const struct sim_client *client)
{
    const struct sim_plan *plan = client->gateway->plan;

    return client->is_silent && !client->is_tunnel && plan->faults.stall_permille == 0 &&
           plan->config.max_connections == 0;
}

static void on_patience_timer(struct cyc_timer *timer)
{
    struct sim_client *client = cyc_container_of(timer, struct sim_client, patience_timer);

    if (client->gateway->plan->weather != SIM_WEATHER_STORM || client->is_probe ||
        is_cut_overdue(client))
        cyc_sim_complain(run_of(client), "client %u waits in vain (%u requests in flight)",
                         client->index, client->flight_count);
    cyc_sim_trace(run_of(client), "client %u gives up", client->index);
    quit(client);
    leave(client);
}

/* ---- sending --------------------------------------------------------------------------------- */

static void sending_end(struct sim_client *client)
{
    client->sending->is_body_sent = true;
    client->sending = NULL;
    if (client->is_tunnel && client->is_eof)
        leave_tunnel(client);
    else if (client->is_tunnel)
        cyc_conn_shutdown(&client->conn);
}

/** Moves what is written on its way, as slowly as the manners say. */
static void send_some(struct sim_client *client)
{
    struct sim_run *run = run_of(client);
    struct cyc_buf *out = &client->conn.out;
    uint32_t piece_ms = client->manners.piece_ms;

    if (out->bytes >= OUT_BYTES_HIGH)
        return;
    if (client->pending.bytes == 0 && !client->writer.is_done && !client->is_waiting_100)
        cyc_sim_writer_write(&client->writer, run, &client->pending, OUT_BYTES_HIGH);
    size_t len = client->pending.bytes;
    if (piece_ms > 0 && len > 0)
        len = 1 + cyc_sim_below(run, len < PIECE_BYTES_MAX ? len : PIECE_BYTES_MAX);
    client->sending->is_begun |= len > 0;
    cyc_buf_move(out, &client->pending, len);
    if (out->bytes > 0)
        cyc_conn_mark_dirty(&client->conn);
    if (client->pending.bytes == 0 && client->writer.is_done)
        sending_end(client);
    else if (piece_ms > 0)
        timer_set(client, &client->timer, piece_ms);
    else if (client->is_waiting_100)
        timer_set(client, &client->timer, CONTINUE_MS);
}

static void request_begin(struct sim_client *client)
{
    struct sim_run *run = run_of(client);
    struct sim_request *request = cyc_sim_request_add(client->ledger, client->index);

    if (client->is_probe)
        cyc_sim_ask_draw_probe(run, request, client->probe_group++ % CYC_SIM_GROUP_COUNT);
    else
        cyc_sim_ask_draw(run, request, client->flight_count == 0);
    client->requests_left--;
    client->manners.request_count--;
    client->is_last_sent |= cyc_sim_ask_is_last(request);
    client->sending = request;
    client->writer = cyc_sim_ask_body(request, false);
    client->is_waiting_100 = request->expects_continue && !client->writer.is_done;
    cyc_sim_ask_head(run, request, &client->pending);
    client->flight[client->flight_count++] = request;
    client->wire.is_head_request = client->flight[0]->is_head;
    cyc_sim_trace(run, "client %u: request %u: %s group %u kind %d, %llu bytes, framing %d",
                  client->index, request->id, request->method, request->group, (int)request->kind,
                  (unsigned long long)request->body_bytes, (int)request->framing);
}

static bool may_begin(const struct sim_client *client)
{
    return client->sending == NULL && client->requests_left > 0 &&
           client->manners.request_count > 0 && client->flight_count < client->manners.depth &&
           !client->is_last_sent && !client->is_told_close && !client->is_thinking;
}

/** Everything asked is answered and nothing more will be asked here. */
static bool is_through(const struct sim_client *client)
{
    bool is_enough = client->requests_left == 0 || client->manners.request_count == 0 ||
                     client->is_last_sent || client->is_told_close;

    return client->flight_count == 0 && is_enough && !client->has_quit && !client->is_tunnel &&
           (client->sending == NULL || client->is_told_close);
}

static void go_on(struct sim_client *client)
{
    if (client->state != SIM_CLIENT_TALKING || client->is_silent)
        return;
    if (client->sending != NULL && !client->is_told_close)
        send_some(client);
    while (may_begin(client)) {
        request_begin(client);
        send_some(client);
    }
    if (is_through(client))
        leave(client);
}

static void on_timer(struct cyc_timer *timer);

/* ---- reading --------------------------------------------------------------------------------- */

static void flight_pop(struct sim_client *client)
{
    client->flight_count--;
    memmove(client->flight, client->flight + 1, client->flight_count * sizeof(client->flight[0]));
    client->has_head = false;
    client->received_bytes = 0;
    client->arrival = NULL;
    if (client->flight_count > 0)
        client->wire.is_head_request = client->flight[0]->is_head;
}

static void info_read(struct sim_client *client, const struct sim_request *request)
{
    if (request->is_old)
        cyc_sim_complain(run_of(client), "request %u of HTTP/1.0 got a %u", request->id,
                         client->wire.status);
    if (client->wire.status != 100)
        return;
    if (!request->expects_continue)
        cyc_sim_complain(run_of(client), "request %u got a 100 it did not ask for", request->id);
    if (client->sending == request && client->is_waiting_100) {
        client->is_waiting_100 = false;
        go_on(client);
    }
}

static void tunnel_begin(struct sim_client *client, struct sim_request *request)
{
    client->is_tunnel = true;
    client->sending = request;
    client->writer = cyc_sim_ask_body(request, true);
    go_on(client);
}

static void on_head(struct sim_client *client)
{
    const struct sim_wire *wire = &client->wire;

    if (client->flight_count == 0) {
        cyc_sim_complain(run_of(client), "client %u got an answer (%u) it did not ask for",
                         client->index, wire->status);
        leave(client);
        return;
    }
    struct sim_request *request = client->flight[0];
    if (wire->status < 200 && wire->status != 101) {
        info_read(client, request);
        return;
    }
    client->has_head = true;
    client->received_bytes = 0;
    request->status = wire->status;
    cyc_sim_trace(run_of(client), "client %u: request %u gets %u%s", client->index, request->id,
                  wire->status, wire->is_close ? ", close" : "");
    cyc_sim_verdict_head(client, request);
    client->is_told_close |= wire->is_close || wire->framing == SIM_FRAMING_UNTIL_CLOSE;
    if (wire->status == 101)
        tunnel_begin(client, request);
    else if (client->is_waiting_100) {
        client->is_waiting_100 = false; /* the answer came instead */
        go_on(client);
    }
}

static void on_body(struct sim_client *client)
{
    struct cyc_span piece = client->wire.piece;
    const struct sim_arrival *arrival = client->arrival;

    if (arrival != NULL &&
        !cyc_sim_body_is(cyc_sim_answer_key(arrival), client->received_bytes, piece.ptr, piece.len))
        cyc_sim_complain(run_of(client), "request %u got wrong bytes at %llu",
                         client->flight[0]->id, (unsigned long long)client->received_bytes);
    client->received_bytes += piece.len;
}

static void on_answer_end(struct sim_client *client)
{
    struct sim_run *run = run_of(client);

    if (!client->has_head)
        return; /* of an interim answer */
    cyc_sim_verdict_whole(client, client->flight[0]);
    flight_pop(client);
    if (client->flight_count == 0 && client->sending == NULL && !client->is_thinking &&
        cyc_sim_chance(run, 400)) {
        client->is_thinking = true;
        timer_set(client, &client->timer, cyc_sim_below(run, THINK_MS_MAX));
    }
    go_on(client);
}

static void bytes_read(struct sim_client *client, struct cyc_span bytes)
{
    enum sim_wire_event event;

    do {
        event = cyc_sim_wire_next(&client->wire, &bytes);
        if (event == SIM_WIRE_HEAD) {
            on_head(client);
        } else if (event == SIM_WIRE_BODY) {
            on_body(client);
        } else if (event == SIM_WIRE_END) {
            on_answer_end(client);
        } else if (event == SIM_WIRE_BAD) {
            cyc_sim_complain(run_of(client), "client %u got %s", client->index,
                             client->wire.problem);
            leave(client);
        }
    } while (event != SIM_WIRE_MORE && client->state == SIM_CLIENT_TALKING);
}

static void on_read(struct cyc_conn *conn, struct cyc_buf *in)
{
    struct sim_client *client = cyc_container_of(conn, struct sim_client, conn);
    struct sim_run *run = run_of(client);

    while (in->bytes > 0 && client->state == SIM_CLIENT_TALKING) {
        struct cyc_span front = cyc_buf_front(in);
        bytes_read(client, front);
        cyc_buf_drop(in, front.len);
    }
    cyc_buf_clear(in);
    if (client->state == SIM_CLIENT_TALKING && !client->is_silent &&
        cyc_sim_chance(run, client->manners.pause_permille)) {
        cyc_conn_pause(conn);
        timer_set(client, &client->pause_timer, cyc_sim_below(run, client->manners.pause_ms + 1));
    }
}

static void on_pause_timer(struct cyc_timer *timer)
{
    struct sim_client *client = cyc_container_of(timer, struct sim_client, pause_timer);
    cyc_conn_resume(&client->conn);
}

/** In a tunnel the end of bytes is all there is to see: whether it came too early shows only when
 * nothing can have gone wrong. */
static void tunnel_eof(struct sim_client *client)
{
    client->has_quit |= !run_of(client)->is_calm;
    if (!client->has_quit)
        on_answer_end(client);
    if (client->sending == NULL)
        leave_tunnel(client);
    else if (client->has_quit)
        leave(client);
}

static void on_eof(struct cyc_conn *conn)
{
    struct sim_client *client = cyc_container_of(conn, struct sim_client, conn);
    bool is_end =
        client->has_head && !client->is_tunnel && client->wire.framing == SIM_FRAMING_UNTIL_CLOSE;

    cyc_sim_trace(run_of(client), "client %u: end of the connection", client->index);
    client->is_eof = true;
    if (client->is_tunnel) {
        tunnel_eof(client);
        return;
    }
    if (is_end)
        on_answer_end(client);
    leave(client);
}

static void on_error(struct cyc_conn *conn, int error)
{
    struct sim_client *client = cyc_container_of(conn, struct sim_client, conn);

    cyc_sim_trace(run_of(client), "client %u: connection broken: %d", client->index, error);
    leave(client);
}

static void on_sent(struct cyc_conn *conn, size_t bytes)
{
    struct sim_client *client = cyc_container_of(conn, struct sim_client, conn);

    (void)bytes;
    if (conn->out.bytes < OUT_BYTES_LOW && client->sending != NULL && !client->is_waiting_100 &&
        !cyc_timer_is_armed(&client->timer))
        go_on(client);
}

/* ---- connecting ------------------------------------------------------------------------------ */

static void on_connected(struct cyc_conn *conn, int error)
{
    struct sim_client *client = cyc_container_of(conn, struct sim_client, conn);
    struct sim_run *run = run_of(client);

    cyc_sim_trace(run, "client %u connects: %d", client->index, error);
    if (error < 0) {
        if (client->gateway->plan->weather != SIM_WEATHER_STORM &&
            client->gateway->phase < CYC_WORKER_CLOSING &&
            client->removed_count == client->gateway->removed_counts[client->listener])
            cyc_sim_complain(run, "client %u cannot connect: %d", client->index, error);
        leave(client);
        return;
    }
    client->state = SIM_CLIENT_TALKING;
    if (client->manners.quit_ms > 0)
        timer_set(client, &client->quit_timer, client->manners.quit_ms);
    cyc_conn_resume(conn);
    go_on(client);
}

static const struct cyc_conn_vt client_vt = {
    .on_read = on_read,
    .on_eof = on_eof,
    .on_error = on_error,
    .on_sent = on_sent,
    .on_connected = on_connected,
    .on_closed = on_closed,
};

static struct sim_manners manners_draw(struct sim_client *client)
{
    struct sim_run *run = run_of(client);
    bool is_storm = client->gateway->plan->weather == SIM_WEATHER_STORM;
    struct sim_manners manners = {
        .request_count = (uint32_t)cyc_sim_between(run, 1, 6),
        .depth = cyc_sim_chance(run, 400) ? (uint32_t)cyc_sim_between(run, 2, 4) : 1,
    };

    if (client->is_probe)
        return manners;
    if (cyc_sim_chance(run, 150))
        manners.piece_ms = (uint32_t)cyc_sim_between(run, 1, 10);
    if (cyc_sim_chance(run, 200)) {
        manners.pause_permille = (uint32_t)cyc_sim_between(run, 50, 900);
        manners.pause_ms = is_storm && cyc_sim_chance(run, 200) ? 5000 : 30;
    }
    if (cyc_sim_chance(run, is_storm ? 200 : 60)) {
        manners.quit_ms = (uint32_t)cyc_sim_between(run, 1, 200);
        manners.quit_kind =
            (enum sim_quit)cyc_sim_below(run, is_storm ? SIM_QUIT_COUNT : SIM_QUIT_SILENCE);
    }
    return manners;
}

static uint32_t listener_choose(struct sim_client *client)
{
    const struct sim_gateway *gateway = client->gateway;
    uint32_t listener;

    do {
        listener = (uint32_t)cyc_sim_below(run_of(client), CYC_SIM_LISTENER_COUNT_MAX);
    } while (!gateway->is_open[listener]);
    return listener;
}

static void connection_reset(struct sim_client *client)
{
    client->listener = listener_choose(client);
    client->removed_count = client->gateway->removed_counts[client->listener];
    client->manners = manners_draw(client);
    client->is_thinking = client->is_told_close = client->has_quit = client->is_last_sent = false;
    client->is_eof = client->is_tunnel = client->is_broken = client->is_silent = client->has_head =
        client->is_waiting_100 = false;
    client->sending = NULL;
    client->flight_count = 0;
    client->arrival = NULL;
    client->received_bytes = 0;
    cyc_buf_init(&client->pending, &client->host->pool);
    cyc_sim_wire_init(&client->wire, true);
}

static void go_there(struct sim_client *client)
{
    struct cyc_sock_options options = {.is_nodelay = true};
    struct cyc_io *io = client->host->io;
    char address[32];

    if (client->gateway->phase >= CYC_WORKER_CLOSING) {
        client->state = SIM_CLIENT_FINISHED;
        return;
    }
    connection_reset(client);
    size_t len = cyc_sim_listener_address(client->listener, address);
    bool is_address = cyc_addr_parse(cyc_span_of(address, len), &client->addr);
    cyc_assert(is_address);
    int fd = cyc_io_open(io, &client->addr, &options);
    cyc_assert(fd >= 0);
    cyc_conn_init(&client->conn, &client_vt, io, &client->host->flush, fd);
    client->state = SIM_CLIENT_CONNECTING;
    timer_set(client, &client->patience_timer,
              client->gateway->plan->weather == SIM_WEATHER_STORM && !client->is_probe
                  ? PATIENCE_STORM_MS
                  : PATIENCE_MS);
    cyc_conn_connect(&client->conn, &client->addr);
}

static void on_timer(struct cyc_timer *timer)
{
    struct sim_client *client = cyc_container_of(timer, struct sim_client, timer);

    if (client->state == SIM_CLIENT_AWAY) {
        go_there(client);
        return;
    }
    client->is_thinking = false;
    if (client->sending != NULL && client->pending.bytes == 0)
        client->is_waiting_100 = false; /* RFC 9110 10.1.1: not forever */
    go_on(client);
}

static void client_init(struct sim_client *client, struct sim_host *host,
                        struct sim_gateway *gateway, struct sim_ledger *ledger, uint32_t index)
{
    *client =
        (struct sim_client){.host = host, .gateway = gateway, .ledger = ledger, .index = index};
    cyc_timer_init(&client->timer, on_timer);
    cyc_timer_init(&client->pause_timer, on_pause_timer);
    cyc_timer_init(&client->quit_timer, on_quit_timer);
    cyc_timer_init(&client->patience_timer, on_patience_timer);
    client->retries_left = RETRY_COUNT_MAX;
}

void cyc_sim_client_start(struct sim_client *client, struct sim_host *host,
                          struct sim_gateway *gateway, struct sim_ledger *ledger, uint32_t index)
{
    client_init(client, host, gateway, ledger, index);
    client->requests_left = (uint32_t)cyc_sim_between(run_of(client), 1, REQUEST_COUNT_MAX);
    timer_set(client, &client->timer, cyc_sim_below(run_of(client), AWAY_MS_MAX));
}

void cyc_sim_client_start_probe(struct sim_client *client, struct sim_host *host,
                                struct sim_gateway *gateway, struct sim_ledger *ledger,
                                uint32_t index)
{
    client_init(client, host, gateway, ledger, index);
    client->is_probe = true;
    client->requests_left = CYC_SIM_GROUP_COUNT;
    timer_set(client, &client->timer, 0);
}
