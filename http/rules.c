/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a parsed HTTP/1 head means.
 *
 * One walk over the fields notes what matters (`struct notes`) and removes the fields that end at
 * this hop; then each question is answered from the notes: how long is the body, for whom is the
 * request, does the connection go on. Doubt is never resolved by picking one reading: where two
 * parsers could read two lengths or two hosts, the message is refused.
 */
#include "http/rules.h"

#include "base/assert.h"
#include "http/url.h"

/* A Content-Length that fits an off_t everywhere. */
#define LENGTH_MAX INT64_MAX
/* Members of Connection in one message: each is looked for in all fields. */
#define CONNECTION_OPTION_COUNT_MAX 64

/** What one walk over the fields found. */
struct notes {
    uint32_t length_count, coding_count, host_count, expect_count, upgrade_count;
    uint32_t option_count; /* members of Connection */
    struct cyc_span length, coding, host, expect, upgrade;
    bool is_close, is_keep_alive, is_upgrade_nominated; /* said by Connection */
    bool wants_trailers;
    bool has_nominations; /* Connection names a field that is not hop-by-hop anyway */
};

/* ---- authority and values -------------------------------------------------------------------- */

bool cyc_rules_is_value(struct cyc_span value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

/* RFC 3986 3.2.2 reg-name without what no host has: sub-delims, escapes, and everything that looks
 * like another part of a URI ("@", "/", "?", "#"). IPv4 addresses are a case of it. One bit per
 * ASCII character: letters, digits, "-", "." and "_". */
static const uint64_t host_bits[2] = {0x03ff600000000000ull, 0x07fffffe87fffffeull};

static bool is_host_char(char c)
{
    unsigned char u = (unsigned char)c;
    return u < 128 && (host_bits[u >> 6] >> (u & 63) & 1) != 0;
}

static bool is_ipv6_char(char c)
{
    char lower = (char)(c | 0x20);
    return cyc_char_is_digit(c) || (lower >= 'a' && lower <= 'f') || c == ':' || c == '.';
}

/** @return length of the host part, 0 when malformed */
static size_t host_len(struct cyc_span authority)
{
    size_t len = 0;

    if (authority.ptr[0] == '[') {
        len = cyc_span_find_char(authority, ']', 0);
        if (len == authority.len || len < 3)
            return 0;
        for (size_t i = 1; i < len; i++)
            if (!is_ipv6_char(authority.ptr[i]))
                return 0;
        return len + 1;
    }
    while (len < authority.len && is_host_char(authority.ptr[len]))
        len++;
    return len;
}

bool cyc_rules_is_authority(struct cyc_span authority)
{
    uint64_t port;

    if (authority.len == 0)
        return false;
    size_t len = host_len(authority);
    if (len == 0 || len == authority.len)
        return len > 0;
    struct cyc_span digits = cyc_span_slice(authority, len + 1, authority.len);
    return authority.ptr[len] == ':' && digits.len <= 5 &&
           (digits.len == 0 || cyc_span_parse_u64(digits, UINT16_MAX, &port));
}

/* ---- the walk -------------------------------------------------------------------------------- */

static void note_option(struct notes *notes, struct cyc_span option)
{
    notes->option_count++;
    if (cyc_span_equal_nocase(option, CYC_SPAN("keep-alive")))
        notes->is_keep_alive = true;
    else if (cyc_span_equal_nocase(option, CYC_SPAN("close")))
        notes->is_close = true;
    else if (cyc_span_equal_nocase(option, CYC_SPAN("upgrade")))
        notes->is_upgrade_nominated = true;
    else
        notes->has_nominations = true;
}

static void note_connection(struct notes *notes, struct cyc_span value)
{
    struct cyc_span option;

    while (notes->option_count <= CONNECTION_OPTION_COUNT_MAX &&
           cyc_span_take_member(&value, &option))
        note_option(notes, option);
}

/** A member of TE is "trailers", or a coding with a weight that ends at this hop anyway. */
static void note_te(struct notes *notes, struct cyc_span value)
{
    struct cyc_span member;

    while (cyc_span_take_member(&value, &member))
        if (cyc_span_equal_nocase(member, CYC_SPAN("trailers")))
            notes->wants_trailers = true;
}

static void note_field(struct notes *notes, struct cyc_field *field)
{
    switch (field->token) { /* a table of cases, one line each */
    case CYC_TOKEN_CONTENT_LENGTH:
        notes->length_count++;
        notes->length = field->value;
        field->is_removed = true;
        break;
    case CYC_TOKEN_TRANSFER_ENCODING:
        notes->coding_count++;
        notes->coding = field->value;
        break;
    case CYC_TOKEN_HOST:
        notes->host_count++;
        notes->host = field->value;
        break;
    case CYC_TOKEN_CONNECTION:
        note_connection(notes, field->value);
        break;
    case CYC_TOKEN_TE:
        note_te(notes, field->value);
        break;
    case CYC_TOKEN_UPGRADE:
        notes->upgrade_count++;
        notes->upgrade = field->value;
        break;
    case CYC_TOKEN_EXPECT:
        notes->expect_count++;
        notes->expect = field->value;
        break;
    default:
        break;
    }
    if ((cyc_token_flags(field->token) & CYC_TOKEN_HOP_BY_HOP) != 0)
        field->is_removed = true;
}

/** Tokens note_field looks at, or removes, as bits: the many others cost one test each. */
static const uint64_t noted_tokens =
    1ull << CYC_TOKEN_HOST | 1ull << CYC_TOKEN_CONNECTION | 1ull << CYC_TOKEN_CONTENT_LENGTH |
    1ull << CYC_TOKEN_TRANSFER_ENCODING | 1ull << CYC_TOKEN_KEEP_ALIVE |
    1ull << CYC_TOKEN_PROXY_CONNECTION | 1ull << CYC_TOKEN_PROXY_AUTHENTICATE |
    1ull << CYC_TOKEN_PROXY_AUTHORIZATION | 1ull << CYC_TOKEN_TE | 1ull << CYC_TOKEN_UPGRADE |
    1ull << CYC_TOKEN_HTTP2_SETTINGS | 1ull << CYC_TOKEN_EXPECT;
CYC_BUILD_ASSERT(CYC_TOKEN_COUNT <= 64);

static void note_fields(struct notes *notes, struct cyc_msg *msg)
{
    if ((msg->tokens_seen & noted_tokens) == 0)
        return;
    for (uint32_t i = 0; i < msg->field_count; i++)
        if ((noted_tokens >> msg->fields[i].token & 1) != 0)
            note_field(notes, &msg->fields[i]);
}

/** RFC 9110 7.6.1: what Connection names ends at this hop. But a client must not be able to strip
 *  what routing, authentication or a filter relies on (docs/security.md). */
static void remove_nominated(struct cyc_msg *msg)
{
    for (uint32_t i = 0; i < msg->field_count; i++) {
        struct cyc_span value = msg->fields[i].value, option;
        if (msg->fields[i].token != CYC_TOKEN_CONNECTION)
            continue;
        while (cyc_span_take_member(&value, &option))
            if ((cyc_token_flags(cyc_token_find(option)) & CYC_TOKEN_KEPT) == 0)
                cyc_msg_remove_name(msg, option);
    }
}

static bool is_connection_closing(const struct cyc_msg *msg, const struct notes *notes)
{
    return notes->is_close || (msg->version_minor == 0 && !notes->is_keep_alive);
}

/* ---- the body -------------------------------------------------------------------------------- */

/** Codings of the IANA registry that Cyclone does not decode (RFC 9112 7). */
static bool is_known_coding(struct cyc_span name)
{
    static const struct cyc_span known[] = {
        CYC_SPAN_INIT("gzip"),    CYC_SPAN_INIT("x-gzip"),   CYC_SPAN_INIT("deflate"),
        CYC_SPAN_INIT("chunked"), CYC_SPAN_INIT("compress"), CYC_SPAN_INIT("x-compress"),
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (cyc_span_equal_nocase(name, known[i]))
            return true;
    return false;
}

/** A well-formed list that ends in its only "chunked": legal, but not done here. */
static bool is_other_coding(struct cyc_span value)
{
    uint32_t count = 0, chunked_count = 0;
    struct cyc_span member = {NULL, 0};

    while (cyc_span_take_member(&value, &member)) {
        if (!is_known_coding(member))
            return false;
        count++;
        chunked_count += cyc_span_equal_nocase(member, CYC_SPAN("chunked"));
    }
    return count > 1 && chunked_count == 1 && cyc_span_equal_nocase(member, CYC_SPAN("chunked"));
}

/** RFC 9112 6.1, 6.3; what is doubtful is refused, not repaired. */
static enum cyc_fail decide_body(struct cyc_msg *msg, const struct notes *notes)
{
    if (CYC_LIKELY(notes->coding_count == 0 && notes->length_count == 0))
        return CYC_FAIL_NONE; /* the caller knows what that means */
    if (notes->coding_count > 0) {
        if (notes->length_count > 0 || notes->coding_count > 1 || msg->version_minor == 0)
            return CYC_FAIL_BAD_FRAMING;
        if (!cyc_span_equal_nocase(notes->coding, CYC_SPAN("chunked")))
            return is_other_coding(notes->coding) ? CYC_FAIL_NOT_IMPLEMENTED : CYC_FAIL_BAD_FRAMING;
        msg->body = CYC_BODY_STREAM;
        return CYC_FAIL_NONE;
    }
    if (notes->length_count > 1 || !cyc_span_parse_u64(notes->length, LENGTH_MAX, &msg->body_bytes))
        return CYC_FAIL_BAD_FRAMING;
    msg->body = CYC_BODY_LENGTH;
    return CYC_FAIL_NONE;
}

/* ---- requests -------------------------------------------------------------------------------- */

static enum cyc_fail check_host(const struct cyc_msg *msg, const struct notes *notes)
{
    if (notes->host_count > 1 || (notes->host_count == 0 && msg->version_minor > 0))
        return CYC_FAIL_BAD_HOST;
    if (notes->host_count == 1 && !cyc_rules_is_authority(notes->host))
        return CYC_FAIL_BAD_HOST;
    return CYC_FAIL_NONE;
}

/** RFC 9112 3.2.2: the authority of an absolute-form target replaces Host. */
static enum cyc_fail decide_target(struct cyc_msg *msg, const struct notes *notes)
{
    struct cyc_target target;

    if (!cyc_target_parse(msg->target, msg->method, &target))
        return CYC_FAIL_BAD_TARGET;
    enum cyc_fail fail = check_host(msg, notes);
    if (fail != CYC_FAIL_NONE)
        return fail;
    msg->authority = notes->host;
    if (target.form == CYC_TARGET_ABSOLUTE) {
        if (!cyc_rules_is_authority(target.authority))
            return CYC_FAIL_BAD_TARGET;
        msg->authority = target.authority;
        msg->scheme = target.scheme;
    }
    if (target.has_query)
        msg->query = target.query;
    msg->path = target.path;
    if (target.path.ptr[0] == '/' && !cyc_path_normalise(target.path, msg->arena, &msg->path))
        return CYC_FAIL_BAD_TARGET;
    cyc_msg_remove(msg, CYC_TOKEN_HOST);
    return CYC_FAIL_NONE;
}

static enum cyc_fail decide_expect(struct cyc_msg *msg, const struct notes *notes)
{
    if (notes->expect_count == 0 || msg->version_minor == 0)
        return CYC_FAIL_NONE;
    if (notes->expect_count > 1)
        return CYC_FAIL_BAD_REQUEST;
    if (!cyc_span_equal_nocase(notes->expect, CYC_SPAN("100-continue")))
        return CYC_FAIL_EXPECTATION;
    msg->expects_continue =
        msg->body == CYC_BODY_STREAM || (msg->body == CYC_BODY_LENGTH && msg->body_bytes > 0);
    return CYC_FAIL_NONE;
}

/** One protocol, nominated, in 1.1, without a body: what a 101 can answer. HTTP/2 is never reached
 *  this way (RFC 9113 3.1 has withdrawn it). Everything else is an ordinary request. */
static void decide_upgrade(struct cyc_msg *msg, const struct notes *notes)
{
    struct cyc_span value = notes->upgrade;

    if (notes->upgrade_count != 1 || !notes->is_upgrade_nominated || msg->version_minor == 0 ||
        msg->body != CYC_BODY_NONE)
        return;
    struct cyc_span name = cyc_span_slice(value, 0, cyc_span_find_char(value, '/', 0));
    if (!cyc_span_is_token(name) || cyc_span_find_char(value, ',', 0) < value.len ||
        cyc_span_equal_nocase(name, CYC_SPAN("h2c")) ||
        cyc_span_equal_nocase(name, CYC_SPAN("h2")) ||
        cyc_span_equal_nocase(name, CYC_SPAN("HTTP")))
        return;
    msg->is_upgrade = true;
    msg->upgrade = value;
}

enum cyc_fail cyc_rules_request(struct cyc_msg *msg, bool *ret_is_close)
{
    struct notes notes = {0};

    if (msg->method == CYC_METHOD_CONNECT || msg->method == CYC_METHOD_TRACE)
        return CYC_FAIL_METHOD_REFUSED;
    note_fields(&notes, msg);
    if (notes.option_count > CONNECTION_OPTION_COUNT_MAX)
        return CYC_FAIL_BAD_REQUEST;
    enum cyc_fail fail = decide_body(msg, &notes);
    if (fail == CYC_FAIL_NONE)
        fail = decide_target(msg, &notes);
    if (fail == CYC_FAIL_NONE)
        fail = decide_expect(msg, &notes);
    if (fail != CYC_FAIL_NONE)
        return fail;
    decide_upgrade(msg, &notes);
    msg->wants_trailers = notes.wants_trailers;
    if (notes.expect_count > 0)
        cyc_msg_remove(msg, CYC_TOKEN_EXPECT);
    if (notes.has_nominations)
        remove_nominated(msg);
    *ret_is_close = is_connection_closing(msg, &notes);
    return CYC_FAIL_NONE;
}

/* ---- responses ------------------------------------------------------------------------------- */

/** A response that has no body whatever its fields say (RFC 9112 6.3 rules 1 and 2). */
static enum cyc_fail decide_bodiless(struct cyc_msg *msg, const struct notes *notes,
                                     bool may_describe)
{
    bool is_described = notes->coding_count > 0 || msg->body_bytes > 0;

    if (!may_describe && is_described)
        return CYC_FAIL_UPSTREAM_PROTOCOL;
    msg->has_length = may_describe && msg->body == CYC_BODY_LENGTH;
    msg->body = CYC_BODY_NONE;
    return CYC_FAIL_NONE;
}

static enum cyc_fail decide_switch(struct cyc_msg *msg, const struct notes *notes,
                                   bool is_upgrade_asked)
{
    if (!is_upgrade_asked || notes->upgrade_count != 1 || !notes->is_upgrade_nominated ||
        notes->upgrade.len == 0 || notes->coding_count > 0 || msg->body_bytes > 0)
        return CYC_FAIL_UPSTREAM_PROTOCOL;
    msg->body = CYC_BODY_TUNNEL;
    msg->upgrade = notes->upgrade;
    return CYC_FAIL_NONE;
}

static enum cyc_fail decide_response_body(struct cyc_msg *msg, const struct notes *notes,
                                          enum cyc_method method, bool is_upgrade_asked)
{
    if (decide_body(msg, notes) != CYC_FAIL_NONE)
        return CYC_FAIL_UPSTREAM_PROTOCOL;
    if (msg->status == 101)
        return decide_switch(msg, notes, is_upgrade_asked);
    if (msg->status < 200 || msg->status == 204)
        return decide_bodiless(msg, notes, false);
    if (msg->status == 304 || method == CYC_METHOD_HEAD)
        return decide_bodiless(msg, notes, true);
    if (msg->body == CYC_BODY_NONE)
        msg->body = CYC_BODY_STREAM; /* until the connection closes */
    return CYC_FAIL_NONE;
}

enum cyc_fail cyc_rules_response(struct cyc_msg *msg, enum cyc_method method, bool is_upgrade_asked,
                                 bool *ret_is_close)
{
    struct notes notes = {0};

    if (msg->status < 100 || msg->status > 599)
        return CYC_FAIL_UPSTREAM_PROTOCOL;
    note_fields(&notes, msg);
    if (notes.option_count > CONNECTION_OPTION_COUNT_MAX)
        return CYC_FAIL_UPSTREAM_PROTOCOL;
    enum cyc_fail fail = decide_response_body(msg, &notes, method, is_upgrade_asked);
    if (fail != CYC_FAIL_NONE)
        return fail;
    if (notes.has_nominations)
        remove_nominated(msg);
    *ret_is_close = is_connection_closing(msg, &notes) ||
                    (msg->body == CYC_BODY_STREAM && notes.coding_count == 0);
    return CYC_FAIL_NONE;
}

/* ---- trailers -------------------------------------------------------------------------------- */

void cyc_rules_trailers(struct cyc_msg *trailers)
{
    for (uint32_t i = 0; i < trailers->field_count; i++) {
        struct cyc_field *field = &trailers->fields[i];
        bool is_content =
            field->name.len >= 8 &&
            cyc_span_equal_nocase(cyc_span_slice(field->name, 0, 8), CYC_SPAN("content-"));
        if (is_content || (cyc_token_flags(field->token) & CYC_TOKEN_NO_TRAILER) != 0)
            field->is_removed = true;
    }
}
