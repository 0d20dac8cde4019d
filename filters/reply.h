/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that are Cyclone's own: failures, fixed responses, what filters say in place of the
 * upstream.
 *
 * Messages live in the exchange's arena. Bodies are appended to the caller's queue, and only where
 * the answer really has one: to a HEAD request, or with 204 and 304, the head says how long it
 * would have been and nothing follows.
 */
#ifndef CYC_FILTERS_REPLY_H
#define CYC_FILTERS_REPLY_H

#include "base/buf.h"
#include "filters/exchange.h"

/**
 * A response head for a body of `body_bytes` that the caller will send, unless the result's `body`
 * is CYC_BODY_NONE.
 * @param content_type  empty: none is said; borrowed for the life of the request
 */
struct cyc_msg *cyc_reply_head(struct cyc_exchange *exchange, uint32_t status,
                               struct cyc_span content_type, uint64_t body_bytes);

/**
 * Says in plain text what went wrong ("503 upstream_connect: could not connect to the service"),
 * with the reason also in Proxy-Status (RFC 9209). Sets exchange->fail.
 * @param why  one that has a status
 */
struct cyc_msg *cyc_reply_fail(struct cyc_exchange *exchange, enum cyc_fail why,
                               struct cyc_buf *body);

/** Plain text of the caller's choice; copied. */
struct cyc_msg *cyc_reply_text(struct cyc_exchange *exchange, uint32_t status, struct cyc_span text,
                               struct cyc_buf *body);

/** Stands in for a request whose head could not be read: no method, no path, no fields. */
struct cyc_msg *cyc_reply_blank_request(struct cyc_exchange *exchange);

#endif
