/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/sim_body.h"

#include <stdio.h>

#define PIECE_BYTES 4000
/* The gateway takes no more than 16 KiB of them in one body. */
#define EXTENSION_COUNT_MAX 500

bool cyc_sim_body_is(uint32_t key, uint64_t at, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != cyc_sim_body_byte(key, at + i))
            return false;
    return true;
}

static void text_write(struct cyc_buf *out, const char *text)
{
    cyc_buf_append(out, cyc_span_from_text(text));
}

static void pattern_write(struct sim_writer *writer, struct cyc_buf *out, size_t len)
{
    while (len > 0) {
        size_t part = len < PIECE_BYTES ? len : PIECE_BYTES;
        char *at = cyc_buf_reserve(out, part);
        for (size_t i = 0; i < part; i++)
            at[i] = cyc_sim_body_byte(writer->key, writer->at_bytes + i);
        cyc_buf_commit(out, part);
        writer->at_bytes += part;
        len -= part;
    }
}

static void chunk_write(struct sim_writer *writer, struct sim_run *run, struct cyc_buf *out,
                        size_t len)
{
    static const char *const sizes[] = {"%zx", "%zX", "00%zx"};
    char line[64];

    snprintf(line, sizeof(line), sizes[cyc_sim_below(run, 3)], len);
    text_write(out, line);
    bool has_extension = writer->has_extensions && writer->chunk_count++ < EXTENSION_COUNT_MAX;
    text_write(out, has_extension ? ";name=\"a;b\";x\r\n" : "\r\n");
    pattern_write(writer, out, len);
    text_write(out, "\r\n");
}

static void end_write(struct sim_writer *writer, struct cyc_buf *out)
{
    char line[64];

    writer->is_done = true;
    if (writer->framing != SIM_FRAMING_CHUNKED)
        return;
    if (writer->has_bad_chunk) {
        text_write(out, "-1\r\n\r\n");
        return;
    }
    text_write(out, "0\r\n");
    if (writer->has_trailers) {
        snprintf(line, sizeof(line), "X-Sim-Trailer: %u\r\n", writer->key);
        text_write(out, line);
    }
    text_write(out, "\r\n");
}

void cyc_sim_writer_write(struct sim_writer *writer, struct sim_run *run, struct cyc_buf *out,
                          size_t bytes_max)
{
    uint64_t stop =
        writer->stop_bytes < writer->total_bytes ? writer->stop_bytes : writer->total_bytes;
    while (bytes_max > 0 && writer->at_bytes < stop) {
        uint64_t left = stop - writer->at_bytes;
        size_t len = left < bytes_max ? (size_t)left : bytes_max;
        if (writer->framing == SIM_FRAMING_CHUNKED) {
            len = 1 + cyc_sim_below(run, len);
            chunk_write(writer, run, out, len);
        } else {
            pattern_write(writer, out, len);
        }
        bytes_max -= len;
    }
    if (writer->at_bytes < stop)
        return;
    if (writer->stop_bytes == UINT64_MAX)
        end_write(writer, out);
    else
        writer->is_done = true;
}
