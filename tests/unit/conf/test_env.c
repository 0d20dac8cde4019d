/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/env.h"
#include "tests/unit/conf/fixture.h"

static const char *const environment[] = {"HOST=app.internal", "EMPTY=", "WITH=a=b", NULL};

static void env__references_are_expanded(void **state)
{
    static const struct {
        const char *text, *expanded, *why;
    } cases[] = {
        {"plain", "plain", "no dollar"},
        {"${HOST}:80", "app.internal:80", "set"},
        {"${WITH}", "a=b", "only the first = splits"},
        {"${NONE:-10.0.0.1:80}", "10.0.0.1:80", "default with a colon"},
        {"${EMPTY:-x}", "x", "empty counts as unset when there is a default, as in a shell"},
        {"a${EMPTY}b", "ab", "empty without a default is empty"},
        {"${NONE:-}", "", "empty default"},
        {"$${HOST}", "${HOST}", "escaped"},
        {"$$$$", "$$", "escaped twice"},
        {"$5 $HOST", "$5 $HOST", "other dollars stay"},
        {"${HOST}${HOST}", "app.internalapp.internal", "two"},
        {"cost: 5$", "cost: 5$", "dollar at the end"},
    };
    const struct cyc_conf_mark mark = {"f", 1, 1, 2};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture fixture;
        fixture_init(&fixture);
        struct cyc_span out = cyc_env_expand(&fixture.arena, &fixture.diag, environment,
                                             cyc_span_from_text(cases[i].text), &mark);
        if (strcmp(fixture_text(&fixture, out), cases[i].expanded) != 0)
            fail_msg("%s: %.*s", cases[i].why, (int)out.len, out.ptr);
        fixture_expect(&fixture, NULL, cases[i].why);
        fixture_fini(&fixture);
    }
}

static void env__bad_references_are_errors_at_their_place(void **state)
{
    static const struct {
        const char *text, *message, *why;
    } cases[] = {
        {"ab${NONE}", "f:1:5: error: the environment has no NONE", "unset"},
        {"${HOST", "f:1:3: error: not a variable", "no end"},
        {"${}", "not a variable", "no name"},
        {"${1A}", "not a variable", "bad name"},
        {"${HOST:x}", "not a variable", "only :- is known"},
    };
    const struct cyc_conf_mark mark = {"f", 1, 3, 4};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture fixture;
        fixture_init(&fixture);
        cyc_env_expand(&fixture.arena, &fixture.diag, environment,
                       cyc_span_from_text(cases[i].text), &mark);
        fixture_expect(&fixture, cases[i].message, cases[i].why);
        fixture_fini(&fixture);
    }
}

/* ---- overrides --------------------------------------------------------------------------------
 */

struct settings {
    uint32_t port;
    bool is_fast;
    struct cyc_span *places;
    uint32_t place_count;
};

#define AT(field) (uint32_t) offsetof(struct settings, field)

static const struct cyc_conf_row rows[] = {
    {"port", CYC_CONF_U32, AT(port), "80", "1", "65535", .doc = ""},
    {"fast", CYC_CONF_BOOL, AT(is_fast), "false", NULL, NULL, .doc = ""},
    {"places", CYC_CONF_TEXTS, AT(places), NULL, NULL, NULL, .doc = "",
     .count_offset = AT(place_count)},
    {0},
};
static const struct cyc_conf_section section = {
    .doc = "", .rows = rows, .later = "slow", .has_env = true};
static const struct cyc_conf_section silent = {.doc = "", .rows = rows};
static const struct cyc_conf_row root_rows[] = {
    {"server", CYC_CONF_SECTION, 0, NULL, NULL, NULL, .doc = "", .section = &section},
    {"silent", CYC_CONF_SECTION, 0, NULL, NULL, NULL, .doc = "", .section = &silent},
    {0},
};
static const struct cyc_conf_section root = {.doc = "", .rows = root_rows, .later = "tls"};

static void apply(struct fixture *fixture, const char *const *variables, struct settings *settings)
{
    struct cyc_conf_bind bind = {
        .arena = &fixture->arena, .scratch = &fixture->arena, .diag = &fixture->diag};

    *settings = (struct settings){.port = 80};
    cyc_env_apply(&bind, variables, &root, settings);
}

static void env__variables_override_scalars(void **state)
{
    static const char *const variables[] = {"PATH=/bin",
                                            "CYCLONE_SERVER_PORT=9000",
                                            "CYCLONE_SERVER_FAST=1",
                                            "CYCLONE_SERVER_PLACES=here",
                                            "CYCLONE_CONFIG=/x.yaml",
                                            "CYCLONE_LOG=debug",
                                            NULL};
    struct fixture fixture;
    struct settings settings;
    (void)state;
    fixture_init(&fixture);
    apply(&fixture, variables, &settings);
    assert_int_equal(settings.port, 9000);
    assert_true(settings.is_fast);
    assert_int_equal(settings.place_count, 1);
    fixture_expect(&fixture, NULL, "all are known");
    fixture_fini(&fixture);
}

static void env__what_is_wrong_with_variables_is_said(void **state)
{
    static const struct {
        const char *variable, *message, *why;
    } cases[] = {
        {"CYCLONE_SERVER_PROT=1",
         "env:CYCLONE_SERVER_PROT: warning: no such setting; did you mean CYCLONE_SERVER_PORT?",
         "typo"},
        {"CYCLONE_SILENT_PORT=1", "warning: no such setting", "the section has no variables"},
        {"CYCLONE_SERVER_PORT=0", "env:CYCLONE_SERVER_PORT: error: 0 is out of range", "range"},
        {"CYCLONE_SERVER_FAST=yes", "expected true or false", "type"},
        {"CYCLONE_SERVER_SLOW=1", "error: not in this version yet", "a key of a later version"},
        {"CYCLONE_TLS_ENABLED=true", "error: not in this version yet", "a section of one"},
        {"CYCLONE_TLS_ENABLED=false", NULL, "off is what it is"},
        {"CYCLONE_SERVER_PORT=tcp://10.0.0.1:80", NULL, "a Kubernetes service link"},
        {"CYCLONE_SERVICE_PORT_8080_TCP_ADDR=10.0.0.1", NULL, "another"},
        {"CYCLONE_X_SERVICE_HOST=10.0.0.1", NULL, "another"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *const variables[] = {cases[i].variable, NULL};
        struct fixture fixture;
        struct settings settings;
        fixture_init(&fixture);
        apply(&fixture, variables, &settings);
        fixture_expect(&fixture, cases[i].message, cases[i].why);
        assert_int_equal(settings.port, 80);
        fixture_fini(&fixture);
    }
}

static void env__lists_its_names(void **state)
{
    struct fixture fixture;
    struct cyc_text text;
    (void)state;
    fixture_init(&fixture);
    cyc_text_init(&text, &fixture.arena);
    cyc_env_list(&text, &root);
    assert_string_equal(fixture_text(&fixture, cyc_text_span(&text)),
                        "CYCLONE_SERVER_PORT\nCYCLONE_SERVER_FAST\nCYCLONE_SERVER_PLACES\n");
    fixture_fini(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(env__references_are_expanded),
        cmocka_unit_test(env__bad_references_are_errors_at_their_place),
        cmocka_unit_test(env__variables_override_scalars),
        cmocka_unit_test(env__what_is_wrong_with_variables_is_said),
        cmocka_unit_test(env__lists_its_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
