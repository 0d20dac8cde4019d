/* SPDX-License-Identifier: Apache-2.0 */
#include "filters/template.h"

#include "base/assert.h"

#include <string.h>

#define PIECE_COUNT_MAX 64 /* of one template; more is a mistake */
#define NO_VARIABLE CYC_VARIABLE_COUNT

/* ---- parsing --------------------------------------------------------------------------------- */

struct parser {
    struct cyc_span text;
    size_t at;
    struct cyc_template_piece pieces[PIECE_COUNT_MAX];
    uint32_t count;
};

/** Text up to the next variable, with "%%" undone. */
static struct cyc_span text_take(struct parser *parser, struct cyc_arena *arena)
{
    struct cyc_span text = parser->text;
    char *out = cyc_arena_alloc(arena, text.len - parser->at + 1);
    size_t len = 0;

    for (; parser->at < text.len; parser->at++) {
        char next = parser->at + 1 < text.len ? text.ptr[parser->at + 1] : '\0';
        if (text.ptr[parser->at] == '%' && next == '{')
            break;
        if (text.ptr[parser->at] == '%' && next == '%')
            parser->at++;
        out[len++] = text.ptr[parser->at];
    }
    return cyc_span_of(out, len);
}

/** @return false when there is no such variable */
static bool variable_take(struct parser *parser, enum cyc_header_variable *ret_variable)
{
    size_t close = cyc_span_find_char(parser->text, '}', parser->at);
    struct cyc_span name = cyc_span_slice(parser->text, parser->at + 2, close);

    if (close == parser->text.len || !cyc_header_variable_find(name, ret_variable))
        return false;
    parser->at = close + 1;
    return true;
}

bool cyc_template_parse(struct cyc_arena *arena, struct cyc_span text, struct cyc_template *ret,
                        size_t *ret_error_at)
{
    struct parser parser = {.text = text};
    bool has_variable = false;

    while (parser.at < text.len) {
        struct cyc_template_piece *piece = &parser.pieces[parser.count];
        size_t begin = parser.at;
        piece->text = text_take(&parser, arena);
        piece->variable = NO_VARIABLE;
        if (parser.at == begin) {
            has_variable = true;
            if (parser.count + 1 == PIECE_COUNT_MAX || !variable_take(&parser, &piece->variable)) {
                *ret_error_at = begin;
                return false;
            }
        }
        parser.count++;
    }
    *ret = (struct cyc_template){.piece_count = parser.count};
    if (!has_variable) {
        ret->text = parser.count > 0 ? parser.pieces[0].text : (struct cyc_span){NULL, 0};
        return true;
    }
    struct cyc_template_piece *pieces = cyc_arena_alloc(arena, parser.count * sizeof(*pieces));
    memcpy(pieces, parser.pieces, parser.count * sizeof(*pieces));
    ret->pieces = pieces;
    return true;
}

/* ---- rendering ------------------------------------------------------------------------------- */

static struct cyc_span uri_of(struct cyc_exchange *exchange)
{
    const struct cyc_msg *req = exchange->req;
    if (req->query.ptr == NULL) /* "/a?" has a query, an empty one */
        return req->path;
    size_t len = req->path.len + 1 + req->query.len;
    char *out = cyc_arena_alloc(exchange->arena, len);
    memcpy(out, req->path.ptr, req->path.len);
    out[req->path.len] = '?';
    if (req->query.len > 0)
        memcpy(out + req->path.len + 1, req->query.ptr, req->query.len);
    return cyc_span_of(out, len);
}

static struct cyc_span time_of(struct cyc_exchange *exchange)
{
    char *out = cyc_arena_alloc(exchange->arena, 24);
    return cyc_span_of(out, cyc_format_rfc3339(out, exchange->env->clock->wall_ns));
}

static struct cyc_span status_of(struct cyc_exchange *exchange)
{
    if (exchange->res == NULL)
        return (struct cyc_span){NULL, 0};
    char *out = cyc_arena_alloc(exchange->arena, 20);
    return cyc_span_of(out, cyc_format_u64(out, exchange->res->status));
}

/* cyc-size: switch over an enum */
static struct cyc_span variable_value(enum cyc_header_variable variable,
                                      struct cyc_exchange *exchange)
{
    const struct cyc_msg *req = exchange->req;

    switch (variable) {
    case CYC_VARIABLE_CLIENT_IP:
        return exchange->client_ip;
    case CYC_VARIABLE_HOST:
        return req->authority;
    case CYC_VARIABLE_METHOD:
        return req->method_text;
    case CYC_VARIABLE_PATH:
        return req->path;
    case CYC_VARIABLE_QUERY:
        return req->query;
    case CYC_VARIABLE_URI:
        return uri_of(exchange);
    case CYC_VARIABLE_SCHEME:
        return exchange->is_tls ? CYC_SPAN("https") : CYC_SPAN("http");
    case CYC_VARIABLE_REQUEST_ID:
        return exchange->request_id;
    case CYC_VARIABLE_LISTENER:
        return exchange->listener_name;
    case CYC_VARIABLE_ROUTE:
        return exchange->route_name;
    case CYC_VARIABLE_CLUSTER:
        return exchange->cluster_name;
    case CYC_VARIABLE_ENDPOINT:
        return exchange->endpoint;
    case CYC_VARIABLE_STATUS:
        return status_of(exchange);
    case CYC_VARIABLE_TIME:
        return time_of(exchange);
    case CYC_VARIABLE_COUNT:
        break;
    }
    cyc_unreachable();
}

static bool is_field_safe(struct cyc_span value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] == '\r' || value.ptr[i] == '\n' || value.ptr[i] == '\0')
            return false;
    return true;
}

bool cyc_template_fill(const struct cyc_template *tmpl, struct cyc_exchange *exchange,
                       struct cyc_span *ret_value)
{
    struct cyc_span values[PIECE_COUNT_MAX];
    size_t len = 0;

    cyc_assert(tmpl->piece_count <= PIECE_COUNT_MAX);
    for (uint32_t i = 0; i < tmpl->piece_count; i++) {
        const struct cyc_template_piece *piece = &tmpl->pieces[i];
        values[i] = piece->variable == NO_VARIABLE ? piece->text
                                                   : variable_value(piece->variable, exchange);
        if (!is_field_safe(values[i]))
            return false;
        len += values[i].len;
    }
    if (tmpl->piece_count == 1) {
        *ret_value = cyc_span_trim(values[0]);
        return true;
    }
    char *out = cyc_arena_alloc(exchange->arena, len), *at = out;
    for (uint32_t i = 0; i < tmpl->piece_count; i++)
        if (values[i].len > 0) {
            memcpy(at, values[i].ptr, values[i].len);
            at += values[i].len;
        }
    *ret_value = cyc_span_trim(cyc_span_of(out, len));
    return true;
}
