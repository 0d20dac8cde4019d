/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/sim_gateway.h"

#include "base/assert.h"
#include "base/stats.h"
#include "proxy/downstream.h"
#include "proxy/master_internal.h"
#include "proxy/view.h"
#include "tests/sim/sim_books.h"
#include "upstream/cluster_state.h"

#include <stdio.h>

#define RING_BYTES (64 * 1024)
/* Bytes in flight: what security.md allows a stream in both directions, and what conn.in of both
 * sides may hold. */
#define STREAM_BUFFER_BYTES_MAX (1024 * 1024)
#define WORKER_BUFFER_BYTES_MAX (256 * 1024)
#define ENDPOINT_COUNT_MAX 8

/* ---- the control thread's turn --------------------------------------------------------------- */

static void wake_control(void *owner)
{
    struct sim_gateway *gateway = owner;
    cyc_io_wake(gateway->io);
}

static void letters_run(struct cyc_mailbox *box, void *owner)
{
    struct cyc_letter *letter = cyc_mailbox_take_all(box);

    while (letter != NULL) {
        struct cyc_letter *next = letter->next;
        letter->run(letter, owner);
        letter = next;
    }
}

static void ring_read(struct sim_gateway_worker *gw)
{
    struct sim_gateway *gateway = gw->gateway;
    enum cyc_log_stream stream;
    struct cyc_span line;

    cyc_log_ring_begin(gw->ring);
    while (cyc_log_ring_next(gw->ring, &stream, &line)) {
        gateway->access_line_count += stream == CYC_LOG_ACCESS;
        if (gateway->run->is_verbose)
            printf("             worker %u: %.*s", gw->worker.index, (int)line.len, line.ptr);
    }
}

static void control_turn(struct sim_party *party)
{
    struct sim_gateway *gateway = cyc_container_of(party, struct sim_gateway, party);

    cyc_io_turn(gateway->io, 0);
    letters_run(&gateway->inbox, gateway);
}

/* ---- a worker's turn ------------------------------------------------------------------------- */

static void worker_check(struct sim_gateway_worker *gw)
{
    struct cyc_worker *worker = &gw->worker;
    struct sim_run *run = gw->gateway->run;
    uint64_t bytes = worker->mem.kind_bytes[CYC_MEM_BUFFERS];
    uint32_t count = worker->downstream_slab.used_count;
    if (count < worker->upstreams->conns.used_count)
        count = worker->upstreams->conns.used_count; /* what is left of a tunnel */
    uint64_t bytes_max = WORKER_BUFFER_BYTES_MAX + count * STREAM_BUFFER_BYTES_MAX;

    if (bytes > gw->buffer_bytes_peak)
        gw->buffer_bytes_peak = bytes;
    if (bytes > bytes_max)
        cyc_sim_complain(run, "worker %u holds %llu bytes for %u connections", worker->index,
                         (unsigned long long)bytes, count);
    uint64_t active = cyc_stat_get(worker->stats, worker->slots->requests_active);
    if (active != worker->stream_slab.used_count)
        cyc_sim_complain(run, "worker %u counts %llu active requests and has %u streams",
                         worker->index, (unsigned long long)active, worker->stream_slab.used_count);
    active = cyc_stat_get(worker->stats, worker->slots->connections_active);
    if (active != worker->downstream_slab.used_count)
        cyc_sim_complain(run, "worker %u counts %llu active connections and has %u", worker->index,
                         (unsigned long long)active, worker->downstream_slab.used_count);
}

static void worker_turn(struct sim_party *party)
{
    struct sim_gateway_worker *gw = cyc_container_of(party, struct sim_gateway_worker, party);
    struct cyc_worker *worker = &gw->worker;

    if (gw->is_done) { /* woken by a letter that came too late */
        cyc_io_turn(worker->io, 0);
        return;
    }
    gw->is_done = !cyc_worker_turn(worker, 0);
    ring_read(gw);
    worker_check(gw);
    if (gw->is_done)
        cyc_sim_trace(gw->gateway->run, "worker %u is done", worker->index);
    else if (!cyc_list_is_empty(&worker->wishes) || !cyc_list_is_empty(&worker->ended) ||
             !cyc_mailbox_is_empty(&worker->inbox) || !cyc_list_is_empty(&worker->flush.dirty))
        cyc_io_wake(worker->io); /* as cyc_worker_turn: the next turn does not wait */
}

/* ---- configurations -------------------------------------------------------------------------- */

