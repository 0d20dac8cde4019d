/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads and trailers as messages, parsed by llhttp: strict, no lenient flag.
 *
 * llhttp is told that no message has a body and is started anew for every head. What it lets pass
 * and RFC 9112 does not (several spaces, RTSP, HTTP/0.9...) is caught by reading the start line
 * again.
 *
 * A head that arrives in one piece (nearly all do) is parsed where it lies; its fields point into
 * the received chunk until it is complete, then its bytes are copied once into the arena and the
 * pointers follow. A head that arrives in several pieces is collected in the arena first and parsed
 * there, so that every name and value is contiguous in either case.
 */
#include "base/assert.h"
#include "http/h1_internal.h"
#include "http/rules.h"

#include <llhttp.h>
#include <string.h>

#define METHOD_BYTES_MAX 32
#define NAME_BYTES_MAX 256
#define VALUE_BYTES_MAX (16 * 1024)
/* Fields that fit without growing: what a browser sends, and what is added on the way. */
#define FIELD_CAPACITY 24
#define TRAILER_CAPACITY 8
/* The first block a head in pieces is collected in. */
#define COLLECT_BYTES_MIN 1024

CYC_BUILD_ASSERT(sizeof(llhttp_t) == H1_PARSER_WORDS * sizeof(uint64_t));

static llhttp_t *parser_of(struct h1 *h1)
{
    return (llhttp_t *)(void *)h1->parser;
}

/* ---- the parser's callbacks: spans of the head ------------------------------------------------
 */

static int refuse(struct h1 *h1, enum cyc_fail why)
{
    h1->fail = (uint8_t)why;
    return -1;
}

static int parser_on_url(llhttp_t *parser, const char *at, size_t len)
{
    struct h1 *h1 = parser->data;
    struct cyc_span *target = &h1->msg->target;

    if (target->ptr == NULL)
        target->ptr = at;
    target->len += len;
    return target->len <= h1->codec.limits.uri_bytes_max ? 0 : refuse(h1, CYC_FAIL_URI_TOO_LONG);
}

static int parser_on_field(llhttp_t *parser, const char *at, size_t len)
{
    struct h1 *h1 = parser->data;
    struct cyc_msg *msg = h1->msg;

    if (h1->part == H1_PART_NAME) { /* another piece of it */
        struct cyc_field *field = &msg->fields[msg->field_count - 1];
        field->name.len += len;
        return field->name.len <= NAME_BYTES_MAX ? 0 : refuse(h1, CYC_FAIL_HEAD_TOO_LARGE);
    }
    if (msg->field_count >= h1->field_count_left || len > NAME_BYTES_MAX)
        return refuse(h1, CYC_FAIL_HEAD_TOO_LARGE);
    h1->part = H1_PART_NAME;
    if (CYC_UNLIKELY(msg->field_count == msg->field_capacity))
        cyc_msg_grow(msg);
    msg->fields[msg->field_count++] = (struct cyc_field){.name = cyc_span_of(at, len)};
    return 0;
}

static int parser_on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct h1 *h1 = parser->data;
    struct cyc_field *field = &h1->msg->fields[h1->msg->field_count - 1];

    if (h1->part == H1_PART_NAME) {
        h1->part = H1_PART_VALUE;
        field->value = cyc_span_of(at, len);
    } else {
        field->value.len += len;
    }
    return field->value.len <= VALUE_BYTES_MAX ? 0 : refuse(h1, CYC_FAIL_HEAD_TOO_LARGE);
}

/** No message has a body, as far as llhttp is concerned. */
static int parser_on_headers_complete(llhttp_t *parser)
{
    (void)parser;
    return 1;
}

static int parser_on_message_complete(llhttp_t *parser)
{
    (void)parser;
    return HPE_PAUSED;
}

static const llhttp_settings_t request_settings = {
    .on_url = parser_on_url,
    .on_header_field = parser_on_field,
    .on_header_value = parser_on_value,
    .on_headers_complete = parser_on_headers_complete,
    .on_message_complete = parser_on_message_complete,
};

static const llhttp_settings_t response_settings = {
    .on_header_field = parser_on_field,
    .on_header_value = parser_on_value,
    .on_headers_complete = parser_on_headers_complete,
    .on_message_complete = parser_on_message_complete,
};

/* ---- collecting a head ------------------------------------------------------------------------
 */

static void message_begin(struct h1 *h1, uint32_t field_capacity)
{
    struct cyc_arena *arena = h1->cs.arena;

    h1->msg = cyc_arena_alloc(arena, sizeof(struct cyc_msg));
    cyc_msg_init(h1->msg, arena, field_capacity);
    h1->head = NULL;
    h1->head_bytes = h1->head_capacity = 0;
    h1->part = H1_PART_LINE;
}

