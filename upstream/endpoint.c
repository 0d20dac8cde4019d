/* SPDX-License-Identifier: Apache-2.0 */
#include "upstream/endpoint.h"

#include "base/assert.h"
#include "upstream/cluster_state.h"

static struct cyc_stats_block *stats_of(const struct cyc_endpoint *endpoint)
{
    return endpoint->cluster->upstreams->env.stats;
}

static struct cyc_mem *mem_of(const struct cyc_endpoint *endpoint)
{
    return endpoint->cluster->upstreams->env.mem;
}

static uint32_t weight_of(const struct cyc_endpoint_spec *spec)
{
    return spec->weight > 0 ? spec->weight : 1;
}

static struct cyc_span authority_copy(struct cyc_mem *mem, struct cyc_span authority)
{
    if (authority.len == 0)
        return (struct cyc_span){NULL, 0};
    char *copy = cyc_mem_alloc(mem, CYC_MEM_OTHER, authority.len);
    memcpy(copy, authority.ptr, authority.len);
    return cyc_span_of(copy, authority.len);
}

static void authority_free(struct cyc_mem *mem, struct cyc_span authority)
{
    cyc_mem_free(mem, CYC_MEM_OTHER, (char *)(uintptr_t)authority.ptr, authority.len);
}

struct cyc_endpoint *cyc_endpoint_create(struct cyc_cluster *cluster,
                                         const struct cyc_endpoint_spec *spec)
{
    struct cyc_mem *mem = cluster->upstreams->env.mem;
    struct cyc_endpoint *endpoint = cyc_mem_zalloc(mem, CYC_MEM_OTHER, sizeof(*endpoint));

    endpoint->cluster = cluster;
    endpoint->weight = weight_of(spec);
    endpoint->slots = spec->slots;
    endpoint->addr = spec->addr;
    endpoint->authority = authority_copy(mem, spec->authority);
    endpoint->text =
        cyc_span_of(endpoint->text_bytes, cyc_addr_format(&spec->addr, endpoint->text_bytes));
    for (int state = 0; state < CYC_UPSTREAM_STATE_COUNT; state++)
        cyc_list_init(&endpoint->conns[state]);
    cyc_list_init(&endpoint->link);
    cluster->endpoint_count++;
    return endpoint;
}

void cyc_endpoint_destroy(struct cyc_endpoint *endpoint)
{
    cyc_assert(endpoint->active_count == 0);
    cyc_assert(cyc_endpoint_conn_count(endpoint) == 0);
    cyc_assert(endpoint->cluster->endpoint_count > 0);

    struct cyc_mem *mem = mem_of(endpoint);
    endpoint->cluster->endpoint_count--;
    cyc_list_remove(&endpoint->link);
    authority_free(mem, endpoint->authority);
    cyc_mem_free(mem, CYC_MEM_OTHER, endpoint, sizeof(*endpoint));
}

static void gauge_move(struct cyc_stats_block *stats, uint32_t from, uint32_t to, uint32_t value)
{
    cyc_stat_sub(stats, from, value);
    cyc_stat_add(stats, to, value);
}

void cyc_endpoint_update(struct cyc_endpoint *endpoint, const struct cyc_endpoint_spec *spec)
{
    cyc_assert(cyc_addr_equal(&endpoint->addr, &spec->addr));

    struct cyc_stats_block *stats = stats_of(endpoint);
    gauge_move(stats, endpoint->slots.active, spec->slots.active, endpoint->active_count);
    gauge_move(stats, endpoint->slots.idle, spec->slots.idle,
               endpoint->conn_counts[CYC_UPSTREAM_IDLE]);
    endpoint->slots = spec->slots;
    endpoint->weight = weight_of(spec);
    if (!cyc_span_equal(endpoint->authority, spec->authority)) {
        authority_free(mem_of(endpoint), endpoint->authority);
        endpoint->authority = authority_copy(mem_of(endpoint), spec->authority);
    }
}

void cyc_endpoint_enter(struct cyc_endpoint *endpoint)
{
    struct cyc_stats_block *stats = stats_of(endpoint);

    endpoint->active_count++;
    cyc_stat_add(stats, endpoint->slots.active, 1);
    cyc_stat_add(stats, endpoint->slots.requests, 1);
}

void cyc_endpoint_leave(struct cyc_endpoint *endpoint, bool is_failed)
{
    cyc_assert(endpoint->active_count > 0);

    struct cyc_stats_block *stats = stats_of(endpoint);
    endpoint->active_count--;
    cyc_stat_sub(stats, endpoint->slots.active, 1);
    cyc_stat_add(stats, endpoint->slots.fails, is_failed);
    if (CYC_UNLIKELY(endpoint->is_removed))
        endpoint->cluster->upstreams->is_reap_due = true;
}