static void snapshot_free(struct sim_gateway *gateway, struct cyc_snapshot *snapshot)
{
    gateway->snapshot_count--;
    cyc_arena_fini(&snapshot->arena);
    cyc_mem_free(&gateway->mem, CYC_MEM_CONFIG, snapshot, sizeof(*snapshot));
}

static struct cyc_snapshot *snapshot_load(struct sim_gateway *gateway)
{
    static const char *const environment[] = {NULL};
    struct cyc_config_overrides overrides = {environment};
    struct cyc_snapshot *snapshot =
        cyc_mem_zalloc(&gateway->mem, CYC_MEM_CONFIG, sizeof(*snapshot));
    struct cyc_arena arena;
    struct cyc_diag diag;

    cyc_arena_init(&arena, &gateway->mem, CYC_MEM_CONFIG, NULL, 0);
    cyc_arena_init(&snapshot->arena, &gateway->mem, CYC_MEM_CONFIG, NULL, 0);
    cyc_diag_init(&diag, &arena);
    gateway->snapshot_count++;
    snapshot->epoch = ++gateway->epoch;
    struct cyc_span text = cyc_sim_plan_yaml(gateway->plan, &snapshot->arena);
    if (gateway->run->is_verbose)
        printf("%.*s", (int)text.len, text.ptr);
    snapshot->config =
        cyc_config_load(&snapshot->arena, CYC_SPAN("sim.yaml"), text, &overrides, &diag);
    if (snapshot->config == NULL) {
        struct cyc_span report = cyc_diag_render(&diag, &arena, CYC_DIAG_TEXT);
        printf("%.*s%.*s", (int)text.len, text.ptr, (int)report.len, report.ptr);
        cyc_assert(snapshot->config != NULL); /* what the simulator writes is good */
    }
    cyc_arena_fini(&arena);
    cyc_stats_next_generation(gateway->master.registry);
    cyc_snapshot_compile(snapshot, gateway->master.registry, CYC_SPAN("unix:@sim-demo"));
    return snapshot;
}

static void view_on_released(struct cyc_letter *letter, void *owner)
{
    struct sim_gateway *gateway = owner;
    struct cyc_view *view = cyc_container_of(letter, struct cyc_view, letter);
    struct cyc_snapshot *snapshot = view->snapshot;

    cyc_view_destroy(view, &gateway->mem);
    if (--snapshot->unreleased_count > 0)
        return;
    cyc_sim_trace(gateway->run, "generation %llu is free", (unsigned long long)snapshot->epoch);
    if (snapshot == gateway->current)
        gateway->current = NULL;
    snapshot_free(gateway, snapshot);
}

static void listeners_open(struct sim_gateway *gateway, struct cyc_snapshot *snapshot,
                           struct cyc_view **views)
{
    struct cyc_sock_options options = {.backlog = 64};
    bool is_open[CYC_SIM_LISTENER_COUNT_MAX] = {false};

    for (uint32_t i = 0; i < snapshot->listener_count; i++) {
        const struct cyc_addr *addr = &snapshot->listeners[i].addr;
        uint32_t at = (uint32_t)(snapshot->listeners[i].conf->name.ptr[1] - '0');
        is_open[at] = true;
        for (uint32_t w = 0; w < gateway->worker_count && !gateway->is_open[at]; w++) {
            int fd = cyc_io_listen(gateway->workers[w].worker.io, addr, &options);
            cyc_assert(fd >= 0);
            views[w]->listener_fds[i] = fd;
        }
    }
    for (uint32_t i = 0; i < CYC_SIM_LISTENER_COUNT_MAX; i++) {
        gateway->removed_counts[i] += gateway->is_open[i] && !is_open[i];
        gateway->is_open[i] = is_open[i];
    }
}

static void publish(struct sim_gateway *gateway, struct cyc_snapshot *snapshot)
{
    struct cyc_view *views[CYC_SIM_WORKER_COUNT_MAX];

    for (uint32_t w = 0; w < gateway->worker_count; w++)
        views[w] = cyc_view_create(&gateway->mem, snapshot, &gateway->workers[w].worker,
                                   cyc_worker_run_view, view_on_released);
    listeners_open(gateway, snapshot, views);
    gateway->current = snapshot;
    snapshot->unreleased_count = gateway->worker_count;
    for (uint32_t w = 0; w < gateway->worker_count; w++)
        cyc_worker_post(views[w]->worker, &views[w]->letter);
    cyc_sim_trace(gateway->run, "generation %llu is out", (unsigned long long)snapshot->epoch);
}

