/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/stats.h"

#define LABELS(...) ((const struct cyc_span[]){__VA_ARGS__})

static const struct cyc_metric_family requests = {
    "t_requests_total", "Requests.", CYC_METRIC_COUNTER, {"method", "status"}, false};
static const struct cyc_metric_family other = {
    "t_other_total", "Others.", CYC_METRIC_COUNTER, {"method", "status"}, false};
static const struct cyc_metric_family plain = {
    "t_plain_total", "No labels.", CYC_METRIC_COUNTER, {NULL}, false};
static const struct cyc_metric_family duration = {
    "t_duration_seconds", "How long.", CYC_METRIC_HISTOGRAM, {"route"}, true};

struct fixture {
    struct cyc_mem mem;
    struct cyc_stats_registry *registry;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    const struct cyc_hash_key key = {1, 2};
    fixture = (struct fixture){.registry = NULL};
    fixture.registry = cyc_stats_registry_create(&fixture.mem, &key);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    cyc_stats_registry_destroy(f->registry);
    assert_int_equal(f->mem.total_bytes, 0);
    return 0;
}

static void stats__the_same_labels_always_have_the_same_slot(void **state)
{
    struct fixture *f = *state;
    char method[] = "GET";
    uint32_t slot =
        cyc_stats_slot(f->registry, &requests, LABELS(cyc_span_from_text(method), CYC_SPAN("200")));
    memset(method, 'x', 3); /* label values are copied */
    cyc_stats_next_generation(f->registry);
    assert_int_equal(
        cyc_stats_slot(f->registry, &requests, LABELS(CYC_SPAN("GET"), CYC_SPAN("200"))), slot);
}

static void stats__different_labels_never_share_a_slot(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *first, *second;
    } cases[] = {{"GET", "200"}, {"GET", "404"}, {"GE", "T200"}, {"GET2", "00"},
                 {"", "GET200"}, {"GET200", ""}, {"", ""}};
    uint32_t slots[8] = {0};
    for (size_t i = 0; i < 7; i++)
        slots[i] = cyc_stats_slot(
            f->registry, &requests,
            LABELS(cyc_span_from_text(cases[i].first), cyc_span_from_text(cases[i].second)));
    slots[7] = cyc_stats_slot(f->registry, &other, LABELS(CYC_SPAN("GET"), CYC_SPAN("200")));
    for (size_t i = 0; i < 8; i++) {
        assert_int_not_equal(slots[i], 0);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(slots[i], slots[j]);
    }
}

static void stats__a_histogram_takes_a_run_of_slots(void **state)
{
    struct fixture *f = *state;
    uint32_t first = cyc_stats_slot(f->registry, &duration, LABELS(CYC_SPAN("a")));
    uint32_t second = cyc_stats_slot(f->registry, &duration, LABELS(CYC_SPAN("b")));
    uint32_t after = cyc_stats_slot(f->registry, &plain, NULL);
    assert_int_equal(second - first, CYC_HISTOGRAM_SLOT_COUNT);
    assert_int_equal(after - second, CYC_HISTOGRAM_SLOT_COUNT);
}

static void stats__counts_of_all_blocks_add_up(void **state)
{
    struct fixture *f = *state;
    struct cyc_stats_block *blocks[3];
    uint32_t slot = cyc_stats_slot(f->registry, &plain, NULL);
    for (int i = 0; i < 3; i++)
        blocks[i] = cyc_stats_block_create();
    cyc_stat_add(blocks[0], slot, 5);
    cyc_stat_add(blocks[0], slot, 1);
    cyc_stat_set(blocks[1], slot, 100);
    cyc_stat_sub(blocks[2], slot, 6); /* opened by one worker, closed by another */
    assert_int_equal(cyc_stat_get(blocks[0], slot), 6);
    assert_int_equal(cyc_stats_sum(blocks, 3, slot), 100);
    for (int i = 0; i < 3; i++)
        cyc_stats_block_destroy(blocks[i]);
}

