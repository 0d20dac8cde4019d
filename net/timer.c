/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wheel: four levels of slots, each level's slot as wide as the whole level below.
 *
 *   level 0: slot_count slots of 1 tick      level 1..3: 64 slots each
 *
 * A timer sits in the finest level that reaches its deadline; when its slot comes up it fires, or
 * is put again where it belongs (because the level was coarse, or the deadline has moved later).
 *
 * Each level has a bit per slot, so finding the next slot that may hold something is a scan over
 * words, and its answer is kept: a turn in which nothing is due costs two comparisons. Cancelling
 * does not touch the wheel, so a bit may be set for an empty slot; the scan clears it in passing.
 *
 * Invariants: every armed timer's slot comes up after `cursor_tick`; no occupied slot comes up
 * before `next_tick`.
 */
#include "net/timer.h"

#include "base/assert.h"

#define LEVEL_COUNT 4
#define UPPER_SLOT_COUNT 64
#define UPPER_SHIFT 6
#define SLOT_COUNT_MIN 64
#define NO_TICK UINT64_MAX

struct level {
    struct cyc_list *slots;
    uint64_t *words; /* bit set: the slot may hold timers */
    uint32_t slot_count;
    uint32_t shift; /* ticks per slot, as a power of two */
};

struct cyc_wheel {
    struct cyc_mem *mem;
    uint64_t tick_ns;
    uint64_t start_ns;    /* tick 0 */
    uint64_t cursor_tick; /* everything up to here has been looked at */
    uint64_t base_tick;   /* the first tick not before "now": delays count from here */
    uint64_t next_tick;   /* lower bound of the next occupied slot, or NO_TICK */
    struct level levels[LEVEL_COUNT];
};

static void level_init(struct level *level, struct cyc_mem *mem, uint32_t slot_count,
                       uint32_t shift)
{
    level->slot_count = slot_count;
    level->shift = shift;
    level->slots = cyc_mem_alloc(mem, CYC_MEM_IO, slot_count * sizeof(level->slots[0]));
    level->words = cyc_mem_zalloc(mem, CYC_MEM_IO, slot_count / 64 * sizeof(level->words[0]));
    for (uint32_t i = 0; i < slot_count; i++)
        cyc_list_init(&level->slots[i]);
}

static void level_fini(struct level *level, struct cyc_mem *mem)
{
    for (uint32_t i = 0; i < level->slot_count; i++)
        cyc_assert(cyc_list_is_empty(&level->slots[i]));
    cyc_mem_free(mem, CYC_MEM_IO, level->slots, level->slot_count * sizeof(level->slots[0]));
    cyc_mem_free(mem, CYC_MEM_IO, level->words, level->slot_count / 64 * sizeof(level->words[0]));
}

struct cyc_wheel *cyc_wheel_create(struct cyc_mem *mem, uint32_t slot_count, uint64_t tick_ns,
                                   uint64_t now_ns)
{
    cyc_assert(slot_count >= SLOT_COUNT_MIN && (slot_count & (slot_count - 1)) == 0);
    cyc_assert(tick_ns > 0);

    struct cyc_wheel *wheel = cyc_mem_zalloc(mem, CYC_MEM_IO, sizeof(*wheel));
    wheel->mem = mem;
    wheel->tick_ns = tick_ns;
    wheel->start_ns = now_ns;
    wheel->next_tick = NO_TICK;
    uint32_t shift = (uint32_t)__builtin_ctz(slot_count);
    level_init(&wheel->levels[0], mem, slot_count, 0);
    for (uint32_t i = 1; i < LEVEL_COUNT; i++, shift += UPPER_SHIFT)
        level_init(&wheel->levels[i], mem, UPPER_SLOT_COUNT, shift);
    return wheel;
}

void cyc_wheel_destroy(struct cyc_wheel *wheel)
{
    for (uint32_t i = 0; i < LEVEL_COUNT; i++)
        level_fini(&wheel->levels[i], wheel->mem);
    cyc_mem_free(wheel->mem, CYC_MEM_IO, wheel, sizeof(*wheel));
}

static struct cyc_list *level_slot(const struct level *level, uint64_t slot_number)
{
    return &level->slots[slot_number & (level->slot_count - 1)];
}

/** Puts an unlinked timer into the finest level that reaches its deadline. */
static void timer_place(struct cyc_wheel *wheel, struct cyc_timer *timer)
{
    uint64_t cursor = wheel->cursor_tick;
    uint64_t tick = timer->deadline_tick > cursor ? timer->deadline_tick : cursor + 1;
    const struct level *level = wheel->levels, *last = &wheel->levels[LEVEL_COUNT - 1];

    /* A distance of a whole lap would be the slot the cursor is in: that is the next level's. */
    while (level < last && (tick >> level->shift) - (cursor >> level->shift) >= level->slot_count)
        level++;
    uint64_t number = tick >> level->shift;
    uint64_t number_max = (cursor >> level->shift) + level->slot_count - 1;
    if (number > number_max)
        number = number_max; /* beyond the wheel: looked at again on the way */

    uint64_t index = number & (level->slot_count - 1);
    timer->slot_tick = number << level->shift;
    cyc_list_add_back(&level->slots[index], &timer->link);
    level->words[index / 64] |= 1ull << (index % 64);
    if (timer->slot_tick < wheel->next_tick)
        wheel->next_tick = timer->slot_tick;
}

