/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/proxy/config_fixture.h"

static void config_routes__keys(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    const struct cyc_config *config = load_good(
        &fixture, "routes:\n"
                  "  - {name: r, host: [Example.COM, '*.b.org'], path: /a/*, method: [GET, "
                  "PUT], to: c}\n"
                  "  - {path: /x, respond: 404}\n"
                  "  - {path: /y, respond: {status: 200, body: hi, content_type: text/html}}\n"
                  "clusters: {c: 'a:1'}\n");
    const struct cyc_route_conf *route = &config->routes[0];
    assert_int_equal(config->route_count, 3);
    assert_text(route->name, "r");
    assert_int_equal(route->host_count, 2);
    assert_text(route->hosts[0], "example.com");
    assert_text(route->hosts[1], "*.b.org");
    assert_text(route->paths[0], "/a/*");
    assert_int_equal(route->method_count, 2);
    assert_int_equal(route->action, CYC_ROUTE_TO);
    assert_int_equal(route->mark.line, 2);
    assert_text(config->routes[1].name, "route-2");
    assert_int_equal(config->routes[1].action, CYC_ROUTE_RESPOND);
    assert_int_equal(config->routes[1].respond_status, 404);
    assert_text(config->routes[1].respond_content_type, "text/plain; charset=utf-8");
    assert_text(config->routes[2].respond_body, "hi");
    assert_text(config->routes[2].respond_content_type, "text/html");
    fixture_fini(&fixture);
}

static void config_routes__targets_become_clusters_once(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    const struct cyc_config *config = load_good(&fixture, "upstream: u:1\n"
                                                          "clusters: {c: 'a:1'}\n"
                                                          "routes:\n"
                                                          "  - {path: /1, to: http://b}\n"
                                                          "  - {path: /2, to: c}\n"
                                                          "  - {path: /3, to: http://b}\n"
                                                          "  - {path: /4, to: 'unix:/run/d'}\n");
    assert_int_equal(config->cluster_count, 4);
    assert_int_equal(config->route_count, 5);
    static const char *const clusters[] = {"http://b", "c", "http://b", "unix:/run/d", "upstream"};
    for (uint32_t i = 0; i < config->route_count; i++)
        assert_text(config->clusters[config->routes[i].cluster_index].name, clusters[i]);
    assert_int_equal(config->routes[0].cluster_index, config->routes[2].cluster_index);
    assert_text(config->clusters[config->routes[0].cluster_index].endpoints[0].address, "b:80");
    fixture_fini(&fixture);
}

#define ROUTE(text) "upstream: u:1\nroutes: [{" text "}]\n"

