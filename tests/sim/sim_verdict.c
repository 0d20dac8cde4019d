/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/sim_verdict.h"

#include "tests/sim/sim_ask.h"

static struct sim_run *run_of(const struct sim_client *client)
{
    return client->host->run;
}

static void finding(struct sim_client *client, const struct sim_request *request, const char *what)
{
    cyc_sim_complain(run_of(client), "client %u, request %u (%s %llu bytes): %s", client->index,
                     request->id, request->method, (unsigned long long)request->body_bytes, what);
}

/* ---- heads ----------------------------------------------------------------------------------- */

static bool is_bodiless(const struct sim_request *request, uint32_t status)
{
    return request->is_head || status == 204 || status == 304 || status == 101;
}

static const char *framing_problem(const struct sim_wire *wire, const struct sim_request *request,
                                   const struct sim_arrival *arrival)
{
    if (request->is_old && wire->framing == SIM_FRAMING_CHUNKED)
        return "chunks for HTTP/1.0";
    if (is_bodiless(request, wire->status))
        return NULL;
    if (!request->is_old && wire->framing == SIM_FRAMING_UNTIL_CLOSE)
        return "an answer framed by the end of the connection";
    if (arrival == NULL)
        return NULL;
    if (arrival->framing == SIM_FRAMING_LENGTH && wire->framing != SIM_FRAMING_LENGTH)
        return "the length was lost";
    if (wire->framing == SIM_FRAMING_LENGTH && wire->length_bytes != arrival->answer_bytes)
        return "another length";
    return NULL;
}

static const char *answer_problem(const struct sim_wire *wire, const struct sim_request *request,
                                  const struct sim_arrival *arrival)
{
    if (arrival == NULL || cyc_sim_wire_number(wire, "X-Sim-Request") != request->id)
        return "got the answer to another request";
    if (arrival->request_id != request->id)
        return "got an answer made for another request";
    if (arrival->status != wire->status)
        return "got another status";
    if (cyc_sim_wire_find(wire, "X-Hop").ptr != NULL)
        return "a field that Connection named was forwarded";
    if (cyc_sim_wire_find(wire, "Via").ptr == NULL)
        return "no Via";
    if (cyc_sim_wire_find(wire, "Date").ptr == NULL)
        return "no Date";
    if ((wire->status == 101) != (request->kind == SIM_KIND_UPGRADE) && wire->status == 101)
        return "a switch that nobody asked for";
    return framing_problem(wire, request, arrival);
}

/** An error of the gateway's own making that no client can provoke with a good request. */
static bool is_strange(const struct sim_request *request, uint32_t status)
{
    if (request->kind == SIM_KIND_GARBAGE)
        return status < 400 || (status == 404 && !cyc_sim_ask_has_good_head(request));
    if (request->kind == SIM_KIND_LOCAL && status == request->status_expected)
        return false;
    return status != 408 && status != 502 && status != 503 && status != 504;
}

void cyc_sim_verdict_head(struct sim_client *client, struct sim_request *request)
{
    const struct sim_wire *wire = &client->wire;
    uint64_t answer_id = cyc_sim_wire_number(wire, "X-Sim-Answer");
    const char *problem;

    client->arrival = NULL;
    request->is_forged = cyc_sim_wire_find(wire, "X-Sim-Forged").ptr != NULL;
    if (request->is_forged)
        return; /* the service will tell whether that had to be */
    if (answer_id != UINT64_MAX) {
        client->arrival = cyc_sim_arrival_find(client->ledger, answer_id);
        problem = answer_problem(wire, request, client->arrival);
    } else if (request->kind == SIM_KIND_GARBAGE && !wire->is_close) {
        problem = "the connection goes on after a malformed request";
    } else {
        problem = is_strange(request, wire->status) ? "the gateway gave a strange answer"
                                                    : framing_problem(wire, request, NULL);
    }
    if (problem != NULL)
        finding(client, request, problem);
}

/* ---- ends ------------------------------------------------------------------------------------ */

