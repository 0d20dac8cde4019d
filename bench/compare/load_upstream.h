/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The upstream of the load program: answers every request whose path holds `/bytes/N` with N bytes.
 *
 * Answers are built once for each length. A request with a body is answered when all of it is in.
 */
#ifndef CYC_BENCH_COMPARE_LOAD_UPSTREAM_H
#define CYC_BENCH_COMPARE_LOAD_UPSTREAM_H

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include "bench/compare/load_conn.h"

static const struct answer *answer_get(struct load_core *core, uint64_t body_bytes)
{
    for (uint32_t i = 0; i < core->answer_count; i++)
        if (core->answers[i].body_bytes == body_bytes)
            return &core->answers[i];
    if (core->answer_count == ANSWER_COUNT_MAX)
        die("too many different answers");
    struct answer *answer = &core->answers[core->answer_count++];
    char date[64];
    time_t now = time(NULL);
    struct tm tm;
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
    int n = snprintf(answer->text, 512,
                     "HTTP/1.1 200 OK\r\nServer: load\r\nDate: %s\r\n"
                     "Content-Type: application/octet-stream\r\nContent-Length: %llu\r\n\r\n",
                     date, (unsigned long long)body_bytes);
    answer->body_bytes = body_bytes;
    answer->head_bytes = (uint32_t)n;
    if (body_bytes <= ANSWER_INLINE_MAX) {
        memcpy(answer->text + n, core->pattern, body_bytes);
        answer->head_bytes += (uint32_t)body_bytes;
    }
    return answer;
}

static inline bool upstream_answer(struct load_core *core, struct conn *conn)
{
    conn->head = conn->answer->text;
    conn->head_bytes = conn->answer->head_bytes;
    conn->head_sent = 0;
    conn->send_bytes = conn->answer->body_bytes <= ANSWER_INLINE_MAX ? 0 : conn->answer->body_bytes;
    conn->sent_bytes = 0;
    conn->answer = NULL;
    return conn_send(core, conn) >= 0;
}

/* Takes a whole head from the scratch buffer. False: this connection is beyond repair. */
static inline bool upstream_on_head(struct load_core *core, struct conn *conn, size_t head_bytes,
                                    size_t bytes)
{
    const char *ptr = core->scratch;
    const char *line_end = memchr(ptr, '\r', head_bytes);
    const char *at = memmem(ptr, (size_t)(line_end - ptr), "/bytes/", 7);
    uint64_t content_length = head_content_length(ptr, head_bytes);
    if (content_length == UINT64_MAX)
        return false;
    if (core->is_checking) {
        core->last_head_bytes =
            (uint32_t)(head_bytes < PARTIAL_BYTES_MAX ? head_bytes : PARTIAL_BYTES_MAX);
        memcpy(core->last_head, ptr, core->last_head_bytes);
    }
    size_t early_bytes = bytes - head_bytes;
    if (early_bytes > content_length)
        return false; /* pipelined: no proxy does this */
    if (core->is_checking && !pattern_matches(core, ptr + head_bytes, early_bytes, 0))
        return false;
    conn->answer = answer_get(core, at ? strtoull(at + 7, NULL, 10) : 128);
    conn->partial_bytes = 0;
    conn->body_bytes = content_length;
    conn->body_got_bytes = early_bytes;
    return early_bytes < content_length || upstream_answer(core, conn);
}

static inline enum read_result upstream_read(struct load_core *core, struct conn *conn)
{
    size_t bytes = 0;
    if (conn->answer) {
        bool does_match = true;
        enum read_result result =
            body_read(core, conn, conn->body_bytes - conn->body_got_bytes, &bytes, &does_match);
        if (!does_match)
            return READ_BROKEN;
        conn->body_got_bytes += bytes;
        if (conn->body_got_bytes == conn->body_bytes && !upstream_answer(core, conn))
            return READ_BROKEN;
        return result;
    }
    enum read_result result = head_read(core, conn, &bytes);
    if (bytes == 0)
        return result;
    size_t head_bytes = head_find_end(core->scratch, bytes);
    bool is_good =
        head_bytes ? upstream_on_head(core, conn, head_bytes, bytes) : head_save(core, conn, bytes);
    return is_good ? result : READ_BROKEN;
}

static inline void upstream_on_event(struct load_core *core, struct conn *conn, uint32_t events)
{
    if ((events & EPOLLOUT) && conn->head && conn_send(core, conn) < 0) {
        conn_close(core, conn);
        return;
    }
    bool must_see_end = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    enum read_result result = READ_MORE;
    while (result == READ_MORE) {
        result = upstream_read(core, conn);
        if (result == READ_DRAINED && must_see_end) {
            must_see_end = false;
            result = READ_MORE;
        }
    }
    if (result != READ_DRAINED)
        conn_close(core, conn);
}

static inline void listener_on_event(struct load_core *core, struct conn *listener)
{
    for (;;) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct conn *conn = conn_take(core, KIND_UPSTREAM, fd);
        conn->is_unix = listener->is_unix;
        conn_watch(core, conn, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
    }
}

static inline void upstream_start(struct load_core *core, const char *path)
{
    bool is_unix = path[0] != '\0';
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof(un.sun_path), "%.107s", path);
    struct sockaddr *address = is_unix ? (struct sockaddr *)&un : (struct sockaddr *)&in;
    socklen_t address_bytes = is_unix ? sizeof(un) : sizeof(in);
    int one = 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (is_unix)
        unlink(path);
    else
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* inherited */
    if (fd < 0 || bind(fd, address, address_bytes) != 0 || listen(fd, 4096) != 0)
        die("upstream");
    if (!is_unix)
        getsockname(fd, (struct sockaddr *)&in, &address_bytes);
    struct conn *conn = conn_take(core, KIND_LISTENER, fd);
    conn->is_unix = is_unix;
    conn_watch(core, conn, EPOLLIN);
    printf("{\"port\": %d}\n", is_unix ? 0 : ntohs(in.sin_port));
}

#endif
