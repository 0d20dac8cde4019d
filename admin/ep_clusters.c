/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin.h"

#include "proxy/discover.h"

static unsigned long long total(const struct cyc_master *master, uint32_t slot)
{
    return cyc_stats_sum(master->blocks, master->block_count, slot);
}

static void print_endpoints(struct cyc_master *master, const struct cyc_cluster_spec *spec,
                            struct cyc_admin_answer *answer)
{
    const struct cyc_endpoint_spec *endpoints = spec->endpoints;
    uint32_t count = spec->endpoint_count;
    char text[CYC_ADDR_TEXT_BYTES_MAX];

    if (spec->needs_dns)
        endpoints = cyc_discover_endpoints(master->discover, spec->conf->name, &count);
    for (uint32_t i = 0; i < count; i++) {
        size_t len = cyc_addr_format(&endpoints[i].addr, text);
        cyc_admin_print(answer, "%s{\"address\":", i > 0 ? "," : "");
        cyc_admin_print_json(answer, cyc_span_of(text, len));
        cyc_admin_print(answer, ",\"weight\":%u}", endpoints[i].weight);
    }
}

static void print_cluster(struct cyc_master *master, const struct cyc_cluster_spec *spec,
                          struct cyc_admin_answer *answer)
{
    const struct cyc_upstream_slots *slots = &spec->slots;

    cyc_admin_print(answer, "{\"name\":");
    cyc_admin_print_json(answer, spec->conf->name);
    cyc_admin_print(answer,
                    ",\"requests\":%llu,\"failures\":%llu,\"active\":%llu,\"pending\":%llu,"
                    "\"idle_connections\":%llu,\"connects\":%llu,\"connect_failures\":%llu,"
                    "\"reused\":%llu,\"stale\":%llu,\"endpoints\":[",
                    total(master, slots->requests), total(master, slots->fails),
                    total(master, slots->active), total(master, slots->pending),
                    total(master, slots->idle), total(master, slots->connects),
                    total(master, slots->connect_fails), total(master, slots->reused),
                    total(master, slots->stale));
    print_endpoints(master, spec, answer);
    cyc_admin_print(answer, "]}");
}

void cyc_ep_clusters(struct cyc_master *master, const struct cyc_msg *req,
                     struct cyc_admin_answer *answer)
{
    const struct cyc_snapshot *snapshot = master->current;
    (void)req;

    cyc_admin_print(answer, "{\"clusters\":[");
    for (uint32_t i = 0; snapshot != NULL && i < snapshot->cluster_count; i++) {
        cyc_admin_print(answer, "%s", i > 0 ? ",\n" : "\n");
        print_cluster(master, &snapshot->clusters[i], answer);
    }
    cyc_admin_print(answer, "\n]}\n");
}
