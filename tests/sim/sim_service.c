/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/sim_service.h"

#include "base/assert.h"
#include "tests/sim/sim_script.h"
#include "tests/sim/sim_wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ACCEPT_PAUSE_MS 5
#define OUT_BYTES_HIGH 20000
#define OUT_BYTES_LOW 4000
#define TRICKLE_BYTES_MAX 2000
#define IDLE_CLOSE_MS_MAX 300
#define FORGERY_MS_MAX 40

enum answer_state {
    ANSWER_NONE,    /* no exchange, or not decided */
    ANSWER_DELAYED, /* the timer will begin it */
    ANSWER_BODY,
    ANSWER_DONE,
};

struct service_conn {
    struct cyc_conn conn;
    struct sim_service *service;
    struct cyc_list link;
    struct cyc_timer timer;
    struct sim_wire wire;
    struct sim_request *request; /* NULL: between two */
    struct sim_arrival *arrival;
    struct sim_script script;
    struct sim_writer writer;
    enum answer_state state;
    uint64_t received_bytes;
    uint64_t sent_bytes;
    uint64_t honest_bytes; /* all it should have sent; what follows is forged. 0: nothing */
    bool is_request_done, is_tunnel, is_ending, is_forgery_due;
};

static struct sim_run *run_of(const struct service_conn *sc)
{
    return sc->service->host.run;
}

size_t cyc_sim_service_address(uint32_t index, char out[32])
{
    return (size_t)snprintf(out, 32, "10.9.0.%u:80", index + 1);
}

/* ---- the end of a connection ----------------------------------------------------------------- */

static void conn_end(struct service_conn *sc, bool is_by_reset)
{
    if (sc->is_ending)
        return;
    sc->is_ending = true;
    cyc_timer_cancel(&sc->timer);
    if (is_by_reset)
        cyc_sim_socket_kill(cyc_sim_socket_find(run_of(sc)->net, sc->conn.fd));
    cyc_conn_close(&sc->conn);
}

/** What was written goes out first. */
static void conn_end_after_send(struct service_conn *sc)
{
    if (sc->is_ending)
        return;
    sc->is_ending = true;
    cyc_timer_cancel(&sc->timer);
    cyc_conn_close_after_send(&sc->conn);
}

/* ---- answering ------------------------------------------------------------------------------- */

static void timer_set(struct service_conn *sc, uint64_t delay_ms)
{
    cyc_timer_set(sc->service->host.io->wheel, &sc->timer, delay_ms);
}

static void exchange_begin(struct service_conn *sc)
{
    sc->request = NULL;
    sc->arrival = NULL;
    sc->state = ANSWER_NONE;
    sc->is_request_done = false;
    sc->received_bytes = 0;
    if (sc->honest_bytes == 0 && cyc_sim_chance(run_of(sc), sc->service->idle_close_permille))
        timer_set(sc, cyc_sim_below(run_of(sc), IDLE_CLOSE_MS_MAX));
}

/** The answer has ended, and perhaps the request too. */
static void exchange_settle(struct service_conn *sc)
{
    if (sc->state != ANSWER_DONE || sc->is_ending)
        return;
    if (sc->script.is_closing && !sc->is_tunnel)
        conn_end_after_send(sc);
    else if (sc->is_request_done && !sc->is_tunnel)
        exchange_begin(sc);
    else if (sc->is_request_done)
        conn_end_after_send(sc);
}

/** The script says that the connection ends here, or that nothing more comes. */
static void answer_break(struct service_conn *sc)
{
    enum sim_mischief mischief = sc->script.mischief;

    sc->state = ANSWER_DONE;
    if (mischief == SIM_MISCHIEF_HANG || mischief == SIM_MISCHIEF_BAD_HEAD ||
        mischief == SIM_MISCHIEF_BAD_CHUNK)
        return; /* waits for the gateway to do something about it */
    if (sc->script.is_by_reset)
        conn_end(sc, true);
    else
        conn_end_after_send(sc);
}

/** A forged answer for whoever gets this connection next. */
static void forgery_write(struct service_conn *sc)
{
    char text[160];

    sc->is_forgery_due = false;
    snprintf(text, sizeof(text),
             "HTTP/1.1 200 OK\r\nX-Sim-Forged: 1\r\nX-Sim-Request: %u\r\nX-Sim-Answer: %u\r\n"
             "Content-Length: 4\r\n\r\nevil",
             1u, 1u);
    cyc_buf_append(&sc->conn.out, cyc_span_from_text(text));
    cyc_conn_mark_dirty(&sc->conn);
}

