/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clusters come and go with configurations, endpoints with configurations and DNS; requests do not
 * notice. What is taken out of service is only marked; it is freed at the end of a turn, when
 * nothing points to it any more: so an endpoint lives through the callbacks of the turn its last
 * attempt ends.
 */
#include "upstream/cluster.h"

#include "base/assert.h"
#include "upstream/cluster_state.h"
#include "upstream/endpoint.h"
#include "upstream/pool.h"
#include "upstream/upstream_conn.h"

/* Free connection objects kept warm. */
#define CONN_KEEP_COUNT 64

/* ---- the whole ------------------------------------------------------------------------------- */

struct cyc_upstreams *cyc_upstreams_create(const struct cyc_upstream_env *env)
{
    struct cyc_upstreams *upstreams = cyc_mem_zalloc(env->mem, CYC_MEM_OTHER, sizeof(*upstreams));
    struct cyc_hash_key hash_key = {cyc_rng_next(env->rng), cyc_rng_next(env->rng)};

    cyc_assert(env->worker_count > 0);
    upstreams->env = *env;
    cyc_slab_init(&upstreams->conns, env->mem, CYC_MEM_CONNECTIONS,
                  sizeof(struct cyc_upstream_conn), (struct cyc_slab_limits){0, CONN_KEEP_COUNT});
    cyc_map_init(&upstreams->clusters, env->mem, CYC_MEM_OTHER, &hash_key, 0);
    cyc_list_init(&upstreams->due);
    cyc_list_init(&upstreams->idle);
    cyc_list_init(&upstreams->removed);
    cyc_list_init(&upstreams->dropped);
    return upstreams;
}

/** Process-wide limits are shared out; rounded up, so that nobody gets none. */
static uint32_t share_of(const struct cyc_upstreams *upstreams, uint32_t total)
{
    uint32_t worker_count = upstreams->env.worker_count;
    return total / worker_count + (total % worker_count != 0);
}

void cyc_upstreams_set_network(struct cyc_upstreams *upstreams,
                               const struct cyc_network_conf *network,
                               const struct cyc_codec_limits *limits)
{
    upstreams->limits = *limits;
    upstreams->is_pooling = network->is_connection_pooling;
    upstreams->idle_count_max = share_of(upstreams, network->connection_pool_size);
    upstreams->sock_options = (struct cyc_sock_options){
        .is_nodelay = network->is_tcp_nodelay,
        .is_keepalive = network->is_tcp_keepalive,
        .keepalive_idle_s = network->keepalive_idle_s,
        .keepalive_interval_s = network->keepalive_interval_s,
        .keepalive_probe_count = network->keepalive_probe_count,
        .buffer_bytes = network->socket_buffer_bytes,
    };
}

bool cyc_upstreams_is_idle(const struct cyc_upstreams *upstreams)
{
    return upstreams->conns.used_count == 0 && !cyc_upstreams_is_due(upstreams);
}

bool cyc_upstreams_is_due(const struct cyc_upstreams *upstreams)
{
    return !cyc_list_is_empty(&upstreams->due);
}

/** Closes the connections nobody uses or waits for. */
static void endpoint_close_unused(struct cyc_endpoint *endpoint)
{
    cyc_list_for_each (link, &endpoint->conns[CYC_UPSTREAM_IDLE])
        cyc_upstream_conn_close(cyc_container_of(link, struct cyc_upstream_conn, state_link));
    cyc_list_for_each (link, &endpoint->conns[CYC_UPSTREAM_CONNECTING]) {
        struct cyc_upstream_conn *uc = cyc_container_of(link, struct cyc_upstream_conn, state_link);
        if (uc->attempt == NULL)
            cyc_upstream_conn_close(uc);
    }
}

void cyc_upstreams_close(struct cyc_upstreams *upstreams)
{
    const struct cyc_map_entry *entry;
    uint32_t cursor = 0;

    upstreams->is_closing = true;
    while ((entry = cyc_map_next(&upstreams->clusters, &cursor)) != NULL) {
        const struct cyc_lb_set *set = &((struct cyc_cluster *)entry->value)->set;
        for (uint32_t i = 0; i < set->count; i++)
            endpoint_close_unused(set->endpoints[i]);
    }
}

/* ---- endpoints ------------------------------------------------------------------------------- */

