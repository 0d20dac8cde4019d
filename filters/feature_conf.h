/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `defaults`, a named bundle in `filters` and a route may all say: the per-route features.
 *
 * Merged outer to inner (defaults, used bundles, the route itself); the result is complete. Maps
 * merge key by key, anything else said further in replaces what was said further out.
 */
#ifndef CYC_FILTERS_FEATURE_CONF_H
#define CYC_FILTERS_FEATURE_CONF_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct cyc_conf_section;

enum cyc_security_preset {
    CYC_SECURITY_GUIDE = 0, /* the five fields of the deployment guide, HSTS only on TLS */
    CYC_SECURITY_BASIC,
    CYC_SECURITY_STRICT,
    CYC_SECURITY_OFF,
};
enum cyc_request_id_mode { CYC_REQUEST_ID_AUTO = 0, CYC_REQUEST_ID_ALWAYS, CYC_REQUEST_ID_OFF };

struct cyc_header_edit {
    struct cyc_span name;
    struct cyc_span value; /* may hold %{variables}; checked when loaded */
};

/** `request_headers` / `response_headers`; applied in the order remove, set, add. */
struct cyc_headers_conf {
    struct cyc_header_edit *sets, *adds;
    struct cyc_span *removes;
    uint32_t set_count, add_count, remove_count;
};

struct cyc_retry_conf {
    uint32_t attempts; /* extra tries; each connect failure or safe replay costs one */
    bool on_connect, on_reset;
    uint32_t per_try_timeout_ms; /* 0: the route's timeout */
};

struct cyc_feature_conf {
    uint32_t timeout_ms;            /* whole exchange; 0: none */
    uint32_t first_byte_timeout_ms; /* response head after the request was sent; 0: `timeout` */
    uint64_t max_body_bytes;        /* UINT64_MAX: the listener's */
    struct cyc_headers_conf request_headers, response_headers;
    enum cyc_security_preset security_headers;
    enum cyc_request_id_mode request_id;
    bool is_access_logged;
    struct cyc_retry_conf retry;
};

extern const struct cyc_conf_section cyc_feature_section;

/** What %{name} in a header value may be. */
#define CYC_HEADER_VARIABLES(X)                                                                    \
    X(CLIENT_IP, "client_ip")   /* the peer's, or the one a trusted peer vouches for */            \
    X(HOST, "host")             /* as the client sent it */                                        \
    X(METHOD, "method")         /* of the request */                                               \
    X(PATH, "path")             /* without the query */                                            \
    X(QUERY, "query")           /* without the question mark */                                    \
    X(URI, "uri")               /* path and query as sent */                                       \
    X(SCHEME, "scheme")         /* http or https, on the client's side */                          \
    X(REQUEST_ID, "request_id") /* empty when request_id is off */                                 \
    X(LISTENER, "listener")     /* names from the configuration */                                 \
    X(ROUTE, "route")                                                                              \
    X(CLUSTER, "cluster")                                                                          \
    X(ENDPOINT, "endpoint") /* address of the endpoint; responses only */                          \
    X(STATUS, "status")     /* of the answer; responses only */                                    \
    X(TIME, "time")         /* now: 2026-01-15T10:30:00.123Z */

enum cyc_header_variable {
#define X(name, text) CYC_VARIABLE_##name,
    CYC_HEADER_VARIABLES(X)
#undef X
        CYC_VARIABLE_COUNT
};

/** @param name  what stands between %{ and } @return false: there is no such variable */
bool cyc_header_variable_find(struct cyc_span name, enum cyc_header_variable *ret_variable);

#endif
