/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/log_ring.h"
#include "base/rng.h"

#define RING_BYTES (2 * CYC_LOG_LINE_BYTES_MAX)

static bool write_line(struct cyc_log_ring *ring, enum cyc_log_stream stream, const char *text)
{
    size_t len = strlen(text);
    char *out = cyc_log_reserve(ring, stream, len + 100); /* callers reserve generously */
    if (out == NULL)
        return false;
    memcpy(out, text, len);
    cyc_log_commit(ring, len);
    return true;
}

static void log_ring__lines_come_out_as_they_went_in(void **state)
{
    struct cyc_mem mem = {0};
    struct cyc_log_ring *ring = cyc_log_ring_create(&mem, RING_BYTES);
    enum cyc_log_stream stream;
    struct cyc_span line;
    (void)state;
    cyc_log_ring_begin(ring);
    assert_false(cyc_log_ring_next(ring, &stream, &line));
    assert_non_null(cyc_log_reserve(ring, CYC_LOG_TRACE, 100)); /* forgotten: nothing happened */
    assert_true(write_line(ring, CYC_LOG_EVENTS, "one\n"));
    assert_true(write_line(ring, CYC_LOG_ACCESS, "two\n"));
    assert_false(cyc_log_ring_next(ring, &stream, &line)); /* came after begin */
    cyc_log_ring_begin(ring);
    assert_true(cyc_log_ring_next(ring, &stream, &line));
    assert_int_equal(stream, CYC_LOG_EVENTS);
    assert_true(cyc_span_equal(line, CYC_SPAN("one\n")));
    assert_true(cyc_log_ring_next(ring, &stream, &line));
    assert_int_equal(stream, CYC_LOG_ACCESS);
    assert_true(cyc_span_equal(line, CYC_SPAN("two\n")));
    assert_false(cyc_log_ring_next(ring, &stream, &line));
    cyc_log_ring_destroy(ring);
    assert_int_equal(mem.total_bytes, 0);
}

static void log_ring__a_full_ring_drops_and_counts_by_stream(void **state)
{
    struct cyc_mem mem = {0};
    struct cyc_log_ring *ring = cyc_log_ring_create(&mem, RING_BYTES);
    enum cyc_log_stream stream;
    struct cyc_span line;
    uint32_t written = 0, read = 0;
    (void)state;
    while (write_line(ring, CYC_LOG_ACCESS, "0123456789\n"))
        written++;
    assert_in_range(written, RING_BYTES / 24 - 20, RING_BYTES / 24);
    assert_false(write_line(ring, CYC_LOG_EVENTS, "x\n"));
    assert_int_equal(cyc_log_ring_dropped_count(ring, CYC_LOG_ACCESS), 1);
    assert_int_equal(cyc_log_ring_dropped_count(ring, CYC_LOG_EVENTS), 1);
    cyc_log_ring_begin(ring);
    while (cyc_log_ring_next(ring, &stream, &line))
        read++;
    assert_int_equal(read, written);
    assert_true(write_line(ring, CYC_LOG_ACCESS, "room again\n"));
    cyc_log_ring_destroy(ring);
}

static void log_ring__the_longest_line_always_fits_an_empty_ring(void **state)
{
    struct cyc_mem mem = {0};
    struct cyc_log_ring *ring = cyc_log_ring_create(&mem, 2 * RING_BYTES);
    enum cyc_log_stream stream;
    struct cyc_span line;
    (void)state;
    for (size_t i = 0; i < 500; i++) {
        char *out = cyc_log_reserve(ring, CYC_LOG_ACCESS, CYC_LOG_LINE_BYTES_MAX);
        assert_non_null(out);
        size_t len = CYC_LOG_LINE_BYTES_MAX - i * 31;
        memset(out, (int)('a' + i % 26), len);
        cyc_log_commit(ring, len);
        cyc_log_ring_begin(ring);
        assert_true(cyc_log_ring_next(ring, &stream, &line));
        assert_int_equal(line.len, len);
        assert_int_equal(line.ptr[0], 'a' + i % 26);
        assert_int_equal(line.ptr[len - 1], 'a' + i % 26);
        assert_false(cyc_log_ring_next(ring, &stream, &line));
    }
    cyc_log_ring_destroy(ring);
}

static void log_ring__half_full_wakes_the_writer_and_less_does_not(void **state)
{
    struct cyc_mem mem = {0};
    struct cyc_log_ring *ring = cyc_log_ring_create(&mem, RING_BYTES);
    uint32_t wake = 0, written_bytes = 0;
    (void)state;
    cyc_log_ring_set_wake(ring, &wake);
    while (written_bytes + 24 <= RING_BYTES / 2) {
        assert_true(write_line(ring, CYC_LOG_ACCESS, "0123456789\n"));
        written_bytes += 24;
        assert_int_equal(wake, 0);
    }
    assert_true(write_line(ring, CYC_LOG_ACCESS, "0123456789\n"));
    assert_int_equal(wake, 1);
    cyc_log_ring_destroy(ring);
}

