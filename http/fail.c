/* SPDX-License-Identifier: Apache-2.0 */
#include "http/fail.h"

#include "base/assert.h"

const struct cyc_fail_info *cyc_fail_info(enum cyc_fail fail)
{
    static const struct cyc_fail_info infos[CYC_FAIL_COUNT] = {
        [CYC_FAIL_NONE] = {0, false, CYC_SPAN_INIT("-"), CYC_SPAN_INIT(""), CYC_SPAN_INIT("")},
#define CYC_FAIL_ROW(name, status, retry, flag, reason, text)                                      \
    [CYC_FAIL_##                                                                                   \
        name] = {status, retry, CYC_SPAN_INIT(flag), CYC_SPAN_INIT(reason), CYC_SPAN_INIT(text)},
#include "http/fail.def"
#undef CYC_FAIL_ROW
    };
    cyc_assert((unsigned)fail < CYC_FAIL_COUNT);
    return &infos[fail];
}
