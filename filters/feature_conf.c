/* SPDX-License-Identifier: Apache-2.0 */
#include "filters/feature_conf.h"

#include "conf/suggest.h"
#include "conf/table.h"

#define AT(field) (uint32_t) offsetof(struct cyc_feature_conf, field)
#define HEADERS(field) (uint32_t) offsetof(struct cyc_headers_conf, field)
#define RETRY(field) (uint32_t) offsetof(struct cyc_retry_conf, field)
#define ARG(span) (int)(span).len, (span).ptr

#define EDIT_COUNT_MAX 256         /* of one list: each is work for every request */
#define VARIABLE_COUNT_MAX 30      /* of one value: filters/template.c has room for them */
#define FIELD_VALUE_BYTES_MAX 4096 /* leaves room in any head limit */

/* ---- header edits ---------------------------------------------------------------------------- */

static const char *const variable_names[] = {
#define X(name, text) text,
    CYC_HEADER_VARIABLES(X)
#undef X
};

bool cyc_header_variable_find(struct cyc_span name, enum cyc_header_variable *ret_variable)
{
    for (unsigned i = 0; i < CYC_VARIABLE_COUNT; i++) {
        if (!cyc_span_equal(name, cyc_span_from_text(variable_names[i])))
            continue;
        *ret_variable = (enum cyc_header_variable)i;
        return true;
    }
    return false;
}

/** Fields that frame the message or name its end: editing them breaks it (RFC 9110 7.6.1). */
static bool is_framing_field(struct cyc_span name)
{
    static const char *const names[] = {"Connection", "Content-Length",    "Keep-Alive",
                                        "TE",         "Transfer-Encoding", "Trailer",
                                        "Upgrade",    "Proxy-Connection",  "Host"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (cyc_span_equal_nocase(name, cyc_span_from_text(names[i])))
            return true;
    return name.len > 0 && name.ptr[0] == ':';
}

static bool check_name(struct cyc_arena *arena, struct cyc_span *name,
                       struct cyc_value_problem *problem)
{
    (void)arena;
    if (!cyc_span_is_token(*name))
        return cyc_value_refuse(problem, "bad-value", "\"%.*s\" is not a header name", ARG(*name));
    if (is_framing_field(*name))
        return cyc_value_refuse(problem, "bad-value",
                                "\"%.*s\" is Cyclone's own to set: it frames or routes the message",
                                ARG(*name));
    return true;
}

static void report_variable(struct cyc_conf_bind *bind, const struct cyc_node *node,
                            struct cyc_span name)
{
    struct cyc_suggest suggest = {.word = name};

    for (unsigned i = 0; i < CYC_VARIABLE_COUNT; i++)
        cyc_suggest_offer(&suggest, cyc_span_from_text(variable_names[i]));
    struct cyc_diag_item *item =
        cyc_conf_error(bind, node, "unknown-variable", "no variable %%{%.*s}", ARG(name));
    if (suggest.best.len > 0)
        cyc_diag_hint(bind->diag, item, "did you mean %%{%.*s}?", ARG(suggest.best));
}

/** Only variables that exist; "%%" is a percent sign (filters/template.h). */
static bool check_variables(struct cyc_conf_bind *bind, const struct cyc_node *node,
                            struct cyc_span value)
{
    enum cyc_header_variable variable;
    uint32_t count = 0;

    for (size_t i = 0; i + 1 < value.len; i++) {
        if (value.ptr[i] != '%')
            continue;
        if (value.ptr[++i] != '{')
            continue;
        size_t end = cyc_span_find_char(value, '}', i);
        struct cyc_span name = cyc_span_slice(value, i + 1, end);
        if (end == value.len || !cyc_header_variable_find(name, &variable)) {
            report_variable(bind, node, name);
            return false;
        }
        if (++count > VARIABLE_COUNT_MAX) {
            cyc_conf_error(bind, node, "out-of-range", "a header value has at most %d variables",
                           VARIABLE_COUNT_MAX);
            return false;
        }
        i = end;
    }
    return true;
}

/** RFC 9110 5.5: visible characters, blanks and obs-text. */
static bool check_value(struct cyc_conf_bind *bind, const struct cyc_node *node,
                        struct cyc_span value)
{
    if (value.len > FIELD_VALUE_BYTES_MAX) {
        cyc_conf_error(bind, node, "out-of-range", "a header value has at most %d bytes",
                       FIELD_VALUE_BYTES_MAX);
        return false;
    }
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            cyc_conf_error(bind, node, "bad-value", "a header value has no control characters");
            return false;
        }
    }
    return check_variables(bind, node, value);
}

