/* SPDX-License-Identifier: Apache-2.0 */
#include "filters/reply.h"

#include "base/assert.h"

#define FIELD_COUNT 12 /* room for what filters add on the way out */

static bool has_no_content(uint32_t status)
{
    return status < 200 || status == 204 || status == 304; /* RFC 9110 6.4.1 */
}

struct cyc_msg *cyc_reply_head(struct cyc_exchange *exchange, uint32_t status,
                               struct cyc_span content_type, uint64_t body_bytes)
{
    struct cyc_msg *res = cyc_arena_alloc(exchange->arena, sizeof(*res));
    bool is_head = exchange->req != NULL && exchange->req->method == CYC_METHOD_HEAD;

    cyc_msg_init(res, exchange->arena, FIELD_COUNT);
    res->status = (uint16_t)status;
    if (has_no_content(status))
        return res;
    res->body = is_head ? CYC_BODY_NONE : CYC_BODY_LENGTH;
    res->body_bytes = body_bytes;
    res->has_length = is_head;
    if (content_type.len > 0)
        cyc_msg_add_known(res, CYC_TOKEN_CONTENT_TYPE, content_type);
    return res;
}

struct cyc_msg *cyc_reply_text(struct cyc_exchange *exchange, uint32_t status, struct cyc_span text,
                               struct cyc_buf *body)
{
    struct cyc_msg *res =
        cyc_reply_head(exchange, status, CYC_SPAN("text/plain; charset=utf-8"), text.len);
    if (res->body == CYC_BODY_LENGTH)
        cyc_buf_append(body, text);
    return res;
}

/** Everything a failure says, put together by the compiler. */
struct fail_reply {
    struct cyc_span text, proxy_status;
};

static const struct fail_reply fail_replies[CYC_FAIL_COUNT] = {
#define CYC_FAIL_ROW(name, status, retry, flag, reason, text)                                      \
    [CYC_FAIL_##name] = {CYC_SPAN_INIT(#status " " reason ": " text "\n"),                         \
                         CYC_SPAN_INIT("cyclone; details=\"" reason "\"")},
#include "http/fail.def"
#undef CYC_FAIL_ROW
};

struct cyc_msg *cyc_reply_fail(struct cyc_exchange *exchange, enum cyc_fail why,
                               struct cyc_buf *body)
{
    const struct cyc_fail_info *info = cyc_fail_info(why);
    cyc_assert(info->status != 0);

    exchange->fail = why;
    struct cyc_msg *res = cyc_reply_text(exchange, info->status, fail_replies[why].text, body);
    cyc_msg_add(res, CYC_TOKEN_OTHER, CYC_SPAN("Proxy-Status"), fail_replies[why].proxy_status);
    return res;
}

struct cyc_msg *cyc_reply_blank_request(struct cyc_exchange *exchange)
{
    struct cyc_msg *req = cyc_arena_alloc(exchange->arena, sizeof(*req));
    cyc_msg_init(req, exchange->arena, 4);
    return req;
}
