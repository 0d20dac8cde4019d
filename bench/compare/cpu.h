/* SPDX-License-Identifier: Apache-2.0 */
/**
 * CPU time of some processes and of every core, as the kernel's /proc has it.
 *
 * Process time is the sum of `schedstat` over all threads (nanoseconds; io_uring's kernel workers
 * are threads of their process and thus included). How it divides into user and system time is
 * only known in ticks, so these are for shares, not for sums. A thread that ends inside the window
 * takes its time with it.
 */
#ifndef CYC_BENCH_COMPARE_CPU_H
#define CYC_BENCH_COMPARE_CPU_H

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BENCH_CORE_COUNT_MAX 64u

struct bench_core_ticks {
    uint64_t all, idle, softirq, steal;
};

struct bench_cpu {
    uint64_t proc_ns, user_ticks, system_ticks;
    uint32_t core_count;
    struct bench_core_ticks cores[BENCH_CORE_COUNT_MAX];
};

/* Bytes read into `text`, which is terminated; 0 when there is no such file. */
static inline size_t bench_file_read(const char *path, char *text, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, room - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

static inline void bench_cpu_add_process(struct bench_cpu *cpu, int pid)
{
    char path[300], text[1024];
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    bench_file_read(path, text, sizeof(text));
    const char *at = strrchr(text, ')'); /* the name may hold anything */
    for (int field = 2; at && field < 14; field++)
        at = strchr(at + 1, ' ');
    char *end = NULL;
    cpu->user_ticks += at ? strtoull(at + 1, &end, 10) : 0;
    cpu->system_ticks += end ? strtoull(end, NULL, 10) : 0;

    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    for (struct dirent *task; tasks && (task = readdir(tasks)) != NULL;) {
        if (task->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/%d/task/%.20s/schedstat", pid, task->d_name);
        bench_file_read(path, text, sizeof(text));
        cpu->proc_ns += strtoull(text, NULL, 10);
    }
    if (tasks)
        closedir(tasks);
}

static inline void bench_cpu_read_cores(struct bench_cpu *cpu)
{
    char text[16384];
    bench_file_read("/proc/stat", text, sizeof(text));
    for (char *line = strstr(text, "\ncpu"); line; line = strstr(line + 1, "\ncpu")) {
        char *at = NULL;
        unsigned long i = strtoul(line + 4, &at, 10);
        if (i >= BENCH_CORE_COUNT_MAX)
            continue;
        uint64_t ticks[8], all = 0; /* user nice system idle iowait irq softirq steal */
        for (int k = 0; k < 8; k++)
            all += ticks[k] = strtoull(at, &at, 10);
        cpu->cores[i] = (struct bench_core_ticks){all, ticks[3] + ticks[4], ticks[6], ticks[7]};
        if (i >= cpu->core_count)
            cpu->core_count = (uint32_t)i + 1;
    }
}

/** Reads everything now. @param pids  process ids with commas between; may be empty */
static inline void bench_cpu_read(struct bench_cpu *ret_cpu, const char *pids)
{
    memset(ret_cpu, 0, sizeof(*ret_cpu));
    for (const char *at = pids; *at; at += *at == ',') {
        char *end = NULL;
        bench_cpu_add_process(ret_cpu, (int)strtol(at, &end, 10));
        if (end == at)
            break;
        at = end;
    }
    bench_cpu_read_cores(ret_cpu);
}

#endif
