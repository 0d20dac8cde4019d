/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xoshiro256** by Blackman and Vigna, its state spread from 64 bits by splitmix64 as they advise
 * (so it is never all zero); bounded numbers by Lemire's multiplication with rejection: no division
 * on the common path and no bias.
 */
#include "base/rng.h"

#include "base/assert.h"

#include <errno.h>
#include <sys/random.h>

void cyc_rng_kernel_bytes(void *out, size_t len)
{
    char *at = out;

    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        cyc_assert(got > 0); /* in every kernel since 3.17, and no sandbox of ours takes it away */
        at += got;
        len -= (size_t)got;
    }
}

static uint64_t splitmix_next(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15ull;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

void cyc_rng_init(struct cyc_rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        rng->state[i] = splitmix_next(&seed);
}

void cyc_rng_init_from_kernel(struct cyc_rng *rng)
{
    uint64_t seed;

    cyc_rng_kernel_bytes(rng->state, sizeof(rng->state));
    cyc_rng_kernel_bytes(&seed, sizeof(seed));
    for (int i = 0; i < 4; i++)
        rng->state[i] ^= splitmix_next(&seed);
}

static uint32_t below_u32(struct cyc_rng *rng, uint32_t n)
{
    uint64_t product = (cyc_rng_next(rng) >> 32) * n;

    if ((uint32_t)product < n) {
        uint32_t biased_count = -n % n; /* low halves that occur once too often */
        while ((uint32_t)product < biased_count)
            product = (cyc_rng_next(rng) >> 32) * n;
    }
    return (uint32_t)(product >> 32);
}

uint64_t cyc_rng_below(struct cyc_rng *rng, uint64_t n)
{
    cyc_assert(n > 0);

    if (n <= UINT32_MAX)
        return below_u32(rng, (uint32_t)n);
    uint64_t mask = UINT64_MAX >> __builtin_clzll(n), value;
    do
        value = cyc_rng_next(rng) & mask;
    while (value >= n);
    return value;
}

bool cyc_rng_chance_permille(struct cyc_rng *rng, uint32_t permille)
{
    return below_u32(rng, 1000) < permille;
}
