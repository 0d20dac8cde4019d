/* SPDX-License-Identifier: Apache-2.0 */
#include "filters/access_log_format.h"

#include "base/assert.h"
#include "base/json.h"

#include <string.h>

/* The most that each value may take of a line, escaped. */
#define PATH_BYTES_MAX 4096
#define AGENT_BYTES_MAX 768
#define REFERER_BYTES_MAX 768
#define HOST_BYTES_MAX 300
#define NAME_BYTES_MAX 160 /* routes, clusters, addresses, request ids */
#define METHOD_BYTES_MAX 40
#define NUMBER_COUNT_MAX 10
#define REST_BYTES_MAX 512 /* keys and punctuation */

CYC_BUILD_ASSERT(PATH_BYTES_MAX + AGENT_BYTES_MAX + REFERER_BYTES_MAX + HOST_BYTES_MAX +
                     7 * NAME_BYTES_MAX + METHOD_BYTES_MAX + 20 * NUMBER_COUNT_MAX +
                     REST_BYTES_MAX <=
                 CYC_ACCESS_LOG_LINE_BYTES_MAX);

/* ---- pieces ---------------------------------------------------------------------------------- */

/** Copies a literal: the compiler knows its length. */
#define PUT(at, literal) put_bytes((at), "" literal, sizeof(literal) - 1)

static char *put_bytes(char *at, const char *bytes, size_t len)
{
    memcpy(at, bytes, len);
    return at + len;
}

static char *put_span(char *at, struct cyc_span span)
{
    return span.len > 0 ? put_bytes(at, span.ptr, span.len) : at;
}

static char *put_u64(char *at, uint64_t value)
{
    return at + cyc_format_u64(at, value);
}

static char *put_escaped(char *at, size_t bytes_max, struct cyc_span value)
{
    return at + cyc_json_escape(at, bytes_max, value);
}

static char *put_quoted(char *at, size_t bytes_max, struct cyc_span value)
{
    *at++ = '"';
    at = put_escaped(at, bytes_max, value);
    *at++ = '"';
    return at;
}

/** A value that is always there: null when unknown. */
static char *put_value(char *at, size_t bytes_max, struct cyc_span value)
{
    return value.len > 0 ? put_quoted(at, bytes_max, value) : PUT(at, "null");
}

/** `key` with its comma, quotes and colon; nothing when the value is unknown. */
static char *put_known(char *at, struct cyc_span key, size_t bytes_max, struct cyc_span value)
{
    return value.len > 0 ? put_quoted(put_span(at, key), bytes_max, value) : at;
}

static char *put_number(char *at, struct cyc_span key, uint64_t value)
{
    return put_u64(put_span(at, key), value);
}

static struct cyc_span field_value(const struct cyc_msg *msg, enum cyc_token token)
{
    const struct cyc_field *field = cyc_msg_find(msg, token);
    return field != NULL ? field->value : (struct cyc_span){NULL, 0};
}

static struct cyc_span protocol_of(const struct cyc_msg *req)
{
    return req->version_minor == 0 ? CYC_SPAN("HTTP/1.0") : CYC_SPAN("HTTP/1.1");
}

