/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How items move.
 *
 * An item is a head, or a stretch of body with maybe its end and trailers. A head that is all there
 * is of its message carries the end with it: body hooks then see an empty last body right after the
 * head hook. The item under way is "in hand": shown to one filter after the other until one pauses
 * (it is parked in that filter's inbox), something older is in the way (it queues behind), or it
 * leaves at the end. What is pushed while hooks run goes into inboxes; the loop takes it from
 * there.
 *
 * Positions count filters. Requests go up and leave above slot_count - 1, responses go down and
 * leave below 0; masks of the filters that care say where the next stop is, so a filter without a
 * hook costs nothing. With no stop left, body goes from the pusher straight to the end.
 */
#include "filters/chain_move.h"

#include "base/assert.h"

enum { NO_STOP = -1 };

/** Where pushes of the request start, and the position before which a direction ends. */
static int32_t index_after(int32_t i, enum cyc_filter_dir dir)
{
    return dir == CYC_DIR_REQUEST ? i + 1 : i - 1;
}

/**
 * The first filter at or after `at` that an item must stop at. Body stops where it is wanted and
 * where something is still in its way; a head is always the first of its direction.
 */
static int32_t stop_next(const struct cyc_chain *chain, enum cyc_filter_dir dir, int32_t at,
                         const struct cyc_chain_item *item)
{
    uint32_t mask;
    if (item->head != NULL) {
        mask = chain->wants_head[dir] | (item->is_end ? chain->wants_body[dir] : 0);
    } else {
        mask = chain->wants_body[dir] | chain->filled[dir];
        if (chain->hand.is_held && chain->hand.dir == dir)
            mask |= cyc_chain_bit(chain->hand.index);
    }
    if (dir == CYC_DIR_REQUEST) {
        mask &= ~0u << (uint32_t)at;
        return mask != 0 ? __builtin_ctz(mask) : NO_STOP;
    }
    mask &= (1u << (uint32_t)(at + 1)) - 1;
    return mask != 0 ? 31 - __builtin_clz(mask) : NO_STOP;
}

/* ---- inboxes --------------------------------------------------------------------------------- */

static struct cyc_chain_inbox *inbox_at(struct cyc_chain *chain, enum cyc_filter_dir dir, int32_t i)
{
    return &chain->slots[i].inbox[dir];
}

static bool inbox_is_ready(const struct cyc_chain_inbox *box)
{
    if (box->is_released)
        return true;
    if (box->head != NULL)
        return box->pause == CYC_PAUSE_NONE;
    if (box->pause == CYC_PAUSE_BODY) /* ask again once there is more to show */
        return box->body.bytes > box->shown_bytes || (box->is_end && !box->shown_end);
    return true;
}

/** Call after any change to the inbox. An empty one stops counting at all. */
static void inbox_update(struct cyc_chain *chain, enum cyc_filter_dir dir, int32_t i)
{
    const struct cyc_chain_inbox *box = inbox_at(chain, dir, i);
    uint32_t bit = cyc_chain_bit(i);

    cyc_debug_assert(box->shown_bytes <= box->body.bytes);
    chain->filled[dir] &= ~bit;
    chain->ready[dir] &= ~bit;
    if (box->head == NULL && box->body.bytes == 0 && !box->is_end)
        return;
    chain->filled[dir] |= bit;
    if (inbox_is_ready(box))
        chain->ready[dir] |= bit;
}

/** The inbox of filter `i`, emptied first when it is not in use. */
static struct cyc_chain_inbox *inbox_open(struct cyc_chain *chain, enum cyc_filter_dir dir,
                                          int32_t i)
{
    struct cyc_chain_inbox *box = inbox_at(chain, dir, i);
    if ((chain->filled[dir] & cyc_chain_bit(i)) == 0)
        *box = (struct cyc_chain_inbox){.body.pool = chain->pool};
    return box;
}

static void box_put(struct cyc_chain_inbox *box, const struct cyc_chain_item *item)
{
    cyc_assert(!box->is_end);
    cyc_assert(item->head == NULL || (box->head == NULL && box->body.bytes == 0));

    if (item->head != NULL)
        box->head = item->head;
    if (item->body != NULL)
        cyc_buf_splice(&box->body, item->body);
    box->is_end = item->is_end;
    box->trailers = item->trailers;
}

static void inbox_put(struct cyc_chain *chain, enum cyc_filter_dir dir, int32_t i,
                      const struct cyc_chain_item *item)
{
    struct cyc_chain_inbox *box = inbox_open(chain, dir, i);
    size_t before = box->body.bytes;
    box_put(box, item);
    chain->waiting_bytes[dir] += box->body.bytes - before;
    inbox_update(chain, dir, i);
}

static void inbox_drop(struct cyc_chain *chain, enum cyc_filter_dir dir, int32_t i)
{
    struct cyc_chain_inbox *box = inbox_at(chain, dir, i);
    chain->waiting_bytes[dir] -= box->body.bytes;
    cyc_buf_clear(&box->body);
    chain->filled[dir] &= ~cyc_chain_bit(i);
    chain->ready[dir] &= ~cyc_chain_bit(i);
}

void cyc_chain_drop_inboxes(struct cyc_chain *chain, enum cyc_filter_dir dir, uint32_t from)
{
    for (uint32_t left = chain->filled[dir] & (~0u << from); left != 0; left &= left - 1)
        inbox_drop(chain, dir, __builtin_ctz(left));
}

/* ---- the way out ----------------------------------------------------------------------------- */

static void sink_put(struct cyc_chain *chain, enum cyc_filter_dir dir,
                     const struct cyc_chain_item *item)
{
    box_put(&chain->sink[dir], item);
    chain->sink_filled |= 1u << dir;
}

void cyc_chain_drop_sink(struct cyc_chain *chain, enum cyc_filter_dir dir)
{
    struct cyc_chain_inbox *sink = &chain->sink[dir];
    cyc_buf_clear(&sink->body);
    *sink = (struct cyc_chain_inbox){.body.pool = chain->pool};
    chain->sink_filled &= ~(1u << dir);
}

static void end_head(struct cyc_chain *chain, enum cyc_filter_dir dir, struct cyc_msg *head,
                     bool is_end)
{
    if (dir == CYC_DIR_RESPONSE) {
        chain->res_at = -1;
        chain->ends->response_head(chain->owner, head, is_end);
        return;
    }
    chain->entered_count = chain->slot_count;
    chain->is_routed = true;
    chain->ends->request_head(chain->owner, head, is_end);
}

/** Takes the body: bytes the end leaves behind are dropped. */
void cyc_chain_end_body(struct cyc_chain *chain, enum cyc_filter_dir dir,
                        const struct cyc_chain_item *item)
{
    if (dir == CYC_DIR_RESPONSE)
        chain->ends->response_body(chain->owner, item->body, item->is_end, item->trailers);
    else
        chain->ends->request_body(chain->owner, item->body, item->is_end, item->trailers);
    if (item->body->bytes > 0)
        cyc_buf_clear(item->body);
}

/** Hands an item to the end of its direction, or drops it when nobody wants it there any more.
 *  `item->body` is not NULL. */
static void end_item(struct cyc_chain *chain, enum cyc_filter_dir dir,
                     const struct cyc_chain_item *item)
{
    bool has_body = item->body->bytes > 0 || item->trailers != NULL;

    if (item->head != NULL && !(dir == CYC_DIR_REQUEST && chain->is_request_shut))
        end_head(chain, dir, item->head, item->is_end && !has_body);
    if (!has_body && (item->head != NULL || !item->is_end))
        return;
    bool is_shut = dir == CYC_DIR_REQUEST && chain->is_request_shut;
    if (chain->is_finish_due || is_shut)
        cyc_buf_clear(item->body);
    else
        cyc_chain_end_body(chain, dir, item);
}

/** @return false when nothing waits to leave */
bool cyc_chain_flush_sink(struct cyc_chain *chain, enum cyc_filter_dir dir)
{
    struct cyc_chain_inbox *sink = &chain->sink[dir];
    if ((chain->sink_filled & (1u << dir)) == 0)
        return false;

    struct cyc_buf body = sink->body;
    struct cyc_chain_item item = {sink->head, sink->trailers, &body, sink->is_end};
    *sink = (struct cyc_chain_inbox){.body.pool = chain->pool};
    chain->sink_filled &= ~(1u << dir);
    end_item(chain, dir, &item);
    return true;
}

/* ---- the item in hand ------------------------------------------------------------------------ */

static struct cyc_chain_item hand_item(struct cyc_chain_hand *hand)
{
    return (struct cyc_chain_item){hand->head, hand->trailers, &hand->body, hand->is_end};
}

/** Opens the hand: what it held has gone elsewhere. */
static void hand_clear(struct cyc_chain *chain)
{
    struct cyc_chain_hand *hand = &chain->hand;
    hand->head = hand->trailers = NULL;
    hand->is_held = hand->is_end = hand->is_released = hand->is_dropped = false;
    cyc_debug_assert(hand->body.bytes == 0);
}

static void hand_drop(struct cyc_chain *chain)
{
    cyc_buf_clear(&chain->hand.body);
    hand_clear(chain);
}

/** Puts the paused item (back) into the inbox of the filter that holds it, in front of what came.
 */
static void hand_park(struct cyc_chain *chain, enum cyc_chain_pause pause)
{
    struct cyc_chain_hand *hand = &chain->hand;
    int32_t i = hand->index;
    enum cyc_filter_dir dir = hand->dir;
    struct cyc_chain_inbox *box = inbox_open(chain, dir, i);

    cyc_debug_assert(box->head == NULL && !(hand->is_end && box->is_end));
    box->head = hand->head;
    box->shown_bytes = hand->body.bytes;
    box->shown_end = hand->is_end;
    if (hand->is_end) {
        box->is_end = true;
        box->trailers = hand->trailers;
    }
    chain->waiting_bytes[dir] += hand->body.bytes;
    if (hand->body.head != NULL) {
        cyc_buf_splice(&hand->body, &box->body);
        box->body = hand->body;
        cyc_buf_init(&hand->body, chain->pool);
    }
    box->pause = pause;
    hand_clear(chain);
    inbox_update(chain, dir, i);
}

/** @return true when the item may go on after a hook has answered `result` */
static bool hand_goes_on(struct cyc_chain *chain, enum cyc_filter_result result,
                         enum cyc_chain_pause pause)
{
    struct cyc_chain_hand *hand = &chain->hand;

    if (CYC_UNLIKELY(hand->is_dropped || chain->is_finish_due)) {
        hand_drop(chain);
        return false;
    }
    if (CYC_LIKELY(result == CYC_FILTER_CONTINUE || hand->is_released)) {
        hand->is_released = false;
        return true;
    }
    if (result == CYC_FILTER_PAUSE) {
        hand_park(chain, pause);
        return false;
    }
    cyc_assert(chain->cut <= (uint32_t)hand->index); /* REPLIED, but who called cyc_chain_reply? */
    return true; /* the reply came too late to replace this item */
}

static enum cyc_filter_result head_hook(struct cyc_chain *chain, struct cyc_chain_slot *slot)
{
    struct cyc_chain_hand *hand = &chain->hand;
    return hand->dir == CYC_DIR_REQUEST ? slot->vt->on_req_head(&slot->call, hand->head)
                                        : slot->vt->on_res_head(&slot->call, hand->head);
}

/** Shows the body to filter hand->index, if that item has one and the filter wants it.
 *  @return true when it may go on */
static bool hand_show_body(struct cyc_chain *chain)
{
    struct cyc_chain_hand *hand = &chain->hand;
    struct cyc_chain_slot *slot = &chain->slots[hand->index];

    if (hand->head != NULL && !hand->is_end)
        return true;
    if ((chain->wants_body[hand->dir] & cyc_chain_bit(hand->index)) == 0)
        return true;
    enum cyc_filter_result result =
        hand->dir == CYC_DIR_REQUEST
            ? slot->vt->on_req_body(&slot->call, &hand->body, hand->is_end)
            : slot->vt->on_res_body(&slot->call, &hand->body, hand->is_end);
    return hand_goes_on(chain, result, CYC_PAUSE_BODY);
}

/** Shows the item to filter `i`. @return true when it may go on */
static bool hand_show(struct cyc_chain *chain, int32_t i)
{
    struct cyc_chain_hand *hand = &chain->hand;

    hand->index = i;
    if (hand->head == NULL)
        return hand_show_body(chain);
    if (hand->dir == CYC_DIR_REQUEST)
        chain->entered_count = (uint32_t)i + 1;
    else
        chain->res_at = i;
    if ((chain->wants_head[hand->dir] & cyc_chain_bit(i)) != 0 &&
        !hand_goes_on(chain, head_hook(chain, &chain->slots[i]), CYC_PAUSE_HEAD))
        return false;
    return hand_show_body(chain);
}

/** Takes the item out of the hand and gives it to the end. */
static void hand_deliver(struct cyc_chain *chain)
{
    struct cyc_chain_hand *hand = &chain->hand;
    enum cyc_filter_dir dir = hand->dir;
    struct cyc_buf body = hand->body;
    struct cyc_chain_item item = {hand->head, hand->trailers, &body, hand->is_end};

    cyc_buf_init(&hand->body, chain->pool);
    hand_clear(chain);
    end_item(chain, dir, &item);
}

/** Carries the item in hand along, from filter `at` on, as far as it goes. */
static void hand_carry(struct cyc_chain *chain, int32_t at)
{
    struct cyc_chain_hand *hand = &chain->hand;
    enum cyc_filter_dir dir = hand->dir;

    for (;;) {
        struct cyc_chain_item item = hand_item(hand);
        hand->is_held = false; /* it is not in its own way */
        int32_t i = stop_next(chain, dir, at, &item);
        hand->is_held = true;
        if (i == NO_STOP) {
            hand_deliver(chain);
            return;
        }
        if (dir == CYC_DIR_REQUEST && (uint32_t)i >= chain->cut) {
            hand_drop(chain); /* a reply was made here: the rest of the request is drained */
            return;
        }
        if (item.head == NULL && (chain->filled[dir] & cyc_chain_bit(i)) != 0) {
            inbox_put(chain, dir, i, &item);
            hand_clear(chain);
            return;
        }
        if (!hand_show(chain, i))
            return;
        if (hand->head == NULL && hand->body.bytes == 0 && !hand->is_end) {
            hand_clear(chain); /* the filter swallowed it */
            return;
        }
        at = index_after(i, dir);
    }
}

/** Shows the head in hand to every filter from `at` on that wants heads. The common case, kept
 * short: it does not look at body hooks, so it is for heads that carry no end, or where nobody
 * wants bodies.
 *  @return true when the head has passed them all */
static inline __attribute__((always_inline)) bool head_show_all(struct cyc_chain *chain,
                                                                enum cyc_filter_dir dir, int32_t at)
{
    struct cyc_chain_hand *hand = &chain->hand;
    bool is_request = dir == CYC_DIR_REQUEST;
    uint32_t todo = chain->wants_head[dir] &
                    (is_request ? ~0u << (uint32_t)at : (1u << (uint32_t)(at + 1)) - 1);

    hand->is_held = true;
    while (todo != 0) {
        int32_t i = is_request ? __builtin_ctz(todo) : 31 - __builtin_clz(todo);
        struct cyc_chain_slot *slot = &chain->slots[i];
        todo &= ~cyc_chain_bit(i);
        hand->index = i;
        enum cyc_filter_result result;
        if (is_request) {
            chain->entered_count = (uint32_t)i + 1;
            result = slot->vt->on_req_head(&slot->call, hand->head);
        } else {
            chain->res_at = i;
            result = slot->vt->on_res_head(&slot->call, hand->head);
        }
        if (CYC_UNLIKELY(result != CYC_FILTER_CONTINUE || hand->is_dropped || hand->is_released ||
                         chain->is_finish_due) &&
            !hand_goes_on(chain, result, CYC_PAUSE_HEAD))
            return false;
    }
    return true;
}

/** Starts a head on its way from the pusher; nothing of its direction can be in front of it. */
void cyc_chain_carry_head(struct cyc_chain *chain, enum cyc_filter_dir dir, int32_t at)
{
    struct cyc_chain_hand *hand = &chain->hand;
    bool is_end = hand->is_end;

    hand->dir = dir;
    if ((is_end && chain->wants_body[dir] != 0) || chain->is_request_shut) {
        hand_carry(chain, at);
        return;
    }
    if (!(dir == CYC_DIR_REQUEST ? head_show_all(chain, CYC_DIR_REQUEST, at)
                                 : head_show_all(chain, CYC_DIR_RESPONSE, at)))
        return;
    struct cyc_msg *head = hand->head;
    hand->head = NULL;
    hand->is_held = hand->is_end = false;
    end_head(chain, dir, head, is_end);
}

/** Takes the oldest item out of inbox `i`: the head (with the end, when that is all there is), or
 * the body; after a resume only what the filter was shown. */
static void hand_take(struct cyc_chain *chain, enum cyc_filter_dir dir, int32_t i)
{
    struct cyc_chain_hand *hand = &chain->hand;
    struct cyc_chain_inbox *box = inbox_at(chain, dir, i);
    bool is_whole_head = box->is_end && (box->pause == CYC_PAUSE_BODY ||
                                         (box->body.bytes == 0 && box->trailers == NULL));
    bool has_all = box->head != NULL ? is_whole_head : !box->is_released || box->shown_end;
    size_t before = box->body.bytes;

    cyc_debug_assert(!hand->is_held);
    hand->dir = dir;
    hand->index = i;
    hand->is_held = true;
    hand->head = box->head;
    if (has_all) {
        cyc_buf_splice(&hand->body, &box->body);
        hand->is_end = box->is_end;
        hand->trailers = box->trailers;
        box->is_end = false;
    } else if (box->head == NULL) {
        cyc_buf_move(&hand->body, &box->body, box->shown_bytes);
    }
    box->head = NULL;
    box->shown_bytes = 0;
    box->shown_end = box->is_released = false;
    box->pause = CYC_PAUSE_NONE;
    chain->waiting_bytes[dir] -= before - box->body.bytes;
    inbox_update(chain, dir, i);
}

/** Goes on with what waits in front of filter `i`. */
void cyc_chain_serve(struct cyc_chain *chain, enum cyc_filter_dir dir, int32_t i)
{
    const struct cyc_chain_inbox *box = inbox_at(chain, dir, i);
    bool was_released = box->is_released, was_shown_body = box->pause == CYC_PAUSE_BODY;

    hand_take(chain, dir, i);
    if (!was_released) {
        hand_carry(chain, i);
        return;
    }
    if (!was_shown_body && !hand_show_body(chain)) /* a head with the end: one hook to go */
        return;
    hand_carry(chain, index_after(i, dir));
}

/** Puts an item where it has to wait while hooks run: in front of the first filter from `at` on
 * that it must stop at, or at the way out. */
void cyc_chain_put(struct cyc_chain *chain, enum cyc_filter_dir dir, int32_t at,
                   const struct cyc_chain_item *item)
{
    int32_t i = stop_next(chain, dir, at, item);
    if (dir == CYC_DIR_RESPONSE && item->head != NULL)
        chain->res_at = i;
    if (dir == CYC_DIR_REQUEST &&
        (i == NO_STOP ? chain->is_request_shut : (uint32_t)i >= chain->cut)) {
        if (item->body != NULL)
            cyc_buf_clear(item->body);
        return;
    }
    if (i == NO_STOP)
        sink_put(chain, dir, item);
    else
        inbox_put(chain, dir, i, item);
}

bool cyc_chain_release(struct cyc_chain *chain, enum cyc_filter_dir dir, int32_t i)
{
    struct cyc_chain_hand *hand = &chain->hand;
    struct cyc_chain_inbox *box = inbox_at(chain, dir, i);

    if (hand->is_held && hand->dir == dir && hand->index == i) {
        hand->is_released = true;
        return false;
    }
    if ((chain->filled[dir] & cyc_chain_bit(i)) == 0 || box->pause == CYC_PAUSE_NONE)
        return false; /* overtaken by a reply, or nothing is held */
    box->is_released = true;
    inbox_update(chain, dir, i);
    return true;
}
