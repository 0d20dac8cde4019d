/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one place that reads the kernel's clocks, once per wait.
 *
 * Wall time is the monotonic clock plus an offset that is looked at again every so often: a turn
 * costs one clock call, and a step of the wall clock is followed within OFFSET_PERIOD_NS.
 */
#include "net/io.h"

#include <time.h>

#define OFFSET_PERIOD_NS CYC_NS_PER_S

static uint64_t clock_ns(clockid_t id)
{
    struct timespec at = {0};
    clock_gettime(id, &at);
    return (uint64_t)at.tv_sec * CYC_NS_PER_S + (uint64_t)at.tv_nsec;
}

void cyc_io_clock_read(struct cyc_io *io)
{
    uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);

    if (io->wall_offset_ns == 0 || now_ns - io->wall_checked_ns >= OFFSET_PERIOD_NS) {
        io->wall_offset_ns = clock_ns(CLOCK_REALTIME) - now_ns;
        io->wall_checked_ns = now_ns;
    }
    io->clock.now_ns = now_ns;
    io->clock.wall_ns = now_ns + io->wall_offset_ns;
}
