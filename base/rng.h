/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random numbers: xoshiro256**, one generator per worker.
 *
 * Seeded from the kernel in production and from the seed in tests, so a simulated run repeats. Good
 * for choices, jitter and request ids; not for secrets: those come from cyc_rng_kernel_bytes().
 */
#ifndef CYC_BASE_RNG_H
#define CYC_BASE_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cyc_rng {
    uint64_t state[4];
};

/** Fills `out` from the kernel's generator. */
void cyc_rng_kernel_bytes(void *out, size_t len);

/** The same seed gives the same numbers, always and everywhere. Any seed is fine, 0 too. */
void cyc_rng_init(struct cyc_rng *rng, uint64_t seed);
void cyc_rng_init_from_kernel(struct cyc_rng *rng);

/** 64 random bits. */
static inline uint64_t cyc_rng_next(struct cyc_rng *rng)
{
    uint64_t *s = rng->state;
    uint64_t times5 = s[1] * 5, shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = s[3] << 45 | s[3] >> 19;
    return (times5 << 7 | times5 >> 57) * 9;
}

/** Uniform in [0, n). @param n  at least 1 */
uint64_t cyc_rng_below(struct cyc_rng *rng, uint64_t n);
/** True in `permille` of 1000 cases; 0 never, 1000 always. */
bool cyc_rng_chance_permille(struct cyc_rng *rng, uint32_t permille);

#endif
