/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/config_names.h"

#include <stdlib.h>

static int compare_entries(const void *a, const void *b)
{
    const struct cyc_name_entry *left = a, *right = b;
    int order = cyc_span_compare(left->name, right->name);

    if (order != 0)
        return order;
    return left->index < right->index ? -1 : left->index > right->index;
}

void cyc_name_index_sort(struct cyc_name_index *index)
{
    if (index->count > 1)
        qsort(index->entries, index->count, sizeof(index->entries[0]), compare_entries);
}

void cyc_name_index_build(struct cyc_name_index *index, struct cyc_arena *arena, const void *things,
                          uint32_t count, size_t size_bytes)
{
    index->entries = cyc_arena_alloc(arena, count * sizeof(index->entries[0]));
    index->count = count;
    for (uint32_t i = 0; i < count; i++) {
        const void *thing = (const char *)things + i * size_bytes;
        index->entries[i] = (struct cyc_name_entry){*(const struct cyc_span *)thing, i};
    }
    cyc_name_index_sort(index);
}

bool cyc_name_index_find(const struct cyc_name_index *index, struct cyc_span name,
                         uint32_t *ret_index)
{
    uint32_t low = 0, high = index->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (cyc_span_compare(index->entries[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == index->count || !cyc_span_equal(index->entries[low].name, name))
        return false;
    *ret_index = index->entries[low].index;
    return true;
}
