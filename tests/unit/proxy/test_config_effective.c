/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/manual.h"
#include "tests/unit/proxy/config_fixture.h"

static const char document[] = "server: {port: 81}\n"
                               "admin: {address: [':9', 'unix:/x']}\n"
                               "defaults: {retry: false, response_headers: {set: {A: '\"'}}}\n"
                               "filters: {f: {timeout: 2s}}\n"
                               "listeners: {w: {address: ':80', trusted_proxies: 10.0.0.0/8}}\n"
                               "routes:\n"
                               "- {path: /a/*, host: x.y, to: 'b:1', use: f, max_body_size: 1MiB}\n"
                               "- {path: /t, respond: {status: 200, body: \"l\\n\"}}\n"
                               "clusters: {c: ['unix:/y', {address: dns://a:1, weight: 3}]}\n";

static void config_effective__loads_to_itself(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    const struct cyc_config *config = load_good(&fixture, document);
    const char *first = fixture_text(&fixture, config->effective_json);
    const struct cyc_config *again = load_good(&fixture, first);
    assert_string_equal(fixture_text(&fixture, again->effective_json), first);
    fixture_fini(&fixture);
}

static void config_effective__routes_show_what_is_theirs(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    const char *json = fixture_text(&fixture, load_good(&fixture, document)->effective_json);
    static const char *const parts[] = {
        "{\"name\": \"route-1\", \"host\": [\"x.y\"], \"path\": [\"/a/*\"], \"to\": \"b:1\", "
        "\"timeout\": \"2s\", \"max_body_size\": \"1MiB\"}",
        "\"trusted_proxies\": [\"10.0.0.0/8\"]",
        "\"response_headers\": {\"set\": {\"A\": \"\\\"\"}, \"add\": {}, \"remove\": []}",
        "\"endpoints\": [{\"address\": \"unix:/y\", \"weight\": 100}, {\"address\": "
        "\"dns://a:1\", \"weight\": 3}]",
        "\"retry\": {\"attempts\": 0, \"on\": [\"connect\", \"reset\"], \"per_try_timeout\": "
        "\"0\"}",
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (strstr(json, parts[i]) == NULL)
            fail_msg("no %s in:\n%s", parts[i], json);
    fixture_fini(&fixture);
}

typedef void write_document(struct cyc_text *text, const struct cyc_conf_section *root);

static void check_generated(const char *path, write_document *write, const char *command)
{
    struct fixture fixture;
    struct cyc_text text;

    fixture_init(&fixture);
    cyc_text_init(&text, &fixture.arena);
    write(&text, &cyc_config_section);
    if (!cyc_span_equal(fixture_file(&fixture, path), cyc_text_span(&text)))
        fail_msg("%s is not what the rows say: write it again with \"%s > %s\"", path, command,
                 path);
    fixture_fini(&fixture);
}

static void config_manual__generated_files_are_up_to_date(void **state)
{
    (void)state;
    check_generated("docs/CONFIG.md", cyc_manual_write, "cyclone schema --markdown");
    check_generated("conf/cyclone.schema.json", cyc_schema_write, "cyclone schema --json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_effective__loads_to_itself),
        cmocka_unit_test(config_effective__routes_show_what_is_theirs),
        cmocka_unit_test(config_manual__generated_files_are_up_to_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