/** Right behind the answer, or a little later. */
static void forgery_begin(struct service_conn *sc)
{
    sc->honest_bytes = sc->sent_bytes + sc->conn.out.bytes;
    if (cyc_sim_chance(run_of(sc), 500)) {
        forgery_write(sc);
        return;
    }
    sc->is_forgery_due = true;
    timer_set(sc, cyc_sim_below(run_of(sc), FORGERY_MS_MAX));
}

static void answer_finish(struct service_conn *sc)
{
    if (sc->script.mischief != SIM_MISCHIEF_NONE &&
        sc->script.mischief != SIM_MISCHIEF_EXTRA_BYTES) {
        answer_break(sc);
        return;
    }
    sc->state = ANSWER_DONE;
    sc->arrival->is_whole = true;
    if (sc->script.mischief == SIM_MISCHIEF_EXTRA_BYTES)
        forgery_begin(sc);
    if (sc->is_tunnel)
        cyc_conn_shutdown(&sc->conn);
    exchange_settle(sc);
}

/** Writes what may be written now. */
static void answer_go_on(struct service_conn *sc)
{
    struct sim_run *run = run_of(sc);
    struct cyc_buf *out = &sc->conn.out;
    uint32_t piece_ms = sc->script.piece_ms;
    size_t room = piece_ms > 0 ? 1 + cyc_sim_below(run, TRICKLE_BYTES_MAX) : OUT_BYTES_HIGH;

    if (out->bytes < OUT_BYTES_HIGH && !sc->writer.is_done)
        cyc_sim_writer_write(&sc->writer, run, out, room);
    if (out->bytes > 0)
        cyc_conn_mark_dirty(&sc->conn);
    if (sc->writer.is_done)
        answer_finish(sc);
    else if (piece_ms > 0)
        timer_set(sc, piece_ms);
}

static void answer_begin(struct service_conn *sc)
{
    struct sim_run *run = run_of(sc);

    if (sc->script.mischief == SIM_MISCHIEF_END_BEFORE ||
        sc->script.mischief == SIM_MISCHIEF_HANG) {
        answer_break(sc);
        return;
    }
    cyc_sim_trace(run, "service %u: answer %u to request %u: %u, %llu bytes, framing %d",
                  sc->service->index, sc->arrival->id, sc->request->id, sc->arrival->status,
                  (unsigned long long)sc->arrival->answer_bytes, (int)sc->arrival->framing);
    cyc_sim_script_head(run, &sc->script, sc->request, sc->arrival, &sc->conn.out);
    cyc_conn_mark_dirty(&sc->conn);
    sc->writer = cyc_sim_script_body(&sc->script, sc->request, sc->arrival);
    sc->state = ANSWER_BODY;
    if (sc->script.mischief == SIM_MISCHIEF_BAD_HEAD ||
        sc->script.mischief == SIM_MISCHIEF_PARTIAL_HEAD)
        answer_break(sc);
    else
        answer_go_on(sc);
}

static void answer_schedule(struct service_conn *sc)
{
    if (sc->script.delay_ms == 0) {
        answer_begin(sc);
        return;
    }
    sc->state = ANSWER_DELAYED;
    timer_set(sc, sc->script.delay_ms);
}

static void on_timer(struct cyc_timer *timer)
{
    struct service_conn *sc = cyc_container_of(timer, struct service_conn, timer);

    if (sc->is_forgery_due)
        forgery_write(sc);
    else if (sc->request == NULL && sc->conn.out.bytes > 0)
        timer_set(sc, IDLE_CLOSE_MS_MAX); /* not idle yet: the last answer is still leaving */
    else if (sc->request == NULL)
        conn_end(sc, false); /* idle, perhaps with a request under way */
    else if (sc->state == ANSWER_DELAYED)
        answer_begin(sc);
    else if (sc->state == ANSWER_BODY)
        answer_go_on(sc);
}

/* ---- reading requests ------------------------------------------------------------------------ */

static bool span_is(struct cyc_span span, const char *text)
{
    return span.len == strlen(text) && memcmp(span.ptr, text, span.len) == 0;
}

static uint64_t id_of_target(struct cyc_span target)
{
    uint64_t id = 0;
    size_t at = 0;

    if (target.len < 5 || memcmp(target.ptr, "/s/", 3) != 0)
        return 0;
    for (at = 3; at < target.len && target.ptr[at] != '/'; at++)
        continue;
    for (at++; at < target.len && target.ptr[at] >= '0' && target.ptr[at] <= '9'; at++)
        id = id * 10 + (uint64_t)(target.ptr[at] - '0');
    return id;
}

