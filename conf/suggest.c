/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/suggest.h"

static uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Damerau-Levenshtein, optimal string alignment: three rows of the table are enough. */
uint32_t cyc_suggest_distance(struct cyc_span a, struct cyc_span b)
{
    uint32_t rows[3][CYC_SUGGEST_WORD_BYTES_MAX + 1];

    if (a.len > CYC_SUGGEST_WORD_BYTES_MAX || b.len > CYC_SUGGEST_WORD_BYTES_MAX)
        return UINT32_MAX;
    for (uint32_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (uint32_t i = 1; i <= a.len; i++) {
        uint32_t *row = rows[i % 3], *above = rows[(i - 1) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (uint32_t j = 1; j <= b.len; j++) {
            uint32_t cost = a.ptr[i - 1] != b.ptr[j - 1];
            row[j] = min_u32(min_u32(above[j] + 1, row[j - 1] + 1), above[j - 1] + cost);
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1])
                row[j] = min_u32(row[j], above2[j - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}

void cyc_suggest_offer(struct cyc_suggest *suggest, struct cyc_span candidate)
{
    size_t a = suggest->word.len, b = candidate.len;
    size_t gap = a > b ? a - b : b - a;

    if (gap > CYC_SUGGEST_DISTANCE_MAX)
        return;
    uint32_t distance = cyc_suggest_distance(suggest->word, candidate);
    /* A word of three letters is two edits away from nearly any other. */
    uint32_t allowed = min_u32(CYC_SUGGEST_DISTANCE_MAX, (uint32_t)(a > b ? a : b) / 2);
    if (distance > allowed || (suggest->best.len > 0 && distance >= suggest->best_distance))
        return;
    suggest->best = candidate;
    suggest->best_distance = distance;
}
