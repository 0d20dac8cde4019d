/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the control thread share with each other and with nobody else. */
#ifndef CYC_PROXY_MASTER_INTERNAL_H
#define CYC_PROXY_MASTER_INTERNAL_H

#include "proxy/health.h"
#include "proxy/master.h"

#include <stdio.h>

/* proxy/reload.c */

/** Loads the first configuration into master->current. @return 0 or an exit status; errors on
 * stderr */
int cyc_master_first_config(struct cyc_master *master);
/** Opens what listeners are new and sends every worker its view. Takes the snapshot in any case.
 *  @param errors  where a listener that cannot be opened is reported; NULL: to the log
 *  @return false when a listener could not be opened; nothing has changed then */
bool cyc_master_publish(struct cyc_master *master, struct cyc_snapshot *snapshot, FILE *errors);
/** Reloads when the configuration file has changed (server.watch). Called once a second. */
void cyc_master_watch(struct cyc_master *master);

/* proxy/master_start.c */

void cyc_master_register_core(struct cyc_master *master);
void cyc_master_log_start(struct cyc_master *master);
/** Size of a log ring for that configuration: a power of two. */
uint32_t cyc_master_ring_bytes(const struct cyc_config *config);

#endif
