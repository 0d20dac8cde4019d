/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/mem.h"

static void mem__every_byte_is_counted_under_its_kind(void **state)
{
    struct cyc_mem mem = {0};
    (void)state;
    void *a = cyc_mem_alloc(&mem, CYC_MEM_BUFFERS, 100);
    void *b = cyc_mem_zalloc(&mem, CYC_MEM_STREAMS, 50);
    void *c = cyc_mem_alloc_aligned(&mem, CYC_MEM_STREAMS, 10);
    assert_int_equal(mem.kind_bytes[CYC_MEM_BUFFERS], 100);
    assert_int_equal(mem.kind_bytes[CYC_MEM_STREAMS], 60);
    assert_int_equal(mem.total_bytes, 160);
    a = cyc_mem_resize(&mem, CYC_MEM_BUFFERS, a, 100, 300);
    assert_int_equal(mem.total_bytes, 360);
    cyc_mem_free(&mem, CYC_MEM_BUFFERS, a, 300);
    cyc_mem_free(&mem, CYC_MEM_STREAMS, b, 50);
    cyc_mem_free(&mem, CYC_MEM_STREAMS, c, 10);
    cyc_mem_free(&mem, CYC_MEM_STREAMS, NULL, 10); /* a no-op */
    for (int i = 0; i < CYC_MEM_KIND_COUNT; i++)
        assert_int_equal(mem.kind_bytes[i], 0);
    assert_int_equal(mem.total_bytes, 0);
}

static void mem__the_answer_is_never_null(void **state)
{
    struct cyc_mem mem = {.limit_bytes = 1};
    (void)state;
    void *empty = cyc_mem_alloc(&mem, CYC_MEM_OTHER, 0);
    void *zeroed = cyc_mem_zalloc(&mem, CYC_MEM_OTHER, 0);
    void *grown = cyc_mem_resize(&mem, CYC_MEM_OTHER, NULL, 0, 10);
    assert_non_null(empty);
    assert_non_null(zeroed);
    assert_non_null(grown); /* the limit gates admission, not progress */
    cyc_mem_free(&mem, CYC_MEM_OTHER, empty, 0);
    cyc_mem_free(&mem, CYC_MEM_OTHER, zeroed, 0);
    cyc_mem_free(&mem, CYC_MEM_OTHER, grown, 10);
}

static void mem__contents_and_alignment_are_as_promised(void **state)
{
    struct cyc_mem mem = {0};
    static const char zeros[1000];
    (void)state;
    char *zeroed = cyc_mem_zalloc(&mem, CYC_MEM_OTHER, sizeof(zeros));
    assert_memory_equal(zeroed, zeros, sizeof(zeros));
    memset(zeroed, 'x', sizeof(zeros));
    zeroed = cyc_mem_resize(&mem, CYC_MEM_OTHER, zeroed, sizeof(zeros), 5000);
    assert_int_equal(zeroed[999], 'x');
    cyc_mem_free(&mem, CYC_MEM_OTHER, zeroed, 5000);
    void *aligned = cyc_mem_alloc_aligned(&mem, CYC_MEM_OTHER, 100);
    assert_int_equal((uintptr_t)aligned % 64, 0);
    cyc_mem_free(&mem, CYC_MEM_OTHER, aligned, 100);
}

static void mem__room_is_what_is_left_below_the_limit(void **state)
{
    struct cyc_mem mem = {.limit_bytes = 0};
    (void)state;
    assert_true(cyc_mem_has_room(&mem, (size_t)1 << 40)); /* 0: no limit */
    mem.limit_bytes = 100;
    mem.total_bytes = 60;
    assert_true(cyc_mem_has_room(&mem, 40));
    assert_false(cyc_mem_has_room(&mem, 41));
}

static void mem__kinds_have_the_names_of_the_metric(void **state)
{
    (void)state;
    assert_string_equal(cyc_mem_kind_name(CYC_MEM_BUFFERS), "buffers");
    assert_string_equal(cyc_mem_kind_name(CYC_MEM_METRICS), "metrics");
    assert_string_equal(cyc_mem_kind_name(CYC_MEM_OTHER), "other");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mem__every_byte_is_counted_under_its_kind),
        cmocka_unit_test(mem__the_answer_is_never_null),
        cmocka_unit_test(mem__contents_and_alignment_are_as_promised),
        cmocka_unit_test(mem__room_is_what_is_left_below_the_limit),
        cmocka_unit_test(mem__kinds_have_the_names_of_the_metric),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
