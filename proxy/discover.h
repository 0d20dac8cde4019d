/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where services are: endpoints that are names, resolved on the control thread and kept fresh.
 *
 * Every cluster with a name among its endpoints is resolved when it appears and again when the
 * answer is as old as its TTL says; workers get the whole list of endpoints when it has changed. A
 * name that cannot be resolved keeps the addresses it had.
 */
#ifndef CYC_PROXY_DISCOVER_H
#define CYC_PROXY_DISCOVER_H

#include "proxy/snapshot.h"

struct cyc_discover;
struct cyc_master;

struct cyc_discover *cyc_discover_create(struct cyc_master *master);
void cyc_discover_destroy(struct cyc_discover *discover);
/** The clusters from now on. Those whose names are known already go on without a pause. */
void cyc_discover_set(struct cyc_discover *discover, const struct cyc_snapshot *snapshot);
/** Every name has been looked up at least once, with whatever result. */
bool cyc_discover_is_settled(const struct cyc_discover *discover);
/** The endpoints of a cluster as last resolved, for /clusters. Borrowed for the call.
 *  @return NULL with *ret_count 0 when there are none */
const struct cyc_endpoint_spec *cyc_discover_endpoints(const struct cyc_discover *discover,
                                                       struct cyc_span cluster,
                                                       uint32_t *ret_count);

#endif
