/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The course of a life:
 *
 *   ASKING    clients ask, faults strike, the configuration changes; for a few seconds, then
 *   HEALING   nothing goes wrong any more: everything under way must end, well or not
 *   PROBING   new requests to every route: all must succeed, the gateway has recovered
 *   SETTLING  nobody is there any more, so no connection may be, even where links are dead
 *   DRAINING  SIGTERM, until the workers have left (in some lives right in the middle of ASKING)
 *   LEAVING   services and clients go home
 *
 * Time is virtual and jumps from event to event. Whose turn it is among those with something to do
 * is for the seed to say, so workers, clients and services interleave in every order.
 */
#include "tests/sim/sim_life.h"

#include "base/assert.h"
#include "tests/sim/sim_client.h"

#include <string.h>

#define ASKING_MS 4000
/* Whatever is under way must have ended by then. Calm configurations are patient (60 s, twice in a
 * row); in a storm clients whose link is dead, or who read by the drop, give up after 20 s each
 * time. */
#define STAGE_MS_MAX 150000
#define STAGE_STORM_MS_MAX 100000
/* Idle connections to services may be dead links: until the pool has let them go (4 s). */
#define RECOVER_MS 12000
/* Longer than the clocks of the listeners in a storm, with the lingering after each. */
#define SETTLE_MS 15000
/* So many turns without time moving on: somebody is woken for nothing. */
#define IDLE_TURN_COUNT_MAX 20000

enum stage {
    STAGE_ASKING,
    STAGE_HEALING,
    STAGE_PROBING,
    STAGE_SETTLING,
    STAGE_DRAINING,
    STAGE_LEAVING,
    STAGE_OVER
};

struct life {
    struct sim_run run;
    struct sim_plan plan;
    struct sim_ledger ledger;
    struct sim_gateway gateway;
    struct sim_service services[CYC_SIM_SERVICE_COUNT_MAX];
    struct sim_host client_hosts[2], stage_host;
    struct sim_client clients[CYC_SIM_CLIENT_COUNT_MAX + 1]; /* the last one probes */
    uint32_t client_count;
    struct cyc_timer operation_timer, stage_timer;
    uint32_t operations_left, reload_count;
    enum stage stage;
    uint64_t stage_end_ns;
    uint64_t turn_count;
    uint64_t still_ns, still_turn_count; /* since when time stands still */
    bool is_stage_time_over;
};

/* ---- operations ------------------------------------------------------------------------------ */

static void operation_schedule(struct life *life)
{
    if (life->operations_left == 0)
        return;
    life->operations_left--;
    cyc_sim_timer_set(&life->run, life->stage_host.io, &life->operation_timer,
                      cyc_sim_below(&life->run, 600));
}

static void operation_fire(struct cyc_timer *timer)
{
    struct life *life = cyc_container_of(timer, struct life, operation_timer);

    if (life->stage != STAGE_ASKING)
        return;
    if (life->operations_left == 0 && life->plan.is_drained_early) {
        cyc_sim_gateway_drain(&life->gateway);
        life->operations_left = life->plan.is_drained_twice;
        life->plan.is_drained_twice = false;
    } else if (cyc_sim_chance(&life->run, 300)) {
        cyc_sim_gateway_change_endpoints(&life->gateway);
    } else {
        cyc_sim_plan_change(&life->plan, &life->run);
        cyc_sim_gateway_reload(&life->gateway);
        life->reload_count++;
    }
    operation_schedule(life);
}

/* ---- stages ---------------------------------------------------------------------------------- */

static void stage_fire(struct cyc_timer *timer)
{
    cyc_container_of(timer, struct life, stage_timer)->is_stage_time_over = true;
}

static uint64_t stage_ms_max(const struct life *life)
{
    return life->plan.weather == SIM_WEATHER_STORM ? STAGE_STORM_MS_MAX : STAGE_MS_MAX;
}

static void stage_begin(struct life *life, enum stage stage, uint64_t at_least_ms)
{
    static const char *const names[] = {"asking",   "healing", "probing", "settling",
                                        "draining", "leaving", "over"};

    life->stage = stage;
    life->stage_end_ns = cyc_sim_net_now_ns(life->run.net) + stage_ms_max(life) * CYC_NS_PER_MS;
    life->is_stage_time_over = false;
    cyc_sim_timer_set(&life->run, life->stage_host.io, &life->stage_timer, at_least_ms);
    cyc_sim_trace(&life->run, "---- %s", names[stage]);
}

