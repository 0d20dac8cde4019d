/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies everybody can check: the byte at an offset follows from a key, and no two bodies of a run
 * have the same key. So a byte that is lost, repeated, or somebody else's is noticed at once.
 */
#ifndef CYC_TESTS_SIM_SIM_BODY_H
#define CYC_TESTS_SIM_SIM_BODY_H

#include "tests/sim/sim_run.h"

enum sim_framing {
    SIM_FRAMING_NONE, /* there is no body */
    SIM_FRAMING_LENGTH,
    SIM_FRAMING_CHUNKED,
    SIM_FRAMING_UNTIL_CLOSE,
};

static inline char cyc_sim_body_byte(uint32_t key, uint64_t at)
{
    uint32_t x = key * 0x9e3779b1u ^ (uint32_t)at * 0x85ebca6bu;
    return (char)((x ^ x >> 15) * 0xc2b2ae35u >> 24);
}

/** @return whether `bytes` are those of the body with that key from `at` on */
bool cyc_sim_body_is(uint32_t key, uint64_t at, const char *bytes, size_t len);

/** Writes one body, a piece at a time. */
struct sim_writer {
    enum sim_framing framing;
    uint32_t key;
    uint64_t total_bytes, at_bytes;
    uint64_t stop_bytes; /* ends here, without an end; UINT64_MAX: does not */
    bool has_trailers;   /* chunked: X-Sim-Trailer: <key> */
    bool has_extensions; /* chunked */
    bool has_bad_chunk;  /* chunked: instead of the last chunk comes nonsense */
    bool is_done;
    uint32_t chunk_count; /* with extensions */
};

/** Appends up to about `bytes_max` more, cut into chunks by chance where that matters. */
void cyc_sim_writer_write(struct sim_writer *writer, struct sim_run *run, struct cyc_buf *out,
                          size_t bytes_max);

#endif
