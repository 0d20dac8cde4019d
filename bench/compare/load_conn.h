/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Sockets of the load program: a fixed table of connections in one edge-triggered epoll set, with
 * the reading and sending that upstream and clients share.
 *
 * Bodies are pieces of one pattern, so nothing is made up while sending, and whoever wants to can
 * check what arrived. Bodies nobody checks are dropped in the kernel.
 */
#ifndef CYC_BENCH_COMPARE_LOAD_CONN_H
#define CYC_BENCH_COMPARE_LOAD_CONN_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define CONN_COUNT_MAX 40000u      /* both sides; more than any scenario opens */
#define PARTIAL_BYTES_MAX 8192u    /* longest head that may arrive in pieces */
#define SCRATCH_BYTES (256u << 10) /* one read */
#define PATTERN_BYTES (1u << 20)   /* what every body is made of, repeated */
#define ANSWER_COUNT_MAX 16u       /* different body lengths one upstream serves */
#define ANSWER_INLINE_MAX 16384u   /* up to here head and body lie in one piece */

enum kind { KIND_LISTENER, KIND_UPSTREAM, KIND_CLIENT, KIND_COMMANDS };

struct conn {
    uint8_t kind;
    uint8_t state;
    bool is_unix;
    int fd;
    uint32_t partial_bytes; /* of a head, kept in `partials` */
    uint32_t head_bytes, head_sent;
    const char *head;                    /* being sent */
    uint64_t send_bytes, sent_bytes;     /* body being sent */
    uint64_t body_bytes, body_got_bytes; /* body being received */
    uint64_t due_ns;                     /* client: latency counts from here */
    const struct answer *answer;         /* upstream: what to say once the body is in */
    struct conn *next;                   /* in a free list or in the idle queue */
};

struct answer {
    uint64_t body_bytes;
    uint32_t head_bytes; /* with the body when it is small */
    char text[512 + ANSWER_INLINE_MAX];
};

struct load_core {
    int epoll_fd;
    struct conn *conns; /* CONN_COUNT_MAX */
    struct conn *free_conns;
    uint32_t conn_count; /* ever used */
    char *partials, *scratch, *pattern;
    struct answer *answers;
    uint32_t answer_count;
    bool is_checking;
    uint32_t last_head_bytes;
    char last_head[PARTIAL_BYTES_MAX];
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static inline uint64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static inline void *map_bytes(size_t bytes)
{
    void *ptr = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (ptr == MAP_FAILED)
        die("mmap");
    return ptr;
}

static inline struct conn *conn_take(struct load_core *core, enum kind kind, int fd)
{
    struct conn *conn = core->free_conns;
    if (conn)
        core->free_conns = conn->next;
    else if (core->conn_count < CONN_COUNT_MAX)
        conn = &core->conns[core->conn_count++];
    else
        die("too many connections");
    *conn = (struct conn){.kind = (uint8_t)kind, .fd = fd};
    return conn;
}

static inline void conn_watch(struct load_core *core, struct conn *conn, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = conn};
    if (epoll_ctl(core->epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) != 0)
        die("epoll_ctl");
}

static inline void conn_close(struct load_core *core, struct conn *conn)
{
    close(conn->fd);
    conn->fd = -1;
    conn->next = core->free_conns;
    core->free_conns = conn;
}

static inline char *conn_partial(struct load_core *core, struct conn *conn)
{
    return core->partials + (size_t)(conn - core->conns) * PARTIAL_BYTES_MAX;
}

