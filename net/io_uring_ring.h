/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rings and the buffers lent to them: what the engine and the probe build on. The only file that
 * includes liburing.
 *
 * Lent buffers: the kernel holds a group of our chunks and picks one when bytes are there, so a
 * receive that waits has none. Any memory may be lent, so the entries are chunks of the worker's
 * own pool: a chunk that was filled goes straight to the reader, and another takes its place.
 *
 * The group starts small, so that its chunks stay in the cache, and doubles whenever it ran dry.
 */
#ifndef CYC_NET_IO_URING_RING_H
#define CYC_NET_IO_URING_RING_H

#include "base/buf.h"

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * Makes a ring with the best flags this kernel takes, found by trying; the caller's thread is the
 * one that will use it.
 * @param entry_count  submissions per enter, a power of two
 * @return 0 or a negative errno; ring->flags says what it got
 */
int cyc_uring_setup(struct io_uring *ring, uint32_t entry_count);

/** One group of lent buffers, of one size. */
struct cyc_uring_bufs {
    struct io_uring *ring;
    struct io_uring_buf_ring *entries;
    struct cyc_mem *mem;
    struct cyc_buf_pool *pool;
    struct cyc_chunk **slots; /* by buffer id; NULL: not lent */
    uint16_t *free_ids;       /* a stack of the ids not lent */
    uint32_t entry_count;     /* a power of two */
    uint32_t lent_count;   /* entries the kernel may fill; those it has filled count until taken */
    uint32_t target_count; /* how many should be lent */
    uint16_t group;
    bool is_large;
};

/** @param entry_count  the most that will ever be lent, a power of two
 *  @return 0 or a negative errno: -EINVAL when the kernel has no such thing (before 5.19) */
int cyc_uring_bufs_init(struct cyc_uring_bufs *bufs, struct io_uring *ring,
                        struct cyc_buf_pool *pool, uint16_t group, uint32_t entry_count);
/** No op may be in flight. No-op when init has failed or never run. */
void cyc_uring_bufs_fini(struct cyc_uring_bufs *bufs);
/** The chunk the kernel picked: the caller's from now on. */
struct cyc_chunk *cyc_uring_bufs_take(struct cyc_uring_bufs *bufs, uint16_t id);
/** Lends as many as are missing and as the pool has room for. Cheap when none is. */
void cyc_uring_bufs_refill(struct cyc_uring_bufs *bufs);
/** It ran dry: lend more from now on. */
void cyc_uring_bufs_grow(struct cyc_uring_bufs *bufs);

#endif
