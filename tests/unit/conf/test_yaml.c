/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/text.h"
#include "conf/tree.h"
#include "tests/unit/conf/fixture.h"

static struct cyc_node *parse(struct fixture *fixture, const char *text)
{
    static const char *const environment[] = {"NAME=value", NULL};

    return cyc_tree_parse(&fixture->arena, &fixture->diag, "f.yaml", cyc_span_from_text(text),
                          environment);
}

static void yaml__every_node_knows_its_place(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    const struct cyc_node *root = parse(&fixture, "a:\n  - x\n  - {b: \"y\"}\n");
    const struct cyc_node *list = cyc_node_find(root, "a");
    assert_int_equal(list->kind, CYC_NODE_LIST);
    assert_int_equal(list->child_count, 2);
    assert_int_equal(list->key_mark.line, 1);
    assert_int_equal(list->children->mark.line, 2);
    assert_int_equal(list->children->mark.column, 5);
    assert_int_equal(list->children->mark.end_column, 6);
    const struct cyc_node *b = cyc_node_find(list->children->next, "b");
    assert_true(cyc_span_equal(b->text, CYC_SPAN("y")));
    assert_false(b->is_plain);
    assert_int_equal(b->mark.column, 9);
    assert_int_equal(b->mark.end_column, 12);
    assert_string_equal(fixture_text(&fixture, cyc_node_path(b, &fixture.arena)), "/a/1/b");
    assert_int_equal(root->node_count, 5);
    assert_null(cyc_node_find(root, "none"));
    fixture_fini(&fixture);
}

static void yaml__an_empty_document_is_an_empty_map(void **state)
{
    static const char *const texts[] = {"", "# only a comment\n", "---\n", "~\n", "\xef\xbb\xbf"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct fixture fixture;
        fixture_init(&fixture);
        const struct cyc_node *root = parse(&fixture, texts[i]);
        assert_non_null(root);
        assert_int_equal(root->kind, CYC_NODE_MAP);
        assert_int_equal(root->child_count, 0);
        fixture_fini(&fixture);
    }
}

