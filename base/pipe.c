/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pipe.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Of one worker; two descriptors each. */
#define PIPE_COUNT_MAX 128
/* Empty ones that stay. */
#define PIPE_KEEP_COUNT 32
/* What a pipe holds: slots for pages, and a page of a socket may be a larger piece. */
#define PIPE_CAPACITY_BYTES (256 * 1024)

CYC_BUILD_ASSERT(offsetof(struct cyc_chunk, bytes) % sizeof(void *) == 0);
CYC_BUILD_ASSERT(sizeof(struct cyc_chunk) + sizeof(struct cyc_pipe) <= CYC_CHUNK_PIPE_BYTES);

static struct cyc_chunk *pipe_open(struct cyc_buf_pool *pool)
{
    int fds[2];

    if (pool->pipe_count >= PIPE_COUNT_MAX || pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return NULL;
    struct cyc_chunk *chunk = cyc_slab_get(&pool->pipes);
    if (chunk == NULL) {
        close(fds[0]);
        close(fds[1]);
        return NULL;
    }
    fcntl(fds[1], F_SETPIPE_SZ, PIPE_CAPACITY_BYTES); /* a smaller one works, too */
    *cyc_chunk_pipe(chunk) = (struct cyc_pipe){.read_fd = fds[0], .write_fd = fds[1]};
    pool->pipe_count++;
    return chunk;
}

static void pipe_close(struct cyc_chunk *chunk)
{
    struct cyc_buf_pool *pool = chunk->pool;
    struct cyc_pipe *pipe = cyc_chunk_pipe(chunk);

    close(pipe->read_fd);
    close(pipe->write_fd);
    pool->pipe_count--;
    cyc_slab_put(&pool->pipes, chunk);
}

struct cyc_chunk *cyc_pipe_get(struct cyc_buf_pool *pool)
{
    struct cyc_chunk *chunk = pool->pipe_free;

    if (chunk != NULL) {
        pool->pipe_free = cyc_chunk_pipe(chunk)->next_free;
        pool->pipe_free_count--;
    } else {
        chunk = pipe_open(pool);
        if (chunk == NULL)
            return NULL;
    }
    chunk->pool = pool;
    chunk->ref_count = 1;
    chunk->size_bytes = chunk->used_bytes = 0;
    chunk->is_pipe = true;
    return chunk;
}

void cyc_pipe_put(struct cyc_chunk *chunk)
{
    struct cyc_buf_pool *pool = chunk->pool;

    if (cyc_chunk_pipe(chunk)->left_bytes > 0 || pool->pipe_free_count == PIPE_KEEP_COUNT) {
        pipe_close(chunk);
        return;
    }
    cyc_chunk_pipe(chunk)->next_free = pool->pipe_free;
    pool->pipe_free = chunk;
    pool->pipe_free_count++;
}

void cyc_pipe_pool_fini(struct cyc_buf_pool *pool)
{
    while (pool->pipe_free != NULL) {
        struct cyc_chunk *chunk = pool->pipe_free;
        pool->pipe_free = cyc_chunk_pipe(chunk)->next_free;
        pool->pipe_free_count--;
        pipe_close(chunk);
    }
    cyc_assert(pool->pipe_count == 0);
}

int cyc_pipe_fill(struct cyc_chunk *chunk, int fd, size_t len)
{
    struct cyc_pipe *pipe = cyc_chunk_pipe(chunk);
    ssize_t n;

    cyc_debug_assert(chunk->is_pipe && pipe->left_bytes == 0);
    if (len > CYC_PIPE_FILL_BYTES_MAX)
        len = CYC_PIPE_FILL_BYTES_MAX;
    do
        n = splice(fd, NULL, pipe->write_fd, NULL, len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    chunk->size_bytes = chunk->used_bytes = pipe->left_bytes = (uint32_t)n;
    return (int)n;
}

int cyc_pipe_drain(const struct cyc_buf *buf, int fd)
{
    const struct cyc_seg *seg = buf->head;
    struct cyc_chunk *chunk = seg->chunk;
    struct cyc_pipe *pipe = cyc_chunk_pipe(chunk);
    unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
    ssize_t n;

    cyc_debug_assert(chunk->is_pipe);
    /* Something before it was dropped: what would come out of the pipe is not what is meant. */
    if ((size_t)(seg->ptr - chunk->bytes) != chunk->used_bytes - pipe->left_bytes)
        return -EPIPE;
    if (buf->bytes > seg->len)
        flags |= SPLICE_F_MORE;
    do
        n = splice(pipe->read_fd, NULL, fd, NULL, seg->len, flags);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    if (n == 0)
        return -EPIPE; /* not possible: the pipe has bytes */
    pipe->left_bytes -= (uint32_t)n;
    return (int)n;
}
