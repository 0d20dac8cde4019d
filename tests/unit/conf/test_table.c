/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/dump.h"
#include "conf/table.h"
#include "tests/unit/conf/fixture.h"

struct shop {
    struct cyc_span name;
    uint32_t price;
    struct cyc_conf_mark mark;
};

struct town {
    bool is_open;
    uint32_t size, delay_ms, wait_s, share;
    uint64_t bytes, cap;
    uint32_t color;
    struct cyc_span path, *streets;
    double *bounds;
    uint32_t street_count, bound_count;
    struct shop *shops, *stalls;
    uint32_t shop_count, stall_count;
    uint32_t depth;
};

#define AT(field) (uint32_t) offsetof(struct town, field)

static const struct cyc_conf_row shop_rows[] = {
    {"price", CYC_CONF_U32, (uint32_t)offsetof(struct shop, price), "3", "1", "9", .doc = "",
     .is_required = true},
    {0},
};
static const struct cyc_conf_section shop_section = {
    .noun = "shop",
    .doc = "",
    .rows = shop_rows,
    .short_key = "price",
    .size_bytes = sizeof(struct shop),
    .mark_offset = (uint32_t)offsetof(struct shop, mark),
};
static const struct cyc_conf_row pool_rows[] = {
    {"depth", CYC_CONF_U32, AT(depth), "2", "0", NULL, .doc = ""},
    {0},
};
static const struct cyc_conf_section pool_section = {
    .doc = "", .rows = pool_rows, .short_key = "depth", .false_value = "0"};
static const struct cyc_conf_row inner_rows[] = {
    {"share", CYC_CONF_PERCENT, AT(share), "50%", "0%", "100%", .doc = ""},
    {0},
};
static const struct cyc_conf_section inner_section = {
    .doc = "", .rows = inner_rows, .later = "future_inner"};
static const struct cyc_conf_word colors[] = {{"red", 1}, {"green", 2}, {NULL, 0}};
static const struct cyc_conf_word no_cap[] = {{"none", UINT64_MAX}, {NULL, 0}};

static const struct cyc_conf_row rows[] = {
    {"open", CYC_CONF_BOOL, AT(is_open), "true", NULL, NULL, .doc = ""},
    {"size", CYC_CONF_U32_POWER, AT(size), "8", "1", "64", .doc = ""},
    {"delay", CYC_CONF_DURATION, AT(delay_ms), "5s", "1s", "1m", .doc = ""},
    {"wait", CYC_CONF_DURATION_S, AT(wait_s), "60s", NULL, NULL, .doc = ""},
    {"bytes", CYC_CONF_SIZE, AT(bytes), "1KiB", NULL, NULL, .doc = ""},
    {"cap", CYC_CONF_SIZE, AT(cap), "none", NULL, NULL, .doc = "", .words = no_cap},
    {"color", CYC_CONF_ENUM, AT(color), "green", NULL, NULL, .doc = "", .words = colors,
     .later = "blue"},
    {"path", CYC_CONF_TEXT, AT(path), "/", NULL, NULL, .doc = "", .check = cyc_conf_check_path},
    {"streets", CYC_CONF_TEXTS, AT(streets), "[a, b]", NULL, NULL, .doc = "",
     .count_offset = AT(street_count)},
    {"bounds", CYC_CONF_NUMBERS, AT(bounds), "[0.5, 1]", NULL, NULL, .doc = "",
     .count_offset = AT(bound_count)},
    {"shops", CYC_CONF_MAP, AT(shops), NULL, NULL, NULL, .doc = "", .count_offset = AT(shop_count),
     .section = &shop_section},
    {"stalls", CYC_CONF_LIST, AT(stalls), NULL, NULL, NULL, .doc = "",
     .count_offset = AT(stall_count), .section = &shop_section},
    {"pool", CYC_CONF_SECTION, 0, NULL, NULL, NULL, .doc = "", .section = &pool_section},
    {.kind = CYC_CONF_INLINE, .section = &inner_section},
    {0},
};
static const struct cyc_conf_section town_section = {
    .doc = "", .rows = rows, .later = "river future"};

