/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /metrics: Prometheus text, or OpenMetrics where the scraper asks for it.
 *
 * Counters live in the workers' blocks and are added up here. What is computed when asked for
 * (memory, CPU, engine, build) is registered as readers.
 */
#include "admin/admin.h"

#include "proxy/cpu.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

static const struct cyc_metric_family memory_bytes = {
    .name = "cyclone_memory_bytes",
    .help = "Memory in use, by what it is for.",
    .type = CYC_METRIC_GAUGE,
    .label_names = {"kind"},
};
static const struct cyc_metric_family memory_utilization = {
    .name = "cyclone_memory_utilization",
    .help = "Resident memory as a share of the cgroup's limit, or of the machine's memory.",
    .type = CYC_METRIC_GAUGE,
};
static const struct cyc_metric_family cpu_utilization = {
    .name = "cyclone_cpu_utilization",
    .help = "CPU time used since the last scrape as a share of what this process may use.",
    .type = CYC_METRIC_GAUGE,
};
static const struct cyc_metric_family cpu_seconds = {
    .name = "process_cpu_seconds_total",
    .help = "User and system CPU time.",
    .type = CYC_METRIC_COUNTER,
};
static const struct cyc_metric_family resident_bytes = {
    .name = "process_resident_memory_bytes",
    .help = "Resident memory.",
    .type = CYC_METRIC_GAUGE,
};
static const struct cyc_metric_family start_seconds = {
    .name = "process_start_time_seconds",
    .help = "When the process started, in seconds since 1970.",
    .type = CYC_METRIC_GAUGE,
};
static const struct cyc_metric_family io_backend = {
    .name = "cyclone_io_backend_info",
    .help = "The I/O engine in use, and why.",
    .type = CYC_METRIC_GAUGE,
    .label_names = {"backend", "reason", "features"},
};
static const struct cyc_metric_family build = {
    .name = "cyclone_build_info",
    .help = "What was built.",
    .type = CYC_METRIC_GAUGE,
    .label_names = {"version", "revision"},
};
static const struct cyc_metric_family reload_ok = {
    .name = "cyclone_config_last_reload_successful",
    .help = "1 when the last configuration that was read is in force.",
    .type = CYC_METRIC_GAUGE,
};
static const struct cyc_metric_family reload_seconds = {
    .name = "cyclone_config_last_reload_timestamp_seconds",
    .help = "When a configuration was last read, in seconds since 1970; 0: only at the start.",
    .type = CYC_METRIC_GAUGE,
};
static const struct cyc_metric_family generation = {
    .name = "cyclone_config_generation",
    .help = "Number of the configuration in force; every successful reload adds one.",
    .type = CYC_METRIC_GAUGE,
};
static const struct cyc_metric_family log_drops = {
    .name = "cyclone_log_lines_dropped_total",
    .help = "Log lines lost because their output was too slow.",
    .type = CYC_METRIC_COUNTER,
    .label_names = {"stream"},
};

static double one(void *owner)
{
    (void)owner;
    return 1;
}

/** Sums one kind over all threads; relaxed reads of counters with one writer each. */
static uint64_t kind_bytes(const struct cyc_master *master, enum cyc_mem_kind kind)
{
    uint64_t bytes = __atomic_load_n(&master->mem.kind_bytes[kind], __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < master->worker_count; i++)
        bytes += __atomic_load_n(&master->threads[i].worker.mem.kind_bytes[kind], __ATOMIC_RELAXED);
    return bytes;
}

struct kind_reader {
    struct cyc_master *master;
    enum cyc_mem_kind kind;
};

static double read_kind(void *owner)
{
    const struct kind_reader *reader = owner;
    return (double)kind_bytes(reader->master, reader->kind);
}

static double resident(void)
{
    char text[128];
    unsigned long size_pages = 0, resident_pages = 0;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return 0;
    ssize_t len = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[len > 0 ? len : 0] = '\0';
    sscanf(text, "%lu %lu", &size_pages, &resident_pages);
    return (double)resident_pages * (double)sysconf(_SC_PAGESIZE);
}

static double read_resident(void *owner)
{
    (void)owner;
    return resident();
}

static double read_memory_utilization(void *owner)
{
    struct sysinfo info;
    double limit = (double)cyc_memory_limit_bytes();
    (void)owner;

    if (limit == 0 && sysinfo(&info) == 0)
        limit = (double)info.totalram * info.mem_unit;
    return limit > 0 ? resident() / limit : 0;
}