static const char *fields_problem(const struct sim_wire *wire, const struct sim_request *request)
{
    struct cyc_span forwarded = cyc_sim_wire_find(wire, "X-Forwarded-For");

    if (forwarded.len < 6 || memcmp(forwarded.ptr, "10.0.", 5) != 0)
        return "X-Forwarded-For is not the client's address";
    if (!span_is(cyc_sim_wire_find(wire, "Host"), "sim.test"))
        return "Host is not the client's";
    if (cyc_sim_wire_find(wire, "Via").ptr == NULL)
        return "no Via";
    if (cyc_sim_wire_find(wire, "X-Hop").ptr != NULL)
        return "a field that Connection named was forwarded";
    if (cyc_sim_wire_find(wire, "Keep-Alive").ptr != NULL)
        return "Keep-Alive was forwarded";
    if (!span_is(cyc_sim_wire_find(wire, "X-Sim-Note"), "kept"))
        return "a field was lost";
    bool is_upgrade = cyc_sim_wire_find(wire, "Upgrade").ptr != NULL;
    if (is_upgrade != (request->kind == SIM_KIND_UPGRADE))
        return "Upgrade was lost or invented";
    return NULL;
}

static const char *head_problem(const struct sim_wire *wire, const struct sim_request *request)
{
    char target[64];
    size_t len = cyc_sim_request_target(request, target);

    if (wire->target.len != len || memcmp(wire->target.ptr, target, len) != 0)
        return "another target";
    if (!span_is(wire->method, request->method))
        return "another method";
    bool is_zero = request->framing == SIM_FRAMING_NONE && wire->framing == SIM_FRAMING_LENGTH &&
                   wire->length_bytes == 0;
    if (wire->framing != request->framing && !is_zero)
        return "another framing";
    if (wire->framing == SIM_FRAMING_LENGTH && wire->length_bytes != request->body_bytes)
        return "another length";
    return fields_problem(wire, request);
}

/** Something the gateway must not send: the finding, and the end. */
static void refuse(struct service_conn *sc, uint64_t id, const char *problem)
{
    cyc_sim_complain(run_of(sc), "service %u got request %llu with %s", sc->service->index,
                     (unsigned long long)id, problem);
    conn_end(sc, false);
}

static void continue_send(struct service_conn *sc)
{
    if (sc->request->expects_continue && !sc->script.is_early &&
        sc->script.mischief != SIM_MISCHIEF_HANG && !cyc_sim_chance(run_of(sc), 100)) {
        cyc_buf_append(&sc->conn.out, CYC_SPAN("HTTP/1.1 100 Continue\r\n\r\n"));
        cyc_conn_mark_dirty(&sc->conn);
    }
}

/**
 * A request on a connection that carries a forged answer. Had the gateway read a byte of it when it
 * sent the request, it knew; otherwise nobody could know, and the forgery will be taken for the
 * answer.
 */
static void deceive(struct service_conn *sc, struct sim_request *request)
{
    const struct sim_socket *s = cyc_sim_socket_find(run_of(sc)->net, sc->conn.fd);

    if (s->peer_seen_bytes > sc->honest_bytes) {
        refuse(sc, request->id, "a connection that had bytes behind the last answer");
        return;
    }
    if (sc->is_forgery_due)
        forgery_write(sc);
    request->is_deceived = true;
    sc->service->ledger->deceived_count++;
    cyc_sim_arrival_add(sc->service->ledger, request, sc->service->index);
    cyc_sim_trace(run_of(sc), "service %u: request %u is deceived", sc->service->index,
                  request->id);
    sc->honest_bytes = 0; /* settled */
    conn_end_after_send(sc);
}

