/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>

#define ARENA_BLOCK_BYTES_MIN 1024
#define ARENA_BLOCK_BYTES_MAX (64 * 1024)
/* A configuration that is large is looked at in random places by every request: the fewer pages it
 * lies in, the fewer look-ups of pages (measured with 10,000 routes). */
#define CONFIG_BLOCK_BYTES_MAX CYC_MEM_HUGE_BYTES

struct cyc_arena_block {
    struct cyc_arena_block *previous;
    size_t size_bytes; /* with this header */
};

void cyc_arena_init(struct cyc_arena *arena, struct cyc_mem *mem, enum cyc_mem_kind kind,
                    void *first, size_t first_bytes)
{
    cyc_assert(((uintptr_t)first & 7) == 0);

    if (first == NULL) { /* no bytes at a place of our own: even an empty allocation is not NULL */
        first = arena;
        first_bytes = 0;
    }
    *arena = (struct cyc_arena){
        .at = first,
        .end = (char *)first + first_bytes,
        .first = first,
        .first_end = (char *)first + first_bytes,
        .mem = mem,
        .kind = kind,
        .block_bytes = ARENA_BLOCK_BYTES_MIN,
    };
}

void cyc_arena_reset(struct cyc_arena *arena)
{
    while (arena->blocks != NULL) {
        struct cyc_arena_block *block = arena->blocks;
        arena->blocks = block->previous;
        cyc_mem_free(arena->mem, arena->kind, block, block->size_bytes);
    }
    arena->at = arena->first;
    arena->end = arena->first_end;
    arena->block_bytes = ARENA_BLOCK_BYTES_MIN;
}

void cyc_arena_fini(struct cyc_arena *arena)
{
    cyc_arena_reset(arena);
    arena->at = arena->end = arena->first = arena->first_end = NULL;
}

void *cyc_arena_alloc_slow(struct cyc_arena *arena, size_t size_bytes)
{
    size_t need_bytes = size_bytes + sizeof(struct cyc_arena_block);
    size_t block_bytes = need_bytes > arena->block_bytes ? need_bytes : arena->block_bytes;
    struct cyc_arena_block *block;

    if (CYC_UNLIKELY(block_bytes >= CYC_MEM_HUGE_BYTES)) {
        block_bytes = (block_bytes + CYC_MEM_HUGE_BYTES - 1) & ~(size_t)(CYC_MEM_HUGE_BYTES - 1);
        block = cyc_mem_alloc_huge(arena->mem, arena->kind, block_bytes);
    } else {
        block = cyc_mem_alloc(arena->mem, arena->kind, block_bytes);
    }

    block->previous = arena->blocks;
    block->size_bytes = block_bytes;
    arena->blocks = block;
    bool is_config = arena->kind == CYC_MEM_CONFIG;
    if (arena->block_bytes < (is_config ? CONFIG_BLOCK_BYTES_MAX : ARENA_BLOCK_BYTES_MAX))
        arena->block_bytes *= 2;

    char *ptr = (char *)(block + 1);
    char *rest = ptr + size_bytes, *block_end = (char *)block + block_bytes;
    if (block_end - rest >= arena->end - arena->at) { /* keep bumping where more is left */
        arena->at = rest;
        arena->end = block_end;
    }
    return ptr;
}

void *cyc_arena_zalloc(struct cyc_arena *arena, size_t size_bytes)
{
    return memset(cyc_arena_alloc(arena, size_bytes), 0, size_bytes);
}

struct cyc_span cyc_arena_copy(struct cyc_arena *arena, struct cyc_span s)
{
    char *copy = cyc_arena_alloc(arena, s.len + 1);
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return cyc_span_of(copy, s.len);
}

struct cyc_span cyc_arena_format(struct cyc_arena *arena, const char *format, ...)
{
    va_list args, again;

    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    cyc_assert(len >= 0);
    char *text = cyc_arena_alloc(arena, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return cyc_span_of(text, (size_t)len);
}