void h1_head_begin(struct h1 *h1)
{
    llhttp_t *parser = parser_of(h1);
    bool is_server = h1->role == CYC_ROLE_SERVER;

    message_begin(h1, FIELD_CAPACITY);
    h1->head_bytes_left = h1->codec.limits.head_bytes_max;
    h1->field_count_left = h1->codec.limits.field_count_max;
    llhttp_init(parser, is_server ? HTTP_REQUEST : HTTP_RESPONSE,
                is_server ? &request_settings : &response_settings);
    parser->data = h1;
    h1->in = H1_IN_HEAD;
}

/** Trailers are read as the fields of an answer whose status line has already been seen. */
void h1_trailers_begin(struct h1 *h1)
{
    static const char line[] = "HTTP/1.1 200 OK\r\n";
    llhttp_t *parser = parser_of(h1);

    message_begin(h1, TRAILER_CAPACITY);
    llhttp_init(parser, HTTP_RESPONSE, &response_settings);
    parser->data = h1;
    llhttp_errno_t error = llhttp_execute(parser, line, sizeof(line) - 1);
    cyc_assert(error == HPE_OK);
    h1->in = H1_IN_TRAILERS;
}

static void span_follow(struct cyc_span *span, const char *from, const char *to)
{
    if (span->ptr != NULL)
        span->ptr = to + (span->ptr - from);
}

/** The head's bytes have moved: so do the pointers into them. */
static void head_follow(struct cyc_msg *msg, const char *from, const char *to)
{
    span_follow(&msg->target, from, to);
    for (uint32_t i = 0; i < msg->field_count; i++) {
        span_follow(&msg->fields[i].name, from, to);
        span_follow(&msg->fields[i].value, from, to);
    }
}

static void head_grow(struct h1 *h1, size_t need_bytes)
{
    size_t capacity = 2 * need_bytes > COLLECT_BYTES_MIN ? 2 * need_bytes : COLLECT_BYTES_MIN;
    char *head = cyc_arena_alloc(h1->cs.arena, capacity);

    if (h1->head != NULL) {
        memcpy(head, h1->head, h1->head_bytes);
        head_follow(h1->msg, h1->head, head);
    }
    h1->head = head;
    h1->head_capacity = (uint32_t)capacity;
}

/** Puts `bytes` behind what was collected, without counting them yet. @return where they are now */
static struct cyc_span head_collect(struct h1 *h1, struct cyc_span bytes)
{
    if (h1->head == NULL || h1->head_bytes + bytes.len > h1->head_capacity)
        head_grow(h1, h1->head_bytes + bytes.len);
    char *at = h1->head + h1->head_bytes;
    memcpy(at, bytes.ptr, bytes.len);
    return cyc_span_of(at, bytes.len);
}

/** The first piece of a head that is not complete was parsed where it lay: take it along. */
static void head_keep(struct h1 *h1, struct cyc_span bytes)
{
    if (h1->head == NULL) {
        struct cyc_span kept = head_collect(h1, bytes);
        head_follow(h1->msg, bytes.ptr, kept.ptr);
    }
    h1->head_bytes += (uint32_t)bytes.len;
}

/** A field of a complete head: where its bytes are now, without the space behind it, by its number.
 */
static inline enum cyc_token field_complete(struct cyc_field *field, const char *from,
                                            const char *to)
{
    field->name.ptr = to + (field->name.ptr - from);
    field->value.ptr = to + (field->value.ptr - from);
    const char *value = field->value.ptr;
    size_t len = field->value.len;
    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
        len--;
    field->value.len = len;
    enum cyc_token token = cyc_token_find(field->name);
    field->token = (uint16_t)token;
    return token;
}

/** The head is complete with `bytes`. */
static void head_complete(struct h1 *h1, struct cyc_span bytes)
{
    struct cyc_msg *msg = h1->msg;
    const char *from = h1->head != NULL ? h1->head : bytes.ptr;
    uint64_t tokens_seen = 0;

    if (h1->head == NULL) {
        h1->head = cyc_arena_alloc(h1->cs.arena, bytes.len);
        memcpy(h1->head, bytes.ptr, bytes.len);
    }
    h1->head_bytes += (uint32_t)bytes.len;
    msg->raw = cyc_span_of(h1->head, h1->head_bytes);
    h1->head_bytes_left -= h1->head_bytes;
    h1->field_count_left -= msg->field_count;
    span_follow(&msg->target, from, h1->head);
    for (uint32_t i = 0; i < msg->field_count; i++)
        tokens_seen |= 1ull << field_complete(&msg->fields[i], from, h1->head);
    msg->tokens_seen = tokens_seen;
}

