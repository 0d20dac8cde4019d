/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of one size, with a limit, reused last in first out so that they are warm.
 *
 * A slab is a short stack of free objects in front of the C library: up to `keep_count` stay, the
 * rest go back, so memory falls again after a spike. Debug builds keep none: a use after free is
 * then the sanitizer's to find.
 */
#ifndef CYC_BASE_SLAB_H
#define CYC_BASE_SLAB_H

#include "base/mem.h"

#include <stddef.h>
#include <stdint.h>

struct cyc_slab {
    struct cyc_mem *mem;
    enum cyc_mem_kind kind;
    uint32_t object_bytes;
    uint32_t used_count, count_max; /* count_max 0: no limit */
    uint32_t free_count, keep_count;
    void *free; /* first free object; its first word is the next */
};

struct cyc_slab_limits {
    uint32_t count_max;  /* in use; 0: no limit */
    uint32_t keep_count; /* free ones that stay */
};

void cyc_slab_init(struct cyc_slab *slab, struct cyc_mem *mem, enum cyc_mem_kind kind,
                   size_t object_bytes, struct cyc_slab_limits limits);
/** Every object must have come back. */
void cyc_slab_fini(struct cyc_slab *slab);

/** Not zeroed. @return NULL at the slab's limit or when the memory limit has no room */
void *cyc_slab_get(struct cyc_slab *slab);
/** The same for what an admitted request needs to go on: never NULL, limits do not apply. */
void *cyc_slab_get_always(struct cyc_slab *slab);
void cyc_slab_put(struct cyc_slab *slab, void *object);

#endif
