/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slab.h"

#include "base/assert.h"

void cyc_slab_init(struct cyc_slab *slab, struct cyc_mem *mem, enum cyc_mem_kind kind,
                   size_t object_bytes, struct cyc_slab_limits limits)
{
    cyc_assert(object_bytes >= sizeof(void *));
#ifdef CYC_DEBUG
    limits.keep_count = 0;
#endif
    *slab = (struct cyc_slab){
        .mem = mem,
        .kind = kind,
        .object_bytes = (uint32_t)object_bytes,
        .count_max = limits.count_max,
        .keep_count = limits.keep_count,
    };
}

void cyc_slab_fini(struct cyc_slab *slab)
{
    cyc_assert(slab->used_count == 0);

    while (slab->free != NULL) {
        void *object = slab->free;
        slab->free = *(void **)object;
        cyc_mem_free(slab->mem, slab->kind, object, slab->object_bytes);
    }
    slab->free_count = 0;
}

void *cyc_slab_get_always(struct cyc_slab *slab)
{
    void *object = slab->free;

    slab->used_count++;
    if (object == NULL)
        return cyc_mem_alloc(slab->mem, slab->kind, slab->object_bytes);
    slab->free = *(void **)object;
    slab->free_count--;
    return object;
}

void *cyc_slab_get(struct cyc_slab *slab)
{
    if (slab->count_max != 0 && slab->used_count >= slab->count_max)
        return NULL;
    if (slab->free == NULL && !cyc_mem_has_room(slab->mem, slab->object_bytes))
        return NULL;
    return cyc_slab_get_always(slab);
}

void cyc_slab_put(struct cyc_slab *slab, void *object)
{
    cyc_assert(slab->used_count > 0);

    slab->used_count--;
    if (slab->free_count >= slab->keep_count) {
        cyc_mem_free(slab->mem, slab->kind, object, slab->object_bytes);
        return;
    }
    *(void **)object = slab->free;
    slab->free = object;
    slab->free_count++;
}