void cyc_sim_gateway_reload(struct sim_gateway *gateway)
{
    if (gateway->phase == CYC_WORKER_RUNNING)
        publish(gateway, snapshot_load(gateway));
}

/* ---- letters --------------------------------------------------------------------------------- */

struct phase_letter {
    struct cyc_letter letter;
    enum cyc_worker_phase phase;
};

static void phase_letter_free(struct cyc_letter *letter, void *owner)
{
    struct sim_gateway *gateway = owner;
    gateway->letter_count--;
    cyc_mem_free(&gateway->mem, CYC_MEM_OTHER,
                 cyc_container_of(letter, struct phase_letter, letter),
                 sizeof(struct phase_letter));
}

static void letter_return(struct cyc_letter *letter, struct cyc_worker *worker, cyc_letter_run *run)
{
    letter->run = run;
    cyc_mailbox_post(worker->control, letter);
    worker->wake_control(worker->control_owner);
}

static void phase_letter_run(struct cyc_letter *letter, void *owner)
{
    struct cyc_worker *worker = owner;

    cyc_worker_set_phase(worker, cyc_container_of(letter, struct phase_letter, letter)->phase);
    letter_return(letter, worker, phase_letter_free);
}

static void phase_begin(struct sim_gateway *gateway, enum cyc_worker_phase phase)
{
    gateway->phase = phase;
    cyc_sim_trace(gateway->run, "phase %d", (int)phase);
    for (uint32_t w = 0; w < gateway->worker_count; w++) {
        struct phase_letter *letter = cyc_mem_zalloc(&gateway->mem, CYC_MEM_OTHER, sizeof(*letter));
        letter->letter.run = phase_letter_run;
        letter->phase = phase;
        gateway->letter_count++;
        cyc_worker_post(&gateway->workers[w].worker, &letter->letter);
    }
}

struct endpoints_letter {
    struct cyc_letter letter;
    struct cyc_span cluster; /* in the current snapshot, which outlives the letter's way there */
    struct cyc_endpoint_spec specs[ENDPOINT_COUNT_MAX];
    uint32_t spec_count;
};

static void endpoints_letter_free(struct cyc_letter *letter, void *owner)
{
    struct sim_gateway *gateway = owner;
    gateway->letter_count--;
    cyc_mem_free(&gateway->mem, CYC_MEM_OTHER,
                 cyc_container_of(letter, struct endpoints_letter, letter),
                 sizeof(struct endpoints_letter));
}

static void endpoints_letter_run(struct cyc_letter *letter, void *owner)
{
    struct cyc_worker *worker = owner;
    struct endpoints_letter *endpoints = cyc_container_of(letter, struct endpoints_letter, letter);
    struct cyc_cluster *cluster = cyc_cluster_find(worker->upstreams, endpoints->cluster);

    if (cluster != NULL)
        cyc_cluster_set_endpoints(cluster, endpoints->specs, endpoints->spec_count);
    letter_return(letter, worker, endpoints_letter_free);
}

/** A random choice of the cluster's endpoints, in another order; once in a while none. */
static void endpoints_choose(struct sim_gateway *gateway, const struct cyc_cluster_spec *spec,
                             struct endpoints_letter *letter)
{
    bool may_be_none = gateway->plan->weather == SIM_WEATHER_STORM && !gateway->run->is_healed;

    for (uint32_t i = 0; i < spec->endpoint_count; i++)
        if (cyc_sim_chance(gateway->run, 600))
            letter->specs[letter->spec_count++] = spec->endpoints[spec->endpoint_count - 1 - i];
    if (letter->spec_count == 0 && !(may_be_none && cyc_sim_chance(gateway->run, 200)))
        letter->specs[letter->spec_count++] = spec->endpoints[0];
}

void cyc_sim_gateway_change_endpoints(struct sim_gateway *gateway)
{
    if (gateway->phase >= CYC_WORKER_CLOSING || gateway->current == NULL)
        return;
    const struct cyc_snapshot *snapshot = gateway->current;
    const struct cyc_cluster_spec *spec =
        &snapshot->clusters[cyc_sim_below(gateway->run, snapshot->cluster_count)];
    cyc_assert(spec->endpoint_count <= ENDPOINT_COUNT_MAX);
    struct endpoints_letter chosen = {.letter = {.run = endpoints_letter_run},
                                      .cluster = spec->conf->name};
    endpoints_choose(gateway, spec, &chosen);
    cyc_sim_trace(gateway->run, "cluster %.*s has %u endpoints now", (int)chosen.cluster.len,
                  chosen.cluster.ptr, chosen.spec_count);
    for (uint32_t w = 0; w < gateway->worker_count; w++) {
        struct endpoints_letter *letter =
            cyc_mem_alloc(&gateway->mem, CYC_MEM_OTHER, sizeof(*letter));
        *letter = chosen;
        gateway->letter_count++;
        cyc_worker_post(&gateway->workers[w].worker, &letter->letter);
    }
}

