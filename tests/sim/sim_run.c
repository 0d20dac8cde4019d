/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/sim_run.h"

#include <stdarg.h>
#include <stdio.h>

#define HASH_FACTOR 0x100000001b3ull
#define LINE_BYTES_MAX 512

void cyc_sim_run_init(struct sim_run *run, uint64_t seed, const struct cyc_sim_faults *faults)
{
    run->seed = seed;
    run->hash = 0xcbf29ce484222325ull;
    run->net = cyc_sim_net_create(&run->mem, seed, faults);
    run->rng = cyc_sim_net_rng(run->net);
}

void cyc_sim_run_fini(struct sim_run *run)
{
    if (cyc_sim_net_socket_count(run->net) > 0) {
        cyc_sim_complain(run, "%u sockets are still open", cyc_sim_net_socket_count(run->net));
        return;
    }
    cyc_sim_net_destroy(run->net);
    if (run->mem.total_bytes > 0)
        cyc_sim_complain(run, "%llu bytes were not given back",
                         (unsigned long long)run->mem.total_bytes);
}

static void hash_add(struct sim_run *run, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        run->hash = (run->hash ^ (unsigned char)text[i]) * HASH_FACTOR;
    run->hash = (run->hash ^ cyc_sim_net_now_ns(run->net)) * HASH_FACTOR;
}

void cyc_sim_trace(struct sim_run *run, const char *format, ...)
{
    char line[LINE_BYTES_MAX];
    va_list args;

    va_start(args, format);
    int len = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    hash_add(run, line, len < (int)sizeof(line) ? (size_t)len : sizeof(line) - 1);
    if (!run->is_verbose)
        return;
    uint64_t us = cyc_sim_net_now_ns(run->net) / CYC_NS_PER_US;
    printf("%4llu.%06llu  %s\n", (unsigned long long)(us / 1000000),
           (unsigned long long)(us % 1000000), line);
}

void cyc_sim_complain(struct sim_run *run, const char *format, ...)
{
    char line[LINE_BYTES_MAX];
    va_list args;

    va_start(args, format);
    int len = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    hash_add(run, line, len < (int)sizeof(line) ? (size_t)len : sizeof(line) - 1);
    if (run->complaint_count++ >= CYC_SIM_COMPLAINT_COUNT_MAX)
        return;
    printf("seed %llu: at %llu ms: %s (replay: sim --seed %llu --verbose)\n",
           (unsigned long long)run->seed, (unsigned long long)cyc_sim_now_ms(run), line,
           (unsigned long long)run->seed);
    fflush(stdout);
}

uint64_t cyc_sim_below(struct sim_run *run, uint64_t n)
{
    return cyc_rng_below(run->rng, n);
}

uint64_t cyc_sim_between(struct sim_run *run, uint64_t min, uint64_t max)
{
    return min + cyc_rng_below(run->rng, max - min + 1);
}

bool cyc_sim_chance(struct sim_run *run, uint32_t permille)
{
    return cyc_rng_chance_permille(run->rng, permille);
}

uint64_t cyc_sim_now_ms(const struct sim_run *run)
{
    return cyc_sim_net_now_ns(run->net) / CYC_NS_PER_MS;
}

void cyc_sim_timer_set(struct sim_run *run, struct cyc_io *io, struct cyc_timer *timer,
                       uint64_t delay_ms)
{
    cyc_wheel_set_time(io->wheel, cyc_sim_net_now_ns(run->net));
    cyc_timer_set(io->wheel, timer, delay_ms);
}

/* ---- hosts ----------------------------------------------------------------------------------- */

static void host_turn(struct sim_party *party)
{
    struct sim_host *host = cyc_container_of(party, struct sim_host, party);

    cyc_io_turn(host->io, 0);
    cyc_conn_flush_all(&host->flush);
    if (cyc_conn_flush_is_due(&host->flush))
        cyc_io_wake(host->io);
}

void cyc_sim_host_init(struct sim_host *host, struct sim_run *run)
{
    static const struct cyc_network_conf network = {.listen_backlog = 128};
    static const struct cyc_timer_conf timer = {.wheel_size = 256, .resolution_ms = 1};
    struct cyc_io_setup setup = {&host->mem, &host->pool, &network, &timer};

    *host = (struct sim_host){.party = {host_turn}, .run = run};
    cyc_buf_pool_init(&host->pool, &host->mem);
    cyc_conn_flush_init(&host->flush);
    host->io = cyc_io_sim_create(run->net, &setup, &host->party);
}

void cyc_sim_host_fini(struct sim_host *host)
{
    if (host->io->in_flight_count > 0) {
        cyc_sim_complain(host->run, "a host has %u ops in flight at its end",
                         host->io->in_flight_count);
        return;
    }
    cyc_io_destroy(host->io);
    cyc_buf_pool_fini(&host->pool);
}
