/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/map.h"
#include "base/rng.h"

#define KEY_COUNT 200

static const struct cyc_hash_key hash_key = {11, 22};

static void map__an_empty_map_allocates_nothing_and_finds_nothing(void **state)
{
    struct cyc_mem mem = {0};
    struct cyc_map map;
    uint32_t cursor = 0;
    (void)state;
    cyc_map_init(&map, &mem, CYC_MEM_OTHER, &hash_key, 0);
    assert_null(cyc_map_find(&map, CYC_SPAN("a")));
    assert_null(cyc_map_remove(&map, CYC_SPAN("a")));
    assert_null(cyc_map_next(&map, &cursor));
    assert_int_equal(mem.total_bytes, 0);
    cyc_map_fini(&map);
}

static void map__put_replaces_and_says_nothing_about_it(void **state)
{
    struct cyc_mem mem = {0};
    struct cyc_map map;
    int first, second;
    char key[] = "key", same[] = "key";
    (void)state;
    cyc_map_init(&map, &mem, CYC_MEM_OTHER, &hash_key, 0);
    assert_true(cyc_map_put(&map, cyc_span_from_text(key), &first));
    assert_true(cyc_map_put(&map, cyc_span_from_text(same), &second));
    assert_int_equal(map.count, 1);
    memset(key, 'x', 3); /* the map borrows the newer key now */
    assert_ptr_equal(cyc_map_find(&map, CYC_SPAN("key")), &second);
    assert_true(cyc_map_put(&map, CYC_SPAN(""), &first)); /* an empty key is a key */
    assert_ptr_equal(cyc_map_find(&map, cyc_span_of(NULL, 0)), &first);
    cyc_map_fini(&map);
    assert_int_equal(mem.total_bytes, 0);
}

static void map__count_max_refuses_new_keys_only(void **state)
{
    struct cyc_mem mem = {0};
    struct cyc_map map;
    int value;
    (void)state;
    cyc_map_init(&map, &mem, CYC_MEM_OTHER, &hash_key, 0);
    map.count_max = 2;
    assert_true(cyc_map_put(&map, CYC_SPAN("a"), &value));
    assert_true(cyc_map_put(&map, CYC_SPAN("b"), &value));
    assert_false(cyc_map_put(&map, CYC_SPAN("c"), &value));
    assert_null(cyc_map_find(&map, CYC_SPAN("c")));
    assert_true(cyc_map_put(&map, CYC_SPAN("a"), &map));
    assert_ptr_equal(cyc_map_remove(&map, CYC_SPAN("a")), &map);
    assert_true(cyc_map_put(&map, CYC_SPAN("c"), &value));
    cyc_map_fini(&map);
}

static void map__case_matters_unless_it_should_not(void **state)
{
    struct cyc_mem mem = {0};
    struct cyc_map exact, nocase;
    int value;
    (void)state;
    cyc_map_init(&exact, &mem, CYC_MEM_OTHER, &hash_key, 4);
    cyc_map_init(&nocase, &mem, CYC_MEM_OTHER, &hash_key, 4);
    nocase.is_nocase = true;
    cyc_map_put(&exact, CYC_SPAN("Api.Example.COM"), &value);
    cyc_map_put(&nocase, CYC_SPAN("Api.Example.COM"), &value);
    assert_null(cyc_map_find(&exact, CYC_SPAN("api.example.com")));
    assert_ptr_equal(cyc_map_find(&nocase, CYC_SPAN("api.example.com")), &value);
    assert_ptr_equal(cyc_map_remove(&nocase, CYC_SPAN("API.EXAMPLE.COM")), &value);
    cyc_map_fini(&exact);
    cyc_map_fini(&nocase);
}

static void map__a_hint_saves_growing(void **state)
{
    struct cyc_mem mem = {0};
    struct cyc_map map;
    static char keys[1000][16];
    (void)state;
    cyc_map_init(&map, &mem, CYC_MEM_CONFIG, &hash_key, 1000);
    uint64_t bytes = mem.kind_bytes[CYC_MEM_CONFIG];
    for (int i = 0; i < 1000; i++) {
        snprintf(keys[i], sizeof(keys[i]), "%d", i);
        cyc_map_put(&map, cyc_span_from_text(keys[i]), keys[i]);
    }
    assert_int_equal(mem.kind_bytes[CYC_MEM_CONFIG], bytes);
    cyc_map_fini(&map);
}

struct model {
    char keys[KEY_COUNT][16];
    void *values[KEY_COUNT]; /* NULL: not in the map */
    uint32_t count;
};

static void model_compare(const struct model *model, const struct cyc_map *map)
{
    uint32_t cursor = 0, walked = 0;
    const struct cyc_map_entry *entry;
    assert_int_equal(map->count, model->count);
    while ((entry = cyc_map_next(map, &cursor)) != NULL) {
        walked++;
        size_t i = (size_t)(entry->key.ptr - model->keys[0]) / sizeof(model->keys[0]);
        assert_ptr_equal(model->values[i], entry->value);
    }
    assert_int_equal(walked, model->count);
    for (int i = 0; i < KEY_COUNT; i++) {
        struct cyc_span key = cyc_span_from_text(model->keys[i]);
        assert_ptr_equal(cyc_map_find(map, key), model->values[i]);
        assert_ptr_equal(cyc_map_find_hashed(map, key, cyc_map_hash(map, key)), model->values[i]);
    }
}

static void model_step(struct model *model, struct cyc_map *map, struct cyc_rng *rng,
                       uint32_t remove_permille)
{
    uint32_t i = (uint32_t)cyc_rng_below(rng, KEY_COUNT);
    struct cyc_span key = cyc_span_from_text(model->keys[i]);
    if (cyc_rng_chance_permille(rng, remove_permille)) {
        assert_ptr_equal(cyc_map_remove(map, key), model->values[i]);
        model->count -= model->values[i] != NULL;
        model->values[i] = NULL;
        return;
    }
    model->count += model->values[i] == NULL;
    model->values[i] = &model->keys[cyc_rng_below(rng, KEY_COUNT)];
    assert_true(cyc_map_put(map, key, model->values[i]));
}

static void map__random_puts_and_removes_agree_with_a_plain_array(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct cyc_mem mem = {0};
        struct cyc_map map;
        struct cyc_rng rng;
        struct model model = {.count = 0};
        struct cyc_hash_key key = {seed, seed};
        cyc_rng_init(&rng, seed);
        cyc_map_init(&map, &mem, CYC_MEM_OTHER, &key, (uint32_t)cyc_rng_below(&rng, 50));
        map.is_nocase = seed % 2 == 0;
        for (int i = 0; i < KEY_COUNT; i++)
            snprintf(model.keys[i], sizeof(model.keys[i]), "key-%d", i);
        for (int step = 0; step < 1000; step++) {
            model_step(&model, &map, &rng, step / 250 % 2 == 0 ? 300 : 700);
            if (step % 50 == 0)
                model_compare(&model, &map);
        }
        model_compare(&model, &map);
        cyc_map_clear(&map);
        assert_int_equal(mem.total_bytes, 0);
        assert_null(cyc_map_find(&map, cyc_span_from_text(model.keys[0])));
        cyc_map_fini(&map);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map__an_empty_map_allocates_nothing_and_finds_nothing),
        cmocka_unit_test(map__put_replaces_and_says_nothing_about_it),
        cmocka_unit_test(map__count_max_refuses_new_keys_only),
        cmocka_unit_test(map__case_matters_unless_it_should_not),
        cmocka_unit_test(map__a_hint_saves_growing),
        cmocka_unit_test(map__random_puts_and_removes_agree_with_a_plain_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
