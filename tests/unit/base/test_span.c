/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/rng.h"
#include "base/span.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void span__token_characters_are_those_of_rfc_9110(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        int lower = c | 0x20;
        bool is_letter = lower >= 'a' && lower <= 'z', is_digit = c >= '0' && c <= '9';
        bool is_mark = c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL;
        if (cyc_char_is_token((char)c) != (is_letter || is_digit || is_mark))
            fail_msg("character %d", c);
    }
}

static void span__a_token_is_not_empty(void **state)
{
    static const struct {
        const char *text;
        bool is_token;
    } cases[] = {{"", false},    {"GET", true}, {"x-y_z", true}, {"a b", false},
                 {"a\t", false}, {"a:", false}, {"\x80", false}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(cyc_span_is_token(cyc_span_from_text(cases[i].text)), cases[i].is_token);
}

static void span__comparisons_agree_with_their_definition(void **state)
{
    static const struct {
        const char *a, *b;
        bool is_equal, is_equal_nocase, a_starts_with_b, a_ends_with_b_nocase;
        int order;
    } cases[] = {
        {"", "", true, true, true, true, 0},
        {"abc", "abc", true, true, true, true, 0},
        {"abc", "ABC", false, true, false, true, 1},
        {"abc", "ab", false, false, true, false, 1},
        {"abc", "BC", false, false, false, true, 1},
        {"ab", "abc", false, false, false, false, -1},
        {"a", "", false, false, true, true, 1},
        {"@[", "`{", false, false, false, false, -1},     /* differ in 0x20 but are no letters */
        {"\xc4", "\xe4", false, false, false, false, -1}, /* nor are these in ASCII */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cyc_span a = cyc_span_from_text(cases[i].a), b = cyc_span_from_text(cases[i].b);
        int order = cyc_span_compare(a, b), reverse = cyc_span_compare(b, a);
        if (cyc_span_equal(a, b) != cases[i].is_equal ||
            cyc_span_equal_nocase(a, b) != cases[i].is_equal_nocase ||
            cyc_span_starts_with(a, b) != cases[i].a_starts_with_b ||
            cyc_span_ends_with_nocase(a, b) != cases[i].a_ends_with_b_nocase ||
            (order > 0) - (order < 0) != cases[i].order ||
            (reverse > 0) - (reverse < 0) != -cases[i].order)
            fail_msg("\"%s\" and \"%s\"", cases[i].a, cases[i].b);
    }
}

static void span__the_empty_span_needs_no_pointer(void **state)
{
    struct cyc_span none = cyc_span_from_text(NULL);
    (void)state;
    assert_true(cyc_span_equal(none, CYC_SPAN("")));
    assert_true(cyc_span_equal_nocase(none, CYC_SPAN("")));
    assert_true(cyc_span_starts_with(CYC_SPAN("a"), none));
    assert_int_equal(cyc_span_compare(none, CYC_SPAN("")), 0);
    assert_int_equal(cyc_span_trim(none).len, 0);
    assert_int_equal(cyc_span_find_char(none, 'a', 0), 0);
    assert_int_equal(cyc_span_slice(none, 0, 5).len, 0);
    assert_false(cyc_span_is_token(none));
}

static void span__slices_are_clamped(void **state)
{
    static const struct {
        size_t from, to;
        const char *slice;
    } cases[] = {{0, 5, "hello"}, {1, 3, "el"}, {4, 99, "o"}, {5, 9, ""}, {9, 12, ""}, {3, 2, ""}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_true(cyc_span_equal(cyc_span_slice(CYC_SPAN("hello"), cases[i].from, cases[i].to),
                                   cyc_span_from_text(cases[i].slice)));
}

static void span__find_char_answers_the_length_when_there_is_none(void **state)
{
    struct cyc_span s = CYC_SPAN("a,b,c");
    (void)state;
    assert_int_equal(cyc_span_find_char(s, ',', 0), 1);
    assert_int_equal(cyc_span_find_char(s, ',', 1), 1);
    assert_int_equal(cyc_span_find_char(s, ',', 2), 3);
    assert_int_equal(cyc_span_find_char(s, ',', 4), 5);
    assert_int_equal(cyc_span_find_char(s, ',', 50), 5);
}

static void span__trim_takes_spaces_and_tabs_only(void **state)
{
    static const struct {
        const char *text, *trimmed;
    } cases[] = {{"  a b\t ", "a b"}, {"a", "a"}, {" \t ", ""}, {"\na\r", "\na\r"}, {"", ""}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_true(cyc_span_equal(cyc_span_trim(cyc_span_from_text(cases[i].text)),
                                   cyc_span_from_text(cases[i].trimmed)));
}

static void span__list_members_are_taken_one_by_one(void **state)
{
    static const struct {
        const char *list, *joined, *why; /* the members, a '|' after each */
    } cases[] = {
        {"close", "close|", "one"},
        {"gzip, chunked", "gzip|chunked|", "RFC 9110 5.6.1"},
        {" , a,,b ,", "a|b|", "RFC 9110 5.6.1.2: empty members are ignored"},
        {"", "", "nothing"},
        {" , ,\t", "", "nothing but commas"},
        {"a=\"x,y\", b", "a=\"x,y\"|b|", "a quoted comma"},
        {"\"a\\\",b\",c", "\"a\\\",b\"|c|", "a quoted quote"},
        {"\"a,b", "\"a,b|", "never closed"},
        {"\"a\\", "\"a\\|", "ends in a backslash"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cyc_span list = cyc_span_from_text(cases[i].list), member;
        char joined[64];
        size_t len = 0;
        while (cyc_span_take_member(&list, &member))
            len += (size_t)snprintf(joined + len, sizeof(joined) - len, "%.*s|", (int)member.len,
                                    member.ptr);
        if (!cyc_span_equal(cyc_span_of(joined, len), cyc_span_from_text(cases[i].joined)))
            fail_msg("%s: %.*s", cases[i].why, (int)len, joined);
    }
}

static void span__numbers_are_digits_and_nothing_else(void **state)
{
    static const struct {
        const char *text;
        uint64_t max;
        bool is_valid;
        uint64_t value;
        const char *why;
    } cases[] = {
        {"0", UINT64_MAX, true, 0, "zero"},
        {"007", UINT64_MAX, true, 7, "leading zeros"},
        {"18446744073709551615", UINT64_MAX, true, UINT64_MAX, "the largest"},
        {"18446744073709551616", UINT64_MAX, false, 0, "one more"},
        {"99999999999999999999", UINT64_MAX, false, 0, "twenty nines"},
        {"65535", 65535, true, 65535, "at the maximum"},
        {"65536", 65535, false, 0, "above the maximum"},
        {"", UINT64_MAX, false, 0, "empty"},
        {"+1", UINT64_MAX, false, 0, "RFC 9110 8.6: digits only"},
        {"-1", UINT64_MAX, false, 0, "no sign"},
        {" 1", UINT64_MAX, false, 0, "no space"},
        {"1 ", UINT64_MAX, false, 0, "no space"},
        {"0x1", UINT64_MAX, false, 0, "no base"},
        {"1e3", UINT64_MAX, false, 0, "no exponent"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t value = 0;
        struct cyc_span text = cyc_span_from_text(cases[i].text);
        if (cyc_span_parse_u64(text, cases[i].max, &value) != cases[i].is_valid ||
            value != cases[i].value)
            fail_msg("\"%s\": %s", cases[i].text, cases[i].why);
    }
}

static void span__hexadecimal_numbers_fit_in_64_bits(void **state)
{
    static const struct {
        const char *text;
        bool is_valid;
        uint64_t value;
    } cases[] = {
        {"0", true, 0},        {"ff", true, 255},
        {"FfFf", true, 65535}, {"ffffffffffffffff", true, UINT64_MAX},
        {"", false, 0},        {"g", false, 0},
        {"0x1", false, 0},     {"00000000000000001", false, 0},
        {"1;", false, 0},      {" 1", false, 0},
        {"-1", false, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t value = 0;
        struct cyc_span text = cyc_span_from_text(cases[i].text);
        if (cyc_span_parse_hex(text, &value) != cases[i].is_valid || value != cases[i].value)
            fail_msg("\"%s\"", cases[i].text);
    }
}

static void number_round_trip(uint64_t value)
{
    char text[20], expected[24];
    uint64_t again = value + 1;
    size_t len = cyc_format_u64(text, value);
    assert_int_equal(len, snprintf(expected, sizeof(expected), "%llu", (unsigned long long)value));
    assert_memory_equal(text, expected, len);
    assert_true(cyc_span_parse_u64(cyc_span_of(text, len), UINT64_MAX, &again) && again == value);
    len = cyc_format_hex(text, value);
    assert_int_equal(len, snprintf(expected, sizeof(expected), "%llx", (unsigned long long)value));
    assert_memory_equal(text, expected, len);
    assert_true(cyc_span_parse_hex(cyc_span_of(text, len), &again) && again == value);
}

static void span__numbers_survive_being_written_and_read(void **state)
{
    struct cyc_rng rng;
    (void)state;
    number_round_trip(0);
    number_round_trip(UINT64_MAX);
    cyc_rng_init(&rng, 1);
    for (uint64_t power = 1; power != 0 && power < UINT64_MAX / 10; power *= 10) {
        number_round_trip(power);
        number_round_trip(power - 1);
    }
    for (int i = 0; i < 20000; i++)
        number_round_trip(cyc_rng_next(&rng) >> cyc_rng_below(&rng, 64));
}

static void span__random_lists_fall_apart_as_they_were_joined(void **state)
{
    struct cyc_rng rng;
    (void)state;
    cyc_rng_init(&rng, 2);
    for (int round = 0; round < 5000; round++) {
        char text[256];
        char letters[16];
        size_t len = 0;
        uint32_t member_count = (uint32_t)cyc_rng_below(&rng, 10);
        for (uint32_t i = 0; i < member_count; i++) {
            static const char *const separators[] = {",", ", ", " ,\t", ",,", " , , "};
            letters[i] = (char)('a' + cyc_rng_below(&rng, 26));
            len += (size_t)snprintf(text + len, sizeof(text) - len,
                                    cyc_rng_chance_permille(&rng, 300) ? "%c=\",\"%s" : "%c%s",
                                    letters[i], separators[cyc_rng_below(&rng, 5)]);
        }
        struct cyc_span list = cyc_span_of(text, len), member;
        for (uint32_t i = 0; i < member_count; i++) {
            assert_true(cyc_span_take_member(&list, &member));
            assert_int_equal(member.ptr[0], letters[i]);
            assert_true(member.len == 1 || member.len == 5);
        }
        assert_false(cyc_span_take_member(&list, &member));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(span__token_characters_are_those_of_rfc_9110),
        cmocka_unit_test(span__a_token_is_not_empty),
        cmocka_unit_test(span__comparisons_agree_with_their_definition),
        cmocka_unit_test(span__the_empty_span_needs_no_pointer),
        cmocka_unit_test(span__slices_are_clamped),
        cmocka_unit_test(span__find_char_answers_the_length_when_there_is_none),
        cmocka_unit_test(span__trim_takes_spaces_and_tabs_only),
        cmocka_unit_test(span__list_members_are_taken_one_by_one),
        cmocka_unit_test(span__numbers_are_digits_and_nothing_else),
        cmocka_unit_test(span__hexadecimal_numbers_fit_in_64_bits),
        cmocka_unit_test(span__numbers_survive_being_written_and_read),
        cmocka_unit_test(span__random_lists_fall_apart_as_they_were_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
