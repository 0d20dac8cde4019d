/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What HTTP/1 costs a proxied request in user space: request head read, written on to the service,
 * answer head read, written on to the client. Bytes and codecs only: no socket, no filter.
 *
 *   bench_h1 [rounds]       prints nanoseconds per exchange, the best and the median of 15 runs
 */
#include "http/h1.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "http/date.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUN_COUNT 15
#define FIRST_BLOCK_BYTES 4096

struct bench {
    struct cyc_mem mem;
    struct cyc_buf_pool pool;
    struct cyc_clock clock;
    struct cyc_date_cache date;
    struct cyc_arena arena;
    struct cyc_buf in, downstream_out, upstream_out;
    struct cyc_h1 downstream, upstream;
    struct cyc_codec_stream *client_cs, *service_cs;
    struct cyc_span request, answer;
    uint64_t exchange_count;
    char first_block[FIRST_BLOCK_BYTES];
};

static struct bench *bench_of(struct cyc_codec_stream *cs)
{
    return cs->codec->owner;
}

static bool on_open(struct cyc_codec_stream *cs)
{
    struct bench *b = bench_of(cs);

    cyc_arena_reset(&b->arena);
    cs->arena = &b->arena;
    b->client_cs = cs;
    return true;
}

static void on_request(struct cyc_codec_stream *cs, struct cyc_msg *head, bool is_end)
{
    struct bench *b = bench_of(cs);

    cyc_msg_add_known(head, CYC_TOKEN_X_FORWARDED_FOR, CYC_SPAN("127.0.0.1"));
    cyc_msg_add_known(head, CYC_TOKEN_X_REQUEST_ID, CYC_SPAN("0123456789abcdef"));
    b->service_cs = b->upstream.codec.vt->open(&b->upstream.codec, b, &b->arena);
    b->upstream.codec.vt->send_head(b->service_cs, head, is_end);
}

static void on_answer(struct cyc_codec_stream *cs, struct cyc_msg *head, bool is_end)
{
    struct bench *b = bench_of(cs);

    cyc_msg_add_known(head, CYC_TOKEN_VIA, CYC_SPAN("1.1 cyclone"));
    b->downstream.codec.vt->send_head(b->client_cs, head, is_end);
}

static void on_answer_body(struct cyc_codec_stream *cs, struct cyc_buf *body, bool is_end)
{
    struct bench *b = bench_of(cs);
    b->downstream.codec.vt->send_body(b->client_cs, body, is_end);
}

static void on_request_body(struct cyc_codec_stream *cs, struct cyc_buf *body, bool is_end)
{
    struct bench *b = bench_of(cs);
    b->upstream.codec.vt->send_body(b->service_cs, body, is_end);
}

static void on_gone(struct cyc_codec_stream *cs)
{
    bench_of(cs)->exchange_count++;
}

static void on_reset(struct cyc_codec_stream *cs, enum cyc_fail why, bool can_answer)
{
    (void)cs, (void)can_answer;
    fprintf(stderr, "reset: %s\n", cyc_fail_info(why)->text.ptr);
    exit(1);
}

static void on_wish(struct cyc_codec *codec)
{
    (void)codec;
}

static const struct cyc_codec_events downstream_events = {
    .on_open = on_open,
    .on_head = on_request,
    .on_body = on_request_body,
    .on_reset = on_reset,
    .on_gone = on_gone,
    .on_wish = on_wish,
};

static const struct cyc_codec_events upstream_events = {
    .on_head = on_answer,
    .on_body = on_answer_body,
    .on_reset = on_reset,
    .on_gone = on_gone,
    .on_wish = on_wish,
};

/** Bytes arrive in a chunk of their own, as from a socket. */
static void feed(struct bench *b, struct cyc_h1 *h1, struct cyc_span bytes)
{
    cyc_buf_append(&b->in, bytes);
    h1->codec.vt->feed(&h1->codec, &b->in);
}

static void sent(struct cyc_h1 *h1, struct cyc_buf *out)
{
    size_t bytes = out->bytes;
    cyc_buf_drop(out, bytes);
    h1->codec.vt->sent(&h1->codec, bytes);
}