/** The list of edits a row binds to; `sets` and `adds` have the same shape. */
struct edits {
    struct cyc_header_edit *items;
    uint32_t count;
};

static void put_edit(struct edits *edits, struct cyc_header_edit edit)
{
    for (uint32_t i = 0; i < edits->count; i++)
        if (cyc_span_equal_nocase(edits->items[i].name, edit.name)) {
            edits->items[i] = edit;
            return;
        }
    edits->items[edits->count++] = edit;
}

/** Inherited arrays are shared with other routes, so a merge makes a new one. */
static void bind_edits(struct cyc_conf_bind *bind, const struct cyc_conf_row *row,
                       const struct cyc_node *node, struct edits *edits)
{
    if (node->kind != CYC_NODE_MAP) {
        if (!cyc_node_is_null(node))
            cyc_conf_error(bind, node, "bad-value", "\"%s\" is a map: {Header-Name: value}",
                           row->key);
        return;
    }
    if (edits->count + node->child_count > EDIT_COUNT_MAX) {
        cyc_conf_error(bind, node, "out-of-range", "more than %d header fields", EDIT_COUNT_MAX);
        return;
    }
    struct cyc_header_edit *items =
        cyc_arena_alloc(bind->arena, (edits->count + node->child_count) * sizeof(*items));
    if (edits->count > 0)
        memcpy(items, edits->items, edits->count * sizeof(*items));
    edits->items = items;
    for (const struct cyc_node *child = node->children; child != NULL; child = child->next) {
        struct cyc_span name = cyc_arena_copy(bind->arena, child->key), value;
        struct cyc_value_problem problem = {.key = name};
        if (!check_name(bind->arena, &name, &problem))
            cyc_conf_key_error(bind, child, problem.code, "%s", problem.message);
        else if (cyc_conf_get_text(bind, row, child, &value) && check_value(bind, child, value))
            put_edit(edits, (struct cyc_header_edit){name, cyc_arena_copy(bind->arena, value)});
    }
}

static void sets_parse(struct cyc_conf_bind *bind, const struct cyc_conf_row *row,
                       const struct cyc_node *node, void *field)
{
    struct cyc_headers_conf *headers = field;
    struct edits edits = {headers->sets, headers->set_count};

    bind_edits(bind, row, node, &edits);
    headers->sets = edits.items;
    headers->set_count = edits.count;
}

static void adds_parse(struct cyc_conf_bind *bind, const struct cyc_conf_row *row,
                       const struct cyc_node *node, void *field)
{
    struct cyc_headers_conf *headers = field;
    struct edits edits = {headers->adds, headers->add_count};

    bind_edits(bind, row, node, &edits);
    headers->adds = edits.items;
    headers->add_count = edits.count;
}

static void print_edits(struct cyc_text *text, const struct cyc_header_edit *edits, uint32_t count)
{
    cyc_text_puts(text, "{");
    for (uint32_t i = 0; i < count; i++) {
        cyc_text_puts(text, i > 0 ? ", " : "");
        cyc_text_add_json(text, edits[i].name);
        cyc_text_puts(text, ": ");
        cyc_text_add_json(text, edits[i].value);
    }
    cyc_text_puts(text, "}");
}

