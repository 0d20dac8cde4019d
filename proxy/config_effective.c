/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The effective configuration: what GET /config shows.
 *
 * Settings, defaults, listeners and clusters are shown whole; a route shows what it says itself and
 * where its features differ from `defaults`, so that ten thousand routes stay readable. Clusters
 * made from a route's target are not shown beside it. What is shown loads to the same configuration
 * again.
 */
#include "conf/dump.h"
#include "proxy/config_load.h"

static void dump_settings(struct cyc_text *text, const struct cyc_config_load *load)
{
    cyc_text_puts(text, "{\n\"version\": 1");
    for (const struct cyc_conf_row *row = cyc_config_section.rows; row->kind != CYC_CONF_END;
         row++) {
        if (row->kind != CYC_CONF_SECTION || row->section->noun != NULL)
            continue;
        cyc_text_printf(text, ",\n\"%s\": ", row->key);
        cyc_conf_dump(text, row->section, (const char *)load + row->offset, NULL);
    }
}

struct things {
    const char *key;
    const struct cyc_conf_section *section;
    const void *first;
    uint32_t count;
};

static void dump_named(struct cyc_text *text, const struct things *things)
{
    const char *element = things->first;

    uint32_t shown_count = 0;

    cyc_text_printf(text, ",\n\"%s\": {", things->key);
    for (uint32_t i = 0; i < things->count; i++, element += things->section->size_bytes) {
        struct cyc_span name = *(const struct cyc_span *)(const void *)element;
        if (!cyc_value_is_name(name))
            continue;
        cyc_text_puts(text, shown_count++ > 0 ? ",\n  " : "\n  ");
        cyc_text_add_json(text, name);
        cyc_text_puts(text, ": ");
        cyc_conf_dump(text, things->section, element, NULL);
    }
    cyc_text_puts(text, shown_count > 0 ? "\n}" : "}");
}

static void dump_routes(struct cyc_text *text, const struct cyc_config *config)
{
    const struct cyc_route_conf usual = {.features = config->defaults};

    cyc_text_puts(text, ",\n\"routes\": [");
    for (uint32_t i = 0; i < config->route_count; i++) {
        cyc_text_puts(text, i > 0 ? ",\n  " : "\n  ");
        cyc_conf_dump(text, &cyc_route_section, &config->routes[i], &usual);
    }
    cyc_text_puts(text, config->route_count > 0 ? "\n]\n}\n" : "]\n}\n");
}

struct cyc_span cyc_config_effective(const struct cyc_config_load *load)
{
    const struct cyc_config *config = &load->config;
    const struct things listeners = {"listeners", &cyc_listener_section, config->listeners,
                                     config->listener_count};
    const struct things clusters = {"clusters", &cyc_cluster_section, config->clusters,
                                    config->cluster_count};
    struct cyc_text text;

    cyc_text_init(&text, load->bind.scratch);
    dump_settings(&text, load);
    dump_named(&text, &listeners);
    dump_named(&text, &clusters);
    dump_routes(&text, config);
    return cyc_arena_copy(load->bind.arena, cyc_text_span(&text));
}
