/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/route.h"
#include "proxy/snapshot.h"

#include <string.h>

#define MANY_COUNT 10000

static struct cyc_mem mem;
static struct cyc_arena arena;

static int setup(void **state)
{
    (void)state;
    cyc_arena_init(&arena, &mem, CYC_MEM_CONFIG, NULL, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cyc_arena_fini(&arena);
    return mem.total_bytes == 0 ? 0 : -1;
}

struct route_text {
    const char *name, *host, *path, *method; /* NULL: any */
};

static const struct cyc_route_table *table_of(const struct route_text *texts, uint32_t count)
{
    struct cyc_route_rule *rules = cyc_arena_alloc(&arena, count * sizeof(*rules));

    for (uint32_t i = 0; i < count; i++) {
        struct cyc_route_conf *conf = cyc_arena_zalloc(&arena, sizeof(*conf));
        struct cyc_route *route = cyc_arena_zalloc(&arena, sizeof(*route));
        struct cyc_span *spans = cyc_arena_alloc(&arena, 3 * sizeof(*spans));
        spans[0] = cyc_span_from_text(texts[i].host);
        spans[1] = cyc_span_from_text(texts[i].path);
        spans[2] = cyc_span_from_text(texts[i].method);
        conf->hosts = &spans[0];
        conf->paths = &spans[1];
        conf->methods = &spans[2];
        conf->host_count = texts[i].host != NULL;
        conf->path_count = texts[i].path != NULL;
        conf->method_count = texts[i].method != NULL;
        route->name = cyc_span_from_text(texts[i].name);
        rules[i] = (struct cyc_route_rule){conf, route};
    }
    return cyc_route_table_create(&arena, rules, count);
}

static struct cyc_msg request(const char *method, const char *authority, const char *path)
{
    return (struct cyc_msg){
        .method_text = cyc_span_from_text(method),
        .authority = cyc_span_from_text(authority),
        .path = cyc_span_from_text(path),
    };
}

static const char *match(const struct cyc_route_table *table, const char *method,
                         const char *authority, const char *path)
{
    struct cyc_msg req = request(method, authority, path);
    const struct cyc_route *route = cyc_route_match(table, &req);
    return route != NULL ? route->name.ptr : "-";
}

static void route__most_specific_match_wins(void **state)
{
    static const struct route_text texts[] = {
        {"any", NULL, NULL, NULL},
        {"api", NULL, "/api/*", NULL},
        {"api-v1", NULL, "/api/v1/*", NULL},
        {"exact", NULL, "/api/v1/me", NULL},
        {"post", NULL, "/api/v1/me", "POST"},
        {"shop", "shop.example.com", "/*", NULL},
        {"shop-cart", "shop.example.com", "/cart/*", NULL},
        {"sub", "*.example.com", "/*", NULL},
        {"deep-sub", "*.eu.example.com", "/*", NULL},
        {"only-put", "put.test", "/x", "PUT"},
    };
    static const struct {
        const char *method, *authority, *path, *wanted, *why;
    } cases[] = {
        {"GET", "x", "/", "any", "nothing more specific"},
        {"GET", "x", "/apix", "any", "a prefix ends at a segment"},
        {"GET", "x", "/api", "api", "a prefix matches itself"},
        {"GET", "x", "/api/", "api", "and with a slash"},
        {"GET", "x", "/api/v2/q", "api", "below it"},
        {"GET", "x", "/api/v1/q", "api-v1", "the longest prefix"},
        {"GET", "x", "/api/v1/me", "exact", "exact before prefix"},
        {"GET", "x", "/api/v1/me/", "api-v1", "exact means exact"},
        {"POST", "x", "/api/v1/me", "post", "a method before none, whatever the file order"},
        {"GET", "shop.example.com", "/", "shop", "exact host"},
        {"GET", "SHOP.Example.com", "/", "shop", "hosts have no case (RFC 3986 3.2.2)"},
        {"GET", "shop.example.com:8080", "/cart/1", "shop-cart", "the port does not count"},
        {"GET", "www.example.com", "/cart/1", "sub", "wildcard"},
        {"GET", "a.b.example.com", "/", "sub", "wildcards cover several labels"},
        {"GET", "a.eu.example.com", "/", "deep-sub", "the longest wildcard"},
        {"GET", "example.com", "/", "any", "a wildcard needs a label"},
        {"GET", "put.test", "/x", "any", "a host whose routes do not match does not shadow others"},
        {"PUT", "put.test", "/x", "only-put", "method matches"},
        {"GET", "[::1]:80", "/", "any", "IPv6 literal"},
        {"GET", "", "/", "any", "no host at all (HTTP/1.0)"},
    };
    const struct cyc_route_table *table = table_of(texts, sizeof(texts) / sizeof(texts[0]));
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *got = match(table, cases[i].method, cases[i].authority, cases[i].path);
        if (strcmp(got, cases[i].wanted) != 0)
            fail_msg("%s %s%s: %s, not %s: %s", cases[i].method, cases[i].authority, cases[i].path,
                     got, cases[i].wanted, cases[i].why);
    }
}

