/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a proxy makes of its input means the same to whoever reads it next.
 *
 * Requests go through the server codec into the client codec, answers the other way, as in the
 * gateway but for filters. The bytes that come out are read by a second parser (fuzz/h1_plain.h)
 * and must be exactly one message with the same start line, fields and body. A request is also read
 * by a second server codec, which must see the very events the first one did. An exchange that
 * failed must never look complete.
 *
 * First byte: bit 0 answers instead of requests, bit 1 the answer is to a HEAD, the rest the cut.
 */
#define RECORD_BYTES (96 * 1024)
#include "base/assert.h"
#include "fuzz/h1_plain.h"
#include "tests/unit/http/h1_recorder.h"

#define INPUT_BYTES_MAX (16 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *ptr, size_t len);

/** Where a recorder's message goes, and what is to be compared with. */
struct proxy {
    struct recorder *to;
    struct cyc_msg *head, *trailers;
    size_t body_bytes;
    char body[PLAIN_BODY_BYTES_MAX];
    bool is_failed, is_ended;
};

/* ---- the proxy ----------------------------------------------------------------------------------
 */

static void at_head(struct recorder *r, struct cyc_msg *head, bool is_end)
{
    struct proxy *proxy = r->test;
    struct recorder *to = proxy->to;

    proxy->head = head;
    proxy->is_ended = is_end;
    if (head->method_text.len > 0)
        to->cs = to->h1.codec.vt->open(&to->h1.codec, to, &to->arena);
    to->h1.codec.vt->send_head(to->cs, head, is_end);
}

static void at_body(struct recorder *r, struct cyc_buf *body, bool is_end)
{
    struct proxy *proxy = r->test;

    cyc_assert(proxy->body_bytes + body->bytes <= sizeof(proxy->body));
    proxy->body_bytes += cyc_buf_peek(body, proxy->body + proxy->body_bytes, body->bytes);
    proxy->is_ended = is_end;
    if (proxy->head->body == CYC_BODY_TUNNEL)
        return;
    struct cyc_buf copy; /* the two sides have a pool each */
    cyc_buf_init(&copy, &proxy->to->pool);
    for (struct cyc_seg *seg = body->head; seg != NULL; seg = seg->next)
        cyc_buf_append(&copy, cyc_span_of(seg->ptr, seg->len));
    proxy->to->h1.codec.vt->send_body(proxy->to->cs, &copy, is_end);
}

static void at_trailers(struct recorder *r, struct cyc_msg *trailers)
{
    struct proxy *proxy = r->test;

    proxy->trailers = trailers;
    proxy->is_ended = true;
    proxy->to->h1.codec.vt->send_trailers(proxy->to->cs, trailers);
}

static void at_reset(struct recorder *r, enum cyc_fail why, bool can_answer)
{
    struct proxy *proxy = r->test;
    struct recorder *to = proxy->to;
    (void)can_answer;

    proxy->is_failed = true;
    if (to->cs != NULL && to->h1.codec.stream_count == 1)
        to->h1.codec.vt->reset(to->cs, why);
}

static void connect_sides(struct recorder *from, struct recorder *to, struct proxy *proxy)
{
    memset(proxy, 0, offsetof(struct proxy, body));
    proxy->to = to;
    proxy->is_failed = proxy->is_ended = false;
    from->test = proxy;
    from->at_head = at_head;
    from->at_body = at_body;
    from->at_trailers = at_trailers;
    from->at_reset = at_reset;
}

/* ---- comparing ----------------------------------------------------------------------------------
 */

/** Fields a codec writes itself. */
static bool is_own(struct cyc_span name)
{
    static const struct cyc_span own[] = {
        CYC_SPAN_INIT("host"),    CYC_SPAN_INIT("content-length"),    CYC_SPAN_INIT("te"),
        CYC_SPAN_INIT("upgrade"), CYC_SPAN_INIT("connection"),        CYC_SPAN_INIT("expect"),
        CYC_SPAN_INIT("date"),    CYC_SPAN_INIT("transfer-encoding"),
    };
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (cyc_span_equal_nocase(name, own[i]))
            return true;
    return false;
}

/** The same fields in the same order, apart from a codec's own. */
static void check_fields(const struct plain *plain, const struct cyc_msg *head)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < head->field_count; i++) {
        const struct cyc_field *field = &head->fields[i];
        if (field->is_removed || is_own(field->name))
            continue;
        while (at < plain->field_count && is_own(plain->fields[at].name))
            at++;
        cyc_assert(at < plain->field_count);
        cyc_assert(cyc_span_equal(plain->fields[at].name, field->name));
        cyc_assert(cyc_span_equal(plain->fields[at].value, field->value));
        at++;
    }
    while (at < plain->field_count && is_own(plain->fields[at].name))
        at++;
    cyc_assert(at == plain->field_count);
}

static void check_body(const struct plain *plain, const struct proxy *proxy)
{
    cyc_assert(plain->body_bytes == proxy->body_bytes);
    cyc_assert(memcmp(plain->body, proxy->body, plain->body_bytes) == 0);
}

static uint32_t visible_count(const struct cyc_msg *msg)
{
    uint32_t count = 0;
    for (uint32_t i = 0; msg != NULL && i < msg->field_count; i++)
        count += !msg->fields[i].is_removed;
    return count;
}

/* ---- requests -----------------------------------------------------------------------------------
 */

