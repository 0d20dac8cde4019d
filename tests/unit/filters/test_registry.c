/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "filters/chain.h"
#include "filters/registry.h"
#include "tests/unit/filters/fixture.h"

#include <stdio.h>

/** The names of a compiled chain, joined. */
static const char *chain_names(const struct cyc_feature_conf *features,
                               const struct cyc_filter_route *route, char out[256])
{
    struct cyc_chain_entry entries[CYC_CHAIN_FILTER_COUNT_MAX];
    struct fixture f;

    fixture_init(&f);
    struct cyc_stats_registry *registry = fixture_stats_init(&f);
    struct cyc_filter_route with_metrics = *route;
    with_metrics.metrics = cyc_metrics_table_create(&f.arena, registry);
    uint32_t count = cyc_registry_build(&f.arena, registry, features, &with_metrics, entries);
    size_t len = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        assert_non_null(entries[i].conf);
        len += (size_t)snprintf(out + len, 256 - len, "%s ", entries[i].vt->name);
    }
    fixture_stats_fini(&f, registry);
    fixture_fini(&f);
    return out;
}

static void registry__everything_in_the_documented_order(void **state)
{
    struct cyc_header_edit edit = {CYC_SPAN("X-A"), CYC_SPAN("b")};
    struct cyc_feature_conf features = {
        .request_headers = {.sets = &edit, .set_count = 1},
        .response_headers = {.adds = &edit, .add_count = 1},
    };
    struct cyc_filter_route route = {.route_name = CYC_SPAN("users"),
                                     .is_metered = true,
                                     .is_access_logged = true,
                                     .sample_permyriad = 10000};
    char out[256];
    (void)state;
    assert_string_equal(chain_names(&features, &route, out),
                        "metrics access_log request_id request_headers response_headers "
                        "security_headers ");
}

static void registry__filter_with_nothing_to_do_is_not_in_the_chain(void **state)
{
    struct cyc_feature_conf features = {.security_headers = CYC_SECURITY_OFF,
                                        .request_id = CYC_REQUEST_ID_OFF};
    struct cyc_filter_route route = {.route_name = CYC_SPAN("users")};
    char out[256];
    (void)state;
    assert_string_equal(chain_names(&features, &route, out), "");
    features.request_id = CYC_REQUEST_ID_ALWAYS;
    assert_string_equal(chain_names(&features, &route, out), "request_id ");
}

static void registry__lists_every_filter_once(void **state)
{
    size_t count = 0;
    (void)state;
    while (cyc_filter_at(count) != NULL) {
        for (size_t i = 0; i < count; i++)
            assert_string_not_equal(cyc_filter_at(i)->name, cyc_filter_at(count)->name);
        count++;
    }
    assert_int_equal(count, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registry__everything_in_the_documented_order),
        cmocka_unit_test(registry__filter_with_nothing_to_do_is_not_in_the_chain),
        cmocka_unit_test(registry__lists_every_filter_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
