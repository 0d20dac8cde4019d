/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas and a diag for tests of the configuration, and a look at what was reported. */
#ifndef CYC_TESTS_CONF_FIXTURE_H
#define CYC_TESTS_CONF_FIXTURE_H

#include "base/arena.h"
#include "conf/diag.h"

#include <stdio.h>
#include <string.h>

#ifndef CYC_SOURCE_DIR
#define CYC_SOURCE_DIR "."
#endif

struct fixture {
    struct cyc_mem mem;
    struct cyc_arena arena, messages;
    struct cyc_diag diag;
};

static inline void fixture_init(struct fixture *fixture)
{
    memset(fixture, 0, sizeof(*fixture));
    cyc_arena_init(&fixture->arena, &fixture->mem, CYC_MEM_CONFIG, NULL, 0);
    cyc_arena_init(&fixture->messages, &fixture->mem, CYC_MEM_CONFIG, NULL, 0);
    cyc_diag_init(&fixture->diag, &fixture->messages);
}

static inline void fixture_fini(struct fixture *fixture)
{
    cyc_arena_fini(&fixture->arena);
    cyc_arena_fini(&fixture->messages);
    assert_int_equal(fixture->mem.total_bytes, 0);
}

/** NUL-terminated; lives as long as the fixture. */
static inline const char *fixture_text(struct fixture *fixture, struct cyc_span text)
{
    return cyc_arena_copy(&fixture->messages, text).ptr;
}

static inline const char *fixture_report(struct fixture *fixture)
{
    return fixture_text(fixture,
                        cyc_diag_render(&fixture->diag, &fixture->messages, CYC_DIAG_TEXT));
}

/** Fails unless some message or hint holds `part`; NULL: unless there is none at all. */
static inline void fixture_expect(struct fixture *fixture, const char *part, const char *why)
{
    const char *report = fixture_report(fixture);

    if (part == NULL && report[0] != '\0')
        fail_msg("%s: nothing was wrong, but:\n%s", why, report);
    if (part != NULL && strstr(report, part) == NULL)
        fail_msg("%s: expected \"%s\" in:\n%s", why, part, report);
}

/** A file of the source tree, in the fixture's arena. */
static inline struct cyc_span fixture_file(struct fixture *fixture, const char *path)
{
    struct cyc_span full = cyc_arena_format(&fixture->arena, "%s/%s", CYC_SOURCE_DIR, path);
    FILE *file = fopen(full.ptr, "rb");
    size_t size = 256 << 10;
    char *bytes = cyc_arena_alloc(&fixture->arena, size);

    if (file == NULL)
        fail_msg("cannot read %s", full.ptr);
    size_t len = fread(bytes, 1, size, file);
    fclose(file);
    return cyc_span_of(bytes, len);
}

#endif
