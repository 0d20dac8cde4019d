/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One try to get an answer from a cluster: pick an endpoint, lease a connection, send, receive.
 *
 * An attempt is embedded in what owns it and used again for the next try. It ends exactly once, by
 * on_done, on_fail, or cyc_attempt_abort(); then it is idle. No callback runs inside a
 * cyc_attempt_* call: what a call brings about at once is reported by cyc_upstreams_run() in the
 * same turn.
 */
#ifndef CYC_UPSTREAM_ATTEMPT_H
#define CYC_UPSTREAM_ATTEMPT_H

#include "http/codec.h"
#include "net/timer.h"
#include "upstream/cluster.h"

#include <stdbool.h>
#include <stdint.h>

struct cyc_attempt;
struct cyc_lease_vt;
struct cyc_upstream_conn;

struct cyc_attempt_vt {
    /** A connection is leased and the head is on its way: body may be sent. Not called when the
     * head is the whole request. */
    void (*on_ready)(struct cyc_attempt *attempt);
    void (*on_info)(struct cyc_attempt *attempt, struct cyc_msg *head);
    void (*on_head)(struct cyc_attempt *attempt, struct cyc_msg *head, bool is_end);
    /** Take the bytes (splice). `trailers` only with is_end, or NULL. */
    void (*on_body)(struct cyc_attempt *attempt, struct cyc_buf *body, bool is_end,
                    struct cyc_msg *trailers);
    void (*on_room)(struct cyc_attempt *attempt); /* after send_body said false */
    /** The answer is complete and nothing more can be sent; the connection went back to the pool or
     *  was closed. The last call. */
    void (*on_done)(struct cyc_attempt *attempt);
    /**
     * It failed. The last call.
     * @param may_replay  the connection had been used before, died before a byte of an answer came:
     *                    most likely it was already closed when the request was written
     */
    void (*on_fail)(struct cyc_attempt *attempt, enum cyc_fail why, bool may_replay);
};

struct cyc_attempt {
    const struct cyc_attempt_vt *vt;
    struct cyc_cluster *cluster;
    struct cyc_endpoint *endpoint; /* NULL until picked; valid to the end of the turn it ends in */
    struct cyc_upstream_conn
        *conn; /* leased, or being opened for it; NULL: waits for one, or idle */
    struct cyc_codec_stream *cs;
    struct cyc_arena *arena;
    const struct cyc_msg *head; /* borrowed until the attempt ends */
    uint32_t first_byte_ms;     /* 0: none */
    uint64_t head_sent_ns;      /* 0: not yet */
    bool is_end;                /* the head is the whole request */
    bool is_active, has_head, was_reused;
    /* private */
    const struct cyc_lease_vt *lease_vt;
    struct cyc_timer timer; /* queue timeout, then first byte */
    struct cyc_list link;   /* in cluster->waiting or upstreams->due */
    uint32_t holds;         /* asked for before there was a codec stream */
    bool is_waiting;        /* in cluster->waiting */
    bool is_calling;        /* a cyc_attempt_* call is on the stack: report later */
    bool is_ready_due, is_done_due;
    bool is_request_ended, is_answer_ended;
    enum cyc_fail start_fail; /* to be reported at the end of the turn */
};

void cyc_attempt_init(struct cyc_attempt *attempt, const struct cyc_attempt_vt *vt);

/** What to ask for. */
struct cyc_attempt_request {
    struct cyc_arena *arena; /* for the answer */
    const struct cyc_msg
        *head; /* borrowed until the attempt ends; sent once there is a connection */
    const struct cyc_endpoint *avoid; /* not to be picked when there is another; NULL: none */
    uint32_t
        first_byte_ms; /* how long the answer's head may take once the request is sent; 0: any */
    bool is_end;       /* nothing follows the head */
};

void cyc_attempt_start(struct cyc_attempt *attempt, struct cyc_cluster *cluster,
                       const struct cyc_attempt_request *request);
/**
 * Only after on_ready. Takes the bytes; those that come too late (the attempt has ended) are
 * dropped. The first-byte timeout counts from the last call.
 * @param body  may be NULL
 * @return false: wait for on_room
 */
bool cyc_attempt_send_body(struct cyc_attempt *attempt, struct cyc_buf *body, bool is_end,
                           struct cyc_msg *trailers);
/** More of the answer is wanted, or not now. Idempotent. */
void cyc_attempt_hold(struct cyc_attempt *attempt, uint32_t reasons);
void cyc_attempt_release(struct cyc_attempt *attempt, uint32_t reasons);
/** Gives up: the connection is closed, unless the exchange was complete. No callback follows. No-op
 *  when idle. */
void cyc_attempt_abort(struct cyc_attempt *attempt);

/** Address text of the picked endpoint ("10.0.0.1:80"), or empty. Lives as long as the endpoint, at
 *  least to the end of the turn in which the attempt ends: copy it. */
struct cyc_span cyc_attempt_endpoint_text(const struct cyc_attempt *attempt);

#endif
