/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include "base/assert.h"
#include "base/pipe.h"

#include <string.h>
#include <sys/uio.h>

/* How many free ones stay in each slab: about 1 MiB small, 1 MiB large per worker. */
#define SMALL_KEEP_COUNT 256
#define LARGE_KEEP_COUNT 16
#define SEG_KEEP_COUNT 1024

/* A segment up to this long is copied behind the previous one if it fits: one send of one piece is
 * cheaper than a gathering one, and the source chunk is free at once. */
#define SPLICE_COPY_BYTES_MAX 1024
/* A queue that has grown to this waits for somebody slow. From here on what fills less than a
 * quarter of its chunk is copied together: limits count bytes, and bytes must not hold many times
 * as much memory. */
#define BACKLOG_BYTES (16 * 1024)

CYC_BUILD_ASSERT(sizeof(struct cyc_chunk) <= 32);

void cyc_buf_pool_init(struct cyc_buf_pool *pool, struct cyc_mem *mem)
{
    cyc_slab_init(&pool->small, mem, CYC_MEM_BUFFERS,
                  sizeof(struct cyc_chunk) + CYC_CHUNK_SMALL_BYTES,
                  (struct cyc_slab_limits){0, SMALL_KEEP_COUNT});
    cyc_slab_init(&pool->large, mem, CYC_MEM_BUFFERS,
                  sizeof(struct cyc_chunk) + CYC_CHUNK_LARGE_BYTES,
                  (struct cyc_slab_limits){0, LARGE_KEEP_COUNT});
    cyc_slab_init(&pool->segs, mem, CYC_MEM_BUFFERS, sizeof(struct cyc_seg),
                  (struct cyc_slab_limits){0, SEG_KEEP_COUNT});
    cyc_slab_init(&pool->pipes, mem, CYC_MEM_BUFFERS, CYC_CHUNK_PIPE_BYTES,
                  (struct cyc_slab_limits){0, 0});
    pool->pipe_free = NULL;
    pool->pipe_count = pool->pipe_free_count = 0;
}

void cyc_buf_pool_fini(struct cyc_buf_pool *pool)
{
    cyc_pipe_pool_fini(pool);
    cyc_slab_fini(&pool->pipes);
    cyc_slab_fini(&pool->small);
    cyc_slab_fini(&pool->large);
    cyc_slab_fini(&pool->segs);
}

static struct cyc_chunk *chunk_init(struct cyc_chunk *chunk, struct cyc_buf_pool *pool,
                                    bool is_large)
{
    if (chunk == NULL)
        return NULL;
    chunk->pool = pool;
    chunk->ref_count = 1;
    chunk->size_bytes = is_large ? CYC_CHUNK_LARGE_BYTES : CYC_CHUNK_SMALL_BYTES;
    chunk->used_bytes = 0;
    chunk->is_pipe = false;
    return chunk;
}

struct cyc_chunk *cyc_chunk_get(struct cyc_buf_pool *pool, bool is_large)
{
    return chunk_init(cyc_slab_get(is_large ? &pool->large : &pool->small), pool, is_large);
}

struct cyc_chunk *cyc_chunk_get_always(struct cyc_buf_pool *pool, bool is_large)
{
    return chunk_init(cyc_slab_get_always(is_large ? &pool->large : &pool->small), pool, is_large);
}

void cyc_chunk_free(struct cyc_chunk *chunk)
{
    if (chunk->is_pipe) {
        cyc_pipe_put(chunk);
        return;
    }
    bool is_large = chunk->size_bytes == CYC_CHUNK_LARGE_BYTES;
    cyc_slab_put(is_large ? &chunk->pool->large : &chunk->pool->small, chunk);
}

static void seg_free(struct cyc_buf *buf, struct cyc_seg *seg)
{
    cyc_chunk_unref(seg->chunk);
    cyc_slab_put(&buf->pool->segs, seg);
}

static void seg_append(struct cyc_buf *buf, struct cyc_seg *seg)
{
    seg->next = NULL;
    if (buf->tail != NULL)
        buf->tail->next = seg;
    else
        buf->head = seg;
    buf->tail = seg;
}

