/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that live in the kernel.
 *
 * A pipe chunk stands in a queue like any other chunk, but its bytes are in a pipe: they came there
 * from a socket without being copied, and leave the same way. Its segments have pointers so that
 * lengths and neighbours can be reckoned with; nobody may look behind one.
 *
 * What is in a pipe leaves in the order it came, all of it or none: a pipe whose bytes were not all
 * taken when the last reference goes is closed, an empty one is used again.
 */
#ifndef CYC_BASE_PIPE_H
#define CYC_BASE_PIPE_H

#include "base/buf.h"

/** What lies where other chunks have their bytes. */
struct cyc_pipe {
    int read_fd, write_fd;
    uint32_t left_bytes; /* in the pipe */
    struct cyc_chunk *next_free;
};

static inline struct cyc_pipe *cyc_chunk_pipe(struct cyc_chunk *chunk)
{
    return (struct cyc_pipe *)(void *)chunk->bytes;
}

/** A chunk with an empty pipe and one reference, the caller's. @return NULL when there is none to
 * be had (descriptors, memory, the pool's limit): do without */
struct cyc_chunk *cyc_pipe_get(struct cyc_buf_pool *pool);
/** For cyc_chunk_free. */
void cyc_pipe_put(struct cyc_chunk *chunk);
/** For cyc_buf_pool_fini: closes the free ones. */
void cyc_pipe_pool_fini(struct cyc_buf_pool *pool);

/** Moves what has arrived at socket `fd` into the chunk, which is empty. Never waits.
 * @param len  at most so many bytes
 * @return bytes moved, 0 at the end of the stream, or a negative errno */
int cyc_pipe_fill(struct cyc_chunk *chunk, int fd, size_t len);
/** Moves bytes from the front of `buf`, which is a pipe's, to socket `fd`. Never waits; the caller
 * drops what was moved. @return bytes moved, or a negative errno */
int cyc_pipe_drain(const struct cyc_buf *buf, int fd);

static inline bool cyc_buf_is_pipe_next(const struct cyc_buf *buf)
{
    return buf->head != NULL && buf->head->chunk->is_pipe;
}

#endif
