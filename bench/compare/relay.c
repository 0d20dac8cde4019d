/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Relay: the floor under an HTTP proxy on io_uring.
 *
 * The least a proxy can do and still keep connections alive on both sides: find where heads and
 * bodies end, and pass the bytes on as they are. No routes, no header edits, no time limits, no
 * checks. What a real proxy costs above this is its own work; what this costs is the kernel's.
 *
 *     relay LISTEN_PORT UPSTREAM_PORT [BUFFER_BYTES [BUFFER_COUNT]]
 *
 * Port 0 is chosen by the kernel; either way the port is printed. The kernel goes through provided
 * buffers in turn, so all of them together should stay in the processor's cache: for bodies, 4 MiB
 * of buffers cost half of what 64 MiB do.
 *
 * One ring, one io_uring_enter per turn; direct descriptors; multishot accept and receive into one
 * provided buffer ring, so an idle connection holds no buffer. A received buffer is sent on from
 * where it lies and goes back to the ring when the send is complete. When the ring is empty,
 * receives end with ENOBUFS and are armed again as buffers come back: that is all the backpressure.
 *
 * Invariant: a connection's slot is closed only when none of its operations is in flight.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define DOWNSTREAM_COUNT_MAX 16384u /* slots the kernel picks from for accepted sockets */
#define UPSTREAM_COUNT_MAX 2048u    /* slots behind those, picked here */
#define SLOT_COUNT (DOWNSTREAM_COUNT_MAX + UPSTREAM_COUNT_MAX)
#define SQ_COUNT 4096u
#define BUFFER_COUNT_MAX 4096u
#define BUFFER_COUNT_DEFAULT 64u /* a power of two */
#define BUFFER_BYTES_DEFAULT 65536u
#define BUFFER_GROUP 0
#define NONE UINT32_MAX

enum op { OP_ACCEPT, OP_RECV, OP_SEND, OP_SHUTDOWN, OP_CLOSE };

struct conn {
    bool is_upstream, is_open, is_ending, is_sending, is_receiving, is_starved;
    bool is_closing_after; /* the request asked for it */
    uint8_t ops_in_flight;
    uint32_t peer;                /* slot of the other side while a request is on; or NONE */
    uint32_t next;                /* in the pool or among the starved */
    uint32_t out_first, out_last; /* buffers to send, linked through `buffer_next` */
    uint64_t body_left_bytes;     /* of the message being received */
    bool is_in_body;
};

struct relay {
    struct io_uring ring;
    struct io_uring_buf_ring *buffers;
    char *bytes;
    uint32_t buffer_bytes, buffer_count;
    uint32_t lent_count; /* buffers that are not in the ring, as far as completions were seen */
    struct conn *conns;
    uint32_t pool, starved; /* first of a list, or NONE */
    uint32_t upstream_count;
    struct sockaddr_in upstream;
    uint32_t buffer_next[BUFFER_COUNT_MAX], buffer_len[BUFFER_COUNT_MAX];
};

static _Noreturn void die(const char *what, int error)
{
    fprintf(stderr, "relay: %s: %s\n", what, strerror(error));
    exit(1);
}

static void *map_bytes(size_t bytes)
{
    void *ptr = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (ptr == MAP_FAILED)
        die("mmap", errno);
    return ptr;
}

static struct io_uring_sqe *sqe_get(struct relay *relay)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&relay->ring);
    while (!sqe) {
        io_uring_submit(&relay->ring);
        sqe = io_uring_get_sqe(&relay->ring);
    }
    return sqe;
}

/* What all operations on a connection share; preparing clears it, so it comes last. */
static void sqe_finish(struct io_uring_sqe *sqe, uint32_t slot, enum op op)
{
    sqe->user_data = ((uint64_t)slot << 8) | (uint64_t)op;
    sqe->flags |= IOSQE_FIXED_FILE;
}

/* ---- buffers ------------------------------------------------------------------------------- */

static void conn_receive(struct relay *relay, uint32_t slot);
static void conn_close_if_quiet(struct relay *relay, uint32_t slot);

static void buffer_give_back(struct relay *relay, uint32_t id)
{
    io_uring_buf_ring_add(relay->buffers, relay->bytes + (size_t)id * relay->buffer_bytes,
                          relay->buffer_bytes, (unsigned short)id,
                          io_uring_buf_ring_mask(relay->buffer_count), 0);
    io_uring_buf_ring_advance(relay->buffers, 1);
    relay->lent_count--;
    do { /* one for one; the last to come back frees all, whatever became of those before */
        uint32_t slot = relay->starved;
        if (slot == NONE)
            return;
        relay->starved = relay->conns[slot].next;
        relay->conns[slot].is_starved = false;
        if (relay->conns[slot].is_ending)
            conn_close_if_quiet(relay, slot);
        else
            conn_receive(relay, slot);
    } while (relay->lent_count == 0);
}

