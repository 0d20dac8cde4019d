/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/sim_net.h"

#include "base/assert.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define SOCKET_COUNT_MAX 4096
#define FD_MIN 3 /* below are the terminal's */
#define ENGINE_COUNT_MAX 64
#define EPHEMERAL_PORT_MIN 32768u
#define EPHEMERAL_PORT_MAX 60999u
#define START_NS CYC_NS_PER_S
#define START_WALL_NS (1767225600ull * CYC_NS_PER_S) /* 2026-01-01 */
#define CONNECT_TIMEOUT_NS (127 * CYC_NS_PER_S)
#define STALL_BYTES_MAX 20000
#define HASH_START 0xcbf29ce484222325ull
#define HASH_FACTOR 0x100000001b3ull
#define NEVER UINT64_MAX

struct cyc_sim_net {
    struct cyc_mem *mem;
    struct cyc_rng rng;
    struct cyc_sim_faults faults;
    uint64_t now_ns, trace_hash;
    size_t window_bytes;
    uint32_t ephemeral_port;
    struct cyc_list engines;
    uint32_t engine_count;
    uint32_t socket_count;
    int fd_end; /* one above the highest descriptor open */
    bool is_logged;
    struct sim_socket *sockets[SOCKET_COUNT_MAX];
};

struct cyc_sim_net *cyc_sim_net_create(struct cyc_mem *mem, uint64_t seed,
                                       const struct cyc_sim_faults *faults)
{
    static const size_t windows[] = {4096, 16384, 65536, 262144};
    struct cyc_sim_net *net = cyc_mem_zalloc(mem, CYC_MEM_OTHER, sizeof(*net));

    net->mem = mem;
    net->faults = *faults;
    net->now_ns = START_NS;
    net->trace_hash = HASH_START;
    net->ephemeral_port = EPHEMERAL_PORT_MIN;
    cyc_list_init(&net->engines);
    cyc_rng_init(&net->rng, seed);
    net->window_bytes = windows[cyc_rng_below(&net->rng, 4)];
    return net;
}

void cyc_sim_net_destroy(struct cyc_sim_net *net)
{
    cyc_assert(net->socket_count == 0);
    cyc_assert(cyc_list_is_empty(&net->engines));
    cyc_mem_free(net->mem, CYC_MEM_OTHER, net, sizeof(*net));
}

void cyc_sim_net_set_faults(struct cyc_sim_net *net, const struct cyc_sim_faults *faults)
{
    net->faults = *faults;
}

const struct cyc_sim_faults *cyc_sim_net_faults(const struct cyc_sim_net *net)
{
    return &net->faults;
}

struct cyc_rng *cyc_sim_net_rng(struct cyc_sim_net *net)
{
    return &net->rng;
}

uint64_t cyc_sim_net_now_ns(const struct cyc_sim_net *net)
{
    return net->now_ns;
}

uint64_t cyc_sim_net_wall_ns(const struct cyc_sim_net *net)
{
    return START_WALL_NS + net->now_ns;
}

uint32_t cyc_sim_net_socket_count(const struct cyc_sim_net *net)
{
    return net->socket_count;
}

uint64_t cyc_sim_net_trace_hash(const struct cyc_sim_net *net)
{
    return net->trace_hash;
}

void cyc_sim_net_trace(struct cyc_sim_net *net, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t words[4] = {a, b, c, net->now_ns};
    for (int i = 0; i < 4; i++)
        net->trace_hash = (net->trace_hash ^ words[i]) * HASH_FACTOR;
}

void cyc_sim_net_set_logged(struct cyc_sim_net *net, bool is_logged)
{
    net->is_logged = is_logged;
}

bool cyc_sim_net_is_logged(const struct cyc_sim_net *net)
{
    return net->is_logged;
}

bool cyc_sim_net_chance(struct cyc_sim_net *net, uint32_t permille)
{
    return permille > 0 && cyc_rng_chance_permille(&net->rng, permille);
}

static uint64_t latency_ns(struct cyc_sim_net *net)
{
    return cyc_rng_below(&net->rng, net->faults.latency_us_max * CYC_NS_PER_US + 1);
}

/* ---- engines and time ------------------------------------------------------------------------ */

uint32_t cyc_sim_net_add_engine(struct cyc_sim_net *net, struct sim_engine *engine)
{
    cyc_list_add_back(&net->engines, &engine->link);
    return net->engine_count++;
}

