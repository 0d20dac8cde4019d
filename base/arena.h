/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bump allocator: many small things that all end together.
 *
 * One per request and one per configuration snapshot. Memory is handed out from blocks and never
 * given back one by one; reset keeps the first block, so a request that fits into it costs no call
 * to the C library. Blocks double up to ARENA_BLOCK_BYTES_MAX.
 */
#ifndef CYC_BASE_ARENA_H
#define CYC_BASE_ARENA_H

#include "base/mem.h"
#include "base/span.h"

#include <stddef.h>
#include <stdint.h>

struct cyc_arena_block;

struct cyc_arena {
    char *at, *end;          /* free part of the newest block */
    char *first, *first_end; /* caller's memory for the first block, or NULL */
    struct cyc_arena_block *blocks;
    struct cyc_mem *mem;
    enum cyc_mem_kind kind;
    size_t block_bytes; /* size of the next block */
};

/**
 * @param first  memory for the first block, borrowed until fini; NULL: none
 * @param first_bytes  its size
 */
void cyc_arena_init(struct cyc_arena *arena, struct cyc_mem *mem, enum cyc_mem_kind kind,
                    void *first, size_t first_bytes);
/** Frees every block but the first; what was allocated is gone. */
void cyc_arena_reset(struct cyc_arena *arena);
/** Frees everything the arena owns. */
void cyc_arena_fini(struct cyc_arena *arena);

/** The slow half of cyc_arena_alloc: starts a new block. */
void *cyc_arena_alloc_slow(struct cyc_arena *arena, size_t size_bytes);

/** Never NULL; 8-byte aligned, not zeroed. */
static inline void *cyc_arena_alloc(struct cyc_arena *arena, size_t size_bytes)
{
    size_t rounded = (size_bytes + 7) & ~(size_t)7;
    if (rounded > (size_t)(arena->end - arena->at))
        return cyc_arena_alloc_slow(arena, rounded);
    void *ptr = arena->at;
    arena->at += rounded;
    return ptr;
}

/** Zeroed. */
void *cyc_arena_zalloc(struct cyc_arena *arena, size_t size_bytes);
/** A copy that lives as long as the arena; also NUL-terminated, for the few places that print. */
struct cyc_span cyc_arena_copy(struct cyc_arena *arena, struct cyc_span s);
/** printf into the arena. */
__attribute__((format(printf, 2, 3))) struct cyc_span cyc_arena_format(struct cyc_arena *arena,
                                                                       const char *format, ...);

#endif
