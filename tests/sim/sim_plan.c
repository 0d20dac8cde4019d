/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/sim_plan.h"

#include <stdarg.h>
#include <stdio.h>

#define YAML_BYTES_MAX 8192
#define PORT_FIRST 8001
#define REOPEN_MS_MIN 400

enum feature {
    FEATURE_REQUEST_ID = 1,
    FEATURE_HEADERS = 2,
    FEATURE_SECURITY = 4,
    FEATURE_NO_POOLING = 8,
};

size_t cyc_sim_listener_address(uint32_t index, char out[32])
{
    return (size_t)snprintf(out, 32, "10.8.0.1:%u", PORT_FIRST + index);
}

/* ---- drawing --------------------------------------------------------------------------------- */

static uint32_t between(struct cyc_rng *rng, uint32_t min, uint32_t max)
{
    return min + (uint32_t)cyc_rng_below(rng, max - min + 1);
}

/** A chance that is 0 in half of the runs. */
static uint32_t chance_draw(struct cyc_rng *rng, uint32_t permille_max)
{
    return cyc_rng_chance_permille(rng, 500) ? (uint32_t)cyc_rng_below(rng, permille_max + 1) : 0;
}

static void faults_draw(struct sim_plan *plan, struct cyc_rng *rng)
{
    struct cyc_sim_faults *faults = &plan->faults;

    faults->latency_us_max = cyc_rng_chance_permille(rng, 800) ? between(rng, 0, 3000) : 0;
    faults->short_io_permille = (uint32_t)cyc_rng_below(rng, 700);
    if (plan->weather == SIM_WEATHER_CALM)
        return;
    plan->mischief_permille = between(rng, 20, 300);
    plan->idle_close_permille = chance_draw(rng, 400);
    if (plan->weather == SIM_WEATHER_SERVICES)
        return;
    faults->buffer_permille = chance_draw(rng, 100);
    faults->reset_permille = chance_draw(rng, 30);
    faults->refuse_permille = chance_draw(rng, 200);
    faults->blackhole_permille = chance_draw(rng, 50);
    faults->stall_permille = chance_draw(rng, 50);
    faults->accept_error_permille = chance_draw(rng, 200);
    if (cyc_rng_chance_permille(rng, 300))
        plan->memory_limit_bytes = between(rng, 150, 1500) * 1024;
}

static void presences_draw(struct sim_plan *plan, struct cyc_rng *rng)
{
    for (uint32_t i = 0; i < plan->service_count; i++) {
        plan->presences[i] = SIM_PRESENCE_THERE;
        if (plan->weather == SIM_WEATHER_STORM && cyc_rng_chance_permille(rng, 150))
            plan->presences[i] =
                cyc_rng_chance_permille(rng, 500) ? SIM_PRESENCE_ABSENT : SIM_PRESENCE_DEAF;
    }
}

/** Mostly a new name, sometimes one that was in use before. */
static uint32_t number_draw(struct sim_config_plan *config, struct cyc_rng *rng)
{
    uint32_t number = (uint32_t)cyc_rng_below(rng, config->next_cluster_number + 1);

    for (uint32_t i = 0; i < config->cluster_count; i++)
        if (config->clusters[i].number == number)
            number = config->next_cluster_number;
    if (number == config->next_cluster_number)
        config->next_cluster_number++;
    return number;
}

static void cluster_draw(struct sim_plan *plan, struct cyc_rng *rng,
                         struct sim_cluster_plan *cluster)
{
    bool is_narrow = plan->weather == SIM_WEATHER_STORM && cyc_rng_chance_permille(rng, 300);

    cluster->number = number_draw(&plan->config, rng);
    cluster->services = between(rng, 1, (1u << plan->service_count) - 1);
    cluster->policy = (uint32_t)cyc_rng_below(rng, 3);
    cluster->max_per_endpoint = cyc_rng_chance_permille(rng, 500) ? between(rng, 1, 4) : 100;
    cluster->max_idle = cyc_rng_chance_permille(rng, 300) ? between(rng, 0, 2) : 16;
    cluster->max_pending = is_narrow ? between(rng, 0, 3) : 100;
    cluster->max_requests = cyc_rng_chance_permille(rng, 200) ? between(rng, 1, 4) : 0;
}

static void groups_draw(struct sim_config_plan *config, struct cyc_rng *rng)
{
    for (uint32_t i = 0; i < CYC_SIM_GROUP_COUNT; i++)
        config->group_clusters[i] = (uint32_t)cyc_rng_below(rng, config->cluster_count);
}

