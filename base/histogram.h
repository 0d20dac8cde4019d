/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Latency histograms in a run of statistics slots.
 *
 * Buckets are log-linear: every power of two between 1.024 µs (2^10 ns) and 137 s (2^37 ns) is cut
 * into eight equal parts, with one bucket below and one above. Recording is a clz, a shift and two
 * additions; merging workers is adding slots.
 *
 * Error: where inside its bucket an observation lay is forgotten, so a quantile is off by at most
 * one bucket width, 12.5 % of the value (half of that is typical: the estimate interpolates), and
 * so is the position of a Prometheus `le` bound that falls into a bucket.
 *
 *   slot:   base     base+1      base+2 ... base+217       base+218
 *           sum      < 2^10 ns   eight per power of two     >= 2^37 ns
 *
 * There is no slot for the count: it is the sum of the buckets, and so can never disagree with
 * them.
 */
#ifndef CYC_BASE_HISTOGRAM_H
#define CYC_BASE_HISTOGRAM_H

#include <stdint.h>

#define CYC_HISTOGRAM_LOW_BITS 10  /* the first power of two */
#define CYC_HISTOGRAM_HIGH_BITS 37 /* the last one, not included */
#define CYC_HISTOGRAM_PART_BITS 3  /* eight parts */
#define CYC_HISTOGRAM_BUCKET_COUNT                                                                 \
    (2 + ((CYC_HISTOGRAM_HIGH_BITS - CYC_HISTOGRAM_LOW_BITS) << CYC_HISTOGRAM_PART_BITS))
/** The sum and the buckets. */
#define CYC_HISTOGRAM_SLOT_COUNT (1 + CYC_HISTOGRAM_BUCKET_COUNT)
/** Sums are kept in 256 ns: nanoseconds would overflow within weeks of long polls. */
#define CYC_HISTOGRAM_SUM_SHIFT 8

/** Merged from all workers, or the difference of two such. */
struct cyc_histogram {
    uint64_t sum; /* in 256 ns */
    uint64_t buckets[CYC_HISTOGRAM_BUCKET_COUNT];
};

/** @return the bucket that counts `ns` */
static inline uint32_t cyc_histogram_bucket(uint64_t ns)
{
    if (ns >> CYC_HISTOGRAM_LOW_BITS == 0)
        return 0;
    if (ns >> CYC_HISTOGRAM_HIGH_BITS != 0)
        return CYC_HISTOGRAM_BUCKET_COUNT - 1;
    uint32_t octave = 63 - (uint32_t)__builtin_clzll(ns);
    uint32_t with_part = (uint32_t)(ns >> (octave - CYC_HISTOGRAM_PART_BITS)); /* 8 .. 15 */
    return 1 + ((octave - CYC_HISTOGRAM_LOW_BITS - 1) << CYC_HISTOGRAM_PART_BITS) + with_part;
}

/** @return the smallest time the bucket counts; for BUCKET_COUNT: where the last one ends */
uint64_t cyc_histogram_edge_ns(uint32_t bucket);

uint64_t cyc_histogram_count(const struct cyc_histogram *h);
double cyc_histogram_sum_s(const struct cyc_histogram *h);
/** Observations of at most `bound_ns`, the bucket it falls into taken as evenly filled. */
uint64_t cyc_histogram_count_up_to(const struct cyc_histogram *h, uint64_t bound_ns);
/** @param permille  500: the median @return 0 when nothing was observed */
uint64_t cyc_histogram_quantile_ns(const struct cyc_histogram *h, uint32_t permille);
/** What came to `h` since it was `earlier`. */
void cyc_histogram_subtract(struct cyc_histogram *h, const struct cyc_histogram *earlier);

#endif
