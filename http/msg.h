/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request or response head, the same for every HTTP version.
 *
 * Fields stay in the order and spelling they arrived in; each carries the token of its name, so
 * nobody compares names after parsing. Spans point into the message's arena or to literals: all
 * live as long as the arena (a codec copies a head there once, when it is complete).
 *
 * A message says what it means (`body`), not how a version wrote it down: Content-Length,
 * Transfer-Encoding, Connection and the other hop-by-hop fields are gone from `fields` after
 * parsing (http/rules) and are written anew by the codec that sends it.
 */
#ifndef CYC_HTTP_MSG_H
#define CYC_HTTP_MSG_H

#include "base/arena.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum cyc_token {
    CYC_TOKEN_OTHER = 0, /* a name not in token.def */
#define CYC_TOKEN_ROW(name, spelling, wire, flags) CYC_TOKEN_##name,
#include "http/token.def"
#undef CYC_TOKEN_ROW
    CYC_TOKEN_COUNT
};

enum cyc_token_flags {
    CYC_TOKEN_HOP_BY_HOP = 1,
    CYC_TOKEN_SINGLETON = 2,
    CYC_TOKEN_KEPT = 4,
    CYC_TOKEN_NO_TRAILER = 8,
    CYC_TOKEN_SENSITIVE = 16,
};

/** Any case. @return CYC_TOKEN_OTHER when unknown */
enum cyc_token cyc_token_find(struct cyc_span name);
/** Lower-case spelling; empty for OTHER. */
struct cyc_span cyc_token_spelling(enum cyc_token token);
/** enum cyc_token_flags, or-ed. */
uint32_t cyc_token_flags(enum cyc_token token);

enum cyc_method {
    CYC_METHOD_OTHER = 0, /* see cyc_msg.method_text */
    CYC_METHOD_GET,
    CYC_METHOD_HEAD,
    CYC_METHOD_POST,
    CYC_METHOD_PUT,
    CYC_METHOD_DELETE,
    CYC_METHOD_OPTIONS,
    CYC_METHOD_PATCH,
    CYC_METHOD_TRACE,
    CYC_METHOD_CONNECT,
    CYC_METHOD_COUNT
};

/** The metric label: "GET", ..., "OTHER". */
struct cyc_span cyc_method_name(enum cyc_method method);
/** Case-sensitive (RFC 9110 9.1). */
enum cyc_method cyc_method_find(struct cyc_span text);
/** RFC 9110 9.2.2. OTHER is not. */
bool cyc_method_is_idempotent(enum cyc_method method);

/** How the end of the body is known, by meaning. */
enum cyc_body_kind {
    CYC_BODY_NONE = 0, /* the head is all there is */
    CYC_BODY_LENGTH,   /* body_bytes are known; may be 0 */
    CYC_BODY_STREAM,   /* until the sender says so (chunked, h2 END_STREAM, connection close) */
    CYC_BODY_TUNNEL,   /* 101: both directions become plain bytes */
};

struct cyc_field {
    struct cyc_span name, value; /* value without surrounding space, never empty name */
    uint16_t token;              /* enum cyc_token */
    bool is_removed;             /* skipped by everybody; keeps positions stable */
};

struct cyc_msg {
    struct cyc_arena *arena; /* for what is added later */
    struct cyc_field *fields;
    uint32_t field_count, field_capacity;
    uint64_t tokens_seen; /* bit (token & 63): may be there; a clear bit means it is not */
    struct cyc_span raw;  /* the head as it arrived, in the arena; may be empty. Untouched fields
                           * lie in it, so that a writer copies whole runs of them. */

    /* request */
    struct cyc_span method_text, target, authority, scheme;
    struct cyc_span path;  /* "*" for OPTIONS * */
    struct cyc_span query; /* without "?"; ptr NULL when there was no "?" */
    enum cyc_method method;
    /* response */
    struct cyc_span reason; /* may be empty; not forwarded between versions */
    uint16_t status;

    uint8_t version_minor; /* of the HTTP/1 the sender spoke; 1 for HTTP/2 */
    bool is_upgrade;       /* request: asks to upgrade (`upgrade`), and may be answered with 101 */
    bool wants_trailers;   /* request: TE: trailers */
    bool expects_continue; /* request: Expect: 100-continue */
    enum cyc_body_kind body;
    uint64_t body_bytes;     /* LENGTH; for answers to HEAD and 304 what Content-Length said */
    bool has_length;         /* HEAD / 304 answers: Content-Length was there */
    struct cyc_span upgrade; /* value of Upgrade when is_upgrade or status 101 */
};

/** An empty message with room for `field_capacity` fields; grows by doubling. */
void cyc_msg_init(struct cyc_msg *msg, struct cyc_arena *arena, uint32_t field_capacity);

/** Makes room for more fields. For a parser that fills them in itself. */
void cyc_msg_grow(struct cyc_msg *msg);
/** Appends; the spans are borrowed for the life of the message. */
struct cyc_field *cyc_msg_add(struct cyc_msg *msg, enum cyc_token token, struct cyc_span name,
                              struct cyc_span value);
/** Appends a known name, spelled as the wire usually has it ("X-Request-Id"). */
struct cyc_field *cyc_msg_add_known(struct cyc_msg *msg, enum cyc_token token,
                                    struct cyc_span value);
/** Replaces all of that name by one. */
void cyc_msg_set(struct cyc_msg *msg, enum cyc_token token, struct cyc_span name,
                 struct cyc_span value);
/** First field with that token (not OTHER). @return NULL when there is none */
struct cyc_field *cyc_msg_find(const struct cyc_msg *msg, enum cyc_token token);
/** By name, any case; for names that are not known. */
struct cyc_field *cyc_msg_find_name(const struct cyc_msg *msg, struct cyc_span name);
/** The next one of the same name after `field`, or NULL. */
struct cyc_field *cyc_msg_find_next(const struct cyc_msg *msg, const struct cyc_field *field);
/** Removes all with that token. @return how many */
uint32_t cyc_msg_remove(struct cyc_msg *msg, enum cyc_token token);
uint32_t cyc_msg_remove_name(struct cyc_msg *msg, struct cyc_span name);

/** The standard reason phrase ("Not Found"), or "" for unknown codes. */
struct cyc_span cyc_status_reason(uint32_t status);

#endif