static void on_head(struct service_conn *sc)
{
    struct sim_service *service = sc->service;
    struct sim_run *run = run_of(sc);
    uint64_t id = id_of_target(sc->wire.target);
    struct sim_request *request = cyc_sim_request_find(service->ledger, id);
    const char *problem = request == NULL       ? "an id that nobody has sent"
                          : sc->request != NULL ? "no patience: the last one is not answered"
                                                : head_problem(&sc->wire, request);
    if (problem != NULL) {
        refuse(sc, id, problem);
        return;
    }
    if (sc->honest_bytes > 0) {
        deceive(sc, request);
        return;
    }
    cyc_timer_cancel(&sc->timer);
    sc->request = request;
    sc->arrival = cyc_sim_arrival_add(service->ledger, request, service->index);
    cyc_sim_script_draw(run, &sc->script, request, sc->arrival, service->mischief_permille);
    request->is_failed_on |= cyc_sim_script_may_fail(&sc->script, request);
    cyc_sim_trace(run, "service %u: request %u arrives as %u on %d%s, mischief %d", service->index,
                  request->id, sc->arrival->id, sc->conn.fd, sc->script.is_early ? ", early" : "",
                  (int)sc->script.mischief);
    if (sc->arrival->status == 101 && sc->script.mischief == SIM_MISCHIEF_NONE) {
        sc->is_tunnel = true;
        cyc_sim_wire_tunnel(&sc->wire);
    }
    continue_send(sc);
    if (sc->script.is_early || sc->is_tunnel)
        answer_schedule(sc);
}

static void on_body(struct service_conn *sc)
{
    struct cyc_span piece = sc->wire.piece;

    if (!cyc_sim_body_is(cyc_sim_request_key(sc->request), sc->received_bytes, piece.ptr,
                         piece.len)) {
        refuse(sc, sc->request->id, "wrong bytes in its body");
        return;
    }
    sc->received_bytes += piece.len;
}

static void on_request_end(struct service_conn *sc)
{
    struct sim_request *request = sc->request;

    sc->is_request_done = true;
    sc->arrival->is_body_received = true;
    uint64_t trailer = cyc_sim_wire_number(&sc->wire, "X-Sim-Trailer");
    uint64_t expected_bytes = request->framing == SIM_FRAMING_NONE ? 0 : request->body_bytes;
    if (sc->received_bytes != expected_bytes || !request->is_body_sent)
        refuse(sc, request->id, "a body that ends early");
    else if (request->has_trailers && trailer != cyc_sim_request_key(request))
        refuse(sc, request->id, "no trailers");
    else if (sc->state == ANSWER_NONE)
        answer_schedule(sc);
    else
        exchange_settle(sc);
}

static void on_read(struct cyc_conn *conn, struct cyc_buf *in)
{
    struct service_conn *sc = cyc_container_of(conn, struct service_conn, conn);

    while (in->bytes > 0 && !sc->is_ending) {
        struct cyc_span front = cyc_buf_front(in), rest = front;
        enum sim_wire_event event;
        do {
            event = cyc_sim_wire_next(&sc->wire, &rest);
            if (event == SIM_WIRE_HEAD)
                on_head(sc);
            else if (event == SIM_WIRE_BODY)
                on_body(sc);
            else if (event == SIM_WIRE_END)
                on_request_end(sc);
            else if (event == SIM_WIRE_BAD)
                refuse(sc, sc->request != NULL ? sc->request->id : 0, sc->wire.problem);
        } while (!sc->is_ending && event != SIM_WIRE_MORE);
        cyc_buf_drop(in, front.len);
    }
    cyc_buf_clear(in);
}

/* ---- the connection's other events ----------------------------------------------------------- */

static void on_eof(struct cyc_conn *conn)
{
    struct service_conn *sc = cyc_container_of(conn, struct service_conn, conn);

    if (!sc->is_tunnel) {
        conn_end(sc, false); /* the gateway has given up, or closes an idle connection */
        return;
    }
    sc->is_request_done = true;
    cyc_sim_trace(run_of(sc), "service %u: tunnel %u half-closed after %llu bytes",
                  sc->service->index, sc->request->id, (unsigned long long)sc->received_bytes);
    if (run_of(sc)->is_calm && !sc->request->is_quit &&
        sc->received_bytes != sc->request->body_bytes)
        refuse(sc, sc->request->id, "a tunnel that lost bytes");
    exchange_settle(sc);
}

static void on_error(struct cyc_conn *conn, int error)
{
    struct service_conn *sc = cyc_container_of(conn, struct service_conn, conn);

    cyc_sim_trace(run_of(sc), "service %u: connection %d broken: %d", sc->service->index, conn->fd,
                  error);
    if (run_of(sc)->is_calm && sc->request != NULL && !sc->request->is_quit && !sc->script.is_early)
        cyc_sim_complain(run_of(sc), "service %u: request %u was broken off without a reason",
                         sc->service->index, sc->request->id);
    sc->is_ending = true;
    cyc_timer_cancel(&sc->timer);
    cyc_conn_close(conn);
}

