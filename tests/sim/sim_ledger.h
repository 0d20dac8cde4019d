/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was asked, what arrived where, and how it ended: the books of a run.
 *
 * A request is entered by the client that sends it, under an id that is part of its path. Every
 * time its head reaches a service that is an arrival, under an id of its own that the answer
 * carries. So a client can tell whose answer it got, made by whom, and whether the service had
 * really finished it; and a service can tell whether somebody asked.
 *
 * The books are shared by all parties, which is what makes them an oracle: nobody has to trust what
 * the gateway says.
 */
#ifndef CYC_TESTS_SIM_SIM_LEDGER_H
#define CYC_TESTS_SIM_SIM_LEDGER_H

#include "tests/sim/sim_body.h"

#define CYC_SIM_REQUEST_COUNT_MAX 2048
#define CYC_SIM_ARRIVAL_COUNT_MAX 4096

enum sim_kind {
    SIM_KIND_FORWARD, /* to a service */
    SIM_KIND_UPGRADE, /* to a service, which may switch */
    SIM_KIND_LOCAL,   /* answered by the gateway: a fixed answer, its health, no route */
    SIM_KIND_GARBAGE, /* to be refused */
    SIM_KIND_COUNT
};

/** How a request ended for the client that sent it. */
enum sim_outcome {
    SIM_OUTCOME_OPEN = 0,
    SIM_OUTCOME_ANSWERED,   /* a whole answer of a service */
    SIM_OUTCOME_LOCAL,      /* the answer that the gateway was to give */
    SIM_OUTCOME_REFUSED,    /* an error of the gateway's own */
    SIM_OUTCOME_CUT,        /* an answer began and did not end */
    SIM_OUTCOME_UNANSWERED, /* the connection ended before an answer began */
    SIM_OUTCOME_ABANDONED,  /* the client went away first */
    SIM_OUTCOME_COUNT
};

struct sim_request {
    uint32_t id, client;
    enum sim_kind kind;
    uint32_t group; /* routes share the services by groups of paths */
    const char *method;
    bool is_idempotent, is_head, is_old, wants_trailers, expects_continue;
    uint32_t status_expected; /* LOCAL: of the gateway's answer */
    enum sim_framing framing;
    uint64_t body_bytes;
    bool has_trailers;
    /* what happened */
    bool is_begun;     /* its first byte was sent */
    bool is_body_sent; /* ... and its last */
    bool is_failed_on; /* a fault struck that explains an error */
    bool is_forged;    /* the answer it got is a service's forgery ... */
    bool is_deceived;  /* ... that nobody could have told from a real one */
    bool is_quit;      /* its client has left, or will not send the rest */
    uint32_t arrival_count, status;
    enum sim_outcome outcome;
};

struct sim_arrival {
    uint32_t id, request_id, service;
    uint32_t status;
    enum sim_framing framing;
    uint64_t answer_bytes;
    bool has_trailers;
    bool is_valid;         /* what was sent is an answer at all */
    bool is_whole;         /* all of it was sent */
    bool is_body_received; /* the request was read to its end */
};

struct sim_ledger {
    struct sim_run *run;
    struct sim_request *requests;
    struct sim_arrival *arrivals;
    uint32_t request_count, arrival_count;
    uint32_t deceived_count;
    uint32_t half_heard_count; /* requests on poisoned connections that broke off in their heads */
    uint32_t open_count;       /* requests without an outcome */
    uint32_t outcome_counts[SIM_OUTCOME_COUNT];
    uint32_t idempotent_arrivals_max; /* of one request: tries and the one replay */
};

void cyc_sim_ledger_init(struct sim_ledger *ledger, struct sim_run *run);
void cyc_sim_ledger_fini(struct sim_ledger *ledger);

/** A new one, all zero but for its ids. */
struct sim_request *cyc_sim_request_add(struct sim_ledger *ledger, uint32_t client);
/** @return NULL: nobody has asked that */
struct sim_request *cyc_sim_request_find(struct sim_ledger *ledger, uint64_t id);
/** The head of a request has reached a service. Complains when it was there too often. */
struct sim_arrival *cyc_sim_arrival_add(struct sim_ledger *ledger, struct sim_request *request,
                                        uint32_t service);
struct sim_arrival *cyc_sim_arrival_find(struct sim_ledger *ledger, uint64_t id);
/** At the end: complains about forged answers that could have been told. */
void cyc_sim_ledger_check(const struct sim_ledger *ledger);
/** The one end of a request. */
void cyc_sim_request_end(struct sim_ledger *ledger, struct sim_request *request,
                         enum sim_outcome outcome);
/** Writes the request target, a path with the group and the id. @return its length */
size_t cyc_sim_request_target(const struct sim_request *request, char out[64]);
const char *cyc_sim_outcome_name(enum sim_outcome outcome);

static inline uint32_t cyc_sim_request_key(const struct sim_request *request)
{
    return request->id * 2;
}

static inline uint32_t cyc_sim_answer_key(const struct sim_arrival *arrival)
{
    return arrival->id * 2 + 1;
}

#endif