/* ---- connections --------------------------------------------------------------------------- */

static void conn_receive(struct relay *relay, uint32_t slot)
{
    struct conn *conn = &relay->conns[slot];
    struct io_uring_sqe *sqe = sqe_get(relay);
    io_uring_prep_recv_multishot(sqe, (int)slot, NULL, 0, 0);
    sqe->buf_group = BUFFER_GROUP;
    sqe_finish(sqe, slot, OP_RECV);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    conn->is_receiving = true;
    conn->ops_in_flight++;
}

static void conn_send_first(struct relay *relay, uint32_t slot)
{
    struct conn *conn = &relay->conns[slot];
    uint32_t id = conn->out_first;
    struct io_uring_sqe *sqe = sqe_get(relay);
    io_uring_prep_send(sqe, (int)slot, relay->bytes + (size_t)id * relay->buffer_bytes,
                       relay->buffer_len[id], MSG_NOSIGNAL | MSG_WAITALL);
    sqe_finish(sqe, slot, OP_SEND);
    conn->is_sending = true;
    conn->ops_in_flight++;
}

static void conn_queue(struct relay *relay, uint32_t slot, uint32_t id, uint32_t len)
{
    struct conn *conn = &relay->conns[slot];
    relay->buffer_len[id] = len;
    relay->buffer_next[id] = NONE;
    if (conn->out_first == NONE)
        conn->out_first = id;
    else
        relay->buffer_next[conn->out_last] = id;
    conn->out_last = id;
    if (!conn->is_sending)
        conn_send_first(relay, slot);
}

static void conn_init(struct relay *relay, uint32_t slot, bool is_upstream)
{
    relay->conns[slot] = (struct conn){
        .is_upstream = is_upstream, .is_open = true, .peer = NONE, .next = NONE, .out_first = NONE};
    conn_receive(relay, slot);
}

static void conn_close_if_quiet(struct relay *relay, uint32_t slot)
{
    struct conn *conn = &relay->conns[slot];
    if (!conn->is_ending || conn->ops_in_flight > 0 || conn->is_starved || !conn->is_open)
        return;
    while (conn->out_first != NONE) {
        uint32_t id = conn->out_first;
        conn->out_first = relay->buffer_next[id];
        buffer_give_back(relay, id);
    }
    conn->is_open = false;
    struct io_uring_sqe *sqe = sqe_get(relay);
    io_uring_prep_close_direct(sqe, slot);
    sqe->user_data = ((uint64_t)slot << 8) | OP_CLOSE;
}

/* Ends a connection, and the other side of its request with it. */
static void conn_end(struct relay *relay, uint32_t slot)
{
    struct conn *conn = &relay->conns[slot];
    uint32_t peer = conn->peer;
    if (conn->is_ending)
        return;
    conn->is_ending = true;
    conn->peer = NONE;
    if (conn->is_receiving || conn->is_sending) {
        struct io_uring_sqe *sqe = sqe_get(relay);
        io_uring_prep_shutdown(sqe, (int)slot, SHUT_RDWR);
        sqe_finish(sqe, slot, OP_SHUTDOWN);
        conn->ops_in_flight++;
    }
    for (uint32_t *at = &relay->pool; conn->is_upstream && *at != NONE;
         at = &relay->conns[*at].next) {
        if (*at != slot)
            continue;
        *at = conn->next;
        break;
    }
    if (peer != NONE)
        conn_end(relay, peer);
    conn_close_if_quiet(relay, slot);
}

static uint32_t upstream_open(struct relay *relay)
{
    uint32_t slot = DOWNSTREAM_COUNT_MAX;
    while (slot < SLOT_COUNT && (relay->conns[slot].is_open || relay->conns[slot].ops_in_flight))
        slot++;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (slot == SLOT_COUNT ||
        connect(fd, (struct sockaddr *)&relay->upstream, sizeof(relay->upstream)) != 0)
        die("upstream", errno);
    int rc = io_uring_register_files_update(&relay->ring, slot, &fd, 1);
    if (rc < 0)
        die("register", -rc);
    close(fd);
    conn_init(relay, slot, true);
    return slot;
}

/* ---- messages ------------------------------------------------------------------------------ */

