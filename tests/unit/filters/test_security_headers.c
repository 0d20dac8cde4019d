/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "filters/registry.h"
#include "tests/unit/filters/fixture.h"

static void respond(struct fixture *f, enum cyc_security_preset preset, bool is_tls)
{
    struct cyc_filter_call call = fixture_call(f, cyc_security_headers_preset(preset));
    f->exchange.is_tls = is_tls;
    cyc_security_headers_filter.on_res_head(&call, &f->res);
}

static void security_headers__presets_word_for_word(void **state)
{
    static const struct {
        enum cyc_security_preset preset;
        const char *name, *value;
    } cases[] = {
        {CYC_SECURITY_GUIDE, "X-Content-Type-Options", "nosniff"},
        {CYC_SECURITY_GUIDE, "X-Frame-Options", "DENY"},
        {CYC_SECURITY_GUIDE, "X-XSS-Protection", "1; mode=block"},
        {CYC_SECURITY_GUIDE, "Strict-Transport-Security", "max-age=31536000; includeSubDomains"},
        {CYC_SECURITY_GUIDE, "Content-Security-Policy", "default-src 'self'"},
        {CYC_SECURITY_GUIDE, "Referrer-Policy", "(none)"},
        {CYC_SECURITY_BASIC, "X-Content-Type-Options", "nosniff"},
        {CYC_SECURITY_BASIC, "Referrer-Policy", "strict-origin-when-cross-origin"},
        {CYC_SECURITY_BASIC, "Content-Security-Policy", "(none)"},
        {CYC_SECURITY_STRICT, "Content-Security-Policy",
         "default-src 'self'; frame-ancestors 'none'"},
        {CYC_SECURITY_STRICT, "X-XSS-Protection", "0"},
        {CYC_SECURITY_STRICT, "Referrer-Policy", "strict-origin-when-cross-origin"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        fixture_init(&f);
        respond(&f, cases[i].preset, true);
        assert_span_equal(fixture_field(&f.res, cases[i].name), cases[i].value);
        fixture_fini(&f);
    }
}

static void security_headers__no_hsts_in_clear(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    respond(&f, CYC_SECURITY_GUIDE, false); /* RFC 6797 7.2 */
    assert_int_equal(fixture_count(&f.res, "Strict-Transport-Security"), 0);
    assert_int_equal(f.res.field_count, 4);
    fixture_fini(&f);
}

static void security_headers__the_service_has_the_say(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f);
    fixture_add(&f.res, "content-security-policy", "default-src https:");
    fixture_add(&f.res, "x-frame-options", "SAMEORIGIN");
    respond(&f, CYC_SECURITY_GUIDE, true);
    assert_span_equal(fixture_field(&f.res, "Content-Security-Policy"), "default-src https:");
    assert_int_equal(fixture_count(&f.res, "Content-Security-Policy"), 1);
    assert_int_equal(fixture_count(&f.res, "X-Frame-Options"), 1);
    assert_int_equal(f.res.field_count, 5);
    fixture_fini(&f);
}

static void security_headers__off_is_no_filter(void **state)
{
    (void)state;
    assert_null(cyc_security_headers_preset(CYC_SECURITY_OFF));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(security_headers__presets_word_for_word),
        cmocka_unit_test(security_headers__no_hsts_in_clear),
        cmocka_unit_test(security_headers__the_service_has_the_say),
        cmocka_unit_test(security_headers__off_is_no_filter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
