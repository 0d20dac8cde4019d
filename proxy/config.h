/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration as the program sees it: typed, defaulted, checked, immutable.
 *
 * One `struct cyc_config` is the whole document after cyc_config_load(): every text and array lives
 * in the arena it was loaded into. Modules own their part of it (`upstream/cluster_conf.h`,
 * `filters/feature_conf.h`, ...); here they are put together. Nothing in it is compiled for speed:
 * that is the snapshot's job.
 */
#ifndef CYC_PROXY_CONFIG_H
#define CYC_PROXY_CONFIG_H

#include "base/arena.h"
#include "base/span.h"
#include "conf/diag.h"
#include "filters/feature_conf.h"
#include "net/cidr.h"
#include "net/net_conf.h"
#include "upstream/cluster_conf.h"

#include <stdbool.h>
#include <stdint.h>

struct cyc_conf_section;

enum cyc_health_endpoints { CYC_HEALTH_FALLBACK = 0, CYC_HEALTH_ALWAYS, CYC_HEALTH_OFF };
enum cyc_default_route {
    CYC_DEFAULT_ROUTE_404 = 0,
    CYC_DEFAULT_ROUTE_421,
    CYC_DEFAULT_ROUTE_CLOSE
};
enum cyc_remote_access { CYC_REMOTE_READ = 0, CYC_REMOTE_NONE, CYC_REMOTE_FULL };
enum cyc_log_style { CYC_LOG_STYLE_AUTO = 0, CYC_LOG_STYLE_JSON, CYC_LOG_STYLE_TEXT };

struct cyc_server_conf {
    uint32_t port; /* of the implicit listener; 0: there are others, and they were not overridden */
    struct cyc_span host;
    uint32_t worker_threads; /* 0: what affinity and cgroup allow */
    enum cyc_health_endpoints health_endpoints;
    bool watch;
    uint32_t drain_delay_ms, shutdown_grace_ms;
};

struct cyc_admin_conf {
    bool is_enabled;
    struct cyc_span *addresses;
    uint32_t address_count;
    enum cyc_remote_access remote_access;
};

struct cyc_log_conf {
    uint32_t level; /* 0 trace, 1 debug, 2 info, 3 warn, 4 error */
    enum cyc_log_style format;
    struct cyc_span output; /* stderr, stdout or a file */
};

struct cyc_access_log_conf {
    bool is_enabled;
    struct cyc_span output;
    enum cyc_log_style format; /* json or text (combined-like) */
    uint32_t sample_permyriad; /* 10000: every request; failures are always logged */
    uint64_t buffer_bytes;
};

struct cyc_metrics_conf {
    bool is_enabled, has_quantiles, is_strict;
    struct cyc_span path;
    double *buckets_s; /* ascending */
    uint32_t bucket_count;
};

struct cyc_listener_conf {
    struct cyc_span name;
    struct cyc_span address; /* as written; checked */
    struct cyc_cidr *trusted_proxies;
    uint32_t trusted_proxy_count;
    uint32_t max_connections; /* 0: from the descriptor limit */
    uint32_t max_header_bytes, max_header_count, max_uri_bytes;
    uint64_t max_body_bytes; /* 0: unlimited */
    uint32_t max_requests;   /* per connection; 0: unlimited */
    enum cyc_default_route default_route;
    uint32_t header_timeout_ms, body_idle_timeout_ms, idle_timeout_ms, write_idle_timeout_ms,
        max_age_ms;
    struct cyc_conf_mark mark; /* where it was written, for later messages */
};

/** What a route does with a request: exactly one of these. */
enum cyc_route_action { CYC_ROUTE_TO = 0, CYC_ROUTE_RESPOND };

struct cyc_route_conf {
    struct cyc_span name;
    struct cyc_span to;         /* TO: as written, a cluster's name or a target */
    struct cyc_span *listeners; /* names; none: all */
    uint32_t listener_count;
    struct cyc_span *hosts; /* lower case; "*" or "*.suffix" or exact; none: any */
    uint32_t host_count;
    struct cyc_span *paths; /* "/exact", "/prefix/" + "*", or "/" + "*"; none: any */
    uint32_t path_count;
    struct cyc_span *methods; /* none: any */
    uint32_t method_count;
    enum cyc_route_action action;
    uint32_t cluster_index;  /* TO: into cyc_config.clusters (inline targets become clusters) */
    uint32_t respond_status; /* RESPOND */
    struct cyc_span respond_body, respond_content_type;
    struct cyc_feature_conf features; /* defaults, then `use`d bundles, then the route's own */
    struct cyc_conf_mark mark;
};

struct cyc_config {
    struct cyc_span file_path; /* empty: embedded default */
    struct cyc_server_conf server;
    struct cyc_network_conf network;
    struct cyc_timer_conf timer;
    struct cyc_memory_conf memory;
    struct cyc_admin_conf admin;
    struct cyc_log_conf log;
    struct cyc_access_log_conf access_log;
    struct cyc_metrics_conf metrics;
    struct cyc_feature_conf defaults;
    struct cyc_listener_conf *listeners;
    uint32_t listener_count;
    struct cyc_route_conf *routes; /* in file order; the catch-all of `upstream` last */
    uint32_t route_count;
    struct cyc_cluster_conf *clusters;
    uint32_t cluster_count;
    struct cyc_span effective_json; /* what GET /config shows: every value, secrets masked */
};

/** What is said outside the document; may be empty. */
struct cyc_config_overrides {
    const char *const *environment; /* "NAME=value", NULL-terminated; as in `environ` */
};

/**
 * Loads `text` (a whole YAML or JSON document).
 * @param arena  where everything goes; on failure its contents are of no use
 * @param file_path  for messages; empty: the document is our own (cyc_config_demo)
 * @param diag  receives every error and warning, with positions; its arena is another one
 * @return NULL when there was at least one error
 */
const struct cyc_config *cyc_config_load(struct cyc_arena *arena, struct cyc_span file_path,
                                         struct cyc_span text,
                                         const struct cyc_config_overrides *overrides,
                                         struct cyc_diag *diag);

/**
 * Reads and loads the file at `path`.
 * @param path  NULL: the first of $CYCLONE_CONFIG, ./cyclone.yaml, /etc/cyclone/cyclone.yaml,
 *              /etc/cyclone/config.yaml that exists, else the built-in demo
 */
const struct cyc_config *cyc_config_load_path(struct cyc_arena *arena, const char *path,
                                              const struct cyc_config_overrides *overrides,
                                              struct cyc_diag *diag);

/** The document that is used without one; conf/demo.yaml is its source. */
struct cyc_span cyc_config_demo(void);

/** The whole configuration as one table: for manuals and schemas. */
extern const struct cyc_conf_section cyc_config_section;

/**
 * `cyclone check [FILE] [--format text|json|github] [--strict]` on stdout.
 * @param argv  from "check" on
 * @return exit status: 0, 2 (usage) or 78 (a bad configuration; with --strict also a doubtful one)
 */
int cyc_config_check_command(int argc, char **argv);
/** `cyclone schema [--json|--markdown|--env]` on stdout. @param argv  from "schema" on
 *  @return exit status: 0 or 2 (usage) */
int cyc_config_schema_command(int argc, char **argv);

#endif