static void endpoint_remove(struct cyc_endpoint *endpoint)
{
    struct cyc_upstreams *upstreams = endpoint->cluster->upstreams;

    endpoint->is_removed = true;
    cyc_list_add_back(&upstreams->removed, &endpoint->link);
    upstreams->is_reap_due = true;
    endpoint_close_unused(endpoint);
}

/** The endpoint of that address that no earlier entry took. Lists mostly keep their order, so the
 * one at `hint` is looked at first. */
static struct cyc_endpoint *set_find(const struct cyc_lb_set *set, const struct cyc_addr *addr,
                                     uint32_t hint)
{
    if (hint < set->count && !set->endpoints[hint]->is_kept &&
        cyc_addr_equal(&set->endpoints[hint]->addr, addr))
        return set->endpoints[hint];
    for (uint32_t i = 0; i < set->count; i++)
        if (!set->endpoints[i]->is_kept && cyc_addr_equal(&set->endpoints[i]->addr, addr))
            return set->endpoints[i];
    return NULL;
}

static void set_free(struct cyc_cluster *cluster)
{
    cyc_mem_free(cluster->upstreams->env.mem, CYC_MEM_OTHER, cluster->set.endpoints,
                 cluster->set.count * sizeof(cluster->set.endpoints[0]));
    cluster->set.endpoints = NULL;
    cluster->set.count = 0;
}

void cyc_cluster_set_endpoints(struct cyc_cluster *cluster, const struct cyc_endpoint_spec *specs,
                               uint32_t spec_count)
{
    struct cyc_lb_set *set = &cluster->set;
    struct cyc_endpoint **endpoints = NULL;

    if (spec_count > 0)
        endpoints = cyc_mem_alloc(cluster->upstreams->env.mem, CYC_MEM_OTHER,
                                  spec_count * sizeof(endpoints[0]));
    for (uint32_t i = 0; i < spec_count; i++) {
        endpoints[i] = set_find(set, &specs[i].addr, i);
        if (endpoints[i] != NULL) {
            endpoints[i]->is_kept = true;
            cyc_endpoint_update(endpoints[i], &specs[i]);
        } else {
            endpoints[i] = cyc_endpoint_create(cluster, &specs[i]);
        }
    }
    for (uint32_t i = 0; i < set->count; i++) {
        struct cyc_endpoint *endpoint = set->endpoints[i];
        if (!endpoint->is_kept)
            endpoint_remove(endpoint);
        endpoint->is_kept = false;
    }
    set_free(cluster);
    cluster->is_unresolved = false;
    set->endpoints = endpoints;
    set->count = spec_count;
    cyc_lb_set_update(set);
    if (spec_count == 0)
        cyc_pool_fail_waiting(cluster, CYC_FAIL_NO_ENDPOINT);
    else
        cyc_pool_serve(cluster);
}

/* ---- clusters -------------------------------------------------------------------------------- */

static struct cyc_cluster *cluster_create(struct cyc_upstreams *upstreams, struct cyc_span name)
{
    struct cyc_mem *mem = upstreams->env.mem;
    struct cyc_cluster *cluster = cyc_mem_zalloc(mem, CYC_MEM_OTHER, sizeof(*cluster));
    char *copy = cyc_mem_alloc(mem, CYC_MEM_OTHER, name.len + 1);

    memcpy(copy, name.ptr, name.len);
    copy[name.len] = '\0';
    cluster->name = cyc_span_of(copy, name.len);
    cluster->upstreams = upstreams;
    cluster->is_unresolved = true;
    cluster->set.rng = upstreams->env.rng;
    cluster->set.turn =
        (uint32_t)cyc_rng_next(upstreams->env.rng); /* workers do not march in step */
    cyc_list_init(&cluster->waiting);
    cyc_list_init(&cluster->link);
    cyc_map_put(&upstreams->clusters, cluster->name, cluster);
    return cluster;
}

static void cluster_destroy(struct cyc_cluster *cluster)
{
    struct cyc_mem *mem = cluster->upstreams->env.mem;

    cyc_assert(cluster->attempt_count == 0 && cluster->waiting_count == 0);
    cyc_assert(cluster->endpoint_count == 0 && cluster->set.count == 0);
    cyc_list_remove(&cluster->link);
    cyc_mem_free(mem, CYC_MEM_OTHER, (char *)(uintptr_t)cluster->name.ptr, cluster->name.len + 1);
    cyc_mem_free(mem, CYC_MEM_OTHER, cluster, sizeof(*cluster));
}