static void config_routes__what_is_wrong_is_said(void **state)
{
    static const struct config_case cases[] = {
        {ROUTE("path: /x"), "a route needs \"to\"", "no action"},
        {ROUTE("path: /x, to: 'a:1', respond: 200"), "\"to\" or \"respond\", not both", "two"},
        {ROUTE("path: /x, redirect: https://x"), "\"redirect\" in a route: not in this version yet",
         "later"},
        {ROUTE("path: /x, to: {a: 90, b: 10}"), "weighted splits: not in this version yet",
         "later"},
        {ROUTE("path: /x, to: c"), "\"c\", which is not a cluster", "reference"},
        {ROUTE("path: /x, to: 10.0.0.1"), "a target has a port: 10.0.0.1:80",
         "target without port"},
        {ROUTE("path: /x, to: 'https://a'"), "https:// targets: not in this version yet", "later"},
        {ROUTE("path: x, to: 'a:1'"), "write /x", "no slash"},
        {ROUTE("path: /a*, to: 'a:1'"), "a star is a whole last segment", "half a segment"},
        {ROUTE("path: /a/*/b, to: 'a:1'"), "a star is a whole last segment", "in the middle"},
        {ROUTE("path: '/a/{id}', to: 'a:1'"), "path templates: not in this version yet", "later"},
        {ROUTE("path: '~ ^/a', to: 'a:1'"), "regular expressions: not in this version yet",
         "later"},
        {ROUTE("path: '/a?b', to: 'a:1'"), "a path has no blanks", "a query"},
        {ROUTE("path: /*, to: 'a:1', host: x"), NULL, "every path"},
        {ROUTE("host: 'example.com:80', to: 'a:1'"), "without scheme, port and path", "port"},
        {ROUTE("host: '*example.com', to: 'a:1'"), "a wildcard stands for whole labels",
         "wildcard"},
        {ROUTE("host: '[::1]', to: 'a:1'"), NULL, "IPv6 literal"},
        {ROUTE("host: 'a b', to: 'a:1'"), "is not a host", "blank"},
        {ROUTE("method: get, path: /x, to: 'a:1'"), "write GET", "RFC 9110 9.1"},
        {ROUTE("method: 'G T', path: /x, to: 'a:1'"), "\"G T\" is not a method", "token"},
        {ROUTE("name: 1st, path: /x, to: 'a:1'"), "\"1st\" is not a name", "name"},
        {ROUTE("path: /x, respond: 99"), "99 is out of range", "status"},
        {ROUTE("path: /x, respond: {body: x}"), "\"status\" is missing", "status"},
        {ROUTE("path: /x, to: 'a:1', use: nope"), "no \"nope\" in filters", "bundle"},
        {ROUTE("path: /x, to: 'a:1', headers: {A: b}"), "\"headers\" in a route", "later"},
        {"upstream: u:1\nroutes: {path: /x, to: 'a:1'}\n", NULL, "one route without a list"},
        {"upstream: u:1\nroutes:\n", NULL, "none"},
        {"upstream: u:1\nroutes: [x]\n", "expected keys, as in \"name: ...\"", "not a map"},
        {"upstream: u:1\nroutes: [~]\n", "expected keys", "nothing"},
        {"upstream: u:1\nfilters: {f: x}\n", "expected keys, as in \"timeout: ...\"", "bundle"},
        {"upstream: u:1\nclusters: {upstream: 'a:1'}\n", "is the one of the top-level key",
         "twice"},
        {"upstream: u:1\nfilters: {f: {timeout: 5}}\nroutes: [{path: /x, to: 'a:1', use: f}]\n",
         "1 error;", "an error in a bundle is reported once"},
        {"upstream: u:1\nroutes: [{name: a, path: /1, to: 'a:1'}, {name: a, path: /2, to: "
         "'a:1'}]\n",
         "another route is called \"a\"", "names are unique"},
        {"routes: [{name: upstream, path: /1, to: 'a:1'}]\nupstream: u:1\n",
         "another route is called \"upstream\"", "so is that of upstream"},
    };
    (void)state;
    check_reports(cases, sizeof(cases) / sizeof(cases[0]));
}

static void config_routes__tries_fit_into_the_timeout(void **state)
{
    static const struct config_case cases[] = {
        {"upstream: u:1\ndefaults: {timeout: 5s, retry: {per_try_timeout: 5s}}\n", NULL, "equal"},
        {"upstream: u:1\ndefaults: {timeout: 0, retry: {per_try_timeout: 5s}}\n", NULL,
         "no timeout"},
        {"upstream: u:1\ndefaults: {timeout: 5s, retry: {per_try_timeout: 6s}}\n",
         "per_try_timeout (6s) is longer than the route's timeout (5s, f:2)\n", "in defaults"},
        {"upstream: u:1\nroutes: [{path: /x, to: 'a:1', retry: {per_try_timeout: 20s}}]\n",
         "(15s, the default)", "against the default"},
        {"upstream: u:1\ndefaults: {timeout: 3s}\nroutes: [{path: /x, to: 'a:1', retry: "
         "{per_try_timeout: 4s}}]\n",
         "per_try_timeout (4s) is longer than the route's timeout (3s, from defaults, f:2)",
         "against defaults"},
        {"upstream: u:1\ndefaults: {timeout: 5s, retry: {per_try_timeout: 6s}}\nroutes: [{path: "
         "/x, "
         "to: 'a:1'}]\n",
         "1 error;", "reported once, not for each route"},
    };
    (void)state;
    check_reports(cases, sizeof(cases) / sizeof(cases[0]));
}

