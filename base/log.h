/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logging: three streams that are never mixed.
 *
 *   access   one line per request, formatted by the access log filter straight into the ring
 *   events   what happens to Cyclone itself; rare, each with an id from base/events.def
 *   trace    the inside of modules; off by default, switched on at run time, per stream or for all
 *
 * All three go through the thread's ring (base/log_ring.h) to the writer (base/log_writer.h).
 */
#ifndef CYC_BASE_LOG_H
#define CYC_BASE_LOG_H

#include "base/clock.h"
#include "base/log_ring.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum cyc_log_level {
    CYC_LEVEL_OFF,
    CYC_LEVEL_ERROR,
    CYC_LEVEL_WARN,
    CYC_LEVEL_INFO,
    CYC_LEVEL_DEBUG,
    CYC_LEVEL_TRACE,
    CYC_LEVEL_COUNT
};

enum cyc_log_format { CYC_LOG_JSON, CYC_LOG_TEXT };

enum cyc_event_id {
#define X(id, level, per_second, text) CYC_EVENT_##id,
#include "base/events.def"
#undef X
    CYC_EVENT_COUNT
};

struct cyc_event_info {
    const char *id; /* "CONFIG_LOADED"; written in lower case */
    enum cyc_log_level level;
    uint32_t per_second_max; /* 0: no limit */
    const char *text;        /* for the manual */
};

/** One per thread. */
struct cyc_log {
    struct cyc_log_ring *ring; /* borrowed; NULL: everything is discarded */
    const struct cyc_clock *clock;
    enum cyc_log_level level; /* events above it are not written */
    enum cyc_log_format format;
    /* private */
    struct {
        uint64_t second;
        uint32_t count, suppressed_count;
    } rates[CYC_EVENT_COUNT];
};

/** JSON from level INFO on. @param ring  may be NULL */
void cyc_log_init(struct cyc_log *log, struct cyc_log_ring *ring, const struct cyc_clock *clock);

const struct cyc_event_info *cyc_event_info(enum cyc_event_id id);
/** "INFO" */
const char *cyc_log_level_name(enum cyc_log_level level);
/** "info", in any case. */
bool cyc_log_level_parse(struct cyc_span text, enum cyc_log_level *ret_level);

/** Writes an event, unless the level or its rate forbids. `log` may be NULL. A long message is cut.
 */
__attribute__((format(printf, 3, 4))) void cyc_event(struct cyc_log *log, enum cyc_event_id id,
                                                     const char *format, ...);

/* ---- trace ----------------------------------------------------------------------------------- */

#define CYC_TRACE_MODULES(X)                                                                       \
    X(IO, "io")                                                                                    \
    X(CONN, "conn")                                                                                \
    X(TLS, "tls")                                                                                  \
    X(H1, "h1")                                                                                    \
    X(H2, "h2")                                                                                    \
    X(CHAIN, "chain")                                                                              \
    X(ROUTE, "route")                                                                              \
    X(FORWARD, "forward")                                                                          \
    X(POOL, "pool")                                                                                \
    X(UPSTREAM, "upstream")                                                                        \
    X(DNS, "dns")                                                                                  \
    X(CONFIG, "config")

enum cyc_trace_module {
#define X(id, name) CYC_TRACE_##id,
    CYC_TRACE_MODULES(X)
#undef X
        CYC_TRACE_MODULE_COUNT
};

/** Embedded in what is traced: a worker, a connection, a stream. */
struct cyc_trace {
    uint32_t modules_on; /* bit per module; changed by the owning thread only */
    uint32_t id;         /* of the stream or connection; written into each line */
    struct cyc_log *log;
};

/** Costs one load while the module is off; the arguments are not evaluated then. */
#define cyc_trace(trace, module, ...)                                                              \
    do {                                                                                           \
        if (__builtin_expect((trace)->modules_on & (1u << CYC_TRACE_##module), 0))                 \
            cyc_trace_write((trace), CYC_TRACE_##module, __VA_ARGS__);                             \
    } while (0)

/** The slow half of cyc_trace(). */
__attribute__((format(printf, 3, 4))) void cyc_trace_write(const struct cyc_trace *trace,
                                                           enum cyc_trace_module module,
                                                           const char *format, ...);

/**
 * Reads `level[,target=level]...`, as CYCLONE_LOG has it. The target "cyclone" is the level itself;
 * a module as target is traced from "debug" on; other targets are ignored.
 * @param ret_modules_on  bit per module
 * @return false when malformed
 */
bool cyc_log_parse_filter(struct cyc_span text, enum cyc_log_level *ret_level,
                          uint32_t *ret_modules_on);

#endif
