/* SPDX-License-Identifier: Apache-2.0 */
/* A client connection: socket, codec, the streams on it, and the clocks that end it. */
#ifndef CYC_PROXY_DOWNSTREAM_H
#define CYC_PROXY_DOWNSTREAM_H

#include "http/h1.h"
#include "net/conn.h"
#include "proxy/listener.h"

#define CYC_CLIENT_IP_BYTES_MAX 46

struct cyc_stream;

struct cyc_downstream {
    struct cyc_conn conn;
    struct cyc_h1 h1;
    struct cyc_listener *listener;
    struct cyc_stream *stream; /* HTTP/1 has one at a time */
    struct cyc_timer timer;
    struct cyc_list link;      /* in worker->downstreams */
    struct cyc_list wish_link; /* in worker->wishes */
    uint64_t open_ns;
    uint64_t wait_ns; /* since when the current state waits (idle, head, body, write) */
    struct cyc_addr peer;
    char client_ip[CYC_CLIENT_IP_BYTES_MAX];
    uint8_t client_ip_len;
    bool is_trusted, is_closing, is_tunnel;
    uint32_t request_count;
    uint32_t head_bytes; /* arrived of the head that is not complete */
};

/** What a codec of that listener may take; NULL: the defaults, for the upstream side. */
struct cyc_codec_limits cyc_downstream_limits(const struct cyc_listener_spec *spec);
/** A connection was accepted. Takes `fd`. @return false when it was refused (and closed) */
bool cyc_downstream_open(struct cyc_listener *listener, int fd);
/** Ends it at the next chance: idle ones now, busy ones with their answer. One that has not asked
 *  anything yet has a moment left to do so: its first request may be on its way. */
void cyc_downstream_drain(struct cyc_downstream *downstream);
/** Ends it now; every stream on it is cut. */
void cyc_downstream_abort(struct cyc_downstream *downstream, enum cyc_fail why);
/** Applies what the codec wants (worker's end of turn). */
void cyc_downstream_settle(struct cyc_downstream *downstream);

#endif
