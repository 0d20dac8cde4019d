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
#include "filters/chain.h"

#include "base/assert.h"

#include <string.h>

CYC_BUILD_ASSERT(CYC_CHAIN_FILTER_COUNT_MAX < 31); /* masks are 32 bits */

enum { NO_STOP = -1 };

struct item {
    struct cyc_msg *head, *trailers;
    struct cyc_buf *body; /* borrowed while it is moved; NULL: none */
    bool is_end;
};

static uint32_t bit_at(int32_t i)
{
    return 1u << (uint32_t)i;
}

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
                         const struct item *item)
{
    uint32_t mask;
    if (item->head != NULL) {
        mask = chain->wants_head[dir] | (item->is_end ? chain->wants_body[dir] : 0);
    } else {
        mask = chain->wants_body[dir] | chain->filled[dir];
        if (chain->hand.is_held && chain->hand.dir == dir)
            mask |= bit_at(chain->hand.index);
    }
    if (dir == CYC_DIR_REQUEST) {
        mask &= ~0u << (uint32_t)at;
        return mask != 0 ? __builtin_ctz(mask) : NO_STOP;
    }
    mask &= (1u << (uint32_t)(at + 1)) - 1;
    return mask != 0 ? 31 - __builtin_clz(mask) : NO_STOP;
}

/* ---- inboxes ------------------------------------------------------------------------------------
 */

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
    uint32_t bit = bit_at(i);

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
    if ((chain->filled[dir] & bit_at(i)) == 0)
        *box = (struct cyc_chain_inbox){.body.pool = chain->pool};
    return box;
}

static void box_put(struct cyc_chain_inbox *box, const struct item *item)
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
                      const struct item *item)
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
    chain->filled[dir] &= ~bit_at(i);
    chain->ready[dir] &= ~bit_at(i);
}

static void inboxes_drop(struct cyc_chain *chain, enum cyc_filter_dir dir, uint32_t from)
{
    for (uint32_t left = chain->filled[dir] & (~0u << from); left != 0; left &= left - 1)
        inbox_drop(chain, dir, __builtin_ctz(left));
}

/* ---- the way out --------------------------------------------------------------------------------
 */

static void sink_put(struct cyc_chain *chain, enum cyc_filter_dir dir, const struct item *item)
{
    box_put(&chain->sink[dir], item);
    chain->sink_filled |= 1u << dir;
}

static void sink_drop(struct cyc_chain *chain, enum cyc_filter_dir dir)
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
static void end_body(struct cyc_chain *chain, enum cyc_filter_dir dir, const struct item *item)
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
static void end_item(struct cyc_chain *chain, enum cyc_filter_dir dir, const struct item *item)
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
        end_body(chain, dir, item);
}

/** @return false when nothing waits to leave */
static bool sink_flush(struct cyc_chain *chain, enum cyc_filter_dir dir)
{
    struct cyc_chain_inbox *sink = &chain->sink[dir];
    if ((chain->sink_filled & (1u << dir)) == 0)
        return false;

    struct cyc_buf body = sink->body;
    struct item item = {sink->head, sink->trailers, &body, sink->is_end};
    *sink = (struct cyc_chain_inbox){.body.pool = chain->pool};
    chain->sink_filled &= ~(1u << dir);
    end_item(chain, dir, &item);
    return true;
}

/* ---- the item in hand ---------------------------------------------------------------------------
 */

