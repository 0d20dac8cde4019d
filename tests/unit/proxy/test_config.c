/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/proxy/config_fixture.h"

#include <dirent.h>

static void config__one_line_is_a_sidecar(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    const struct cyc_config *config = load_good(&fixture, "upstream: 127.0.0.1:3000\n");
    assert_int_equal(config->listener_count, 1);
    assert_text(config->listeners[0].name, "default");
    assert_text(config->listeners[0].address, "[::]:8080");
    assert_int_equal(config->route_count, 1);
    assert_text(config->routes[0].name, "upstream");
    assert_int_equal(config->routes[0].action, CYC_ROUTE_TO);
    assert_int_equal(config->routes[0].cluster_index, 0);
    assert_int_equal(config->cluster_count, 1);
    assert_text(config->clusters[0].name, "upstream");
    assert_text(config->clusters[0].endpoints[0].address, "127.0.0.1:3000");
    assert_int_equal(config->clusters[0].endpoints[0].weight, 100);
    assert_int_equal(config->clusters[0].connect_timeout_ms, 1000);
    assert_int_equal(config->clusters[0].pool.idle_timeout_ms, 55000);
    fixture_fini(&fixture);
}

static void config__settings_have_the_documented_defaults(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    const struct cyc_config *config = load_good(&fixture, "upstream: a:1\nserver:\nnetwork: {}\n");
    assert_int_equal(config->server.port, 8080);
    assert_int_equal(config->server.drain_delay_ms, 5000);
    assert_int_equal(config->server.shutdown_grace_ms, 20000);
    assert_true(config->server.watch);
    assert_int_equal(config->network.syscall_batch_size, 128);
    assert_int_equal(config->network.connection_pool_size, 10000);
    assert_int_equal(config->network.socket_buffer_bytes, 0);
    assert_true(config->network.is_tcp_keepalive && config->network.is_tcp_nodelay);
    assert_int_equal(config->network.keepalive_idle_s, 60);
    assert_int_equal(config->network.listen_backlog, 4096);
    assert_int_equal(config->timer.wheel_size, 2048);
    assert_int_equal(config->timer.resolution_ms, 5);
    assert_int_equal(config->memory.pool_bytes, 0);
    assert_true(config->admin.is_enabled);
    assert_text(config->admin.addresses[0], "127.0.0.1:9090");
    assert_int_equal(config->log.level, 2);
    assert_text(config->access_log.output, "stdout");
    assert_int_equal(config->access_log.sample_permyriad, 10000);
    assert_int_equal(config->access_log.buffer_bytes, 65536);
    assert_text(config->metrics.path, "/metrics");
    assert_int_equal(config->metrics.bucket_count, 16);
    const struct cyc_listener_conf *listener = &config->listeners[0];
    assert_int_equal(listener->max_header_bytes, 32768);
    assert_int_equal(listener->max_header_count, 100);
    assert_int_equal(listener->max_uri_bytes, 8192);
    assert_int_equal(listener->header_timeout_ms, 10000);
    assert_int_equal(listener->idle_timeout_ms, 75000);
    fixture_fini(&fixture);
}

static void config__environment_overrides_the_file(void **state)
{
    /* the five variables of the deployment guide that this version knows */
    static const char *const environment[] = {"CYCLONE_SERVER_PORT=9000",
                                              "CYCLONE_METRICS_ENABLED=false",
                                              "CYCLONE_NETWORK_CONNECTION_POOL_SIZE=5000",
                                              "CYCLONE_MEMORY_POOL_SIZE=2GB",
                                              "CYCLONE_NETWORK_TCP_KEEPALIVE=false",
                                              NULL};
    const struct cyc_config_overrides overrides = {environment};
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    const struct cyc_config *config =
        cyc_config_load(&fixture.arena, CYC_SPAN("f"),
                        CYC_SPAN("upstream: a:1\nserver: {port: 1}\nmetrics: {enabled: true}\n"),
                        &overrides, &fixture.diag);
    assert_non_null(config);
    assert_text(config->listeners[0].address, "[::]:9000");
    assert_false(config->metrics.is_enabled);
    assert_int_equal(config->network.connection_pool_size, 5000);
    assert_int_equal(config->memory.pool_bytes, 2000000000);
    assert_false(config->network.is_tcp_keepalive);
    fixture_fini(&fixture);
}

static void config__what_is_wrong_is_said(void **state)
{
    static const struct config_case cases[] = {
        {"", "warning: nothing is routed anywhere", "an empty document loads"},
        {"- a\n", "a configuration is a map", "a list"},
        {"hello\n", "a configuration is a map", "a scalar"},
        {"upstream: a:1\nversion: 2\n", "2 is out of range for \"version\"", "version"},
        {"upstream: a:1\ntls: {enabled: true}\n",
         "\"tls\" at the top level: not in this version yet", "TLS"},
        {"upstream: a:1\nadmin: {remote_access: full}\n", "not in this version yet",
         "full access needs a token, which is later"},
        {"upstream:\n", "\"upstream\" is empty", "no upstream"},
        {"upstream: [a:1, b:2]\n", NULL, "a list of endpoints"},
        {"upstream: {endpoints: a:1, connect_timeout: 2s}\n", NULL, "a whole cluster"},
        {"upstream: {connect_timeout: 2s}\n", "\"endpoints\" is missing in cluster \"upstream\"",
         "no endpoints"},
        {"upstream: builtin:demo\n", "is not a port number", "the demo is not for files"},
        {"upstream: a:1\nlog: {output: here}\n", "is no place for a log", "output"},
        {"upstream: a:1\nserver: {host: localhost}\n", "\"host\" is an IP address", "host"},
        {"upstream: a:1\nmetrics: {buckets: [1, 1]}\n", "each larger than", "buckets"},
    };
    (void)state;
    check_reports(cases, sizeof(cases) / sizeof(cases[0]));
}

