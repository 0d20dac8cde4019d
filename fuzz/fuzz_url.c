/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Targets and paths. What is accepted is visible ASCII; what is normalised has no dot segment and
 * no needless escape left, and normalising it again changes nothing.
 */
#include "base/arena.h"
#include "base/assert.h"
#include "base/mem.h"
#include "http/rules.h"
#include "http/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *ptr, size_t len);

static bool is_dot_segment(struct cyc_span segment)
{
    return cyc_span_equal(segment, CYC_SPAN(".")) || cyc_span_equal(segment, CYC_SPAN(".."));
}

static void check_normal(struct cyc_span path)
{
    cyc_assert(path.len > 0 && path.ptr[0] == '/');
    for (size_t from = 1, to; from <= path.len; from = to + 1) {
        to = cyc_span_find_char(path, '/', from);
        cyc_assert(!is_dot_segment(cyc_span_slice(path, from, to)));
    }
    for (size_t i = 0; i < path.len; i++) {
        uint64_t value;
        if (path.ptr[i] != '%')
            continue;
        cyc_assert(cyc_span_parse_hex(cyc_span_slice(path, i + 1, i + 3), &value));
        cyc_assert(path.len - i >= 3 && value != 0 && value != '.' && value != 'a');
    }
}

static void check_path(struct cyc_span path, struct cyc_arena *arena)
{
    struct cyc_span once, twice;

    if (!cyc_path_normalise(path, arena, &once))
        return;
    cyc_assert(once.len <= path.len);
    check_normal(once);
    cyc_assert(cyc_path_normalise(once, arena, &twice));
    cyc_assert(cyc_span_equal(once, twice));
}

static void check_target(struct cyc_span target, enum cyc_method method, struct cyc_arena *arena)
{
    struct cyc_target parsed;

    if (!cyc_target_parse(target, method, &parsed))
        return;
    for (size_t i = 0; i < target.len; i++)
        cyc_assert(target.ptr[i] > ' ' && target.ptr[i] < 0x7f && target.ptr[i] != '#');
    if (parsed.form == CYC_TARGET_AUTHORITY)
        return;
    cyc_assert(cyc_span_find_char(parsed.path, '?', 0) == parsed.path.len);
    if (parsed.path.ptr[0] == '/')
        check_path(parsed.path, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *ptr, size_t len)
{
    struct cyc_mem mem = {0};
    struct cyc_arena arena;
    struct cyc_span input = cyc_span_of((const char *)ptr, len);

    cyc_arena_init(&arena, &mem, CYC_MEM_STREAMS, NULL, 0);
    check_target(input, CYC_METHOD_GET, &arena);
    check_target(input, CYC_METHOD_OPTIONS, &arena);
    check_target(input, CYC_METHOD_CONNECT, &arena);
    if (len > 0 && ptr[0] == '/')
        check_path(input, &arena);
    if (cyc_rules_is_authority(input))
        cyc_assert(cyc_rules_is_value(input) && cyc_span_find_char(input, '@', 0) == len);
    cyc_arena_fini(&arena);
    return 0;
}