struct cyc_cluster *cyc_cluster_find(struct cyc_upstreams *upstreams, struct cyc_span name)
{
    return cyc_map_find(&upstreams->clusters, name);
}

struct cyc_cluster *cyc_cluster_adopt(struct cyc_upstreams *upstreams,
                                      const struct cyc_cluster_conf *conf,
                                      const struct cyc_upstream_slots *slots)
{
    struct cyc_cluster *cluster = cyc_cluster_find(upstreams, conf->name);
    struct cyc_stats_block *stats = upstreams->env.stats;

    if (cluster == NULL)
        cluster = cluster_create(upstreams, conf->name);
    cyc_stat_sub(stats, cluster->slots.pending, cluster->waiting_count);
    cyc_stat_add(stats, slots->pending, cluster->waiting_count);
    cluster->slots = *slots;
    cluster->lb = cyc_lb_at(conf->lb_policy);
    cluster->connect_timeout_ms = conf->connect_timeout_ms;
    cluster->pool = conf->pool;
    cluster->pool.max_per_endpoint = share_of(upstreams, conf->pool.max_per_endpoint);
    cluster->pool.max_pending = share_of(upstreams, conf->pool.max_pending);
    cyc_pool_serve(cluster);
    return cluster;
}

void cyc_cluster_drop(struct cyc_cluster *cluster)
{
    struct cyc_upstreams *upstreams = cluster->upstreams;

    cyc_assert(!cluster->is_dropped);
    cyc_map_remove(&upstreams->clusters, cluster->name);
    cluster->is_dropped = true;
    cyc_list_add_back(&upstreams->dropped, &cluster->link);
    upstreams->is_reap_due = true;
    cyc_cluster_set_endpoints(cluster, NULL, 0);
}

uint32_t cyc_cluster_endpoint_count(const struct cyc_cluster *cluster)
{
    return cluster->set.count;
}

struct cyc_span cyc_cluster_name(const struct cyc_cluster *cluster)
{
    return cluster->name;
}

/* ---- the end of a turn ----------------------------------------------------------------------- */

/** Frees what is out of service and out of use. */
static void reap(struct cyc_upstreams *upstreams)
{
    upstreams->is_reap_due = false;
    cyc_list_for_each (link, &upstreams->removed) {
        struct cyc_endpoint *endpoint = cyc_container_of(link, struct cyc_endpoint, link);
        if (endpoint->active_count == 0 && cyc_endpoint_conn_count(endpoint) == 0)
            cyc_endpoint_destroy(endpoint);
    }
    cyc_list_for_each (link, &upstreams->dropped) {
        struct cyc_cluster *cluster = cyc_container_of(link, struct cyc_cluster, link);
        if (cluster->attempt_count == 0 && cluster->endpoint_count == 0)
            cluster_destroy(cluster);
    }
}

void cyc_upstreams_run(struct cyc_upstreams *upstreams)
{
    struct cyc_list *link;

    /* Ends: an attempt that fails here again was started again, and its owner counts its tries. */
    while ((link = cyc_list_take_front(&upstreams->due)) != NULL) {
        struct cyc_attempt *attempt = cyc_container_of(link, struct cyc_attempt, link);
        attempt->lease_vt->on_due(attempt);
    }
    if (CYC_UNLIKELY(upstreams->is_reap_due))
        reap(upstreams);
}

void cyc_upstreams_destroy(struct cyc_upstreams *upstreams)
{
    const struct cyc_map_entry *entry;
    uint32_t cursor = 0;

    cyc_assert(cyc_upstreams_is_idle(upstreams));
    while ((entry = cyc_map_next(&upstreams->clusters, &cursor)) != NULL) {
        cyc_cluster_drop(entry->value);
        cursor = 0; /* the map has changed */
    }
    reap(upstreams);
    cyc_assert(cyc_list_is_empty(&upstreams->dropped));
    cyc_map_fini(&upstreams->clusters);
    cyc_slab_fini(&upstreams->conns);
    cyc_mem_free(upstreams->env.mem, CYC_MEM_OTHER, upstreams, sizeof(*upstreams));
}
