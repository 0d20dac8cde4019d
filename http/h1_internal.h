/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the HTTP/1 codec share: http/h1.c reads (heads by http/h1_head.c, chunks by
 * http/h1_chunk.c), http/h1_write.c writes, http/h1_state.c knows when an exchange is over.
 *
 * Two small state machines, one per direction. Everything the owner can see (codec.wants_*,
 * can_open, is_read_held...) is derived from them in one place, h1_settle().
 *
 *   in:  IDLE -> HEAD -> LENGTH | CHUNKED -> TRAILERS | UNTIL_CLOSE | UPGRADE -> TUNNEL -> DONE ->
 * IDLE out: HEAD -> LENGTH | CHUNKED | UNTIL_CLOSE | NONE | UPGRADE -> TUNNEL -> DONE -> HEAD
 *
 * An exchange is over when both are DONE; in the server role the answer's end is enough (what still
 * comes of that request is not read). Then both start again, or `in` is DEAD for good.
 */
#ifndef CYC_HTTP_H1_INTERNAL_H
#define CYC_HTTP_H1_INTERNAL_H

#include "http/h1.h"

/** What the next incoming bytes are. */
enum h1_in {
    H1_IN_IDLE,        /* of a message nothing has arrived */
    H1_IN_HEAD,        /* start line and fields */
    H1_IN_METHOD,      /* server: a method llhttp does not know; how does it end? */
    H1_IN_LENGTH,      /* `in_bytes` of body */
    H1_IN_CHUNKED,     /* chunk lines and data, see enum h1_chunk */
    H1_IN_TRAILERS,    /* what follows the last chunk */
    H1_IN_UNTIL_CLOSE, /* client: body up to the end of the connection */
    H1_IN_UPGRADE,     /* server: the answer decides whose bytes these are */
    H1_IN_TUNNEL,
    H1_IN_DONE, /* of the next message: not read before the exchange is over */
    H1_IN_DEAD, /* never parsed again: dropped */
};

/** What may be sent next. */
enum h1_out {
    H1_OUT_HEAD,
    H1_OUT_LENGTH, /* `out_bytes` of body */
    H1_OUT_CHUNKED,
    H1_OUT_UNTIL_CLOSE, /* server: to a 1.0 client */
    H1_OUT_NONE,        /* the body is dropped: answers to HEAD, 204, 304 */
    H1_OUT_UPGRADE,     /* client: nothing before the 101 */
    H1_OUT_TUNNEL,
    H1_OUT_DONE,
};

enum h1_chunk {
    H1_CHUNK_SIZE, /* digits */
    H1_CHUNK_EXTENSION,
    H1_CHUNK_SIZE_LF,
    H1_CHUNK_DATA,
    H1_CHUNK_DATA_CR,
    H1_CHUNK_DATA_LF,
    H1_CHUNK_LAST, /* the size was 0: trailers follow */
};

/** What the parser's field callbacks are in the middle of. */
enum h1_part { H1_PART_LINE, H1_PART_NAME, H1_PART_VALUE };

/* sizeof(llhttp_t) / 8; http/h1_head.c checks it. */
#define H1_PARSER_WORDS 12

struct h1 {
    struct cyc_codec codec;     /* first */
    struct cyc_codec_stream cs; /* the one exchange; in progress while codec.stream_count is 1 */

    /* the head (or the trailers) being read */
    uint64_t parser[H1_PARSER_WORDS]; /* llhttp_t, which only http/h1_head.c knows */
    struct cyc_msg *msg;              /* in the arena; NULL between messages */
    char *head; /* in the arena: its bytes, once it did not come in one piece */
    uint32_t head_bytes, head_capacity;
    uint32_t head_bytes_left;  /* of the limit, with trailers */
    uint32_t field_count_left; /* of the limit, with trailers */