static void route__no_route_is_an_answer(void **state)
{
    static const struct route_text texts[] = {{"a", "a.test", "/a/*", NULL}};
    const struct cyc_route_table *table = table_of(texts, 1);
    (void)state;

    assert_string_equal(match(table, "GET", "a.test", "/b"), "-");
    assert_string_equal(match(table, "GET", "b.test", "/a"), "-");
    assert_string_equal(match(table_of(NULL, 0), "GET", "a.test", "/a"), "-");
}

static void route__equal_routes_go_by_file_order(void **state)
{
    static const struct route_text texts[] = {{"first", NULL, "/x", NULL},
                                              {"second", NULL, "/x", NULL}};
    (void)state;
    assert_string_equal(match(table_of(texts, 2), "GET", "h", "/x"), "first");
}

static void route__deep_paths_still_match_what_is_not_a_prefix(void **state)
{
    static const struct route_text texts[] = {{"any", NULL, NULL, NULL}, {"a", NULL, "/a/*", NULL}};
    char path[1024];
    (void)state;

    for (size_t i = 0; i < sizeof(path) - 1; i++)
        path[i] = i % 2 == 0 ? '/' : 'a';
    path[sizeof(path) - 1] = '\0';
    assert_string_equal(match(table_of(texts, 2), "GET", "h", path), "a");
}

static void route__claims_path_ignores_the_catch_all(void **state)
{
    static const struct route_text texts[] = {{"any", NULL, "/*", NULL},
                                              {"h", "h.test", "/health", NULL},
                                              {"r", "r.test", "/ready/*", NULL}};
    const struct cyc_route_table *table = table_of(texts, 3);
    struct cyc_msg req = request("GET", "x.test", "/health");
    (void)state;

    assert_false(cyc_route_claims_path(table, &req));
    req = request("GET", "h.test", "/health");
    assert_true(cyc_route_claims_path(table, &req));
    req = request("GET", "r.test", "/ready");
    assert_true(cyc_route_claims_path(table, &req));
}

static void route__ten_thousand_routes_all_match_themselves(void **state)
{
    struct route_text *texts = cyc_arena_alloc(&arena, MANY_COUNT * sizeof(*texts));
    (void)state;

    for (uint32_t i = 0; i < MANY_COUNT; i++)
        texts[i] = (struct route_text){
            .name = cyc_arena_format(&arena, "r%u", i).ptr,
            .host = cyc_arena_format(&arena, "h%u.test", i % 100).ptr,
            .path = cyc_arena_format(&arena, "/p%u%s", i, i % 2 == 0 ? "/*" : "").ptr,
        };
    const struct cyc_route_table *table = table_of(texts, MANY_COUNT);
    for (uint32_t i = 0; i < MANY_COUNT; i++) {
        const char *path = cyc_arena_format(&arena, "/p%u%s", i, i % 2 == 0 ? "/x" : "").ptr;
        assert_string_equal(match(table, "GET", texts[i].host, path), texts[i].name);
        assert_string_equal(match(table, "GET", "other.test", path), "-");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(route__most_specific_match_wins, setup, teardown),
        cmocka_unit_test_setup_teardown(route__no_route_is_an_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(route__equal_routes_go_by_file_order, setup, teardown),
        cmocka_unit_test_setup_teardown(route__deep_paths_still_match_what_is_not_a_prefix, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(route__claims_path_ignores_the_catch_all, setup, teardown),
        cmocka_unit_test_setup_teardown(route__ten_thousand_routes_all_match_themselves, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
