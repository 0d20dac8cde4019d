/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who the client is, and what the service is told about it.
 *
 * X-Forwarded-For, -Proto and -Host are believed from the listener's trusted_proxies and continued;
 * from anybody else they are replaced, and Forwarded, X-Real-IP and X-Forwarded-Client-Cert
 * removed. Via is continued in any case (RFC 9110 7.6.3).
 */
#ifndef CYC_PROXY_TRUST_H
#define CYC_PROXY_TRUST_H

#include "proxy/stream.h"

/** Once per request, before its chain: edits `req` and fills in exchange.client_ip. */
void cyc_trust_apply(struct cyc_stream *stream, struct cyc_msg *req);

#endif