void cyc_sim_net_remove_engine(struct cyc_sim_net *net, struct sim_engine *engine)
{
    (void)net;
    cyc_list_remove(&engine->link);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/** When one of the socket's ops will finish. */
static uint64_t socket_due_ns(const struct sim_socket *s)
{
    uint64_t due_ns = NEVER;

    if (s->reader != NULL && !s->is_parked) {
        uint64_t at_ns = s->is_listening ? cyc_sim_socket_accept_ns(s) : cyc_sim_socket_read_ns(s);
        due_ns = later(at_ns, s->reader_hold_ns);
    }
    if (s->writer != NULL) {
        uint64_t at_ns =
            s->writer->kind == CYC_OP_CONNECT ? s->connect_ns : cyc_sim_socket_write_ns(s);
        due_ns = earlier(due_ns, later(at_ns, s->writer_hold_ns));
    }
    return due_ns;
}

uint64_t cyc_sim_engine_due_ns(struct sim_engine *engine)
{
    struct cyc_sim_net *net = engine->net;
    struct cyc_io *io = &engine->base;

    if (engine->is_woken || io->finished.count > 0)
        return net->now_ns;
    uint64_t wait_ns = cyc_wheel_wait_ns(io->wheel, net->now_ns);
    uint64_t due_ns = wait_ns == NEVER ? NEVER : net->now_ns + wait_ns;
    for (int fd = FD_MIN; fd < net->fd_end; fd++) {
        const struct sim_socket *s = net->sockets[fd];
        if (s == NULL || s->io != io)
            continue;
        due_ns = earlier(due_ns, socket_due_ns(s));
        if (s->is_parked && cyc_io_has_chunks(io))
            return net->now_ns;
    }
    return due_ns;
}

uint64_t cyc_sim_net_next_event_ns(struct cyc_sim_net *net)
{
    uint64_t next_ns = NEVER;

    cyc_list_for_each (link, &net->engines) {
        struct sim_engine *engine = cyc_container_of(link, struct sim_engine, link);
        next_ns = earlier(next_ns, cyc_sim_engine_due_ns(engine));
    }
    return next_ns == NEVER ? NEVER : later(next_ns, net->now_ns);
}

void cyc_sim_net_advance(struct cyc_sim_net *net, uint64_t now_ns)
{
    cyc_assert(now_ns >= net->now_ns);
    net->now_ns = now_ns;
}

struct cyc_io *cyc_sim_net_pick(struct cyc_sim_net *net, uint64_t limit_ns)
{
    struct sim_engine *due[ENGINE_COUNT_MAX];
    uint32_t due_count = 0;
    uint64_t next_ns = NEVER;

    cyc_list_for_each (link, &net->engines) {
        struct sim_engine *engine = cyc_container_of(link, struct sim_engine, link);
        uint64_t due_ns = later(cyc_sim_engine_due_ns(engine), net->now_ns);
        if (due_ns < next_ns) {
            next_ns = due_ns;
            due_count = 0;
        }
        if (due_ns == next_ns && due_ns != NEVER && due_count < ENGINE_COUNT_MAX)
            due[due_count++] = engine;
    }
    if (due_count == 0 || next_ns > limit_ns)
        return NULL;
    cyc_sim_net_advance(net, next_ns);
    return &due[cyc_rng_below(&net->rng, due_count)]->base;
}

/* ---- sockets --------------------------------------------------------------------------------- */

static struct sim_socket *socket_create(struct cyc_sim_net *net, struct cyc_io *io)
{
    struct sim_socket *s = cyc_mem_zalloc(net->mem, CYC_MEM_OTHER, sizeof(*s));

    s->net = net;
    s->io = io;
    s->fd = -1;
    s->fin_ns = s->reset_ns = s->connect_ns = s->stall_left_bytes = NEVER;
    net->socket_count++;
    return s;
}

static int socket_name(struct sim_socket *s)
{
    struct cyc_sim_net *net = s->net;
    int fd = FD_MIN;
    while (fd < SOCKET_COUNT_MAX && net->sockets[fd] != NULL)
        fd++;
    cyc_assert(fd < SOCKET_COUNT_MAX);
    net->sockets[fd] = s;
    s->fd = fd;
    if (fd >= net->fd_end)
        net->fd_end = fd + 1;
    return fd;
}

static void packets_drop(struct sim_socket *s)
{
    while (s->packets_head != NULL) {
        struct sim_packet *packet = s->packets_head;
        s->packets_head = packet->next;
        cyc_mem_free(s->net->mem, CYC_MEM_OTHER, packet, sizeof(*packet) + packet->len);
    }
    s->packets_tail = NULL;
    s->inbox_bytes = 0;
}

struct sim_socket *cyc_sim_socket_find(struct cyc_sim_net *net, int fd)
{
    return fd >= 0 && fd < SOCKET_COUNT_MAX ? net->sockets[fd] : NULL;
}

struct sim_socket *cyc_sim_socket_next(struct cyc_sim_net *net, int fd)
{
    for (fd++; fd < net->fd_end; fd++)
        if (net->sockets[fd] != NULL)
            return net->sockets[fd];
    return NULL;
}

int cyc_sim_socket_open(struct cyc_sim_net *net, struct cyc_io *io, const struct cyc_addr *addr)
{
    (void)addr;
    return socket_name(socket_create(net, io));
}

int cyc_sim_socket_listen(struct cyc_sim_net *net, struct cyc_io *io, const struct cyc_addr *addr,
                          uint32_t backlog)
{
    struct sim_socket *s = socket_create(net, io);
    s->is_listening = true;
    s->backlog = backlog > 0 ? backlog : 1;
    s->local = *addr;
    return socket_name(s);
}

/** When something sent by `from` now arrives at the other end: in order, or never on a dead link.
 */
static uint64_t arrival_ns(struct sim_socket *from)
{
    struct sim_socket *to = from->peer;
    if (from->stall_left_bytes == 0)
        return NEVER;
    uint64_t at_ns = later(to->last_arrive_ns, from->net->now_ns + latency_ns(from->net));
    to->last_arrive_ns = at_ns;
    return at_ns;
}

static void socket_free(struct sim_socket *s)
{
    struct cyc_sim_net *net = s->net;
    packets_drop(s);
    if (s->fd >= 0)
        net->sockets[s->fd] = NULL;
    net->socket_count--;
    cyc_mem_free(net->mem, CYC_MEM_OTHER, s, sizeof(*s));
}

/** Takes the socket out of its connection: the peer hears an end, or a reset when bytes are lost.
 */
static void socket_detach(struct sim_socket *s, bool is_reset)
{
    struct sim_socket *peer = s->peer;
    if (peer == NULL)
        return;
    uint64_t at_ns = arrival_ns(s);
    if (is_reset || s->inbox_bytes > 0)
        peer->reset_ns = earlier(peer->reset_ns, at_ns);
    else if (!s->is_shut_down)
        peer->fin_ns = at_ns;
    peer->peer = NULL;
    s->peer = NULL;
}

void cyc_sim_socket_close(struct sim_socket *s)
{
    while (s->pending_head != NULL) {
        struct sim_socket *pending = s->pending_head;
        s->pending_head = pending->pending_next;
        socket_detach(pending, true);
        socket_free(pending);
    }
    socket_detach(s, s->is_reset_on_close);
    socket_free(s);
}

void cyc_sim_socket_shutdown(struct sim_socket *s)
{
    if (s->is_shut_down)
        return;
    s->is_shut_down = true;
    if (s->peer != NULL)
        s->peer->fin_ns = arrival_ns(s);
}

/* ---- connecting ------------------------------------------------------------------------------ */

static bool is_any_ip(const struct cyc_addr *addr)
{
    uint8_t ip[16];
    static const uint8_t zero[16], v4_zero[16] = {[10] = 0xff, [11] = 0xff};
    return cyc_addr_ip_bytes(addr, ip) &&
           (memcmp(ip, zero, 16) == 0 || memcmp(ip, v4_zero, 16) == 0);
}

static bool listener_takes(const struct sim_socket *s, const struct cyc_addr *addr)
{
    if (!s->is_listening)
        return false;
    if (cyc_addr_equal(&s->local, addr))
        return true;
    return is_any_ip(&s->local) && !cyc_addr_is_unix(addr) &&
           cyc_addr_port(&s->local) == cyc_addr_port(addr);
}

/** One of those that listen there, as SO_REUSEPORT spreads them. */
static struct sim_socket *listener_pick(struct cyc_sim_net *net, const struct cyc_addr *addr)
{
    struct sim_socket *picked = NULL;
    uint32_t seen_count = 0;

    for (int fd = FD_MIN; fd < net->fd_end; fd++) {
        struct sim_socket *s = net->sockets[fd];
        if (s != NULL && listener_takes(s, addr) && cyc_rng_below(&net->rng, ++seen_count) == 0)
            picked = s;
    }
    return picked;
}

/** Where a connecting socket of this engine comes from: 10.0.<engine>.1 and a port of its own. */
static void local_addr_make(struct sim_socket *s, const struct cyc_addr *to)
{
    struct cyc_sim_net *net = s->net;
    char ip[16];

    if (cyc_addr_is_unix(to)) {
        s->local = (struct cyc_addr){.len = sizeof(sa_family_t)};
        s->local.any.sa_family = AF_UNIX;
        return;
    }
    const struct sim_engine *engine = cyc_container_of(s->io, struct sim_engine, base);
    int len = snprintf(ip, sizeof(ip), "10.0.%u.1", engine->id & 0xff);
    cyc_addr_parse_ip(cyc_span_of(ip, (size_t)len), net->ephemeral_port, &s->local);
    net->ephemeral_port =
        net->ephemeral_port < EPHEMERAL_PORT_MAX ? net->ephemeral_port + 1 : EPHEMERAL_PORT_MIN;
}

static void stall_decide(struct sim_socket *s)
{
    if (cyc_sim_net_chance(s->net, s->net->faults.stall_permille))
        s->stall_left_bytes = cyc_rng_below(&s->net->rng, STALL_BYTES_MAX);
}

static void connect_answer(struct sim_socket *s, int result, uint64_t after_ns)
{
    s->connect_result = result;
    s->connect_ns = s->net->now_ns + after_ns;
}

void cyc_sim_socket_connect(struct sim_socket *s, const struct cyc_addr *addr)
{
    struct cyc_sim_net *net = s->net;
    struct sim_socket *listener = listener_pick(net, addr);

    local_addr_make(s, addr);
    s->remote = *addr;
    if (cyc_sim_net_chance(net, net->faults.blackhole_permille) ||
        (listener != NULL && listener->pending_count >= listener->backlog)) {
        connect_answer(s, -ETIMEDOUT, CONNECT_TIMEOUT_NS);
        return;
    }
    if (listener == NULL || cyc_sim_net_chance(net, net->faults.refuse_permille)) {
        connect_answer(s, -ECONNREFUSED, 2 * latency_ns(net));
        return;
    }
    struct sim_socket *end = socket_create(net, listener->io);
    end->local = *addr;
    end->remote = s->local;
    end->peer = s;
    end->is_connected = true;
    end->pending_ns = end->last_arrive_ns = net->now_ns + latency_ns(net);
    s->peer = end;
    connect_answer(s, 0, end->pending_ns - net->now_ns + latency_ns(net));
    s->last_arrive_ns = s->connect_ns;
    s->is_connected = true;
    stall_decide(s);
    stall_decide(end);
    if (listener->pending_tail != NULL && listener->pending_head != NULL)
        listener->pending_tail->pending_next = end;
    else
        listener->pending_head = end;
    listener->pending_tail = end;
    listener->pending_count++;
}

uint64_t cyc_sim_socket_accept_ns(const struct sim_socket *s)
{
    return s->pending_head != NULL ? s->pending_head->pending_ns : NEVER;
}

int cyc_sim_socket_accept(struct sim_socket *s)
{
    if (cyc_sim_socket_accept_ns(s) > s->net->now_ns)
        return -EAGAIN;
    if (cyc_sim_net_chance(s->net, s->net->faults.accept_error_permille))
        return -EMFILE;
    struct sim_socket *end = s->pending_head;
    s->pending_head = end->pending_next;
    s->pending_count--;
    return socket_name(end);
}

/* ---- moving bytes ---------------------------------------------------------------------------- */

static size_t part_of(struct cyc_sim_net *net, size_t bytes)
{
    if (bytes > 1 && cyc_sim_net_chance(net, net->faults.short_io_permille))
        return 1 + cyc_rng_below(&net->rng, bytes - 1);
    return bytes;
}

/** Takes note of a reset that has arrived. Some systems throw away what was not read (RFC
 * 9112 9.6).
 */
static void reset_settle(struct sim_socket *s)
{
    if (s->is_reset || s->reset_ns > s->net->now_ns)
        return;
    s->is_reset = true;
    if (cyc_sim_net_chance(s->net, 500))
        packets_drop(s);
}

/** @return what a broken socket answers: the reset once, then `after` */
static int reset_tell(struct sim_socket *s, int after)
{
    int result = s->is_reset_told ? after : -ECONNRESET;
    s->is_reset_told = true;
    return result;
}

uint64_t cyc_sim_socket_read_ns(const struct sim_socket *s)
{
    if (s->is_reset)
        return 0;
    uint64_t at_ns = s->packets_head != NULL ? s->packets_head->arrive_ns : s->fin_ns;
    return earlier(at_ns, s->reset_ns);
}

static size_t arrived_bytes(const struct sim_socket *s)
{
    size_t bytes = 0;
    for (const struct sim_packet *p = s->packets_head; p != NULL; p = p->next)
        if (p->arrive_ns <= s->net->now_ns)
            bytes += p->len - p->from;
    return bytes;
}

static void packets_copy(struct sim_socket *s, char *out, size_t len)
{
    s->inbox_bytes -= len;
    s->read_bytes += len;
    s->peer_seen_bytes = s->packets_head->seen_bytes;
    while (len > 0) {
        struct sim_packet *packet = s->packets_head;
        size_t part = packet->len - packet->from < len ? packet->len - packet->from : len;
        memcpy(out, packet->bytes + packet->from, part);
        out += part;
        len -= part;
        packet->from += part;
        if (packet->from < packet->len)
            continue;
        s->packets_head = packet->next;
        cyc_mem_free(s->net->mem, CYC_MEM_OTHER, packet, sizeof(*packet) + packet->len);
    }
    if (s->packets_head == NULL)
        s->packets_tail = NULL;
}

int cyc_sim_socket_read(struct sim_socket *s, char *out, size_t len)
{
    reset_settle(s);
    size_t bytes = arrived_bytes(s);
    if (bytes > 0) {
        size_t part = part_of(s->net, bytes < len ? bytes : len);
        packets_copy(s, out, part);
        return (int)part;
    }
    if (s->is_reset)
        return reset_tell(s, 0);
    return s->packets_head == NULL && s->fin_ns <= s->net->now_ns ? 0 : -EAGAIN;
}

uint64_t cyc_sim_socket_write_ns(const struct sim_socket *s)
{
    if (s->is_reset || s->is_shut_down || s->peer == NULL)
        return 0;
    if (s->peer->inbox_bytes < s->net->window_bytes)
        return 0;
    return s->reset_ns;
}

static void packet_send(struct sim_socket *s, const char *bytes, size_t len)
{
    struct sim_socket *to = s->peer;
    struct sim_packet *packet = cyc_mem_alloc(s->net->mem, CYC_MEM_OTHER, sizeof(*packet) + len);

    if (s->stall_left_bytes != NEVER && s->stall_left_bytes > 0)
        s->stall_left_bytes -= len;
    packet->next = NULL;
    packet->seen_bytes = s->submit_seen_bytes;
    packet->arrive_ns = arrival_ns(s);
    packet->from = 0;
    packet->len = len;
    memcpy(packet->bytes, bytes, len);
    if (to->packets_tail != NULL)
        to->packets_tail->next = packet;
    else
        to->packets_head = packet;
    to->packets_tail = packet;
    to->inbox_bytes += len;
}

/** The fault that ends a link: this side hears at once, the other when the reset has travelled. */
static int link_kill(struct sim_socket *s)
{
    s->peer->reset_ns = earlier(s->peer->reset_ns, arrival_ns(s));
    s->reset_ns = s->net->now_ns;
    reset_settle(s);
    return reset_tell(s, -EPIPE);
}

void cyc_sim_socket_kill(struct sim_socket *s)
{
    if (s->peer != NULL && !s->is_reset)
        link_kill(s);
}

int cyc_sim_socket_write(struct sim_socket *s, const char *bytes, size_t len)
{
    struct cyc_sim_net *net = s->net;

    reset_settle(s);
    if (s->is_reset)
        return reset_tell(s, -EPIPE);
    if (s->is_shut_down)
        return -EPIPE;
    if (s->peer == NULL) { /* nobody there any more: the answer is a reset, in a while */
        if (s->stall_left_bytes != 0)
            s->reset_ns = earlier(s->reset_ns, net->now_ns + 2 * latency_ns(net));
        return (int)len;
    }
    if (s->peer->is_reset) /* it has heard; we have not yet */
        return (int)len;
    if (s->peer->inbox_bytes >= net->window_bytes)
        return -EAGAIN;
    if (cyc_sim_net_chance(net, net->faults.reset_permille))
        return link_kill(s);
    size_t room = net->window_bytes - s->peer->inbox_bytes;
    size_t part = part_of(net, len < room ? len : room);
    if (part > s->stall_left_bytes && s->stall_left_bytes > 0)
        part = s->stall_left_bytes;
    packet_send(s, bytes, part);
    return (int)part;
}