/* Finds the end of a head and how long its body is. 0: not whole, which is too hard for a floor. */
static size_t head_scan(struct conn *conn, const char *ptr, size_t bytes)
{
    const char *line = memchr(ptr, '\n', bytes), *end = ptr + bytes;
    conn->body_left_bytes = 0;
    while (line && ++line + 1 < end) {
        size_t left = (size_t)(end - line);
        if (*line == '\r')
            return (size_t)(line - ptr) + 2;
        if ((*line | 0x20) == 'c' && left > 17) {
            if (strncasecmp(line, "content-length: ", 16) == 0)
                conn->body_left_bytes = strtoull(line + 16, NULL, 10);
            else if (strncasecmp(line, "connection: close", 17) == 0)
                conn->is_closing_after = true;
        }
        line = memchr(line, '\n', left);
    }
    return 0;
}

/* Counts received bytes. True: the message is complete. `ret_is_bad`: nothing sensible. */
static bool message_advance(struct conn *conn, const char *ptr, size_t bytes, bool *ret_is_bad)
{
    size_t head_bytes = 0;
    if (!conn->is_in_body) {
        head_bytes = head_scan(conn, ptr, bytes);
        *ret_is_bad = head_bytes == 0;
        conn->is_in_body = true;
    }
    size_t body_bytes = bytes - head_bytes;
    *ret_is_bad |= body_bytes > conn->body_left_bytes;
    conn->body_left_bytes -= body_bytes;
    if (conn->body_left_bytes == 0)
        conn->is_in_body = false;
    return conn->body_left_bytes == 0;
}

static void downstream_on_bytes(struct relay *relay, uint32_t slot, uint32_t id, uint32_t len)
{
    struct conn *conn = &relay->conns[slot];
    bool is_bad = false;
    message_advance(conn, relay->bytes + (size_t)id * relay->buffer_bytes, len, &is_bad);
    if (is_bad) {
        buffer_give_back(relay, id);
        conn_end(relay, slot);
        return;
    }
    if (conn->peer == NONE) {
        uint32_t upstream = relay->pool;
        if (upstream == NONE)
            upstream = upstream_open(relay);
        else
            relay->pool = relay->conns[upstream].next;
        conn->peer = upstream;
        relay->conns[upstream].peer = slot;
    }
    conn_queue(relay, conn->peer, id, len);
}

static void upstream_on_bytes(struct relay *relay, uint32_t slot, uint32_t id, uint32_t len)
{
    struct conn *conn = &relay->conns[slot];
    uint32_t downstream = conn->peer;
    bool is_bad = downstream == NONE;
    bool is_complete =
        message_advance(conn, relay->bytes + (size_t)id * relay->buffer_bytes, len, &is_bad);
    if (is_bad) {
        buffer_give_back(relay, id);
        conn_end(relay, slot);
        return;
    }
    conn_queue(relay, downstream, id, len);
    if (!is_complete)
        return;
    conn->peer = relay->conns[downstream].peer = NONE;
    conn->next = relay->pool;
    relay->pool = slot;
}

/* ---- completions --------------------------------------------------------------------------- */

static void recv_on_complete(struct relay *relay, uint32_t slot, const struct io_uring_cqe *cqe)
{
    struct conn *conn = &relay->conns[slot];
    if (!(cqe->flags & IORING_CQE_F_MORE)) {
        conn->is_receiving = false;
        conn->ops_in_flight--;
    }
    if (cqe->res > 0) {
        uint32_t id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
        relay->lent_count++;
        if (conn->is_ending)
            buffer_give_back(relay, id);
        else if (conn->is_upstream)
            upstream_on_bytes(relay, slot, id, (uint32_t)cqe->res);
        else
            downstream_on_bytes(relay, slot, id, (uint32_t)cqe->res);
        if (!conn->is_receiving && !conn->is_ending)
            conn_receive(relay, slot);
    } else if (cqe->res == -ENOBUFS && !conn->is_ending && relay->lent_count == 0) {
        conn_receive(relay, slot); /* they came back meanwhile: nobody else would arm it again */
    } else if (cqe->res == -ENOBUFS && !conn->is_ending) {
        conn->is_starved = true;
        conn->next = relay->starved; /* a starved connection is never in the pool */
        relay->starved = slot;
    } else {
        conn_end(relay, slot);
    }
    conn_close_if_quiet(relay, slot);
}

static void send_on_complete(struct relay *relay, uint32_t slot, int res)
{
    struct conn *conn = &relay->conns[slot];
    uint32_t id = conn->out_first;
    conn->is_sending = false;
    conn->ops_in_flight--;
    conn->out_first = relay->buffer_next[id];
    bool is_whole = res == (int)relay->buffer_len[id];
    buffer_give_back(relay, id);
    if (!is_whole)
        conn_end(relay, slot);
    else if (conn->out_first != NONE && !conn->is_ending)
        conn_send_first(relay, slot);
    else if (conn->is_closing_after && conn->peer == NONE && !conn->is_upstream)
        conn_end(relay, slot);
    conn_close_if_quiet(relay, slot);
}

