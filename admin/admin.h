/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin listener: metrics, health, and what the gateway thinks it is doing.
 *
 * It runs on the control thread, so nothing asked here slows a request. Who may ask for what:
 *
 *   loopback and UNIX peers     everything
 *   others                      admin.remote_access: read (the default): health and metrics;
 *                               none: nothing; full: everything
 *
 * Loopback peers must name this machine in Host (localhost or an IP), so that a web page cannot
 * reach the listener through a name that it makes resolve to 127.0.0.1 (DNS rebinding).
 */
#ifndef CYC_ADMIN_ADMIN_H
#define CYC_ADMIN_ADMIN_H

#include "base/buf.h"
#include "http/msg.h"
#include "proxy/master.h"

#include <stdbool.h>
#include <stdint.h>

struct cyc_admin;

/** What an endpoint answers with. */
struct cyc_admin_answer {
    uint32_t status;
    struct cyc_span content_type;
    struct cyc_buf body;
};

/** One path of the admin listener. */
struct cyc_admin_endpoint {
    struct cyc_span path;
    bool is_open_to_remote; /* with remote_access: read */
    void (*answer)(struct cyc_master *master, const struct cyc_msg *req,
                   struct cyc_admin_answer *answer);
};

/** Opens the listeners of the configuration. @return false, said on stderr, when one cannot be
 *  opened; *ret_admin is NULL when admin.enabled is false */
bool cyc_admin_start(struct cyc_master *master, struct cyc_admin **ret_admin);
/** Where its first listener is, as text. @param out  CYC_ADDR_TEXT_BYTES_MAX bytes
 *  @return bytes written, no NUL; 0 without admin */
size_t cyc_admin_format_address(const struct cyc_admin *admin, char *out);
/** Closes everything. NULL is a no-op. */
void cyc_admin_stop(struct cyc_admin *admin);

/* Endpoints: admin/ep_*.c */
void cyc_ep_health(struct cyc_master *master, const struct cyc_msg *req,
                   struct cyc_admin_answer *answer);
void cyc_ep_metrics(struct cyc_master *master, const struct cyc_msg *req,
                    struct cyc_admin_answer *answer);
void cyc_ep_config(struct cyc_master *master, const struct cyc_msg *req,
                   struct cyc_admin_answer *answer);
void cyc_ep_clusters(struct cyc_master *master, const struct cyc_msg *req,
                     struct cyc_admin_answer *answer);
/** Registers the metrics that are computed when asked for. Once. */
void cyc_ep_metrics_register(struct cyc_master *master);

/** printf into the answer; at most 1 KiB a call. */
__attribute__((format(printf, 2, 3))) void cyc_admin_print(struct cyc_admin_answer *answer,
                                                           const char *format, ...);
/** Appends a JSON string with its quotes. */
void cyc_admin_print_json(struct cyc_admin_answer *answer, struct cyc_span text);

#endif