/** The texts of the design: what an operator reads after two typical mistakes. */
static void config__reports_look_like_this(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    assert_null(load_text(&fixture, "defaults:\n"
                                    "  timeout: 5\n"
                                    "routes:\n"
                                    "  - name: login\n"
                                    "    to: order-v1\n"
                                    "    acess_log: false\n"
                                    "clusters: {orders-v1: 'a:1', accounts: 'b:1'}\n"));
    assert_string_equal(
        fixture_report(&fixture),
        "f:2:12: error: \"timeout\" is a duration and needs a unit\n"
        "    2 |   timeout: 5\n"
        "      |            ^ write 5s, 5ms or 5m\n"
        "f:5:9: error: route \"login\" sends to \"order-v1\", which is not a cluster\n"
        "    5 |     to: order-v1\n"
        "      |         ^~~~~~~~ clusters: orders-v1, accounts (closest: \"orders-v1\", f:7)\n"
        "f:6:5: error: unknown key \"acess_log\" in route \"login\"\n"
        "    6 |     acess_log: false\n"
        "      |     ^~~~~~~~~ did you mean \"access_log\"?\n"
        "3 errors; the configuration was not loaded\n");
    fixture_fini(&fixture);
}

static void config__the_demo_is_the_file_of_that_name(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    struct cyc_span file = fixture_file(&fixture, "conf/demo.yaml");
    assert_true(cyc_span_equal(file, cyc_config_demo()));
    const struct cyc_config *config = cyc_config_load(&fixture.arena, cyc_span_of(NULL, 0),
                                                      cyc_config_demo(), NULL, &fixture.diag);
    fixture_expect(&fixture, NULL, "the demo");
    assert_text(config->clusters[0].endpoints[0].address, "builtin:demo");
    fixture_fini(&fixture);
}

static void check_file(const char *path)
{
    struct fixture fixture;

    fixture_init(&fixture);
    struct cyc_span text = fixture_file(&fixture, path);
    const struct cyc_config *config =
        cyc_config_load(&fixture.arena, cyc_span_from_text(path), text, NULL, &fixture.diag);
    fixture_expect(&fixture, NULL, path);
    assert_non_null(config);
    fixture_fini(&fixture);
}

static void config__every_example_loads_without_a_warning(void **state)
{
    struct fixture fixture;
    unsigned count = 0;
    (void)state;
    fixture_init(&fixture);
    DIR *folder = opendir(cyc_arena_format(&fixture.arena, "%s/conf/examples", CYC_SOURCE_DIR).ptr);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (!cyc_span_ends_with_nocase(cyc_span_from_text(entry->d_name), CYC_SPAN(".yaml")))
            continue;
        check_file(cyc_arena_format(&fixture.arena, "conf/examples/%s", entry->d_name).ptr);
        count++;
    }
    closedir(folder);
    assert_true(count >= 5);
    check_file("conf/cyclone.yaml");
    fixture_fini(&fixture);
}

static void config__files_that_cannot_be_read_say_why(void **state)
{
    static const struct {
        const char *path, *part;
    } cases[] = {
        {"/nonexistent/x.yaml", "/nonexistent/x.yaml: error: cannot be read: No such file"},
        {"/", "/: error: cannot be read: Is a directory"},
        {"old/config.toml", "this version reads YAML, not TOML; write old/config.yaml with"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture fixture;
        fixture_init(&fixture);
        assert_null(cyc_config_load_path(&fixture.arena, cases[i].path, NULL, &fixture.diag));
        fixture_expect(&fixture, cases[i].part, cases[i].path);
        fixture_fini(&fixture);
    }
}

static void config__environment_names_the_file(void **state)
{
    static const char *const environment[] = {"CYCLONE_CONFIG=/nonexistent/y.yaml", NULL};
    const struct cyc_config_overrides overrides = {environment};
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    assert_null(cyc_config_load_path(&fixture.arena, NULL, &overrides, &fixture.diag));
    fixture_expect(&fixture, "/nonexistent/y.yaml: error", "named by CYCLONE_CONFIG");
    fixture_fini(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config__one_line_is_a_sidecar),
        cmocka_unit_test(config__settings_have_the_documented_defaults),
        cmocka_unit_test(config__environment_overrides_the_file),
        cmocka_unit_test(config__what_is_wrong_is_said),
        cmocka_unit_test(config__reports_look_like_this),
        cmocka_unit_test(config__the_demo_is_the_file_of_that_name),
        cmocka_unit_test(config__every_example_loads_without_a_warning),
        cmocka_unit_test(config__files_that_cannot_be_read_say_why),
        cmocka_unit_test(config__environment_names_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