static void bind(struct fixture *fixture, const char *text, struct town *town)
{
    struct cyc_conf_bind bind = {
        .arena = &fixture->arena, .scratch = &fixture->arena, .diag = &fixture->diag};

    memset(town, 0, sizeof(*town));
    cyc_conf_set_defaults(&bind, &town_section, town);
    const struct cyc_node *root =
        cyc_tree_parse(&fixture->arena, &fixture->diag, "f", cyc_span_from_text(text), NULL);
    if (root != NULL)
        cyc_conf_bind_section(&bind, &town_section, root, town);
}

static void table__defaults_are_read_like_values(void **state)
{
    struct fixture fixture;
    struct town town;
    (void)state;
    fixture_init(&fixture);
    bind(&fixture, "", &town);
    fixture_expect(&fixture, NULL, "empty document");
    assert_true(town.is_open);
    assert_int_equal(town.size, 8);
    assert_int_equal(town.delay_ms, 5000);
    assert_int_equal(town.wait_s, 60);
    assert_int_equal(town.share, 5000);
    assert_int_equal(town.bytes, 1024);
    assert_true(town.cap == UINT64_MAX);
    assert_int_equal(town.color, 2);
    assert_int_equal(town.street_count, 2);
    assert_true(cyc_span_equal(town.streets[1], CYC_SPAN("b")));
    assert_int_equal(town.bound_count, 2);
    assert_true(town.bounds[0] > 0.49 && town.bounds[0] < 0.51);
    assert_int_equal(town.depth, 2);
    fixture_fini(&fixture);
}

static void table__short_forms_widen(void **state)
{
    struct fixture fixture;
    struct town town;
    (void)state;
    fixture_init(&fixture);
    bind(&fixture,
         "x-home: {a: 1}\nstreets: one\nbounds: 3\nstalls: 4\nshops: {x-y: 1, bakery: 5, bank: "
         "{price: "
         "6}}\npool: false\nshare: 1%\ncap: 7\n",
         &town);
    fixture_expect(&fixture, NULL, "short forms");
    assert_int_equal(town.street_count, 1);
    assert_int_equal(town.bound_count, 1);
    assert_int_equal(town.stall_count, 1);
    assert_int_equal(town.stalls[0].price, 4);
    assert_int_equal(town.shop_count, 2);
    assert_true(cyc_span_equal(town.shops[0].name, CYC_SPAN("bakery")));
    assert_int_equal(town.shops[0].price, 5);
    assert_int_equal(town.shops[1].price, 6);
    assert_int_equal(town.shops[1].mark.line, 5);
    assert_int_equal(town.shops[1].mark.column, 28);
    assert_int_equal(town.depth, 0);
    assert_int_equal(town.share, 100);
    assert_int_equal(town.cap, 7);
    fixture_fini(&fixture);
}

