/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Date field's text, formatted once a second for all answers of a worker (RFC 9110 6.6.1).
 */
#ifndef CYC_HTTP_DATE_H
#define CYC_HTTP_DATE_H

#include "base/clock.h"

#include <stdint.h>

/** "Sun, 06 Nov 1994 08:49:37 GMT" */
#define CYC_DATE_BYTES 29

/** Zero it, keep one per worker. */
struct cyc_date_cache {
    uint64_t wall_s; /* the second `text` is of */
    char text[CYC_DATE_BYTES + 3];
};

/** @return CYC_DATE_BYTES bytes in the cache, valid until the next call */
static inline const char *cyc_date_text(struct cyc_date_cache *cache, const struct cyc_clock *clock)
{
    uint64_t wall_s = clock->wall_ns / CYC_NS_PER_S;
    if (wall_s != cache->wall_s || cache->text[0] == 0) {
        cyc_format_http_date(cache->text, clock->wall_ns);
        cache->wall_s = wall_s;
    }
    return cache->text;
}

#endif
