/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/list.h"
#include "base/rng.h"

#define ITEM_COUNT 20

struct item {
    int number;
    struct cyc_list link;
};

static struct item *item_of(struct cyc_list *link)
{
    return cyc_container_of(link, struct item, link);
}

static void list__a_link_knows_whether_it_is_linked(void **state)
{
    struct cyc_list list;
    struct item item;
    (void)state;
    cyc_list_init(&list);
    cyc_list_init(&item.link);
    assert_true(cyc_list_is_empty(&list));
    assert_false(cyc_list_is_linked(&item.link));
    cyc_list_add_back(&list, &item.link);
    assert_false(cyc_list_is_empty(&list));
    assert_true(cyc_list_is_linked(&item.link));
    cyc_list_remove(&item.link);
    cyc_list_remove(&item.link); /* twice is harmless */
    assert_false(cyc_list_is_linked(&item.link));
    assert_true(cyc_list_is_empty(&list));
    assert_null(cyc_list_take_front(&list));
}

static void list__take_empties_the_place(void **state)
{
    int value = 1, *place = &value;
    (void)state;
    assert_ptr_equal(cyc_take(place), &value);
    assert_null(place);
}

static void list__the_body_may_remove_the_current_link(void **state)
{
    struct cyc_list list;
    struct item items[4];
    int seen = 0;
    (void)state;
    cyc_list_init(&list);
    for (int i = 0; i < 4; i++) {
        items[i].number = i;
        cyc_list_add_back(&list, &items[i].link);
    }
    cyc_list_for_each (link, &list) {
        assert_int_equal(item_of(link)->number, seen++);
        cyc_list_remove(link);
    }
    assert_int_equal(seen, 4);
    assert_true(cyc_list_is_empty(&list));
}

static void list__move_all_keeps_order_and_empties_the_source(void **state)
{
    struct cyc_list from, to;
    struct item items[3];
    int seen = 0;
    (void)state;
    cyc_list_init(&from);
    cyc_list_move_all(&from, &to);
    assert_true(cyc_list_is_empty(&to));
    for (int i = 0; i < 3; i++) {
        items[i].number = i;
        cyc_list_add_back(&from, &items[i].link);
    }
    cyc_list_move_all(&from, &to);
    assert_true(cyc_list_is_empty(&from));
    cyc_list_for_each (link, &to)
        assert_int_equal(item_of(link)->number, seen++);
    assert_int_equal(seen, 3);
    for (struct cyc_list *link = to.previous; link != &to; link = link->previous)
        assert_int_equal(item_of(link)->number, --seen); /* and backwards */
}

struct model {
    int numbers[ITEM_COUNT];
    int count;
};

static void model_insert(struct model *model, int at, int number)
{
    memmove(&model->numbers[at + 1], &model->numbers[at],
            (size_t)(model->count - at) * sizeof(int));
    model->numbers[at] = number;
    model->count++;
}

static int model_remove(struct model *model, int number)
{
    for (int i = 0; i < model->count; i++) {
        if (model->numbers[i] != number)
            continue;
        model->count--;
        memmove(&model->numbers[i], &model->numbers[i + 1],
                (size_t)(model->count - i) * sizeof(int));
        return i;
    }
    return -1;
}

static void list__random_changes_agree_with_an_array(void **state)
{
    struct cyc_list list;
    struct item items[ITEM_COUNT];
    struct model model = {.count = 0};
    struct cyc_rng rng;
    (void)state;
    cyc_rng_init(&rng, 1);
    cyc_list_init(&list);
    for (int i = 0; i < ITEM_COUNT; i++) {
        items[i].number = i;
        cyc_list_init(&items[i].link);
    }
    for (int step = 0; step < 20000; step++) {
        int n = (int)cyc_rng_below(&rng, ITEM_COUNT), seen = 0;
        bool was_linked = cyc_list_is_linked(&items[n].link);
        assert_int_equal(was_linked, model_remove(&model, n) >= 0);
        cyc_list_remove(&items[n].link);
        switch (cyc_rng_below(&rng, 5)) {
        case 0:
            cyc_list_add_front(&list, &items[n].link);
            model_insert(&model, 0, n);
            break;
        case 1:
            cyc_list_add_back(&list, &items[n].link);
            model_insert(&model, model.count, n);
            break;
        case 2:
            if (model.count > 0) {
                int at = (int)cyc_rng_below(&rng, (uint64_t)model.count);
                cyc_list_add_after(&items[model.numbers[at]].link, &items[n].link);
                model_insert(&model, at + 1, n);
            }
            break;
        case 3: {
            struct cyc_list *front = cyc_list_take_front(&list);
            assert_int_equal(front != NULL, model.count > 0);
            if (front != NULL)
                assert_int_equal(model_remove(&model, item_of(front)->number), 0);
            break;
        }
        default:
            break;
        }
        cyc_list_for_each (link, &list)
            assert_int_equal(item_of(link)->number, model.numbers[seen++]);
        assert_int_equal(seen, model.count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list__a_link_knows_whether_it_is_linked),
        cmocka_unit_test(list__take_empties_the_place),
        cmocka_unit_test(list__the_body_may_remove_the_current_link),
        cmocka_unit_test(list__move_all_keeps_order_and_empties_the_source),
        cmocka_unit_test(list__random_changes_agree_with_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
