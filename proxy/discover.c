/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/discover.h"

#include "base/assert.h"
#include "net/dns.h"
#include "proxy/master.h"

#include <string.h>

/** One name of a cluster. */
struct name_watch {
    struct discovered *cluster;
    struct cyc_dns_watch *watch;
    struct cyc_addr *addrs;
    uint32_t addr_count;
    uint32_t weight;
    char authority[CYC_DNS_NAME_BYTES_MAX + 8]; /* "name:port" */
    uint32_t authority_len;
    bool is_all;     /* dns://: both families */
    bool is_settled; /* has been looked up at least once */
};

/** A cluster with names among its endpoints. */
struct discovered {
    struct cyc_discover *discover;
    struct cyc_list link;
    struct cyc_span name;                /* borrowed from the current snapshot */
    const struct cyc_cluster_spec *spec; /* of the current snapshot */
    struct name_watch *names;
    uint32_t name_count;
    struct cyc_endpoint_spec *endpoints; /* as the workers have them */
    uint32_t endpoint_count;
};

struct cyc_discover {
    struct cyc_master *master;
    struct cyc_dns *dns; /* made when the first name appears */
    struct cyc_list clusters;
};

/* ---- telling the workers ------------------------------------------------------------------------
 */

/** New endpoints for one cluster of one worker. Comes back to be freed. */
struct endpoints_letter {
    struct cyc_letter letter;
    uint32_t bytes, endpoint_count, name_len;
    struct cyc_endpoint_spec *endpoints; /* behind this struct, then texts */
    char *name;
};

static void letter_free(struct cyc_letter *letter, void *owner)
{
    struct cyc_master *master = owner;
    struct endpoints_letter *l = cyc_container_of(letter, struct endpoints_letter, letter);
    cyc_mem_free(&master->mem, CYC_MEM_OTHER, l, l->bytes);
}

static void letter_run(struct cyc_letter *letter, void *owner)
{
    struct cyc_worker *worker = owner;
    struct endpoints_letter *l = cyc_container_of(letter, struct endpoints_letter, letter);
    struct cyc_cluster *cluster =
        cyc_cluster_find(worker->upstreams, cyc_span_of(l->name, l->name_len));

    if (cluster != NULL)
        cyc_cluster_set_endpoints(cluster, l->endpoints, l->endpoint_count);
    letter->run = letter_free;
    cyc_mailbox_post(worker->control, letter);
    worker->wake_control(worker->control_owner);
}

static size_t texts_bytes(const struct discovered *d)
{
    size_t bytes = d->name.len;
    for (uint32_t i = 0; i < d->endpoint_count; i++)
        bytes += d->endpoints[i].authority.len;
    return bytes;
}

/** A copy with everything it points to, since the worker reads it while we go on. */
static struct endpoints_letter *letter_make(struct cyc_master *master, const struct discovered *d)
{
    size_t specs_bytes = d->endpoint_count * sizeof(struct cyc_endpoint_spec);
    size_t bytes = sizeof(struct endpoints_letter) + specs_bytes + texts_bytes(d);
    struct endpoints_letter *l = cyc_mem_alloc(&master->mem, CYC_MEM_OTHER, bytes);
    char *text = (char *)(l + 1) + specs_bytes;

    l->letter.run = letter_run;
    l->bytes = (uint32_t)bytes;
    l->endpoint_count = d->endpoint_count;
    l->endpoints = (struct cyc_endpoint_spec *)(void *)(l + 1);
    l->name = text;
    l->name_len = (uint32_t)d->name.len;
    memcpy(text, d->name.ptr, d->name.len);
    text += d->name.len;
    for (uint32_t i = 0; i < d->endpoint_count; i++) {
        struct cyc_span authority = d->endpoints[i].authority;
        l->endpoints[i] = d->endpoints[i];
        l->endpoints[i].authority.ptr = text;
        memcpy(text, authority.ptr, authority.len);
        text += authority.len;
    }
    return l;
}

static void workers_tell(const struct discovered *d)
{
    struct cyc_master *master = d->discover->master;

    for (uint32_t i = 0; i < master->worker_count; i++)
        cyc_worker_post(&master->threads[i].worker, &letter_make(master, d)->letter);
}

/* ---- what a cluster's endpoints are
 * --------------------------------------------------------------- */

static bool is_ipv4(const struct cyc_addr *addr)
{
    return addr->any.sa_family == AF_INET;
}

static bool has_ipv4(const struct name_watch *name)
{
    for (uint32_t i = 0; i < name->addr_count; i++)
        if (is_ipv4(&name->addrs[i]))
            return true;
    return false;
}

/** A plain name stands for its IPv4 addresses, or its IPv6 ones when it has no others: a service
 * that listens on one family must not look half dead. dns:// takes all. */