static bool clients_are_finished(const struct life *life)
{
    for (uint32_t i = 0; i < life->client_count; i++)
        if (!cyc_sim_client_is_finished(&life->clients[i]))
            return false;
    return true;
}

static bool services_are_gone(const struct life *life)
{
    for (uint32_t i = 0; i < life->plan.service_count; i++)
        if (!cyc_sim_service_is_gone(&life->services[i]))
            return false;
    return true;
}

static void heal(struct life *life)
{
    struct cyc_sim_faults faults = cyc_sim_plan_calm_faults(&life->plan);

    cyc_sim_net_set_faults(life->run.net, &faults);
    life->run.is_healed = true;
    for (uint32_t i = 0; i < life->plan.service_count; i++)
        life->services[i].mischief_permille = life->services[i].idle_close_permille = 0;
    stage_begin(life, STAGE_HEALING, RECOVER_MS);
}

/** Is there somebody at each address the configuration names, and room for them? */
static bool is_probe_fair(const struct life *life)
{
    for (uint32_t i = 0; i < life->plan.service_count; i++)
        if (life->plan.presences[i] != SIM_PRESENCE_THERE)
            return false;
    /* A tunnel on a dead link keeps its connection for an hour. */
    bool may_be_narrow = life->plan.faults.stall_permille == 0;
    for (uint32_t i = 0; i < life->plan.config.cluster_count; i++) {
        const struct sim_cluster_plan *cluster = &life->plan.config.clusters[i];
        if (cluster->max_pending < CYC_SIM_GROUP_COUNT ||
            (cluster->max_per_endpoint <= CYC_SIM_CLIENT_COUNT_MAX && !may_be_narrow))
            return false;
    }
    return life->plan.memory_limit_bytes == 0;
}

static void probe(struct life *life)
{
    stage_begin(life, STAGE_PROBING, 0);
    if (life->gateway.phase != CYC_WORKER_RUNNING || !is_probe_fair(life))
        return;
    cyc_sim_gateway_reload(&life->gateway); /* brings back endpoints that were taken away */
    struct sim_client *client = &life->clients[life->client_count];
    cyc_sim_client_start_probe(client, &life->client_hosts[0], &life->gateway, &life->ledger,
                               life->client_count++);
}

static void drain(struct life *life)
{
    cyc_sim_gateway_check_settled(&life->gateway);
    if (life->gateway.phase == CYC_WORKER_RUNNING)
        cyc_sim_gateway_drain(&life->gateway);
    stage_begin(life, STAGE_DRAINING, 0);
}

static void services_stop(struct life *life)
{
    for (uint32_t i = 0; i < life->plan.service_count; i++)
        cyc_sim_service_stop(&life->services[i]);
    stage_begin(life, STAGE_LEAVING, 0);
}