/**
 * A reservation nobody committed to leaves an empty segment at the end. It is used again, so that
 * none is ever in the middle: the front of a queue with bytes has bytes.
 * @return a segment at the end, without a chunk
 */
static struct cyc_seg *seg_add(struct cyc_buf *buf)
{
    struct cyc_seg *seg = buf->tail;

    if (seg != NULL && seg->len == 0) {
        cyc_chunk_unref(seg->chunk);
        return seg;
    }
    seg = cyc_slab_get_always(&buf->pool->segs);
    seg_append(buf, seg);
    return seg;
}

void cyc_buf_clear(struct cyc_buf *buf)
{
    while (buf->head != NULL) {
        struct cyc_seg *seg = buf->head;
        buf->head = seg->next;
        seg_free(buf, seg);
    }
    buf->tail = NULL;
    buf->bytes = 0;
}

void cyc_buf_append_chunk(struct cyc_buf *buf, struct cyc_chunk *chunk, char *ptr, size_t len)
{
    cyc_debug_assert(ptr >= chunk->bytes && ptr + len <= chunk->bytes + chunk->used_bytes);

    if (len == 0)
        return;
    buf->bytes += len;
    struct cyc_seg *tail = buf->tail;
    if (tail != NULL && tail->chunk == chunk && tail->ptr + tail->len == ptr) {
        tail->len += len;
        return;
    }
    cyc_chunk_ref(chunk);
    struct cyc_seg *seg = seg_add(buf);
    seg->chunk = chunk;
    seg->ptr = ptr;
    seg->len = len;
}

/** How much may be written right behind the last segment. */
static size_t tail_room(const struct cyc_buf *buf)
{
    const struct cyc_seg *tail = buf->tail;
    if (tail == NULL || tail->ptr + tail->len != tail->chunk->bytes + tail->chunk->used_bytes)
        return 0;
    return tail->chunk->size_bytes - tail->chunk->used_bytes;
}

char *cyc_buf_reserve(struct cyc_buf *buf, size_t len)
{
    cyc_assert(len <= CYC_CHUNK_SMALL_BYTES);

    if (tail_room(buf) < len || buf->tail == NULL) {
        struct cyc_seg *seg = seg_add(buf);
        seg->chunk = cyc_chunk_get_always(buf->pool, false);
        seg->ptr = seg->chunk->bytes;
        seg->len = 0;
    }
    return buf->tail->ptr + buf->tail->len;
}

void cyc_buf_commit(struct cyc_buf *buf, size_t len)
{
    struct cyc_seg *tail = buf->tail;
    cyc_assert(len <= tail_room(buf));

    tail->len += len;
    tail->chunk->used_bytes += (uint32_t)len;
    buf->bytes += len;
}

void cyc_buf_append(struct cyc_buf *buf, struct cyc_span bytes)
{
    while (bytes.len > 0) {
        size_t room = tail_room(buf);
        if (room == 0) {
            cyc_buf_reserve(buf, 1);
            room = tail_room(buf);
        }
        size_t len = bytes.len < room ? bytes.len : room;
        memcpy(buf->tail->ptr + buf->tail->len, bytes.ptr, len);
        cyc_buf_commit(buf, len);
        bytes.ptr += len;
        bytes.len -= len;
    }
}

/** Holds several times the memory that its bytes need. */
static bool is_sparse(const struct cyc_seg *seg)
{
    return seg->len < seg->chunk->size_bytes / 4;
}

void cyc_buf_share(struct cyc_buf *buf, const struct cyc_buf *from)
{
    for (const struct cyc_seg *seg = from->head; seg != NULL; seg = seg->next) {
        cyc_assert(!seg->chunk->is_pipe); /* what lies in the kernel cannot be had twice */
        if (is_sparse(seg))
            cyc_buf_append(buf, cyc_span_of(seg->ptr, seg->len));
        else
            cyc_buf_append_chunk(buf, seg->chunk, seg->ptr, seg->len);
    }
}

/** Takes the first segment out of the queue. */
static struct cyc_seg *seg_detach(struct cyc_buf *from)
{
    struct cyc_seg *seg = from->head;

