/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/rng.h"
#include "net/timer.h"

#define TICK_NS (5 * CYC_NS_PER_MS)
#define START_NS 123456789ull
#define TIMER_COUNT 200
#define STEP_COUNT 20000

struct probe {
    struct cyc_timer timer;
    struct cyc_wheel *wheel;
    const uint64_t *now_ns;
    uint64_t due_ns; /* when it is wanted; 0: not armed */
    uint32_t fired_count, again_ms;
    struct cyc_timer *victim; /* cancelled when this one fires */
};

static void probe_on_fire(struct cyc_timer *timer)
{
    struct probe *p = cyc_container_of(timer, struct probe, timer);

    assert_true(p->due_ns != 0);
    assert_true(*p->now_ns >= p->due_ns); /* never early */
    assert_false(cyc_timer_is_armed(timer));
    p->fired_count++;
    p->due_ns = 0;
    if (p->victim != NULL)
        cyc_timer_cancel(p->victim);
    if (p->again_ms > 0) {
        cyc_timer_set(p->wheel, timer, p->again_ms);
        p->due_ns = *p->now_ns + p->again_ms * CYC_NS_PER_MS;
    }
}

static struct probe probe_make(struct cyc_wheel *wheel, const uint64_t *now_ns)
{
    return (struct probe){.wheel = wheel, .now_ns = now_ns};
}

static void probe_set(struct probe *p, uint64_t delay_ms)
{
    cyc_timer_set(p->wheel, &p->timer, delay_ms);
    p->due_ns = *p->now_ns + delay_ms * CYC_NS_PER_MS;
}

static struct cyc_wheel *wheel_make(struct cyc_mem *mem, uint32_t slot_count, uint64_t now_ns)
{
    *mem = (struct cyc_mem){0};
    struct cyc_wheel *wheel = cyc_wheel_create(mem, slot_count, TICK_NS, now_ns);
    cyc_wheel_set_time(wheel, now_ns);
    return wheel;
}

static void timer__fires_within_a_tick_after_its_time(void **state)
{
    static const struct {
        uint64_t delay_ms;
        const char *why;
    } cases[] = {
        {0, "at once means the next turn"},
        {1, "shorter than a tick"},
        {5, "one tick"},
        {315, "the last slot of the first level"},
        {320, "the first of the second"},
        {20000, "the end of the second level"},
        {20480, "the third"},
        {1310720, "the fourth, 22 minutes"},
        {83886080, "near the end of the wheel, a day"},
        {400000000, "beyond the wheel, days"},
    };
    struct cyc_mem mem;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t now_ns = START_NS;
        struct cyc_wheel *wheel = wheel_make(&mem, 64, now_ns);
        struct probe p = probe_make(wheel, &now_ns);
        cyc_timer_init(&p.timer, probe_on_fire);
        probe_set(&p, cases[i].delay_ms);
        uint64_t due_ns = p.due_ns;
        int wake_count = 0;
        while (p.fired_count == 0 && wake_count++ < 400) {
            uint64_t wait_ns = cyc_wheel_wait_ns(wheel, now_ns);
            assert_true(wait_ns != UINT64_MAX);
            now_ns += wait_ns;
            cyc_wheel_advance(wheel, now_ns);
        }
        if (p.fired_count != 1 || now_ns > due_ns + 2 * TICK_NS)
            fail_msg("%llu ms: %s", (unsigned long long)cases[i].delay_ms, cases[i].why);
        assert_true(cyc_wheel_wait_ns(wheel, now_ns) == UINT64_MAX);
        cyc_wheel_destroy(wheel);
        assert_int_equal(mem.total_bytes, 0);
    }
}

static void timer__idle_wheel_asks_for_no_wake_up(void **state)
{
    struct cyc_mem mem;
    uint64_t now_ns = START_NS;
    struct cyc_wheel *wheel = wheel_make(&mem, 2048, now_ns);
    struct probe p = probe_make(wheel, &now_ns);

    (void)state;
    cyc_timer_init(&p.timer, probe_on_fire);
    assert_true(cyc_wheel_wait_ns(wheel, now_ns) == UINT64_MAX);
    probe_set(&p, 50);
    assert_true(cyc_wheel_wait_ns(wheel, now_ns) <= 50 * CYC_NS_PER_MS + TICK_NS);
    cyc_timer_cancel(&p.timer);
    cyc_timer_cancel(&p.timer);
    assert_true(cyc_wheel_wait_ns(wheel, now_ns) == UINT64_MAX);
    cyc_wheel_destroy(wheel);
}

static void timer__moved_later_fires_once_at_the_last_time(void **state)
{
    struct cyc_mem mem;
    uint64_t now_ns = START_NS;
    struct cyc_wheel *wheel = wheel_make(&mem, 2048, now_ns);
    struct probe p = probe_make(wheel, &now_ns);

    (void)state;
    cyc_timer_init(&p.timer, probe_on_fire);
    for (int i = 0; i < 100; i++) { /* an idle timeout on a busy connection */
        probe_set(&p, 60);
        now_ns += 20 * CYC_NS_PER_MS;
        cyc_wheel_advance(wheel, now_ns);
        assert_int_equal(p.fired_count, 0);
    }
    now_ns += 60 * CYC_NS_PER_MS;
    cyc_wheel_advance(wheel, now_ns);
    assert_int_equal(p.fired_count, 1);

    probe_set(&p, 1000); /* and moved earlier, it fires earlier */
    probe_set(&p, 10);
    now_ns += 20 * CYC_NS_PER_MS;
    assert_int_equal(cyc_wheel_advance(wheel, now_ns), 1);
    cyc_wheel_destroy(wheel);
}

