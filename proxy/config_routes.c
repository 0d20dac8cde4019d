/* SPDX-License-Identifier: Apache-2.0 */
/* `routes` and the bundles of `filters`: their rows and what a host, a path, a target may be. */
#include "proxy/config_load.h"

#define AT(field) (uint32_t) offsetof(struct cyc_route_conf, field)
#define ARG(span) (int)(span).len, (span).ptr

/* ---- what a route matches -------------------------------------------------------------------- */

/** "*", "*.suffix", a name or an IP literal; lower case from then on. */
static bool check_host(struct cyc_arena *arena, struct cyc_span *text,
                       struct cyc_value_problem *problem)
{
    char *lower = cyc_arena_alloc(arena, text->len);
    struct cyc_span host = cyc_span_of(lower, text->len);

    for (size_t i = 0; i < text->len; i++)
        lower[i] = cyc_char_lower(text->ptr[i]);
    bool is_wildcard = cyc_span_starts_with(host, CYC_SPAN("*."));
    struct cyc_span name = cyc_span_slice(host, is_wildcard ? 2 : 0, host.len);
    bool is_bracketed = name.len > 1 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']';
    if (cyc_span_equal(host, CYC_SPAN("*")) || cyc_value_is_host_name(name) ||
        (is_bracketed && cyc_value_is_ip(cyc_span_slice(name, 1, name.len - 1)))) {
        *text = host;
        return true;
    }
    size_t colon = cyc_span_find_char(host, ':', 0);
    if (cyc_span_find_char(host, '*', is_wildcard) < host.len)
        cyc_value_hint(problem, "a wildcard stands for whole labels in front: *.example.com");
    else if (colon < host.len && !cyc_value_is_ip(host))
        cyc_value_hint(problem, "without scheme, port and path, as in example.com");
    return cyc_value_refuse(problem, "bad-value", "\"%.*s\" is not a host", ARG(*text));
}

/** "/exact", "/prefix/" and a star, or the star alone behind "/". */
static bool check_route_path(struct cyc_arena *arena, struct cyc_span *text,
                             struct cyc_value_problem *problem)
{
    struct cyc_span path = *text;
    size_t star = cyc_span_find_char(path, '*', 0);

    (void)arena;
    if (path.len > 0 && path.ptr[0] == '~')
        return cyc_value_refuse(problem, "not-yet", "regular expressions: not in this version yet");
    if (cyc_span_find_char(path, '{', 0) < path.len)
        return cyc_value_refuse(problem, "not-yet", "path templates: not in this version yet");
    if (path.len == 0 || path.ptr[0] != '/') {
        cyc_value_hint(problem, "write /%.*s", ARG(path));
        return cyc_value_refuse(problem, "bad-value", "a path starts with /, got \"%.*s\"",
                                ARG(path));
    }
    if (star < path.len && (star + 1 != path.len || path.ptr[star - 1] != '/')) {
        cyc_value_hint(problem, "a star is a whole last segment: /prefix/*");
        return cyc_value_refuse(problem, "bad-value", "\"%.*s\" is not a path", ARG(path));
    }
    for (size_t i = 0; i < path.len; i++)
        if ((unsigned char)path.ptr[i] <= ' ' || path.ptr[i] == '?' || path.ptr[i] == '#' ||
            path.ptr[i] == 0x7f)
            return cyc_value_refuse(problem, "bad-value",
                                    "a path has no blanks, control characters, ? or #");
    return true;
}

static bool check_method(struct cyc_arena *arena, struct cyc_span *text,
                         struct cyc_value_problem *problem)
{
    bool is_upper = cyc_span_is_token(*text);

    for (size_t i = 0; i < text->len; i++)
        is_upper = is_upper && (text->ptr[i] < 'a' || text->ptr[i] > 'z');
    if (is_upper)
        return true;
    char *upper = cyc_arena_alloc(arena, text->len);
    for (size_t i = 0; i < text->len; i++)
        upper[i] =
            (char)(text->ptr[i] >= 'a' && text->ptr[i] <= 'z' ? text->ptr[i] - 0x20 : text->ptr[i]);
    if (cyc_span_is_token(*text))
        cyc_value_hint(problem, "methods are case-sensitive: write %.*s", (int)text->len, upper);
    return cyc_value_refuse(problem, "bad-value", "\"%.*s\" is not a method", ARG(*text));
}

