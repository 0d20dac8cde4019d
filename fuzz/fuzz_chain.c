/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter chain: every byte is a choice of a filter, an end or a peer.
 *
 * The promises are those of tests/loop/chain_model.h. When the bytes are used up, everybody does
 * what comes last in the list of possibilities: filters go on, peers are resumed.
 */
#include "tests/loop/chain_model.h"

#define CHOICE_COUNT_MAX 4096 /* a life needs a few hundred */

int LLVMFuzzerTestOneInput(const uint8_t *ptr, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *ptr, size_t len)
{
    memset(&t, 0, sizeof(t));
    fixture_init(&t.f);
    t.choices = cyc_span_of((const char *)ptr, len < CHOICE_COUNT_MAX ? len : CHOICE_COUNT_MAX);
    life_run();
    fixture_fini(&t.f);
    cyc_assert(t.f.mem.total_bytes == 0);
    return 0;
}
