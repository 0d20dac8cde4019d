/* SPDX-License-Identifier: Apache-2.0 */
/* Named things by name: sorted once, so ten thousand of them are found and compared quickly. */
#ifndef CYC_PROXY_CONFIG_NAMES_H
#define CYC_PROXY_CONFIG_NAMES_H

#include "base/arena.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct cyc_name_entry {
    struct cyc_span name;
    uint32_t index; /* of the thing in its array */
};

/** Sorted by name, then by index. */
struct cyc_name_index {
    struct cyc_name_entry *entries;
    uint32_t count;
};

/**
 * @param things  an array of structs that start with their name (a struct cyc_span)
 * @param size_bytes  of one
 */
void cyc_name_index_build(struct cyc_name_index *index, struct cyc_arena *arena, const void *things,
                          uint32_t count, size_t size_bytes);
/** Sorts entries that were filled in by hand. */
void cyc_name_index_sort(struct cyc_name_index *index);
/** The first thing of that name. */
bool cyc_name_index_find(const struct cyc_name_index *index, struct cyc_span name,
                         uint32_t *ret_index);

#endif
