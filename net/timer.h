/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers of the data path: a hierarchical wheel, O(1) to set, move and cancel.
 *
 * A timer is embedded in the object it serves and is idle or armed. Its callback runs at or up to
 * one tick after its time, from cyc_wheel_advance(), never from set or cancel; it may set or cancel
 * any timer, itself included, and may free its owner.
 *
 * Nearly every timer is moved or cancelled before it fires. So moving one later is one store: it
 * stays in its slot, and when the slot comes up it is put where it belongs.
 */
#ifndef CYC_NET_TIMER_H
#define CYC_NET_TIMER_H

#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>

struct cyc_timer;
struct cyc_wheel;

typedef void cyc_timer_fire(struct cyc_timer *timer);

struct cyc_timer {
    cyc_timer_fire *fire;
    uint64_t deadline_tick; /* when it is wanted */
    /* private */
    uint64_t slot_tick;   /* when its slot comes up: never after deadline_tick */
    struct cyc_list link; /* linked: armed */
};

static inline void cyc_timer_init(struct cyc_timer *timer, cyc_timer_fire *fire)
{
    timer->fire = fire;
    timer->deadline_tick = timer->slot_tick = 0;
    cyc_list_init(&timer->link);
}

static inline bool cyc_timer_is_armed(const struct cyc_timer *timer)
{
    return cyc_list_is_linked(&timer->link);
}

/** @param slot_count  slots of the first level, a power of two @param tick_ns  one slot */
struct cyc_wheel *cyc_wheel_create(struct cyc_mem *mem, uint32_t slot_count, uint64_t tick_ns,
                                   uint64_t now_ns);
/** No timer may be armed. */
void cyc_wheel_destroy(struct cyc_wheel *wheel);

/** Tells the wheel the time that delays count from. Fires nothing: advance does, later in the turn.
 */
void cyc_wheel_set_time(struct cyc_wheel *wheel, uint64_t now_ns);

/** Arms the timer, or moves it when armed, to `delay_ms` from the wheel's current time, rounded up
 * to whole ticks. */
void cyc_timer_set(struct cyc_wheel *wheel, struct cyc_timer *timer, uint64_t delay_ms);
/** No-op on an idle timer. */
static inline void cyc_timer_cancel(struct cyc_timer *timer)
{
    cyc_list_remove(&timer->link);
}

/** Moves the wheel to `now_ns` and fires what is due. @return timers fired */
uint32_t cyc_wheel_advance(struct cyc_wheel *wheel, uint64_t now_ns);
/** @return nanoseconds from `now_ns` until something may be due, UINT64_MAX when nothing is armed
 */
uint64_t cyc_wheel_wait_ns(struct cyc_wheel *wheel, uint64_t now_ns);

#endif
