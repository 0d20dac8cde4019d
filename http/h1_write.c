/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1 heads and bodies as bytes.
 *
 * A head is measured first, then written in one go into the outgoing queue. Fields that nobody has
 * touched lie in the arena exactly as they arrived ("Name: value\r\n", one after the other), so
 * runs of them are copied whole. Bodies move by reference, framed as the head said.
 *
 * What belongs to this connection (framing, Connection, Host...) is written from the message's
 * meaning only: a field of that name, wherever it came from, is skipped.
 */
#include "base/assert.h"
#include "http/date.h"
#include "http/h1_internal.h"

#include <string.h>

/* Everything in a head but start line texts and fields: the longest lines that can come together.
 */
#define OWN_LINES_BYTES 320

#define BIT(token) (1ull << CYC_TOKEN_##token)
/* Fields this file writes itself. */
#define OWN_TOKENS                                                                                 \
    (BIT(CONTENT_LENGTH) | BIT(TRANSFER_ENCODING) | BIT(CONNECTION) | BIT(KEEP_ALIVE) |            \
     BIT(PROXY_CONNECTION) | BIT(UPGRADE) | BIT(TE) | BIT(HTTP2_SETTINGS))
#define OWN_REQUEST_TOKENS (OWN_TOKENS | BIT(HOST) | BIT(EXPECT))
CYC_BUILD_ASSERT(CYC_TOKEN_COUNT <= 64);

/* ---- pieces ---------------------------------------------------------------------------------- */

static char *put(char *at, const char *bytes, size_t len)
{
    memcpy(at, bytes, len);
    return at + len;
}

#define put_text(at, literal) put((at), "" literal, sizeof(literal) - 1)

static char *put_span(char *at, struct cyc_span s)
{
    return s.len > 0 ? put(at, s.ptr, s.len) : at;
}

static char *put_number(char *at, uint64_t number)
{
    return at + cyc_format_u64(at, number);
}

static size_t fields_bytes(const struct cyc_msg *msg)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < msg->field_count; i++)
        bytes += msg->fields[i].name.len + msg->fields[i].value.len + 4;
    return bytes;
}

/** Does the line lie in msg->raw as it would be written? Looks at no byte outside of it. */
static bool is_verbatim(const struct cyc_msg *msg, const struct cyc_field *field)
{
    uintptr_t raw = (uintptr_t)msg->raw.ptr, raw_end = raw + msg->raw.len;
    uintptr_t name = (uintptr_t)field->name.ptr, value = (uintptr_t)field->value.ptr;

    if (name < raw || value != name + field->name.len + 2 || value > raw_end ||
        raw_end - value < field->value.len + 2)
        return false;
    const char *colon = field->name.ptr + field->name.len;
    const char *end = field->value.ptr + field->value.len;
    return colon[0] == ':' && colon[1] == ' ' && end[0] == '\r' && end[1] == '\n';
}

/** @param skipped  bits of tokens */
static char *put_fields(char *at, const struct cyc_msg *msg, uint64_t skipped)
{
    struct cyc_span run = {NULL, 0};

    for (uint32_t i = 0; i < msg->field_count; i++) {
        const struct cyc_field *field = &msg->fields[i];
        if (field->is_removed || (skipped >> field->token & 1) != 0)
            continue;
        size_t line_bytes = field->name.len + field->value.len + 4;
        if (is_verbatim(msg, field)) {
            if (run.len > 0 && field->name.ptr == run.ptr + run.len) {
                run.len += line_bytes;
                continue;
            }
            at = put_span(at, run);
            run = cyc_span_of(field->name.ptr, line_bytes);
            continue;
        }
        at = put_span(at, run);
        run.len = 0;
        at = put(at, field->name.ptr, field->name.len);
        at = put_text(at, ": ");
        at = put_span(at, field->value);
        at = put_text(at, "\r\n");
    }
    return put_span(at, run);
}

/** Where to write a head of at most `bytes`. A huge one is put together in the arena. */
static char *head_reserve(struct h1 *h1, size_t bytes)
{
    if (CYC_LIKELY(bytes <= CYC_CHUNK_SMALL_BYTES))
        return cyc_buf_reserve(h1->codec.out, bytes);
    return cyc_arena_alloc(h1->cs.arena, bytes);
}

