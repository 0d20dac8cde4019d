/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hashes.
 *
 * Whatever a peer can choose is hashed with SipHash-1-3 and a secret key, so nobody can prepare
 * keys that collide. Numbers nobody can choose are only mixed.
 */
#ifndef CYC_BASE_HASH_H
#define CYC_BASE_HASH_H

#include "base/span.h"

#include <stdint.h>

/** Secret; from the kernel in production, from the seed in tests. */
struct cyc_hash_key {
    uint64_t k0, k1;
};

/** SipHash-1-3 of the bytes. */
uint64_t cyc_hash_span(const struct cyc_hash_key *key, struct cyc_span s);
/** The same as cyc_hash_span() of the text in lower case (ASCII letters only). */
uint64_t cyc_hash_span_nocase(const struct cyc_hash_key *key, struct cyc_span s);

/** Murmur3's finalizer: every input bit moves every output bit; one to one. Not for chosen input.
 */
static inline uint64_t cyc_hash_mix64(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdull;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ull;
    x ^= x >> 33;
    return x;
}

#endif
