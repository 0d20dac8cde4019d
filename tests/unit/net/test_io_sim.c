/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulator before it is trusted with anything: echo over several hosts under every fault, by
 * seed. Nothing is lost silently, everything ends, the same seed replays the same run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "tests/sim/echo.h"
#include "tests/sim/io_sim.h"

#define SERVER_COUNT 2 /* at one address, as workers listen */
#define CLIENT_COUNT 6
#define HOST_COUNT (SERVER_COUNT + 2)
#define SEED_COUNT 400
#define STEP_COUNT_MAX 2000000

struct world {
    struct cyc_mem mem;
    struct cyc_buf_pool pool;
    struct cyc_sim_net *net;
    struct echo_host hosts[HOST_COUNT];
    struct echo_server servers[SERVER_COUNT];
    struct echo_client clients[CLIENT_COUNT];
};

struct outcome {
    uint64_t hash;
    uint32_t whole_count, failed_count, accept_error_count;
    uint64_t parked_count;
};

static void world_init(struct world *w, uint64_t seed, const struct cyc_sim_faults *faults)
{
    static const struct cyc_network_conf network = {.syscall_batch_size = 64};
    static const struct cyc_timer_conf timer = {.wheel_size = 256, .resolution_ms = 5};
    struct cyc_addr addr;

    memset(w, 0, sizeof(*w));
    cyc_buf_pool_init(&w->pool, &w->mem);
    w->net = cyc_sim_net_create(&w->mem, seed, faults);
    struct cyc_io_setup setup = {&w->mem, &w->pool, &network, &timer};
    for (size_t i = 0; i < HOST_COUNT; i++)
        echo_host_init(&w->hosts[i], cyc_io_sim_create(w->net, &setup, &w->hosts[i]));
    assert_true(cyc_addr_parse(CYC_SPAN("10.1.2.3:80"), &addr));
    for (size_t i = 0; i < SERVER_COUNT; i++)
        assert_int_equal(echo_server_start(&w->servers[i], &w->hosts[i], &addr), 0);
    struct cyc_rng *rng = cyc_sim_net_rng(w->net);
    for (size_t i = 0; i < CLIENT_COUNT; i++)
        echo_client_start(&w->clients[i], &w->hosts[SERVER_COUNT + i % 2], &addr,
                          1 + cyc_rng_below(rng, cyc_rng_below(rng, 2) ? 200000 : 300));
}

static bool world_step(struct world *w)
{
    struct cyc_io *io = cyc_sim_net_pick(w->net, UINT64_MAX);
    if (io == NULL)
        return false;
    assert_true(echo_host_turn(cyc_io_sim_owner(io), 0) >= 0);
    return true;
}

/** Runs until nothing is going to happen any more: which must be the end of everything. */
static void world_run(struct world *w)
{
    bool is_stopped = false;

    for (int step = 0; world_step(w) || !is_stopped; step++) {
        assert_true(step < STEP_COUNT_MAX);
        uint32_t open_count = 0;
        for (size_t i = 0; i < CLIENT_COUNT; i++)
            open_count += !w->clients[i].is_closed;
        for (size_t i = 0; i < SERVER_COUNT && open_count == 0 && !is_stopped; i++)
            echo_server_stop(&w->servers[i]);
        is_stopped = is_stopped || open_count == 0;
    }
}

static void world_fini(struct world *w, struct outcome *ret)
{
    *ret = (struct outcome){.hash = cyc_sim_net_trace_hash(w->net)};
    for (size_t i = 0; i < CLIENT_COUNT; i++) {
        const struct echo_client *client = &w->clients[i];
        assert_true(client->is_closed);
        assert_false(client->is_wrong);
        if (client->error == 0)
            assert_int_equal(client->received_bytes, client->total_bytes);
        ret->whole_count += client->error == 0;
        ret->failed_count += client->error != 0;
    }
    for (size_t i = 0; i < SERVER_COUNT; i++) {
        assert_int_equal(w->servers[i].live_count, 0);
        ret->accept_error_count += w->servers[i].accept_error_count;
    }
    for (size_t i = 0; i < HOST_COUNT; i++) {
        ret->parked_count += w->hosts[i].io->recv_parked_count;
        assert_int_equal(w->hosts[i].io->in_flight_count, 0);
        cyc_io_destroy(w->hosts[i].io);
    }
    assert_int_equal(cyc_sim_net_socket_count(w->net), 0);
    cyc_sim_net_destroy(w->net);
    cyc_buf_pool_fini(&w->pool);
    assert_int_equal(w->mem.total_bytes, 0);
}

static struct outcome life_run(uint64_t seed, const struct cyc_sim_faults *faults)
{
    static struct world world;
    struct outcome outcome;

    world_init(&world, seed, faults);
    world_run(&world);
    world_fini(&world, &outcome);
    return outcome;
}

static void io_sim__without_faults_every_byte_comes_back(void **state)
{
    static const struct cyc_sim_faults faults = {
        .latency_us_max = 500, .short_io_permille = 400, .buffer_permille = 50};

    (void)state;
    for (uint64_t seed = 1; seed <= SEED_COUNT / 4; seed++) {
        struct outcome outcome = life_run(seed, &faults);
        if (outcome.whole_count != CLIENT_COUNT)
            fail_msg("seed %llu", (unsigned long long)seed);
    }
}

static void io_sim__every_fault_happens_and_everything_ends(void **state)
{
    static const struct cyc_sim_faults faults = {
        .latency_us_max = 2000,
        .short_io_permille = 300,
        .reset_permille = 3,
        .refuse_permille = 20,
        .blackhole_permille = 20,
        .stall_permille = 20,
        .accept_error_permille = 50,
        .buffer_permille = 20,
    };
    struct outcome sum = {0};

    (void)state;
    for (uint64_t seed = 1; seed <= SEED_COUNT; seed++) {
        struct outcome outcome = life_run(seed, &faults);
        sum.whole_count += outcome.whole_count;
        sum.failed_count += outcome.failed_count;
        sum.accept_error_count += outcome.accept_error_count;
        sum.parked_count += outcome.parked_count;
    }
    print_message("lives: %d, echoed whole: %u, failed: %u\n", SEED_COUNT, sum.whole_count,
                  sum.failed_count);
    assert_true(sum.whole_count > sum.failed_count);
    assert_true(sum.failed_count > 0);
    assert_true(sum.accept_error_count > 0);
    assert_true(sum.parked_count > 0);
}

static void io_sim__same_seed_replays_and_another_differs(void **state)
{
    static const struct cyc_sim_faults faults = {
        .latency_us_max = 700, .short_io_permille = 300, .reset_permille = 2};

    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t hash = life_run(seed, &faults).hash;
        assert_true(life_run(seed, &faults).hash == hash);
        assert_true(life_run(seed + 1000, &faults).hash != hash);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(io_sim__without_faults_every_byte_comes_back),
        cmocka_unit_test(io_sim__every_fault_happens_and_everything_ends),
        cmocka_unit_test(io_sim__same_seed_replays_and_another_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
