/* SPDX-License-Identifier: Apache-2.0 */
#include "net/io_uring_ring.h"

#include "base/assert.h"
#include "net/io_uring.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Completions wait here while callbacks run; one receive per connection may complete in a burst. */
#define CQ_PER_SQ 8

#define TARGET_COUNT_SMALL 64 /* 256 KiB, a quarter of a usual second-level cache */
#define TARGET_COUNT_LARGE 8
/* Lent whatever the memory limit says: who was admitted must be able to finish. */
#define RESERVE_COUNT 8

#define PROBE_ENTRY_COUNT 8

int cyc_uring_setup(struct io_uring *ring, uint32_t entry_count)
{
    /* Best first; each line is what one more kernel generation brought. */
    static const uint32_t attempts[] = {
        /* 6.1: completions are only looked for when we ask, never by interrupting us */
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL,
        /* 5.19: no interruption, but work is done at any system call */
        IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL,
        /* 5.10 */
        0,
    };
    int r = -EINVAL;

    for (size_t i = 0; r == -EINVAL && i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        struct io_uring_params params = {
            .flags = attempts[i] | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
            .cq_entries = entry_count * CQ_PER_SQ,
        };
        r = io_uring_queue_init_params(entry_count, ring, &params);
    }
    if (r < 0)
        return r;
    /* The engine leans on these two: no completion is ever lost, sockets are polled in the kernel.
     */
    uint32_t wanted = IORING_FEAT_NODROP | IORING_FEAT_FAST_POLL;
    if ((ring->features & wanted) != wanted) {
        io_uring_queue_exit(ring);
        return -ENOSYS;
    }
    io_uring_register_ring_fd(ring); /* saves a look-up per enter; not there before 5.18 */
    return 0;
}

int cyc_uring_bufs_init(struct cyc_uring_bufs *bufs, struct io_uring *ring,
                        struct cyc_buf_pool *pool, uint16_t group, uint32_t entry_count)
{
    int r = 0;

    *bufs = (struct cyc_uring_bufs){
        .ring = ring,
        .mem = pool->small.mem,
        .pool = pool,
        .group = group,
        .entry_count = entry_count,
        .is_large = group > 0,
        .target_count = group > 0 ? TARGET_COUNT_LARGE : TARGET_COUNT_SMALL,
    };
    bufs->entries = io_uring_setup_buf_ring(ring, entry_count, group, 0, &r);
    if (bufs->entries == NULL)
        return r;
    bufs->slots = cyc_mem_zalloc(bufs->mem, CYC_MEM_IO, entry_count * sizeof(bufs->slots[0]));
    bufs->free_ids = cyc_mem_alloc(bufs->mem, CYC_MEM_IO, entry_count * sizeof(bufs->free_ids[0]));
    for (uint32_t i = 0; i < entry_count; i++)
        bufs->free_ids[i] = (uint16_t)(entry_count - 1 - i);
    return 0;
}

void cyc_uring_bufs_fini(struct cyc_uring_bufs *bufs)
{
    if (bufs->entries == NULL)
        return;
    io_uring_free_buf_ring(bufs->ring, bufs->entries, bufs->entry_count, bufs->group);
    for (uint32_t i = 0; i < bufs->entry_count; i++)
        if (bufs->slots[i] != NULL)
            cyc_chunk_unref(bufs->slots[i]);
    cyc_mem_free(bufs->mem, CYC_MEM_IO, bufs->slots, bufs->entry_count * sizeof(bufs->slots[0]));
    cyc_mem_free(bufs->mem, CYC_MEM_IO, bufs->free_ids,
                 bufs->entry_count * sizeof(bufs->free_ids[0]));
    bufs->entries = NULL;
}

struct cyc_chunk *cyc_uring_bufs_take(struct cyc_uring_bufs *bufs, uint16_t id)
{
    cyc_assert(id < bufs->entry_count && bufs->slots[id] != NULL);

    struct cyc_chunk *chunk = bufs->slots[id];
    bufs->slots[id] = NULL;
    bufs->lent_count--;
    bufs->free_ids[bufs->entry_count - 1 - bufs->lent_count] = id;
    return chunk;
}