static struct item hand_item(struct cyc_chain_hand *hand)
{
    return (struct item){hand->head, hand->trailers, &hand->body, hand->is_end};
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
    if ((chain->wants_body[hand->dir] & bit_at(hand->index)) == 0)
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
    if ((chain->wants_head[hand->dir] & bit_at(i)) != 0 &&
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
    struct item item = {hand->head, hand->trailers, &body, hand->is_end};

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
        struct item item = hand_item(hand);
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
        if (item.head == NULL && (chain->filled[dir] & bit_at(i)) != 0) {
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
static void inbox_serve(struct cyc_chain *chain, enum cyc_filter_dir dir, int32_t i)
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

/* ---- running ------------------------------------------------------------------------------------
 */

/** Puts an item where it has to wait while hooks run: in front of the first filter from `at` on
 * that it must stop at, or at the way out. */
static void chain_put(struct cyc_chain *chain, enum cyc_filter_dir dir, int32_t at,
                      const struct item *item)
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

static void finish_now(struct cyc_chain *chain)
{
    chain->is_finished = true;
    if (chain->ends == NULL)
        return; /* it was never started */
    void (*finished)(void *owner) = chain->ends->finished;
    for (uint32_t dir = 0; dir < 2; dir++) {
        if (chain->filled[dir] != 0)
            inboxes_drop(chain, (enum cyc_filter_dir)dir, 0);
        if (chain->sink_filled != 0)
            sink_drop(chain, (enum cyc_filter_dir)dir);
    }
    uint32_t owed = chain->wants_done & ((1u << chain->entered_count) - 1);
    while (owed != 0) {
        int32_t i = 31 - __builtin_clz(owed);
        owed &= ~bit_at(i);
        chain->slots[i].vt->on_done(&chain->slots[i].call);
    }
    if (finished != NULL)
        finished(chain->owner);
}

/** @return true when a mark was crossed: the owner was told and may have pushed */
static bool pressure_tell(struct cyc_chain *chain, enum cyc_filter_dir dir)
{
    size_t bytes = chain->waiting_bytes[dir];
    if (chain->is_high[dir] ? bytes > chain->high_bytes / 2 : bytes <= chain->high_bytes)
        return false;
    chain->is_high[dir] = !chain->is_high[dir];
    chain->ends->pressure(chain->owner, dir, chain->is_high[dir]);
    return true;
}

/** Moves one thing. @return false when nothing can move */
static bool chain_step(struct cyc_chain *chain)
{
    if (sink_flush(chain, CYC_DIR_RESPONSE) || sink_flush(chain, CYC_DIR_REQUEST))
        return true;
    if (chain->ready[CYC_DIR_RESPONSE] != 0) {
        inbox_serve(chain, CYC_DIR_RESPONSE, __builtin_ctz(chain->ready[CYC_DIR_RESPONSE]));
        return true;
    }
    if (chain->ready[CYC_DIR_REQUEST] != 0) {
        inbox_serve(chain, CYC_DIR_REQUEST, 31 - __builtin_clz(chain->ready[CYC_DIR_REQUEST]));
        return true;
    }
    return pressure_tell(chain, CYC_DIR_RESPONSE) || pressure_tell(chain, CYC_DIR_REQUEST);
}

/** Moves items until none can move; the item furthest along first, so each goes as far as it can
 * before the next starts. The chain may be gone afterwards. */
static void chain_spin(struct cyc_chain *chain)
{
    chain->is_running = true;
    while (!chain->is_finish_due && chain_step(chain))
        continue;
    chain->is_running = false;
    if (chain->is_finish_due)
        finish_now(chain);
}

static void chain_run(struct cyc_chain *chain)
{
    if (!chain->is_running && !chain->is_finished)
        chain_spin(chain);
}

/** Nothing is in the way of body: it may go straight to the end. */
static bool is_body_way_free(const struct cyc_chain *chain, enum cyc_filter_dir dir)
{
    return (chain->wants_body[dir] | chain->filled[dir]) == 0 && chain->sink_filled == 0 &&
           !(dir == CYC_DIR_REQUEST && chain->is_request_shut);
}

static void push_body(struct cyc_chain *chain, enum cyc_filter_dir dir, int32_t at,
                      struct item *item)
{
    struct cyc_buf none;

    if (!is_body_way_free(chain, dir)) {
        chain_put(chain, dir, at, item);
        return;
    }
    if (item->body == NULL) {
        cyc_buf_init(&none, chain->pool);
        item->body = &none;
    }
    end_body(chain, dir, item);
}

/** Both pushes: `item` may be a head and the body behind it. */
static void chain_push(struct cyc_chain *chain, enum cyc_filter_dir dir, int32_t at,
                       struct item *item)
{
    struct item head = {.head = item->head};
    bool has_body = (item->body != NULL && item->body->bytes > 0) || item->trailers != NULL;

    if (!has_body && item->head != NULL)
        head.is_end = item->is_end;
    has_body = has_body || (item->head == NULL && item->is_end);
    item->head = NULL;
    if (chain->is_running) {
        if (head.head != NULL)
            chain_put(chain, dir, at, &head);
        if (has_body)
            chain_put(chain, dir, at, item);
        return;
    }
    chain->is_running = true;
    if (head.head != NULL) {
        chain->hand.dir = dir;
        chain->hand.head = head.head;
        chain->hand.is_end = head.is_end;
        hand_carry(chain, at);
    }
    if (has_body) {
        bool is_shut = dir == CYC_DIR_RESPONSE && chain->is_response_shut;
        if (!chain->is_finish_due && !is_shut)
            push_body(chain, dir, at, item);
        else if (item->body != NULL)
            cyc_buf_clear(item->body); /* the hooks for the head decided otherwise */
    }
    chain_spin(chain);
}

/* ---- public -------------------------------------------------------------------------------------
 */

static size_t state_bytes_rounded(const struct cyc_filter_vt *vt)
{
    return (vt->state_bytes + 15u) & ~(size_t)15;
}

/** Gives filter `i` its slot, but for the inboxes: those are emptied when first used. */
static void slot_init(struct cyc_chain *chain, uint32_t i, const struct cyc_chain_entry *entry,
                      struct cyc_exchange *exchange)
{
    const struct cyc_filter_vt *vt = entry->vt;
    struct cyc_chain_slot *slot = &chain->slots[i];

    slot->vt = vt;
    slot->call.chain = chain;
    slot->call.exchange = exchange;
    slot->call.conf = entry->conf;
    slot->call.index = i;
    chain->wants_head[CYC_DIR_REQUEST] |= (uint32_t)(vt->on_req_head != NULL) << i;
    chain->wants_head[CYC_DIR_RESPONSE] |= (uint32_t)(vt->on_res_head != NULL) << i;
    chain->wants_body[CYC_DIR_REQUEST] |= (uint32_t)(vt->on_req_body != NULL) << i;
    chain->wants_body[CYC_DIR_RESPONSE] |= (uint32_t)(vt->on_res_body != NULL) << i;
    chain->wants_done |= (uint32_t)(vt->on_done != NULL) << i;
}

void cyc_chain_init(struct cyc_chain *chain, const struct cyc_chain_entry *entries,
                    uint32_t entry_count, struct cyc_exchange *exchange, struct cyc_buf_pool *pool,
                    const struct cyc_chain_ends *ends, void *owner, size_t high_bytes)
{
    cyc_assert(entry_count <= CYC_CHAIN_FILTER_COUNT_MAX);

    memset(chain, 0, sizeof(*chain));
    chain->slot_count = chain->cut = entry_count;
    chain->res_at = (int32_t)entry_count;
    chain->ends = ends;
    chain->owner = owner;
    chain->pool = chain->hand.body.pool = pool;
    chain->sink[0].body.pool = chain->sink[1].body.pool = pool;
    chain->high_bytes = high_bytes;
    if (entry_count == 0)
        return;

    size_t state_bytes = 0, slot_bytes = entry_count * sizeof(struct cyc_chain_slot);
    for (uint32_t i = 0; i < entry_count; i++)
        state_bytes += state_bytes_rounded(entries[i].vt);
    char *memory = cyc_arena_alloc(exchange->arena, slot_bytes + state_bytes);
    chain->slots = (struct cyc_chain_slot *)memory;
    char *state = memory + slot_bytes;
    if (state_bytes > 0)
        memset(state, 0, state_bytes);
    for (uint32_t i = 0; i < entry_count; i++) {
        slot_init(chain, i, &entries[i], exchange);
        chain->slots[i].call.state = state;
        state += state_bytes_rounded(entries[i].vt);
    }
}

void cyc_chain_push_request(struct cyc_chain *chain, struct cyc_msg *head, struct cyc_buf *body,
                            bool is_end, struct cyc_msg *trailers)
{
    cyc_assert(trailers == NULL || is_end);

    if (chain->is_finish_due) {
        if (body != NULL)
            cyc_buf_clear(body);
        return;
    }
    chain_push(chain, CYC_DIR_REQUEST, 0, &(struct item){head, trailers, body, is_end});
}

/** The owner answers a request that is still on its way: what waits of it goes no further. */
static void request_shut(struct cyc_chain *chain, uint32_t from)
{
    struct cyc_chain_hand *hand = &chain->hand;

    chain->is_request_shut = true;
    if (chain->cut > from)
        chain->cut = from;
    inboxes_drop(chain, CYC_DIR_REQUEST, from);
    sink_drop(chain, CYC_DIR_REQUEST);
    if (hand->is_held && hand->dir == CYC_DIR_REQUEST && hand->index >= (int32_t)from)
        hand->is_dropped = true;
}

void cyc_chain_push_response(struct cyc_chain *chain, struct cyc_msg *head, struct cyc_buf *body,
                             bool is_end, struct cyc_msg *trailers)
{
    cyc_assert(trailers == NULL || is_end);

    if (chain->is_response_shut || chain->is_finish_due) { /* a reply won: the rest is dropped */
        if (body != NULL)
            cyc_buf_clear(body);
        return;
    }
    if (head != NULL) {
        cyc_assert(chain->res_at == (int32_t)chain->slot_count); /* the first and only one */
        if (!chain->is_routed) {
            /* the innermost filter that was shown the head is the one that holds it */
            request_shut(chain, chain->entered_count > 0 ? chain->entered_count - 1 : 0);
            inboxes_drop(chain, CYC_DIR_REQUEST, 0);
        }
        chain->res_entry = (int32_t)chain->entered_count - 1;
    }
    chain_push(chain, CYC_DIR_RESPONSE, chain->res_entry,
               &(struct item){head, trailers, body, is_end});
}

void cyc_chain_resume(struct cyc_filter_call *call, enum cyc_filter_dir dir)
{
    struct cyc_chain *chain = call->chain;
    struct cyc_chain_hand *hand = &chain->hand;
    int32_t i = (int32_t)call->index;

    if (hand->is_held && hand->dir == dir && hand->index == i) {
        hand->is_released = true;
        return;
    }
    if (chain->is_finish_due || (chain->filled[dir] & bit_at(i)) == 0)
        return; /* overtaken by a reply, or nothing is held */
    struct cyc_chain_inbox *box = inbox_at(chain, dir, i);
    if (box->pause == CYC_PAUSE_NONE)
        return;
    box->is_released = true;
    inbox_update(chain, dir, i);
    chain_run(chain);
}

/** Drops what is in filter `from` and behind it, of the answer that is being replaced. */
static void response_drop(struct cyc_chain *chain, uint32_t from)
{
    struct cyc_chain_hand *hand = &chain->hand;

    chain->is_response_shut = true;
    inboxes_drop(chain, CYC_DIR_RESPONSE, from);
    if (hand->is_held && hand->dir == CYC_DIR_RESPONSE && hand->index >= (int32_t)from)
        hand->is_dropped = true;
}

void cyc_chain_reply(struct cyc_filter_call *call, struct cyc_msg *res, struct cyc_buf *body)
{
    struct cyc_chain *chain = call->chain;
    bool is_late = chain->res_at < (int32_t)call->index, was_routed = chain->is_routed;

    if (call->index >= chain->cut || chain->is_finish_due) {
        if (body != NULL)
            cyc_buf_clear(body);
        return; /* an outer filter replied first */
    }
    request_shut(chain, call->index);
    chain->is_routed = false; /* a second, outer reply must not abort again */
    if (!is_late || was_routed)
        response_drop(chain, call->index);
    if (!is_late) {
        chain->is_replied = true;
        call->exchange->res = res;
        call->exchange->is_local = true;
    }
    if (was_routed) {
        bool was_running = chain->is_running;
        chain->is_running = true; /* the owner may finish, but not under our feet */
        chain->ends->abort_request(chain->owner);
        chain->is_running = was_running;
    }
    if (is_late || chain->is_finish_due) {
        if (body != NULL)
            cyc_buf_clear(body);
        chain_run(chain);
        return;
    }
    int32_t outer = (int32_t)call->index - 1;
    bool has_body = body != NULL && body->bytes > 0;
    chain_put(chain, CYC_DIR_RESPONSE, outer, &(struct item){.head = res, .is_end = !has_body});
    if (has_body)
        chain_put(chain, CYC_DIR_RESPONSE, outer, &(struct item){.body = body, .is_end = true});
    chain_run(chain);
}

void cyc_chain_finish(struct cyc_chain *chain)
{
    if (chain->is_finish_due)
        return;
    chain->is_finish_due = true;
    if (!chain->is_running)
        finish_now(chain);
}
