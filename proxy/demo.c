/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The built-in demo service: what a first `curl` and the tests talk to when there is no
 * application.
 *
 *   /status/503   that status           /delay/250      answers after 250 ms
 *   /bytes/1048576  so many bytes       /stream/10      ten lines, one every 100 ms
 *   /echo         the request's body    anything else   what was received, as text
 */
#include "proxy/local.h"

#include "filters/reply.h"

#include <string.h>

#define DEMO_BYTES_MAX (1ull << 32)
#define DEMO_DELAY_MS_MAX 60000
#define DEMO_LINES_MAX 10000
#define DEMO_LINE_INTERVAL_MS 100

struct demo {
    struct cyc_stream *stream;
    struct cyc_timer timer;
    uint64_t left;  /* bytes or lines still to say */
    uint32_t holds; /* enum cyc_hold */
    bool is_echo, is_lines, is_bytes;
};

static bool number_after(struct cyc_span path, struct cyc_span prefix, uint64_t max,
                         uint64_t *ret_value)
{
    return cyc_span_starts_with(path, prefix) &&
           cyc_span_parse_u64(cyc_span_slice(path, prefix.len, path.len), max, ret_value);
}

static struct cyc_msg *head_make(struct cyc_stream *stream, uint32_t status, struct cyc_span type,
                                 uint64_t length)
{
    return cyc_reply_head(&stream->exchange, status, type, length);
}

static void say(struct cyc_stream *stream, uint32_t status, struct cyc_buf *body)
{
    cyc_stream_answer(stream,
                      head_make(stream, status, CYC_SPAN("text/plain; charset=utf-8"), body->bytes),
                      body);
}

static void line(struct cyc_buf *body, struct cyc_span a, struct cyc_span between,
                 struct cyc_span b)
{
    cyc_buf_append(body, a);
    cyc_buf_append(body, between);
    cyc_buf_append(body, b);
    cyc_buf_append(body, CYC_SPAN("\n"));
}

/** What arrived here, after whatever the gateway did to it. */
static void say_request(struct cyc_stream *stream, uint32_t status)
{
    const struct cyc_msg *req = stream->exchange.req;
    struct cyc_buf body;

    cyc_buf_init(&body, &stream->worker->pool);
    cyc_buf_append(&body, CYC_SPAN("This is Cyclone's demo service. It received:\n\n"));
    line(&body, req->method_text, CYC_SPAN(" "), req->target);
    line(&body, CYC_SPAN("Host"), CYC_SPAN(": "), req->authority);
    for (uint32_t i = 0; i < req->field_count; i++)
        if (!req->fields[i].is_removed)
            line(&body, req->fields[i].name, CYC_SPAN(": "), req->fields[i].value);
    say(stream, status, &body);
}

static void bytes_produce(struct demo *demo)
{
    struct cyc_stream *stream = demo->stream;
    struct cyc_buf body;

    cyc_buf_init(&body, &stream->worker->pool);
    while (demo->left > 0 && demo->holds == 0 && !stream->is_ended) {
        struct cyc_chunk *chunk = cyc_chunk_get_always(&stream->worker->pool, true);
        size_t len = demo->left < chunk->size_bytes ? demo->left : chunk->size_bytes;
        memset(chunk->bytes, 'x', len);
        chunk->used_bytes = (uint32_t)len;
        cyc_buf_append_chunk(&body, chunk, chunk->bytes, len);
        cyc_chunk_unref(chunk);
        demo->left -= len;
        cyc_stream_push_body(stream, &body, demo->left == 0, NULL);
        cyc_buf_clear(&body);
    }
}

static void lines_produce(struct demo *demo)
{
    struct cyc_stream *stream = demo->stream;
    struct cyc_buf body;
    char number[20];

    cyc_buf_init(&body, &stream->worker->pool);
    demo->left--;
    line(&body, CYC_SPAN("lines to come"), CYC_SPAN(": "),
         cyc_span_of(number, cyc_format_u64(number, demo->left)));
    if (demo->left > 0)
        cyc_timer_set(stream->worker->io->wheel, &demo->timer, DEMO_LINE_INTERVAL_MS);
    cyc_stream_push_body(stream, &body, demo->left == 0, NULL);
    cyc_buf_clear(&body);
}

static void demo_fire(struct cyc_timer *timer)
{
    struct demo *demo = cyc_container_of(timer, struct demo, timer);

    if (demo->is_lines)
        lines_produce(demo);
    else
        say_request(demo->stream, 200);
}

static void stream_of_unknown_length(struct cyc_stream *stream, struct cyc_span type)
{
    struct cyc_msg *res = head_make(stream, 200, type, 0);
    res->body = CYC_BODY_STREAM;
    cyc_stream_push_head(stream, res, false);
}

static void demo_start(struct cyc_stream *stream, struct cyc_msg *req, bool is_end)
{
    struct demo *demo = cyc_arena_zalloc(&stream->arena, sizeof(*demo));
    uint64_t value = 0;

    demo->stream = stream;
    cyc_timer_init(&demo->timer, demo_fire);
    stream->source_state = demo;
    if (number_after(req->path, CYC_SPAN("/status/"), 599, &value) && value >= 200) {
        say_request(stream, (uint32_t)value);
    } else if (number_after(req->path, CYC_SPAN("/delay/"), DEMO_DELAY_MS_MAX, &value)) {
        cyc_timer_set(stream->worker->io->wheel, &demo->timer, value);
    } else if (number_after(req->path, CYC_SPAN("/bytes/"), DEMO_BYTES_MAX, &value)) {
        struct cyc_msg *res = head_make(stream, 200, CYC_SPAN("application/octet-stream"), value);
        demo->is_bytes = true;
        demo->left = res->body == CYC_BODY_NONE ? 0 : value;
        cyc_stream_push_head(stream, res, demo->left == 0);
        bytes_produce(demo);
    } else if (number_after(req->path, CYC_SPAN("/stream/"), DEMO_LINES_MAX, &value) && value > 0) {
        demo->is_lines = true;
        demo->left = value;
        stream_of_unknown_length(stream, CYC_SPAN("text/plain; charset=utf-8"));
        lines_produce(demo);
    } else if (cyc_span_equal(req->path, CYC_SPAN("/echo")) && !is_end) {
        demo->is_echo = true;
        stream_of_unknown_length(stream, CYC_SPAN("application/octet-stream"));
    } else {
        say_request(stream, 200);
    }
}

static void demo_body(struct cyc_stream *stream, struct cyc_buf *body, bool is_end,
                      struct cyc_msg *trailers)
{
    struct demo *demo = stream->source_state;
    if (demo != NULL && demo->is_echo)
        cyc_stream_push_body(stream, body, is_end, trailers);
}

static void demo_hold(struct cyc_stream *stream, uint32_t reasons, bool is_held)
{
    struct demo *demo = stream->source_state;

    if (demo == NULL)
        return;
    demo->holds = is_held ? demo->holds | reasons : demo->holds & ~reasons;
    if (demo->is_echo)
        cyc_stream_hold_client(stream, CYC_HOLD_FAR_SIDE, demo->holds != 0);
    else if (demo->is_bytes)
        bytes_produce(demo);
}

static void demo_abort(struct cyc_stream *stream)
{
    struct demo *demo = stream->source_state;
    if (demo != NULL)
        cyc_timer_cancel(&demo->timer);
}

const struct cyc_stream_source cyc_demo_source = {
    .start = demo_start,
    .body = demo_body,
    .hold = demo_hold,
    .abort = demo_abort,
};
