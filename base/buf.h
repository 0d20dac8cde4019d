/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Byte queues without copies.
 *
 * Bytes live in chunks, which are counted and shared within one worker. A `struct cyc_buf` is a
 * queue of segments, each a stretch of some chunk. Bytes that arrive in a chunk can be parsed
 * there, queued for the other side there and sent from there; moving them between queues moves
 * segments.
 *
 * A chunk also has a fill mark (`used_bytes`): whoever holds a segment that ends at the mark may
 * append behind it, nobody else may write.
 *
 *   chunk:  |....head....|...body part...|......free......|
 *                        ^ segment       ^ used_bytes
 *
 * Everything here belongs to one worker's pool and is not thread-safe.
 */
#ifndef CYC_BASE_BUF_H
#define CYC_BASE_BUF_H

#include "base/slab.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct iovec;

/** A small chunk with its header is one page: heads and short bodies. */
#define CYC_CHUNK_SMALL_BYTES (4096 - 32)
/** A large one is for bulk: fewer calls per megabyte (measured in bench/). */
#define CYC_CHUNK_LARGE_BYTES (65536 - 32)
/** A chunk whose bytes are in the kernel, with its header: see base/pipe.h. */
#define CYC_CHUNK_PIPE_BYTES 64
/** What one such takes at most. */
#define CYC_PIPE_FILL_BYTES_MAX (256 * 1024)

struct cyc_buf_pool {
    struct cyc_slab small, large, segs, pipes;
    struct cyc_chunk *pipe_free; /* empty pipes; see base/pipe.h */
    uint32_t pipe_count, pipe_free_count;
};

struct cyc_chunk {
    struct cyc_buf_pool *pool;
    uint32_t ref_count;
    uint32_t size_bytes; /* of `bytes` */
    uint32_t used_bytes; /* the fill mark */
    bool is_pipe;        /* `bytes` is not where they are: base/pipe.h */
    uint8_t spare_[3];   /* `bytes` begin at a multiple of 8 */
    char bytes[];
};

struct cyc_seg {
    struct cyc_seg *next;
    struct cyc_chunk *chunk;
    char *ptr;
    size_t len;
};

/** Zero it but for `pool`, or use cyc_buf_init. */
struct cyc_buf {
    struct cyc_seg *head, *tail;
    size_t bytes; /* sum of the segments */
    struct cyc_buf_pool *pool;
};

void cyc_buf_pool_init(struct cyc_buf_pool *pool, struct cyc_mem *mem);
/** Every chunk and segment must have come back. */
void cyc_buf_pool_fini(struct cyc_buf_pool *pool);

/** With one reference, the caller's. @return NULL when the memory limit has no room */
struct cyc_chunk *cyc_chunk_get(struct cyc_buf_pool *pool, bool is_large);
/** Never NULL: for what an admitted request needs to go on. */
struct cyc_chunk *cyc_chunk_get_always(struct cyc_buf_pool *pool, bool is_large);
void cyc_chunk_free(struct cyc_chunk *chunk);

static inline void cyc_chunk_ref(struct cyc_chunk *chunk)
{
    chunk->ref_count++;
}

static inline void cyc_chunk_unref(struct cyc_chunk *chunk)
{
    if (--chunk->ref_count == 0)
        cyc_chunk_free(chunk);
}

static inline void cyc_buf_init(struct cyc_buf *buf, struct cyc_buf_pool *pool)
{
    *buf = (struct cyc_buf){.pool = pool};
}

/** Drops all bytes. */
void cyc_buf_clear(struct cyc_buf *buf);
/** Appends [ptr, ptr+len) of `chunk`, taking one reference of its own. len 0 is a no-op. */
void cyc_buf_append_chunk(struct cyc_buf *buf, struct cyc_chunk *chunk, char *ptr, size_t len);
/** Appends a copy. */
void cyc_buf_append(struct cyc_buf *buf, struct cyc_span bytes);
/** Appends the bytes of `from`, which keeps them: by reference, or as a copy where a reference
 * would hold much more memory than bytes. */
void cyc_buf_share(struct cyc_buf *buf, const struct cyc_buf *from);
/** Moves everything from `from` to the end of `buf`; small tails are copied, to keep sends short.
 */
void cyc_buf_splice(struct cyc_buf *buf, struct cyc_buf *from);
/** Moves the first `len` bytes (at most all) of `from` to the end of `buf`. */
void cyc_buf_move(struct cyc_buf *buf, struct cyc_buf *from, size_t len);
/** Forgets the first `len` bytes; there must be as many. */
void cyc_buf_drop(struct cyc_buf *buf, size_t len);

/**
 * Writing space behind the last byte, contiguous.
 * @param len  bytes wanted, at most CYC_CHUNK_SMALL_BYTES
 * @return where to write; nothing is in the queue before cyc_buf_commit
 */
char *cyc_buf_reserve(struct cyc_buf *buf, size_t len);
/** @param len  bytes really written since the reserve */
void cyc_buf_commit(struct cyc_buf *buf, size_t len);

/** The first stretch; empty when the queue is. */
static inline struct cyc_span cyc_buf_front(const struct cyc_buf *buf)
{
    return buf->head != NULL ? cyc_span_of(buf->head->ptr, buf->head->len)
                             : (struct cyc_span){NULL, 0};
}

/** Describes the first bytes as at most `iov_count_max` pieces, up to the first that lives in a
 * pipe. @return pieces written */
uint32_t cyc_buf_iovecs(const struct cyc_buf *buf, struct iovec *iovs, uint32_t iov_count_max);
/** Copies the first `len` bytes out (at most all), leaving the queue as it is. @return bytes copied
 */
size_t cyc_buf_peek(const struct cyc_buf *buf, char *out, size_t len);

#endif
