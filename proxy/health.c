/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/health.h"

#include <stdio.h>

bool cyc_health_is_path(struct cyc_span path)
{
    return cyc_span_equal(path, CYC_SPAN("/health")) || cyc_span_equal(path, CYC_SPAN("/ready")) ||
           cyc_span_equal(path, CYC_SPAN("/health/deep"));
}

static bool flag(const uint32_t *where)
{
    return __atomic_load_n(where, __ATOMIC_RELAXED) != 0;
}

uint32_t cyc_health_answer(const struct cyc_shared *shared, struct cyc_span path, uint64_t wall_ns,
                           struct cyc_buf *body)
{
    bool is_draining = flag(&shared->is_draining), is_stuck = flag(&shared->is_stuck);
    bool is_ready = flag(&shared->is_ready) && !is_draining;
    const char *state = is_stuck      ? "stuck"
                        : is_draining ? "draining"
                        : is_ready    ? "ready"
                                      : "starting";
    char text[512];
    int len;

    if (cyc_span_equal(path, CYC_SPAN("/health"))) {
        len = snprintf(text, sizeof(text), "{\"status\":\"%s\"}\n", is_stuck ? "stuck" : "alive");
        cyc_buf_append(body, cyc_span_of(text, (size_t)len));
        return is_stuck ? 503 : 200;
    }
    if (cyc_span_equal(path, CYC_SPAN("/ready"))) {
        len = snprintf(text, sizeof(text), "{\"status\":\"%s\"}\n", state);
        cyc_buf_append(body, cyc_span_of(text, (size_t)len));
        return is_ready ? 200 : 503;
    }
    uint64_t uptime_s = (wall_ns - shared->start_wall_ns) / CYC_NS_PER_S;
    len = snprintf(text, sizeof(text),
                   "{\"status\":\"%s\",\"version\":\"%s\",\"uptime_s\":%llu,"
                   "\"config_generation\":%llu,\"workers\":%u,\"io_backend\":\"%s\"}\n",
                   state, CYC_VERSION, (unsigned long long)uptime_s,
                   (unsigned long long)__atomic_load_n(&shared->config_epoch, __ATOMIC_RELAXED),
                   shared->worker_count,
                   shared->io_choice.backend == CYC_IO_URING ? "io_uring" : "epoll");
    cyc_buf_append(body, cyc_span_of(text, (size_t)len));
    return is_ready && !is_stuck ? 200 : 503;
}
