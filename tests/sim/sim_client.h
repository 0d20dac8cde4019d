/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of the gateway: asks, one connection after the other, until it has had enough.
 *
 * Its manners are chosen for each connection: how deep it pipelines, how slowly it writes and
 * reads, whether it leaves in the middle. What comes back is read by the second parser and held
 * against the ledger; how each request ended is judged by what may go wrong in this run.
 */
#ifndef CYC_TESTS_SIM_SIM_CLIENT_H
#define CYC_TESTS_SIM_SIM_CLIENT_H

#include "tests/sim/sim_gateway.h"
#include "tests/sim/sim_wire.h"

#define CYC_SIM_PIPELINE_MAX 4

enum sim_client_state {
    SIM_CLIENT_AWAY, /* the timer will connect */
    SIM_CLIENT_CONNECTING,
    SIM_CLIENT_TALKING,
    SIM_CLIENT_LEAVING, /* until the descriptor is closed */
    SIM_CLIENT_FINISHED,
};

enum sim_quit {
    SIM_QUIT_CLOSE,
    SIM_QUIT_RESET,
    SIM_QUIT_HALF_CLOSE, /* says no more and waits */
    SIM_QUIT_SILENCE,    /* neither sends nor reads any more, and is still there */
    SIM_QUIT_COUNT
};

struct sim_manners {
    uint32_t request_count; /* on this connection */
    uint32_t depth;
    uint32_t piece_ms;                 /* slow writer; 0: not */
    uint32_t pause_permille, pause_ms; /* slow reader */
    uint32_t quit_ms;                  /* leaves then; 0: not */
    enum sim_quit quit_kind;
};

struct sim_client {
    struct sim_host *host;
    struct sim_gateway *gateway;
    struct sim_ledger *ledger;
    uint32_t index;
    bool is_probe; /* asks what must succeed, from a gateway nothing happens to any more */
    enum sim_client_state state;
    uint32_t requests_left, retries_left, probe_group;
    struct sim_manners manners;
    /* the connection */
    struct cyc_conn conn;
    struct cyc_addr addr;
    uint32_t listener, removed_count;
    struct cyc_timer timer, pause_timer, quit_timer, patience_timer;
    bool is_thinking, is_told_close, has_quit, is_last_sent, is_eof, is_broken, is_silent;
    /* what is sent */
    struct sim_request *sending;
    struct sim_writer writer;
    struct cyc_buf pending;
    bool is_waiting_100;
    /* what is read */
    struct sim_request *flight[CYC_SIM_PIPELINE_MAX]; /* unanswered, the oldest first */
    uint32_t flight_count;
    struct sim_wire wire;
    struct sim_arrival *arrival;
    uint64_t received_bytes;
    bool has_head, is_tunnel;
};

void cyc_sim_client_start(struct sim_client *client, struct sim_host *host,
                          struct sim_gateway *gateway, struct sim_ledger *ledger, uint32_t index);
/** A client of probes: one request to every group of routes. */
void cyc_sim_client_start_probe(struct sim_client *client, struct sim_host *host,
                                struct sim_gateway *gateway, struct sim_ledger *ledger,
                                uint32_t index);
static inline bool cyc_sim_client_is_finished(const struct sim_client *client)
{
    return client->state == SIM_CLIENT_FINISHED;
}

#endif
