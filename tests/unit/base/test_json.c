/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/rng.h"

static void json__escapes_what_has_a_meaning_and_nothing_else(void **state)
{
    static const struct {
        struct cyc_span text;
        const char *json, *plain, *why;
    } cases[] = {
        {CYC_SPAN_INIT(""), "", "", "empty"},
        {CYC_SPAN_INIT("GET /a?b=c HTTP/1.1"), "GET /a?b=c HTTP/1.1", "GET /a?b=c HTTP/1.1",
         "plain, longer than a word"},
        {CYC_SPAN_INIT("say \"hi\""), "say \\\"hi\\\"", "say \"hi\"",
         "RFC 8259 7: quotes; harmless in text"},
        {CYC_SPAN_INIT("a\\b"), "a\\\\b", "a\\\\b", "a backslash must stay unambiguous"},
        {CYC_SPAN_INIT("a\nb\rc\td"), "a\\nb\\rc\\td", "a\\nb\\rc\\td", "no forged lines"},
        {CYC_SPAN_INIT("a\0b\x1b[2J\x7f"), "a\\u0000b\\u001b[2J\\u007f",
         "a\\u0000b\\u001b[2J\\u007f", "no terminal control"},
        {CYC_SPAN_INIT("\xc2\x9b"), "\\u009b", "\\u009b", "C1 controls: CSI in one character"},
        {CYC_SPAN_INIT("\xc2\xa0"), "\xc2\xa0", "\xc2\xa0", "the first character after them"},
        {CYC_SPAN_INIT("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", "UTF-8"},
        {CYC_SPAN_INIT("\xf0\x9f\x8c\x80"), "\xf0\x9f\x8c\x80", "\xf0\x9f\x8c\x80", "four bytes"},
        {CYC_SPAN_INIT("\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd",
         "RFC 3629 3: overlong"},
        {CYC_SPAN_INIT("\xe0\x9f\xbf"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "overlong in three bytes"},
        {CYC_SPAN_INIT("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "a surrogate"},
        {CYC_SPAN_INIT("\xf4\x90\x80\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "above U+10FFFF"},
        {CYC_SPAN_INIT("a\xc3"), "a\xef\xbf\xbd", "a\xef\xbf\xbd", "cut off"},
        {CYC_SPAN_INIT("\xff z"), "\xef\xbf\xbd z", "\xef\xbf\xbd z", "never in UTF-8"},
        {CYC_SPAN_INIT("1234567\"12345678"), "1234567\\\"12345678", "1234567\"12345678",
         "at the end of a word"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[128];
        size_t len = cyc_json_escape(out, sizeof(out), cases[i].text);
        if (len != strlen(cases[i].json) || memcmp(out, cases[i].json, len) != 0)
            fail_msg("JSON, %s: %.*s", cases[i].why, (int)len, out);
        len = cyc_text_escape(out, sizeof(out), cases[i].text);
        if (len != strlen(cases[i].plain) || memcmp(out, cases[i].plain, len) != 0)
            fail_msg("text, %s: %.*s", cases[i].why, (int)len, out);
    }
}

static void json__each_byte_is_treated_alike_wherever_in_a_word_it_stands(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char alone[16], single = (char)c;
        size_t alone_len = cyc_json_escape(alone, sizeof(alone), cyc_span_of(&single, 1));
        for (size_t at = 0; at < 24; at++) {
            char text[24], out[24 * CYC_JSON_ESCAPE_BYTES_MAX];
            memset(text, 'x', sizeof(text));
            text[at] = single;
            size_t len = cyc_json_escape(out, sizeof(out), cyc_span_of(text, sizeof(text)));
            assert_int_equal(len, 23 + alone_len);
            assert_memory_equal(out + at, alone, alone_len);
        }
    }
}

static void json__output_that_does_not_fit_ends_with_a_whole_character(void **state)
{
    static const struct {
        const char *text;
        size_t max_bytes;
        const char *out;
    } cases[] = {
        {"abcdef", 3, "abc"},       {"abcdefghij", 9, "abcdefghi"},
        {"ab\n", 3, "ab"},          {"ab\x01", 7, "ab"},
        {"ab\x01", 8, "ab\\u0001"}, {"a\xc3\xbc", 2, "a"},
        {"a\xff", 3, "a"},          {"anything", 0, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[32];
        memset(out, '#', sizeof(out));
        struct cyc_span text = cyc_span_from_text(cases[i].text);
        size_t len = cyc_json_escape(out, cases[i].max_bytes, text);
        assert_int_equal(len, strlen(cases[i].out));
        assert_memory_equal(out, cases[i].out, len);
        assert_int_equal(out[cases[i].max_bytes], '#');
    }
}

static void json__random_bytes_always_become_clean_utf8(void **state)
{
    struct cyc_rng rng;
    (void)state;
    cyc_rng_init(&rng, 9);
    for (int round = 0; round < 5000; round++) {
        char text[64], out[64 * CYC_JSON_ESCAPE_BYTES_MAX], again[sizeof(out)];
        size_t len = (size_t)cyc_rng_below(&rng, sizeof(text) + 1);
        for (size_t i = 0; i < len; i++)
            text[i] = (char)cyc_rng_next(&rng);
        size_t max_bytes = (size_t)cyc_rng_below(&rng, sizeof(out) + 1);
        size_t out_len = cyc_json_escape(out, max_bytes, cyc_span_of(text, len));
        assert_true(out_len <= max_bytes);
        for (size_t i = 0; i < out_len; i++)
            assert_true((unsigned char)out[i] >= 0x20 && out[i] != 0x7f);
        for (size_t i = 0; i < out_len; i++) /* what is left to escape is only our own escapes */
            if (out[i] == '"' || out[i] == '\\')
                out[i] = 'x';
        size_t again_len = cyc_json_escape(again, sizeof(again), cyc_span_of(out, out_len));
        assert_int_equal(again_len, out_len);
        assert_memory_equal(again, out, out_len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json__escapes_what_has_a_meaning_and_nothing_else),
        cmocka_unit_test(json__each_byte_is_treated_alike_wherever_in_a_word_it_stands),
        cmocka_unit_test(json__output_that_does_not_fit_ends_with_a_whole_character),
        cmocka_unit_test(json__random_bytes_always_become_clean_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
