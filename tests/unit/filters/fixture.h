/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One exchange without a network: what every filter test starts from.
 *
 * The clock stands at 2026-01-15T10:30:00.123Z, the generator is seeded, and everything lives in
 * one arena. fixture_fini() checks that no chunk is left over.
 */
#ifndef CYC_TESTS_FILTERS_FIXTURE_H
#define CYC_TESTS_FILTERS_FIXTURE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "filters/exchange.h"
#include "filters/filter.h"

#include <string.h>

#define FIXTURE_WALL_NS 1768473000123000000ull

struct fixture {
    struct cyc_mem mem;
    struct cyc_arena arena;
    struct cyc_buf_pool pool;
    struct cyc_clock clock;
    struct cyc_rng rng;
    struct cyc_filter_env env;
    struct cyc_exchange exchange;
    struct cyc_msg req, res;
};

static inline void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    cyc_arena_init(&f->arena, &f->mem, CYC_MEM_STREAMS, NULL, 0);
    cyc_buf_pool_init(&f->pool, &f->mem);
    cyc_rng_init(&f->rng, 1);
    f->clock = (struct cyc_clock){.now_ns = 1000 * CYC_NS_PER_S, .wall_ns = FIXTURE_WALL_NS};
    f->env = (struct cyc_filter_env){.clock = &f->clock, .rng = &f->rng};
    cyc_msg_init(&f->req, &f->arena, 4);
    f->req.method = CYC_METHOD_GET;
    f->req.method_text = CYC_SPAN("GET");
    f->req.target = CYC_SPAN("/api/v1/users?page=2");
    f->req.path = CYC_SPAN("/api/v1/users");
    f->req.query = CYC_SPAN("page=2");
    f->req.authority = CYC_SPAN("shop.example");
    f->req.version_minor = 1;
    cyc_msg_init(&f->res, &f->arena, 4);
    f->res.status = 200;
    f->exchange = (struct cyc_exchange){
        .env = &f->env,
        .arena = &f->arena,
        .req = &f->req,
        .client_ip = CYC_SPAN("192.0.2.7"),
        .listener_name = CYC_SPAN("http"),
        .route_name = CYC_SPAN("users"),
        .cluster_name = CYC_SPAN("backend"),
        .start_ns = 1000 * CYC_NS_PER_S,
    };
}

static inline void fixture_fini(struct fixture *f)
{
    cyc_buf_pool_fini(&f->pool);
    cyc_arena_fini(&f->arena);
}

/** A call for a filter that is run without a chain. */
static inline struct cyc_filter_call fixture_call(struct fixture *f, const void *conf)
{
    return (struct cyc_filter_call){.exchange = &f->exchange, .conf = conf};
}

/** A registry and a block for what the worker counts; end with fixture_stats_fini(). */
static inline struct cyc_stats_registry *fixture_stats_init(struct fixture *f)
{
    static const struct cyc_hash_key key;
    f->env.stats = cyc_stats_block_create();
    return cyc_stats_registry_create(&f->mem, &key);
}

static inline void fixture_stats_fini(struct fixture *f, struct cyc_stats_registry *registry)
{
    cyc_stats_registry_destroy(registry);
    cyc_stats_block_destroy(f->env.stats);
}

/** Adds a field to a message, its token looked up. */
static inline void fixture_add(struct cyc_msg *msg, const char *name, const char *value)
{
    struct cyc_span name_span = cyc_span_from_text(name);
    cyc_msg_add(msg, cyc_token_find(name_span), name_span, cyc_span_from_text(value));
}

/** How many fields of that name are there. */
static inline uint32_t fixture_count(const struct cyc_msg *msg, const char *name)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < msg->field_count; i++)
        count += !msg->fields[i].is_removed &&
                 cyc_span_equal_nocase(msg->fields[i].name, cyc_span_from_text(name));
    return count;
}

/** The value of the first field of that name, or "(none)". */
static inline struct cyc_span fixture_field(const struct cyc_msg *msg, const char *name)
{
    const struct cyc_field *field = cyc_msg_find_name(msg, cyc_span_from_text(name));
    return field != NULL ? field->value : CYC_SPAN("(none)");
}

#define assert_span_equal(span, text)                                                              \
    do {                                                                                           \
        struct cyc_span span_ = (span);                                                            \
        assert_int_equal(span_.len, strlen(text));                                                 \
        if (span_.len > 0)                                                                         \
            assert_memory_equal(span_.ptr, text, span_.len);                                       \
    } while (0)

#endif
