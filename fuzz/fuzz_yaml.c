/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole configurations: libyaml, the tree, the binding rows, the links, the reports.
 *
 * Whatever the bytes are, loading ends with a configuration or with at least one error, every
 * report renders, all memory comes back, and the effective configuration of what loads loads again.
 */
#include "base/assert.h"
#include "proxy/config.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *ptr, size_t len);

static const struct cyc_config *load(struct cyc_arena *arena, struct cyc_span text,
                                     struct cyc_diag *diag)
{
    static const char *const environment[] = {"A=1", "LIST=[a, b]", "CYCLONE_SERVER_WATCH=false",
                                              NULL};
    const struct cyc_config_overrides overrides = {environment};

    return cyc_config_load(arena, CYC_SPAN("fuzz.yaml"), text, &overrides, diag);
}

int LLVMFuzzerTestOneInput(const uint8_t *ptr, size_t len)
{
    struct cyc_mem mem = {.limit_bytes = 0};
    struct cyc_arena arena, messages;
    struct cyc_diag diag, again;

    cyc_arena_init(&arena, &mem, CYC_MEM_CONFIG, NULL, 0);
    cyc_arena_init(&messages, &mem, CYC_MEM_CONFIG, NULL, 0);
    cyc_diag_init(&diag, &messages);
    cyc_diag_init(&again, &messages);
    const struct cyc_config *config = load(&arena, cyc_span_of((const char *)ptr, len), &diag);
    cyc_assert((config == NULL) == (diag.error_count > 0));
    for (int format = CYC_DIAG_TEXT; format <= CYC_DIAG_GITHUB; format++)
        cyc_diag_render(&diag, &messages, (enum cyc_diag_format)format);
    if (config != NULL)
        cyc_assert(load(&arena, config->effective_json, &again) != NULL);
    cyc_arena_fini(&arena);
    cyc_arena_fini(&messages);
    cyc_assert(mem.total_bytes == 0);
    return 0;
}
