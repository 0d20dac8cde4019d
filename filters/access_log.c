/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access_log: one line per finished exchange, formatted straight into the worker's log ring.
 *
 * A full ring loses the line and counts it: logging never makes a request wait. With sampling, a
 * share of the requests is logged, and every one that failed or was answered 5xx.
 */
#include "filters/access_log_format.h"
#include "filters/filter.h"
#include "filters/registry.h"

#define PERMYRIAD_ALL 10000

static bool is_sampled(const struct cyc_access_log_filter_conf *conf,
                       const struct cyc_exchange *exchange)
{
    if (conf->sample_permyriad >= PERMYRIAD_ALL || exchange->fail != CYC_FAIL_NONE ||
        exchange->status >= 500)
        return true;
    return cyc_rng_below(exchange->env->rng, PERMYRIAD_ALL) < conf->sample_permyriad;
}

static void access_log_on_done(struct cyc_filter_call *call)
{
    const struct cyc_access_log_filter_conf *conf = call->conf;
    const struct cyc_exchange *exchange = call->exchange;
    struct cyc_log_ring *ring = exchange->env->access_log;

    if (ring == NULL || !is_sampled(conf, exchange))
        return;
    char *line = cyc_log_reserve(ring, CYC_LOG_ACCESS, CYC_ACCESS_LOG_LINE_BYTES_MAX);
    if (line == NULL)
        return;
    cyc_log_commit(ring, conf->is_text ? cyc_access_log_text(exchange, line)
                                       : cyc_access_log_json(exchange, line));
}

const struct cyc_filter_vt cyc_access_log_filter = {
    .name = "access_log",
    .on_done = access_log_on_done,
};