#define TWO(first, second)                                                                         \
    "listeners: {w: ':1', v: ':2'}\nroutes:\n- {name: a, to: 'x:1', " first "}\n- {name: b, to: "  \
    "'y:1', " second "}\n"
#define NEVER "route \"b\" can never match"

static void config_routes__routes_that_never_match_are_errors(void **state)
{
    static const struct config_case cases[] = {
        {TWO("path: /x", "path: /x"), NEVER, "equal"},
        {TWO("path: /x", "path: /x"), "goes to route \"a\" first (f:3)", "and says why"},
        {TWO("path: /x", "path: /y"), NULL, "other path"},
        {TWO("path: /x/*", "path: /x/y"), NULL, "exact is more specific"},
        {TWO("path: [/x, /y]", "path: [/y, /x]"), NEVER, "all of several"},
        {TWO("path: [/x, /y]", "path: [/y, /z]"), NULL, "only some"},
        {TWO("host: a.b", "path: /x"), NULL, "other host"},
        {TWO("host: '*'", "path: /*"), NEVER, "any host and any path are the defaults"},
        {TWO("host: A.b", "host: a.B"), NEVER, "hosts have no case"},
        {TWO("path: /x", "path: /x, method: GET"), NULL, "a method is more specific"},
        {TWO("path: /x, method: GET", "path: /x"), NULL, "other methods are left"},
        {TWO("path: /x, method: [GET, PUT]", "path: /x, method: PUT"), NEVER, "methods"},
        {TWO("path: /x, listener: w", "path: /x"), NULL, "other listeners are left"},
        {TWO("path: /x", "path: /x, listener: w"), NEVER, "all listeners cover one"},
        {TWO("path: /x, listener: w", "path: /x, listener: v"), NULL, "other listener"},
        {TWO("path: /x, listener: [v, w]", "path: /x, listener: w"), NEVER, "two cover one"},
        {"upstream: u:1\nroutes: [{to: 'a:1'}]\n", "route \"upstream\" can never match",
         "a catch-all before it"},
    };
    (void)state;
    check_reports(cases, sizeof(cases) / sizeof(cases[0]));
}

static void config_routes__ten_thousand_load_quickly(void **state)
{
    enum { COUNT = 10000 };
    struct fixture fixture;
    struct cyc_text text;
    (void)state;
    fixture_init(&fixture);
    cyc_text_init(&text, &fixture.messages);
    cyc_text_puts(&text, "clusters:\n");
    for (int i = 0; i < COUNT; i++)
        cyc_text_printf(&text, "  c%d: 10.0.0.1:80\n", i);
    cyc_text_puts(&text, "routes:\n");
    for (int i = 0; i < COUNT; i++)
        cyc_text_printf(&text, "- {host: h%d.example.com, path: [/a/*, /b], to: c%d}\n", i, i);
    const struct cyc_config *config =
        cyc_config_load(&fixture.arena, CYC_SPAN("f"), cyc_text_span(&text), NULL, &fixture.diag);
    fixture_expect(&fixture, NULL, "many routes");
    assert_int_equal(config->route_count, COUNT);
    assert_int_equal(config->routes[COUNT - 1].cluster_index, COUNT - 1);
    fixture_fini(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_routes__keys),
        cmocka_unit_test(config_routes__targets_become_clusters_once),
        cmocka_unit_test(config_routes__what_is_wrong_is_said),
        cmocka_unit_test(config_routes__tries_fit_into_the_timeout),
        cmocka_unit_test(config_routes__routes_that_never_match_are_errors),
        cmocka_unit_test(config_routes__ten_thousand_load_quickly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