void cyc_wheel_set_time(struct cyc_wheel *wheel, uint64_t now_ns)
{
    uint64_t elapsed_ns = now_ns - wheel->start_ns;
    uint64_t tick = elapsed_ns / wheel->tick_ns;
    wheel->base_tick = tick + (tick * wheel->tick_ns != elapsed_ns);
}

void cyc_timer_set(struct cyc_wheel *wheel, struct cyc_timer *timer, uint64_t delay_ms)
{
    uint64_t delay_ticks = (delay_ms * CYC_NS_PER_MS + wheel->tick_ns - 1) / wheel->tick_ns;

    timer->deadline_tick = wheel->base_tick + delay_ticks;
    if (cyc_timer_is_armed(timer)) {
        if (timer->deadline_tick >= timer->slot_tick)
            return; /* the slot comes up earlier and will put it right */
        cyc_list_remove(&timer->link);
    }
    timer_place(wheel, timer);
}

/** The next slot of a level that holds something, as the tick it comes up at. Clears stale bits. */
static uint64_t level_next_tick(struct level *level, uint64_t cursor_tick)
{
    uint64_t number = (cursor_tick >> level->shift) + 1;
    uint64_t number_end = number + level->slot_count;

    while (number < number_end) {
        uint64_t index = number & (level->slot_count - 1);
        uint64_t bits = level->words[index / 64] >> (index % 64);
        if (bits == 0) {
            number += 64 - index % 64;
            continue;
        }
        number += (uint64_t)__builtin_ctzll(bits);
        if (number >= number_end)
            break;
        if (!cyc_list_is_empty(level_slot(level, number)))
            return number << level->shift;
        index = number & (level->slot_count - 1);
        level->words[index / 64] &= ~(1ull << (index % 64));
    }
    return NO_TICK;
}

static void next_tick_find(struct cyc_wheel *wheel)
{
    wheel->next_tick = NO_TICK;
    for (uint32_t i = 0; i < LEVEL_COUNT; i++) {
        uint64_t tick = level_next_tick(&wheel->levels[i], wheel->cursor_tick);
        if (tick < wheel->next_tick)
            wheel->next_tick = tick;
    }
}

/** Takes the slot's timers: those due go to `due`, the others where they belong now. */
static void slot_take(struct cyc_wheel *wheel, struct cyc_list *slot, struct cyc_list *due)
{
    struct cyc_list timers;
    cyc_list_move_all(slot, &timers);

    struct cyc_list *link;
    while ((link = cyc_list_take_front(&timers)) != NULL) {
        struct cyc_timer *timer = cyc_container_of(link, struct cyc_timer, link);
        if (timer->deadline_tick <= wheel->cursor_tick)
            cyc_list_add_back(due, link);
        else
            timer_place(wheel, timer);
    }
}

/** Brings the cursor to `tick`, an occupied slot's. */
static void cursor_move(struct cyc_wheel *wheel, uint64_t tick, struct cyc_list *due)
{
    wheel->cursor_tick = tick;
    for (uint32_t i = LEVEL_COUNT; i-- > 0;) {
        struct level *level = &wheel->levels[i];
        if ((tick & ((1ull << level->shift) - 1)) != 0)
            continue; /* inside one of this level's slots, not at its start */
        uint64_t index = (tick >> level->shift) & (level->slot_count - 1);
        level->words[index / 64] &= ~(1ull << (index % 64));
        slot_take(wheel, &level->slots[index], due);
    }
}

static uint32_t due_fire(struct cyc_wheel *wheel, struct cyc_list *due)
{
    uint32_t fired_count = 0;
    struct cyc_list *link;

    while ((link = cyc_list_take_front(due)) != NULL) {
        struct cyc_timer *timer = cyc_container_of(link, struct cyc_timer, link);
        if (timer->deadline_tick > wheel->cursor_tick) {
            timer_place(wheel, timer); /* moved by an earlier callback of this round */
            continue;
        }
        fired_count++;
        timer->fire(timer);
    }
    return fired_count;
}

uint32_t cyc_wheel_advance(struct cyc_wheel *wheel, uint64_t now_ns)
{
    uint64_t now_tick = (now_ns - wheel->start_ns) / wheel->tick_ns;
    uint32_t fired_count = 0;
    struct cyc_list due;

    cyc_list_init(&due);
    cyc_wheel_set_time(wheel, now_ns);
    while (wheel->next_tick <= now_tick) {
        next_tick_find(wheel); /* the bound may be of a slot that has been emptied */
        if (wheel->next_tick > now_tick)
            break;
        cursor_move(wheel, wheel->next_tick, &due);
        next_tick_find(wheel);
        fired_count += due_fire(wheel, &due);
    }
    if (wheel->cursor_tick < now_tick)
        wheel->cursor_tick = now_tick;
    return fired_count;
}

uint64_t cyc_wheel_wait_ns(struct cyc_wheel *wheel, uint64_t now_ns)
{
    if (wheel->next_tick == NO_TICK)
        return UINT64_MAX;
    if (cyc_list_is_empty(level_slot(&wheel->levels[0], wheel->next_tick)))
        next_tick_find(wheel);
    if (wheel->next_tick == NO_TICK)
        return UINT64_MAX;
    uint64_t at_ns = wheel->start_ns + wheel->next_tick * wheel->tick_ns;
    return at_ns > now_ns ? at_ns - now_ns : 0;
}
