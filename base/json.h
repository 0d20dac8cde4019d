/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text from anywhere, made safe to stand inside a JSON string or on a log line.
 */
#ifndef CYC_BASE_JSON_H
#define CYC_BASE_JSON_H

#include "base/span.h"

#include <stddef.h>

/** What one input byte can grow to: \u001f. */
#define CYC_JSON_ESCAPE_BYTES_MAX 6

/**
 * Escapes for the inside of a JSON string (no quotes around it). Control characters, DEL, the C1
 * controls, quotes and backslashes are escaped; each byte that is not UTF-8 becomes U+FFFD, so the
 * output always is.
 * @param max_bytes  of `out`; what does not fit is left out, at the end of a character
 * @return bytes written
 */
size_t cyc_json_escape(char *out, size_t max_bytes, struct cyc_span text);
/** The same for plain text lines: quotes stay as they are. */
size_t cyc_text_escape(char *out, size_t max_bytes, struct cyc_span text);

#endif