static struct cyc_chunk *chunk_for_ring(struct cyc_uring_bufs *bufs)
{
    if (bufs->lent_count < RESERVE_COUNT && !bufs->is_large)
        return cyc_chunk_get_always(bufs->pool, false);
    return cyc_chunk_get(bufs->pool, bufs->is_large);
}

void cyc_uring_bufs_refill(struct cyc_uring_bufs *bufs)
{
    int added_count = 0;
    int mask = io_uring_buf_ring_mask(bufs->entry_count);

    while (bufs->lent_count < bufs->target_count) {
        struct cyc_chunk *chunk = chunk_for_ring(bufs);
        if (chunk == NULL)
            break; /* no room: ops that find no buffer wait in the engine */
        uint16_t id = bufs->free_ids[bufs->entry_count - 1 - bufs->lent_count];
        bufs->slots[id] = chunk;
        bufs->lent_count++;
        io_uring_buf_ring_add(bufs->entries, chunk->bytes, chunk->size_bytes, id, mask,
                              added_count++);
    }
    if (added_count > 0)
        io_uring_buf_ring_advance(bufs->entries, added_count);
}

void cyc_uring_bufs_grow(struct cyc_uring_bufs *bufs)
{
    if (bufs->target_count < bufs->entry_count)
        bufs->target_count *= 2;
}

static int nop_send(struct io_uring *ring)
{
    struct io_uring_cqe *cqe;

    io_uring_prep_nop(io_uring_get_sqe(ring));
    int r = io_uring_submit_and_wait(ring, 1);
    if (r < 0)
        return r;
    r = io_uring_peek_cqe(ring, &cqe);
    if (r < 0)
        return r;
    r = cqe->res;
    io_uring_cqe_seen(ring, cqe);
    return r;
}

/** Appends a word to a text, as far as there is room. */
static void feature_add(char *text, size_t text_bytes, bool has_it, const char *word)
{
    size_t len = strlen(text);
    if (has_it)
        snprintf(text + len, text_bytes - len, "%s%s", len > 0 ? " " : "", word);
}

static void features_describe(struct io_uring *ring, char *text, size_t text_bytes)
{
    int r;
    struct io_uring_buf_ring *bufs = io_uring_setup_buf_ring(ring, PROBE_ENTRY_COUNT, 0, 0, &r);

    text[0] = '\0';
    feature_add(text, text_bytes, ring->flags & IORING_SETUP_SINGLE_ISSUER, "single_issuer");
    feature_add(text, text_bytes, ring->flags & IORING_SETUP_DEFER_TASKRUN, "defer_taskrun");
    feature_add(text, text_bytes, ring->flags & IORING_SETUP_COOP_TASKRUN, "coop_taskrun");
    feature_add(text, text_bytes, ring->flags & IORING_SETUP_SUBMIT_ALL, "submit_all");
    feature_add(text, text_bytes, ring->enter_ring_fd != ring->ring_fd, "registered_ring");
    feature_add(text, text_bytes, ring->features & IORING_FEAT_EXT_ARG, "wait_timeout");
    feature_add(text, text_bytes, ring->features & IORING_FEAT_CQE_SKIP, "cqe_skip");
    /* Lent buffers and multishot accept came with the same kernel. */
    feature_add(text, text_bytes, bufs != NULL, "buf_ring multishot_accept");
    if (bufs != NULL)
        io_uring_free_buf_ring(ring, bufs, PROBE_ENTRY_COUNT, 0);
}

int cyc_io_uring_probe(char *ret_features, size_t features_bytes, const char **ret_step)
{
    struct io_uring ring;

    int r = cyc_uring_setup(&ring, PROBE_ENTRY_COUNT);
    if (r < 0) {
        *ret_step = "io_uring_setup";
        return r;
    }
    features_describe(&ring, ret_features, features_bytes);
    r = nop_send(&ring);
    if (r < 0)
        *ret_step = "io_uring_enter";
    io_uring_queue_exit(&ring);
    return r;
}