static void on_sent(struct cyc_conn *conn, size_t bytes)
{
    struct service_conn *sc = cyc_container_of(conn, struct service_conn, conn);

    sc->sent_bytes += bytes;
    if (sc->state == ANSWER_BODY && !sc->is_ending && sc->script.piece_ms == 0 &&
        conn->out.bytes < OUT_BYTES_LOW)
        answer_go_on(sc);
}

static void on_closed(struct cyc_conn *conn)
{
    struct service_conn *sc = cyc_container_of(conn, struct service_conn, conn);

    if (sc->honest_bytes > 0 && sc->request == NULL && !cyc_sim_wire_is_between(&sc->wire))
        sc->service->ledger->half_heard_count++;
    cyc_timer_cancel(&sc->timer);
    cyc_list_remove(&sc->link);
    cyc_mem_free(&sc->service->host.mem, CYC_MEM_OTHER, sc, sizeof(*sc));
}

static const struct cyc_conn_vt service_vt = {
    .on_read = on_read,
    .on_eof = on_eof,
    .on_error = on_error,
    .on_sent = on_sent,
    .on_closed = on_closed,
};

/* ---- accepting ------------------------------------------------------------------------------- */

static void conn_open(struct sim_service *service, int fd)
{
    if (service->is_stopping) {
        cyc_io_close(service->host.io, fd);
        return;
    }
    struct service_conn *sc = cyc_mem_zalloc(&service->host.mem, CYC_MEM_OTHER, sizeof(*sc));
    sc->service = service;
    cyc_conn_init(&sc->conn, &service_vt, service->host.io, &service->host.flush, fd);
    cyc_timer_init(&sc->timer, on_timer);
    cyc_sim_wire_init(&sc->wire, false);
    cyc_list_add_back(&service->conns, &sc->link);
    cyc_conn_resume(&sc->conn);
}

static void on_accept(struct cyc_op *op, int result)
{
    struct sim_service *service = cyc_container_of(op, struct sim_service, accept);
    struct cyc_io *io = service->host.io;

    if (result >= 0) {
        conn_open(service, result);
    } else if (service->is_stopping) {
        cyc_io_close(io, service->fd);
        service->fd = -1;
    } else {
        cyc_timer_set(io->wheel, &service->accept_timer, ACCEPT_PAUSE_MS);
    }
}

static void accept_start(struct cyc_timer *timer)
{
    struct sim_service *service = cyc_container_of(timer, struct sim_service, accept_timer);
    cyc_io_accept(service->host.io, &service->accept, service->fd, on_accept);
}

void cyc_sim_service_start(struct sim_service *service, struct sim_run *run,
                           struct sim_ledger *ledger, uint32_t index, enum sim_presence presence)
{
    struct cyc_sock_options options = {.backlog = presence == SIM_PRESENCE_DEAF ? 2 : 128};
    char address[32];

    *service =
        (struct sim_service){.ledger = ledger, .index = index, .presence = presence, .fd = -1};
    cyc_sim_host_init(&service->host, run);
    cyc_list_init(&service->conns);
    cyc_timer_init(&service->accept_timer, accept_start);
    size_t len = cyc_sim_service_address(index, address);
    bool is_address = cyc_addr_parse(cyc_span_of(address, len), &service->addr);
    cyc_assert(is_address);
    if (presence == SIM_PRESENCE_ABSENT)
        return;
    service->fd = cyc_io_listen(service->host.io, &service->addr, &options);
    cyc_assert(service->fd >= 0);
    if (presence == SIM_PRESENCE_THERE)
        accept_start(&service->accept_timer);
}

void cyc_sim_service_stop(struct sim_service *service)
{
    service->is_stopping = true;
    cyc_list_for_each (link, &service->conns) {
        struct service_conn *sc = cyc_container_of(link, struct service_conn, link);
        conn_end(sc, false);
        cyc_conn_close(&sc->conn); /* also one whose last bytes nobody takes */
    }
    cyc_timer_cancel(&service->accept_timer);
    if (service->accept.kind != CYC_OP_IDLE) {
        cyc_io_cancel(service->host.io, &service->accept);
    } else if (service->fd >= 0) {
        cyc_io_close(service->host.io, service->fd);
        service->fd = -1;
    }
    cyc_io_wake(service->host.io);
}

bool cyc_sim_service_is_gone(const struct sim_service *service)
{
    return service->fd < 0 && cyc_list_is_empty(&service->conns);
}

void cyc_sim_service_fini(struct sim_service *service)
{
    cyc_sim_host_fini(&service->host);
}
