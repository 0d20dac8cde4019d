/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics: what is counted per request.
 *
 * All slots are looked up when the configuration is compiled; a request costs a few additions to
 * the worker's own block. Labels come from the configuration and from bounded sets only: known
 * methods and OTHER, known status codes and their class.
 */
#ifndef CYC_FILTERS_METRICS_H
#define CYC_FILTERS_METRICS_H

#include "base/arena.h"
#include "base/stats.h"
#include "http/fail.h"
#include "http/msg.h"

#include <stdint.h>

/** Status codes with a series of their own, "1xx".."5xx" for the others, "000" for no answer. */
#define CYC_METRICS_STATUS_COUNT_MAX 80
#define CYC_METRICS_STATUS_MAX 599

/** Slots that all routes share. Immutable. */
struct cyc_metrics_table {
    uint8_t status_index[CYC_METRICS_STATUS_MAX + 1];
    uint32_t requests[CYC_METHOD_COUNT][CYC_METRICS_STATUS_COUNT_MAX];
    uint32_t responses_upstream[CYC_FAIL_COUNT]; /* by reason; NONE: nothing went wrong */
    uint32_t responses_proxy[CYC_FAIL_COUNT];
    uint32_t duration, bytes_sent, bytes_received;
};

/** Control thread, once per snapshot: the same slots every time. */
const struct cyc_metrics_table *cyc_metrics_table_create(struct cyc_arena *arena,
                                                         struct cyc_stats_registry *registry);

#endif