/** Who made the answer. */
static struct cyc_span origin_of(const struct cyc_exchange *exchange)
{
    if (exchange->status == 0)
        return (struct cyc_span){NULL, 0};
    return exchange->is_local ? CYC_SPAN("proxy") : CYC_SPAN("upstream");
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/** The guide's keys. */
static char *put_guide_keys(char *at, const struct cyc_exchange *exchange, uint64_t duration_us)
{
    const struct cyc_msg *req = exchange->req;

    at = PUT(at, "{\"timestamp\":\"");
    at += cyc_format_rfc3339(at, exchange->env->clock->wall_ns);
    at = PUT(at, "\",\"level\":\"INFO\",\"service\":\"cyclone\",\"request_id\":");
    at = put_value(at, NAME_BYTES_MAX, exchange->request_id);
    at = PUT(at, ",\"method\":");
    at = put_value(at, METHOD_BYTES_MAX, req->method_text);
    at = PUT(at, ",\"path\":");
    at = put_value(at, PATH_BYTES_MAX, req->path);
    at = put_number(at, CYC_SPAN(",\"status\":"), exchange->status);
    at = put_number(at, CYC_SPAN(",\"duration_ms\":"), duration_us / 1000);
    return put_number(at, CYC_SPAN(",\"bytes_sent\":"), exchange->sent_bytes);
}

static char *put_upstream_keys(char *at, const struct cyc_exchange *exchange)
{
    at = put_known(at, CYC_SPAN(",\"route\":"), NAME_BYTES_MAX, exchange->route_name);
    at = put_known(at, CYC_SPAN(",\"cluster\":"), NAME_BYTES_MAX, exchange->cluster_name);
    at = put_known(at, CYC_SPAN(",\"upstream\":"), NAME_BYTES_MAX, exchange->endpoint);
    if (exchange->upstream_ns != 0 && exchange->first_byte_ns >= exchange->upstream_ns)
        at = put_number(at, CYC_SPAN(",\"upstream_ms\":"),
                        (exchange->first_byte_ns - exchange->upstream_ns) / CYC_NS_PER_MS);
    if (exchange->fail == CYC_FAIL_NONE)
        return at;
    const struct cyc_fail_info *info = cyc_fail_info(exchange->fail);
    at = put_known(at, CYC_SPAN(",\"reason\":"), NAME_BYTES_MAX, info->reason);
    return put_known(at, CYC_SPAN(",\"flags\":"), NAME_BYTES_MAX, info->flag);
}

static char *put_client_keys(char *at, const struct cyc_exchange *exchange)
{
    const struct cyc_msg *req = exchange->req;

    at = put_span(at, CYC_SPAN(",\"protocol\":\""));
    at = put_span(at, protocol_of(req));
    *at++ = '"';
    at = put_known(at, CYC_SPAN(",\"client_ip\":"), NAME_BYTES_MAX, exchange->client_ip);
    at = put_known(at, CYC_SPAN(",\"host\":"), HOST_BYTES_MAX, req->authority);
    return put_known(at, CYC_SPAN(",\"user_agent\":"), AGENT_BYTES_MAX,
                     field_value(req, CYC_TOKEN_USER_AGENT));
}

size_t cyc_access_log_json(const struct cyc_exchange *exchange, char *out)
{
    uint64_t duration_us = cyc_exchange_duration_ns(exchange) / CYC_NS_PER_US;

    char *at = put_guide_keys(out, exchange, duration_us);
    at = put_number(at, CYC_SPAN(",\"duration_us\":"), duration_us);
    at = put_upstream_keys(at, exchange);
    at = put_client_keys(at, exchange);
    at = put_number(at, CYC_SPAN(",\"bytes_received\":"), exchange->received_bytes);
    at = put_number(at, CYC_SPAN(",\"attempts\":"), exchange->attempt_count);
    at = put_known(at, CYC_SPAN(",\"origin\":"), NAME_BYTES_MAX, origin_of(exchange));
    at = PUT(at, "}\n");
    cyc_debug_assert(at - out <= CYC_ACCESS_LOG_LINE_BYTES_MAX);
    return (size_t)(at - out);
}

/* ---- text ------------------------------------------------------------------------------------ */

/** "15/Jan/2026:10:30:00 +0000", from "Thu, 15 Jan 2026 10:30:00 GMT". */
static char *put_combined_time(char *at, uint64_t wall_ns)
{
    char date[32];

    cyc_format_http_date(date, wall_ns);
    at = put_bytes(at, date + 5, 2);
    *at++ = '/';
    at = put_bytes(at, date + 8, 3);
    *at++ = '/';
    at = put_bytes(at, date + 12, 4);
    *at++ = ':';
    at = put_bytes(at, date + 17, 8);
    return PUT(at, " +0000");
}

static char *put_or_dash(char *at, size_t bytes_max, struct cyc_span value)
{
    return value.len > 0 ? put_escaped(at, bytes_max, value) : PUT(at, "-");
}

static char *put_request_line(char *at, const struct cyc_msg *req)
{
    *at++ = '"';
    at = put_or_dash(at, METHOD_BYTES_MAX, req->method_text);
    *at++ = ' ';
    at = put_or_dash(at, PATH_BYTES_MAX, req->path);
    *at++ = ' ';
    at = put_span(at, protocol_of(req));
    *at++ = '"';
    return at;
}

/** A referer's query is as telling as the request's own. */
static struct cyc_span referer_of(const struct cyc_msg *req)
{
    struct cyc_span referer = field_value(req, CYC_TOKEN_REFERER);
    return cyc_span_slice(referer, 0, cyc_span_find_char(referer, '?', 0));
}

size_t cyc_access_log_text(const struct cyc_exchange *exchange, char *out)
{
    const struct cyc_msg *req = exchange->req;

    char *at = put_or_dash(out, NAME_BYTES_MAX, exchange->client_ip);
    at = PUT(at, " - - [");
    at = put_combined_time(at, exchange->env->clock->wall_ns);
    at = PUT(at, "] ");
    at = put_request_line(at, req);
    at = put_number(at, CYC_SPAN(" "), exchange->status);
    at = put_number(at, CYC_SPAN(" "), exchange->sent_bytes);
    at = PUT(at, " \"");
    at = put_or_dash(at, REFERER_BYTES_MAX, referer_of(req));
    at = PUT(at, "\" \"");
    at = put_or_dash(at, AGENT_BYTES_MAX, field_value(req, CYC_TOKEN_USER_AGENT));
    at = put_number(at, CYC_SPAN("\" "), cyc_exchange_duration_ns(exchange) / CYC_NS_PER_US);
    at = PUT(at, "us route=");
    at = put_or_dash(at, NAME_BYTES_MAX, exchange->route_name);
    at = PUT(at, " upstream=");
    at = put_or_dash(at, NAME_BYTES_MAX, exchange->endpoint);
    at = PUT(at, " flags=");
    at = put_span(at, cyc_fail_info(exchange->fail)->flag);
    at = PUT(at, " request_id=");
    at = put_or_dash(at, NAME_BYTES_MAX, exchange->request_id);
    *at++ = '\n';
    cyc_debug_assert(at - out <= CYC_ACCESS_LOG_LINE_BYTES_MAX);
    return (size_t)(at - out);
}
