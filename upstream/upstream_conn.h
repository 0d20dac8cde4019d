/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to a service: bytes, codec and state. What to do with it is the pool's decision.
 *
 *   CONNECTING --> LEASED <--> IDLE        every state but the last may go to CLOSING
 *        \___________________/^            (connected, but whom it was for has gone)
 *
 * cyc_upstream_conn_set_state() is the only place that changes the state, and does all that the
 * state implies: the endpoint's lists and counts, the worker's list of idle connections, the timer,
 * gauges.
 */
#ifndef CYC_UPSTREAM_UPSTREAM_CONN_H
#define CYC_UPSTREAM_UPSTREAM_CONN_H

#include "base/assert.h"
#include "http/h1.h"
#include "net/conn.h"
#include "net/timer.h"
#include "upstream/endpoint.h"

#include <stdbool.h>
#include <stdint.h>

struct cyc_attempt;

struct cyc_upstream_conn {
    struct cyc_conn conn;
    struct cyc_codec *codec;
    struct cyc_endpoint *endpoint;
    struct cyc_attempt *attempt; /* leased to, or being opened for; NULL: nobody, or it gave up */
    struct cyc_list state_link;  /* in endpoint->conns[state] */
    struct cyc_list idle_link;   /* in upstreams->idle while IDLE */
    /* Connect timeout while CONNECTING, idle timeout while IDLE. It stays armed through a lease
     * (what fires then is ignored), so that taking and giving back costs a store. */
    struct cyc_timer timer;
    uint64_t created_ns;
    uint32_t request_count;
    uint32_t idle_ms_max; /* what the service said it keeps idle connections; UINT32_MAX: nothing */
    size_t left_bytes;    /* received and not taken by the codec */
    enum cyc_fail fail;   /* of the exchange, to be reported when the codec has returned */
    uint8_t state;        /* enum cyc_upstream_state */
    bool is_busy;         /* the codec is on the stack */
    bool is_gone;         /* the exchange has ended well */
    bool is_spoiled;      /* what came after the answer was no good */
    struct cyc_h1 h1;
};
CYC_BUILD_ASSERT(sizeof(struct cyc_upstream_conn) <= 1280);

/** Who handles its events. */
struct cyc_upstream_conn_handler {
    const struct cyc_conn_vt *vt;
    const struct cyc_codec_events *events;
    cyc_timer_fire *on_timer;
};

/**
 * Opens a socket and begins to connect; state CONNECTING.
 * @param ret_fail  UPSTREAM_CONNECT or NO_MEMORY when there is none
 */
struct cyc_upstream_conn *cyc_upstream_conn_open(struct cyc_endpoint *endpoint,
                                                 const struct cyc_upstream_conn_handler *handler,
                                                 enum cyc_fail *ret_fail);
/** To CLOSING, from any other state; no-op in it. Nobody leases it any more. */
void cyc_upstream_conn_close(struct cyc_upstream_conn *uc);
/** What is queued is sent first. Leased ones only. */
void cyc_upstream_conn_close_after_send(struct cyc_upstream_conn *uc);
/** After on_closed. */
void cyc_upstream_conn_free(struct cyc_upstream_conn *uc);

void cyc_upstream_conn_set_state(struct cyc_upstream_conn *uc, enum cyc_upstream_state to);
/** Does what the codec wants of its connection. Calls nobody. */
void cyc_upstream_conn_apply_wishes(struct cyc_upstream_conn *uc);
/** Whether it may serve another request after this one. */
bool cyc_upstream_conn_is_keepable(const struct cyc_upstream_conn *uc);
/** Notes `Keep-Alive: timeout=N` of an answer: it is idle for at most N - 1 seconds from now on. */
void cyc_upstream_conn_note_keep_alive(struct cyc_upstream_conn *uc, const struct cyc_msg *head);

#endif
