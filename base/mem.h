/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory, counted by kind.
 *
 * Every byte Cyclone takes from the C library goes through here, with a `struct cyc_mem` (one per
 * worker, one for the control thread) that knows how much each kind holds: that is what
 * cyclone_memory_bytes{kind} reports and what the pool limit compares with.
 *
 * The limit gates admission, not progress. Where work may be refused (a new connection, a new
 * request, another read) callers ask cyc_mem_has_room() or use a slab with a limit, and get NULL.
 * What an admitted request needs to go on is bounded elsewhere (head limits, backpressure marks)
 * and is always given. Should the C library itself be out of memory the process stops with one
 * line: with overcommit, that is not a state a program can work its way out of.
 */
#ifndef CYC_BASE_MEM_H
#define CYC_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CYC_MEM_HUGE_BYTES (2u << 20)

enum cyc_mem_kind {
    CYC_MEM_BUFFERS,     /* bytes in flight: chunks */
    CYC_MEM_CONNECTIONS, /* downstream and upstream connections with their codecs */
    CYC_MEM_STREAMS,     /* requests in flight with their arenas */
    CYC_MEM_CONFIG,      /* snapshots */
    CYC_MEM_LOGS,        /* log rings */
    CYC_MEM_METRICS,     /* statistics blocks */
    CYC_MEM_IO,          /* engines, timer wheels */
    CYC_MEM_OTHER,
    CYC_MEM_KIND_COUNT
};

/** Single writer (the owning thread); others may read the counters at any time. */
struct cyc_mem {
    uint64_t kind_bytes[CYC_MEM_KIND_COUNT];
    uint64_t total_bytes;
    uint64_t limit_bytes; /* 0: none */
};

/** @return "buffers", "connections", ... as the metric's label has it */
const char *cyc_mem_kind_name(enum cyc_mem_kind kind);

/** Never NULL. Not zeroed. */
void *cyc_mem_alloc(struct cyc_mem *mem, enum cyc_mem_kind kind, size_t size_bytes);
/** Never NULL. Zeroed. */
void *cyc_mem_zalloc(struct cyc_mem *mem, enum cyc_mem_kind kind, size_t size_bytes);
/** Like alloc, at a multiple of 64 bytes (a cache line). */
void *cyc_mem_alloc_aligned(struct cyc_mem *mem, enum cyc_mem_kind kind, size_t size_bytes);
/** Like alloc, in pages of 2 MiB where the system has them: for large tables that are read at
 * random.
 *  @param size_bytes  a multiple of CYC_MEM_HUGE_BYTES */
void *cyc_mem_alloc_huge(struct cyc_mem *mem, enum cyc_mem_kind kind, size_t size_bytes);
/** @param size_bytes  what was asked for when it was allocated; `ptr` NULL is a no-op */
void cyc_mem_free(struct cyc_mem *mem, enum cyc_mem_kind kind, void *ptr, size_t size_bytes);
/** Grows or shrinks, keeping the contents. Never NULL. */
void *cyc_mem_resize(struct cyc_mem *mem, enum cyc_mem_kind kind, void *ptr, size_t old_bytes,
                     size_t new_bytes);

static inline bool cyc_mem_has_room(const struct cyc_mem *mem, size_t size_bytes)
{
    return mem->limit_bytes == 0 || mem->total_bytes + size_bytes <= mem->limit_bytes;
}

#endif
