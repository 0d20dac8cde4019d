/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/sim_ask.h"

#include "tests/sim/sim_plan.h"
#include "tests/sim/sim_script.h"

#include <stdio.h>

#define HEAD_BYTES_MAX 1024
/* A longer body may still be on its way when the gateway's own answer ends the connection. */
#define LOCAL_BODY_BYTES_MAX 8192
#define GARBAGE_COUNT 17
#define GARBAGE_BODY_COUNT 2 /* the first: well-formed heads with malformed bodies */

struct ask_method {
    const char *name;
    bool is_idempotent, has_body;
};

static const struct ask_method methods[] = {
    {"GET", true, false},   {"GET", true, false},      {"GET", true, false},
    {"HEAD", true, false},  {"POST", false, true},     {"POST", false, true},
    {"PUT", true, true},    {"PUT", true, true},       {"DELETE", true, false},
    {"PATCH", false, true}, {"PROPFIND", false, true}, {"OPTIONS", true, false},
};

static const struct {
    const char *path;
    uint32_t status;
} local_paths[] = {{"/fixed", 200}, {"/nowhere", 404}, {"/health", 200}, {"/s", 404}};

#define LOCAL_PATH_COUNT (sizeof(local_paths) / sizeof(local_paths[0]))

static enum sim_kind kind_draw(struct sim_run *run)
{
    uint64_t n = cyc_sim_below(run, 100);

    if (n < 8)
        return SIM_KIND_LOCAL;
    if (n < 16)
        return SIM_KIND_UPGRADE;
    return n < 20 ? SIM_KIND_GARBAGE : SIM_KIND_FORWARD;
}

static void body_draw(struct sim_run *run, struct sim_request *request)
{
    request->framing = SIM_FRAMING_LENGTH;
    request->body_bytes = cyc_sim_body_bytes_draw(run);
    if (request->kind == SIM_KIND_LOCAL && request->body_bytes > LOCAL_BODY_BYTES_MAX)
        request->body_bytes = LOCAL_BODY_BYTES_MAX;
    if (request->is_old)
        return;
    if (cyc_sim_chance(run, 400))
        request->framing = SIM_FRAMING_CHUNKED;
    request->has_trailers = request->framing == SIM_FRAMING_CHUNKED && cyc_sim_chance(run, 300);
    request->expects_continue = cyc_sim_chance(run, 200);
}

void cyc_sim_ask_draw(struct sim_run *run, struct sim_request *request, bool may_be_old)
{
    const struct ask_method *method =
        &methods[cyc_sim_below(run, sizeof(methods) / sizeof(methods[0]))];

    request->kind = kind_draw(run);
    if (request->kind == SIM_KIND_UPGRADE || request->kind == SIM_KIND_GARBAGE)
        method = &methods[0];
    request->group = (uint32_t)cyc_sim_below(run, CYC_SIM_GROUP_COUNT);
    request->method = method->name;
    request->is_idempotent = method->is_idempotent;
    request->is_head = method->name[0] == 'H';
    request->is_old = may_be_old && request->kind != SIM_KIND_UPGRADE && cyc_sim_chance(run, 150);
    request->wants_trailers = !request->is_old && cyc_sim_chance(run, 500);
    if (request->kind == SIM_KIND_LOCAL)
        request->status_expected = local_paths[request->id % LOCAL_PATH_COUNT].status;
    if (request->kind == SIM_KIND_UPGRADE)
        request->body_bytes = cyc_sim_body_bytes_draw(run);
    else if (method->has_body)
        body_draw(run, request);
}

void cyc_sim_ask_draw_probe(struct sim_run *run, struct sim_request *request, uint32_t group)
{
    request->kind = SIM_KIND_FORWARD;
    request->group = group;
    request->method = "POST";
    request->framing = SIM_FRAMING_LENGTH;
    request->body_bytes = cyc_sim_below(run, 1000);
}

bool cyc_sim_ask_is_last(const struct sim_request *request)
{
    return request->is_old || request->kind == SIM_KIND_UPGRADE ||
           request->kind == SIM_KIND_GARBAGE;
}

/** Everything here must be refused, and what looks like a second request must not be one. */
static size_t garbage_format(uint32_t id, char out[HEAD_BYTES_MAX])
{
    static const char *const texts[GARBAGE_COUNT] = {
        "POST /x HTTP/1.1\r\nHost: sim.test\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: sim.test\r\nTransfer-Encoding: "
        "chunked\r\n\r\n1\nab\r\n0\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: sim.test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n"
        "\r\n0\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: sim.test\r\nContent-Length: 0\r\nContent-Length: 40\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: sim.test\r\nContent-Length: +0\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: sim.test\r\nTransfer-Encoding: xchunked\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /x HTTP/1.1\r\n\r\n",
        "GET  /x HTTP/1.1\r\nHost: sim.test\r\n\r\n",
        "GET /x HTTP/1.1\nHost: sim.test\n\n",
        "GET /x HTTP/1.1\r\nHost: sim.test\r\nA : b\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: sim.test\r\nA: b\r\n c\r\n\r\n",
        "GET /x HTTP/3.0\r\nHost: sim.test\r\n\r\n",
        "CONNECT sim.test:80 HTTP/1.1\r\nHost: sim.test\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02 nonsense\r\n\r\n",
        "GET /%zz HTTP/1.1\r\nHost: sim.test\r\n\r\n",
    };
    int len = snprintf(out, HEAD_BYTES_MAX, "%sGET /s/0/%u HTTP/1.1\r\nHost: sim.test\r\n\r\n",
                       texts[id % GARBAGE_COUNT], id);
    return (size_t)len;
}