static void table__errors_say_what_where_and_what_instead(void **state)
{
    static const struct {
        const char *text, *message, *why;
    } cases[] = {
        {"opne: true", "unknown key \"opne\" at the top level", "unknown"},
        {"opne: true", "did you mean \"open\"?", "suggestion"},
        {"shaer: 1%", "did you mean \"share\"?", "keys of an inline section are offered"},
        {"rivers: 1", "did you mean \"river\"?", "so are those of a later version"},
        {"pool: {zzz: 1}", "unknown key \"zzz\" in \"pool\"", "the section is named"},
        {"pool: {zzz: 1}", "keys here: depth", "few keys are listed"},
        {"shops: {bank: {prise: 1, price: 2}}", "unknown key \"prise\" in shop \"bank\"",
         "elements are named"},
        {"river: 1", "\"river\" at the top level: not in this version yet", "a later key"},
        {"future_inner: 1", "not in this version yet", "one of an inline section"},
        {"color: gren", "\"color\" is one of red, green; got \"gren\"", "enum"},
        {"color: gren", "did you mean \"green\"?", "enum suggestion"},
        {"color: blue", "color \"blue\": not in this version yet", "enum of a later version"},
        {"size: 128", "128 is out of range for \"size\" (1..64)", "maximum"},
        {"size: 0", "0 is out of range for \"size\" (1..64)", "minimum"},
        {"size: -3", "-3 is out of range for \"size\" (1..64)", "negative"},
        {"size: 12", "\"size\" is a power of two, got 12", "power of two"},
        {"delay: 500ms", "500ms is out of range for \"delay\" (1s..1m)", "bounds have units"},
        {"delay: 5", "\"delay\" is a duration and needs a unit", "unit"},
        {"wait: 1500ms", "\"wait\" counts whole seconds", "seconds"},
        {"pool: 5000000000", "5000000000 is out of range for \"pool\" (0..4294967295)", "32 bits"},
        {"open: [true]", "\"open\" takes one value, not a list", "list for a scalar"},
        {"open: {a: 1}", "\"open\" takes one value, not a map", "map for a scalar"},
        {"open:", "\"open\" has no value", "nothing"},
        {"path: x", "\"path\" is a path and starts with /", "check"},
        {"streets: [a, {b: 1}]", "\"streets\" takes one value, not a map", "item of a list"},
        {"bounds: [1, 0.5]", "each larger than the one before; got \"0.5\"", "order"},
        {"bounds: [1e3]", "\"bounds\" are positive numbers", "exponent"},
        {"shops: [1]", "\"shops\" is a map: each shop has a name", "list for a map"},
        {"shops: {1st: 2}", "\"1st\" is not a name", "name"},
        {"shops: {bank: {}}", "\"price\" is missing in shop \"bank\"", "required"},
        {"pool: true", "\"pool\" is a whole number, got \"true\"", "true has no meaning there"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture fixture;
        struct town town;
        fixture_init(&fixture);
        bind(&fixture, cases[i].text, &town);
        fixture_expect(&fixture, cases[i].message, cases[i].why);
        assert_int_equal(fixture.diag.error_count, 1);
        fixture_fini(&fixture);
    }
}

static void table__all_errors_are_found_at_once(void **state)
{
    struct fixture fixture;
    struct town town;
    (void)state;
    fixture_init(&fixture);
    bind(&fixture, "open: yes\nsize: 3\nnope: 1\nstreets: [a, [b], c]\ndelay: 7s\n", &town);
    assert_int_equal(fixture.diag.error_count, 4);
    assert_int_equal(town.delay_ms, 7000);
    assert_int_equal(town.street_count, 2);
    assert_true(town.is_open);
    fixture_fini(&fixture);
}

static void dump__writes_what_was_read(void **state)
{
    struct fixture fixture;
    struct town town, usual;
    struct cyc_text text;
    (void)state;
    fixture_init(&fixture);
    bind(&fixture, "", &usual);
    bind(&fixture, "size: 16\nstreets: ['\"q\"']\nshops: {bank: 7}\nshare: 2.5%\n", &town);
    cyc_text_init(&text, &fixture.arena);
    cyc_conf_dump(&text, &town_section, &town, NULL);
    assert_string_equal(
        fixture_text(&fixture, cyc_text_span(&text)),
        "{\"open\": true, \"size\": 16, \"delay\": \"5s\", \"wait\": \"1m\", \"bytes\": \"1KiB\", "
        "\"cap\": \"none\", \"color\": \"green\", \"path\": \"/\", \"streets\": [\"\\\"q\\\"\"], "
        "\"bounds\": [0.5, 1], \"shops\": {\"bank\": {\"price\": 7}}, \"stalls\": [], \"pool\": "
        "{\"depth\": 2}, \"share\": \"2.5%\"}");
    text.len = 0;
    cyc_conf_dump(&text, &town_section, &town, &usual);
    assert_string_equal(fixture_text(&fixture, cyc_text_span(&text)),
                        "{\"size\": 16, \"streets\": [\"\\\"q\\\"\"], \"shops\": {\"bank\": "
                        "{\"price\": 7}}, \"share\": \"2.5%\"}");
    fixture_fini(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table__defaults_are_read_like_values),
        cmocka_unit_test(table__short_forms_widen),
        cmocka_unit_test(table__errors_say_what_where_and_what_instead),
        cmocka_unit_test(table__all_errors_are_found_at_once),
        cmocka_unit_test(dump__writes_what_was_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
