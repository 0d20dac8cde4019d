/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/arena.h"
#include "base/rng.h"

#define PIECE_COUNT 300

static void arena__the_first_block_is_the_callers_and_costs_nothing(void **state)
{
    struct cyc_mem mem = {0};
    struct cyc_arena arena;
    uint64_t first[64];
    (void)state;
    cyc_arena_init(&arena, &mem, CYC_MEM_STREAMS, first, sizeof(first));
    char *a = cyc_arena_alloc(&arena, 100);
    char *b = cyc_arena_alloc(&arena, 300);
    assert_ptr_equal(a, first);
    assert_ptr_equal(b, a + 104); /* multiples of eight */
    assert_int_equal(mem.total_bytes, 0);
    cyc_arena_alloc(&arena, 200); /* does not fit any more */
    assert_true(mem.kind_bytes[CYC_MEM_STREAMS] >= 200);
    cyc_arena_reset(&arena);
    assert_int_equal(mem.total_bytes, 0);
    assert_ptr_equal(cyc_arena_alloc(&arena, 8), first);
    cyc_arena_fini(&arena);
}

static void arena__without_a_first_block_nothing_is_null_either(void **state)
{
    struct cyc_mem mem = {0};
    struct cyc_arena arena;
    (void)state;
    cyc_arena_init(&arena, &mem, CYC_MEM_CONFIG, NULL, 0);
    assert_non_null(cyc_arena_alloc(&arena, 0));
    assert_non_null(cyc_arena_zalloc(&arena, 0));
    assert_int_equal(mem.total_bytes, 0);
    assert_non_null(cyc_arena_copy(&arena, cyc_span_of(NULL, 0)).ptr);
    assert_int_equal(cyc_arena_copy(&arena, cyc_span_of(NULL, 0)).ptr[0], '\0');
    cyc_arena_reset(&arena);
    assert_non_null(cyc_arena_alloc(&arena, 0));
    cyc_arena_fini(&arena);
    assert_int_equal(mem.total_bytes, 0);
}

static void arena__copies_and_formats_end_with_nul(void **state)
{
    struct cyc_mem mem = {0};
    struct cyc_arena arena;
    (void)state;
    cyc_arena_init(&arena, &mem, CYC_MEM_CONFIG, NULL, 0);
    struct cyc_span copy = cyc_arena_copy(&arena, CYC_SPAN("text"));
    struct cyc_span formatted = cyc_arena_format(&arena, "%s-%d", "a", 7);
    struct cyc_span longer = cyc_arena_format(&arena, "%5000d", 1);
    assert_string_equal(copy.ptr, "text");
    assert_int_equal(copy.len, 4);
    assert_string_equal(formatted.ptr, "a-7");
    assert_int_equal(formatted.len, 3);
    assert_int_equal(longer.len, 5000);
    assert_int_equal(longer.ptr[4999], '1');
    assert_int_equal(longer.ptr[5000], '\0');
    cyc_arena_fini(&arena);
}

static void arena__a_big_piece_does_not_waste_the_rest_of_the_block(void **state)
{
    struct cyc_mem mem = {0};
    struct cyc_arena arena;
    (void)state;
    cyc_arena_init(&arena, &mem, CYC_MEM_CONFIG, NULL, 0);
    char *a = cyc_arena_alloc(&arena, 8);
    cyc_arena_alloc(&arena, 100000); /* a block of its own */
    assert_ptr_equal(cyc_arena_alloc(&arena, 8), a + 8);
    cyc_arena_fini(&arena);
}

static void arena__random_pieces_never_overlap(void **state)
{
    struct cyc_rng rng;
    (void)state;
    cyc_rng_init(&rng, 1);
    for (int round = 0; round < 60; round++) {
        struct cyc_mem mem = {0};
        struct cyc_arena arena;
        uint64_t first[32];
        char *pieces[PIECE_COUNT];
        size_t lens[PIECE_COUNT];
        bool has_first = cyc_rng_chance_permille(&rng, 500);
        cyc_arena_init(&arena, &mem, CYC_MEM_CONFIG, has_first ? first : NULL,
                       has_first ? sizeof(first) : 0);
        for (int life = 0; life < 3; life++) {
            for (int i = 0; i < PIECE_COUNT; i++) {
                lens[i] =
                    (size_t)cyc_rng_below(&rng, cyc_rng_chance_permille(&rng, 30) ? 9000 : 90);
                pieces[i] = cyc_arena_alloc(&arena, lens[i]);
                assert_int_equal((uintptr_t)pieces[i] % 8, 0);
                memset(pieces[i], i % 251, lens[i]);
            }
            for (int i = 0; i < PIECE_COUNT; i++) {
                if (lens[i] == 0)
                    continue;
                assert_int_equal((unsigned char)pieces[i][0], i % 251);
                assert_int_equal((unsigned char)pieces[i][lens[i] - 1], i % 251);
            }
            cyc_arena_reset(&arena);
            assert_int_equal(mem.total_bytes, 0);
        }
        cyc_arena_fini(&arena);
    }
}

static void arena__zalloc_zeroes_what_was_used_before(void **state)
{
    struct cyc_mem mem = {0};
    struct cyc_arena arena;
    uint64_t first[32];
    static const char zeros[200];
    (void)state;
    cyc_arena_init(&arena, &mem, CYC_MEM_STREAMS, first, sizeof(first));
    memset(cyc_arena_alloc(&arena, 200), 'x', 200);
    cyc_arena_reset(&arena);
    assert_memory_equal(cyc_arena_zalloc(&arena, 200), zeros, 200);
    cyc_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena__the_first_block_is_the_callers_and_costs_nothing),
        cmocka_unit_test(arena__without_a_first_block_nothing_is_null_either),
        cmocka_unit_test(arena__copies_and_formats_end_with_nul),
        cmocka_unit_test(arena__a_big_piece_does_not_waste_the_rest_of_the_block),
        cmocka_unit_test(arena__random_pieces_never_overlap),
        cmocka_unit_test(arena__zalloc_zeroes_what_was_used_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
