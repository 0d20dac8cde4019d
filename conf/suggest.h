/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean": the closest of the words that would have been right. */
#ifndef CYC_CONF_SUGGEST_H
#define CYC_CONF_SUGGEST_H

#include "base/span.h"

#include <stdint.h>

#define CYC_SUGGEST_DISTANCE_MAX 2
#define CYC_SUGGEST_WORD_BYTES_MAX 64 /* longer words are not compared */

/** The best candidate so far. Start with {.word = what the user wrote}. */
struct cyc_suggest {
    struct cyc_span word;
    struct cyc_span best; /* empty: nothing is close */
    uint32_t best_distance;
};

/** Insertions, deletions, replacements and swaps of neighbours; UINT32_MAX when either is long. */
uint32_t cyc_suggest_distance(struct cyc_span a, struct cyc_span b);

/** Offers a candidate; one as close as the best so far does not replace it. */
void cyc_suggest_offer(struct cyc_suggest *suggest, struct cyc_span candidate);

#endif