static void sets_print(struct cyc_text *text, const void *field)
{
    const struct cyc_headers_conf *headers = field;

    print_edits(text, headers->sets, headers->set_count);
}

static void adds_print(struct cyc_text *text, const void *field)
{
    const struct cyc_headers_conf *headers = field;

    print_edits(text, headers->adds, headers->add_count);
}

#define EDITS_SCHEMA                                                                               \
    "{\"type\": \"object\", \"additionalProperties\": {\"type\": [\"string\", \"number\", "        \
    "\"boolean\"]}}"
static const struct cyc_conf_custom sets = {"map of header: text", EDITS_SCHEMA, sets_parse,
                                            sets_print};
static const struct cyc_conf_custom adds = {"map of header: text", EDITS_SCHEMA, adds_parse,
                                            adds_print};
/* `set` and `add` take the whole struct: each fills a list and its count. */
static const struct cyc_conf_row headers_rows[] = {
    {"set", CYC_CONF_CUSTOM, 0, NULL, NULL, NULL,
     .doc = "Replace or create. Values may use `%{client_ip}`, `%{host}`, `%{request_id}`, "
            "`%{route}` and "
            "others.",
     .custom = &sets, .shown = "{}"},
    {"add", CYC_CONF_CUSTOM, 0, NULL, NULL, NULL, .doc = "Append.", .custom = &adds, .shown = "{}"},
    {"remove", CYC_CONF_TEXTS, HEADERS(removes), NULL, NULL, NULL, .doc = "Delete; happens first.",
     .count_offset = HEADERS(remove_count), .check = check_name, .type = "header name"},
    {0},
};

static const struct cyc_conf_section headers_section = {
    .doc = "Edits of header fields, in the order remove, set, add.",
    .rows = headers_rows,
};

/* ---- retry ----------------------------------------------------------------------------------- */

static void retry_on_parse(struct cyc_conf_bind *bind, const struct cyc_conf_row *row,
                           const struct cyc_node *node, void *field)
{
    struct cyc_retry_conf *retry = field;
    uint32_t count;
    const struct cyc_node *item = cyc_conf_list_items(node, &count);
    struct cyc_span word;

    retry->on_connect = retry->on_reset = false;
    for (uint32_t i = 0; i < count; i++, item = item->next) {
        if (!cyc_conf_get_text(bind, row, item, &word))
            continue;
        if (cyc_span_equal(word, CYC_SPAN("connect")))
            retry->on_connect = true;
        else if (cyc_span_equal(word, CYC_SPAN("reset")))
            retry->on_reset = true;
        else if (cyc_conf_has_word(row->later, word))
            cyc_conf_error(bind, item, "not-yet", "retry on \"%.*s\": not in this version yet",
                           ARG(word));
        else
            cyc_conf_error(bind, item, "bad-value", "\"on\" takes connect and reset, got \"%.*s\"",
                           ARG(word));
    }
}

static void retry_on_print(struct cyc_text *text, const void *field)
{
    const struct cyc_retry_conf *retry = field;

    cyc_text_printf(text, "[%s%s%s]", retry->on_connect ? "\"connect\"" : "",
                    retry->on_connect && retry->on_reset ? ", " : "",
                    retry->on_reset ? "\"reset\"" : "");
}

static const struct cyc_conf_custom retry_on = {
    "list of `connect` \\| `reset`",
    "{\"anyOf\": [{\"enum\": [\"connect\", \"reset\"]}, {\"type\": \"array\", \"items\": "
    "{\"enum\": "
    "[\"connect\", \"reset\"]}}]}",
    retry_on_parse, retry_on_print};