static size_t random_line(struct cyc_rng *rng, char *out, uint32_t number)
{
    size_t len = 4 + (size_t)cyc_rng_below(rng, cyc_rng_chance_permille(rng, 20) ? 9000 : 300);
    memset(out, (int)('A' + number % 50), len);
    memcpy(out, &number, sizeof(number));
    return len;
}

/** Reads up to `count_max` lines and checks them against a second generator with the same seed. */
static uint32_t lines_check(struct cyc_log_ring *ring, struct cyc_rng *expected, uint32_t number,
                            uint32_t count_max)
{
    static char text[10000];
    enum cyc_log_stream stream;
    struct cyc_span line;
    cyc_log_ring_begin(ring);
    while (count_max-- > 0 && cyc_log_ring_next(ring, &stream, &line)) {
        size_t len = random_line(expected, text, number);
        assert_int_equal(stream, number % CYC_LOG_STREAM_COUNT);
        assert_int_equal(line.len, len);
        assert_memory_equal(line.ptr, text, len);
        number++;
    }
    return number;
}

static void log_ring__random_lines_survive_wrapping(void **state)
{
    static char text[10000];
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct cyc_mem mem = {0};
        struct cyc_log_ring *ring = cyc_log_ring_create(&mem, RING_BYTES);
        struct cyc_rng producer, consumer, choice;
        uint32_t written = 0, checked = 0;
        cyc_rng_init(&producer, seed);
        cyc_rng_init(&consumer, seed);
        cyc_rng_init(&choice, seed + 100);
        while (written < 2000) {
            struct cyc_rng retry = producer;
            size_t len = random_line(&producer, text, written);
            char *out = cyc_log_reserve(ring, (enum cyc_log_stream)(written % CYC_LOG_STREAM_COUNT),
                                        len + (size_t)cyc_rng_below(&choice, 500));
            if (out == NULL) { /* full: the same line again after reading some */
                producer = retry;
                checked = lines_check(ring, &consumer, checked, 1000);
                continue;
            }
            memcpy(out, text, len);
            cyc_log_commit(ring, len);
            written++;
            if (cyc_rng_chance_permille(&choice, 300))
                checked =
                    lines_check(ring, &consumer, checked, 1 + (uint32_t)cyc_rng_below(&choice, 8));
        }
        assert_int_equal(lines_check(ring, &consumer, checked, 5000), written);
        cyc_log_ring_destroy(ring);
    }
}

struct race {
    struct cyc_log_ring *ring;
    uint32_t line_count, dropped_count;
};

static void *race_produce(void *owner)
{
    struct race *race = owner;
    for (uint32_t i = 0; i < race->line_count; i++) {
        char *out = cyc_log_reserve(race->ring, CYC_LOG_ACCESS, 64);
        if (out == NULL) {
            race->dropped_count++;
            continue;
        }
        memset(out, (int)(i % 128), 8 + i % 50);
        memcpy(out, &i, sizeof(i));
        cyc_log_commit(race->ring, 8 + i % 50);
    }
    return NULL;
}

static void log_ring__two_threads_lose_only_what_is_counted(void **state)
{
    struct cyc_mem mem = {0};
    struct race race = {.ring = cyc_log_ring_create(&mem, RING_BYTES), .line_count = 100000};
    enum cyc_log_stream stream;
    struct cyc_span line;
    uint32_t read = 0, last = 0;
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, race_produce, &race), 0);
    for (bool is_done = false; !is_done;) {
        cyc_log_ring_begin(race.ring);
        while (cyc_log_ring_next(race.ring, &stream, &line)) {
            uint32_t number;
            memcpy(&number, line.ptr, sizeof(number));
            assert_true(read == 0 || number > last);
            assert_int_equal(line.len, 8 + number % 50);
            assert_int_equal(line.ptr[line.len - 1], number % 128);
            last = number;
            read++;
        }
        is_done = read + cyc_log_ring_dropped_count(race.ring, CYC_LOG_ACCESS) == race.line_count;
    }
    pthread_join(thread, NULL);
    assert_int_equal(read + race.dropped_count, race.line_count);
    cyc_log_ring_destroy(race.ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_ring__lines_come_out_as_they_went_in),
        cmocka_unit_test(log_ring__a_full_ring_drops_and_counts_by_stream),
        cmocka_unit_test(log_ring__the_longest_line_always_fits_an_empty_ring),
        cmocka_unit_test(log_ring__half_full_wakes_the_writer_and_less_does_not),
        cmocka_unit_test(log_ring__random_lines_survive_wrapping),
        cmocka_unit_test(log_ring__two_threads_lose_only_what_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
