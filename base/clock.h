/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What time it is, read once a turn by the I/O engine and by nobody else.
 *
 * Everything on a worker asks its `struct cyc_clock`, so a turn sees one time, a simulated run sees
 * simulated time, and no request pays for a clock call.
 */
#ifndef CYC_BASE_CLOCK_H
#define CYC_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define CYC_NS_PER_S 1000000000ull
#define CYC_NS_PER_MS 1000000ull
#define CYC_NS_PER_US 1000ull

struct cyc_clock {
    uint64_t now_ns;  /* monotonic */
    uint64_t wall_ns; /* since 1970-01-01T00:00:00Z */
};

/** "2026-01-15T10:30:00.123Z" @param out  at least 24 bytes @return 24 */
size_t cyc_format_rfc3339(char *out, uint64_t wall_ns);
/** "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7) @param out  at least 29 bytes @return 29 */
size_t cyc_format_http_date(char *out, uint64_t wall_ns);

#endif
