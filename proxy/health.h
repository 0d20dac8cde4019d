/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three questions of an orchestrator.
 *
 *   /health       is the process alive?         200 unless a worker's loop is stuck
 *   /ready        may traffic come here?        200 when configured and listening, 503 while
 * draining /health/deep  how is it, in detail?         JSON; the status of /ready and /health
 * together
 */
#ifndef CYC_PROXY_HEALTH_H
#define CYC_PROXY_HEALTH_H

#include "base/buf.h"
#include "base/span.h"
#include "proxy/worker.h"

#include <stdbool.h>
#include <stdint.h>

/** A worker whose last turn began longer ago than this, with work to do, is stuck. */
#define CYC_HEALTH_STUCK_MS 10000

bool cyc_health_is_path(struct cyc_span path);
/** Writes the JSON answer. @return the status */
uint32_t cyc_health_answer(const struct cyc_shared *shared, struct cyc_span path, uint64_t wall_ns,
                           struct cyc_buf *body);

#endif