/* ---- start lines ------------------------------------------------------------------------------
 */

static enum cyc_method method_from_parser(uint8_t method)
{
    switch (method) {
    case HTTP_GET:
        return CYC_METHOD_GET;
    case HTTP_HEAD:
        return CYC_METHOD_HEAD;
    case HTTP_POST:
        return CYC_METHOD_POST;
    case HTTP_PUT:
        return CYC_METHOD_PUT;
    case HTTP_DELETE:
        return CYC_METHOD_DELETE;
    case HTTP_OPTIONS:
        return CYC_METHOD_OPTIONS;
    case HTTP_PATCH:
        return CYC_METHOD_PATCH;
    case HTTP_TRACE:
        return CYC_METHOD_TRACE;
    case HTTP_CONNECT:
        return CYC_METHOD_CONNECT;
    default:
        return CYC_METHOD_OTHER;
    }
}

/** Does `s` end in "HTTP/" DIGIT "." DIGIT? */
static bool ends_in_version(struct cyc_span s)
{
    if (s.len < 8)
        return false;
    const char *at = s.ptr + s.len - 8;
    return memcmp(at, "HTTP/", 5) == 0 && cyc_char_is_digit(at[5]) && at[6] == '.' &&
           cyc_char_is_digit(at[7]);
}

/** llhttp is generous with spaces and speaks RTSP; this reads the line again, to the letter:
 *  method SP target SP "HTTP/1." ("0" / "1") CRLF (RFC 9112 3). */
static enum cyc_fail request_line_read(struct cyc_msg *msg)
{
    struct cyc_span raw = msg->raw;

    if (msg->target.len == 0)
        return CYC_FAIL_BAD_TARGET;
    size_t method_bytes = (size_t)(msg->target.ptr - raw.ptr) - 1;
    size_t version_at = method_bytes + 1 + msg->target.len;

    if (method_bytes == 0 || raw.ptr[method_bytes] != ' ' || raw.ptr[method_bytes - 1] == ' ')
        return CYC_FAIL_BAD_REQUEST;
    if (raw.len < version_at + 11)
        return CYC_FAIL_BAD_REQUEST; /* HTTP/0.9 has no version */
    const char *version = raw.ptr + version_at;
    if (!ends_in_version(cyc_span_of(version + 1, 8)) || version[9] != '\r')
        return CYC_FAIL_BAD_REQUEST;
    if (version[6] != '1' || version[8] > '1')
        return CYC_FAIL_VERSION;
    msg->version_minor = (uint8_t)(version[8] - '0');
    msg->method_text = cyc_span_of(raw.ptr, method_bytes);
    return CYC_FAIL_NONE;
}

/** "HTTP/1." ("0" / "1") SP 3DIGIT [SP reason] CRLF (RFC 9112 4). Many services leave the last
 * space out when there is no reason; that is read, and not passed on. */
static bool status_line_read(struct cyc_msg *msg)
{
    struct cyc_span raw = msg->raw;
    uint64_t status;

    if (raw.len < 16 || memcmp(raw.ptr, "HTTP/1.", 7) != 0 || (raw.ptr[7] | 1) != '1' ||
        raw.ptr[8] != ' ')
        return false;
    if (!cyc_span_parse_u64(cyc_span_of(raw.ptr + 9, 3), 599, &status) || status < 100)
        return false;
    size_t end = cyc_span_find_char(raw, '\r', 12);
    if (end > 12 && raw.ptr[12] != ' ')
        return false;
    msg->version_minor = (uint8_t)(raw.ptr[7] - '0');
    msg->status = (uint16_t)status;
    msg->reason = cyc_span_slice(raw, 13, end);
    return cyc_rules_is_value(msg->reason);
}

/* ---- what is wrong with a head ----------------------------------------------------------------
 */

/** A version llhttp refuses: one that is spelled right is just not spoken here. */
static enum cyc_fail fail_from_version(struct cyc_span parsed)
{
    if (!ends_in_version(parsed))
        return CYC_FAIL_BAD_REQUEST;
    struct cyc_span number = cyc_span_slice(parsed, parsed.len - 3, parsed.len);
    bool is_spoken =
        cyc_span_equal(number, CYC_SPAN("1.1")) || cyc_span_equal(number, CYC_SPAN("1.0"));
    return is_spoken ? CYC_FAIL_BAD_REQUEST : CYC_FAIL_VERSION;
}