/* ---- after the clients have gone ---------------------------------------------------------------
 */

static uint32_t connection_count(const struct cyc_worker *worker)
{
    uint32_t count = 0;

    cyc_list_for_each (link, &worker->downstreams) {
        const struct cyc_downstream *d = cyc_container_of(link, struct cyc_downstream, link);
        count += !d->is_tunnel; /* those have an hour */
    }
    return count;
}

void cyc_sim_gateway_check_settled(struct sim_gateway *gateway)
{
    if (gateway->plan->weather != SIM_WEATHER_STORM)
        return; /* the clocks of the others are slow */
    for (uint32_t w = 0; w < gateway->worker_count; w++) {
        const struct cyc_worker *worker = &gateway->workers[w].worker;
        if (!gateway->workers[w].is_done && connection_count(worker) > 0)
            cyc_sim_complain(gateway->run, "worker %u keeps %u connections without a client", w,
                             connection_count(worker));
    }
}

/* ---- shutting down --------------------------------------------------------------------------- */

static void drain_fire(struct cyc_timer *timer)
{
    struct sim_gateway *gateway = cyc_container_of(timer, struct sim_gateway, drain_timer);

    if (cyc_sim_gateway_is_done(gateway) || gateway->phase == CYC_WORKER_ABORTING)
        return;
    if (gateway->phase < CYC_WORKER_CLOSING) {
        uint32_t grace_ms = gateway->current->config->server.shutdown_grace_ms;
        phase_begin(gateway, CYC_WORKER_CLOSING);
        cyc_timer_set(gateway->io->wheel, timer, grace_ms);
        return;
    }
    if (gateway->run->is_calm)
        cyc_sim_complain(gateway->run, "requests are still in flight at the end of the grace");
    phase_begin(gateway, CYC_WORKER_ABORTING);
}

void cyc_sim_gateway_drain(struct sim_gateway *gateway)
{
    if (gateway->phase != CYC_WORKER_RUNNING) {
        if (gateway->phase < CYC_WORKER_ABORTING)
            phase_begin(gateway, CYC_WORKER_ABORTING);
        return;
    }
    uint32_t delay_ms = gateway->current->config->server.drain_delay_ms;
    __atomic_store_n(&gateway->shared.is_draining, 1, __ATOMIC_RELAXED);
    phase_begin(gateway, CYC_WORKER_DRAINING);
    cyc_sim_timer_set(gateway->run, gateway->io, &gateway->drain_timer, delay_ms);
}

