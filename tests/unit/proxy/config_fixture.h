/* SPDX-License-Identifier: Apache-2.0 */
/* Loads documents for tests. */
#ifndef CYC_TESTS_CONFIG_FIXTURE_H
#define CYC_TESTS_CONFIG_FIXTURE_H

#include "conf/text.h"
#include "proxy/config.h"
#include "tests/unit/conf/fixture.h"

static inline const struct cyc_config *load_text(struct fixture *fixture, const char *text)
{
    return cyc_config_load(&fixture->arena, CYC_SPAN("f"), cyc_span_from_text(text), NULL,
                           &fixture->diag);
}

static inline const struct cyc_config *load_good(struct fixture *fixture, const char *text)
{
    const struct cyc_config *config = load_text(fixture, text);

    fixture_expect(fixture, NULL, "a good document");
    assert_non_null(config);
    return config;
}

struct config_case {
    const char *text;
    const char *part; /* of the report; NULL: the document is good */
    const char *why;
};

/** Loads each document; `part` must be in its report. */
static inline void check_reports(const struct config_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct fixture fixture;
        fixture_init(&fixture);
        const struct cyc_config *config = load_text(&fixture, cases[i].text);
        fixture_expect(&fixture, cases[i].part, cases[i].why);
        assert_int_equal(config == NULL, fixture.diag.error_count > 0);
        fixture_fini(&fixture);
    }
}

static inline void assert_text(struct cyc_span text, const char *expected)
{
    if (!cyc_span_equal(text, cyc_span_from_text(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", (int)text.len, text.ptr, expected);
}

#endif
