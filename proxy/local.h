/* SPDX-License-Identifier: Apache-2.0 */
/* Answers Cyclone gives itself: fixed responses, health, and the built-in demo service. */
#ifndef CYC_PROXY_LOCAL_H
#define CYC_PROXY_LOCAL_H

#include "proxy/stream.h"

/** Routes of kind RESPOND, FAIL and HEALTH. */
extern const struct cyc_stream_source cyc_local_source;
/** Kind DEMO: says what it received; /status/N, /delay/MS, /bytes/N, /stream/N. */
extern const struct cyc_stream_source cyc_demo_source;

#endif
