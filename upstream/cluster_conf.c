/* SPDX-License-Identifier: Apache-2.0 */
#include "upstream/cluster_conf.h"

#include "conf/table.h"
#include "conf/value.h"

#define AT(field) (uint32_t) offsetof(struct cyc_cluster_conf, field)
#define POOL(field) (uint32_t) offsetof(struct cyc_pool_conf, field)
#define ENDPOINT(field) (uint32_t) offsetof(struct cyc_endpoint_conf, field)
#define ARG(span) (int)(span).len, (span).ptr

#define HTTP_PORT 80

/* ---- targets --------------------------------------------------------------------------------- */

bool cyc_target_is_inline(struct cyc_span text)
{
    return cyc_span_find_char(text, ':', 0) < text.len ||
           cyc_span_find_char(text, '/', 0) < text.len;
}

/** Takes "scheme://" off. @return the scheme; empty: there is none */
static struct cyc_span take_scheme(struct cyc_span *text)
{
    size_t colon = cyc_span_find_char(*text, ':', 0);
    struct cyc_span scheme = cyc_span_slice(*text, 0, colon);

    if (!cyc_span_starts_with(cyc_span_slice(*text, colon, text->len), CYC_SPAN("://")))
        return cyc_span_of(NULL, 0);
    *text = cyc_span_slice(*text, colon + 3, text->len);
    return scheme;
}

static bool check_scheme(struct cyc_span scheme, struct cyc_value_problem *problem)
{
    if (scheme.len == 0 || cyc_span_equal(scheme, CYC_SPAN("http")) ||
        cyc_span_equal(scheme, CYC_SPAN("dns")))
        return true;
    if (cyc_conf_has_word("https h2 h2c srv k8s file redis", scheme))
        return cyc_value_refuse(problem, "not-yet", "%.*s:// targets: not in this version yet",
                                ARG(scheme));
    cyc_value_hint(problem, "host:port, http://host:port, dns://name:port or unix:/path");
    return cyc_value_refuse(problem, "bad-value", "\"%.*s://\" is no kind of target", ARG(scheme));
}

/** Splits what stands behind the scheme; a URL may leave its port out. */
static bool split_target(struct cyc_span text, struct cyc_span scheme, struct cyc_span *ret_host,
                         uint32_t *ret_port, struct cyc_value_problem *problem)
{
    bool is_url = cyc_span_equal(scheme, CYC_SPAN("http"));

    if (is_url && text.len > 0 && text.ptr[text.len - 1] == '/')
        text.len--;
    if (cyc_span_find_char(text, '/', 0) < text.len) {
        cyc_value_hint(problem, "requests keep the path they came with");
        return cyc_value_refuse(problem, "bad-value", "a target has no path: \"%.*s\"", ARG(text));
    }
    bool is_bracketed = text.len > 1 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']';
    if (is_url && (is_bracketed || cyc_span_find_char(text, ':', 0) == text.len)) {
        *ret_host = is_bracketed ? cyc_span_slice(text, 1, text.len - 1) : text;
        *ret_port = HTTP_PORT;
        return true;
    }
    if (!cyc_value_split_port(text, ret_host, ret_port, problem))
        return false;
    if (*ret_port == 0)
        return cyc_value_refuse(problem, "out-of-range", "0 is out of range for a port (1..65535)");
    return true;
}

bool cyc_cluster_target_parse(struct cyc_arena *arena, struct cyc_span text, bool is_builtin,
                              struct cyc_endpoint_conf *ret_endpoint,
                              struct cyc_value_problem *problem)
{
    struct cyc_span rest = text, scheme = take_scheme(&rest), host = {NULL, 0};
    uint32_t port = 0;

    if (is_builtin && cyc_span_starts_with(text, CYC_SPAN("builtin:"))) {
        ret_endpoint->address = cyc_arena_copy(arena, text);
        return true;
    }
    if (cyc_span_starts_with(text, CYC_SPAN("unix:"))) {
        ret_endpoint->address = cyc_arena_copy(arena, text);
        return cyc_value_check_address(text, problem);
    }
    if (!check_scheme(scheme, problem) || !split_target(rest, scheme, &host, &port, problem))
        return false;

    bool is_ip = cyc_value_is_ip(host);
    if (!is_ip && !cyc_value_is_host_name(host))
        return cyc_value_refuse(problem, "bad-value", "\"%.*s\" is not a host name or IP address",
                                ARG(host));
    bool is_v6 = cyc_span_find_char(host, ':', 0) < host.len;
    ret_endpoint->address =
        cyc_arena_format(arena, is_v6 ? "[%.*s]:%u" : "%.*s:%u", ARG(host), port);
    ret_endpoint->host =
        is_ip ? cyc_span_of(NULL, 0) : cyc_span_slice(ret_endpoint->address, 0, host.len);
    ret_endpoint->port = port;
    ret_endpoint->is_dns = !is_ip;
    ret_endpoint->is_all = !is_ip && cyc_span_equal(scheme, CYC_SPAN("dns"));
    return true;
}

/** The field is the whole endpoint: a target says several things at once. */
static void target_parse(struct cyc_conf_bind *bind, const struct cyc_conf_row *row,
                         const struct cyc_node *node, void *field)
{
    struct cyc_endpoint_conf *endpoint = field, parsed = {.weight = endpoint->weight};
    struct cyc_value_problem problem = {.key = cyc_span_from_text(row->key)};
    struct cyc_span text;

    if (!cyc_conf_get_text(bind, row, node, &text))
        return;
    if (cyc_cluster_target_parse(bind->arena, text, bind->is_builtin, &parsed, &problem))
        *endpoint = parsed;
    else
        cyc_conf_report(bind, node, &problem);
}

