/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line per request, as JSON or as text.
 *
 * JSON begins with the nine keys of the deployment guide, always there and in its order; the others
 * follow when they are known. The path is logged without the query string: that is where tokens and
 * names of people are.
 *
 *   {"timestamp":"2026-01-15T10:30:00.123Z","level":"INFO","service":"cyclone","request_id":"...",
 *    "method":"GET","path":"/api/v1/users","status":200,"duration_ms":15,"bytes_sent":1024,
 *    "duration_us":15204,"route":"users","cluster":"backend","upstream":"10.0.0.5:8080",
 *    "upstream_ms":14,"reason":"...","flags":"..","protocol":"HTTP/1.1","client_ip":"192.0.2.7",
 *    "host":"shop.example","user_agent":"curl/8.5.0","bytes_received":0,"attempts":1,
 *    "origin":"upstream"}
 *
 * Text is the combined format (readable by the usual tools), with what it lacks at the end:
 *
 *   192.0.2.7 - - [15/Jan/2026:10:30:00 +0000] "GET /api/v1/users HTTP/1.1" 200 1024 "-"
 * "curl/8.5.0" 15204us route=users upstream=10.0.0.5:8080 flags=- request_id=...
 */
#ifndef CYC_FILTERS_ACCESS_LOG_FORMAT_H
#define CYC_FILTERS_ACCESS_LOG_FORMAT_H

#include "filters/exchange.h"

#include <stddef.h>

/** Room for the longest line; long values are cut to make it so. */
#define CYC_ACCESS_LOG_LINE_BYTES_MAX 8192

/** @param out  CYC_ACCESS_LOG_LINE_BYTES_MAX bytes @return bytes written, the line break included
 */
size_t cyc_access_log_json(const struct cyc_exchange *exchange, char *out);
size_t cyc_access_log_text(const struct cyc_exchange *exchange, char *out);

#endif
