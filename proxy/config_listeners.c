/* SPDX-License-Identifier: Apache-2.0 */
/* `listeners`: their rows, the implicit one, and what server.port does to them. */
#include "proxy/config_load.h"

#define AT(field) (uint32_t) offsetof(struct cyc_listener_conf, field)
#define ARG(span) (int)(span).len, (span).ptr

#define SERVER_PORT 8080

/* ---- rows ------------------------------------------------------------------------------------ */

/** The field is the whole listener: a list and its count. */
static void proxies_parse(struct cyc_conf_bind *bind, const struct cyc_conf_row *row,
                          const struct cyc_node *node, void *field)
{
    struct cyc_listener_conf *listener = field;
    uint32_t capacity, count = 0;
    const struct cyc_node *item = cyc_conf_list_items(node, &capacity);
    struct cyc_cidr *cidrs = cyc_arena_alloc(bind->arena, capacity * sizeof(*cidrs));
    struct cyc_span text;

    for (uint32_t i = 0; i < capacity; i++, item = item->next) {
        if (!cyc_conf_get_text(bind, row, item, &text))
            continue;
        if (cyc_cidr_parse(text, &cidrs[count])) {
            count++;
            continue;
        }
        cyc_diag_hint(bind->diag,
                      cyc_conf_error(bind, item, "bad-value",
                                     "\"%.*s\" is not a block of addresses", ARG(text)),
                      "write it like 10.0.0.0/8 or fd00::/8");
    }
    listener->trusted_proxies = cidrs;
    listener->trusted_proxy_count = count;
}

static void proxies_print(struct cyc_text *text, const void *field)
{
    const struct cyc_listener_conf *listener = field;
    char cidr[CYC_CIDR_TEXT_BYTES_MAX];

    cyc_text_puts(text, "[");
    for (uint32_t i = 0; i < listener->trusted_proxy_count; i++) {
        size_t len = cyc_cidr_format(&listener->trusted_proxies[i], cidr);
        cyc_text_puts(text, i > 0 ? ", " : "");
        cyc_text_add_json(text, cyc_span_of(cidr, len));
    }
    cyc_text_puts(text, "]");
}

static const struct cyc_conf_custom proxies = {"list of address block",
                                               "{\"anyOf\": [{\"type\": \"string\"}, {\"type\": "
                                               "\"array\", \"items\": {\"type\": \"string\"}}]}",
                                               proxies_parse, proxies_print};

static const struct cyc_conf_word default_routes[] = {{"404", CYC_DEFAULT_ROUTE_404},
                                                      {"421", CYC_DEFAULT_ROUTE_421},
                                                      {"close", CYC_DEFAULT_ROUTE_CLOSE},
                                                      {NULL, 0}};

static const struct cyc_conf_row timeout_rows[] = {
    {"header", CYC_CONF_DURATION, AT(header_timeout_ms), "10s", "100ms", "10m",
     .doc = "The whole request head must arrive in this time."},
    {"body_idle", CYC_CONF_DURATION, AT(body_idle_timeout_ms), "30s", "100ms", "1h",
     .doc = "Longest gap between two pieces of a request body."},
    {"idle", CYC_CONF_DURATION, AT(idle_timeout_ms), "75s", "1s", "24h",
     .doc = "How long a connection is kept between requests."},
    {"write_idle", CYC_CONF_DURATION, AT(write_idle_timeout_ms), "30s", "100ms", "1h",
     .doc = "Longest time a client may take no bytes."},
    {"max_age", CYC_CONF_DURATION, AT(max_age_ms), "0", NULL, NULL,
     .doc = "Close a connection of this age between two requests; 0 = never."},
    {0},
};

static const struct cyc_conf_section timeouts_section = {
    .doc = "How long clients may take.",
    .rows = timeout_rows,
};

static const struct cyc_conf_row listener_rows[] = {
    {"address", CYC_CONF_TEXT, AT(address), NULL, NULL, NULL,
     .doc = "`:8080` (IPv4 and IPv6), `127.0.0.1:80`, `[::1]:80` or `unix:/path`.",
     .check = cyc_conf_check_address, .type = "address", .is_required = true},
    {"trusted_proxies", CYC_CONF_CUSTOM, 0, NULL, NULL, NULL,
     .doc = "Peers whose X-Forwarded-For and X-Request-Id are believed.", .custom = &proxies,
     .shown = "[]"},
    {"max_connections", CYC_CONF_U32, AT(max_connections), "0", "0", "10000000",
     .doc = "Accepting pauses at the limit; 0 = what the descriptor limit allows."},
    {"max_header_size", CYC_CONF_SIZE_U32, AT(max_header_bytes), "32KiB", "1KiB", "1MiB",
     .doc = "431 above it."},
    {"max_headers", CYC_CONF_U32, AT(max_header_count), "100", "1", "1000", .doc = "431 above it."},
    {"max_uri_size", CYC_CONF_SIZE_U32, AT(max_uri_bytes), "8KiB", "256", "1MiB",
     .doc = "414 above it."},
    {"max_body_size", CYC_CONF_SIZE, AT(max_body_bytes), "0", NULL, NULL,
     .doc = "413 above it; 0 = unlimited. A route may set its own."},
    {"max_requests", CYC_CONF_U32, AT(max_requests), "0", NULL, NULL,
     .doc = "Requests on one connection before it is closed; 0 = unlimited."},
    {"default_route", CYC_CONF_ENUM, AT(default_route), "404", NULL, NULL,
     .doc = "The answer when no route matches.", .words = default_routes},
    {"timeouts", CYC_CONF_SECTION, 0, NULL, NULL, NULL, .doc = "How long clients may take.",
     .section = &timeouts_section},
    {0},
};