static const struct cyc_conf_row retry_rows[] = {
    {"attempts", CYC_CONF_U32, RETRY(attempts), "1", "0", "10",
     .doc = "Extra tries, each on another endpoint when there is one."},
    {"on", CYC_CONF_CUSTOM, 0, "[connect, reset]", NULL, NULL,
     .doc = "What may be tried again. reset: only before any response byte, and only requests that "
            "may be "
            "repeated.",
     .custom = &retry_on, .later = "refused_stream timeout 502 503 504 5xx gateway"},
    {"per_try_timeout", CYC_CONF_DURATION, RETRY(per_try_timeout_ms), "0", NULL, NULL,
     .doc = "For one try; 0 = the route's timeout, which it may not exceed."},
    {0},
};

static const struct cyc_conf_section retry_section = {
    .doc = "A number is short for `{attempts: n}`; `false` turns it off.",
    .rows = retry_rows,
    .later = "methods backoff budget max_body",
    .short_key = "attempts",
    .false_value = "0",
};

/* ---- features -------------------------------------------------------------------------------- */

static const struct cyc_conf_word presets[] = {
    {"guide", CYC_SECURITY_GUIDE},   {"basic", CYC_SECURITY_BASIC}, {"true", CYC_SECURITY_BASIC},
    {"strict", CYC_SECURITY_STRICT}, {"false", CYC_SECURITY_OFF},   {NULL, 0}};
static const struct cyc_conf_word id_modes[] = {{"auto", CYC_REQUEST_ID_AUTO},
                                                {"always", CYC_REQUEST_ID_ALWAYS},
                                                {"off", CYC_REQUEST_ID_OFF},
                                                {NULL, 0}};
static const struct cyc_conf_word listener_limit[] = {{"listener", UINT64_MAX}, {NULL, 0}};

static const struct cyc_conf_row feature_rows[] = {
    {"timeout", CYC_CONF_DURATION, AT(timeout_ms), "15s", "0", "24h",
     .doc =
         "Whole exchange; 0 = none. While bytes flow it is the longest gap between two; a request "
         "body may take longer at 240 bytes/s or more."},
    {"first_byte_timeout", CYC_CONF_DURATION, AT(first_byte_timeout_ms), "0", "0", "24h",
     .doc = "From the end of the request to the response head; 0 = `timeout`."},
    {"max_body_size", CYC_CONF_SIZE, AT(max_body_bytes), "listener", NULL, NULL,
     .doc = "413 above it; 0 = unlimited; `listener` = what the listener says.",
     .words = listener_limit},
    {"request_headers", CYC_CONF_SECTION, AT(request_headers), NULL, NULL, NULL,
     .doc = "Edits of the request on its way to the service.", .section = &headers_section},
    {"response_headers", CYC_CONF_SECTION, AT(response_headers), NULL, NULL, NULL,
     .doc = "Edits of the response on its way to the client.", .section = &headers_section},
    {"security_headers", CYC_CONF_ENUM, AT(security_headers), "guide", NULL, NULL,
     .doc = "Set if absent, HSTS only over TLS. guide: the five of the deployment guide. basic (= "
            "true): "
            "nosniff, Referrer-Policy, HSTS. strict: basic, and a Content-Security-Policy that "
            "allows only "
            "'self' and no framing.",
     .words = presets},
    {"request_id", CYC_CONF_ENUM, AT(request_id), "auto", NULL, NULL,
     .doc =
         "X-Request-Id. auto: keep the one of a trusted peer, else a new one. always: a new one.",
     .words = id_modes},
    {"access_log", CYC_CONF_BOOL, AT(is_access_logged), "true", NULL, NULL,
     .doc = "Whether these requests are in the access log."},
    {"retry", CYC_CONF_SECTION, AT(retry), NULL, NULL, NULL, .doc = "Tries after the first.",
     .section = &retry_section, .shown = "1"},
    {0},
};

const struct cyc_conf_section cyc_feature_section = {
    .doc =
        "Features of a route. Each route starts from `defaults`, then come the bundles it `use`s, "
        "then its own keys.",
    .rows = feature_rows,
    .later = "buffering ip auth rate_limit cors compress rewrite priority",
};