static void timer__callbacks_may_cancel_and_set_what_is_due_with_them(void **state)
{
    struct cyc_mem mem;
    uint64_t now_ns = START_NS;
    struct cyc_wheel *wheel = wheel_make(&mem, 64, now_ns);
    struct probe a = probe_make(wheel, &now_ns), b = a, c = a;

    (void)state;
    cyc_timer_init(&a.timer, probe_on_fire);
    cyc_timer_init(&b.timer, probe_on_fire);
    cyc_timer_init(&c.timer, probe_on_fire);
    a.victim = &b.timer;
    a.again_ms = 10;
    probe_set(&a, 10);
    probe_set(&b, 10);
    probe_set(&c, 10);
    now_ns += 20 * CYC_NS_PER_MS;
    assert_int_equal(cyc_wheel_advance(wheel, now_ns), 2);
    assert_int_equal(b.fired_count, 0);
    a.again_ms = 0;
    now_ns += 20 * CYC_NS_PER_MS;
    assert_int_equal(cyc_wheel_advance(wheel, now_ns), 1);
    assert_int_equal(a.fired_count, 2);
    cyc_wheel_destroy(wheel);
}

static void timer__delays_count_from_the_time_last_told(void **state)
{
    struct cyc_mem mem;
    uint64_t now_ns = START_NS;
    struct cyc_wheel *wheel = wheel_make(&mem, 64, now_ns);
    struct probe p = probe_make(wheel, &now_ns);

    (void)state;
    cyc_timer_init(&p.timer, probe_on_fire);
    now_ns += 10 * CYC_NS_PER_S; /* the wait was long; a callback sets a timer before advance */
    cyc_wheel_set_time(wheel, now_ns);
    probe_set(&p, 100);
    assert_int_equal(cyc_wheel_advance(wheel, now_ns), 0);
    now_ns += 110 * CYC_NS_PER_MS;
    assert_int_equal(cyc_wheel_advance(wheel, now_ns), 1);
    cyc_wheel_destroy(wheel);
}

/** Every armed timer is checked against its own deadline, whatever was done to the others. */
static void random_life(uint64_t seed, uint32_t slot_count)
{
    static struct probe probes[TIMER_COUNT];
    struct cyc_mem mem;
    struct cyc_rng rng;
    uint64_t now_ns = START_NS;
    struct cyc_wheel *wheel = wheel_make(&mem, slot_count, now_ns);

    cyc_rng_init(&rng, seed);
    for (size_t i = 0; i < TIMER_COUNT; i++) {
        probes[i] = probe_make(wheel, &now_ns);
        cyc_timer_init(&probes[i].timer, probe_on_fire);
    }
    for (int step = 0; step < STEP_COUNT; step++) {
        struct probe *p = &probes[cyc_rng_below(&rng, TIMER_COUNT)];
        uint64_t choice = cyc_rng_below(&rng, 10);
        if (choice < 6) {
            probe_set(p, cyc_rng_below(&rng, 1ull << cyc_rng_below(&rng, 26)));
        } else if (choice < 7) {
            cyc_timer_cancel(&p->timer);
            p->due_ns = 0;
        } else {
            uint64_t wait_ns = cyc_wheel_wait_ns(wheel, now_ns);
            uint64_t pause_ns = cyc_rng_below(&rng, 1ull << cyc_rng_below(&rng, 36));
            now_ns += choice == 9 && wait_ns != UINT64_MAX ? wait_ns : pause_ns;
            cyc_wheel_advance(wheel, now_ns);
            for (size_t i = 0; i < TIMER_COUNT; i++)
                assert_true(probes[i].due_ns == 0 || probes[i].due_ns + 2 * TICK_NS > now_ns);
        }
    }
    for (size_t i = 0; i < TIMER_COUNT; i++)
        cyc_timer_cancel(&probes[i].timer);
    cyc_wheel_destroy(wheel);
    assert_int_equal(mem.total_bytes, 0);
}

static void timer__random_lives_are_never_early_and_never_late(void **state)
{
    static const uint32_t slot_counts[] = {64, 2048, 65536};

    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++)
        random_life(seed, slot_counts[seed % 3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timer__fires_within_a_tick_after_its_time),
        cmocka_unit_test(timer__idle_wheel_asks_for_no_wake_up),
        cmocka_unit_test(timer__moved_later_fires_once_at_the_last_time),
        cmocka_unit_test(timer__callbacks_may_cancel_and_set_what_is_due_with_them),
        cmocka_unit_test(timer__delays_count_from_the_time_last_told),
        cmocka_unit_test(timer__random_lives_are_never_early_and_never_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