static const char *whole_problem(const struct sim_client *client, const struct sim_request *request)
{
    const struct sim_arrival *arrival = client->arrival;
    const struct sim_wire *wire = &client->wire;

    if (!arrival->is_valid)
        return "a broken answer looks complete";
    if (is_bodiless(request, arrival->status) && arrival->status != 101)
        return client->received_bytes > 0 ? "a body where none belongs" : NULL;
    if (client->received_bytes != arrival->answer_bytes)
        return "a truncated answer looks complete";
    if (!arrival->is_whole)
        return "an answer is complete that was never sent";
    bool has_trailers = cyc_sim_wire_number(wire, "X-Sim-Trailer") == cyc_sim_answer_key(arrival);
    if (arrival->has_trailers && request->wants_trailers && !has_trailers)
        return "the trailers are gone";
    return NULL;
}

/** May an error of the gateway end this request? */
static bool may_be_refused(const struct sim_client *client, const struct sim_request *request,
                           uint32_t status)
{
    const struct sim_plan *plan = client->gateway->plan;
    /* Connections that the service closes between two requests, perhaps just as one is sent. */
    bool may_be_stale = plan->idle_close_permille > 0 || client->ledger->deceived_count > 0;

    if (client->is_probe)
        return false;
    switch (plan->weather) {
    case SIM_WEATHER_CALM:
        return false;
    case SIM_WEATHER_SERVICES:
        return request->is_failed_on || (may_be_stale && status == 502);
    case SIM_WEATHER_STORM:
        break;
    }
    return true;
}

void cyc_sim_verdict_whole(struct sim_client *client, struct sim_request *request)
{
    const char *problem = NULL;
    enum sim_outcome outcome = SIM_OUTCOME_ANSWERED;

    if (request->is_forged) {
        outcome = SIM_OUTCOME_REFUSED; /* whatever it got */
    } else if (client->arrival != NULL) {
        problem = whole_problem(client, request);
    } else if (request->kind == SIM_KIND_GARBAGE ||
               (request->kind == SIM_KIND_LOCAL && request->status == request->status_expected)) {
        outcome = SIM_OUTCOME_LOCAL;
    } else {
        outcome = SIM_OUTCOME_REFUSED;
        if (!client->has_quit && !may_be_refused(client, request, request->status))
            problem = "was refused without a reason";
    }
    if (problem != NULL)
        finding(client, request, problem);
    cyc_sim_request_end(client->ledger, request, outcome);
}

/** The gateway may end a connection between requests; nothing is lost that never went further. */
static bool is_excused(const struct sim_client *client, const struct sim_request *request)
{
    const struct sim_gateway *gateway = client->gateway;

    if (client->has_head || request->arrival_count > 0)
        return false;
    return client->is_told_close || client->is_broken || gateway->phase >= CYC_WORKER_CLOSING ||
           gateway->removed_counts[client->listener] != client->removed_count;
}

/** May the connection have broken under this request? */
static bool may_be_broken(const struct sim_client *client, const struct sim_request *request)
{
    if (client->is_probe || client->gateway->plan->weather == SIM_WEATHER_CALM)
        return false;
    if (client->gateway->plan->weather == SIM_WEATHER_STORM)
        return true;
    return request->is_failed_on || request->is_forged || request->is_deceived;
}

bool cyc_sim_verdict_broken(struct sim_client *client, struct sim_request *request)
{
    enum sim_outcome outcome = client->has_head ? SIM_OUTCOME_CUT : SIM_OUTCOME_UNANSWERED;

    if (client->has_quit) {
        cyc_sim_request_end(client->ledger, request, SIM_OUTCOME_ABANDONED);
        return false;
    }
    bool is_again = is_excused(client, request);
    if (!is_again && !may_be_broken(client, request))
        finding(client, request,
                client->has_head ? "its answer was cut without a reason"
                                 : "was lost without a reason");
    cyc_sim_request_end(client->ledger, request, outcome);
    return is_again;
}
