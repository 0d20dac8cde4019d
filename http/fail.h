/* SPDX-License-Identifier: Apache-2.0 */
/* Why a request failed: the only vocabulary for it, from codec to access log. See fail.def. */
#ifndef CYC_HTTP_FAIL_H
#define CYC_HTTP_FAIL_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum cyc_fail {
    CYC_FAIL_NONE = 0,
#define CYC_FAIL_ROW(name, status, retry, flag, reason, text) CYC_FAIL_##name,
#include "http/fail.def"
#undef CYC_FAIL_ROW
    CYC_FAIL_COUNT
};

struct cyc_fail_info {
    uint16_t status;        /* 0: no answer, close */
    bool is_retryable;      /* another endpoint or connection may do better */
    struct cyc_span flag;   /* two letters for the access log; "-" for NONE */
    struct cyc_span reason; /* metric label and JSON log value; "" for NONE */
    struct cyc_span text;   /* for people */
};

/** Never NULL. */
const struct cyc_fail_info *cyc_fail_info(enum cyc_fail fail);

#endif