static void check_request(struct plain *plain, const struct proxy *proxy)
{
    const struct cyc_msg *head = proxy->head;
    struct cyc_span host = {NULL, 0};

    cyc_assert(cyc_span_equal(plain->line[0], head->method_text));
    cyc_assert(cyc_span_equal(plain->line[2], CYC_SPAN("HTTP/1.1")));
    cyc_assert(cyc_span_starts_with(plain->line[1], head->path));
    if (head->query.ptr != NULL)
        cyc_assert(plain->line[1].len == head->path.len + 1 + head->query.len);
    else
        cyc_assert(plain->line[1].len == head->path.len);
    cyc_assert(plain_count(plain, CYC_SPAN("host"), &host) == 1);
    cyc_assert(cyc_span_equal(host, head->authority));
    check_fields(plain, head);
    check_body(plain, proxy);
    cyc_assert(plain->trailer_count == visible_count(proxy->trailers));
    cyc_assert(plain->rest.len == 0);
}

/** Reading it again must give the same events; but not where the meaning is spelled out on the way
 *  (a length of 0, a version) or dropped on purpose (TE beside Upgrade). */
static void check_again(const struct recorder *first, const struct cyc_msg *head, const char *out)
{
    bool is_spelled_out = head->body == CYC_BODY_NONE && head->method != CYC_METHOD_GET;

    if (head->version_minor == 0 || is_spelled_out || (head->is_upgrade && head->wants_trailers))
        return;
    struct recorder *again = recorder_create(CYC_ROLE_SERVER);
    recorder_feed_text(again, out);
    cyc_assert(strcmp(again->text, first->text) == 0);
    cyc_assert(again->in.bytes == 0);
    recorder_destroy(again);
}

static void run_request(struct cyc_span input, uint32_t seed, struct proxy *proxy,
                        struct plain *plain)
{
    struct recorder *server = recorder_create(CYC_ROLE_SERVER);
    struct recorder *client = recorder_create(CYC_ROLE_CLIENT);

    connect_sides(server, client, proxy);
    recorder_feed_cut(server, input, seed);
    char *out = recorder_take_out(client);
    plain->rest = cyc_span_from_text(out);
    bool has_nul = memchr(proxy->body, '\0', proxy->body_bytes) != NULL;
    if (proxy->head != NULL && !has_nul) {
        bool is_complete = plain_read(plain, PLAIN_BODY_AS_FRAMED);
        bool is_whole = proxy->is_ended || proxy->head->is_upgrade;
        cyc_assert(is_complete == is_whole);
        if (is_complete)
            check_request(plain, proxy);
        if (is_complete && !proxy->is_failed)
            check_again(server, proxy->head, out);
    }
    free(out);
    recorder_destroy(server);
    recorder_destroy(client);
}

/* ---- answers ------------------------------------------------------------------------------------
 */

static void ask(struct recorder *client, const char *method)
{
    struct cyc_msg req;

    cyc_msg_init(&req, &client->arena, 4);
    req.method_text = cyc_span_from_text(method);
    req.method = cyc_method_find(req.method_text);
    req.path = CYC_SPAN("/");
    req.authority = CYC_SPAN("h");
    client->cs = client->h1.codec.vt->open(&client->h1.codec, client, &client->arena);
    client->h1.codec.vt->send_head(client->cs, &req, true);
    free(recorder_take_out(client));
}

static void check_answer(struct plain *plain, const struct proxy *proxy)
{
    uint64_t status;

    cyc_assert(cyc_span_equal(plain->line[0], CYC_SPAN("HTTP/1.1")));
    cyc_assert(cyc_span_parse_u64(plain->line[1], 599, &status));
    cyc_assert(status == proxy->head->status);
    check_fields(plain, proxy->head);
    check_body(plain, proxy);
    cyc_assert(plain->trailer_count == visible_count(proxy->trailers));
    cyc_assert(plain->rest.len == 0);
}

static void run_answer(struct cyc_span input, const char *method, struct proxy *proxy,
                       struct plain *plain)
{
    struct recorder *server = recorder_create(CYC_ROLE_SERVER);
    struct recorder *client = recorder_create(CYC_ROLE_CLIENT);

    recorder_feed_text(server, method);
    recorder_feed_text(server, " / HTTP/1.1\r\nHost: h\r\nTE: trailers\r\n\r\n");
    connect_sides(client, server, proxy);
    ask(client, method);
    recorder_feed_cut(client, input, (uint32_t)input.len % 50);
    client->h1.codec.vt->feed_end(&client->h1.codec);
    char *out = recorder_take_out(server);
    plain->rest = cyc_span_from_text(out);
    bool has_nul = memchr(proxy->body, '\0', proxy->body_bytes) != NULL;
    if (proxy->head != NULL && !has_nul) {
        uint16_t status = proxy->head->status;
        bool is_bodiless = method[0] == 'H' || status == 204 || status == 304;
        bool is_complete = plain_read(plain, is_bodiless ? PLAIN_BODY_NONE : PLAIN_BODY_AS_FRAMED);
        cyc_assert(is_complete == proxy->is_ended); /* what was cut never looks whole */
        if (is_complete)
            check_answer(plain, proxy);
    }
    free(out);
    recorder_destroy(server);
    recorder_destroy(client);
}

int LLVMFuzzerTestOneInput(const uint8_t *ptr, size_t len)
{
    if (len < 1 || len > INPUT_BYTES_MAX)
        return 0;
    struct cyc_span input = cyc_span_of((const char *)ptr + 1, len - 1);
    struct proxy *proxy = malloc(sizeof(*proxy));
    struct plain *plain = malloc(sizeof(*plain));
    cyc_assert(proxy != NULL && plain != NULL);
    if ((ptr[0] & 1) == 0)
        run_request(input, ptr[0] >> 2, proxy, plain);
    else
        run_answer(input, (ptr[0] & 2) != 0 ? "HEAD" : "GET", proxy, plain);
    free(proxy);
    free(plain);
    return 0;
}
