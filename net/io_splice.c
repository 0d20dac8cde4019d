/* SPDX-License-Identifier: Apache-2.0 */
/* Receives and sends that leave the bytes in the kernel, for the engines that live on one. */
#include "net/io.h"

#include "base/assert.h"
#include "base/pipe.h"

#include <errno.h>

bool cyc_io_wants_splice(const struct cyc_io *io, const struct cyc_op *op)
{
    if (op->kind == CYC_OP_SEND)
        return cyc_buf_is_pipe_next(op->buf);
    return op->kind == CYC_OP_RECV && op->opaque_bytes >= io->splice_bytes_min &&
           !op->is_unspliceable;
}

static int splice_recv(struct cyc_io *io, struct cyc_op *op)
{
    struct cyc_chunk *chunk = cyc_pipe_get(io->pool);

    if (chunk == NULL)
        return -EOPNOTSUPP;
    int result = cyc_pipe_fill(chunk, op->fd, op->opaque_bytes);
    if (result > 0) {
        op->chunk = chunk;
        op->is_dry = true; /* mostly; trying in vain costs more than asking first */
        return result;
    }
    cyc_chunk_unref(chunk);
    if (result != -EINVAL)
        return result;
    op->is_unspliceable = true;
    return -EOPNOTSUPP;
}

int cyc_io_splice(struct cyc_io *io, struct cyc_op *op)
{
    cyc_debug_assert(cyc_io_wants_splice(io, op));

    if (op->kind == CYC_OP_RECV)
        return splice_recv(io, op);
    int result = cyc_pipe_drain(op->buf, op->fd);
    io->zero_copy_count += result > 0;
    return result;
}