static void name_append(struct discovered *d, const struct name_watch *name)
{
    bool is_ipv4_only = !name->is_all && has_ipv4(name);

    for (uint32_t i = 0; i < name->addr_count; i++)
        if (!is_ipv4_only || is_ipv4(&name->addrs[i]))
            d->endpoints[d->endpoint_count++] = (struct cyc_endpoint_spec){
                .addr = name->addrs[i],
                .authority = cyc_span_of(name->authority, name->authority_len),
                .weight = name->weight,
                .slots = d->spec->slots,
            };
}

static void endpoints_free(struct discovered *d)
{
    cyc_mem_free(&d->discover->master->mem, CYC_MEM_OTHER, d->endpoints,
                 d->endpoint_count * sizeof(*d->endpoints));
    d->endpoints = NULL;
    d->endpoint_count = 0;
}

static void endpoints_build(struct discovered *d)
{
    struct cyc_mem *mem = &d->discover->master->mem;
    uint32_t count_max = d->spec->endpoint_count;

    endpoints_free(d);
    for (uint32_t i = 0; i < d->name_count; i++)
        count_max += d->names[i].addr_count;
    d->endpoints = cyc_mem_alloc(mem, CYC_MEM_OTHER, count_max * sizeof(*d->endpoints));
    for (uint32_t i = 0; i < d->spec->endpoint_count; i++)
        d->endpoints[d->endpoint_count++] = d->spec->endpoints[i];
    for (uint32_t i = 0; i < d->name_count; i++)
        name_append(d, &d->names[i]);
    d->endpoints =
        cyc_mem_resize(mem, CYC_MEM_OTHER, d->endpoints, count_max * sizeof(*d->endpoints),
                       d->endpoint_count * sizeof(*d->endpoints));
}

/* ---- look-ups
 * --------------------------------------------------------------------------------------- */

static void addrs_set(struct name_watch *name, const struct cyc_addr *addrs, uint32_t count)
{
    struct cyc_mem *mem = &name->cluster->discover->master->mem;

    name->addrs = cyc_mem_resize(mem, CYC_MEM_OTHER, name->addrs, name->addr_count * sizeof(*addrs),
                                 count * sizeof(*addrs));
    if (count > 0)
        memcpy(name->addrs, addrs, count * sizeof(*addrs));
    name->addr_count = count;
}

static void name_on_result(void *owner, const struct cyc_dns_result *result)
{
    struct name_watch *name = owner;
    struct cyc_log *log = &name->cluster->discover->master->log;
    bool is_first = !name->is_settled;

    name->is_settled = true;
    if (result->error != NULL)
        cyc_event(log, CYC_EVENT_DNS_FAILED, "%.*s: %s", (int)name->authority_len, name->authority,
                  result->error);
    if (!result->is_changed && !is_first)
        return;
    if (result->is_changed && !is_first)
        cyc_event(log, CYC_EVENT_DNS_CHANGED, "%.*s: %u addresses", (int)name->authority_len,
                  name->authority, result->addr_count);
    addrs_set(name, result->addrs, result->addr_count);
    endpoints_build(name->cluster);
    workers_tell(name->cluster);
}

static void name_watch(struct discovered *d, struct name_watch *name,
                       const struct cyc_endpoint_conf *conf)
{
    size_t len = conf->host.len < CYC_DNS_NAME_BYTES_MAX ? conf->host.len : CYC_DNS_NAME_BYTES_MAX;

    name->cluster = d;
    name->weight = conf->weight;
    name->is_all = conf->is_all;
    memcpy(name->authority, conf->host.ptr, len);
    name->authority[len++] = ':';
    name->authority_len = (uint32_t)(len + cyc_format_u64(name->authority + len, conf->port));
    name->watch = cyc_dns_watch(d->discover->dns,
                                &(struct cyc_dns_name){.text = conf->host,
                                                       .port = conf->port,
                                                       .refresh_ms = d->spec->conf->dns_refresh_ms},
                                name_on_result, name);
}

/* ---- configurations come and go
 * --------------------------------------------------------------------- */

static uint32_t name_count_of(const struct cyc_cluster_conf *conf)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < conf->endpoint_count; i++)
        count += conf->endpoints[i].is_dns;
    return count;
}

static void cluster_free(struct discovered *d)
{
    struct cyc_mem *mem = &d->discover->master->mem;

    for (uint32_t i = 0; i < d->name_count; i++) {
        cyc_dns_unwatch(d->names[i].watch);
        addrs_set(&d->names[i], NULL, 0);
        cyc_mem_free(mem, CYC_MEM_OTHER, d->names[i].addrs, 0);
    }
    endpoints_free(d);
    cyc_list_remove(&d->link);
    cyc_mem_free(mem, CYC_MEM_OTHER, d->names, d->name_count * sizeof(*d->names));
    cyc_mem_free(mem, CYC_MEM_OTHER, d, sizeof(*d));
}

