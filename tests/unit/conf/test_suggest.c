/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/suggest.h"

static void suggest__distance_counts_edits_and_swaps(void **state)
{
    static const struct {
        const char *a, *b;
        uint32_t distance;
        const char *why;
    } cases[] = {
        {"", "", 0, "nothing"},
        {"port", "port", 0, "same"},
        {"port", "prot", 1, "one swap"},
        {"port", "pot", 1, "one missing"},
        {"port", "ports", 1, "one more"},
        {"port", "pert", 1, "one other"},
        {"rate_limt", "rate_limit", 1, "missing i"},
        {"ca", "abc", 3, "no substring is edited twice"},
        {"", "abc", 3, "all new"},
        {"timeout", "retry", 6, "unlike"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cyc_span a = cyc_span_from_text(cases[i].a), b = cyc_span_from_text(cases[i].b);
        if (cyc_suggest_distance(a, b) != cases[i].distance ||
            cyc_suggest_distance(b, a) != cases[i].distance)
            fail_msg("%s, %s: %s", cases[i].a, cases[i].b, cases[i].why);
    }
}

static void suggest__long_words_are_not_compared(void **state)
{
    char word[CYC_SUGGEST_WORD_BYTES_MAX + 2];
    (void)state;
    memset(word, 'a', sizeof(word));
    struct cyc_span fits = cyc_span_of(word, CYC_SUGGEST_WORD_BYTES_MAX);
    struct cyc_span larger = cyc_span_of(word, CYC_SUGGEST_WORD_BYTES_MAX + 1);
    assert_int_equal(cyc_suggest_distance(fits, fits), 0);
    assert_int_equal(cyc_suggest_distance(fits, larger), UINT32_MAX);
}

static void suggest__takes_the_closest_and_the_first_of_equals(void **state)
{
    struct cyc_suggest suggest = {.word = CYC_SPAN("timout")};
    (void)state;
    cyc_suggest_offer(&suggest, CYC_SPAN("retry"));
    assert_int_equal(suggest.best.len, 0);
    cyc_suggest_offer(&suggest, CYC_SPAN("timeouts"));
    cyc_suggest_offer(&suggest, CYC_SPAN("timeout"));
    cyc_suggest_offer(&suggest, CYC_SPAN("tiimout"));
    assert_true(cyc_span_equal(suggest.best, CYC_SPAN("timeout")));
}

static void suggest__short_words_are_not_like_everything(void **state)
{
    struct cyc_suggest suggest = {.word = CYC_SPAN("to")};
    (void)state;
    cyc_suggest_offer(&suggest, CYC_SPAN("on"));
    assert_int_equal(suggest.best.len, 0);
    cyc_suggest_offer(&suggest, CYC_SPAN("too"));
    assert_true(cyc_span_equal(suggest.best, CYC_SPAN("too")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suggest__distance_counts_edits_and_swaps),
        cmocka_unit_test(suggest__long_words_are_not_compared),
        cmocka_unit_test(suggest__takes_the_closest_and_the_first_of_equals),
        cmocka_unit_test(suggest__short_words_are_not_like_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
