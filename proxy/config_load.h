/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of cyc_config_load: what its files share.
 *
 * Loading goes through three passes, and each goes on behind its errors so that all are shown:
 *   bind   the tree into structs, key by key (config.c and the rows)
 *   link   names to what they name, targets to clusters, bundles to routes (config_link.c)
 *   judge  what is well-formed but cannot be meant (config_reach.c)
 */
#ifndef CYC_PROXY_CONFIG_LOAD_H
#define CYC_PROXY_CONFIG_LOAD_H

#include "conf/table.h"
#include "proxy/config.h"

/** A named set of features in `filters`. */
struct cyc_bundle {
    struct cyc_span name; /* first: elements of a map start with it */
    const struct cyc_node *node;
    struct cyc_feature_conf features; /* bound once, to find its errors where they are */
};

/** server.port while nobody has set it. */
#define CYC_CONFIG_PORT_UNSET UINT32_MAX

/** The struct behind the document. */
struct cyc_config_load {
    struct cyc_config config; /* first: what is handed out */
    uint32_t version;
    struct cyc_bundle *bundles;
    uint32_t bundle_count;
    struct cyc_cluster_conf upstream; /* mark.line 0: not given */
    const struct cyc_node *root;
    const struct cyc_node **route_nodes; /* one a route; NULL: made by `upstream` */
    struct cyc_conf_bind bind;
};

extern const struct cyc_conf_section cyc_server_section, cyc_admin_section, cyc_log_section,
    cyc_access_log_section, cyc_metrics_section, cyc_listener_section, cyc_route_section,
    cyc_bundle_section;

/** Makes the implicit listener, applies server.port, refuses addresses used twice. */
void cyc_config_finish_listeners(struct cyc_config_load *load);
/** Names, references, targets; appends the cluster and the route of `upstream`. */
void cyc_config_link(struct cyc_config_load *load);
/** Refuses routes that never match. */
void cyc_config_check_reach(struct cyc_config_load *load);
/** The effective configuration as JSON, in the configuration's arena. */
struct cyc_span cyc_config_effective(const struct cyc_config_load *load);

#endif