bool cyc_sim_gateway_is_done(const struct sim_gateway *gateway)
{
    for (uint32_t w = 0; w < gateway->worker_count; w++)
        if (!gateway->workers[w].is_done)
            return false;
    return true;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void worker_prepare(struct sim_gateway *gateway, uint32_t index)
{
    struct sim_gateway_worker *gw = &gateway->workers[index];

    gw->party.turn = worker_turn;
    gw->gateway = gateway;
    gw->ring = cyc_log_ring_create(&gateway->mem, RING_BYTES);
    gateway->blocks[index] = cyc_stats_block_create();
    cyc_worker_init(&gw->worker, &(struct cyc_worker_setup){
                                     .index = index,
                                     .count = gateway->worker_count,
                                     .seed = cyc_rng_next(gateway->run->rng),
                                     .memory_limit_bytes = gateway->plan->memory_limit_bytes,
                                     .stats = gateway->blocks[index],
                                     .slots = &gateway->master.slots,
                                     .ring = gw->ring,
                                     .log_level = CYC_LEVEL_INFO,
                                     .log_format = CYC_LOG_TEXT,
                                     .is_access_logged = true,
                                     .control = &gateway->inbox,
                                     .wake_control = wake_control,
                                     .control_owner = gateway,
                                     .shared = &gateway->shared,
                                 });
}

static void worker_launch(struct sim_gateway *gateway, uint32_t index,
                          const struct cyc_config *config)
{
    struct sim_gateway_worker *gw = &gateway->workers[index];
    struct cyc_io_setup setup = {&gw->worker.mem, &gw->worker.pool, &config->network,
                                 &config->timer};

    cyc_worker_start(&gw->worker, cyc_io_sim_create(gateway->run->net, &setup, &gw->party));
}

static void control_start(struct sim_gateway *gateway)
{
    static const struct cyc_network_conf network = {.listen_backlog = 128};
    static const struct cyc_timer_conf timer = {.wheel_size = 256, .resolution_ms = 5};
    struct cyc_io_setup setup = {&gateway->mem, &gateway->pool, &network, &timer};
    struct cyc_hash_key key = {1, 2};

    cyc_buf_pool_init(&gateway->pool, &gateway->mem);
    gateway->io = cyc_io_sim_create(gateway->run->net, &setup, &gateway->party);
    gateway->master.registry = cyc_stats_registry_create(&gateway->mem, &key);
    cyc_master_register_core(&gateway->master);
}

void cyc_sim_gateway_start(struct sim_gateway *gateway, struct sim_run *run, struct sim_plan *plan)
{
    *gateway = (struct sim_gateway){
        .party = {control_turn}, .run = run, .plan = plan, .worker_count = plan->worker_count};
    cyc_timer_init(&gateway->drain_timer, drain_fire);
    control_start(gateway);
    gateway->shared.is_ready = 1;
    gateway->shared.worker_count = plan->worker_count;
    struct cyc_snapshot *snapshot = snapshot_load(gateway);
    for (uint32_t w = 0; w < plan->worker_count; w++)
        worker_prepare(gateway, w);
    for (uint32_t w = 0; w < plan->worker_count; w++)
        worker_launch(gateway, w, snapshot->config);
    publish(gateway, snapshot);
}

static void worker_end_check(struct sim_gateway_worker *gw)
{
    struct cyc_worker *worker = &gw->worker;
    struct sim_run *run = gw->gateway->run;

    if (worker->stream_slab.used_count > 0 || worker->downstream_slab.used_count > 0)
        cyc_sim_complain(run, "worker %u ends with %u streams and %u connections", worker->index,
                         worker->stream_slab.used_count, worker->downstream_slab.used_count);
    if (worker->io->in_flight_count > 0)
        cyc_sim_complain(run, "worker %u ends with %u ops in flight", worker->index,
                         worker->io->in_flight_count);
    if (worker->pool.segs.used_count > 0 || worker->pool.small.used_count > 0 ||
        worker->pool.large.used_count > 0)
        cyc_sim_complain(run, "worker %u ends with %u segments and %u + %u chunks", worker->index,
                         worker->pool.segs.used_count, worker->pool.small.used_count,
                         worker->pool.large.used_count);
}

static void worker_fini(struct sim_gateway_worker *gw)
{
    struct cyc_worker *worker = &gw->worker;

    letters_run(&worker->inbox, worker); /* posted when it had already left */
    worker_end_check(gw);
    cyc_worker_fini(worker);
    for (uint32_t kind = 0; kind < CYC_MEM_KIND_COUNT; kind++)
        if (worker->mem.kind_bytes[kind] > 0)
            cyc_sim_complain(gw->gateway->run, "worker %u leaves %llu bytes of %s", worker->index,
                             (unsigned long long)worker->mem.kind_bytes[kind],
                             cyc_mem_kind_name((enum cyc_mem_kind)kind));
}

void cyc_sim_gateway_fini(struct sim_gateway *gateway)
{
    struct sim_run *run = gateway->run;

    for (uint32_t w = 0; w < gateway->worker_count; w++)
        worker_fini(&gateway->workers[w]);
    letters_run(&gateway->inbox, gateway);
    if (gateway->snapshot_count > 0 || gateway->letter_count > 0)
        cyc_sim_complain(run, "%u snapshots and %u letters never came back",
                         gateway->snapshot_count, gateway->letter_count);
    cyc_sim_books_check(gateway);
    cyc_timer_cancel(&gateway->drain_timer);
    for (uint32_t w = 0; w < gateway->worker_count; w++) {
        cyc_log_ring_destroy(gateway->workers[w].ring);
        cyc_stats_block_destroy(gateway->blocks[w]);
    }
    cyc_stats_registry_destroy(gateway->master.registry);
    cyc_io_destroy(gateway->io);
    cyc_buf_pool_fini(&gateway->pool);
    if (gateway->mem.total_bytes > 0)
        cyc_sim_complain(run, "the control thread leaves %llu bytes",
                         (unsigned long long)gateway->mem.total_bytes);
}
