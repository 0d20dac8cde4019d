/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs one request through its filters.
 *
 * Every filter has an inbox per direction. Running the chain means taking the item furthest along
 * and moving it one filter further, until nothing can move. That is the whole algorithm: a paused
 * filter is one whose inbox is not served, buffering is what is left in inboxes, and nothing ever
 * recurses, because chain functions called from inside a hook only change inboxes.
 *
 * Body bytes cost nothing for filters without a body hook, and trailers ride with the end of the
 * body.
 */
#ifndef CYC_FILTERS_CHAIN_H
#define CYC_FILTERS_CHAIN_H

#include "filters/filter.h"

#define CYC_CHAIN_FILTER_COUNT_MAX 16

/** The ends of the chain: `request` is the forwarding side, `response` the client's codec.
 *  Bodies: take the bytes out of the queue (splice). `trailers` comes only with is_end, or is NULL.
 */
struct cyc_chain_ends {
    void (*request_head)(void *owner, struct cyc_msg *req, bool is_end);
    void (*request_body)(void *owner, struct cyc_buf *body, bool is_end, struct cyc_msg *trailers);
    void (*response_head)(void *owner, struct cyc_msg *res, bool is_end);
    void (*response_body)(void *owner, struct cyc_buf *body, bool is_end, struct cyc_msg *trailers);
    /** A filter replied after the request had left the chain: drop the upstream attempt. When
     *  chain->is_replied is false no answer follows, because the response head had already passed
     * that filter: the owner must end the exchange there, cutting the response short. */
    void (*abort_request)(void *owner);
    /** Bytes waiting in inboxes of that direction went over the high or under the low mark. Not
     * called any more once the chain is finished. */
    void (*pressure)(void *owner, enum cyc_filter_dir dir, bool is_high);
    /** May be NULL. Every on_done has run: the last call, the chain's memory may go. */
    void (*finished)(void *owner);
};

enum cyc_chain_pause { CYC_PAUSE_NONE = 0, CYC_PAUSE_HEAD, CYC_PAUSE_BODY };

/**
 * What waits in front of one filter, in one direction.
 * Invariants: shown_bytes <= body.bytes; a head in the box is always ahead of the body in it.
 */
struct cyc_chain_inbox {
    struct cyc_msg *head;     /* NULL: none yet, or moved on */
    struct cyc_msg *trailers; /* only with is_end */
    struct cyc_buf body;
    size_t shown_bytes;         /* how much of it the paused filter has been shown */
    bool is_end, shown_end;     /* no more body follows */
    bool is_released;           /* resumed: pass the shown part on without asking again */
    enum cyc_chain_pause pause; /* which hook said PAUSE */
};

struct cyc_chain_slot {
    const struct cyc_filter_vt *vt;
    struct cyc_filter_call call;
    struct cyc_chain_inbox inbox[2]; /* by enum cyc_filter_dir */
};

/** The item that is being shown to a filter: in no inbox while the hook runs. */
struct cyc_chain_hand {
    struct cyc_msg *head, *trailers;
    struct cyc_buf body;
    int32_t index; /* of that filter */
    enum cyc_filter_dir dir;
    bool is_held; /* there is one */
    bool is_end;
    bool is_released; /* resumed inside the hook: PAUSE does not hold it */
    bool is_dropped;  /* a reply inside the hook made it void */
};

struct cyc_chain {
    struct cyc_chain_slot *slots; /* in the request's arena */
    uint32_t slot_count;
    const struct cyc_chain_ends *ends;
    void *owner;
    struct cyc_chain_inbox sink[2]; /* what waits to leave the chain, by direction */
    uint32_t ready[2];              /* bit i: inbox i can be served; by direction */
    uint32_t wants_body[2];         /* bit i: filter i has a body hook; by direction */
    uint32_t entered_count;         /* filters 0..entered_count-1 were shown the request head */
    uint32_t cut;                   /* filters from here on are out of the game; slot_count: none */
    size_t high_bytes;              /* pressure mark; low is half */
    size_t waiting_bytes[2];
    bool is_high[2];
    bool is_routed;  /* the request head has left the chain and was not told to abort */
    bool is_running; /* the run loop is on the stack */
    bool is_replied, is_finish_due, is_finished;
    /* private */
    struct cyc_chain_hand hand;
    struct cyc_buf_pool *pool;
    uint32_t wants_head[2]; /* bit i: filter i has a head hook; by direction */
    uint32_t wants_done;
    uint32_t
        filled[2]; /* bit i: inbox i holds something; the memory of others is not even zeroed */
    uint32_t sink_filled; /* bit: direction */
    int32_t res_at; /* filters above it have let the response head pass; slot_count: all to come */
    int32_t res_entry;     /* where pushed response items start */
    bool is_request_shut;  /* nothing of the request leaves the chain any more */
    bool is_response_shut; /* pushed response items are dropped */
};

/** What a chain is started with; all but the struct itself is borrowed until finished. */
struct cyc_chain_setup {
    const struct cyc_chain_entry *entries; /* first is outermost */
    uint32_t entry_count;
    struct cyc_exchange *exchange; /* its arena holds slots and filter state */
    struct cyc_buf_pool *pool;
    const struct cyc_chain_ends *ends;
    void *owner;
    size_t high_bytes; /* body bytes that may wait in one direction before `pressure` says so */
};

void cyc_chain_init(struct cyc_chain *chain, const struct cyc_chain_setup *setup);

/* From the ends. All may be called while the chain is running. `body` may be NULL; its bytes are
 * taken.
 *
 * A response pushed before the request has left the chain (a failure of the owner's own) starts at
 * the innermost filter that was shown the request; what waits of the request is dropped. */
void cyc_chain_push_request(struct cyc_chain *chain, struct cyc_msg *head, struct cyc_buf *body,
                            bool is_end, struct cyc_msg *trailers);
void cyc_chain_push_response(struct cyc_chain *chain, struct cyc_msg *head, struct cyc_buf *body,
                             bool is_end, struct cyc_msg *trailers);

/** Ends the request on any path, dropping what waits and delivering on_done where owed. Idempotent;
 * also for a chain that was only zeroed. From inside a hook it takes effect when the hook has
 * returned. */
void cyc_chain_finish(struct cyc_chain *chain);

/* From filters. All may be called inside a hook or later, from a timer or another completion. */
void cyc_chain_resume(struct cyc_filter_call *call, enum cyc_filter_dir dir);
/** Answers in place of the upstream. `res` and the bytes of `body` (may be NULL) are taken; `res`
 * must live in the exchange's arena. Ignored when another answer is ahead: see abort_request. Sets
 * exchange->res and is_local. */
void cyc_chain_reply(struct cyc_filter_call *call, struct cyc_msg *res, struct cyc_buf *body);

#endif
