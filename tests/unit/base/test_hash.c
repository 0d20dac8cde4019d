/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/rng.h"

/* The reference's key: bytes 0 to 15. */
static const struct cyc_hash_key reference_key = {0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull};

static void hash__siphash_1_3_gives_the_reference_vectors(void **state)
{
    static const struct {
        size_t len; /* the input is bytes 0 to len - 1 */
        uint64_t hash;
    } cases[] = {
        {0, 0xabac0158050fc4dcull},  {1, 0xc9f49bf37d57ca93ull},  {2, 0x82cb9b024dc7d44dull},
        {3, 0x8bf80ab8e7ddf7fbull},  {7, 0xd3927d989bb11140ull},  {8, 0x369095118d299a8eull},
        {9, 0x25a48eb36c063de4ull},  {15, 0xd320d86d2a519956ull}, {16, 0xcc4fdd1a7d908b66ull},
        {17, 0x9cf2689063dbd80cull}, {31, 0x2370dd1f8c21d1bcull}, {63, 0x9d199062b7bbb3a8ull},
    };
    char input[64];
    (void)state;
    for (size_t i = 0; i < sizeof(input); i++)
        input[i] = (char)i;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (cyc_hash_span(&reference_key, cyc_span_of(input, cases[i].len)) != cases[i].hash)
            fail_msg("wrong for %zu bytes", cases[i].len);
    /* The reference implementation with an all-zero key. */
    struct cyc_hash_key zero = {0, 0};
    assert_true(cyc_hash_span(&zero, cyc_span_of(NULL, 0)) == 0xd1fba762150c532cull);
    assert_true(cyc_hash_span(&zero, cyc_span_of(input, 1)) == 0x68a914128e01e473ull);
}

static void hash__nocase_is_the_hash_of_the_lower_cased_bytes(void **state)
{
    struct cyc_rng rng;
    (void)state;
    cyc_rng_init(&rng, 1);
    for (int round = 0; round < 20000; round++) {
        char text[40], lower[40];
        size_t len = (size_t)cyc_rng_below(&rng, sizeof(text) + 1);
        for (size_t i = 0; i < len; i++) {
            text[i] = (char)cyc_rng_next(&rng); /* any byte: no other may be folded */
            lower[i] = cyc_char_lower(text[i]);
        }
        uint64_t expected = cyc_hash_span(&reference_key, cyc_span_of(lower, len));
        assert_true(cyc_hash_span_nocase(&reference_key, cyc_span_of(text, len)) == expected);
    }
}

static void hash__nocase_folds_letters_and_nothing_else(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char bytes[8] = {'-', '-', (char)c, '-', '-', '-', '-', '-'};
        char flipped[8] = {'-', '-', (char)(c ^ 0x20), '-', '-', '-', '-', '-'};
        int lower = c | 0x20;
        int is_letter = lower >= 'a' && lower <= 'z';
        int is_same = cyc_hash_span_nocase(&reference_key, cyc_span_of(bytes, 8)) ==
                      cyc_hash_span_nocase(&reference_key, cyc_span_of(flipped, 8));
        if (is_letter != is_same)
            fail_msg("byte %d", c);
    }
}

static void hash__the_key_and_the_length_matter(void **state)
{
    struct cyc_hash_key other = reference_key;
    (void)state;
    other.k1 ^= 1;
    assert_true(cyc_hash_span(&reference_key, CYC_SPAN("host")) !=
                cyc_hash_span(&other, CYC_SPAN("host")));
    assert_true(cyc_hash_span(&reference_key, cyc_span_of("\0\0", 1)) !=
                cyc_hash_span(&reference_key, cyc_span_of("\0\0", 2)));
}

static void hash__mix64_is_the_murmur3_finalizer(void **state)
{
    (void)state;
    assert_true(cyc_hash_mix64(0) == 0);
    assert_true(cyc_hash_mix64(1) == 0xb456bcfc34c2cb2cull);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash__siphash_1_3_gives_the_reference_vectors),
        cmocka_unit_test(hash__nocase_is_the_hash_of_the_lower_cased_bytes),
        cmocka_unit_test(hash__nocase_folds_letters_and_nothing_else),
        cmocka_unit_test(hash__the_key_and_the_length_matter),
        cmocka_unit_test(hash__mix64_is_the_murmur3_finalizer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
