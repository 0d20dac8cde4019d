/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/proxy/config_fixture.h"

#define UP "upstream: a:1\n"

static void config_listeners__implicit_address(void **state)
{
    static const struct {
        const char *text, *address;
    } cases[] = {
        {UP, "[::]:8080"},
        {UP "server: {port: 9000}", "[::]:9000"},
        {UP "server: {host: 127.0.0.1}", "127.0.0.1:8080"},
        {UP "server: {host: '::1', port: 81}", "[::1]:81"},
        {UP "listeners: {web: ':80'}", ":80"},
        {UP "listeners: {web: ':80'}\nserver: {port: 81}", ":81"},
        {UP "listeners: {web: '127.0.0.1:80'}\nserver: {port: 81}", "127.0.0.1:81"},
        {UP "listeners: {web: '[::1]:80'}\nserver: {port: 81}", "[::1]:81"},
        {UP "listeners: {web: 'unix:/run/x'}", "unix:/run/x"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture fixture;
        fixture_init(&fixture);
        const struct cyc_config *config = load_good(&fixture, cases[i].text);
        assert_int_equal(config->listener_count, 1);
        assert_text(config->listeners[0].address, cases[i].address);
        fixture_fini(&fixture);
    }
}

static void config_listeners__keys(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    const struct cyc_config *config =
        load_good(&fixture, UP "listeners:\n"
                               "  web:\n"
                               "    address: :80\n"
                               "    trusted_proxies: [10.0.0.0/8, '::1']\n"
                               "    max_header_size: 64KiB\n"
                               "    default_route: 421\n"
                               "    timeouts: {idle: 5s}\n"
                               "  other: 127.0.0.1:81\n");
    const struct cyc_listener_conf *web = &config->listeners[0];
    assert_int_equal(config->listener_count, 2);
    assert_text(web->name, "web");
    assert_int_equal(web->trusted_proxy_count, 2);
    assert_int_equal(web->trusted_proxies[0].prefix_bits, 104);
    assert_int_equal(web->max_header_bytes, 65536);
    assert_int_equal(web->default_route, CYC_DEFAULT_ROUTE_421);
    assert_int_equal(web->idle_timeout_ms, 5000);
    assert_int_equal(web->write_idle_timeout_ms, 30000);
    assert_int_equal(web->mark.line, 3);
    assert_int_equal(config->listeners[1].idle_timeout_ms, 75000);
    fixture_fini(&fixture);
}

static void config_listeners__what_is_wrong_is_said(void **state)
{
    static const struct config_case cases[] = {
        {UP "listeners: {web: {max_headers: 5}}", "\"address\" is missing in listener \"web\"",
         "required"},
        {UP "listeners: {web: ':80', api: ':80'}",
         "listener \"api\" has the address of listener \"web\": :80", "twice"},
        {UP "listeners: {web: ':0', api: ':0'}", NULL, "any port is not the same port"},
        {UP "listeners: {web: ':80', api: ':81'}\nserver: {port: 9000}",
         "server.port is set, but which of 2 listeners is meant?", "ambiguous"},
        {UP "listeners: {web: 'unix:/x'}\nserver: {port: 9000}", "is a UNIX socket",
         "no port there"},
        {UP "listeners: {web: {address: ':80', tls: true}}", "\"tls\" in listener \"web\"",
         "later"},
        {UP "listeners: {web: {address: ':70000'}}", "70000 is out of range for a port (1..65535)",
         "port"},
        {UP "listeners: {web: {address: 8080}}", "write :8080", "a port alone"},
        {UP "listeners: {web: {address: ':80', trusted_proxies: 10.0.0.0/40}}",
         "is not a block of addresses", "block"},
        {UP "listeners: {web: {address: ':80', timeouts: {idel: 1s}}}",
         "unknown key \"idel\" in \"timeouts\" of listener \"web\"", "nested"},
        {UP "listeners: {web: ':80'}\nroutes: [{listener: wbe, to: 'b:1', path: /x}]",
         "route \"route-1\" names \"wbe\", which is not a listener", "reference"},
        {UP "listeners: {web: ':80'}\nroutes: [{listener: web, to: 'b:1', path: /x}]", NULL,
         "reference"},
        {UP "listeners: [':80']", "\"listeners\" is a map: each listener has a name", "list"},
    };
    (void)state;
    check_reports(cases, sizeof(cases) / sizeof(cases[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_listeners__implicit_address),
        cmocka_unit_test(config_listeners__keys),
        cmocka_unit_test(config_listeners__what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
