/* SPDX-License-Identifier: Apache-2.0 */
/* How items move through a chain: for filters/chain.c only. */
#ifndef CYC_FILTERS_CHAIN_MOVE_H
#define CYC_FILTERS_CHAIN_MOVE_H

#include "base/assert.h"
#include "filters/chain.h"

CYC_BUILD_ASSERT(CYC_CHAIN_FILTER_COUNT_MAX < 31); /* masks are 32 bits */

/** A head, or a stretch of body with maybe its end and trailers. */
struct cyc_chain_item {
    struct cyc_msg *head, *trailers;
    struct cyc_buf *body; /* borrowed while it is moved; NULL: none */
    bool is_end;
};

static inline uint32_t cyc_chain_bit(int32_t i)
{
    return 1u << (uint32_t)i;
}

/**
 * Puts an item where it has to wait while hooks run: in front of the first filter from `at` on that
 * it must stop at, or at the way out.
 */
void cyc_chain_put(struct cyc_chain *chain, enum cyc_filter_dir dir, int32_t at,
                   const struct cyc_chain_item *item);
/** Starts the head in hand (hand.head, hand.is_end) on its way from the pusher; nothing of its
 * direction can be in front of it. */
void cyc_chain_carry_head(struct cyc_chain *chain, enum cyc_filter_dir dir, int32_t at);
/** Goes on with what waits in front of filter `i`. */
void cyc_chain_serve(struct cyc_chain *chain, enum cyc_filter_dir dir, int32_t i);
/** Lets go what filter `i` holds. @return true when there was something that can move now */
bool cyc_chain_release(struct cyc_chain *chain, enum cyc_filter_dir dir, int32_t i);
/** @return false when nothing waits to leave */
bool cyc_chain_flush_sink(struct cyc_chain *chain, enum cyc_filter_dir dir);
/** Gives body (not NULL) to the end of its direction; bytes the end leaves behind are dropped. */
void cyc_chain_end_body(struct cyc_chain *chain, enum cyc_filter_dir dir,
                        const struct cyc_chain_item *item);

/** Drops what waits in front of filter `from` and the ones after it in the chain. */
void cyc_chain_drop_inboxes(struct cyc_chain *chain, enum cyc_filter_dir dir, uint32_t from);
/** Drops what waits to leave. */
void cyc_chain_drop_sink(struct cyc_chain *chain, enum cyc_filter_dir dir);

#endif
