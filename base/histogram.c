/* SPDX-License-Identifier: Apache-2.0 */
#include "base/histogram.h"

#include "base/assert.h"
#include "base/clock.h"

#define PART_MASK ((1u << CYC_HISTOGRAM_PART_BITS) - 1)

CYC_BUILD_ASSERT(CYC_HISTOGRAM_BUCKET_COUNT == 218);

uint64_t cyc_histogram_edge_ns(uint32_t bucket)
{
    cyc_assert(bucket <= CYC_HISTOGRAM_BUCKET_COUNT);

    if (bucket == 0)
        return 0;
    if (bucket == CYC_HISTOGRAM_BUCKET_COUNT) /* nothing above is told apart: one octave more */
        return 1ull << (CYC_HISTOGRAM_HIGH_BITS + 1);
    uint32_t octave = CYC_HISTOGRAM_LOW_BITS + ((bucket - 1) >> CYC_HISTOGRAM_PART_BITS);
    uint64_t part = (bucket - 1) & PART_MASK;
    return (PART_MASK + 1 + part) << (octave - CYC_HISTOGRAM_PART_BITS);
}

uint64_t cyc_histogram_count(const struct cyc_histogram *h)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < CYC_HISTOGRAM_BUCKET_COUNT; i++)
        count += h->buckets[i];
    return count;
}

double cyc_histogram_sum_s(const struct cyc_histogram *h)
{
    return (double)h->sum * (1u << CYC_HISTOGRAM_SUM_SHIFT) / (double)CYC_NS_PER_S;
}

uint64_t cyc_histogram_count_up_to(const struct cyc_histogram *h, uint64_t bound_ns)
{
    uint32_t last = cyc_histogram_bucket(bound_ns);
    uint64_t count = 0;

    for (uint32_t i = 0; i < last; i++)
        count += h->buckets[i];
    uint64_t from_ns = cyc_histogram_edge_ns(last), to_ns = cyc_histogram_edge_ns(last + 1);
    if (bound_ns >= to_ns)
        return count + h->buckets[last];
    double share = (double)(bound_ns - from_ns) / (double)(to_ns - from_ns);
    return count + (uint64_t)((double)h->buckets[last] * share);
}

uint64_t cyc_histogram_quantile_ns(const struct cyc_histogram *h, uint32_t permille)
{
    cyc_assert(permille <= 1000);

    double wanted = (double)cyc_histogram_count(h) * permille / 1000;
    double before = 0;
    uint64_t answer_ns = 0;
    for (uint32_t i = 0; i < CYC_HISTOGRAM_BUCKET_COUNT; i++) {
        double here = (double)h->buckets[i];
        if (here <= 0)
            continue;
        uint64_t from_ns = cyc_histogram_edge_ns(i), to_ns = cyc_histogram_edge_ns(i + 1);
        if (before + here >= wanted) {
            double share = (wanted - before) / here;
            return from_ns + (uint64_t)((double)(to_ns - from_ns) * share);
        }
        before += here;
        answer_ns = to_ns;
    }
    return answer_ns;
}

void cyc_histogram_subtract(struct cyc_histogram *h, const struct cyc_histogram *earlier)
{
    h->sum -= earlier->sum;
    for (uint32_t i = 0; i < CYC_HISTOGRAM_BUCKET_COUNT; i++)
        h->buckets[i] -= earlier->buckets[i];
}
