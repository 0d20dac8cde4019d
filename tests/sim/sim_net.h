/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated network: no kernel, no real time, one seed.
 *
 * Several engines (io_sim.h: workers, clients, upstreams) share one network and its virtual clock.
 * The seed decides how long bytes travel, how reads and writes are cut, which connects are refused
 * or never answered, which links die or fall silent, when accepting fails and when buffers are
 * short. The same seed and the same calls replay the same run, byte for byte.
 *
 * What is modelled of TCP: order within a connection, a window per direction, half-close, a reset
 * when a socket is closed with unread bytes or written to after its peer is gone, a backlog,
 * several listeners at one address (SO_REUSEPORT). Descriptors are numbers of this network, lowest
 * free first as in a kernel, so that a stale one hits somebody else.
 */
#ifndef CYC_TESTS_SIM_SIM_NET_H
#define CYC_TESTS_SIM_SIM_NET_H

#include "base/list.h"
#include "base/mem.h"
#include "base/rng.h"
#include "net/addr.h"
#include "net/io.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Chances are in 1000. All 0: a fast network without faults. */
struct cyc_sim_faults {
    uint32_t latency_us_max;     /* one way */
    uint32_t short_io_permille;  /* per read and write: only part is moved */
    uint32_t reset_permille;     /* per write: the link dies */
    uint32_t refuse_permille;    /* per connect: -ECONNREFUSED */
    uint32_t blackhole_permille; /* per connect: no answer, -ETIMEDOUT after two minutes */
    uint32_t stall_permille;     /* per connection: at some byte the link falls silent for good */
    uint32_t accept_error_permille; /* per accept: -EMFILE */
    uint32_t buffer_permille;       /* per read: no buffer for a while, the op is parked */
};

struct cyc_sim_net;

struct cyc_sim_net *cyc_sim_net_create(struct cyc_mem *mem, uint64_t seed,
                                       const struct cyc_sim_faults *faults);
/** Every engine must be gone and every descriptor closed. */
void cyc_sim_net_destroy(struct cyc_sim_net *net);

/** From now on; all 0 heals the network (links that died or fell silent stay as they are). */
void cyc_sim_net_set_faults(struct cyc_sim_net *net, const struct cyc_sim_faults *faults);
/** The network's own numbers, for drivers that want one source of chance. */
struct cyc_rng *cyc_sim_net_rng(struct cyc_sim_net *net);
uint64_t cyc_sim_net_now_ns(const struct cyc_sim_net *net);
/** Descriptors open; connections not yet accepted count too. */
uint32_t cyc_sim_net_socket_count(const struct cyc_sim_net *net);
/** A hash of every completion so far (engine, kind, result, time): equal runs, equal hash. */
uint64_t cyc_sim_net_trace_hash(const struct cyc_sim_net *net);

/** Prints every completion: the last resort. */
void cyc_sim_net_set_logged(struct cyc_sim_net *net, bool is_logged);

/** When the next thing happens at any engine: now_ns when one is due, UINT64_MAX for never. */
uint64_t cyc_sim_net_next_event_ns(struct cyc_sim_net *net);
/** Moves the clock forward, never back. */
void cyc_sim_net_advance(struct cyc_sim_net *net, uint64_t now_ns);
/**
 * Whose turn it is: one of the engines with something due, chosen by the seed. When none has, time
 * jumps to the next event first.
 * @param limit_ns  the clock goes no further
 * @return NULL when nothing is going to happen before limit_ns
 */
struct cyc_io *cyc_sim_net_pick(struct cyc_sim_net *net, uint64_t limit_ns);

/* ---- for the engine (io_sim.c) --------------------------------------------------------------- */

struct sim_packet {
    struct sim_packet *next;
    uint64_t arrive_ns;
    uint64_t seen_bytes; /* what the sender had read when it decided to send this */
    size_t from, len;    /* unread: bytes[from, len) */
    unsigned char bytes[];
};