    from->head = seg->next;
    if (from->head == NULL)
        from->tail = NULL;
    from->bytes -= seg->len;
    return seg;
}

/** Copies what is better copied than queued. @return false when it is not */
static bool seg_copy(struct cyc_buf *buf, const struct cyc_seg *seg)
{
    struct cyc_seg *tail = buf->tail;

    if (seg->chunk->is_pipe)
        return false;
    if (CYC_UNLIKELY(buf->bytes >= BACKLOG_BYTES) && is_sparse(seg)) {
        cyc_buf_append(buf, cyc_span_of(seg->ptr, seg->len));
        return true;
    }
    if (seg->len > SPLICE_COPY_BYTES_MAX || seg->len > tail_room(buf))
        return false;
    if (seg->len > 0) {
        memcpy(tail->ptr + tail->len, seg->ptr, seg->len);
        cyc_buf_commit(buf, seg->len);
    }
    return true;
}

/** Moves the first segment of `from` behind `buf`, copying it when that is cheaper. */
static void seg_move(struct cyc_buf *buf, struct cyc_buf *from)
{
    struct cyc_seg *seg = seg_detach(from), *tail = buf->tail;

    if (tail != NULL && tail->len > 0 && tail->chunk == seg->chunk &&
        tail->ptr + tail->len == seg->ptr) { /* what a partial move or a parser has cut */
        tail->len += seg->len;
        buf->bytes += seg->len;
        seg_free(from, seg);
        return;
    }
    if (seg_copy(buf, seg)) {
        seg_free(from, seg);
        return;
    }
    buf->bytes += seg->len;
    if (tail == NULL || tail->len > 0) {
        seg_append(buf, seg);
        return;
    }
    cyc_chunk_unref(tail->chunk); /* the empty one: see seg_add */
    tail->chunk = seg->chunk;
    tail->ptr = seg->ptr;
    tail->len = seg->len;
    cyc_slab_put(&from->pool->segs, seg);
}

void cyc_buf_splice(struct cyc_buf *buf, struct cyc_buf *from)
{
    cyc_debug_assert(buf->pool == from->pool);
    while (from->head != NULL)
        seg_move(buf, from);
}

void cyc_buf_move(struct cyc_buf *buf, struct cyc_buf *from, size_t len)
{
    cyc_debug_assert(buf->pool == from->pool);
    while (from->head != NULL && from->head->len <= len) {
        len -= from->head->len;
        seg_move(buf, from);
    }
    if (from->head == NULL || from->bytes == 0 || len == 0)
        return;
    cyc_buf_append_chunk(buf, from->head->chunk, from->head->ptr, len);
    cyc_buf_drop(from, len);
}

void cyc_buf_drop(struct cyc_buf *buf, size_t len)
{
    cyc_assert(len <= buf->bytes);

    buf->bytes -= len;
    while (len > 0) {
        struct cyc_seg *seg = buf->head;
        if (len < seg->len) {
            seg->ptr += len;
            seg->len -= len;
            return;
        }
        len -= seg->len;
        buf->head = seg->next;
        if (buf->head == NULL)
            buf->tail = NULL;
        seg_free(buf, seg);
    }
}

uint32_t cyc_buf_iovecs(const struct cyc_buf *buf, struct iovec *iovs, uint32_t iov_count_max)
{
    uint32_t count = 0;

    for (struct cyc_seg *seg = buf->head;
         seg != NULL && !seg->chunk->is_pipe && count < iov_count_max; seg = seg->next)
        if (seg->len > 0)
            iovs[count++] = (struct iovec){seg->ptr, seg->len};
    return count;
}

size_t cyc_buf_peek(const struct cyc_buf *buf, char *out, size_t len)
{
    size_t done = 0;

    for (struct cyc_seg *seg = buf->head; seg != NULL && done < len; seg = seg->next) {
        size_t part = seg->len < len - done ? seg->len : len - done;
        cyc_assert(!seg->chunk->is_pipe);
        memcpy(out + done, seg->ptr, part);
        done += part;
    }
    return done;
}