static void exchange(struct bench *b)
{
    feed(b, &b->downstream, b->request);
    sent(&b->upstream, &b->upstream_out);
    feed(b, &b->upstream, b->answer);
    sent(&b->downstream, &b->downstream_out);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * CYC_NS_PER_S + (uint64_t)now.tv_nsec;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void bench_init(struct bench *b)
{
    struct cyc_codec_limits limits = {
        .head_bytes_max = 32 * 1024,
        .field_count_max = 100,
        .uri_bytes_max = 8 * 1024,
        .out_bytes_high = 64 * 1024,
        .date = &b->date,
    };

    b->clock.wall_ns = 784111777ull * CYC_NS_PER_S;
    cyc_buf_pool_init(&b->pool, &b->mem);
    cyc_arena_init(&b->arena, &b->mem, CYC_MEM_STREAMS, b->first_block, sizeof(b->first_block));
    cyc_buf_init(&b->in, &b->pool);
    cyc_buf_init(&b->downstream_out, &b->pool);
    cyc_buf_init(&b->upstream_out, &b->pool);
    cyc_h1_init(
        &b->downstream, CYC_ROLE_SERVER,
        &(struct cyc_codec_setup){&downstream_events, &b->downstream_out, &b->clock, &limits});
    cyc_h1_init(&b->upstream, CYC_ROLE_CLIENT,
                &(struct cyc_codec_setup){&upstream_events, &b->upstream_out, &b->clock, &limits});
    b->downstream.codec.owner = b->upstream.codec.owner = b;
}

static void run(struct bench *b, const char *name, const char *request, const char *answer,
                uint32_t round_count)
{
    double ns[RUN_COUNT];

    b->request = cyc_span_from_text(request);
    b->answer = cyc_span_from_text(answer);
    for (int i = 0; i < RUN_COUNT; i++) {
        uint64_t start_ns = now_ns();
        for (uint32_t round = 0; round < round_count; round++)
            exchange(b);
        ns[i] = (double)(now_ns() - start_ns) / round_count;
    }
    qsort(ns, RUN_COUNT, sizeof(ns[0]), compare_doubles);
    printf("%-12s %4zu + %4zu bytes   best %6.0f ns   median %6.0f ns\n", name, strlen(request),
           strlen(answer), ns[0], ns[RUN_COUNT / 2]);
}

int main(int argc, char **argv)
{
    static struct bench b;
    uint32_t round_count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 100000;

    bench_init(&b);
    run(&b, "small", "GET /small HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: load\r\n\r\n",
        "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 128\r\n\r\n"
        "0123456789012345678901234567890123456789012345678901234567890123"
        "0123456789012345678901234567890123456789012345678901234567890123",
        round_count);
    run(&b, "browser",
        "GET /assets/app/main.4f3e2d1c.js?v=20240115 HTTP/1.1\r\nHost: www.example.com\r\n"
        "Connection: keep-alive\r\n"
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/126.0.0.0 Safari/537.36\r\n"
        "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8\r\n"
        "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
        "Referer: https://www.example.com/articles/2024/01/15/something\r\n"
        "Cookie: session=8f14e45fceea167a5a36dedd4bea2543; theme=dark; consent=1\r\n"
        "Sec-Fetch-Dest: script\r\nSec-Fetch-Mode: no-cors\r\nCache-Control: max-age=0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        "Content-Type: application/javascript\r\nContent-Length: 12\r\n"
        "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nETag: \"65a4f3c2-2d1c\"\r\n"
        "Cache-Control: public, max-age=31536000\r\nVary: Accept-Encoding\r\n"
        "Accept-Ranges: bytes\r\n\r\nconsole.log;",
        round_count);
    run(&b, "chunked", "POST /rpc HTTP/1.1\r\nHost: bench.example\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nTransfer-Encoding: chunked\r\n"
        "\r\n5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n",
        round_count);
    b.downstream.codec.vt->fini(&b.downstream.codec);
    b.upstream.codec.vt->fini(&b.upstream.codec);
    cyc_arena_fini(&b.arena);
    cyc_buf_pool_fini(&b.pool);
    return 0;
}
