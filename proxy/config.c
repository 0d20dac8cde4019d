/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/config.h"

#include "conf/env.h"
#include "conf/load.h"
#include "conf/tree.h"
#include "proxy/config_load.h"

#define AT(field) (uint32_t) offsetof(struct cyc_config_load, field)

/* In the order of binding: what later rows rely on comes first. */
static const struct cyc_conf_row config_rows[] = {
    {"version", CYC_CONF_U32, AT(version), "1", "1", "1", .doc = "Of the format."},
    {"server", CYC_CONF_SECTION, AT(config.server), NULL, NULL, NULL, .doc = "The process.",
     .section = &cyc_server_section},
    {"network", CYC_CONF_SECTION, AT(config.network), NULL, NULL, NULL,
     .doc = "Sockets and the I/O engine.", .section = &cyc_network_section},
    {"timer", CYC_CONF_SECTION, AT(config.timer), NULL, NULL, NULL, .doc = "Timers.",
     .section = &cyc_timer_section},
    {"memory", CYC_CONF_SECTION, AT(config.memory), NULL, NULL, NULL, .doc = "Memory.",
     .section = &cyc_memory_section},
    {"admin", CYC_CONF_SECTION, AT(config.admin), NULL, NULL, NULL, .doc = "The admin listener.",
     .section = &cyc_admin_section},
    {"log", CYC_CONF_SECTION, AT(config.log), NULL, NULL, NULL, .doc = "The log of events.",
     .section = &cyc_log_section},
    {"access_log", CYC_CONF_SECTION, AT(config.access_log), NULL, NULL, NULL,
     .doc = "The log of requests.", .section = &cyc_access_log_section},
    {"metrics", CYC_CONF_SECTION, AT(config.metrics), NULL, NULL, NULL,
     .doc = "Prometheus metrics.", .section = &cyc_metrics_section},
    {"defaults", CYC_CONF_SECTION, AT(config.defaults), NULL, NULL, NULL,
     .doc = "Where every route starts from.", .section = &cyc_feature_section},
    {"filters", CYC_CONF_MAP, AT(bundles), NULL, NULL, NULL,
     .doc = "Named sets of features, for `use` in routes.", .count_offset = AT(bundle_count),
     .section = &cyc_bundle_section},
    {"upstream", CYC_CONF_SECTION, AT(upstream), NULL, NULL, NULL,
     .doc = "The one-line sidecar: a cluster, and a route that sends it everything no other route "
            "takes.",
     .section = &cyc_cluster_section},
    {"clusters", CYC_CONF_MAP, AT(config.clusters), NULL, NULL, NULL, .doc = "Named services.",
     .count_offset = AT(config.cluster_count), .section = &cyc_cluster_section},
    {"listeners", CYC_CONF_MAP, AT(config.listeners), NULL, NULL, NULL,
     .doc = "Where clients connect. Without it there is one, on server.host and server.port.",
     .count_offset = AT(config.listener_count), .section = &cyc_listener_section},
    {"routes", CYC_CONF_LIST, AT(config.routes), NULL, NULL, NULL,
     .doc = "Which requests go where.", .count_offset = AT(config.route_count),
     .section = &cyc_route_section},
    {0},
};

const struct cyc_conf_section cyc_config_section = {
    .doc = "The configuration of Cyclone.",
    .rows = config_rows,
    .later = "include tls tracing",
};

static void bind_document(struct cyc_config_load *load, const char *const *environment)
{
    const struct cyc_node *upstream = cyc_node_find(load->root, "upstream");

    if (load->root->kind != CYC_NODE_MAP) {
        cyc_conf_error(&load->bind, load->root, "bad-value",
                       "a configuration is a map, as in \"upstream: 127.0.0.1:3000\"");
        return;
    }
    load->config.server.port = CYC_CONFIG_PORT_UNSET; /* 0 is a port: any free one */
    cyc_conf_bind_section(&load->bind, &cyc_config_section, load->root, load);
    cyc_env_apply(&load->bind, environment, &cyc_config_section, load);
    if (upstream != NULL)
        load->upstream.mark = upstream->key_mark;
    cyc_config_finish_listeners(load);
    cyc_config_link(load);
    cyc_config_check_reach(load);
}

const struct cyc_config *cyc_config_load(struct cyc_arena *arena, struct cyc_span file_path,
                                         struct cyc_span text,
                                         const struct cyc_config_overrides *overrides,
                                         struct cyc_diag *diag)
{
    struct cyc_config_load *load = cyc_arena_zalloc(arena, sizeof(*load));
    const char *const *environment = overrides != NULL ? overrides->environment : NULL;
    struct cyc_span shown = file_path.len > 0 ? file_path : CYC_SPAN("(built-in)");
    struct cyc_arena scratch;

    cyc_arena_init(&scratch, arena->mem, arena->kind, NULL, 0);
    load->bind = (struct cyc_conf_bind){.arena = arena,
                                        .scratch = &scratch,
                                        .diag = diag,
                                        .owner = load,
                                        .is_builtin = file_path.len == 0};
    load->config.file_path = cyc_arena_copy(arena, file_path);
    cyc_conf_set_defaults(&load->bind, &cyc_config_section, load);
    load->root =
        cyc_tree_parse(&scratch, diag, cyc_arena_copy(arena, shown).ptr, text, environment);
    if (load->root != NULL)
        bind_document(load, environment);
    if (diag->error_count == 0)
        load->config.effective_json = cyc_config_effective(load);
    cyc_arena_fini(&scratch);
    diag->source = cyc_span_of(NULL, 0);
    return diag->error_count == 0 ? &load->config : NULL;
}

const struct cyc_config *cyc_config_load_path(struct cyc_arena *arena, const char *path,
                                              const struct cyc_config_overrides *overrides,
                                              struct cyc_diag *diag)
{
    struct cyc_arena scratch;
    struct cyc_span text;
    const struct cyc_config *config = NULL;

    cyc_arena_init(&scratch, arena->mem, arena->kind, NULL, 0);
    if (path == NULL)
        path = cyc_load_find(&scratch, overrides != NULL ? overrides->environment : NULL);
    if (path == NULL)
        config = cyc_config_load(arena, cyc_span_of(NULL, 0), cyc_config_demo(), overrides, diag);
    else if (cyc_load_file(&scratch, diag, path, &text))
        config = cyc_config_load(arena, cyc_span_from_text(path), text, overrides, diag);
    cyc_arena_fini(&scratch);
    return config;
}