/* cyc-size: switch over the stages, two lines each */
static void stage_step(struct life *life)
{
    bool is_asked = clients_are_finished(life);

    switch (life->stage) {
    case STAGE_ASKING:
        if (is_asked || life->is_stage_time_over)
            heal(life);
        break;
    case STAGE_HEALING:
        if (is_asked && life->is_stage_time_over)
            probe(life);
        break;
    case STAGE_PROBING:
        if (is_asked)
            stage_begin(life, STAGE_SETTLING, SETTLE_MS);
        break;
    case STAGE_SETTLING:
        if (life->is_stage_time_over)
            drain(life);
        break;
    case STAGE_DRAINING:
        if (cyc_sim_gateway_is_done(&life->gateway))
            services_stop(life);
        break;
    case STAGE_LEAVING:
        if (services_are_gone(life))
            life->stage = STAGE_OVER;
        break;
    case STAGE_OVER:
        break;
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

static void life_begin(struct life *life, uint64_t seed, enum sim_telling telling)
{
    struct cyc_sim_faults none = {0};

    life->run.is_verbose = telling >= SIM_TELLING_STORY;
    cyc_sim_run_init(&life->run, seed, &none);
    cyc_sim_net_set_logged(life->run.net, telling == SIM_TELLING_OPS);
    cyc_sim_plan_draw(&life->plan, life->run.rng);
    cyc_sim_net_set_faults(life->run.net, &life->plan.faults);
    life->run.is_calm = life->plan.weather == SIM_WEATHER_CALM;
    cyc_sim_ledger_init(&life->ledger, &life->run);
    life->ledger.idempotent_arrivals_max = 1 + CYC_SIM_RETRY_COUNT_MAX + 1;
    cyc_sim_host_init(&life->stage_host, &life->run);
    for (uint32_t i = 0; i < 2; i++)
        cyc_sim_host_init(&life->client_hosts[i], &life->run);
    for (uint32_t i = 0; i < life->plan.service_count; i++) {
        struct sim_service *service = &life->services[i];
        cyc_sim_service_start(service, &life->run, &life->ledger, i, life->plan.presences[i]);
        service->mischief_permille = life->plan.mischief_permille;
        service->idle_close_permille = life->plan.idle_close_permille;
    }
    cyc_sim_gateway_start(&life->gateway, &life->run, &life->plan);
    life->client_count = life->plan.client_count;
    for (uint32_t i = 0; i < life->client_count; i++)
        cyc_sim_client_start(&life->clients[i], &life->client_hosts[i % 2], &life->gateway,
                             &life->ledger, i);
    cyc_timer_init(&life->operation_timer, operation_fire);
    cyc_timer_init(&life->stage_timer, stage_fire);
    life->operations_left = life->plan.operation_count;
    operation_schedule(life);
    stage_begin(life, STAGE_ASKING, ASKING_MS);
}

static bool is_spinning(struct life *life)
{
    uint64_t now_ns = cyc_sim_net_now_ns(life->run.net);

    life->turn_count++;
    if (now_ns != life->still_ns) {
        life->still_ns = now_ns;
        life->still_turn_count = 0;
    }
    return ++life->still_turn_count > IDLE_TURN_COUNT_MAX;
}

/** @return false when it hangs, and the rest cannot be taken apart */
static bool life_live(struct life *life)
{
    struct cyc_io *io;

    while (life->stage != STAGE_OVER) {
        io = cyc_sim_net_pick(life->run.net, life->stage_end_ns);
        if (io == NULL || is_spinning(life)) {
            cyc_sim_complain(&life->run, "%s in stage %d (%u requests open)",
                             io == NULL ? "nothing moves any more" : "turns for nothing",
                             (int)life->stage, life->ledger.open_count);
            return false;
        }
        struct sim_party *party = cyc_io_sim_owner(io);
        party->turn(party);
        stage_step(life);
    }
    return true;
}

static void life_end(struct life *life)
{
    cyc_sim_ledger_check(&life->ledger);
    cyc_sim_gateway_fini(&life->gateway);
    for (uint32_t i = 0; i < life->plan.service_count; i++)
        cyc_sim_service_fini(&life->services[i]);
    for (uint32_t i = 0; i < 2; i++)
        cyc_sim_host_fini(&life->client_hosts[i]);
    cyc_timer_cancel(&life->operation_timer);
    cyc_timer_cancel(&life->stage_timer);
    cyc_sim_host_fini(&life->stage_host);
    cyc_sim_ledger_fini(&life->ledger);
    cyc_sim_run_fini(&life->run);
}

static void result_fill(const struct life *life, struct sim_life_result *result)
{
    result->request_count = life->ledger.request_count;
    result->answered_count = life->ledger.outcome_counts[SIM_OUTCOME_ANSWERED];
    result->reload_count = life->reload_count;
    result->turn_count = life->turn_count;
    for (uint32_t w = 0; w < life->plan.worker_count; w++)
        if (life->gateway.workers[w].buffer_bytes_peak > result->buffer_bytes_peak)
            result->buffer_bytes_peak = life->gateway.workers[w].buffer_bytes_peak;
}

struct sim_life_result cyc_sim_life(uint64_t seed, enum sim_telling telling)
{
    struct cyc_mem mem = {0};
    struct life *life = cyc_mem_zalloc(&mem, CYC_MEM_OTHER, sizeof(*life));
    struct sim_life_result result = {0};

    life_begin(life, seed, telling);
    bool is_whole = life_live(life);
    result_fill(life, &result);
    result.trace_hash = life->run.hash ^ cyc_sim_net_trace_hash(life->run.net);
    if (is_whole)
        life_end(life);
    result.complaint_count = life->run.complaint_count;
    cyc_mem_free(&mem, CYC_MEM_OTHER, life, sizeof(*life));
    return result;
}
