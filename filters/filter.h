/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a filter is.
 *
 * A filter is a const vtable plus its compiled config. For each request the chain gives it
 * `state_bytes` of zeroed memory that lives exactly as long as the request. Hooks run on one
 * worker, never concurrently and never nested: whatever a hook asks of the chain (resume, reply)
 * takes effect after the hook returns.
 *
 * Order is an onion: requests pass filters first to last, responses last to first. A reply made by
 * filter i is seen by filters i-1..0 only; the ones behind it never saw the request.
 */
#ifndef CYC_FILTERS_FILTER_H
#define CYC_FILTERS_FILTER_H

#include "base/buf.h"
#include "filters/exchange.h"
#include "http/msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cyc_chain;

enum cyc_filter_result {
    CYC_FILTER_CONTINUE = 0, /* pass it on */
    CYC_FILTER_PAUSE,        /* keep this and all after it until cyc_chain_resume() */
    CYC_FILTER_REPLIED,      /* cyc_chain_reply() was called; the request goes no further */
};

enum cyc_filter_dir { CYC_DIR_REQUEST = 0, CYC_DIR_RESPONSE = 1 };

/** Where a hook is running: handed to every hook, valid until on_done returns. */
struct cyc_filter_call {
    struct cyc_chain *chain;
    struct cyc_exchange *exchange;
    const void *conf; /* immutable, from the config snapshot the request started with */
    void *state;      /* this request's, zeroed at start */
    uint32_t index;   /* of this filter in its chain */
};

struct cyc_filter_vt {
    const char *name; /* as written in config: "request_id" */
    uint32_t state_bytes;

    /* Any hook may be NULL: the chain then skips this filter at no cost. */
    enum cyc_filter_result (*on_req_head)(struct cyc_filter_call *call, struct cyc_msg *req);
    /** May change the bytes in place of the queue; PAUSE keeps them and shows them again with more.
     */
    enum cyc_filter_result (*on_req_body)(struct cyc_filter_call *call, struct cyc_buf *body,
                                          bool is_end);
    enum cyc_filter_result (*on_res_head)(struct cyc_filter_call *call, struct cyc_msg *res);
    enum cyc_filter_result (*on_res_body)(struct cyc_filter_call *call, struct cyc_buf *body,
                                          bool is_end);
    /** Exactly once per request that reached on_req_head (or would have: a NULL hook counts), on
     * every way out. Nothing may be started. */
    void (*on_done)(struct cyc_filter_call *call);
};

/** One filter of a compiled chain. */
struct cyc_chain_entry {
    const struct cyc_filter_vt *vt;
    const void *conf;
};

#endif
