/* SPDX-License-Identifier: Apache-2.0 */
/* The far end of the chain: pick, try, try again, stream both ways. */
#ifndef CYC_PROXY_FORWARD_H
#define CYC_PROXY_FORWARD_H

#include "proxy/stream.h"

extern const struct cyc_stream_source cyc_forward_source;
extern const struct cyc_attempt_vt cyc_forward_attempt_vt;

#endif
