/* SPDX-License-Identifier: Apache-2.0 */
/* The link pass: every name finds what it names, every target becomes a cluster. */
#include "base/assert.h"
#include "conf/suggest.h"
#include "proxy/config_load.h"
#include "proxy/config_names.h"

#define ARG(span) (int)(span).len, (span).ptr
#define HINTED_ERROR_COUNT_MAX 50 /* looking for the closest of 10,000 names takes a while */
#define HINT_NAME_COUNT_MAX 8     /* more names than this are not listed in a hint */

static const struct cyc_span upstream_name = CYC_SPAN_INIT("upstream");

static const char *mark_text(struct cyc_config_load *load, const struct cyc_conf_mark *mark)
{
    return cyc_arena_format(load->bind.scratch, "%s:%u", mark->file, mark->line).ptr;
}

/* ---- routes: nodes, names, the one of `upstream` --------------------------------------------- */

static void collect_route_nodes(struct cyc_config_load *load)
{
    const struct cyc_node *list = cyc_node_find(load->root, "routes");
    uint32_t count = load->config.route_count;
    const struct cyc_node *node =
        list != NULL && list->kind == CYC_NODE_LIST ? list->children : list;

    load->route_nodes = cyc_arena_alloc(load->bind.scratch, (count + 1) * sizeof(node));
    for (uint32_t i = 0; i < count; i++, node = node->next) {
        cyc_assert(node != NULL); /* binding made one route for each */
        load->route_nodes[i] = node;
    }
    load->route_nodes[count] = NULL;
}

/** A catch-all behind all other routes. */
static void add_upstream_route(struct cyc_config_load *load)
{
    struct cyc_config *config = &load->config;
    struct cyc_route_conf *routes =
        cyc_arena_zalloc(load->bind.arena, (config->route_count + 1) * sizeof(*routes));

    if (config->route_count > 0)
        memcpy(routes, config->routes, config->route_count * sizeof(*routes));
    routes[config->route_count++] = (struct cyc_route_conf){
        .name = upstream_name,
        .to = upstream_name,
        .action = CYC_ROUTE_TO,
        .features = config->defaults,
        .mark = load->upstream.mark,
    };
    config->routes = routes;
}

static void name_routes(struct cyc_config_load *load)
{
    struct cyc_config *config = &load->config;
    struct cyc_name_index index;

    for (uint32_t i = 0; i < config->route_count; i++)
        if (config->routes[i].name.len == 0)
            config->routes[i].name = cyc_arena_format(load->bind.arena, "route-%u", i + 1);
    cyc_name_index_build(&index, load->bind.scratch, config->routes, config->route_count,
                         sizeof(config->routes[0]));
    for (uint32_t i = 1; i < index.count; i++) {
        const struct cyc_name_entry *first = &index.entries[i - 1], *again = &index.entries[i];
        if (!cyc_span_equal(first->name, again->name))
            continue;
        const struct cyc_conf_mark *first_mark = &config->routes[first->index].mark;
        const struct cyc_node *node = load->route_nodes[again->index];
        const struct cyc_node *name = node != NULL ? cyc_node_find(node, "name") : NULL;
        struct cyc_diag_item *item = cyc_diag_error(
            load->bind.diag, name != NULL ? &name->mark : &config->routes[again->index].mark,
            "duplicate-name", "another route is called \"%.*s\"", ARG(again->name));
        cyc_diag_hint(load->bind.diag, item, "first at %s", mark_text(load, first_mark));
        if (item != NULL)
            item->related = *first_mark;
    }
}

/* ---- clusters -------------------------------------------------------------------------------- */

static void add_clusters(struct cyc_config_load *load, uint32_t more)
{
    struct cyc_config *config = &load->config;
    struct cyc_cluster_conf *clusters =
        cyc_arena_zalloc(load->bind.arena, (config->cluster_count + more) * sizeof(*clusters));

    if (config->cluster_count > 0)
        memcpy(clusters, config->clusters, config->cluster_count * sizeof(*clusters));
    config->clusters = clusters;
}

static void add_upstream_cluster(struct cyc_config_load *load)
{
    struct cyc_config *config = &load->config;

    for (uint32_t i = 0; i < config->cluster_count; i++)
        if (cyc_span_equal(config->clusters[i].name, upstream_name))
            cyc_diag_error(load->bind.diag, &config->clusters[i].mark, "duplicate-name",
                           "the cluster \"upstream\" is the one of the top-level key \"upstream\"");
    load->upstream.name = upstream_name;
    add_clusters(load, 1);
    config->clusters[config->cluster_count++] = load->upstream;
}

