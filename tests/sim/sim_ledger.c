/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/sim_ledger.h"

#include "base/assert.h"

#include <stdio.h>

void cyc_sim_ledger_init(struct sim_ledger *ledger, struct sim_run *run)
{
    *ledger = (struct sim_ledger){.run = run};
    ledger->requests = cyc_mem_zalloc(&run->mem, CYC_MEM_OTHER,
                                      CYC_SIM_REQUEST_COUNT_MAX * sizeof(*ledger->requests));
    ledger->arrivals = cyc_mem_zalloc(&run->mem, CYC_MEM_OTHER,
                                      CYC_SIM_ARRIVAL_COUNT_MAX * sizeof(*ledger->arrivals));
}

void cyc_sim_ledger_fini(struct sim_ledger *ledger)
{
    cyc_mem_free(&ledger->run->mem, CYC_MEM_OTHER, ledger->requests,
                 CYC_SIM_REQUEST_COUNT_MAX * sizeof(*ledger->requests));
    cyc_mem_free(&ledger->run->mem, CYC_MEM_OTHER, ledger->arrivals,
                 CYC_SIM_ARRIVAL_COUNT_MAX * sizeof(*ledger->arrivals));
}

struct sim_request *cyc_sim_request_add(struct sim_ledger *ledger, uint32_t client)
{
    cyc_assert(ledger->request_count < CYC_SIM_REQUEST_COUNT_MAX);

    struct sim_request *request = &ledger->requests[ledger->request_count];
    request->id = ++ledger->request_count;
    request->client = client;
    ledger->open_count++;
    return request;
}

struct sim_request *cyc_sim_request_find(struct sim_ledger *ledger, uint64_t id)
{
    return id >= 1 && id <= ledger->request_count ? &ledger->requests[id - 1] : NULL;
}

static void arrivals_check(struct sim_ledger *ledger, const struct sim_request *request)
{
    uint32_t count_max = request->is_idempotent ? ledger->idempotent_arrivals_max : 1;

    if (request->arrival_count > count_max)
        cyc_sim_complain(ledger->run, "request %u (%s) reached services %u times", request->id,
                         request->method, request->arrival_count);
    if (request->kind == SIM_KIND_LOCAL || request->kind == SIM_KIND_GARBAGE)
        cyc_sim_complain(ledger->run, "request %u is not for a service", request->id);
    if (!request->is_begun)
        cyc_sim_complain(ledger->run, "request %u arrived before it was sent", request->id);
}

struct sim_arrival *cyc_sim_arrival_add(struct sim_ledger *ledger, struct sim_request *request,
                                        uint32_t service)
{
    cyc_assert(ledger->arrival_count < CYC_SIM_ARRIVAL_COUNT_MAX);

    struct sim_arrival *arrival = &ledger->arrivals[ledger->arrival_count];
    arrival->id = ++ledger->arrival_count;
    arrival->request_id = request->id;
    arrival->service = service;
    request->arrival_count++;
    arrivals_check(ledger, request);
    return arrival;
}

struct sim_arrival *cyc_sim_arrival_find(struct sim_ledger *ledger, uint64_t id)
{
    return id >= 1 && id <= ledger->arrival_count ? &ledger->arrivals[id - 1] : NULL;
}

void cyc_sim_ledger_check(const struct sim_ledger *ledger)
{
    if (ledger->open_count > 0)
        cyc_sim_complain(ledger->run, "%u requests have no end", ledger->open_count);
    uint32_t excused_count = ledger->half_heard_count;
    for (uint32_t i = 0; i < ledger->request_count; i++) {
        if (!ledger->requests[i].is_forged || ledger->requests[i].is_deceived)
            continue;
        if (excused_count > 0)
            excused_count--;
        else
            cyc_sim_complain(ledger->run, "request %u got a forged answer", i + 1);
    }
}

size_t cyc_sim_request_target(const struct sim_request *request, char out[64])
{
    const char *query = request->id % 3 == 0 ? "?a=b%20c&d" : "";
    int len = snprintf(out, 64, "/s/%u/%u%s", request->group, request->id, query);
    return (size_t)len;
}

const char *cyc_sim_outcome_name(enum sim_outcome outcome)
{
    static const char *const names[SIM_OUTCOME_COUNT] = {
        "open", "answered", "local", "refused", "cut", "unanswered", "abandoned"};
    return names[outcome];
}

void cyc_sim_request_end(struct sim_ledger *ledger, struct sim_request *request,
                         enum sim_outcome outcome)
{
    if (request->outcome != SIM_OUTCOME_OPEN) {
        cyc_sim_complain(ledger->run, "request %u ended twice: %s, then %s", request->id,
                         cyc_sim_outcome_name(request->outcome), cyc_sim_outcome_name(outcome));
        return;
    }
    request->outcome = outcome;
    ledger->open_count--;
    ledger->outcome_counts[outcome]++;
    cyc_sim_trace(ledger->run, "client %u: request %u ends: %s %u", request->client, request->id,
                  cyc_sim_outcome_name(outcome), request->status);
}
