/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections to one endpoint of one worker: leases, idle ones, and who waits.
 *
 * A lease is for one request and goes back with exactly one of put (clean: keep it) or discard.
 * Idle connections are handed out last in, first out, and every one of them has a read armed: one
 * that the service closes is gone from the pool in the turn its end arrives, so it is not handed
 * out dead.
 *
 * While attempts wait there is neither an idle connection nor room for one that is in reach of this
 * worker: whatever becomes free goes to the first of them.
 */
#ifndef CYC_UPSTREAM_POOL_H
#define CYC_UPSTREAM_POOL_H

#include "upstream/cluster.h"

struct cyc_attempt;
struct cyc_upstream_conn;

/** How the pool talks to those it leases to; attempts bring it along. */
struct cyc_lease_vt {
    struct cyc_codec_events events; /* of the leased connection's codec; owner: the attempt */
    /** attempt->conn is leased to it: open an exchange and send. Calls nobody else back. */
    void (*on_lease)(struct cyc_attempt *attempt);
    /** The lease, or the wait for one, has ended; the connection is no more the attempt's.
     *  @param why  NONE: both directions ended well */
    void (*on_end)(struct cyc_attempt *attempt, enum cyc_fail why, bool may_replay);
    /** From cyc_upstreams_run(), after cyc_upstreams_add_due(). */
    void (*on_due)(struct cyc_attempt *attempt);
};

/** An idle connection, leased to `attempt`, or NULL. */
struct cyc_upstream_conn *cyc_pool_try_lease(struct cyc_endpoint *endpoint,
                                             struct cyc_attempt *attempt);
/** Opens a new one for `attempt`, which gets on_lease or on_end later; when that fails at once it
 * is due with its start_fail set.
 *  @return false at max_per_endpoint: queue the attempt with cyc_pool_wait */
bool cyc_pool_connect(struct cyc_endpoint *endpoint, struct cyc_attempt *attempt);
/** @return an endpoint with an idle connection or room for one, or NULL */
struct cyc_endpoint *cyc_pool_find_room(struct cyc_cluster *cluster);

/** Queues in order of arrival. @return false when max_pending already wait */
bool cyc_pool_wait(struct cyc_cluster *cluster, struct cyc_attempt *attempt);
/** Leaves the queue. No-op when not in it. */
void cyc_pool_unwait(struct cyc_attempt *attempt);
/** Endpoints or limits changed: starts the waiting attempts there is room for now. */
void cyc_pool_serve(struct cyc_cluster *cluster);
/** All that wait fail, when cyc_upstreams_run() runs next. */
void cyc_pool_fail_waiting(struct cyc_cluster *cluster, enum cyc_fail why);

/** Keeps it for the next one, if it is fit for it and there is room; closes it otherwise. */
void cyc_pool_put(struct cyc_upstream_conn *uc);
void cyc_pool_discard(struct cyc_upstream_conn *uc);
/** The attempt gives up. A connection that is being opened goes on to the pool; one whose exchange
 * is complete goes back to it; any other is discarded. */
void cyc_pool_abandon(struct cyc_upstream_conn *uc, bool is_complete);
/** After calls on the codec: applies its wishes, and ends the lease if the exchange ended. No-op
 *  inside the codec's events: it is done when the codec has returned. */
void cyc_pool_settle(struct cyc_upstream_conn *uc);

#endif