static void yaml__merges_give_way_to_what_is_written_beside_them(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    const struct cyc_node *root = parse(&fixture, "x-a: &a {k: 1, l: 2}\n"
                                                  "x-b: &b {l: 3, m: 4}\n"
                                                  "one: {<<: *a, k: 9}\n"
                                                  "two: {<<: [*a, *b]}\n"
                                                  "three: *b\n");
    static const struct {
        const char *map, *key, *value, *why;
    } cases[] = {
        {"one", "k", "9", "own keys win"},       {"one", "l", "2", "merged"},
        {"two", "l", "2", "the first map wins"}, {"two", "m", "4", "merged from the second"},
        {"three", "m", "4", "a plain alias"},    {"x-a", "l", "2", "the anchor is as it was"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct cyc_node *node =
            cyc_node_find(cyc_node_find(root, cases[i].map), cases[i].key);
        if (node == NULL || !cyc_span_equal(node->text, cyc_span_from_text(cases[i].value)))
            fail_msg("%s", cases[i].why);
    }
    assert_int_equal(cyc_node_find(root, "one")->child_count, 2);
    assert_int_equal(cyc_node_find(root, "two")->child_count, 3);
    fixture_expect(&fixture, NULL, "merges");
    fixture_fini(&fixture);
}

static void yaml__what_a_configuration_has_no_use_for_is_refused(void **state)
{
    static const struct {
        const char *text, *message, *why;
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n", "f.yaml:3:1: error: \"a\" given twice; first at f.yaml:1:1",
         "the second would win silently"},
        {"a: 1\n\tb: 2\n", "f.yaml:2:1: error: a tab cannot indent", "tabs"},
        {"a: 1\n---\nb: 2\n", "f.yaml:2:1: error: a second document",
         "one file, one configuration"},
        {"a: !thing 1\n", "f.yaml:1:4: error: tags are not used", "unknown tag"},
        {"a: !!binary aGk=\n", "tags are not used", "a tag of YAML, but not of the core"},
        {"[a, b]: 1\n", "a key must be text", "complex key"},
        {"a: &a b\n*a : 1\n", "a key must be text", "alias as a key"},
        {"a: *none\n", "no anchor of that name", "undefined alias"},
        {"a: &a [*a]\n", "f.yaml:1:8: error: an alias inside its own anchor", "endless"},
        {"a: {<<: 1}\n", "\"<<\" takes a map", "merge of a scalar"},
        {"a: b: c\n", "f.yaml:1:5: error: not valid YAML", "syntax"},
        {"a: [1\n", "not valid YAML", "end of file inside a list"},
        {"a: \"\xff\"\n", "invalid leading UTF-8 octet", "encoding"},
        {"a: ${MISSING}\n", "f.yaml:1:4: error: the environment has no MISSING", "unset variable"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture fixture;
        fixture_init(&fixture);
        parse(&fixture, cases[i].text);
        fixture_expect(&fixture, cases[i].message, cases[i].why);
        fixture_fini(&fixture);
    }
}

static void yaml__core_tags_and_json_are_fine(void **state)
{
    static const char *const texts[] = {"a: !!str 1\n", "a: ! x\n", "a: !!map {b: 1}\n",
                                        "{\n\t\"a\": [\"x\", 1, true, null]\n}\n", "a:\tb\n"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct fixture fixture;
        fixture_init(&fixture);
        assert_non_null(parse(&fixture, texts[i]));
        fixture_expect(&fixture, NULL, texts[i]);
        fixture_fini(&fixture);
    }
}

static void yaml__scalars_are_text_with_variables_expanded(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    const struct cyc_node *root =
        parse(&fixture, "a: yes\nb: \"x ${NAME} y\"\nc: |\n  l1\n  l2\nd: '$${NAME}'\n");
    assert_true(cyc_span_equal(cyc_node_find(root, "a")->text, CYC_SPAN("yes")));
    assert_true(cyc_span_equal(cyc_node_find(root, "b")->text, CYC_SPAN("x value y")));
    assert_true(cyc_span_equal(cyc_node_find(root, "c")->text, CYC_SPAN("l1\nl2\n")));
    assert_int_equal(cyc_node_find(root, "c")->mark.end_column, 5);
    assert_true(cyc_span_equal(cyc_node_find(root, "d")->text, CYC_SPAN("${NAME}")));
    fixture_fini(&fixture);
}

static void yaml__nesting_is_limited(void **state)
{
    char text[CYC_TREE_DEPTH_MAX + 8];
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    memset(text, '[', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_null(parse(&fixture, text));
    fixture_expect(&fixture, "nested too deeply", "depth");
    fixture_fini(&fixture);
}

static void yaml__aliases_count_in_full(void **state)
{
    struct fixture fixture;
    struct cyc_text bomb;
    (void)state;
    fixture_init(&fixture);
    cyc_text_init(&bomb, &fixture.arena);
    cyc_text_puts(&bomb, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 12; i++) {
        cyc_text_printf(&bomb, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++)
            cyc_text_printf(&bomb, "*a%d,", i - 1);
        cyc_text_puts(&bomb, "]\n");
    }
    uint64_t before = fixture.mem.total_bytes;
    assert_null(parse(&fixture, fixture_text(&fixture, cyc_text_span(&bomb))));
    assert_true(fixture.mem.total_bytes - before < 100000);
    fixture_expect(&fixture, "its aliases multiply", "a billion laughs");
    fixture_fini(&fixture);
}

static void yaml__the_document_is_limited(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    char *large = cyc_arena_zalloc(&fixture.arena, CYC_TREE_BYTES_MAX + 1);
    assert_null(cyc_tree_parse(&fixture.arena, &fixture.diag, "f.yaml",
                               cyc_span_of(large, CYC_TREE_BYTES_MAX + 1), NULL));
    fixture_expect(&fixture, "larger than 16 MiB", "size");
    fixture_fini(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yaml__every_node_knows_its_place),
        cmocka_unit_test(yaml__an_empty_document_is_an_empty_map),
        cmocka_unit_test(yaml__merges_give_way_to_what_is_written_beside_them),
        cmocka_unit_test(yaml__what_a_configuration_has_no_use_for_is_refused),
        cmocka_unit_test(yaml__core_tags_and_json_are_fine),
        cmocka_unit_test(yaml__scalars_are_text_with_variables_expanded),
        cmocka_unit_test(yaml__nesting_is_limited),
        cmocka_unit_test(yaml__aliases_count_in_full),
        cmocka_unit_test(yaml__the_document_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
