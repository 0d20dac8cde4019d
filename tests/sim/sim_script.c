/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/sim_script.h"

#include <stdio.h>
#include <string.h>

/* An early answer to a longer body may be lost with the reset that ends the connection (RFC 9112
 * 9.6): no fault, but nothing to expect success of. */
#define EARLY_BODY_BYTES_MAX 8192
#define HEAD_BYTES_MAX 1024

uint64_t cyc_sim_body_bytes_draw(struct sim_run *run)
{
    static const uint64_t bounds[] = {1, 1, 16, 300, 300, 3000, 5000, 20000, 70000, 300000};

    if (cyc_sim_chance(run, 4))
        return cyc_sim_below(run, 2000000);
    return cyc_sim_below(run, bounds[cyc_sim_below(run, sizeof(bounds) / sizeof(bounds[0]))]);
}

static uint32_t status_draw(struct sim_run *run, const struct sim_request *request)
{
    static const uint32_t statuses[] = {200, 200, 200, 200, 201, 204, 304, 404, 500, 503};

    if (request->kind == SIM_KIND_UPGRADE && !cyc_sim_chance(run, 200))
        return 101;
    return statuses[cyc_sim_below(run, sizeof(statuses) / sizeof(statuses[0]))];
}

static bool is_bodiless(const struct sim_request *request, const struct sim_arrival *arrival)
{
    return request->is_head || arrival->status == 204 || arrival->status == 304;
}

static void answer_draw(struct sim_run *run, struct sim_script *script,
                        const struct sim_request *request, struct sim_arrival *arrival)
{
    arrival->status = status_draw(run, request);
    arrival->answer_bytes = arrival->status == 204 ? 0 : cyc_sim_body_bytes_draw(run);
    arrival->framing =
        (enum sim_framing)cyc_sim_between(run, SIM_FRAMING_LENGTH, SIM_FRAMING_UNTIL_CLOSE);
    script->is_old = arrival->framing != SIM_FRAMING_CHUNKED && cyc_sim_chance(run, 100);
    if (arrival->status == 101 || is_bodiless(request, arrival)) {
        arrival->framing = arrival->status == 101 ? SIM_FRAMING_UNTIL_CLOSE : SIM_FRAMING_LENGTH;
        script->is_old = false;
    }
    arrival->has_trailers = arrival->framing == SIM_FRAMING_CHUNKED && cyc_sim_chance(run, 300);
    script->has_extensions = cyc_sim_chance(run, 100);
    script->is_closing =
        arrival->framing == SIM_FRAMING_UNTIL_CLOSE || script->is_old || cyc_sim_chance(run, 100);
    arrival->is_valid = true;
}

static void mischief_draw(struct sim_run *run, struct sim_script *script,
                          const struct sim_request *request, struct sim_arrival *arrival)
{
    script->mischief =
        (enum sim_mischief)cyc_sim_between(run, SIM_MISCHIEF_END_BEFORE, SIM_MISCHIEF_COUNT - 1);
    script->is_by_reset = cyc_sim_chance(run, 500);
    if (arrival->status == 101 && script->mischief >= SIM_MISCHIEF_CUT_BODY)
        script->mischief = SIM_MISCHIEF_END_BEFORE;
    if (is_bodiless(request, arrival) &&
        (script->mischief == SIM_MISCHIEF_BAD_CHUNK || script->mischief == SIM_MISCHIEF_CUT_BODY))
        script->mischief = SIM_MISCHIEF_PARTIAL_HEAD;
    if (script->mischief == SIM_MISCHIEF_BAD_CHUNK) {
        arrival->framing = SIM_FRAMING_CHUNKED;
        script->is_old = false;
    }
    if (script->mischief == SIM_MISCHIEF_CUT_BODY) {
        if (arrival->answer_bytes == 0)
            arrival->answer_bytes = 1 + cyc_sim_below(run, 5000);
        script->cut_bytes = cyc_sim_below(run, arrival->answer_bytes);
        /* Whoever frames by the end of the connection and ends it has said all there is. */
        script->is_by_reset |= arrival->framing == SIM_FRAMING_UNTIL_CLOSE;
    }
    if (script->mischief != SIM_MISCHIEF_EXTRA_BYTES)
        script->info_count = 0;
    else if (arrival->framing == SIM_FRAMING_UNTIL_CLOSE)
        script->mischief = SIM_MISCHIEF_NONE; /* there is no behind */
    arrival->is_valid =
        script->mischief == SIM_MISCHIEF_NONE || script->mischief == SIM_MISCHIEF_EXTRA_BYTES;
}

