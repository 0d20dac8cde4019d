/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the registry and the scrape share; nobody else includes this.
 *
 * Families hang in the order they were added, series of a family likewise, so the text of two
 * scrapes can be compared line by line.
 */
#ifndef CYC_BASE_STATS_SERIES_H
#define CYC_BASE_STATS_SERIES_H

#include "base/arena.h"
#include "base/map.h"
#include "base/stats.h"

/** The younger snapshot is taken when this old, so quantiles cover one to two spans. */
#define CYC_STATS_QUANTILE_SPAN_NS (5 * 60 * 1000000000ull)

/** For quantiles over the recent past: how the histogram stood at two earlier scrapes. */
struct cyc_stats_window {
    struct cyc_histogram older, younger;
    uint64_t younger_at_ns;
};

struct cyc_stats_series {
    struct cyc_stats_series *next; /* of the same family */
    struct cyc_span key;           /* in the registry's map */
    struct cyc_span labels;        /* `a="b",c="d"`, escaped; empty without labels */
    uint32_t slot;                 /* 0 when computed */
    uint32_t generation;
    cyc_stats_read *read; /* NULL when counted */
    void *owner;
    struct cyc_stats_window *window; /* NULL before the first scrape with quantiles */
};

struct cyc_stats_family {
    struct cyc_stats_family *next;
    const struct cyc_metric_family *info;
    struct cyc_stats_series *first, *last;
    struct cyc_stats_series *overflow; /* NULL until slots ran out */
    uint32_t label_count;
};

struct cyc_stats_registry {
    struct cyc_stats_family *first, *last;
    struct cyc_map families; /* by address */
    struct cyc_map series;   /* by family address and label values */
    uint32_t slot_count;     /* handed out, from the bottom */
    uint32_t generation;
    struct cyc_arena arena;
    struct cyc_mem *mem;
};

#endif
