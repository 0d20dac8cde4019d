/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop and the calls that ends and filters make.
 *
 * How items move is in chain_move.c. Here is who may start them, and what a reply, an answer of the
 * owner's own or the end of the exchange does to those that are under way.
 */
#include "filters/chain.h"

#include "base/assert.h"
#include "filters/chain_move.h"

#include <string.h>

/* ---- running --------------------------------------------------------------------------------- */

static void finish_now(struct cyc_chain *chain)
{
    chain->is_finished = true;
    if (chain->ends == NULL)
        return; /* it was never started */
    void (*finished)(void *owner) = chain->ends->finished;
    for (uint32_t dir = 0; dir < 2; dir++) {
        if (chain->filled[dir] != 0)
            cyc_chain_drop_inboxes(chain, (enum cyc_filter_dir)dir, 0);
        if (chain->sink_filled != 0)
            cyc_chain_drop_sink(chain, (enum cyc_filter_dir)dir);
    }
    uint32_t owed = chain->wants_done & ((1u << chain->entered_count) - 1);
    while (owed != 0) {
        int32_t i = 31 - __builtin_clz(owed);
        owed &= ~cyc_chain_bit(i);
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
    if (cyc_chain_flush_sink(chain, CYC_DIR_RESPONSE) ||
        cyc_chain_flush_sink(chain, CYC_DIR_REQUEST))
        return true;
    if (chain->ready[CYC_DIR_RESPONSE] != 0) {
        cyc_chain_serve(chain, CYC_DIR_RESPONSE, __builtin_ctz(chain->ready[CYC_DIR_RESPONSE]));
        return true;
    }
    if (chain->ready[CYC_DIR_REQUEST] != 0) {
        cyc_chain_serve(chain, CYC_DIR_REQUEST, 31 - __builtin_clz(chain->ready[CYC_DIR_REQUEST]));
        return true;
    }
    return pressure_tell(chain, CYC_DIR_RESPONSE) || pressure_tell(chain, CYC_DIR_REQUEST);
}

/** The quick answer for requests that nobody pauses: nothing waits, and nobody was told to wait. */
static bool is_at_rest(const struct cyc_chain *chain)
{
    return (chain->filled[0] | chain->filled[1] | chain->sink_filled) == 0 && !chain->is_high[0] &&
           !chain->is_high[1];
}

/** Moves items until none can move; the item furthest along first, so each goes as far as it can
 * before the next starts. The chain may be gone afterwards. */
static void chain_spin(struct cyc_chain *chain)
{
    chain->is_running = true;
    while (!chain->is_finish_due && !is_at_rest(chain) && chain_step(chain))
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
                      const struct cyc_chain_item *item)
{
    if (!is_body_way_free(chain, dir)) {
        cyc_chain_put(chain, dir, at, item);
        return;
    }
    struct cyc_buf none = {.pool = chain->pool};
    struct cyc_chain_item out = *item;
    if (out.body == NULL)
        out.body = &none;
    cyc_chain_end_body(chain, dir, &out);
}

/** The push of an owner that is not called from inside the chain: the quick way. */
static void push_at_rest(struct cyc_chain *chain, enum cyc_filter_dir dir, int32_t at,
                         const struct cyc_chain_item *head, const struct cyc_chain_item *body)
{
    chain->is_running = true;
    if (head->head != NULL) {
        chain->hand.head = head->head;
        chain->hand.is_end = head->is_end;
        cyc_chain_carry_head(chain, dir, at);
    }
    bool is_shut = dir == CYC_DIR_RESPONSE && chain->is_response_shut;
    if (body != NULL && !chain->is_finish_due && !is_shut)
        push_body(chain, dir, at, body);
    else if (body != NULL && body->body != NULL)
        cyc_buf_clear(body->body); /* the hooks for the head decided otherwise */
    chain_spin(chain);
}

/** Both pushes: `item` may be a head and the body behind it. */
static void chain_push(struct cyc_chain *chain, enum cyc_filter_dir dir, int32_t at,
                       struct cyc_chain_item *item)
{
    bool has_bytes = (item->body != NULL && item->body->bytes > 0) || item->trailers != NULL;
    struct cyc_chain_item head = {.head = item->head, .is_end = item->is_end && !has_bytes};
    bool has_body = has_bytes || (item->head == NULL && item->is_end);

    item->head = NULL;
    if (!chain->is_running) {
        push_at_rest(chain, dir, at, &head, has_body ? item : NULL);
        return;
    }
    if (head.head != NULL)
        cyc_chain_put(chain, dir, at, &head);
    if (has_body)
        cyc_chain_put(chain, dir, at, item);
}

/* ---- public ---------------------------------------------------------------------------------- */

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

void cyc_chain_init(struct cyc_chain *chain, const struct cyc_chain_setup *setup)
{
    cyc_assert(setup->entry_count <= CYC_CHAIN_FILTER_COUNT_MAX);

    memset(chain, 0, sizeof(*chain));
    chain->slot_count = chain->cut = setup->entry_count;
    chain->res_at = (int32_t)setup->entry_count;
    chain->ends = setup->ends;
    chain->owner = setup->owner;
    chain->pool = chain->hand.body.pool = setup->pool;
    chain->sink[0].body.pool = chain->sink[1].body.pool = setup->pool;
    chain->high_bytes = setup->high_bytes;
    if (setup->entry_count == 0)
        return;

    size_t state_bytes = 0, slot_bytes = setup->entry_count * sizeof(struct cyc_chain_slot);
    for (uint32_t i = 0; i < setup->entry_count; i++)
        state_bytes += state_bytes_rounded(setup->entries[i].vt);
    char *memory = cyc_arena_alloc(setup->exchange->arena, slot_bytes + state_bytes);
    chain->slots = (struct cyc_chain_slot *)memory;
    char *state = memory + slot_bytes;
    if (state_bytes > 0)
        memset(state, 0, state_bytes);
    for (uint32_t i = 0; i < setup->entry_count; i++) {
        slot_init(chain, i, &setup->entries[i], setup->exchange);
        chain->slots[i].call.state = state;
        state += state_bytes_rounded(setup->entries[i].vt);
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
    chain_push(chain, CYC_DIR_REQUEST, 0, &(struct cyc_chain_item){head, trailers, body, is_end});
}

/** The owner answers a request that is still on its way: what waits of it goes no further. */
static void request_shut(struct cyc_chain *chain, uint32_t from)
{
    struct cyc_chain_hand *hand = &chain->hand;

    chain->is_request_shut = true;
    if (chain->cut > from)
        chain->cut = from;
    cyc_chain_drop_inboxes(chain, CYC_DIR_REQUEST, from);
    cyc_chain_drop_sink(chain, CYC_DIR_REQUEST);
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
            cyc_chain_drop_inboxes(chain, CYC_DIR_REQUEST, 0);
        }
        chain->res_entry = (int32_t)chain->entered_count - 1;
    }
    chain_push(chain, CYC_DIR_RESPONSE, chain->res_entry,
               &(struct cyc_chain_item){head, trailers, body, is_end});
}

void cyc_chain_resume(struct cyc_filter_call *call, enum cyc_filter_dir dir)
{
    struct cyc_chain *chain = call->chain;

    if (!chain->is_finish_due && cyc_chain_release(chain, dir, (int32_t)call->index))
        chain_run(chain);
}

/** Drops what is in filter `from` and behind it, of the answer that is being replaced. */
static void response_drop(struct cyc_chain *chain, uint32_t from)
{
    struct cyc_chain_hand *hand = &chain->hand;

    chain->is_response_shut = true;
    cyc_chain_drop_inboxes(chain, CYC_DIR_RESPONSE, from);
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
    cyc_chain_put(chain, CYC_DIR_RESPONSE, outer,
                  &(struct cyc_chain_item){.head = res, .is_end = !has_body});
    if (has_body)
        cyc_chain_put(chain, CYC_DIR_RESPONSE, outer,
                      &(struct cyc_chain_item){.body = body, .is_end = true});
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
