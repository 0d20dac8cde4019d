/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/trust.h"

#include "net/cidr.h"

#include <string.h>

static bool is_trusted_ip(const struct cyc_listener_conf *conf, struct cyc_span ip)
{
    struct cyc_addr addr;
    uint8_t bytes[16];

    return cyc_addr_parse_ip(ip, 0, &addr) && cyc_addr_ip_bytes(&addr, bytes) &&
           cyc_cidrs_contain(conf->trusted_proxies, conf->trusted_proxy_count, bytes);
}

/** From right to left, the first address that is not one of our own proxies. */
static struct cyc_span client_of(const struct cyc_listener_conf *conf, struct cyc_span list,
                                 struct cyc_span fallback)
{
    struct cyc_span client = fallback;

    while (list.len > 0) {
        size_t from = list.len;
        while (from > 0 && list.ptr[from - 1] != ',')
            from--;
        struct cyc_span member = cyc_span_trim(cyc_span_slice(list, from, list.len));
        list = cyc_span_slice(list, 0, from > 0 ? from - 1 : 0);
        struct cyc_addr addr;
        if (!cyc_addr_parse_ip(member, 0, &addr))
            break; /* "unknown", or garbage: nobody beyond it can be believed */
        client = member;
        if (!is_trusted_ip(conf, member))
            break;
    }
    return client;
}

static struct cyc_span join(struct cyc_arena *arena, struct cyc_span a, struct cyc_span b)
{
    char *text = cyc_arena_alloc(arena, a.len + 2 + b.len);

    memcpy(text, a.ptr, a.len);
    memcpy(text + a.len, ", ", 2);
    memcpy(text + a.len + 2, b.ptr, b.len);
    return cyc_span_of(text, a.len + 2 + b.len);
}

/** All fields of that name as one list. */
static struct cyc_span joined_values(struct cyc_arena *arena, const struct cyc_msg *req,
                                     enum cyc_token token)
{
    const struct cyc_field *field = cyc_msg_find(req, token);
    struct cyc_span list = field != NULL ? field->value : CYC_SPAN("");

    while (field != NULL && (field = cyc_msg_find_next(req, field)) != NULL)
        list = join(arena, list, field->value);
    return list;
}

static void keep_or_set(struct cyc_msg *req, enum cyc_token token, bool is_trusted,
                        struct cyc_span value)
{
    if (!is_trusted)
        cyc_msg_remove(req, token);
    if (cyc_msg_find(req, token) == NULL && value.len > 0)
        cyc_msg_add_known(req, token, value);
}

static void forwarded_for(struct cyc_stream *stream, struct cyc_msg *req)
{
    struct cyc_exchange *exchange = &stream->exchange;
    struct cyc_span peer = exchange->client_ip, list = peer;

    if (exchange->is_client_trusted) {
        struct cyc_span before = joined_values(&stream->arena, req, CYC_TOKEN_X_FORWARDED_FOR);
        exchange->client_ip = client_of(stream->listener->conf, before, peer);
        if (before.len > 0)
            list = join(&stream->arena, before, peer);
    }
    cyc_msg_remove(req, CYC_TOKEN_X_FORWARDED_FOR);
    cyc_msg_add_known(req, CYC_TOKEN_X_FORWARDED_FOR, list);
}

/** Whether a name becomes one of ours where "_" and "-" are the same (CGI, WSGI): X_Forwarded_For.
 */
static bool is_underscore_twin(struct cyc_span name)
{
    char text[64];

    if (name.len > sizeof(text) || cyc_span_find_char(name, '_', 0) == name.len)
        return false;
    for (size_t i = 0; i < name.len; i++)
        text[i] = (char)(name.ptr[i] == '_' ? '-' : name.ptr[i]);
    return (cyc_token_flags(cyc_token_find(cyc_span_of(text, name.len))) & CYC_TOKEN_KEPT) != 0;
}

static void twins_remove(struct cyc_msg *req)
{
    for (uint32_t i = 0; i < req->field_count; i++) {
        struct cyc_field *field = &req->fields[i];
        if (field->token == CYC_TOKEN_OTHER && !field->is_removed &&
            is_underscore_twin(field->name))
            field->is_removed = true;
    }
}

void cyc_trust_apply(struct cyc_stream *stream, struct cyc_msg *req)
{
    bool is_trusted = stream->exchange.is_client_trusted;

    forwarded_for(stream, req);
    keep_or_set(req, CYC_TOKEN_X_FORWARDED_PROTO, is_trusted, CYC_SPAN("http"));
    keep_or_set(req, CYC_TOKEN_X_FORWARDED_HOST, is_trusted, req->authority);
    if (!is_trusted) {
        twins_remove(req);
        cyc_msg_remove(req, CYC_TOKEN_FORWARDED);
        cyc_msg_remove(req, CYC_TOKEN_X_REAL_IP);
        cyc_msg_remove(req, CYC_TOKEN_X_FORWARDED_PORT);
        cyc_msg_remove(req, CYC_TOKEN_X_FORWARDED_CLIENT_CERT);
    }
    cyc_msg_add_known(req, CYC_TOKEN_VIA,
                      req->version_minor == 0 ? CYC_SPAN("1.0 cyclone") : CYC_SPAN("1.1 cyclone"));
}
