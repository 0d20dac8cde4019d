/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Log-linear histogram: 128 buckets for every power of two, so a value is off by less than 0.8 %.
 *
 * Values are nanoseconds here, but any unsigned number will do. Adding is one shift and one
 * increment; nothing is allocated.
 */
#ifndef CYC_BENCH_COMPARE_HISTOGRAM_H
#define CYC_BENCH_COMPARE_HISTOGRAM_H

#include <stdint.h>

#define BENCH_HISTOGRAM_SUB_BITS 7u
#define BENCH_HISTOGRAM_SUB_COUNT (1u << BENCH_HISTOGRAM_SUB_BITS)
#define BENCH_HISTOGRAM_BUCKET_COUNT ((65u - BENCH_HISTOGRAM_SUB_BITS) * BENCH_HISTOGRAM_SUB_COUNT)

struct bench_histogram {
    uint64_t count, value_max;
    uint64_t buckets[BENCH_HISTOGRAM_BUCKET_COUNT];
};

static inline uint32_t bench_histogram_bucket(uint64_t value)
{
    if (value < BENCH_HISTOGRAM_SUB_COUNT)
        return (uint32_t)value;
    uint32_t shift = 63u - (uint32_t)__builtin_clzll(value) - BENCH_HISTOGRAM_SUB_BITS;
    return (uint32_t)(value >> shift) + (shift << BENCH_HISTOGRAM_SUB_BITS);
}

static inline void bench_histogram_add(struct bench_histogram *histogram, uint64_t value)
{
    histogram->count++;
    histogram->buckets[bench_histogram_bucket(value)]++;
    if (value > histogram->value_max)
        histogram->value_max = value;
}

/** @return the upper end of the bucket that holds the given share (0 to 1) of all values; 0 when
 *  the histogram is empty */
static inline uint64_t bench_histogram_quantile(const struct bench_histogram *histogram,
                                                double share)
{
    uint64_t rank = (uint64_t)(share * (double)histogram->count), seen = 0;
    for (uint32_t i = 0; i < BENCH_HISTOGRAM_BUCKET_COUNT; i++) {
        seen += histogram->buckets[i];
        if (seen <= rank || histogram->buckets[i] == 0)
            continue;
        uint32_t shift =
            i < 2 * BENCH_HISTOGRAM_SUB_COUNT ? 0 : (i >> BENCH_HISTOGRAM_SUB_BITS) - 1;
        uint64_t low = (uint64_t)(i - (shift << BENCH_HISTOGRAM_SUB_BITS)) << shift;
        uint64_t high = low + ((1ull << shift) - 1);
        return high < histogram->value_max ? high : histogram->value_max;
    }
    return histogram->value_max;
}

#endif