const struct cyc_conf_section cyc_listener_section = {
    .noun = "listener",
    .doc = "Where clients connect. An address is short for `{address: ...}`.",
    .rows = listener_rows,
    .later = "protocol tls http2 redirect_to_https proxy_protocol",
    .short_key = "address",
    .size_bytes = sizeof(struct cyc_listener_conf),
    .mark_offset = AT(mark),
};

/* ---- the implicit listener, server.port ------------------------------------------------------ */

static struct cyc_span join_address(struct cyc_config_load *load, struct cyc_span host,
                                    uint32_t port)
{
    bool is_v6 = cyc_span_find_char(host, ':', 0) < host.len;

    return cyc_arena_format(load->bind.arena, is_v6 ? "[%.*s]:%u" : "%.*s:%u", ARG(host), port);
}

static void add_implicit_listener(struct cyc_config_load *load)
{
    struct cyc_config *config = &load->config;
    struct cyc_listener_conf *listener = cyc_arena_zalloc(load->bind.arena, sizeof(*listener));

    if (config->server.port == CYC_CONFIG_PORT_UNSET)
        config->server.port = SERVER_PORT;
    cyc_conf_set_defaults(&load->bind, &cyc_listener_section, listener);
    listener->name = CYC_SPAN("default");
    listener->address = join_address(load, config->server.host, config->server.port);
    listener->mark = load->root->mark;
    config->listeners = listener;
    config->listener_count = 1;
}

/** @return the port that was written; 0 for UNIX and after errors */
static uint32_t address_port(struct cyc_span address, struct cyc_span *ret_host)
{
    struct cyc_value_problem problem = {.code = NULL};
    uint32_t port = 0;

    if (cyc_span_starts_with(address, CYC_SPAN("unix:")) ||
        !cyc_value_split_port(address, ret_host, &port, &problem))
        return 0;
    return port;
}

static void apply_server_port(struct cyc_config_load *load)
{
    struct cyc_config *config = &load->config;
    struct cyc_listener_conf *listener = config->listeners;
    struct cyc_span host = cyc_span_of(NULL, 0);

    if (config->server.port == CYC_CONFIG_PORT_UNSET)
        config->server.port = 0;
    if (config->server.port == 0)
        return;
    if (config->listener_count > 1) {
        cyc_diag_hint(load->bind.diag,
                      cyc_diag_error(load->bind.diag, &listener->mark, "bad-value",
                                     "server.port is set, but which of %u listeners is meant?",
                                     config->listener_count),
                      "set the listener's own \"address\"");
        return;
    }
    if (cyc_span_starts_with(listener->address, CYC_SPAN("unix:"))) {
        cyc_diag_error(load->bind.diag, &listener->mark, "bad-value",
                       "server.port is set, but listener \"%.*s\" is a UNIX socket",
                       ARG(listener->name));
        return;
    }
    address_port(listener->address, &host);
    listener->address = join_address(load, host, config->server.port);
}

static void check_addresses(struct cyc_config_load *load)
{
    const struct cyc_config *config = &load->config;
    struct cyc_span host;

    for (uint32_t i = 1; i < config->listener_count; i++) {
        const struct cyc_listener_conf *later = &config->listeners[i];
        bool is_any_port = address_port(later->address, &host) == 0 && later->address.len > 0 &&
                           later->address.ptr[0] != 'u';
        for (uint32_t j = 0; j < i && !is_any_port; j++) {
            const struct cyc_listener_conf *first = &config->listeners[j];
            if (later->address.len == 0 || !cyc_span_equal(first->address, later->address))
                continue;
            struct cyc_diag_item *item =
                cyc_diag_error(load->bind.diag, &later->mark, "duplicate-address",
                               "listener \"%.*s\" has the address of listener \"%.*s\": %.*s",
                               ARG(later->name), ARG(first->name), ARG(later->address));
            if (item != NULL)
                item->related = first->mark;
            break;
        }
    }
}

void cyc_config_finish_listeners(struct cyc_config_load *load)
{
    struct cyc_config *config = &load->config;

    if (config->listener_count == 0)
        add_implicit_listener(load);
    else
        apply_server_port(load);
    check_addresses(load);
}