static void cluster_add(struct cyc_discover *discover, const struct cyc_cluster_spec *spec)
{
    struct cyc_mem *mem = &discover->master->mem;
    struct discovered *d = cyc_mem_zalloc(mem, CYC_MEM_OTHER, sizeof(*d));
    uint32_t at = 0;

    d->discover = discover;
    d->spec = spec;
    d->name = spec->conf->name;
    d->name_count = name_count_of(spec->conf);
    d->names = cyc_mem_zalloc(mem, CYC_MEM_OTHER, d->name_count * sizeof(*d->names));
    cyc_list_add_back(&discover->clusters, &d->link);
    for (uint32_t i = 0; i < spec->conf->endpoint_count; i++)
        if (spec->conf->endpoints[i].is_dns)
            name_watch(d, &d->names[at++], &spec->conf->endpoints[i]);
}

/** Names, ports and weights are the same, in the same order: nothing has to be looked up anew. */
static bool is_same(const struct discovered *d, const struct cyc_cluster_conf *conf)
{
    const struct cyc_cluster_conf *old = d->spec->conf;

    if (old->endpoint_count != conf->endpoint_count || old->dns_refresh_ms != conf->dns_refresh_ms)
        return false;
    for (uint32_t i = 0; i < conf->endpoint_count; i++) {
        const struct cyc_endpoint_conf *a = &old->endpoints[i], *b = &conf->endpoints[i];
        if (!cyc_span_equal(a->address, b->address) || a->weight != b->weight ||
            a->is_dns != b->is_dns || a->is_all != b->is_all)
            return false;
    }
    return true;
}

static struct discovered *cluster_find(const struct cyc_discover *discover, struct cyc_span name)
{
    cyc_list_for_each (link, &discover->clusters) {
        struct discovered *d = cyc_container_of(link, struct discovered, link);
        if (cyc_span_equal(d->name, name))
            return d;
    }
    return NULL;
}

static const struct cyc_cluster_spec *spec_find(const struct cyc_snapshot *snapshot,
                                                struct cyc_span name)
{
    for (uint32_t i = 0; i < snapshot->cluster_count; i++)
        if (snapshot->clusters[i].needs_dns &&
            cyc_span_equal(snapshot->clusters[i].conf->name, name))
            return &snapshot->clusters[i];
    return NULL;
}

/** Keeps what is the same under the new snapshot's memory, ends the rest. */
static void clusters_keep(struct cyc_discover *discover, const struct cyc_snapshot *snapshot)
{
    cyc_list_for_each (link, &discover->clusters) {
        struct discovered *d = cyc_container_of(link, struct discovered, link);
        const struct cyc_cluster_spec *spec = spec_find(snapshot, d->name);
        if (spec == NULL || !is_same(d, spec->conf)) {
            cluster_free(d);
            continue;
        }
        d->spec = spec;
        d->name = spec->conf->name;
        endpoints_build(d);
    }
}

static bool dns_start(struct cyc_discover *discover)
{
    struct cyc_master *master = discover->master;
    const char *error = "";

    if (discover->dns != NULL)
        return true;
    discover->dns =
        cyc_dns_create(&(struct cyc_dns_setup){.mem = &master->mem,
                                               .uv_loop = master->io->vt->uv_loop(master->io)},
                       &error);
    if (discover->dns == NULL)
        cyc_event(&master->log, CYC_EVENT_DNS_FAILED, "no resolver: %s", error);
    return discover->dns != NULL;
}

void cyc_discover_set(struct cyc_discover *discover, const struct cyc_snapshot *snapshot)
{
    clusters_keep(discover, snapshot);
    for (uint32_t i = 0; i < snapshot->cluster_count; i++) {
        const struct cyc_cluster_spec *spec = &snapshot->clusters[i];
        if (spec->needs_dns && cluster_find(discover, spec->conf->name) == NULL &&
            dns_start(discover))
            cluster_add(discover, spec);
    }
}

bool cyc_discover_is_settled(const struct cyc_discover *discover)
{
    cyc_list_for_each (link, &discover->clusters) {
        const struct discovered *d = cyc_container_of(link, struct discovered, link);
        for (uint32_t i = 0; i < d->name_count; i++)
            if (!d->names[i].is_settled)
                return false;
    }
    return true;
}

const struct cyc_endpoint_spec *cyc_discover_endpoints(const struct cyc_discover *discover,
                                                       struct cyc_span cluster, uint32_t *ret_count)
{
    const struct discovered *d = cluster_find(discover, cluster);

    *ret_count = d != NULL ? d->endpoint_count : 0;
    return d != NULL ? d->endpoints : NULL;
}

struct cyc_discover *cyc_discover_create(struct cyc_master *master)
{
    struct cyc_discover *discover = cyc_mem_zalloc(&master->mem, CYC_MEM_OTHER, sizeof(*discover));

    discover->master = master;
    cyc_list_init(&discover->clusters);
    return discover;
}

void cyc_discover_destroy(struct cyc_discover *discover)
{
    if (discover == NULL)
        return;
    struct cyc_mem *mem = &discover->master->mem;

    cyc_list_for_each (link, &discover->clusters)
        cluster_free(cyc_container_of(link, struct discovered, link));
    if (discover->dns != NULL)
        cyc_dns_destroy(discover->dns);
    cyc_mem_free(mem, CYC_MEM_OTHER, discover, sizeof(*discover));
}
