/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the seed decides beforehand: who takes part, what may go wrong, and the configuration with
 * its changes.
 *
 * Some runs are calm (nothing goes wrong, so nothing may fail), some have misbehaving services on a
 * sound network (only requests that met one may fail), the rest have everything.
 */
#ifndef CYC_TESTS_SIM_SIM_PLAN_H
#define CYC_TESTS_SIM_SIM_PLAN_H

#include "base/arena.h"
#include "tests/sim/sim_service.h"

#define CYC_SIM_WORKER_COUNT_MAX 3
#define CYC_SIM_SERVICE_COUNT_MAX 4
#define CYC_SIM_CLIENT_COUNT_MAX 8
#define CYC_SIM_LISTENER_COUNT_MAX 3
#define CYC_SIM_GROUP_COUNT 3
#define CYC_SIM_CLUSTER_COUNT_MAX 4
/** retry.attempts is never more in any configuration of a run. */
#define CYC_SIM_RETRY_COUNT_MAX 2

enum sim_weather { SIM_WEATHER_CALM, SIM_WEATHER_SERVICES, SIM_WEATHER_STORM };

struct sim_cluster_plan {
    uint32_t number;   /* its name: c<number> */
    uint32_t services; /* bit mask */
    uint32_t policy;
    uint32_t max_per_endpoint, max_idle, max_pending, max_requests;
};

/** One configuration. */
struct sim_config_plan {
    bool listeners[CYC_SIM_LISTENER_COUNT_MAX]; /* which are there; at least one */
    uint64_t removed_ms[CYC_SIM_LISTENER_COUNT_MAX];
    struct sim_cluster_plan clusters[CYC_SIM_CLUSTER_COUNT_MAX];
    uint32_t cluster_count, next_cluster_number;
    uint32_t group_clusters[CYC_SIM_GROUP_COUNT]; /* index of the cluster each group goes to */
    uint32_t retry_count;
    uint32_t features;     /* bits: filters that are on */
    uint32_t max_requests; /* per client connection; 0: unlimited */
    uint32_t max_connections;
};

struct sim_plan {
    enum sim_weather weather;
    uint32_t worker_count, service_count, client_count;
    enum sim_presence presences[CYC_SIM_SERVICE_COUNT_MAX];
    struct cyc_sim_faults faults;
    uint32_t mischief_permille, idle_close_permille;
    uint64_t memory_limit_bytes; /* of a worker; 0: none */
    uint32_t operation_count;    /* reloads and endpoint changes */
    bool is_drained_early;       /* while clients still ask */
    bool is_drained_twice;       /* and then at once */
    struct sim_config_plan config;
};

void cyc_sim_plan_draw(struct sim_plan *plan, struct cyc_rng *rng);
/** The faults of a calm network with that plan: it is slow and cuts, but loses nothing. */
struct cyc_sim_faults cyc_sim_plan_calm_faults(const struct sim_plan *plan);
/** The next configuration: clusters, endpoints, routes, filters or listeners are other ones. */
void cyc_sim_plan_change(struct sim_plan *plan, struct sim_run *run);
/** The configuration as a document. */
struct cyc_span cyc_sim_plan_yaml(const struct sim_plan *plan, struct cyc_arena *arena);
/** "10.8.0.1:<port>" */
size_t cyc_sim_listener_address(uint32_t index, char out[32]);

#endif