static void target_print(struct cyc_text *text, const void *field)
{
    const struct cyc_endpoint_conf *endpoint = field;
    struct cyc_text target;

    cyc_text_init(&target, text->arena);
    cyc_text_puts(&target, endpoint->is_all ? "dns://" : "");
    cyc_text_add(&target, endpoint->address);
    cyc_text_add_json(text, cyc_text_span(&target));
}

static const struct cyc_conf_custom target = {
    .type = "target",
    .schema = "{\"type\": \"string\"}",
    .parse = target_parse,
    .print = target_print,
};

/* ---- rows ------------------------------------------------------------------------------------ */

static const struct cyc_conf_row endpoint_rows[] = {
    {"address", CYC_CONF_CUSTOM, 0, NULL, NULL, NULL,
     .doc = "`host:port` (resolved and kept resolved), `http://host:port`, `dns://name:port` "
            "(every address "
            "is an endpoint) or `unix:/path`.",
     .custom = &target, .is_required = true},
    {"weight", CYC_CONF_U32, ENDPOINT(weight), "100", "1", "1000", .doc = "Share of the requests."},
    {0},
};

static const struct cyc_conf_section endpoint_section = {
    .noun = "endpoint",
    .doc = "A target is short for `{address: target}`.",
    .rows = endpoint_rows,
    .later = "priority zone",
    .short_key = "address",
    .size_bytes = sizeof(struct cyc_endpoint_conf),
};

static const struct cyc_conf_word policies[] = {{"least_request", CYC_LB_LEAST_REQUEST},
                                                {"round_robin", CYC_LB_ROUND_ROBIN},
                                                {"random", CYC_LB_RANDOM},
                                                {NULL, 0}};

static const struct cyc_conf_row balancing_rows[] = {
    {"policy", CYC_CONF_ENUM, AT(lb_policy), "least_request", NULL, NULL,
     .doc = "least_request takes the less busy of two random endpoints.", .words = policies,
     .later = "peak_ewma ring_hash maglev"},
    {0},
};

static const struct cyc_conf_section balancing_section = {
    .doc = "A policy is short for `{policy: ...}`.",
    .rows = balancing_rows,
    .later = "hash_on slow_start panic_threshold zone_aware",
    .short_key = "policy",
};

static const struct cyc_conf_row pool_rows[] = {
    {"max_per_endpoint", CYC_CONF_U32, POOL(max_per_endpoint), "1024", "1", "1000000",
     .doc = "Open connections to one endpoint."},
    {"max_idle", CYC_CONF_U32, POOL(max_idle), "256", "0", "1000000",
     .doc =
         "Idle connections kept for one endpoint; network.connection_pool_size bounds the whole."},
    {"idle_timeout", CYC_CONF_DURATION, POOL(idle_timeout_ms), "55s", "1s", "1h",
     .doc = "Below the usual 60 s of servers, so that Cyclone closes first."},
    {"max_lifetime", CYC_CONF_DURATION, POOL(max_lifetime_ms), "0", NULL, NULL,
     .doc = "Retire a connection after this age; 0 = never."},
    {"max_requests", CYC_CONF_U32, POOL(max_requests), "0", NULL, NULL,
     .doc = "Retire a connection after this many requests; 0 = never."},
    {"max_pending", CYC_CONF_U32, POOL(max_pending), "1024", "0", "1000000",
     .doc = "Requests that may wait for a connection; above it 503 at once."},
    {"pending_timeout", CYC_CONF_DURATION, POOL(pending_timeout_ms), "1s", "0", "1m",
     .doc = "How long they may wait."},
    {0},
};

static const struct cyc_conf_section pool_section = {
    .doc = "Connections to the endpoints.",
    .rows = pool_rows,
};

static const struct cyc_conf_row cluster_rows[] = {
    {"endpoints", CYC_CONF_LIST, AT(endpoints), NULL, NULL, NULL,
     .doc = "Where the service is: one target or a list.", .count_offset = AT(endpoint_count),
     .section = &endpoint_section, .is_required = true},
    {.key = "load_balancing",
     .kind = CYC_CONF_SECTION,
     .section = &balancing_section,
     .doc = "Which endpoint gets the next request.",
     .shown = "least_request"},
    {"connect_timeout", CYC_CONF_DURATION, AT(connect_timeout_ms), "1s", "10ms", "1m",
     .doc = "For one connection."},
    {"pool", CYC_CONF_SECTION, AT(pool), NULL, NULL, NULL, .doc = "Connection pool.",
     .section = &pool_section},
    {"dns_refresh", CYC_CONF_DURATION, AT(dns_refresh_ms), NULL, "0", "1h",
     .doc = "How often names are resolved again.", .shown = "the record's TTL, 1s..5m"},
    {0},
};

const struct cyc_conf_section cyc_cluster_section = {
    .noun = "cluster",
    .doc = "A named service. A target or a list of targets is short for `{endpoints: ...}`.",
    .rows = cluster_rows,
    .later = "protocol tls health_check circuit_breaker send_proxy_protocol",
    .short_key = "endpoints",
    .size_bytes = sizeof(struct cyc_cluster_conf),
    .mark_offset = AT(mark),
};
