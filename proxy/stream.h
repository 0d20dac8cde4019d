/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request: where the client's codec stream, the filter chain and the upstream attempt meet.
 *
 *   codec (server role) --on_head/on_body--> chain --request_head/body--> forward --> attempt
 *   codec  <--send_head/send_body-- chain <--push_response-- forward <--on_head/on_body-- attempt
 *
 * A stream is not a connection and not an attempt: retries make a new attempt, and the stream does
 * not notice. It ends once: when both directions have ended (codec's on_gone), when the client's
 * side was reset, or when the stream itself cuts it. Then the chain is finished, and the memory
 * goes at the end of the turn, because the chain may still be on the stack.
 */
#ifndef CYC_PROXY_STREAM_H
#define CYC_PROXY_STREAM_H

#include "filters/chain.h"
#include "proxy/downstream.h"
#include "upstream/attempt.h"

#include <stdalign.h>

/** The first block of a stream's arena: a request with its answer and chain fits without another.
 */
#define CYC_STREAM_ARENA_BYTES 4096

/** What a stream does with the answer's source; see proxy/forward.h and proxy/local.h. */
struct cyc_stream_source {
    /** Start producing the answer to stream->exchange.req. */
    void (*start)(struct cyc_stream *stream, struct cyc_msg *req, bool is_end);
    /** Request body. Takes the bytes. */
    void (*body)(struct cyc_stream *stream, struct cyc_buf *body, bool is_end,
                 struct cyc_msg *trailers);
    /** The client can take more (is_held false), or not now. */
    void (*hold)(struct cyc_stream *stream, uint32_t reasons, bool is_held);
    /** Stop; nothing more is pushed. */
    void (*abort)(struct cyc_stream *stream);
};

struct cyc_stream {
    struct cyc_exchange exchange;
    struct cyc_chain chain;
    struct cyc_attempt attempt;
    struct cyc_arena arena;
    struct cyc_worker *worker;
    struct cyc_downstream *downstream;
    struct cyc_codec_stream *cs;              /* NULL: the codec has forgotten the exchange */
    const struct cyc_listener_spec *listener; /* as it was when the request began; in `view` */
    struct cyc_view *view;                    /* pinned */
    const struct cyc_route *route;
    const struct cyc_stream_source *source;
    struct cyc_timer timer; /* the route's timeout */
    struct cyc_list link;   /* in worker->ended */
    struct cyc_buf pending; /* request body that waits for a connection */
    struct cyc_buf replay;  /* request body already sent that a replay would need */
    struct cyc_msg *pending_trailers;
    uint64_t progress_ns; /* when a body byte last moved */
    uint32_t tries_left;
    bool is_pending_end;   /* the request ends with `pending` */
    bool is_head_end;      /* the request head was all of it */
    bool is_request_ended; /* the client has sent all of it */
    bool is_answer_pushed; /* the final head was pushed into the chain */
    bool is_answer_begun;  /* ... and went to the codec */
    bool is_source_ended;  /* the source has said all of it; its attempt ends by itself */
    bool is_refused;       /* what still comes of the request is dropped */
    bool is_ready;         /* attempt: body may be sent */
    bool can_replay;       /* `replay` is complete so far */
    bool has_replayed;     /* the one replay of a request on a stale connection is used up */
    bool is_ended;
    void *source_state; /* the source's own, in the arena */
    alignas(8) char first_block[CYC_STREAM_ARENA_BYTES];
};

/** The events of every server-role codec. */
extern const struct cyc_codec_events cyc_stream_events;

/** For sources: part of the answer. `body` may be NULL; its bytes are taken. */
void cyc_stream_push_head(struct cyc_stream *stream, struct cyc_msg *res, bool is_end);
void cyc_stream_push_body(struct cyc_stream *stream, struct cyc_buf *body, bool is_end,
                          struct cyc_msg *trailers);
/** For sources: the whole answer. Takes the bytes of `body`, which may be empty. */
void cyc_stream_answer(struct cyc_stream *stream, struct cyc_msg *res, struct cyc_buf *body);
/** For sources: it failed. Before the answer began the client gets the failure's status, after it
 * the answer is cut. */
void cyc_stream_fail(struct cyc_stream *stream, enum cyc_fail why);
/** From outside the exchange (limits, timeouts, malformed input): whatever answers it stops, and
 * the client gets the failure, or is cut when its answer has begun. No-op on NULL. */
void cyc_stream_refuse(struct cyc_stream *stream, enum cyc_fail why);
/** The client's body is wanted, or not now. */
void cyc_stream_hold_client(struct cyc_stream *stream, uint32_t reasons, bool is_held);
/** Frees what ended in this turn. */
void cyc_streams_reap(struct cyc_worker *worker);

#endif