static void report_cluster(struct cyc_config_load *load, const struct cyc_route_conf *route,
                           const struct cyc_node *to)
{
    const struct cyc_config *config = &load->config;
    struct cyc_suggest suggest = {.word = route->to};
    struct cyc_text hint;

    struct cyc_diag_item *item =
        cyc_conf_error(&load->bind, to, "unknown-reference",
                       "route \"%.*s\" sends to \"%.*s\", which is not a cluster", ARG(route->name),
                       ARG(route->to));
    if (item == NULL || load->bind.diag->error_count > HINTED_ERROR_COUNT_MAX)
        return;
    cyc_text_init(&hint, load->bind.scratch);
    if (cyc_value_is_ip(route->to) || cyc_span_find_char(route->to, '.', 0) < route->to.len)
        cyc_text_printf(&hint, "a target has a port: %.*s:80; ", ARG(route->to));
    cyc_text_puts(&hint, config->cluster_count > 0 ? "clusters: " : "there are no clusters");
    for (uint32_t i = 0; i < config->cluster_count; i++) {
        const struct cyc_cluster_conf *cluster = &config->clusters[i];
        struct cyc_span best = suggest.best;
        cyc_suggest_offer(&suggest, cluster->name);
        if (suggest.best.ptr != best.ptr)
            item->related = cluster->mark;
        if (i < HINT_NAME_COUNT_MAX)
            cyc_text_printf(&hint, "%s%.*s", i > 0 ? ", " : "", ARG(cluster->name));
        else if (i == HINT_NAME_COUNT_MAX)
            cyc_text_puts(&hint, ", ...");
    }
    if (suggest.best.len > 0)
        cyc_text_printf(&hint, " (closest: \"%.*s\", %s)", ARG(suggest.best),
                        mark_text(load, &item->related));
    cyc_diag_hint(load->bind.diag, item, "%.*s", (int)hint.len, hint.ptr);
}

/** @param targets  sorted: the routes of one target stand together, and share one cluster */
static void make_target_clusters(struct cyc_config_load *load, const struct cyc_name_index *targets)
{
    struct cyc_config *config = &load->config;
    uint32_t distinct = 0;

    for (uint32_t i = 0; i < targets->count; i++)
        distinct +=
            i == 0 || !cyc_span_equal(targets->entries[i].name, targets->entries[i - 1].name);
    if (distinct > 0)
        add_clusters(load, distinct);
    for (uint32_t i = 0; i < targets->count; i++) {
        const struct cyc_name_entry *entry = &targets->entries[i];
        if (i == 0 || !cyc_span_equal(entry->name, targets->entries[i - 1].name)) {
            struct cyc_cluster_conf *cluster = &config->clusters[config->cluster_count++];
            const struct cyc_node *to = cyc_node_find(load->route_nodes[entry->index], "to");
            cyc_conf_set_defaults(&load->bind, &cyc_cluster_section, cluster);
            cluster->name = entry->name;
            cluster->mark = to->mark;
            cyc_conf_bind_section(&load->bind, &cyc_cluster_section, to, cluster);
        }
        config->routes[entry->index].cluster_index = config->cluster_count - 1;
    }
}

static void link_clusters(struct cyc_config_load *load)
{
    struct cyc_config *config = &load->config;
    struct cyc_arena *scratch = load->bind.scratch;
    struct cyc_name_index clusters, targets = {.count = 0};

    cyc_name_index_build(&clusters, scratch, config->clusters, config->cluster_count,
                         sizeof(config->clusters[0]));
    targets.entries = cyc_arena_alloc(scratch, config->route_count * sizeof(targets.entries[0]));
    for (uint32_t i = 0; i < config->route_count; i++) {
        struct cyc_route_conf *route = &config->routes[i];
        if (route->action != CYC_ROUTE_TO || route->to.len == 0 ||
            cyc_name_index_find(&clusters, route->to, &route->cluster_index))
            continue;
        if (cyc_target_is_inline(route->to))
            targets.entries[targets.count++] = (struct cyc_name_entry){route->to, i};
        else
            report_cluster(load, route, cyc_node_find(load->route_nodes[i], "to"));
    }
    cyc_name_index_sort(&targets);
    make_target_clusters(load, &targets);
}

/* ---- listeners, timeouts --------------------------------------------------------------------- */

static void check_listener(struct cyc_config_load *load, const struct cyc_name_index *listeners,
                           const struct cyc_route_conf *route, const struct cyc_node *node)
{
    struct cyc_suggest suggest = {.word = node->text};
    uint32_t found;

    if (cyc_name_index_find(listeners, node->text, &found))
        return;
    struct cyc_diag_item *item =
        cyc_conf_error(&load->bind, node, "unknown-reference",
                       "route \"%.*s\" names \"%.*s\", which is not a listener", ARG(route->name),
                       ARG(node->text));
    for (uint32_t i = 0; i < listeners->count; i++)
        cyc_suggest_offer(&suggest, listeners->entries[i].name);
    if (suggest.best.len > 0)
        cyc_diag_hint(load->bind.diag, item, "did you mean \"%.*s\"?", ARG(suggest.best));
}