static int framing_format(const struct sim_request *request, char *out, size_t size)
{
    if (request->framing == SIM_FRAMING_LENGTH)
        return snprintf(out, size, "Content-Length: %llu\r\n",
                        (unsigned long long)request->body_bytes);
    if (request->framing == SIM_FRAMING_CHUNKED)
        return snprintf(out, size, "Transfer-Encoding: chunked\r\n");
    return 0;
}

static size_t head_format(const struct sim_request *request, char out[HEAD_BYTES_MAX])
{
    char target[64];
    const char *upgrade =
        request->kind == SIM_KIND_UPGRADE ? "Connection: Upgrade\r\nUpgrade: sim/1\r\n" : "";
    const char *te = request->wants_trailers ? "Connection: TE\r\nTE: trailers\r\n" : "";
    size_t len = cyc_sim_request_target(request, target);

    if (request->kind == SIM_KIND_LOCAL)
        len = (size_t)snprintf(target, sizeof(target), "%s",
                               local_paths[request->id % LOCAL_PATH_COUNT].path);
    int at = snprintf(out, HEAD_BYTES_MAX,
                      "%s %.*s HTTP/1.%d\r\nHost: sim.test\r\nX-Sim-Note: kept\r\n"
                      "Connection: X-Hop\r\nX-Hop: secret\r\n%s%sX-Forwarded-For: 6.6.6.6\r\n",
                      request->method, (int)len, target, request->is_old ? 0 : 1, upgrade, te);
    at += framing_format(request, out + at, HEAD_BYTES_MAX - (size_t)at);
    at += snprintf(out + at, HEAD_BYTES_MAX - (size_t)at, "%s\r\n",
                   request->expects_continue ? "Expect: 100-continue\r\n" : "");
    return (size_t)at;
}

bool cyc_sim_ask_has_good_head(const struct sim_request *request)
{
    return request->kind != SIM_KIND_GARBAGE || request->id % GARBAGE_COUNT < GARBAGE_BODY_COUNT;
}

/** Over one of the limits: the target's length, the head's, or the number of fields. */
static void long_head_write(struct sim_run *run, struct cyc_buf *out)
{
    static const struct {
        const char *begin, *repeated, *end;
        uint32_t count;
    } heads[] = {
        {"GET /", "0123456789", " HTTP/1.1\r\nHost: sim.test\r\n\r\n", 900},
        {"GET / HTTP/1.1\r\nHost: sim.test\r\nA: ", "0123456789", "\r\n\r\n", 4000},
        {"GET / HTTP/1.1\r\nHost: sim.test\r\n", "A: b\r\n", "\r\n", 120},
    };
    uint64_t kind = cyc_sim_below(run, 3);

    cyc_buf_append(out, cyc_span_from_text(heads[kind].begin));
    for (uint32_t i = 0; i < heads[kind].count; i++)
        cyc_buf_append(out, cyc_span_from_text(heads[kind].repeated));
    cyc_buf_append(out, cyc_span_from_text(heads[kind].end));
}

void cyc_sim_ask_head(struct sim_run *run, const struct sim_request *request, struct cyc_buf *out)
{
    char head[HEAD_BYTES_MAX];

    if (!cyc_sim_ask_has_good_head(request) && cyc_sim_chance(run, 150)) {
        long_head_write(run, out);
        return;
    }
    size_t len = request->kind == SIM_KIND_GARBAGE ? garbage_format(request->id, head)
                                                   : head_format(request, head);
    cyc_buf_append(out, cyc_span_of(head, len));
}

struct sim_writer cyc_sim_ask_body(const struct sim_request *request, bool is_tunnel)
{
    return (struct sim_writer){
        .framing = is_tunnel ? SIM_FRAMING_UNTIL_CLOSE : request->framing,
        .key = cyc_sim_request_key(request),
        .total_bytes = request->body_bytes,
        .stop_bytes = UINT64_MAX,
        .has_trailers = request->has_trailers,
        .has_extensions = request->id % 4 == 0,
        .is_done =
            !is_tunnel && (request->framing == SIM_FRAMING_NONE ||
                           (request->framing == SIM_FRAMING_LENGTH && request->body_bytes == 0)),
    };
}