static void config_draw(struct sim_plan *plan, struct cyc_rng *rng)
{
    struct sim_config_plan *config = &plan->config;

    for (uint32_t i = 0; i < CYC_SIM_LISTENER_COUNT_MAX; i++)
        config->listeners[i] = cyc_rng_chance_permille(rng, 500);
    config->listeners[cyc_rng_below(rng, CYC_SIM_LISTENER_COUNT_MAX)] = true;
    uint32_t cluster_count = between(rng, 1, CYC_SIM_CLUSTER_COUNT_MAX);
    for (uint32_t i = 0; i < cluster_count; i++) {
        cluster_draw(plan, rng, &config->clusters[i]);
        config->cluster_count++;
    }
    groups_draw(config, rng);
    config->retry_count = (uint32_t)cyc_rng_below(rng, CYC_SIM_RETRY_COUNT_MAX + 1);
    config->features = (uint32_t)cyc_rng_below(rng, 16);
    config->max_requests = cyc_rng_chance_permille(rng, 200) ? between(rng, 1, 5) : 0;
    /* Not with dead links: a tunnel on one is kept for an hour, and would be all there may be. */
    bool may_limit = plan->weather == SIM_WEATHER_STORM && plan->faults.stall_permille == 0;
    if (may_limit && cyc_rng_chance_permille(rng, 200))
        config->max_connections = between(rng, 1, 3);
}

void cyc_sim_plan_draw(struct sim_plan *plan, struct cyc_rng *rng)
{
    static const enum sim_weather weathers[] = {SIM_WEATHER_CALM, SIM_WEATHER_SERVICES,
                                                SIM_WEATHER_STORM, SIM_WEATHER_STORM};

    *plan = (struct sim_plan){.weather = weathers[cyc_rng_below(rng, 4)]};
    plan->worker_count = between(rng, 1, CYC_SIM_WORKER_COUNT_MAX);
    plan->service_count = between(rng, 1, CYC_SIM_SERVICE_COUNT_MAX);
    plan->client_count = between(rng, 1, CYC_SIM_CLIENT_COUNT_MAX);
    plan->operation_count = (uint32_t)cyc_rng_below(rng, 7);
    plan->is_drained_early = cyc_rng_chance_permille(rng, 300);
    plan->is_drained_twice =
        plan->weather == SIM_WEATHER_STORM && cyc_rng_chance_permille(rng, 300);
    faults_draw(plan, rng);
    presences_draw(plan, rng);
    config_draw(plan, rng);
}

struct cyc_sim_faults cyc_sim_plan_calm_faults(const struct sim_plan *plan)
{
    return (struct cyc_sim_faults){
        .latency_us_max = plan->faults.latency_us_max,
        .short_io_permille = plan->faults.short_io_permille,
    };
}

/* ---- changing -------------------------------------------------------------------------------- */

static void clusters_change(struct sim_plan *plan, struct sim_run *run)
{
    struct sim_config_plan *config = &plan->config;
    uint32_t at = (uint32_t)cyc_sim_below(run, config->cluster_count);

    if (config->cluster_count < CYC_SIM_CLUSTER_COUNT_MAX && cyc_sim_chance(run, 300))
        cluster_draw(plan, run->rng, &config->clusters[config->cluster_count++]);
    else if (config->cluster_count > 1 && cyc_sim_chance(run, 300))
        config->clusters[at] = config->clusters[--config->cluster_count];
    else if (cyc_sim_chance(run, 300))
        cluster_draw(plan, run->rng, &config->clusters[at]); /* another one in its place */
    else
        config->clusters[at].services =
            (uint32_t)cyc_sim_between(run, 1, (1u << plan->service_count) - 1);
    groups_draw(config, run->rng);
}

static void listeners_change(struct sim_config_plan *config, struct sim_run *run)
{
    uint32_t at = (uint32_t)cyc_sim_below(run, CYC_SIM_LISTENER_COUNT_MAX), count = 0;

    /* The old socket goes on accepting for a moment, and what is in its queue when it closes is
     * reset by the kernel: a new one beside it cannot help that. */
    if (!config->listeners[at] && cyc_sim_now_ms(run) < config->removed_ms[at] + REOPEN_MS_MIN)
        return;
    config->removed_ms[at] = cyc_sim_now_ms(run);
    config->listeners[at] = !config->listeners[at];
    for (uint32_t i = 0; i < CYC_SIM_LISTENER_COUNT_MAX; i++)
        count += config->listeners[i];
    if (count == 0)
        config->listeners[(at + 1) % CYC_SIM_LISTENER_COUNT_MAX] = true;
}