static void check_listeners(struct cyc_config_load *load)
{
    const struct cyc_config *config = &load->config;
    struct cyc_name_index listeners;

    cyc_name_index_build(&listeners, load->bind.scratch, config->listeners, config->listener_count,
                         sizeof(config->listeners[0]));
    for (uint32_t i = 0; i < config->route_count; i++) {
        const struct cyc_route_conf *route = &config->routes[i];
        if (route->listener_count == 0)
            continue;
        const struct cyc_node *node = cyc_node_find(load->route_nodes[i], "listener");
        if (node->kind != CYC_NODE_LIST) {
            check_listener(load, &listeners, route, node);
            continue;
        }
        for (const struct cyc_node *item = node->children; item != NULL; item = item->next)
            if (item->kind == CYC_NODE_SCALAR)
                check_listener(load, &listeners, route, item);
    }
}

static bool has_long_tries(const struct cyc_feature_conf *features)
{
    return features->timeout_ms > 0 && features->retry.per_try_timeout_ms > features->timeout_ms;
}

/** Says where the route's timeout comes from: the innermost place that names one. */
static struct cyc_span timeout_origin(struct cyc_config_load *load, const struct cyc_node *route)
{
    const struct cyc_node *defaults = cyc_node_find(load->root, "defaults");
    const struct cyc_node *own = cyc_node_find(route, "timeout");
    const struct cyc_node *usual = defaults != NULL ? cyc_node_find(defaults, "timeout") : NULL;
    struct cyc_arena *scratch = load->bind.scratch;

    if (own != NULL)
        return cyc_arena_format(scratch, "%s:%u", own->mark.file, own->mark.line);
    if (cyc_node_find(route, "use") != NULL)
        return CYC_SPAN("from filters or defaults");
    if (usual != NULL)
        return cyc_arena_format(scratch, "from defaults, %s:%u", usual->mark.file,
                                usual->mark.line);
    return CYC_SPAN("the default");
}

/** @param node  the route's, or that of `defaults` */
static void report_long_tries(struct cyc_config_load *load, const struct cyc_node *node,
                              const struct cyc_feature_conf *features)
{
    const struct cyc_node *retry = cyc_node_find(node, "retry");
    const struct cyc_node *tries = retry != NULL ? cyc_node_find(retry, "per_try_timeout") : NULL;
    struct cyc_span origin = timeout_origin(load, node);
    struct cyc_text numbers;

    cyc_text_init(&numbers, load->bind.scratch);
    cyc_text_puts(&numbers, "per_try_timeout (");
    cyc_value_print_duration(&numbers, features->retry.per_try_timeout_ms);
    cyc_text_puts(&numbers, ") is longer than the route's timeout (");
    cyc_value_print_duration(&numbers, features->timeout_ms);
    cyc_conf_key_error(&load->bind, tries != NULL ? tries : node, "conflict", "%.*s, %.*s)",
                       (int)numbers.len, numbers.ptr, ARG(origin));
}

/** One error for `defaults`, and one for each route that made it wrong by itself. */
static void check_tries(struct cyc_config_load *load)
{
    const struct cyc_config *config = &load->config;
    const struct cyc_feature_conf *usual = &config->defaults;
    const struct cyc_node *defaults = cyc_node_find(load->root, "defaults");

    if (has_long_tries(usual) && defaults != NULL)
        report_long_tries(load, defaults, usual);
    for (uint32_t i = 0; i < config->route_count; i++) {
        const struct cyc_feature_conf *features = &config->routes[i].features;
        bool is_usual = features->timeout_ms == usual->timeout_ms &&
                        features->retry.per_try_timeout_ms == usual->retry.per_try_timeout_ms;
        if (has_long_tries(features) && !is_usual)
            report_long_tries(load, load->route_nodes[i], features);
    }
}

void cyc_config_link(struct cyc_config_load *load)
{
    struct cyc_config *config = &load->config;

    collect_route_nodes(load);
    if (load->upstream.mark.line > 0) {
        add_upstream_route(load);
        add_upstream_cluster(load);
    }
    name_routes(load);
    link_clusters(load);
    check_listeners(load);
    check_tries(load);
    if (config->route_count == 0)
        cyc_diag_hint(load->bind.diag,
                      cyc_diag_warn(load->bind.diag, &load->root->mark, "no-routes",
                                    "nothing is routed anywhere"),
                      "add \"upstream: host:port\" or \"routes:\"");
}
