/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names and fields of messages.
 *
 * A field name is looked up with a perfect hash: one sum of four numbers says which row of
 * token.def it could be, one comparison says whether it is. Only that happens per field of a
 * request; after it, names are numbers.
 */
#include "http/msg.h"

#include "base/assert.h"

#include <string.h>

/* ---- tokens ---------------------------------------------------------------------------------- */

struct token_row {
    struct cyc_span spelling, wire;
    uint32_t flags;
};

#define H CYC_TOKEN_HOP_BY_HOP
#define S CYC_TOKEN_SINGLETON
#define K CYC_TOKEN_KEPT
#define T CYC_TOKEN_NO_TRAILER
#define X CYC_TOKEN_SENSITIVE
static const struct token_row token_rows[CYC_TOKEN_COUNT] = {
    [CYC_TOKEN_OTHER] = {CYC_SPAN_INIT(""), CYC_SPAN_INIT(""), 0},
#define CYC_TOKEN_ROW(name, spelling, wire, flags)                                                 \
    [CYC_TOKEN_##name] = {CYC_SPAN_INIT(spelling), CYC_SPAN_INIT(wire), flags},
#include "http/token.def"
#undef CYC_TOKEN_ROW
};
#undef H
#undef S
#undef K
#undef T
#undef X

#define TOKEN_NAME_BYTES_MIN 2

/* Printed by scripts/token_slots.py, with the factors in token_slot(). */
static const uint8_t token_slots[256] = {
    [2] = CYC_TOKEN_ACCEPT_ENCODING,
    [9] = CYC_TOKEN_TRAILER,
    [11] = CYC_TOKEN_IDEMPOTENCY_KEY,
    [17] = CYC_TOKEN_X_REAL_IP,
    [25] = CYC_TOKEN_LOCATION,
    [27] = CYC_TOKEN_IF_MODIFIED_SINCE,
    [28] = CYC_TOKEN_USER_AGENT,
    [31] = CYC_TOKEN_SERVER,
    [36] = CYC_TOKEN_ACCEPT,
    [37] = CYC_TOKEN_HOST,
    [45] = CYC_TOKEN_SET_COOKIE,
    [58] = CYC_TOKEN_DATE,
    [66] = CYC_TOKEN_X_FRAME_OPTIONS,
    [76] = CYC_TOKEN_STRICT_TRANSPORT_SECURITY,
    [78] = CYC_TOKEN_PROXY_AUTHENTICATE,
    [79] = CYC_TOKEN_HTTP2_SETTINGS,
    [82] = CYC_TOKEN_UPGRADE,
    [84] = CYC_TOKEN_CONTENT_ENCODING,
    [85] = CYC_TOKEN_ORIGIN,
    [89] = CYC_TOKEN_CONNECTION,
    [107] = CYC_TOKEN_RANGE,
    [110] = CYC_TOKEN_X_CONTENT_TYPE_OPTIONS,
    [113] = CYC_TOKEN_REFERRER_POLICY,
    [115] = CYC_TOKEN_PROXY_AUTHORIZATION,
    [120] = CYC_TOKEN_CONTENT_TYPE,
    [124] = CYC_TOKEN_WWW_AUTHENTICATE,
    [127] = CYC_TOKEN_X_FORWARDED_FOR,
    [145] = CYC_TOKEN_AUTHORIZATION,
    [153] = CYC_TOKEN_CONTENT_RANGE,
    [156] = CYC_TOKEN_KEEP_ALIVE,
    [157] = CYC_TOKEN_LAST_MODIFIED,
    [159] = CYC_TOKEN_SEC_WEBSOCKET_KEY,
    [161] = CYC_TOKEN_CACHE_CONTROL,
    [172] = CYC_TOKEN_X_FORWARDED_PORT,
    [173] = CYC_TOKEN_X_FORWARDED_HOST,
    [177] = CYC_TOKEN_COOKIE,
    [180] = CYC_TOKEN_X_FORWARDED_CLIENT_CERT,
    [181] = CYC_TOKEN_IF_NONE_MATCH,
    [184] = CYC_TOKEN_TE,
    [189] = CYC_TOKEN_PROXY_CONNECTION,
    [191] = CYC_TOKEN_ETAG,
    [198] = CYC_TOKEN_TRACEPARENT,
    [203] = CYC_TOKEN_RETRY_AFTER,
    [205] = CYC_TOKEN_FORWARDED,
    [208] = CYC_TOKEN_CONTENT_LENGTH,
    [212] = CYC_TOKEN_TRANSFER_ENCODING,
    [215] = CYC_TOKEN_X_REQUEST_ID,
    [216] = CYC_TOKEN_X_FORWARDED_PROTO,
    [219] = CYC_TOKEN_REFERER,
    [225] = CYC_TOKEN_VIA,
    [228] = CYC_TOKEN_VARY,
    [233] = CYC_TOKEN_CONTENT_SECURITY_POLICY,
    [237] = CYC_TOKEN_X_XSS_PROTECTION,
    [238] = CYC_TOKEN_MAX_FORWARDS,
    [251] = CYC_TOKEN_ACCEPT_LANGUAGE,
    [253] = CYC_TOKEN_EXPECT,
};
CYC_BUILD_ASSERT(CYC_TOKEN_COUNT <= UINT8_MAX);

static unsigned token_slot(struct cyc_span name)
{
    unsigned first = (unsigned char)name.ptr[0] | 0x20u;
    unsigned third = (unsigned char)name.ptr[name.len / 3] | 0x20u;
    unsigned last_but_one = (unsigned char)name.ptr[name.len - 2] | 0x20u;
    return (unsigned)(42 * name.len + 38 * first + 6 * third + last_but_one) & 255u;
}

static uint64_t load_lower(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word | 0x2020202020202020ull;
}

/** Letters, digits and "-" survive the or with 0x20 unchanged but for case; `lower` has no others.
 */
static bool is_spelled(const char *name, const char *lower, size_t len)
{
    if (len >= 8) {
        for (size_t i = 0; i + 8 <= len; i += 8)
            if (load_lower(name + i) != load_lower(lower + i))
                return false;
        return load_lower(name + len - 8) == load_lower(lower + len - 8);
    }
    for (size_t i = 0; i < len; i++)
        if ((name[i] | 0x20) != lower[i])
            return false;
    return true;
}

enum cyc_token cyc_token_find(struct cyc_span name)
{
    if (name.len < TOKEN_NAME_BYTES_MIN)
        return CYC_TOKEN_OTHER;
    enum cyc_token token = token_slots[token_slot(name)];
    const struct cyc_span *spelling = &token_rows[token].spelling;
    if (spelling->len != name.len || !is_spelled(name.ptr, spelling->ptr, name.len))
        return CYC_TOKEN_OTHER;
    return token;
}

struct cyc_span cyc_token_spelling(enum cyc_token token)
{
    cyc_assert((unsigned)token < CYC_TOKEN_COUNT);
    return token_rows[token].spelling;
}

uint32_t cyc_token_flags(enum cyc_token token)
{
    cyc_debug_assert((unsigned)token < CYC_TOKEN_COUNT);
    return token_rows[token].flags;
}

/* ---- methods --------------------------------------------------------------------------------- */

static const struct cyc_span method_names[CYC_METHOD_COUNT] = {
    [CYC_METHOD_OTHER] = CYC_SPAN_INIT("OTHER"),
    [CYC_METHOD_GET] = CYC_SPAN_INIT("GET"),
    [CYC_METHOD_HEAD] = CYC_SPAN_INIT("HEAD"),
    [CYC_METHOD_POST] = CYC_SPAN_INIT("POST"),
    [CYC_METHOD_PUT] = CYC_SPAN_INIT("PUT"),
    [CYC_METHOD_DELETE] = CYC_SPAN_INIT("DELETE"),
    [CYC_METHOD_OPTIONS] = CYC_SPAN_INIT("OPTIONS"),
    [CYC_METHOD_PATCH] = CYC_SPAN_INIT("PATCH"),
    [CYC_METHOD_TRACE] = CYC_SPAN_INIT("TRACE"),
    [CYC_METHOD_CONNECT] = CYC_SPAN_INIT("CONNECT"),
};

struct cyc_span cyc_method_name(enum cyc_method method)
{
    cyc_assert((unsigned)method < CYC_METHOD_COUNT);
    return method_names[method];
}

enum cyc_method cyc_method_find(struct cyc_span text)
{
    for (enum cyc_method method = CYC_METHOD_GET; method < CYC_METHOD_COUNT; method++)
        if (cyc_span_equal(text, method_names[method]))
            return method;
    return CYC_METHOD_OTHER;
}

bool cyc_method_is_idempotent(enum cyc_method method)
{
    switch (method) {
    case CYC_METHOD_GET:
    case CYC_METHOD_HEAD:
    case CYC_METHOD_PUT:
    case CYC_METHOD_DELETE:
    case CYC_METHOD_OPTIONS:
    case CYC_METHOD_TRACE:
        return true;
    case CYC_METHOD_OTHER:
    case CYC_METHOD_POST:
    case CYC_METHOD_PATCH:
    case CYC_METHOD_CONNECT:
    case CYC_METHOD_COUNT:
        break;
    }
    return false;
}

/* ---- fields ---------------------------------------------------------------------------------- */

static uint64_t token_bit(enum cyc_token token)
{
    return 1ull << ((unsigned)token & 63);
}

void cyc_msg_init(struct cyc_msg *msg, struct cyc_arena *arena, uint32_t field_capacity)
{
    *msg = (struct cyc_msg){
        .arena = arena,
        .fields = cyc_arena_alloc(arena, field_capacity * sizeof(struct cyc_field)),
        .field_capacity = field_capacity,
        .version_minor = 1,
    };
}

void cyc_msg_grow(struct cyc_msg *msg)
{
    uint32_t capacity = msg->field_capacity > 0 ? 2 * msg->field_capacity : 8;
    struct cyc_field *fields = cyc_arena_alloc(msg->arena, capacity * sizeof(struct cyc_field));

    if (msg->field_count > 0)
        memcpy(fields, msg->fields, msg->field_count * sizeof(struct cyc_field));
    msg->fields = fields;
    msg->field_capacity = capacity;
}

struct cyc_field *cyc_msg_add(struct cyc_msg *msg, enum cyc_token token, struct cyc_span name,
                              struct cyc_span value)
{
    cyc_debug_assert(name.len > 0);

    if (msg->field_count == msg->field_capacity)
        cyc_msg_grow(msg);
    struct cyc_field *field = &msg->fields[msg->field_count++];
    *field = (struct cyc_field){.name = name, .value = value, .token = (uint16_t)token};
    msg->tokens_seen |= token_bit(token);
    return field;
}

struct cyc_field *cyc_msg_add_known(struct cyc_msg *msg, enum cyc_token token,
                                    struct cyc_span value)
{
    cyc_assert(token > CYC_TOKEN_OTHER && token < CYC_TOKEN_COUNT);
    return cyc_msg_add(msg, token, token_rows[token].wire, value);
}

static bool field_is(const struct cyc_field *field, enum cyc_token token, struct cyc_span name)
{
    if (field->is_removed || field->token != token)
        return false;
    return token != CYC_TOKEN_OTHER || cyc_span_equal_nocase(field->name, name);
}

/** The first of that name at or after `from`; `name` matters only for OTHER. */
static struct cyc_field *fields_find(const struct cyc_msg *msg, uint32_t from, enum cyc_token token,
                                     struct cyc_span name)
{
    if ((msg->tokens_seen & token_bit(token)) == 0)
        return NULL;
    for (uint32_t i = from; i < msg->field_count; i++)
        if (field_is(&msg->fields[i], token, name))
            return &msg->fields[i];
    return NULL;
}

static uint32_t fields_remove(struct cyc_msg *msg, uint32_t from, enum cyc_token token,
                              struct cyc_span name)
{
    uint32_t count = 0;

    if ((msg->tokens_seen & token_bit(token)) == 0)
        return 0;
    for (uint32_t i = from; i < msg->field_count; i++)
        if (field_is(&msg->fields[i], token, name)) {
            msg->fields[i].is_removed = true;
            count++;
        }
    return count;
}

void cyc_msg_set(struct cyc_msg *msg, enum cyc_token token, struct cyc_span name,
                 struct cyc_span value)
{
    struct cyc_field *field = fields_find(msg, 0, token, name);

    if (field == NULL) {
        cyc_msg_add(msg, token, name, value);
        return;
    }
    field->name = name;
    field->value = value;
    fields_remove(msg, (uint32_t)(field - msg->fields) + 1, token, name);
}

struct cyc_field *cyc_msg_find(const struct cyc_msg *msg, enum cyc_token token)
{
    cyc_assert(token > CYC_TOKEN_OTHER && token < CYC_TOKEN_COUNT);
    return fields_find(msg, 0, token, (struct cyc_span){NULL, 0});
}

struct cyc_field *cyc_msg_find_name(const struct cyc_msg *msg, struct cyc_span name)
{
    return fields_find(msg, 0, cyc_token_find(name), name);
}

struct cyc_field *cyc_msg_find_next(const struct cyc_msg *msg, const struct cyc_field *field)
{
    return fields_find(msg, (uint32_t)(field - msg->fields) + 1, field->token, field->name);
}

uint32_t cyc_msg_remove(struct cyc_msg *msg, enum cyc_token token)
{
    cyc_assert(token > CYC_TOKEN_OTHER && token < CYC_TOKEN_COUNT);
    return fields_remove(msg, 0, token, (struct cyc_span){NULL, 0});
}

uint32_t cyc_msg_remove_name(struct cyc_msg *msg, struct cyc_span name)
{
    return fields_remove(msg, 0, cyc_token_find(name), name);
}