static void stats__observations_of_all_blocks_merge(void **state)
{
    struct fixture *f = *state;
    struct cyc_stats_block *blocks[2] = {cyc_stats_block_create(), cyc_stats_block_create()};
    uint32_t slot = cyc_stats_slot(f->registry, &duration, LABELS(CYC_SPAN("a")));
    struct cyc_histogram h;
    cyc_stat_observe_ns(blocks[0], slot, 1000000);
    cyc_stat_observe_ns(blocks[1], slot, 1000000);
    cyc_stat_observe_ns(blocks[1], slot, UINT64_MAX);
    cyc_stat_observe_ns(blocks[1], 0, 5000); /* slot 0 is the sink */
    cyc_stats_merge(blocks, 2, slot, &h);
    assert_int_equal(cyc_histogram_count(&h), 3);
    assert_int_equal(h.buckets[cyc_histogram_bucket(1000000)], 2);
    cyc_stats_block_destroy(blocks[0]);
    cyc_stats_block_destroy(blocks[1]);
}

static void stats__beyond_the_limit_a_family_shares_its_overflow_series(void **state)
{
    struct fixture *f = *state;
    uint32_t kept = cyc_stats_slot(f->registry, &requests, LABELS(CYC_SPAN("a"), CYC_SPAN("b")));
    uint32_t overflow = 0;
    for (int i = 0; i < 1000; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%d", i);
        overflow = cyc_stats_slot(f->registry, &duration, LABELS(cyc_span_from_text(text)));
        assert_true(overflow + CYC_HISTOGRAM_SLOT_COUNT <= CYC_STATS_SLOT_COUNT_MAX);
    }
    assert_int_equal(cyc_stats_slot(f->registry, &duration, LABELS(CYC_SPAN("new"))), overflow);
    assert_int_equal(cyc_stats_slot(f->registry, &requests, LABELS(CYC_SPAN("a"), CYC_SPAN("b"))),
                     kept);
    /* Single slots still fit where a histogram does not; then they overflow as well. */
    uint32_t last = 0;
    for (int i = 0; i < 300; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%d", i);
        last =
            cyc_stats_slot(f->registry, &requests, LABELS(cyc_span_from_text(text), CYC_SPAN("x")));
    }
    assert_int_not_equal(last, overflow);
    assert_int_not_equal(last, 0);
    assert_int_equal(cyc_stats_slot(f->registry, &requests, LABELS(CYC_SPAN("z"), CYC_SPAN("z"))),
                     last);
    assert_true(cyc_stats_slot_count(f->registry) <= CYC_STATS_SLOT_COUNT_MAX);
}

static void stats__when_even_the_reserve_is_used_up_the_sink_is_the_answer(void **state)
{
    struct fixture *f = *state;
    static struct cyc_metric_family families[700];
    static char names[700][32];
    uint32_t slot = 1;
    for (int i = 0; i < 700; i++) {
        snprintf(names[i], sizeof(names[i]), "t_family_%d", i);
        families[i] =
            (struct cyc_metric_family){.name = names[i], .help = "", .type = CYC_METRIC_HISTOGRAM};
        slot = cyc_stats_slot(f->registry, &families[i], NULL);
        assert_true(slot + CYC_HISTOGRAM_SLOT_COUNT <= CYC_STATS_SLOT_COUNT_MAX);
    }
    assert_int_equal(slot, 0);
}

static void stats__long_label_values_are_cut(void **state)
{
    struct fixture *f = *state;
    char text[2 * CYC_METRIC_LABEL_VALUE_BYTES_MAX];
    memset(text, 'a', sizeof(text));
    uint32_t slot = cyc_stats_slot(f->registry, &duration, LABELS(cyc_span_of(text, sizeof(text))));
    text[CYC_METRIC_LABEL_VALUE_BYTES_MAX] = 'b';
    assert_int_equal(
        cyc_stats_slot(f->registry, &duration, LABELS(cyc_span_of(text, sizeof(text)))), slot);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(stats__the_same_labels_always_have_the_same_slot),
        TEST(stats__different_labels_never_share_a_slot),
        TEST(stats__a_histogram_takes_a_run_of_slots),
        TEST(stats__counts_of_all_blocks_add_up),
        TEST(stats__observations_of_all_blocks_merge),
        TEST(stats__beyond_the_limit_a_family_shares_its_overflow_series),
        TEST(stats__when_even_the_reserve_is_used_up_the_sink_is_the_answer),
        TEST(stats__long_label_values_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
