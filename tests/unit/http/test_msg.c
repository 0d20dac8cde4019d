/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/mem.h"
#include "http/msg.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const struct {
    enum cyc_token token;
    const char *lower, *wire;
} rows[] = {
#define CYC_TOKEN_ROW(name, spelling, wire, flags) {CYC_TOKEN_##name, spelling, wire},
#include "http/token.def"
#undef CYC_TOKEN_ROW
};

static struct cyc_span text(const char *s)
{
    return cyc_span_from_text(s);
}

static void token__every_row_is_found_in_any_case(void **state)
{
    char upper[64];
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len = strlen(rows[i].lower);
        for (size_t k = 0; k < len; k++)
            upper[k] = (char)toupper((unsigned char)rows[i].lower[k]);
        if (cyc_token_find(text(rows[i].lower)) != rows[i].token)
            fail_msg("%s has no slot: run scripts/token_slots.py", rows[i].lower);
        assert_int_equal(cyc_token_find(cyc_span_of(upper, len)), rows[i].token);
        assert_int_equal(cyc_token_find(text(rows[i].wire)), rows[i].token);
        assert_true(cyc_span_equal(cyc_token_spelling(rows[i].token), text(rows[i].lower)));
    }
}

static void token__a_name_that_differs_in_one_character_is_another(void **state)
{
    char name[64];
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len = strlen(rows[i].lower);
        for (size_t k = 0; k < len; k++) {
            memcpy(name, rows[i].lower, len);
            name[k] = '_';
            assert_int_equal(cyc_token_find(cyc_span_of(name, len)), CYC_TOKEN_OTHER);
        }
        memcpy(name, rows[i].lower, len);
        name[len] = 's';
        assert_int_equal(cyc_token_find(cyc_span_of(name, len + 1)), CYC_TOKEN_OTHER);
        assert_int_equal(cyc_token_find(cyc_span_of(name, len - 1)), CYC_TOKEN_OTHER);
    }
    assert_int_equal(cyc_token_find(text("")), CYC_TOKEN_OTHER);
    assert_int_equal(cyc_token_find(text("x")), CYC_TOKEN_OTHER);
}

static void token__flags_say_what_the_proxy_relies_on(void **state)
{
    (void)state;
    assert_true(cyc_token_flags(CYC_TOKEN_CONNECTION) & CYC_TOKEN_HOP_BY_HOP);
    assert_true(cyc_token_flags(CYC_TOKEN_HOST) & CYC_TOKEN_KEPT);
    assert_true(cyc_token_flags(CYC_TOKEN_AUTHORIZATION) & CYC_TOKEN_SENSITIVE);
    assert_true(cyc_token_flags(CYC_TOKEN_CONTENT_LENGTH) & CYC_TOKEN_NO_TRAILER);
    assert_int_equal(cyc_token_flags(CYC_TOKEN_OTHER), 0);
}

static void method__names_are_case_sensitive(void **state)
{
    (void)state;
    for (enum cyc_method m = CYC_METHOD_GET; m < CYC_METHOD_COUNT; m++)
        assert_int_equal(cyc_method_find(cyc_method_name(m)), m);
    assert_int_equal(cyc_method_find(text("get")), CYC_METHOD_OTHER);
    assert_int_equal(cyc_method_find(text("")), CYC_METHOD_OTHER);
    assert_int_equal(cyc_method_find(text("GETS")), CYC_METHOD_OTHER);
}

static void method__idempotent_ones_are_those_of_rfc_9110(void **state)
{
    (void)state;
    assert_true(cyc_method_is_idempotent(CYC_METHOD_GET));
    assert_true(cyc_method_is_idempotent(CYC_METHOD_PUT));
    assert_true(cyc_method_is_idempotent(CYC_METHOD_DELETE));
    assert_false(cyc_method_is_idempotent(CYC_METHOD_POST));
    assert_false(cyc_method_is_idempotent(CYC_METHOD_PATCH));
    assert_false(cyc_method_is_idempotent(CYC_METHOD_OTHER));
}

struct fixture {
    struct cyc_mem mem;
    struct cyc_arena arena;
    struct cyc_msg msg;
};

static void setup(struct fixture *f, uint32_t capacity)
{
    memset(f, 0, sizeof(*f));
    cyc_arena_init(&f->arena, &f->mem, CYC_MEM_STREAMS, NULL, 0);
    cyc_msg_init(&f->msg, &f->arena, capacity);
}

