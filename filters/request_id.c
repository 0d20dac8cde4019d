/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_id: a name for every request, the same in the service's log and in ours.
 *
 * A trusted peer's X-Request-Id is kept when it is one well-formed value; anything else is replaced
 * by a new UUIDv7 (RFC 9562 5.7: sorts by time). It goes to the service, into exchange->request_id,
 * and back to the client, unless the service's answer carries an X-Request-Id of its own.
 */
#include "filters/filter.h"
#include "filters/registry.h"

#define ID_BYTES_MAX 128
#define UUID_BYTES 36

/** What tracing systems put into ids: token characters, and those of base64 and paths. */
static bool is_valid_id(struct cyc_span id)
{
    for (size_t i = 0; i < id.len; i++)
        if (!cyc_char_is_token(id.ptr[i]) && memchr("/=:@", id.ptr[i], 4) == NULL)
            return false;
    return id.len > 0 && id.len <= ID_BYTES_MAX;
}

/** 16 hexadecimal digits. */
static void hex_write(char *out, uint64_t value)
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 15; i >= 0; i--, value >>= 4)
        out[i] = digits[value & 15];
}

static struct cyc_span uuid_create(struct cyc_exchange *exchange)
{
    const struct cyc_filter_env *env = exchange->env;
    uint64_t wall_ms = env->clock->wall_ns / CYC_NS_PER_MS;
    uint64_t high = wall_ms << 16 | 0x7000u | (cyc_rng_next(env->rng) & 0x0fff);
    uint64_t low = (cyc_rng_next(env->rng) >> 2) | 1ull << 63; /* variant 10 */
    char hex[32], *out = cyc_arena_alloc(exchange->arena, UUID_BYTES), *at = out;
    static const uint8_t group_bytes[] = {8, 4, 4, 4, 12};

    hex_write(hex, high);
    hex_write(hex + 16, low);
    const char *from = hex;
    for (size_t i = 0; i < sizeof(group_bytes); i++) {
        if (i > 0)
            *at++ = '-';
        memcpy(at, from, group_bytes[i]);
        at += group_bytes[i];
        from += group_bytes[i];
    }
    return cyc_span_of(out, UUID_BYTES);
}

/** The client's id, when it may be believed; else empty. */
static struct cyc_span id_from_client(const struct cyc_exchange *exchange,
                                      const struct cyc_msg *req)
{
    const struct cyc_span none = {NULL, 0};
    const struct cyc_field *field = cyc_msg_find(req, CYC_TOKEN_X_REQUEST_ID);

    if (field == NULL || !exchange->is_client_trusted || cyc_msg_find_next(req, field) != NULL)
        return none;
    return is_valid_id(field->value) ? field->value : none;
}

static enum cyc_filter_result request_id_on_req_head(struct cyc_filter_call *call,
                                                     struct cyc_msg *req)
{
    const struct cyc_request_id_conf *conf = call->conf;
    struct cyc_exchange *exchange = call->exchange;

    if (!conf->is_always_new)
        exchange->request_id = id_from_client(exchange, req);
    if (exchange->request_id.len > 0)
        return CYC_FILTER_CONTINUE;
    exchange->request_id = uuid_create(exchange);
    cyc_msg_set(req, CYC_TOKEN_X_REQUEST_ID, CYC_SPAN("X-Request-Id"), exchange->request_id);
    return CYC_FILTER_CONTINUE;
}

static enum cyc_filter_result request_id_on_res_head(struct cyc_filter_call *call,
                                                     struct cyc_msg *res)
{
    if (cyc_msg_find(res, CYC_TOKEN_X_REQUEST_ID) == NULL)
        cyc_msg_add_known(res, CYC_TOKEN_X_REQUEST_ID, call->exchange->request_id);
    return CYC_FILTER_CONTINUE;
}

const struct cyc_filter_vt cyc_request_id_filter = {
    .name = "request_id",
    .on_req_head = request_id_on_req_head,
    .on_res_head = request_id_on_res_head,
};
