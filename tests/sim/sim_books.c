/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/sim_books.h"

#include "tests/sim/sim_gateway.h"

#include <stdlib.h>
#include <string.h>

/** The sum of all series of a family in the text. */
static double family_sum(struct cyc_span text, const char *name)
{
    size_t name_len = strlen(name);
    const char *at = text.ptr;
    double sum = 0;

    while (at < text.ptr + text.len) {
        const char *end = memchr(at, '\n', (size_t)(text.ptr + text.len - at));
        const char *space = memrchr(at, ' ', (size_t)(end - at));
        if (strncmp(at, name, name_len) == 0 && (at[name_len] == '{' || at[name_len] == ' '))
            sum += strtod(space + 1, NULL);
        at = end + 1;
    }
    return sum;
}

static void must_equal(struct sim_gateway *gateway, struct cyc_span text, const char *name,
                       double expected)
{
    double sum = family_sum(text, name);
    if (sum != expected)
        cyc_sim_complain(gateway->run, "%s adds up to %.0f, not %.0f", name, sum, expected);
}

static void text_check(struct sim_gateway *gateway, struct cyc_span text)
{
    static const char *const gauges[] = {
        "cyclone_active_connections", "cyclone_requests_active", "cyclone_upstream_active_requests",
        "cyclone_upstream_idle_connections", "cyclone_upstream_pending_requests"};
    double requests = family_sum(text, "cyclone_requests_total");

    must_equal(gateway, text, "cyclone_route_requests_total", requests);
    must_equal(gateway, text, "cyclone_responses_total", requests);
    must_equal(gateway, text, "cyclone_request_duration_seconds_count", requests);
    if ((double)gateway->access_line_count != requests)
        cyc_sim_complain(gateway->run, "%.0f requests and %llu lines in the access log", requests,
                         (unsigned long long)gateway->access_line_count);
    for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++)
        must_equal(gateway, text, gauges[i], 0);
}

void cyc_sim_books_check(struct sim_gateway *gateway)
{
    struct cyc_stats_format format = {.now_ns = 0};
    struct cyc_buf out;

    cyc_buf_init(&out, &gateway->pool);
    cyc_stats_scrape(gateway->master.registry, gateway->blocks, gateway->worker_count, &format,
                     &out);
    size_t len = out.bytes;
    char *text = cyc_mem_alloc(&gateway->mem, CYC_MEM_OTHER, len + 1);
    cyc_buf_peek(&out, text, len);
    text[len] = '\0';
    text_check(gateway, cyc_span_of(text, len));
    cyc_mem_free(&gateway->mem, CYC_MEM_OTHER, text, len + 1);
    cyc_buf_clear(&out);
}