void cyc_sim_plan_change(struct sim_plan *plan, struct sim_run *run)
{
    struct sim_config_plan *config = &plan->config;

    switch (cyc_sim_below(run, 5)) {
    case 0:
        groups_draw(config, run->rng);
        break;
    case 1:
    case 2:
        clusters_change(plan, run);
        break;
    case 3:
        listeners_change(config, run);
        break;
    default:
        config->features = (uint32_t)cyc_sim_below(run, 16);
        config->retry_count = (uint32_t)cyc_sim_below(run, CYC_SIM_RETRY_COUNT_MAX + 1);
        break;
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

struct yaml {
    size_t len;
    char text[YAML_BYTES_MAX];
};

__attribute__((format(printf, 2, 3))) static void put(struct yaml *yaml, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    yaml->len +=
        (size_t)vsnprintf(yaml->text + yaml->len, sizeof(yaml->text) - yaml->len, format, args);
    va_end(args);
}

/** Calm runs may take their time, so that nothing but a bug runs out of it. */
static void listeners_put(struct yaml *yaml, const struct sim_plan *plan)
{
    bool is_patient = plan->weather != SIM_WEATHER_STORM;
    char address[32];

    put(yaml, "listeners:\n");
    for (uint32_t i = 0; i < CYC_SIM_LISTENER_COUNT_MAX; i++) {
        if (!plan->config.listeners[i])
            continue;
        cyc_sim_listener_address(i, address);
        put(yaml, "  l%u:\n    address: %s\n    max_requests: %u\n    max_connections: %u\n", i,
            address, plan->config.max_requests, plan->config.max_connections);
        put(yaml, "    timeouts: { header: %s, body_idle: %s, idle: %s, write_idle: %s }\n",
            is_patient ? "60s" : "2s", is_patient ? "60s" : "2s", is_patient ? "60s" : "5s",
            is_patient ? "60s" : "3s");
    }
}

static void routes_put(struct yaml *yaml, const struct sim_plan *plan)
{
    const struct sim_config_plan *config = &plan->config;
    bool is_patient = plan->weather != SIM_WEATHER_STORM;

    put(yaml, "defaults:\n  timeout: %s\n  retry: { attempts: %u, on: [connect, reset] }\n",
        is_patient ? "60s" : "4s", config->retry_count);
    put(yaml, "  first_byte_timeout: %s\n", plan->weather == SIM_WEATHER_CALM ? "60s" : "3s");
    put(yaml, "  request_id: %s\n  security_headers: %s\n",
        config->features & FEATURE_REQUEST_ID ? "always" : "off",
        config->features & FEATURE_SECURITY ? "strict" : "false");
    if (config->features & FEATURE_HEADERS)
        put(yaml, "  request_headers: { set: { X-Edited: \"%%{client_ip} %%{path}\" } }\n"
                  "  response_headers: { add: { X-Edited: \"%%{status}\" }, remove: [Server] }\n");
    put(yaml, "routes:\n");
    for (uint32_t i = 0; i < CYC_SIM_GROUP_COUNT; i++)
        put(yaml, "  - { name: g%u, path: /s/%u/*, to: c%u }\n", i, i,
            config->clusters[config->group_clusters[i]].number);
    put(yaml, "  - { name: fixed, path: /fixed, respond: { status: 200, body: \"fixed\" } }\n");
    for (uint32_t i = 0; i < config->cluster_count; i++) /* so that all are in use */
        put(yaml, "  - { name: c%u, path: /never/c%u, to: c%u }\n", config->clusters[i].number,
            config->clusters[i].number, config->clusters[i].number);
}

static void clusters_put(struct yaml *yaml, const struct sim_plan *plan)
{
    static const char *const policies[] = {"least_request", "round_robin", "random"};
    bool is_patient = plan->weather != SIM_WEATHER_STORM;
    char address[32];

    put(yaml, "clusters:\n");
    for (uint32_t i = 0; i < plan->config.cluster_count; i++) {
        const struct sim_cluster_plan *cluster = &plan->config.clusters[i];
        put(yaml, "  c%u:\n    load_balancing: %s\n    connect_timeout: %s\n", cluster->number,
            policies[cluster->policy], is_patient ? "10s" : "300ms");
        put(yaml, "    pool: { max_per_endpoint: %u, max_idle: %u, idle_timeout: 4s, ",
            cluster->max_per_endpoint, cluster->max_idle);
        put(yaml, "max_requests: %u, max_pending: %u, pending_timeout: %s }\n",
            cluster->max_requests, cluster->max_pending, is_patient ? "60s" : "1s");
        put(yaml, "    endpoints:\n");
        for (uint32_t s = 0; s < plan->service_count; s++) {
            if (!(cluster->services >> s & 1))
                continue;
            cyc_sim_service_address(s, address);
            put(yaml, "      - { address: %s, weight: %u }\n", address, 50 + s * 50);
        }
    }
}

struct cyc_span cyc_sim_plan_yaml(const struct sim_plan *plan, struct cyc_arena *arena)
{
    struct yaml yaml = {.len = 0};

    put(&yaml, "server: { worker_threads: %u, watch: false, drain_delay: 300ms, ",
        plan->worker_count);
    put(&yaml, "shutdown_grace: %s }\n", plan->weather == SIM_WEATHER_STORM ? "6s" : "120s");
    put(&yaml, "network: { enable_connection_pooling: %s }\n",
        plan->config.features & FEATURE_NO_POOLING ? "false" : "true");
    put(&yaml, "admin: { enabled: false }\n");
    listeners_put(&yaml, plan);
    routes_put(&yaml, plan);
    clusters_put(&yaml, plan);
    return cyc_arena_copy(arena, cyc_span_of(yaml.text, yaml.len));
}