static void msg__grows_and_keeps_the_order(void **state)
{
    struct fixture f;
    (void)state;

    setup(&f, 2);
    for (int i = 0; i < 40; i++)
        cyc_msg_add(&f.msg, CYC_TOKEN_OTHER, cyc_arena_format(&f.arena, "X-%d", i), text("v"));
    assert_int_equal(f.msg.field_count, 40);
    for (uint32_t i = 0; i < 40; i++) {
        char name[16];
        snprintf(name, sizeof(name), "X-%u", i);
        assert_true(cyc_span_equal(f.msg.fields[i].name, text(name)));
    }
    cyc_arena_fini(&f.arena);
}

static void msg__without_room_at_first_can_be_added_to(void **state)
{
    struct fixture f;
    (void)state;

    setup(&f, 0);
    cyc_msg_add_known(&f.msg, CYC_TOKEN_X_REQUEST_ID, text("1"));
    assert_true(cyc_span_equal(f.msg.fields[0].name, text("X-Request-Id")));
    cyc_arena_fini(&f.arena);
}

static void msg__find_skips_what_was_removed(void **state)
{
    struct fixture f;
    (void)state;

    setup(&f, 4);
    assert_null(cyc_msg_find(&f.msg, CYC_TOKEN_COOKIE));
    cyc_msg_add(&f.msg, CYC_TOKEN_COOKIE, text("Cookie"), text("a"));
    cyc_msg_add(&f.msg, CYC_TOKEN_OTHER, text("X-A"), text("1"));
    cyc_msg_add(&f.msg, CYC_TOKEN_COOKIE, text("cookie"), text("b"));
    cyc_msg_add(&f.msg, CYC_TOKEN_OTHER, text("x-a"), text("2"));

    struct cyc_field *field = cyc_msg_find(&f.msg, CYC_TOKEN_COOKIE);
    assert_true(cyc_span_equal(field->value, text("a")));
    field = cyc_msg_find_next(&f.msg, field);
    assert_true(cyc_span_equal(field->value, text("b")));
    assert_null(cyc_msg_find_next(&f.msg, field));

    field = cyc_msg_find_name(&f.msg, text("X-a"));
    assert_true(cyc_span_equal(field->value, text("1")));
    field = cyc_msg_find_next(&f.msg, field);
    assert_true(cyc_span_equal(field->value, text("2")));
    assert_null(cyc_msg_find_name(&f.msg, text("X-B")));
    assert_non_null(cyc_msg_find_name(&f.msg, text("COOKIE")));

    assert_int_equal(cyc_msg_remove(&f.msg, CYC_TOKEN_COOKIE), 2);
    assert_null(cyc_msg_find(&f.msg, CYC_TOKEN_COOKIE));
    assert_int_equal(cyc_msg_remove_name(&f.msg, text("X-A")), 2);
    assert_int_equal(cyc_msg_remove_name(&f.msg, text("X-A")), 0);
    assert_int_equal(f.msg.field_count, 4);
    cyc_arena_fini(&f.arena);
}

static void msg__set_leaves_one_field_in_the_first_ones_place(void **state)
{
    struct fixture f;
    (void)state;

    setup(&f, 4);
    cyc_msg_set(&f.msg, CYC_TOKEN_VIA, text("Via"), text("0"));
    cyc_msg_add(&f.msg, CYC_TOKEN_OTHER, text("X-A"), text("1"));
    cyc_msg_add(&f.msg, CYC_TOKEN_VIA, text("via"), text("2"));
    cyc_msg_set(&f.msg, CYC_TOKEN_VIA, text("Via"), text("3"));
    assert_true(cyc_span_equal(f.msg.fields[0].value, text("3")));
    assert_true(f.msg.fields[2].is_removed);
    cyc_msg_set(&f.msg, CYC_TOKEN_OTHER, text("X-B"), text("4"));
    assert_true(cyc_span_equal(f.msg.fields[3].value, text("4")));
    cyc_arena_fini(&f.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token__every_row_is_found_in_any_case),
        cmocka_unit_test(token__a_name_that_differs_in_one_character_is_another),
        cmocka_unit_test(token__flags_say_what_the_proxy_relies_on),
        cmocka_unit_test(method__names_are_case_sensitive),
        cmocka_unit_test(method__idempotent_ones_are_those_of_rfc_9110),
        cmocka_unit_test(msg__grows_and_keeps_the_order),
        cmocka_unit_test(msg__without_room_at_first_can_be_added_to),
        cmocka_unit_test(msg__find_skips_what_was_removed),
        cmocka_unit_test(msg__set_leaves_one_field_in_the_first_ones_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
