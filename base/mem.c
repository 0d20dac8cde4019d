/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CACHE_LINE_BYTES 64

const char *cyc_mem_kind_name(enum cyc_mem_kind kind)
{
    static const char *const names[] = {"buffers", "connections", "streams", "config",
                                        "logs",    "metrics",     "io",      "other"};
    CYC_BUILD_ASSERT(sizeof(names) / sizeof(names[0]) == CYC_MEM_KIND_COUNT);
    cyc_assert(kind < CYC_MEM_KIND_COUNT);
    return names[kind];
}

_Noreturn static void out_of_memory(size_t size_bytes)
{
    fprintf(stderr, "cyclone: out of memory: the system refused %zu bytes\n", size_bytes);
    abort();
}

/** One writer, many readers: a plain add that a reader never sees half of. */
static void count(uint64_t *counter, uint64_t delta)
{
    __atomic_store_n(counter, *counter + delta, __ATOMIC_RELAXED);
}

static void *account(struct cyc_mem *mem, enum cyc_mem_kind kind, void *ptr, size_t size_bytes)
{
    if (ptr == NULL)
        out_of_memory(size_bytes);
    count(&mem->kind_bytes[kind], size_bytes);
    count(&mem->total_bytes, size_bytes);
    return ptr;
}

static void unaccount(struct cyc_mem *mem, enum cyc_mem_kind kind, size_t size_bytes)
{
    cyc_assert(mem->kind_bytes[kind] >= size_bytes);
    count(&mem->kind_bytes[kind], -(uint64_t)size_bytes);
    count(&mem->total_bytes, -(uint64_t)size_bytes);
}

void *cyc_mem_alloc(struct cyc_mem *mem, enum cyc_mem_kind kind, size_t size_bytes)
{
    return account(mem, kind, malloc(size_bytes > 0 ? size_bytes : 1), size_bytes);
}

void *cyc_mem_zalloc(struct cyc_mem *mem, enum cyc_mem_kind kind, size_t size_bytes)
{
    return account(mem, kind, calloc(1, size_bytes > 0 ? size_bytes : 1), size_bytes);
}

void *cyc_mem_alloc_aligned(struct cyc_mem *mem, enum cyc_mem_kind kind, size_t size_bytes)
{
    void *ptr = NULL;
    if (posix_memalign(&ptr, CACHE_LINE_BYTES, size_bytes) != 0)
        ptr = NULL;
    return account(mem, kind, ptr, size_bytes);
}

void *cyc_mem_alloc_huge(struct cyc_mem *mem, enum cyc_mem_kind kind, size_t size_bytes)
{
    void *ptr = NULL;

    if (posix_memalign(&ptr, CYC_MEM_HUGE_BYTES, size_bytes) != 0)
        ptr = NULL;
    else
        madvise(ptr, size_bytes, MADV_HUGEPAGE); /* a wish: without it things only take longer */
    return account(mem, kind, ptr, size_bytes);
}

void cyc_mem_free(struct cyc_mem *mem, enum cyc_mem_kind kind, void *ptr, size_t size_bytes)
{
    if (ptr == NULL)
        return;
    unaccount(mem, kind, size_bytes);
    free(ptr);
}

void *cyc_mem_resize(struct cyc_mem *mem, enum cyc_mem_kind kind, void *ptr, size_t old_bytes,
                     size_t new_bytes)
{
    unaccount(mem, kind, ptr != NULL ? old_bytes : 0);
    return account(mem, kind, realloc(ptr, new_bytes > 0 ? new_bytes : 1), new_bytes);
}