    /* bodies */
    uint64_t in_bytes;        /* LENGTH, CHUNK_DATA: still to come; CHUNK_SIZE: the size so far */
    uint64_t out_bytes;       /* LENGTH: still to be sent */
    uint32_t extension_bytes; /* of all chunks */
    uint16_t chunk_extension_bytes;
    uint8_t chunk;             /* enum h1_chunk */
    uint8_t chunk_digit_count; /* of the size */

    uint8_t role;       /* enum cyc_codec_role */
    uint8_t in;         /* enum h1_in */
    uint8_t out;        /* enum h1_out */
    uint8_t part;       /* enum h1_part */
    uint8_t fail;       /* enum cyc_fail: why `in` is DEAD; while parsing: what a callback found */
    uint8_t method;     /* enum cyc_method of the request */
    uint8_t info_count; /* 1xx heads before this answer */
    uint8_t empty_line_count;
    bool is_after_cr; /* server, IDLE: half of an empty line has arrived */

    bool is_close;       /* the connection ends with this exchange */
    bool is_draining;    /* ... with the next one */
    bool is_old;         /* server: the client speaks 1.0 */
    bool is_upgrade;     /* the request asks for one */
    bool wants_trailers; /* server: the client does */
    bool is_over_high;   /* send_body has said false */
    bool is_feeding;     /* feed() is on the stack; it will settle */
    bool has_leftover;   /* feed() left bytes in the owner's queue */
    bool is_eof;         /* nothing comes after them */
};

static inline struct h1 *h1_of(struct cyc_codec_stream *cs)
{
    return (struct h1 *)(void *)cs->codec;
}

/* ---- http/h1_head.c -------------------------------------------------------------------------- */

enum h1_head_result {
    H1_HEAD_MORE,   /* not complete */
    H1_HEAD_DONE,   /* h1->msg is, with its start line read */
    H1_HEAD_FAILED, /* h1->fail says why */
};

/** Needs cs.arena. */
void h1_head_begin(struct h1 *h1);
void h1_trailers_begin(struct h1 *h1);
/** Takes from the front of `in`, which is not empty, not more than one segment and nothing behind
 * the head. `in` is HEAD, METHOD or TRAILERS. */
enum h1_head_result h1_head_take(struct h1 *h1, struct cyc_buf *in);

/* ---- http/h1_chunk.c ------------------------------------------------------------------------- */

void h1_chunks_begin(struct h1 *h1);
/** Moves data from `in` to the end of `body` until `in` is empty or h1->chunk is H1_CHUNK_LAST.
 *  @return false when malformed */
bool h1_chunks_take(struct h1 *h1, struct cyc_buf *in, struct cyc_buf *body);

/* ---- http/h1_state.c ------------------------------------------------------------------------- */

/** Begins an exchange. */
void h1_exchange_begin(struct h1 *h1);
/** Ends the exchange if both directions have; then on_gone has run, and another exchange may have
 *  begun. Settles. */
void h1_check_end(struct h1 *h1);
/** The incoming side is broken: nothing is read any more, the owner gets on_reset. */
void h1_fail(struct h1 *h1, enum cyc_fail why);
/** Forgets the exchange; cuts an answer that has begun. No event. */
void h1_forget(struct h1 *h1);
/** Derives what the owner sees from the state, and tells it. */
void h1_settle(struct h1 *h1);

/* ---- http/h1_write.c: the sending half of the vtable ----------------------------------------- */

void h1_send_info(struct cyc_codec_stream *cs, const struct cyc_msg *head);
void h1_send_head(struct cyc_codec_stream *cs, const struct cyc_msg *head, bool is_end);
bool h1_send_body(struct cyc_codec_stream *cs, struct cyc_buf *body, bool is_end);
void h1_send_trailers(struct cyc_codec_stream *cs, const struct cyc_msg *trailers);
/** A whole 503, for when there is no memory for an exchange. */
void h1_send_unavailable(struct h1 *h1);

#endif