/* Sends what is left of head and body. 1: all sent, 0: the socket is full, -1: broken. */
static inline int conn_send(struct load_core *core, struct conn *conn)
{
    for (;;) {
        uint32_t head_left = conn->head_bytes - conn->head_sent;
        uint64_t body_left = conn->send_bytes - conn->sent_bytes;
        uint64_t from = conn->sent_bytes % PATTERN_BYTES;
        uint64_t piece = PATTERN_BYTES - from < body_left ? PATTERN_BYTES - from : body_left;
        struct iovec iov[2] = {{(void *)(uintptr_t)(conn->head + conn->head_sent), head_left},
                               {core->pattern + from, piece}};
        struct msghdr msg = {.msg_iov = head_left ? iov : iov + 1,
                             .msg_iovlen = (size_t)(head_left != 0) + (piece != 0)};
        if (head_left + piece == 0)
            return 1;
        ssize_t n = piece ? sendmsg(conn->fd, &msg, MSG_NOSIGNAL)
                          : send(conn->fd, iov[0].iov_base, head_left, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == ENOTCONN || errno == EINTR ? 0 : -1;
        uint32_t of_head = (uint64_t)n < head_left ? (uint32_t)n : head_left;
        conn->head_sent += of_head;
        conn->sent_bytes += (uint64_t)n - of_head;
    }
}

/* True when `bytes` at `ptr` are what a body holds at its offset `at`. */
static inline bool pattern_matches(const struct load_core *core, const char *ptr, size_t bytes,
                                   uint64_t at)
{
    while (bytes > 0) {
        size_t from = at % PATTERN_BYTES;
        size_t piece = bytes < PATTERN_BYTES - from ? bytes : PATTERN_BYTES - from;
        if (memcmp(ptr, core->pattern + from, piece) != 0)
            return false;
        ptr += piece, at += piece, bytes -= piece;
    }
    return true;
}

enum read_result { READ_MORE, READ_DRAINED, READ_EOF, READ_BROKEN };

/*
 * Reads at most `want` body bytes, dropping them unless they are checked.
 * READ_MORE: the socket may hold more. READ_DRAINED: wait for the next event.
 */
static inline enum read_result body_read(struct load_core *core, struct conn *conn, uint64_t want,
                                         size_t *ret_bytes, bool *ret_matches)
{
    bool is_dropping = !core->is_checking && !conn->is_unix;
    size_t room = is_dropping ? PATTERN_BYTES : SCRATCH_BYTES;
    size_t ask = want < room ? (size_t)want : room;
    ssize_t n =
        recv(conn->fd, is_dropping ? NULL : core->scratch, ask, is_dropping ? MSG_TRUNC : 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? READ_DRAINED : READ_BROKEN;
    if (n == 0)
        return READ_EOF;
    *ret_bytes = (size_t)n;
    *ret_matches =
        !core->is_checking || pattern_matches(core, core->scratch, (size_t)n, conn->body_got_bytes);
    return (size_t)n < ask ? READ_DRAINED : READ_MORE;
}

/*
 * Reads towards a whole head into the scratch buffer, behind what came before.
 * ret_bytes is what the buffer holds; the caller saves it when the head is not whole.
 */
static inline enum read_result head_read(struct load_core *core, struct conn *conn,
                                         size_t *ret_bytes)
{
    if (conn->partial_bytes)
        memcpy(core->scratch, conn_partial(core, conn), conn->partial_bytes);
    size_t room = SCRATCH_BYTES - conn->partial_bytes;
    ssize_t n = recv(conn->fd, core->scratch + conn->partial_bytes, room, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? READ_DRAINED : READ_BROKEN;
    if (n == 0)
        return READ_EOF;
    *ret_bytes = conn->partial_bytes + (size_t)n;
    return (size_t)n < room ? READ_DRAINED : READ_MORE;
}

static inline bool head_save(struct load_core *core, struct conn *conn, size_t bytes)
{
    if (bytes > PARTIAL_BYTES_MAX)
        return false;
    memcpy(conn_partial(core, conn), core->scratch, bytes);
    conn->partial_bytes = (uint32_t)bytes;
    return true;
}

/* Bytes of the head with its blank line, 0 when it is not whole. */
static inline size_t head_find_end(const char *ptr, size_t bytes)
{
    const char *end = memmem(ptr, bytes, "\r\n\r\n", 4);
    return end ? (size_t)(end - ptr) + 4 : 0;
}

/* The value of `Content-Length`, 0 without one, UINT64_MAX when the body is framed otherwise. */
static inline uint64_t head_content_length(const char *ptr, size_t bytes)
{
    uint64_t value = 0;
    const char *end = ptr + bytes, *line = memchr(ptr, '\n', bytes);
    while (line && ++line < end) {
        size_t left = (size_t)(end - line);
        if ((*line | 0x20) == 'c' && left > 16 && strncasecmp(line, "content-length: ", 16) == 0)
            value = strtoull(line + 16, NULL, 10);
        if ((*line | 0x20) == 't' && left > 18 && strncasecmp(line, "transfer-encoding:", 18) == 0)
            return UINT64_MAX;
        line = memchr(line, '\n', left);
    }
    return value;
}

static inline void core_init(struct load_core *core)
{
    core->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    core->conns = map_bytes(sizeof(struct conn) * CONN_COUNT_MAX);
    core->partials = map_bytes((size_t)PARTIAL_BYTES_MAX * CONN_COUNT_MAX);
    core->answers = map_bytes(sizeof(struct answer) * ANSWER_COUNT_MAX);
    core->scratch = map_bytes(SCRATCH_BYTES);
    core->pattern = map_bytes(PATTERN_BYTES);
    for (uint32_t i = 0; i < PATTERN_BYTES; i++)
        core->pattern[i] = (char)('a' + (i * 7 + i / 251) % 26);
}

#endif
