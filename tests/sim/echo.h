/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small echo server and its clients: the same objects run on every engine, which is what the
 * engine is for. They use everything an engine has: accept, connect, backpressure, half-close,
 * timers, orderly close; and they end whatever the network does.
 */
#ifndef CYC_TESTS_SIM_ECHO_H
#define CYC_TESTS_SIM_ECHO_H

#include "net/conn.h"

/** Something with a turn: an engine and what is flushed at its end. */
struct echo_host {
    struct cyc_io *io;
    struct cyc_conn_flush flush;
};

void echo_host_init(struct echo_host *host, struct cyc_io *io);
/** One turn. @return as cyc_io_turn */
int echo_host_turn(struct echo_host *host, uint64_t wait_ns_max);

struct echo_server {
    struct echo_host *host;
    struct cyc_op accept;
    struct cyc_timer accept_timer; /* after EMFILE: again in a moment */
    int fd;
    uint32_t live_count, accepted_count, error_count, accept_error_count;
    bool is_stopping;
};

/** @param addr  where to listen; port 0: any @return 0 or a negative errno */
int echo_server_start(struct echo_server *server, struct echo_host *host, struct cyc_addr *addr);
/** No more connections; those that live go on. The descriptor is closed when accepting has ended.
 */
void echo_server_stop(struct echo_server *server);

struct echo_client {
    struct echo_host *host;
    struct cyc_conn conn;
    struct cyc_addr addr;
    struct cyc_timer timer;
    size_t total_bytes, sent_bytes, received_bytes;
    uint8_t salt;
    bool is_wrong;  /* a byte came back that was never sent there */
    bool is_closed; /* the end, good or bad */
    int error;
};

/** Connects, sends `total_bytes` and expects them back, then closes in order. */
void echo_client_start(struct echo_client *client, struct echo_host *host,
                       const struct cyc_addr *addr, size_t total_bytes);

#endif
