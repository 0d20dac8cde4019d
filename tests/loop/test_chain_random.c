/* SPDX-License-Identifier: Apache-2.0 */
/* Many random lives of a chain. CYC_CHAIN_SEED and CYC_CHAIN_LIVES replay or lengthen the run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/loop/chain_model.h"

#define LIFE_COUNT 40000

static uint64_t number_from(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 0) : fallback;
}

static void chain__promises_hold_for_random_lives(void **state)
{
    uint64_t seed = number_from("CYC_CHAIN_SEED", 1);
    uint64_t lives = number_from("CYC_CHAIN_LIVES", LIFE_COUNT);
    unsigned replied = 0, completed = 0, aborted = 0, early = 0;
    (void)state;

    print_message("%llu lives from CYC_CHAIN_SEED=%llu\n", (unsigned long long)lives,
                  (unsigned long long)seed);
    fixture_init(&t.f);
    t.has_rng = true;
    for (uint64_t life = 0; life < lives; life++) {
        t.seed = seed + life;
        cyc_rng_init(&t.rng, t.seed);
        life_run();
        replied += t.chain.is_replied;
        completed += t.flows[CYC_DIR_RESPONSE].end_count > 0;
        aborted += t.abort_count > 0;
        early += t.was_early;
    }
    fixture_fini(&t.f);
    print_message("replied %u, completed %u, aborted %u, answered early %u\n", replied, completed,
                  aborted, early);
    assert_true(lives < 1000 || (replied > 0 && completed > 0 && aborted > 0 && early > 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(chain__promises_hold_for_random_lives)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
