/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second opinion on HTTP/1: a small strict parser that shares nothing with the gateway's.
 *
 * It reads what the gateway wrote, so it accepts only what the gateway may write: CRLF line ends,
 * one length, no chunk extensions, no hop-by-hop fields but its own. Anything else is a finding.
 */
#ifndef CYC_TESTS_SIM_SIM_WIRE_H
#define CYC_TESTS_SIM_SIM_WIRE_H

#include "tests/sim/sim_body.h"

#define CYC_SIM_HEAD_BYTES_MAX 8192
#define CYC_SIM_FIELD_COUNT_MAX 64

enum sim_wire_event {
    SIM_WIRE_MORE, /* all bytes taken, nothing complete */
    SIM_WIRE_HEAD, /* a head: start line and fields are valid until the next call */
    SIM_WIRE_BODY, /* wire->piece */
    SIM_WIRE_END,  /* the message is complete; trailers, if any, are in the fields */
    SIM_WIRE_BAD,  /* wire->problem; nothing more can be read */
};

struct sim_field {
    struct cyc_span name, value;
};

struct sim_wire {
    bool is_response;
    bool is_head_request; /* response: no body, whatever the head says */
    /* of the last head */
    struct cyc_span method, target;
    uint32_t status;
    uint32_t version_minor;
    struct sim_field fields[CYC_SIM_FIELD_COUNT_MAX];
    uint32_t field_count;
    enum sim_framing framing;
    uint64_t length_bytes;
    bool is_close; /* the head says that the connection ends */
    struct cyc_span piece;
    const char *problem;
    /* private */
    int state;
    uint64_t left_bytes;
    uint32_t text_len;
    char text[CYC_SIM_HEAD_BYTES_MAX];
};

void cyc_sim_wire_init(struct sim_wire *wire, bool is_response);
/** Takes bytes from the front of `in` up to the next event. Call again until MORE or BAD. */
enum sim_wire_event cyc_sim_wire_next(struct sim_wire *wire, struct cyc_span *in);
/** From now on all bytes are body, to the end of the connection: after a 101. */
void cyc_sim_wire_tunnel(struct sim_wire *wire);
/** Nothing of a message has been read that is not complete. */
bool cyc_sim_wire_is_between(const struct sim_wire *wire);
/** @return the only value of that name; ptr NULL: there is none; several: "?several" */
struct cyc_span cyc_sim_wire_find(const struct sim_wire *wire, const char *name);
/** @return the number in that field, UINT64_MAX: there is none */
uint64_t cyc_sim_wire_number(const struct sim_wire *wire, const char *name);

#endif
