/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam between bytes and requests: both roles, every version.
 *
 * A codec turns bytes into events and calls into bytes. It knows no socket, no clock but the one it
 * is given, and no other side; what it wants from its connection it says in its public fields
 * (`wants_*`), which the owner looks at when told (`on_wish`) and applies at the end of the turn.
 *
 * Server role: feed() announces a request with on_open (the owner sets cs->owner), then on_head,
 * on_body..., on_trailers. Client role: open() first, then send_head(); answers come as events.
 *
 * Events run only inside feed() (and tick()). Inside an event any call on the same codec is
 * allowed, reset of the same stream included. A stream's last event is the one with is_end true,
 * on_trailers, or on_reset; the codec forgets the stream when both directions have ended or it was
 * reset. The owner must not touch `cs` after: it told reset(), or it got on_reset, or it was told
 * on_gone.
 *
 * A request that asks for an upgrade arrives with is_end false and body kind NONE; should the
 * answer be 101, both directions go on as plain bytes (BODY_TUNNEL) and each ends on its own
 * (half-close). Any other answer ends the request there.
 */
#ifndef CYC_HTTP_CODEC_H
#define CYC_HTTP_CODEC_H

#include "base/buf.h"
#include "base/clock.h"
#include "http/fail.h"
#include "http/msg.h"

#include <stdbool.h>
#include <stdint.h>

struct cyc_codec;
struct cyc_codec_stream;
struct cyc_date_cache;

/** Why a stream's incoming bytes are not wanted now; one bit per cause, so never unbalanced. */
enum cyc_hold {
    CYC_HOLD_CHAIN = 1,    /* a filter paused and its inbox is full */
    CYC_HOLD_FAR_SIDE = 2, /* the other side cannot take more */
};

/** One exchange on a codec. First member of each codec's own stream struct. */
struct cyc_codec_stream {
    struct cyc_codec *codec;
    void *owner;             /* the proxy's stream, or the upstream's attempt */
    struct cyc_arena *arena; /* server role: set by the owner in on_open; client role: by open() */
    uint32_t holds;          /* enum cyc_hold, or-ed */
    bool can_splice; /* the owner's: it hands body bytes on unseen, so they may stay in pipes */
};

struct cyc_codec_events {
    /** Server role: a request begins. The owner sets cs->owner and cs->arena. @return false to
     * refuse (no memory): the codec answers 503 itself and closes. */
    bool (*on_open)(struct cyc_codec_stream *cs);
    /** Client role: a 1xx head other than 101. */
    void (*on_info)(struct cyc_codec_stream *cs, struct cyc_msg *head);
    void (*on_head)(struct cyc_codec_stream *cs, struct cyc_msg *head, bool is_end);
    /** Take the bytes out of `body` (splice); what is left is dropped. */
    void (*on_body)(struct cyc_codec_stream *cs, struct cyc_buf *body, bool is_end);
    /** The end, with trailers. */
    void (*on_trailers)(struct cyc_codec_stream *cs, struct cyc_msg *trailers);
    /** Output drained below the mark after send_body said false. */
    void (*on_room)(struct cyc_codec_stream *cs);
    /** The exchange cannot go on. The last event of cs, unless can_answer: then (server role, `why`
     * has a status, no head was sent) the owner still has to answer with send_head and so on, now
     * or later, or to call reset(); on_gone follows when the answer has ended. */
    void (*on_reset)(struct cyc_codec_stream *cs, enum cyc_fail why, bool can_answer);
    /** Both directions have ended: the last event of cs. Runs inside feed(), or inside the send_*
     *  call that completed the exchange, as the very last thing it does. Server role: also when the
     *  answer ended before the request did; what still comes of that request is dropped. */
    void (*on_gone)(struct cyc_codec_stream *cs);
    /** wants_*, out or can_open changed. May come from any call. Only note it down. */
    void (*on_wish)(struct cyc_codec *codec);
};

struct cyc_codec_limits {
    uint32_t head_bytes_max, field_count_max, uri_bytes_max;
    uint32_t out_bytes_high; /* send_body answers false from here on; on_room below half of it */
    struct cyc_date_cache *date; /* the worker's, borrowed until fini; NULL: formatted every time */
};

struct cyc_codec_vt {
    const char *name; /* "h1", "h2" */
    /** Consumes from `in`; leaves what must wait (a pipelined request behind one that is not done,
     * body bytes on hold). @return not NONE: answer what was answered, then close the connection */
    enum cyc_fail (*feed)(struct cyc_codec *codec, struct cyc_buf *in);
    /** The peer will send no more bytes. @return as feed */
    enum cyc_fail (*feed_end)(struct cyc_codec *codec);
    /** The connection is gone: every stream gets on_reset(why). */
    void (*abort)(struct cyc_codec *codec, enum cyc_fail why);
    /** Say goodbye: GOAWAY, or `connection: close` on the current answer; wants_close when done. */
    void (*drain)(struct cyc_codec *codec);
    /** Client role; only while can_open. @return NULL when there is no room */
    struct cyc_codec_stream *(*open)(struct cyc_codec *codec, void *owner, struct cyc_arena *arena);
    void (*send_info)(struct cyc_codec_stream *cs, const struct cyc_msg *head);
    /** Server role: the final head. Client role: the request. Borrowed for the call. */
    void (*send_head)(struct cyc_codec_stream *cs, const struct cyc_msg *head, bool is_end);
    /** Takes all bytes of `body` in any case. @return false: wait for on_room before sending more
     */
    bool (*send_body)(struct cyc_codec_stream *cs, struct cyc_buf *body, bool is_end);
    /** Ends the direction with trailers (dropped where the peer did not ask for them). */
    void (*send_trailers)(struct cyc_codec_stream *cs, const struct cyc_msg *trailers);
    /** Gives the exchange up; no event follows. Server role: a response that has begun is cut so
     * that the client notices (never a clean end). */
    void (*reset)(struct cyc_codec_stream *cs, enum cyc_fail why);
    void (*hold)(struct cyc_codec_stream *cs, uint32_t reasons);
    void (*release)(struct cyc_codec_stream *cs, uint32_t reasons);
    /** `bytes` of `out` left for the peer. */
    void (*sent)(struct cyc_codec *codec, size_t bytes);
    void (*fini)(struct cyc_codec *codec);
};

/** What every codec begins with. The wishes are the codec's to write and the owner's to read. */
struct cyc_codec {
    const struct cyc_codec_vt *vt;
    const struct cyc_codec_events *events;
    struct cyc_buf *out; /* the connection's outgoing queue */
    const struct cyc_clock *clock;
    struct cyc_codec_limits limits;
    void *owner;           /* of the connection */
    uint32_t stream_count; /* exchanges in progress */
    uint64_t
        opaque_bytes;  /* the next so many are handed on unseen: feed() takes pipes (base/pipe.h) */
    bool is_read_held; /* do not read more now */
    bool wants_feed;   /* bytes that were left in `in` can be consumed now: call feed again */
    bool wants_close;  /* close once `out` has drained */
    bool is_cut;       /* server role: an answer that ends with the connection was cut: reset it */
    bool wants_shutdown;   /* end the outgoing direction once `out` has drained (tunnels) */
    bool can_open;         /* client role: another exchange may begin */
    bool is_head_begun;    /* server role: a request head has begun to arrive and is not complete */
    bool is_reusable;      /* client role: idle and clean: fit for the pool */
    bool has_answer_begun; /* client role: a byte of the answer has arrived */
};

#endif