static double cpu_used_s(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double read_cpu_seconds(void *owner)
{
    (void)owner;
    return cpu_used_s();
}

/** Since the last time it was asked; over the whole life at first. */
static double read_cpu_utilization(void *owner)
{
    struct cyc_master *master = owner;
    double now_s = (double)master->io->clock.now_ns / 1e9, used_s = cpu_used_s();
    double span_s = now_s - master->cpu_seen_s, spent_s = used_s - master->cpu_used_s;

    if (span_s < 0.1)
        return master->cpu_last;
    master->cpu_seen_s = now_s;
    master->cpu_used_s = used_s;
    master->cpu_last = spent_s / span_s / cyc_cpu_count_allowed();
    return master->cpu_last;
}

static double read_start(void *owner)
{
    const struct cyc_master *master = owner;
    return (double)master->shared.start_wall_ns / 1e9;
}

static double read_reload_ok(void *owner)
{
    return ((const struct cyc_master *)owner)->is_last_reload_ok;
}

static double read_reload_seconds(void *owner)
{
    return (double)((const struct cyc_master *)owner)->last_reload_wall_ns / 1e9;
}

static double read_generation(void *owner)
{
    return (double)((const struct cyc_master *)owner)->epoch;
}

static double read_event_drops(void *owner)
{
    return (double)cyc_log_writer_lost_count(((struct cyc_master *)owner)->writer, CYC_LOG_EVENTS);
}

static double read_access_drops(void *owner)
{
    return (double)cyc_log_writer_lost_count(((struct cyc_master *)owner)->writer, CYC_LOG_ACCESS);
}

static void register_kinds(struct cyc_master *master)
{
    struct kind_reader *readers =
        cyc_mem_alloc(&master->mem, CYC_MEM_METRICS, CYC_MEM_KIND_COUNT * sizeof(*readers));

    master->kind_readers = readers;
    for (uint32_t kind = 0; kind < CYC_MEM_KIND_COUNT; kind++) {
        struct cyc_span name = cyc_span_from_text(cyc_mem_kind_name(kind));
        readers[kind] = (struct kind_reader){master, kind};
        cyc_stats_add_reader(master->registry, &memory_bytes, &name, read_kind, &readers[kind]);
    }
}

void cyc_ep_metrics_register(struct cyc_master *master)
{
    struct cyc_stats_registry *registry = master->registry;
    const struct cyc_io_choice *choice = &master->shared.io_choice;
    struct cyc_span backend[] = {
        choice->backend == CYC_IO_URING ? CYC_SPAN("io_uring") : CYC_SPAN("epoll"),
        cyc_span_from_text(choice->reason),
        cyc_span_from_text(choice->features),
    };
    struct cyc_span version[] = {CYC_SPAN(CYC_VERSION), CYC_SPAN(CYC_REVISION)};
    struct cyc_span events = CYC_SPAN("events"), access = CYC_SPAN("access");

    master->cpu_seen_s = (double)master->io->clock.now_ns / 1e9;
    register_kinds(master);
    cyc_stats_add_reader(registry, &memory_utilization, NULL, read_memory_utilization, master);
    cyc_stats_add_reader(registry, &cpu_utilization, NULL, read_cpu_utilization, master);
    cyc_stats_add_reader(registry, &cpu_seconds, NULL, read_cpu_seconds, master);
    cyc_stats_add_reader(registry, &resident_bytes, NULL, read_resident, master);
    cyc_stats_add_reader(registry, &start_seconds, NULL, read_start, master);
    cyc_stats_add_reader(registry, &io_backend, backend, one, master);
    cyc_stats_add_reader(registry, &build, version, one, master);
    cyc_stats_add_reader(registry, &reload_ok, NULL, read_reload_ok, master);
    cyc_stats_add_reader(registry, &reload_seconds, NULL, read_reload_seconds, master);
    cyc_stats_add_reader(registry, &generation, NULL, read_generation, master);
    cyc_stats_add_reader(registry, &log_drops, &events, read_event_drops, master);
    cyc_stats_add_reader(registry, &log_drops, &access, read_access_drops, master);
}

static bool wants_openmetrics(const struct cyc_msg *req)
{
    const struct cyc_field *accept = cyc_msg_find(req, CYC_TOKEN_ACCEPT);
    struct cyc_span list = accept != NULL ? accept->value : CYC_SPAN(""), member;

    while (cyc_span_take_member(&list, &member))
        if (cyc_span_starts_with(member, CYC_SPAN("application/openmetrics-text")))
            return true;
    return false;
}

void cyc_ep_metrics(struct cyc_master *master, const struct cyc_msg *req,
                    struct cyc_admin_answer *answer)
{
    if (master->current == NULL || !master->current->config->metrics.is_enabled) {
        answer->status = 404;
        return;
    }
    const struct cyc_metrics_conf *conf = &master->current->config->metrics;
    struct cyc_stats_format format = {
        .bounds_s = conf->buckets_s,
        .bound_count = conf->bucket_count,
        .has_quantiles = conf->has_quantiles,
        .is_strict = conf->is_strict,
        .is_openmetrics = wants_openmetrics(req),
        .now_ns = master->io->clock.now_ns,
    };
    answer->content_type =
        format.is_openmetrics
            ? CYC_SPAN("application/openmetrics-text; version=1.0.0; charset=utf-8")
            : CYC_SPAN("text/plain; version=0.0.4; charset=utf-8");
    cyc_stats_scrape(master->registry, master->blocks, master->block_count, &format, &answer->body);
}
