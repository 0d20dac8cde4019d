/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics: numbered slots, one block of them per worker.
 *
 * A module declares what it counts as const tables of families. The registry (control thread) gives
 * each family and set of label values a slot number, once: a configuration reload that asks again
 * gets the same number, so counters go on. A worker counts by adding to its own block under that
 * number: a load, an add, a store, no lock. A scrape adds the blocks up and writes text.
 *
 * Slots run out at a limit. From there on new label values share their family's series with the
 * value "overflow": the sum stays right, only the detail is lost, and nobody has to handle an
 * error. Slot 0 is the sink: what nobody wants to know is counted there.
 */
#ifndef CYC_BASE_STATS_H
#define CYC_BASE_STATS_H

#include "base/hash.h"
#include "base/histogram.h"
#include "base/mem.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct cyc_buf;
struct cyc_stats_registry;

/** 1 MiB of address space per worker; pages nobody counts in are never touched. */
#define CYC_STATS_SLOT_COUNT_MAX 131072u
#define CYC_METRIC_LABEL_COUNT_MAX 4
/** Longer label values are cut. */
#define CYC_METRIC_LABEL_VALUE_BYTES_MAX 256

enum cyc_metric_type { CYC_METRIC_COUNTER, CYC_METRIC_GAUGE, CYC_METRIC_HISTOGRAM };

/** Static const, known by its address; two families never have the same name. */
struct cyc_metric_family {
    const char *name; /* as it is written: "cyclone_requests_total", "..._seconds" */
    const char *help; /* one sentence, no line break */
    enum cyc_metric_type type;
    const char *label_names[CYC_METRIC_LABEL_COUNT_MAX]; /* the unused ones NULL, at the end */
    bool has_quantiles;                                  /* histograms: 0.5, 0.95 and 0.99 too */
};

/* ---- counting (worker) ----------------------------------------------------------------------- */

/** Single writer: the owning worker. Others only read. */
struct cyc_stats_block {
    uint64_t slots[CYC_STATS_SLOT_COUNT_MAX];
};

/** All zero. Never NULL. */
struct cyc_stats_block *cyc_stats_block_create(void);
void cyc_stats_block_destroy(struct cyc_stats_block *block);

/** The owner's own count. */
static inline uint64_t cyc_stat_get(const struct cyc_stats_block *block, uint32_t slot)
{
    return __atomic_load_n(&block->slots[slot], __ATOMIC_RELAXED);
}

static inline void cyc_stat_set(struct cyc_stats_block *own, uint32_t slot, uint64_t value)
{
    __atomic_store_n(&own->slots[slot], value, __ATOMIC_RELAXED);
}

/** A load and a store, no lock prefix: there is one writer. */
static inline void cyc_stat_add(struct cyc_stats_block *own, uint32_t slot, uint64_t n)
{
    cyc_stat_set(own, slot, cyc_stat_get(own, slot) + n);
}

/** For gauges. A worker may go below zero as long as the sum of all does not. */
static inline void cyc_stat_sub(struct cyc_stats_block *own, uint32_t slot, uint64_t n)
{
    cyc_stat_set(own, slot, cyc_stat_get(own, slot) - n);
}

/** @param slot  of a histogram family, or 0 */
static inline void cyc_stat_observe_ns(struct cyc_stats_block *own, uint32_t slot, uint64_t ns)
{
    cyc_stat_add(own, slot, ns >> CYC_HISTOGRAM_SUM_SHIFT);
    cyc_stat_add(own, slot + 1 + cyc_histogram_bucket(ns), 1);
}

/** @return the slot's total over all blocks */
uint64_t cyc_stats_sum(struct cyc_stats_block *const *blocks, uint32_t block_count, uint32_t slot);
/** @param slot  of a histogram family */
void cyc_stats_merge(struct cyc_stats_block *const *blocks, uint32_t block_count, uint32_t slot,
                     struct cyc_histogram *ret_histogram);

/* ---- naming (control thread) ----------------------------------------------------------------- */

struct cyc_stats_registry *cyc_stats_registry_create(struct cyc_mem *mem,
                                                     const struct cyc_hash_key *hash_key);
void cyc_stats_registry_destroy(struct cyc_stats_registry *registry);

/** Makes a family known, so that it is listed (and, without labels, shown as 0) before it counts.
 */
void cyc_stats_add_family(struct cyc_stats_registry *registry,
                          const struct cyc_metric_family *info);
/**
 * @param info  static; added when new
 * @param label_values  one per label name, copied; NULL for a family without labels
 * @return the same slot for the same values, ever; never fails
 */
uint32_t cyc_stats_slot(struct cyc_stats_registry *registry, const struct cyc_metric_family *info,
                        const struct cyc_span *label_values);

/** A value that is computed when asked for. Runs on the scraping thread. */
typedef double cyc_stats_read(void *owner);
/** Adds a computed counter or gauge, or replaces the one with these labels. `owner` is borrowed
 * until cyc_stats_remove_readers(). */
void cyc_stats_add_reader(struct cyc_stats_registry *registry, const struct cyc_metric_family *info,
                          const struct cyc_span *label_values, cyc_stats_read *read, void *owner);
void cyc_stats_remove_readers(struct cyc_stats_registry *registry, const void *owner);

/**
 * Begins a new configuration. Gauges with labels that nobody asks for again are no longer shown
 * once they are 0: a removed endpoint has no state. Counters stay, as Prometheus wants them.
 */
void cyc_stats_next_generation(struct cyc_stats_registry *registry);

uint32_t cyc_stats_slot_count(const struct cyc_stats_registry *registry);

/* ---- exposition ------------------------------------------------------------------------------ */

struct cyc_stats_format {
    const double *bounds_s; /* `le` bounds of histograms, ascending, in seconds; borrowed */
    uint32_t bound_count;
    bool has_quantiles;  /* for the families that have them */
    bool is_strict;      /* quantiles in a family of their own: x_seconds -> x_quantile_seconds */
    bool is_openmetrics; /* OpenMetrics 1.0 instead of Prometheus text 0.0.4; always strict */
    uint64_t now_ns;     /* monotonic; quantiles are of the last 5 to 10 minutes. 0: of all time */
};

/**
 * Appends all families to `out`. Label-free series are always there, gauges too; counters and
 * histograms with labels only once they have counted something.
 */
void cyc_stats_scrape(struct cyc_stats_registry *registry, struct cyc_stats_block *const *blocks,
                      uint32_t block_count, const struct cyc_stats_format *format,
                      struct cyc_buf *out);

#endif