static void head_commit(struct h1 *h1, size_t reserved_bytes, char *start, const char *end)
{
    size_t bytes = (size_t)(end - start);

    cyc_assert(bytes <= reserved_bytes);
    if (CYC_LIKELY(reserved_bytes <= CYC_CHUNK_SMALL_BYTES))
        cyc_buf_commit(h1->codec.out, bytes);
    else
        cyc_buf_append(h1->codec.out, cyc_span_of(start, bytes));
}

static char *put_length(struct h1 *h1, char *at, uint64_t bytes)
{
    h1->out_bytes = bytes;
    h1->out = H1_OUT_LENGTH;
    at = put_text(at, "Content-Length: ");
    at = put_number(at, bytes);
    return put_text(at, "\r\n");
}

static char *put_chunked(struct h1 *h1, char *at)
{
    h1->out = H1_OUT_CHUNKED;
    return put_text(at, "Transfer-Encoding: chunked\r\n");
}

/* ---- the end of a direction ------------------------------------------------------------------ */

/** Less was sent than the head has promised. The other side notices when the bytes end; a service
 * is told at once, or it would wait for them. */
static void out_is_short(struct h1 *h1)
{
    h1->is_close = true;
    if (h1->role == CYC_ROLE_CLIENT)
        h1->codec.wants_shutdown = true;
}

static void out_end(struct h1 *h1)
{
    if (h1->out == H1_OUT_LENGTH && h1->out_bytes > 0)
        out_is_short(h1);
    if (h1->out == H1_OUT_TUNNEL)
        h1->codec.wants_shutdown = true;
    h1->out = H1_OUT_DONE;
    h1_check_end(h1);
}

static void out_end_or_settle(struct h1 *h1, bool is_end)
{
    if (is_end)
        out_end(h1);
    else
        h1_settle(h1);
}

/* ---- answers --------------------------------------------------------------------------------- */

static char *put_status_line(char *at, const struct cyc_msg *head)
{
    struct cyc_span reason = head->reason.len > 0 ? head->reason : cyc_status_reason(head->status);

    at = put_text(at, "HTTP/1.1 ");
    at = put_number(at, head->status);
    *at++ = ' ';
    at = put_span(at, reason);
    return put_text(at, "\r\n");
}

static size_t answer_bytes_max(const struct cyc_msg *head)
{
    return head->reason.len + head->upgrade.len + fields_bytes(head) + OWN_LINES_BYTES;
}

/** Answers that never have a body: Content-Length only describes (RFC 9110 8.6). */
static char *put_bodiless(struct h1 *h1, char *at, const struct cyc_msg *head)
{
    bool is_described = head->has_length || head->body == CYC_BODY_LENGTH;

    if (is_described && head->status != 204)
        at = put_length(h1, at, head->body_bytes);
    h1->out = H1_OUT_NONE;
    return at;
}

static char *put_answer_framing(struct h1 *h1, char *at, const struct cyc_msg *head, bool is_end)
{
    if (head->body == CYC_BODY_TUNNEL) {
        h1->out = H1_OUT_TUNNEL;
        return at;
    }
    if (h1->method == CYC_METHOD_HEAD || head->status == 204 || head->status == 304)
        return put_bodiless(h1, at, head);
    if (head->body == CYC_BODY_LENGTH)
        return put_length(h1, at, head->body_bytes);
    if (is_end)
        return put_length(h1, at, 0);
    if (!h1->is_old)
        return put_chunked(h1, at);
    h1->out = H1_OUT_UNTIL_CLOSE;
    h1->is_close = true;
    return at;
}

/** Is it known by now that the connection will end with this answer? Then it says so. */
static bool is_last_answer(const struct h1 *h1)
{
    bool is_request_over = h1->in == H1_IN_DONE || h1->in == H1_IN_UPGRADE;

    if (h1->is_close || h1->is_draining)
        return true;
    if (h1->is_eof && !h1->has_leftover)
        return true;
    /* The rest of the request is not read after the answer's end, and which of the two ends first
     * is not known yet. Closing without having said so would lose what was pipelined. */
    return !is_request_over;
}

static char *put_answer_connection(struct h1 *h1, char *at, const struct cyc_msg *head)
{
    if (head->body == CYC_BODY_TUNNEL) {
        at = put_text(at, "Connection: Upgrade\r\nUpgrade: ");
        at = put_span(at, head->upgrade);
        return put_text(at, "\r\n");
    }
    if (h1->is_close)
        return put_text(at, "Connection: close\r\n");
    if (h1->is_old)
        return put_text(at, "Connection: keep-alive\r\n");
    return at;
}

