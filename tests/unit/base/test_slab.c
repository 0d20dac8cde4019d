/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/rng.h"
#include "base/slab.h"

#define OBJECT_BYTES 48
#define OBJECT_COUNT 64

static void slab__a_limited_get_says_no_and_an_unlimited_one_does_not(void **state)
{
    struct cyc_mem mem = {0};
    struct cyc_slab slab;
    (void)state;
    cyc_slab_init(&slab, &mem, CYC_MEM_STREAMS, OBJECT_BYTES, (struct cyc_slab_limits){2, 8});
    void *a = cyc_slab_get(&slab), *b = cyc_slab_get(&slab);
    assert_non_null(a);
    assert_non_null(b);
    assert_null(cyc_slab_get(&slab));
    void *c = cyc_slab_get_always(&slab);
    assert_non_null(c);
    assert_int_equal(slab.used_count, 3);
    cyc_slab_put(&slab, c);
    assert_null(cyc_slab_get(&slab));
    cyc_slab_put(&slab, b);
    b = cyc_slab_get(&slab);
    assert_non_null(b);
    cyc_slab_put(&slab, a);
    cyc_slab_put(&slab, b);
    cyc_slab_fini(&slab);
    assert_int_equal(mem.total_bytes, 0);
}

static void slab__the_memory_limit_is_asked_before_more_is_taken(void **state)
{
    struct cyc_mem mem = {.limit_bytes = OBJECT_BYTES};
    struct cyc_slab slab;
    (void)state;
    cyc_slab_init(&slab, &mem, CYC_MEM_STREAMS, OBJECT_BYTES, (struct cyc_slab_limits){0, 8});
    void *a = cyc_slab_get(&slab);
    assert_non_null(a);
    assert_null(cyc_slab_get(&slab));
    void *b = cyc_slab_get_always(&slab);
    assert_non_null(b);
    cyc_slab_put(&slab, a);
    cyc_slab_put(&slab, b);
    cyc_slab_fini(&slab);
}

static void slab__random_gets_and_puts_hand_out_no_object_twice(void **state)
{
    struct cyc_mem mem = {0};
    struct cyc_slab slab;
    struct cyc_rng rng;
    unsigned char *objects[OBJECT_COUNT] = {NULL};
    uint32_t count = 0;
    (void)state;
    cyc_rng_init(&rng, 1);
    cyc_slab_init(&slab, &mem, CYC_MEM_CONNECTIONS, OBJECT_BYTES, (struct cyc_slab_limits){0, 5});
    for (int step = 0; step < 20000; step++) {
        uint32_t i = (uint32_t)cyc_rng_below(&rng, OBJECT_COUNT);
        if (objects[i] == NULL) {
            objects[i] = cyc_slab_get(&slab);
            memset(objects[i], (int)i, OBJECT_BYTES);
            count++;
        } else {
            for (size_t at = 0; at < OBJECT_BYTES; at++)
                assert_int_equal(objects[i][at], i);
            cyc_slab_put(&slab, objects[i]);
            objects[i] = NULL;
            count--;
        }
        assert_int_equal(slab.used_count, count);
        assert_true(slab.free_count <= 5); /* the rest goes back: memory falls after a spike */
        assert_int_equal(mem.kind_bytes[CYC_MEM_CONNECTIONS],
                         (count + slab.free_count) * OBJECT_BYTES);
    }
    for (uint32_t i = 0; i < OBJECT_COUNT; i++)
        if (objects[i] != NULL)
            cyc_slab_put(&slab, objects[i]);
    cyc_slab_fini(&slab);
    assert_int_equal(mem.total_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slab__a_limited_get_says_no_and_an_unlimited_one_does_not),
        cmocka_unit_test(slab__the_memory_limit_is_asked_before_more_is_taken),
        cmocka_unit_test(slab__random_gets_and_puts_hand_out_no_object_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