static void accept_arm(struct relay *relay, int fd)
{
    struct io_uring_sqe *sqe = sqe_get(relay);
    io_uring_prep_multishot_accept_direct(sqe, fd, NULL, NULL, 0);
    sqe->user_data = ((uint64_t)(uint32_t)fd << 8) | OP_ACCEPT;
}

static void relay_on_complete(struct relay *relay, const struct io_uring_cqe *cqe)
{
    uint32_t slot = (uint32_t)(cqe->user_data >> 8);
    switch ((enum op)(cqe->user_data & 0xff)) {
    case OP_ACCEPT:
        if (cqe->res >= 0)
            conn_init(relay, (uint32_t)cqe->res, false);
        if (!(cqe->flags & IORING_CQE_F_MORE))
            accept_arm(relay, (int)slot);
        break;
    case OP_RECV:
        recv_on_complete(relay, slot, cqe);
        break;
    case OP_SEND:
        send_on_complete(relay, slot, cqe->res);
        break;
    case OP_SHUTDOWN:
        relay->conns[slot].ops_in_flight--;
        conn_close_if_quiet(relay, slot);
        break;
    case OP_CLOSE:
        break;
    }
}

/* ---- the program --------------------------------------------------------------------------- */

static void relay_init(struct relay *relay)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER |
                                              IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
                                     .cq_entries = 8 * SQ_COUNT};
    int rc = io_uring_queue_init_params(SQ_COUNT, &relay->ring, &params);
    if (rc < 0)
        die("ring", -rc);
    io_uring_register_ring_fd(&relay->ring);
    rc = io_uring_register_files_sparse(&relay->ring, SLOT_COUNT);
    if (rc == 0)
        rc = io_uring_register_file_alloc_range(&relay->ring, 0, DOWNSTREAM_COUNT_MAX);
    if (rc < 0)
        die("direct descriptors", -rc);
    relay->conns = map_bytes(sizeof(struct conn) * SLOT_COUNT);
    relay->bytes = map_bytes((size_t)relay->buffer_count * relay->buffer_bytes);
    relay->buffers = map_bytes(relay->buffer_count * sizeof(struct io_uring_buf));
    struct io_uring_buf_reg reg = {.ring_addr = (uint64_t)(uintptr_t)relay->buffers,
                                   .ring_entries = relay->buffer_count,
                                   .bgid = BUFFER_GROUP};
    rc = io_uring_register_buf_ring(&relay->ring, &reg, 0);
    if (rc < 0)
        die("buffer ring", -rc);
    io_uring_buf_ring_init(relay->buffers);
    relay->pool = relay->starved = NONE;
    relay->lent_count = relay->buffer_count;
    for (uint32_t id = 0; id < relay->buffer_count; id++)
        buffer_give_back(relay, id);
}

static int listen_on(uint16_t port)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t address_bytes = sizeof(address);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* inherited */
    if (bind(fd, (struct sockaddr *)&address, address_bytes) != 0 || listen(fd, 4096) != 0)
        die("listen", errno);
    getsockname(fd, (struct sockaddr *)&address, &address_bytes);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: relay LISTEN_PORT UPSTREAM_PORT [BUFFER_BYTES [COUNT]]\n");
        return 2;
    }
    struct relay *relay = map_bytes(sizeof(*relay));
    relay->upstream = (struct sockaddr_in){.sin_family = AF_INET,
                                           .sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10)),
                                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    relay->buffer_bytes = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : BUFFER_BYTES_DEFAULT;
    relay->buffer_count = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : BUFFER_COUNT_DEFAULT;
    if (relay->buffer_count == 0 || relay->buffer_count > BUFFER_COUNT_MAX)
        die("buffer count", EINVAL);
    relay_init(relay);
    accept_arm(relay, listen_on((uint16_t)strtoul(argv[1], NULL, 10)));
    for (;;) {
        int rc = io_uring_submit_and_wait(&relay->ring, 1);
        if (rc < 0 && rc != -EINTR)
            die("wait", -rc);
        struct io_uring_cqe *cqe;
        unsigned head, count = 0;
        io_uring_for_each_cqe (&relay->ring, head, cqe) {
            relay_on_complete(relay, cqe);
            count++;
        }
        io_uring_cq_advance(&relay->ring, count);
    }
}
