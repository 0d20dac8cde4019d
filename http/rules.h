/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Message rules shared by all codecs: framing, hosts, hop-by-hop fields (RFC 9110, RFC 9112,
 * docs/security.md). Bytes and meaning only: nothing here knows a connection.
 */
#ifndef CYC_HTTP_RULES_H
#define CYC_HTTP_RULES_H

#include "http/fail.h"
#include "http/msg.h"

/**
 * Turns a freshly parsed HTTP/1 request head into a neutral one: decides the body (Content-Length,
 * Transfer-Encoding), checks Host and target, splits path and query, notes Upgrade, TE and Expect,
 * and removes hop-by-hop fields with everything Connection nominates.
 * @param ret_is_close  the client asked for, or its version implies, a close after this exchange
 * @return NONE, or why the request is refused
 */
enum cyc_fail cyc_rules_request(struct cyc_msg *msg, bool *ret_is_close);

/**
 * The same for a response, given the method it answers.
 * @param is_upgrade_asked  the request asked for the upgrade a 101 may grant
 * @return NONE or UPSTREAM_PROTOCOL
 */
enum cyc_fail cyc_rules_response(struct cyc_msg *msg, enum cyc_method method, bool is_upgrade_asked,
                                 bool *ret_is_close);

/** Removes what may not be in trailers (RFC 9110 6.5.1). */
void cyc_rules_trailers(struct cyc_msg *trailers);

/** RFC 9110 7.2, RFC 3986 3.2.2: reg-name, IPv4 or [IPv6], optional port, no userinfo. */
bool cyc_rules_is_authority(struct cyc_span authority);

/** Field values: no CR, LF, NUL or other control character but HTAB. */
bool cyc_rules_is_value(struct cyc_span value);

#endif