/* ---- what a route does ----------------------------------------------------------------------- */

static void to_parse(struct cyc_conf_bind *bind, const struct cyc_conf_row *row,
                     const struct cyc_node *node, void *field)
{
    struct cyc_route_conf *route = field;
    struct cyc_span text;

    if (node->kind == CYC_NODE_MAP)
        cyc_conf_error(bind, node, "not-yet", "weighted splits: not in this version yet");
    else if (cyc_conf_get_text(bind, row, node, &text))
        route->to = cyc_arena_copy(bind->arena, text);
}

static void to_print(struct cyc_text *text, const void *field)
{
    const struct cyc_route_conf *route = field;

    if (route->to.len > 0)
        cyc_text_add_json(text, route->to);
}

static const struct cyc_conf_custom to = {"cluster name or target", "{\"type\": \"string\"}",
                                          to_parse, to_print};

static const struct cyc_bundle *find_bundle(const struct cyc_config_load *load,
                                            struct cyc_span name)
{
    for (uint32_t i = 0; i < load->bundle_count; i++)
        if (cyc_span_equal(load->bundles[i].name, name))
            return &load->bundles[i];
    return NULL;
}

/** Runs before the route's own features are read, so those win. */
static void use_parse(struct cyc_conf_bind *bind, const struct cyc_conf_row *row,
                      const struct cyc_node *node, void *field)
{
    const struct cyc_config_load *load = bind->owner;
    struct cyc_route_conf *route = field;
    uint32_t count;
    const struct cyc_node *item = cyc_conf_list_items(node, &count);
    struct cyc_span name;

    for (uint32_t i = 0; i < count; i++, item = item->next) {
        if (!cyc_conf_get_text(bind, row, item, &name))
            continue;
        const struct cyc_bundle *bundle = find_bundle(load, name);
        if (bundle == NULL) {
            cyc_conf_error(bind, item, "unknown-reference", "no \"%.*s\" in filters", ARG(name));
            continue;
        }
        bind->diag->is_muted = true; /* its errors were reported where it stands */
        cyc_conf_bind_section(bind, &cyc_feature_section, bundle->node, &route->features);
        bind->diag->is_muted = false;
    }
}

static void use_print(struct cyc_text *text, const void *field)
{
    (void)text, (void)field; /* already in the features */
}

static const struct cyc_conf_custom use = {"list of name in `filters`",
                                           "{\"anyOf\": [{\"type\": \"string\"}, {\"type\": "
                                           "\"array\", \"items\": {\"type\": \"string\"}}]}",
                                           use_parse, use_print};

/* ---- rows ------------------------------------------------------------------------------------ */

static const struct cyc_conf_row respond_rows[] = {
    {"status", CYC_CONF_U32, AT(respond_status), NULL, "200", "599", .doc = "Status code.",
     .is_required = true},
    {"body", CYC_CONF_TEXT, AT(respond_body), NULL, NULL, NULL, .doc = "Sent as it is.",
     .shown = "no body"},
    {"content_type", CYC_CONF_TEXT, AT(respond_content_type), NULL, NULL, NULL,
     .doc = "Of the body.", .shown = "text/plain; charset=utf-8"},
    {0},
};

static const struct cyc_conf_section respond_section = {
    .doc = "An answer of Cyclone's own. A number is short for `{status: n}`.",
    .rows = respond_rows,
    .later = "body_file headers",
    .short_key = "status",
};