void cyc_sim_script_draw(struct sim_run *run, struct sim_script *script,
                         const struct sim_request *request, struct sim_arrival *arrival,
                         uint32_t mischief_permille)
{
    *script = (struct sim_script){.mischief = SIM_MISCHIEF_NONE};
    answer_draw(run, script, request, arrival);
    if (cyc_sim_chance(run, 150))
        script->info_count = (uint32_t)cyc_sim_between(run, 1, 3);
    if (cyc_sim_chance(run, 300))
        script->delay_ms = (uint32_t)cyc_sim_below(run, 200);
    if (cyc_sim_chance(run, 100))
        script->piece_ms = (uint32_t)cyc_sim_between(run, 1, 20);
    if (request->framing != SIM_FRAMING_NONE && cyc_sim_chance(run, 100))
        script->is_early = !run->is_calm || request->body_bytes <= EARLY_BODY_BYTES_MAX;
    if (mischief_permille > 0 && cyc_sim_chance(run, mischief_permille))
        mischief_draw(run, script, request, arrival);
}

bool cyc_sim_script_may_fail(const struct sim_script *script, const struct sim_request *request)
{
    return script->mischief != SIM_MISCHIEF_NONE ||
           (script->is_early && request->body_bytes > EARLY_BODY_BYTES_MAX);
}

static void text_write(struct cyc_buf *out, const char *text)
{
    cyc_buf_append(out, cyc_span_from_text(text));
}

static void bad_head_write(struct sim_run *run, struct cyc_buf *out)
{
    static const char *const heads[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nabcde",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 101 Switching\r\nX: y\r\n\r\n",
        "\x01\x02\x03\x04\xff nonsense\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
    };
    text_write(out, heads[cyc_sim_below(run, sizeof(heads) / sizeof(heads[0]))]);
}

static const char *reason_of(uint32_t status)
{
    return status == 101 ? "Switching Protocols" : status == 200 ? "OK" : "Sim";
}

/** @return length of the head in `head` */
static size_t head_format(struct sim_run *run, const struct sim_script *script,
                          const struct sim_arrival *arrival, char head[HEAD_BYTES_MAX])
{
    const char *connection = script->is_closing         ? "Connection: close, X-Hop\r\n"
                             : cyc_sim_chance(run, 300) ? "Connection: X-Hop\r\n"
                                                        : "Connection: keep-alive, X-Hop\r\n";
    const char *keep_alive = cyc_sim_chance(run, 200) ? "Keep-Alive: timeout=3, max=9\r\n" : "";

    if (arrival->status == 101)
        connection = "Connection: upgrade, X-Hop\r\nUpgrade: sim/1\r\n";
    int len = snprintf(head, HEAD_BYTES_MAX,
                       "HTTP/1.%d %u %s\r\nServer: sim\r\nX-Sim-Request: %u\r\nX-Sim-Answer: %u\r\n"
                       "%s%sX-Hop: secret\r\n",
                       script->is_old ? 0 : 1, arrival->status, reason_of(arrival->status),
                       arrival->request_id, arrival->id, connection, keep_alive);
    if (arrival->framing == SIM_FRAMING_LENGTH && arrival->status != 204)
        len += snprintf(head + len, HEAD_BYTES_MAX - (size_t)len, "Content-Length: %llu\r\n",
                        (unsigned long long)arrival->answer_bytes);
    else if (arrival->framing == SIM_FRAMING_CHUNKED)
        len +=
            snprintf(head + len, HEAD_BYTES_MAX - (size_t)len, "Transfer-Encoding: chunked\r\n%s",
                     arrival->has_trailers ? "Trailer: X-Sim-Trailer\r\n" : "");
    len += snprintf(head + len, HEAD_BYTES_MAX - (size_t)len, "\r\n");
    return (size_t)len;
}

void cyc_sim_script_head(struct sim_run *run, const struct sim_script *script,
                         const struct sim_request *request, const struct sim_arrival *arrival,
                         struct cyc_buf *out)
{
    char head[HEAD_BYTES_MAX];

    (void)request;
    for (uint32_t i = 0; i < script->info_count; i++)
        text_write(out, "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n");
    if (script->mischief == SIM_MISCHIEF_BAD_HEAD) {
        bad_head_write(run, out);
        return;
    }
    size_t len = head_format(run, script, arrival, head);
    if (script->mischief == SIM_MISCHIEF_PARTIAL_HEAD)
        len = 1 + cyc_sim_below(run, len - 1);
    cyc_buf_append(out, cyc_span_of(head, len));
}

struct sim_writer cyc_sim_script_body(const struct sim_script *script,
                                      const struct sim_request *request,
                                      const struct sim_arrival *arrival)
{
    struct sim_writer writer = {
        .framing = arrival->framing,
        .key = cyc_sim_answer_key(arrival),
        .total_bytes = arrival->answer_bytes,
        .stop_bytes = script->mischief == SIM_MISCHIEF_CUT_BODY ? script->cut_bytes : UINT64_MAX,
        .has_trailers = arrival->has_trailers,
        .has_extensions = script->has_extensions,
        .has_bad_chunk = script->mischief == SIM_MISCHIEF_BAD_CHUNK,
    };
    if (is_bodiless(request, arrival))
        writer = (struct sim_writer){.is_done = true};
    return writer;
}