static char *put_date(struct h1 *h1, char *at)
{
    struct cyc_date_cache *cache = h1->codec.limits.date;

    at = put_text(at, "Date: ");
    if (cache != NULL)
        at = put(at, cyc_date_text(cache, h1->codec.clock), CYC_DATE_BYTES);
    else
        at += cyc_format_http_date(at, h1->codec.clock->wall_ns);
    return put_text(at, "\r\n");
}

static void send_answer(struct h1 *h1, const struct cyc_msg *head, bool is_end)
{
    size_t bytes = answer_bytes_max(head);
    char *start = head_reserve(h1, bytes), *at = start;

    h1->is_close = is_last_answer(h1);
    at = put_status_line(at, head);
    at = put_fields(at, head, OWN_TOKENS);
    if (cyc_msg_find(head, CYC_TOKEN_DATE) == NULL)
        at = put_date(h1, at);
    at = put_answer_framing(h1, at, head, is_end);
    at = put_answer_connection(h1, at, head);
    at = put_text(at, "\r\n");
    head_commit(h1, bytes, start, at);
    if (h1->in == H1_IN_UPGRADE)
        h1->in = head->body == CYC_BODY_TUNNEL ? H1_IN_TUNNEL : H1_IN_DONE;
}

void h1_send_info(struct cyc_codec_stream *cs, const struct cyc_msg *head)
{
    struct h1 *h1 = h1_of(cs);

    cyc_assert(h1->role == CYC_ROLE_SERVER && h1->codec.stream_count == 1);
    cyc_assert(head->status >= 100 && head->status < 200 && head->status != 101);

    if (h1->out != H1_OUT_HEAD || h1->is_old)
        return; /* RFC 9110 15.2: never to a 1.0 client */
    size_t bytes = answer_bytes_max(head);
    char *start = head_reserve(h1, bytes), *at = start;
    at = put_status_line(at, head);
    at = put_fields(at, head, OWN_TOKENS);
    at = put_text(at, "\r\n");
    head_commit(h1, bytes, start, at);
    h1_settle(h1);
}

void h1_send_unavailable(struct h1 *h1)
{
    cyc_buf_append(h1->codec.out, CYC_SPAN("HTTP/1.1 503 Service Unavailable\r\n"
                                           "Content-Length: 0\r\nConnection: close\r\n\r\n"));
}

/* ---- requests -------------------------------------------------------------------------------- */

static char *put_request_line(char *at, const struct cyc_msg *head)
{
    at = put_span(at, head->method_text);
    *at++ = ' ';
    at = put_span(at, head->path);
    if (head->query.ptr != NULL) {
        *at++ = '?';
        at = put_span(at, head->query);
    }
    at = put_text(at, " HTTP/1.1\r\nHost: ");
    at = put_span(at, head->authority);
    return put_text(at, "\r\n");
}

/** RFC 9110 8.6: a method that has a meaning for content says so when there is none. */
static bool is_length_expected(enum cyc_method method)
{
    return method == CYC_METHOD_POST || method == CYC_METHOD_PUT || method == CYC_METHOD_PATCH;
}

static char *put_request_framing(struct h1 *h1, char *at, const struct cyc_msg *head, bool is_end)
{
    if (h1->is_upgrade) {
        h1->out = H1_OUT_UPGRADE;
        return at;
    }
    if (head->body == CYC_BODY_LENGTH)
        return put_length(h1, at, head->body_bytes);
    if (!is_end)
        return put_chunked(h1, at);
    if (is_length_expected(head->method))
        return put_length(h1, at, 0);
    h1->out = H1_OUT_NONE;
    return at;
}

static char *put_request_connection(struct h1 *h1, char *at, const struct cyc_msg *head)
{
    if (h1->is_upgrade) {
        at = put_text(at, "Connection: Upgrade\r\nUpgrade: ");
        at = put_span(at, head->upgrade);
        at = put_text(at, "\r\n");
    } else if (head->wants_trailers) {
        at = put_text(at, "Connection: TE\r\nTE: trailers\r\n");
    }
    if (head->expects_continue && h1->out != H1_OUT_NONE)
        at = put_text(at, "Expect: 100-continue\r\n");
    return at;
}

