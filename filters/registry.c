/* SPDX-License-Identifier: Apache-2.0 */
#include "filters/registry.h"

#include "base/assert.h"
#include "filters/chain.h"

static const struct cyc_filter_vt *const all_filters[] = {
    &cyc_metrics_filter,         &cyc_access_log_filter,       &cyc_request_id_filter,
    &cyc_request_headers_filter, &cyc_response_headers_filter, &cyc_security_headers_filter,
};

#define FILTER_COUNT (sizeof(all_filters) / sizeof(all_filters[0]))
CYC_BUILD_ASSERT(FILTER_COUNT <= CYC_CHAIN_FILTER_COUNT_MAX);

const struct cyc_filter_vt *cyc_filter_at(size_t i)
{
    return i < FILTER_COUNT ? all_filters[i] : NULL;
}

static const void *request_id_compile(struct cyc_arena *arena, enum cyc_request_id_mode mode)
{
    if (mode == CYC_REQUEST_ID_OFF)
        return NULL;
    struct cyc_request_id_conf *conf = cyc_arena_zalloc(arena, sizeof(*conf));
    conf->is_always_new = mode == CYC_REQUEST_ID_ALWAYS;
    return conf;
}

static const void *access_log_compile(struct cyc_arena *arena, const struct cyc_filter_route *route)
{
    if (!route->is_access_logged)
        return NULL;
    struct cyc_access_log_filter_conf *conf = cyc_arena_zalloc(arena, sizeof(*conf));
    conf->is_text = route->is_log_text;
    conf->sample_permyriad = route->sample_permyriad;
    return conf;
}

uint32_t cyc_registry_build(struct cyc_arena *arena, struct cyc_stats_registry *registry,
                            const struct cyc_feature_conf *features,
                            const struct cyc_filter_route *route,
                            struct cyc_chain_entry *ret_entries)
{
    /* in the order of all_filters; NULL: nothing to do */
    const void *confs[] = {
        route->is_metered ? cyc_metrics_compile(arena, registry, route->metrics, route->route_name)
                          : NULL,
        access_log_compile(arena, route),
        request_id_compile(arena, features->request_id),
        cyc_headers_compile(arena, registry, &features->request_headers),
        cyc_headers_compile(arena, registry, &features->response_headers),
        cyc_security_headers_preset(features->security_headers),
    };
    CYC_BUILD_ASSERT(sizeof(confs) / sizeof(confs[0]) == FILTER_COUNT);
    uint32_t count = 0;

    for (size_t i = 0; i < FILTER_COUNT; i++)
        if (confs[i] != NULL)
            ret_entries[count++] = (struct cyc_chain_entry){all_filters[i], confs[i]};
    return count;
}
