/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/cpu.h"

#include "base/span.h"

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* cgroup v1 says "no limit" as a number near 2^63. */
#define NO_LIMIT_BYTES (1ull << 60)

/** The first line of a small file. @return empty when it cannot be read */
static struct cyc_span file_line(const char *path, char *text, size_t text_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return CYC_SPAN("");
    ssize_t len = read(fd, text, text_bytes);
    close(fd);
    struct cyc_span line = cyc_span_of(text, len > 0 ? (size_t)len : 0);
    return cyc_span_slice(line, 0, cyc_span_find_char(line, '\n', 0));
}

static bool file_number(const char *path, uint64_t *ret_value)
{
    char text[64];
    return cyc_span_parse_u64(file_line(path, text, sizeof(text)), UINT64_MAX, ret_value);
}

/** CPUs' worth of quota, rounded up; 0: none. */
static uint64_t quota_cpus(void)
{
    char text[64];
    uint64_t quota_us = 0, period_us = 0;
    struct cyc_span line = file_line("/sys/fs/cgroup/cpu.max", text, sizeof(text));
    size_t space = cyc_span_find_char(line, ' ', 0);

    bool has_quota =
        cyc_span_parse_u64(cyc_span_slice(line, 0, space), UINT64_MAX, &quota_us) &&
        cyc_span_parse_u64(cyc_span_slice(line, space + 1, line.len), UINT64_MAX, &period_us);
    if (!has_quota)
        has_quota = file_number("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", &quota_us) &&
                    file_number("/sys/fs/cgroup/cpu/cpu.cfs_period_us", &period_us);
    return has_quota && period_us > 0 ? (quota_us + period_us - 1) / period_us : 0;
}

uint32_t cyc_cpu_count_allowed(void)
{
    cpu_set_t set;
    uint64_t count = 1, quota = quota_cpus();

    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        count = (uint64_t)CPU_COUNT(&set);
    if (quota > 0 && quota < count)
        count = quota;
    return count > 0 ? (uint32_t)count : 1;
}

uint64_t cyc_memory_limit_bytes(void)
{
    uint64_t bytes = 0;

    if (!file_number("/sys/fs/cgroup/memory.max", &bytes) &&
        !file_number("/sys/fs/cgroup/memory/memory.limit_in_bytes", &bytes))
        return 0;
    return bytes < NO_LIMIT_BYTES ? bytes : 0;
}