static void send_request(struct h1 *h1, const struct cyc_msg *head, bool is_end)
{
    size_t bytes = head->method_text.len + head->path.len + head->query.len + head->authority.len +
                   head->upgrade.len + fields_bytes(head) + OWN_LINES_BYTES;
    char *start = head_reserve(h1, bytes), *at = start;

    h1->method = (uint8_t)head->method;
    h1->is_upgrade = head->is_upgrade && !is_end;
    at = put_request_line(at, head);
    at = put_fields(at, head, OWN_REQUEST_TOKENS);
    at = put_request_framing(h1, at, head, is_end);
    at = put_request_connection(h1, at, head);
    at = put_text(at, "\r\n");
    head_commit(h1, bytes, start, at);
}

void h1_send_head(struct cyc_codec_stream *cs, const struct cyc_msg *head, bool is_end)
{
    struct h1 *h1 = h1_of(cs);

    cyc_assert(h1->codec.stream_count == 1);
    cyc_assert(h1->out == H1_OUT_HEAD);

    if (h1->role == CYC_ROLE_SERVER)
        send_answer(h1, head, is_end);
    else
        send_request(h1, head, is_end);
    out_end_or_settle(h1, is_end);
}

/* ---- bodies ---------------------------------------------------------------------------------- */

/** One chunk, and the last one behind it when that is known. */
static void send_chunk(struct h1 *h1, struct cyc_buf *body, bool is_end)
{
    struct cyc_buf *out = h1->codec.out;

    if (body->bytes > 0) {
        char *start = cyc_buf_reserve(out, 18), *at = start;
        at += cyc_format_hex(at, body->bytes);
        at = put_text(at, "\r\n");
        cyc_buf_commit(out, (size_t)(at - start));
        cyc_buf_splice(out, body);
        cyc_buf_append(out, is_end ? CYC_SPAN("\r\n0\r\n\r\n") : CYC_SPAN("\r\n"));
    } else if (is_end) {
        cyc_buf_append(out, CYC_SPAN("0\r\n\r\n"));
    }
}

/** Never more than the head has promised. */
static void send_counted(struct h1 *h1, struct cyc_buf *body)
{
    if (body->bytes > h1->out_bytes) {
        cyc_buf_move(h1->codec.out, body, h1->out_bytes);
        cyc_buf_clear(body);
        h1->out_bytes = 0;
        h1->is_close = true;
        return;
    }
    h1->out_bytes -= body->bytes;
    cyc_buf_splice(h1->codec.out, body);
}

bool h1_send_body(struct cyc_codec_stream *cs, struct cyc_buf *body, bool is_end)
{
    struct h1 *h1 = h1_of(cs);

    cyc_assert(h1->codec.stream_count == 1);

    switch ((enum h1_out)h1->out) {
    case H1_OUT_CHUNKED:
        send_chunk(h1, body, is_end);
        break;
    case H1_OUT_LENGTH:
        send_counted(h1, body);
        break;
    case H1_OUT_UNTIL_CLOSE:
    case H1_OUT_TUNNEL:
        cyc_buf_splice(h1->codec.out, body);
        break;
    case H1_OUT_HEAD:
    case H1_OUT_NONE:
    case H1_OUT_UPGRADE:
    case H1_OUT_DONE:
        cyc_buf_clear(body);
        break;
    }
    bool has_room = h1->codec.out->bytes < h1->codec.limits.out_bytes_high;
    h1->is_over_high |= !has_room;
    out_end_or_settle(h1, is_end);
    return has_room;
}

void h1_send_trailers(struct cyc_codec_stream *cs, const struct cyc_msg *trailers)
{
    struct h1 *h1 = h1_of(cs);
    bool is_wanted = h1->role == CYC_ROLE_CLIENT || h1->wants_trailers;

    cyc_assert(h1->codec.stream_count == 1);

    if (h1->out == H1_OUT_CHUNKED && is_wanted) {
        size_t bytes = fields_bytes(trailers) + 8;
        char *start = head_reserve(h1, bytes), *at = start;
        at = put_text(at, "0\r\n");
        at = put_fields(at, trailers, OWN_REQUEST_TOKENS);
        at = put_text(at, "\r\n");
        head_commit(h1, bytes, start, at);
    } else if (h1->out == H1_OUT_CHUNKED) {
        cyc_buf_append(h1->codec.out, CYC_SPAN("0\r\n\r\n"));
    }
    out_end(h1);
}