/** @param parsed  what llhttp has read of the message */
static enum cyc_fail fail_from_parser(llhttp_errno_t error, struct cyc_span parsed)
{
    switch (error) {
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_UNEXPECTED_CONTENT_LENGTH:
    case HPE_INVALID_TRANSFER_ENCODING:
        return CYC_FAIL_BAD_FRAMING;
    case HPE_INVALID_URL:
        return CYC_FAIL_BAD_TARGET;
    case HPE_PAUSED_H2_UPGRADE:
        return CYC_FAIL_PLAIN_HTTP2;
    case HPE_INVALID_VERSION:
        return fail_from_version(parsed);
    default:
        return CYC_FAIL_BAD_REQUEST;
    }
}

static enum h1_head_result head_fail(struct h1 *h1, enum cyc_fail why)
{
    h1->fail = (uint8_t)why;
    return H1_HEAD_FAILED;
}

/** A method unknown to llhttp: 501 when it is one (RFC 9110 9.1), 400 when it is garbage. Waits for
 *  its end, so that the answer does not depend on how the bytes were cut. */
static enum h1_head_result method_judge(struct h1 *h1)
{
    struct cyc_span head = cyc_span_of(h1->head, h1->head_bytes);
    size_t len = 0;

    while (len < head.len && cyc_char_is_token(head.ptr[len]))
        len++;
    if (len > METHOD_BYTES_MAX)
        return head_fail(h1, CYC_FAIL_BAD_REQUEST);
    if (len == head.len)
        return H1_HEAD_MORE;
    return head_fail(h1, len > 0 && head.ptr[len] == ' ' ? CYC_FAIL_NOT_IMPLEMENTED
                                                         : CYC_FAIL_BAD_REQUEST);
}

static enum h1_head_result head_error(struct h1 *h1, llhttp_errno_t error, struct cyc_span bytes)
{
    const char *start = h1->head != NULL ? h1->head : bytes.ptr;
    const char *end = llhttp_get_error_pos(parser_of(h1));

    if (error == HPE_USER)
        return H1_HEAD_FAILED; /* a callback said why */
    if (error == HPE_INVALID_METHOD && h1->role == CYC_ROLE_SERVER) {
        head_keep(h1, bytes);
        h1->in = H1_IN_METHOD;
        return method_judge(h1);
    }
    return head_fail(h1, fail_from_parser(error, cyc_span_of(start, (size_t)(end - start))));
}

/* ---- taking bytes -----------------------------------------------------------------------------
 */

static enum h1_head_result start_line_read(struct h1 *h1)
{
    if (h1->in == H1_IN_TRAILERS)
        return H1_HEAD_DONE;
    if (h1->role == CYC_ROLE_CLIENT)
        return status_line_read(h1->msg) ? H1_HEAD_DONE : head_fail(h1, CYC_FAIL_UPSTREAM_PROTOCOL);
    enum cyc_fail why = request_line_read(h1->msg);
    if (why != CYC_FAIL_NONE)
        return head_fail(h1, why);
    h1->msg->method = method_from_parser(parser_of(h1)->method);
    return H1_HEAD_DONE;
}

static enum h1_head_result method_take(struct h1 *h1, struct cyc_buf *in)
{
    struct cyc_span bytes = cyc_span_slice(cyc_buf_front(in), 0, METHOD_BYTES_MAX + 1);

    head_collect(h1, bytes);
    h1->head_bytes += (uint32_t)bytes.len;
    cyc_buf_drop(in, bytes.len);
    return method_judge(h1);
}

enum h1_head_result h1_head_take(struct h1 *h1, struct cyc_buf *in)
{
    llhttp_t *parser = parser_of(h1);
    struct cyc_span bytes =
        cyc_span_slice(cyc_buf_front(in), 0, h1->head_bytes_left - h1->head_bytes);
    enum h1_head_result result = H1_HEAD_MORE;

    if (h1->in == H1_IN_METHOD)
        return method_take(h1, in);
    if (h1->head != NULL)
        bytes = head_collect(h1, bytes);
    llhttp_errno_t error = llhttp_execute(parser, bytes.ptr, bytes.len);
    if (CYC_LIKELY(error == HPE_PAUSED)) {
        bytes.len = (size_t)(llhttp_get_error_pos(parser) - bytes.ptr);
        head_complete(h1, bytes);
        result = start_line_read(h1);
    } else if (error == HPE_OK) {
        head_keep(h1, bytes);
        if (h1->head_bytes == h1->head_bytes_left)
            result = head_fail(h1, CYC_FAIL_HEAD_TOO_LARGE);
    } else {
        result = head_error(h1, error, bytes);
    }
    cyc_buf_drop(in, bytes.len);
    return result;
}