static const struct cyc_conf_row route_rows[] = {
    {"name", CYC_CONF_TEXT, AT(name), NULL, NULL, NULL,
     .doc = "In metrics and logs. Each has its own.", .check = cyc_conf_check_name, .type = "name",
     .shown = "route-N"},
    {"listener", CYC_CONF_TEXTS, AT(listeners), NULL, NULL, NULL,
     .doc = "Only requests that came in there.", .count_offset = AT(listener_count), .type = "name",
     .shown = "all"},
    {"host", CYC_CONF_TEXTS, AT(hosts), NULL, NULL, NULL,
     .doc = "`example.com`, `*.example.com` or `*`.", .count_offset = AT(host_count),
     .check = check_host, .type = "host", .shown = "*"},
    {"path", CYC_CONF_TEXTS, AT(paths), NULL, NULL, NULL,
     .doc = "`/exact` or `/prefix/*`, which stands for whole segments.",
     .count_offset = AT(path_count), .check = check_route_path, .type = "path", .shown = "/*"},
    {"method", CYC_CONF_TEXTS, AT(methods), NULL, NULL, NULL, .doc = "`GET`, `POST`, ...",
     .count_offset = AT(method_count), .check = check_method, .type = "method", .shown = "any"},
    {"to", CYC_CONF_CUSTOM, 0, NULL, NULL, NULL,
     .doc = "Where the requests go. One of to and respond.", .custom = &to},
    {"respond", CYC_CONF_SECTION, 0, NULL, NULL, NULL, .doc = "An answer of Cyclone's own.",
     .section = &respond_section},
    {"use", CYC_CONF_CUSTOM, 0, NULL, NULL, NULL,
     .doc = "Named sets of features, applied in order before the route's own.", .custom = &use,
     .shown = "[]"},
    {.kind = CYC_CONF_INLINE, .offset = AT(features), .section = &cyc_feature_section},
    {0},
};

static void route_prepare(struct cyc_conf_bind *bind, const struct cyc_node *node, void *element)
{
    const struct cyc_config_load *load = bind->owner;
    struct cyc_route_conf *route = element;
    bool has_to = cyc_node_find(node, "to") != NULL;
    bool has_other = cyc_node_find(node, "redirect") != NULL;
    bool has_respond = cyc_node_find(node, "respond") != NULL;

    route->features = load->config.defaults;
    if (has_respond)
        route->respond_content_type = CYC_SPAN("text/plain; charset=utf-8");
    route->action = has_respond && !has_to ? CYC_ROUTE_RESPOND : CYC_ROUTE_TO;
    if (node->kind != CYC_NODE_MAP || has_other)
        return;
    if (has_to && has_respond)
        cyc_conf_key_error(bind, cyc_node_find(node, "respond"), "conflict",
                           "a route has \"to\" or \"respond\", not both");
    else if (!has_to && !has_respond)
        cyc_conf_key_error(bind, node, "missing-key",
                           "a route needs \"to\" (a cluster or target) or \"respond\" (a status)");
}

const struct cyc_conf_section cyc_route_section = {
    .noun = "route",
    .doc = "The most specific match wins: host, then exact path, then longest prefix, then method; "
           "among equals the first.",
    .rows = route_rows,
    .later = "headers query sticky mirror redirect fallback",
    .size_bytes = sizeof(struct cyc_route_conf),
    .mark_offset = AT(mark),
    .prepare = route_prepare,
};

static const struct cyc_conf_row bundle_rows[] = {
    {.kind = CYC_CONF_INLINE,
     .offset = (uint32_t)offsetof(struct cyc_bundle, features),
     .section = &cyc_feature_section},
    {0},
};

static void bundle_prepare(struct cyc_conf_bind *bind, const struct cyc_node *node, void *element)
{
    const struct cyc_config_load *load = bind->owner;
    struct cyc_bundle *bundle = element;

    bundle->node = node;
    bundle->features = load->config.defaults;
}

const struct cyc_conf_section cyc_bundle_section = {
    .noun = "bundle",
    .doc = "A named set of features, for `use` in routes.",
    .rows = bundle_rows,
    .size_bytes = sizeof(struct cyc_bundle),
    .prepare = bundle_prepare,
};
