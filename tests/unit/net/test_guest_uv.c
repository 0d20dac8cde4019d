/* SPDX-License-Identifier: Apache-2.0 */
/* libuv beside the engines: as a guest of the ring, as the host of the fallback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <uv.h>

#include "net/guest_uv.h"
#include "net/io.h"

#define WAKE_COUNT 50
#define TURN_COUNT_MAX 5000

struct counts {
    int timer_count, async_count, work_count;
    uv_thread_t thread;
    uv_async_t async;
    uv_timer_t timer;
    uv_work_t work;
};

static void counts_on_timer(uv_timer_t *timer)
{
    ((struct counts *)timer->data)->timer_count++;
}

static void counts_on_async(uv_async_t *async)
{
    ((struct counts *)async->data)->async_count++;
}

static void counts_do_work(uv_work_t *work)
{
    (void)work;
}

static void counts_on_work(uv_work_t *work, int status)
{
    assert_int_equal(status, 0);
    ((struct counts *)work->data)->work_count++;
}

static void guest_uv__runs_when_its_descriptor_says_so(void **state)
{
    struct cyc_mem mem = {0};
    struct counts counts = {0};
    int error = 0;

    (void)state;
    struct cyc_guest_uv *guest = cyc_guest_uv_create(&mem, &error);
    assert_non_null(guest);
    assert_true(cyc_guest_uv_run(guest) == UINT64_MAX); /* nothing alive */
    uv_loop_t *loop = cyc_guest_uv_loop(guest);
    counts.async.data = counts.timer.data = &counts;
    assert_int_equal(uv_async_init(loop, &counts.async, counts_on_async), 0);
    assert_true(cyc_guest_uv_run(guest) == UINT64_MAX);
    uv_async_send(&counts.async);
    struct pollfd poll_fd = {.fd = cyc_guest_uv_fd(guest), .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, 5000), 1);
    cyc_guest_uv_run(guest);
    assert_int_equal(counts.async_count, 1);

    uv_timer_init(loop, &counts.timer);
    uv_timer_start(&counts.timer, counts_on_timer, 1000, 0);
    assert_in_range(cyc_guest_uv_run(guest), 1, 1000 * CYC_NS_PER_MS);
    uv_close((uv_handle_t *)&counts.timer, NULL);
    uv_close((uv_handle_t *)&counts.async, NULL);
    cyc_guest_uv_destroy(guest);
    assert_int_equal(mem.total_bytes, 0);
}

static void thread_send(void *arg)
{
    uv_async_send(&((struct counts *)arg)->async);
}

/** Timers, another thread's wake-ups and the thread pool go on while only the engine waits. */
static void loop_lives_with(struct cyc_io *io)
{
    struct counts counts = {0};

    uv_loop_t *loop = io->vt->uv_loop(io);
    assert_non_null(loop);
    counts.async.data = counts.timer.data = counts.work.data = &counts;
    uv_async_init(loop, &counts.async, counts_on_async);
    uv_timer_init(loop, &counts.timer);
    uv_timer_start(&counts.timer, counts_on_timer, 1, 1);
    uv_queue_work(loop, &counts.work, counts_do_work, counts_on_work);
    io->vt->uv_loop(io); /* look at them */
    for (int i = 1; i <= WAKE_COUNT; i++) {
        assert_int_equal(uv_thread_create(&counts.thread, thread_send, &counts), 0);
        for (int j = 0; j < TURN_COUNT_MAX && counts.async_count < i; j++)
            assert_true(cyc_io_turn(io, 10 * CYC_NS_PER_S) >= 0);
        assert_int_equal(counts.async_count, i);
        uv_thread_join(&counts.thread);
    }
    for (int i = 0; i < TURN_COUNT_MAX && (counts.timer_count < 5 || counts.work_count < 1); i++)
        assert_true(cyc_io_turn(io, 10 * CYC_NS_PER_S) >= 0);
    assert_true(counts.timer_count >= 5);
    assert_int_equal(counts.work_count, 1);
    uv_close((uv_handle_t *)&counts.timer, NULL);
    uv_close((uv_handle_t *)&counts.async, NULL);
}

static void guest_uv__loop_lives_with_either_engine(void **state)
{
    static const struct cyc_network_conf network = {.syscall_batch_size = 64};
    static const struct cyc_timer_conf timer = {.wheel_size = 64, .resolution_ms = 1};
    static const enum cyc_io_backend backends[] = {CYC_IO_EPOLL, CYC_IO_AUTO};
    struct cyc_mem mem = {0};
    struct cyc_buf_pool pool;
    struct cyc_io_setup setup = {&mem, &pool, &network, &timer};

    (void)state;
    cyc_buf_pool_init(&pool, &mem);
    for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
        struct cyc_io_choice choice;
        int error = 0;
        assert_int_equal(cyc_io_pick(backends[i], &choice), 0);
        struct cyc_io *io = cyc_io_create(&choice, &setup, &error);
        assert_non_null(io);
        loop_lives_with(io);
        cyc_io_destroy(io);
    }
    cyc_buf_pool_fini(&pool);
    assert_int_equal(mem.total_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guest_uv__runs_when_its_descriptor_says_so),
        cmocka_unit_test(guest_uv__loop_lives_with_either_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