struct sim_socket {
    struct cyc_sim_net *net;
    struct cyc_io *io;
    int fd; /* -1: not accepted yet */
    struct cyc_addr local, remote;
    bool is_listening, is_connected, is_shut_down;
    bool is_reset, is_reset_told, is_reset_on_close;
    struct sim_socket *peer; /* NULL: not connected, or the other side has closed */
    /* on their way to, or waiting at, this end */
    struct sim_packet *packets_head, *packets_tail;
    size_t inbox_bytes;
    uint64_t read_bytes, submit_seen_bytes; /* in all; when the send under way was started */
    uint64_t peer_seen_bytes;               /* of the packet read last */
    uint64_t last_arrive_ns;
    uint64_t fin_ns, reset_ns; /* UINT64_MAX: none on its way */
    uint64_t stall_left_bytes; /* that this end can still send */
    /* listening */
    struct sim_socket *pending_head, *pending_tail, *pending_next;
    uint32_t pending_count, backlog;
    uint64_t pending_ns; /* of a pending one: when it can be accepted */
    /* connecting */
    uint64_t connect_ns;
    int connect_result;
    /* the engine's */
    struct cyc_op *reader, *writer;
    uint64_t reader_hold_ns, writer_hold_ns; /* not before */
    bool is_parked;
};

/** An engine as the network sees it. */
struct sim_engine {
    struct cyc_io base;
    struct cyc_sim_net *net;
    struct cyc_list link;
    void *owner;
    uint32_t id;
    bool is_woken;
};

uint32_t cyc_sim_net_add_engine(struct cyc_sim_net *net, struct sim_engine *engine);
void cyc_sim_net_remove_engine(struct cyc_sim_net *net, struct sim_engine *engine);
void cyc_sim_net_trace(struct cyc_sim_net *net, uint64_t a, uint64_t b, uint64_t c);
bool cyc_sim_net_is_logged(const struct cyc_sim_net *net);
bool cyc_sim_net_chance(struct cyc_sim_net *net, uint32_t permille);
const struct cyc_sim_faults *cyc_sim_net_faults(const struct cyc_sim_net *net);
uint64_t cyc_sim_net_wall_ns(const struct cyc_sim_net *net);

/** @return NULL when the descriptor is not open */
struct sim_socket *cyc_sim_socket_find(struct cyc_sim_net *net, int fd);
/** Walks the open descriptors: the first one above `fd`, or NULL. Start with -1. */
struct sim_socket *cyc_sim_socket_next(struct cyc_sim_net *net, int fd);
int cyc_sim_socket_open(struct cyc_sim_net *net, struct cyc_io *io, const struct cyc_addr *addr);
int cyc_sim_socket_listen(struct cyc_sim_net *net, struct cyc_io *io, const struct cyc_addr *addr,
                          uint32_t backlog);
void cyc_sim_socket_close(struct sim_socket *s);
void cyc_sim_socket_shutdown(struct sim_socket *s);
/** The link dies: a reset here, and one on its way to the other end. */
void cyc_sim_socket_kill(struct sim_socket *s);
void cyc_sim_socket_connect(struct sim_socket *s, const struct cyc_addr *addr);
/** @return a descriptor, -EAGAIN or -EMFILE */
int cyc_sim_socket_accept(struct sim_socket *s);
/** @return bytes, 0 at the end, -EAGAIN or -ECONNRESET */
int cyc_sim_socket_read(struct sim_socket *s, char *out, size_t len);
/** @return bytes, -EAGAIN, -EPIPE or -ECONNRESET */
int cyc_sim_socket_write(struct sim_socket *s, const char *bytes, size_t len);
/** When the call would answer something else than -EAGAIN; UINT64_MAX: not as things stand. */
uint64_t cyc_sim_socket_accept_ns(const struct sim_socket *s);
uint64_t cyc_sim_socket_read_ns(const struct sim_socket *s);
uint64_t cyc_sim_socket_write_ns(const struct sim_socket *s);
/** When the engine has something to do. */
uint64_t cyc_sim_engine_due_ns(struct sim_engine *engine);

#endif
