/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/pipe.h"

#define SIZE 50000

struct fixture {
    struct cyc_mem mem;
    struct cyc_buf_pool pool;
    struct cyc_buf buf, other;
    int in[2], out[2]; /* written to [0], read at [1] */
    char sent[SIZE], got[SIZE];
};

static int set_up(void **state)
{
    static struct fixture f;

    memset(&f, 0, sizeof(f));
    cyc_buf_pool_init(&f.pool, &f.mem);
    cyc_buf_init(&f.buf, &f.pool);
    cyc_buf_init(&f.other, &f.pool);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, f.in) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, f.out) < 0)
        return -1;
    for (size_t i = 0; i < SIZE; i++)
        f.sent[i] = (char)(i * 31 >> 3);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    cyc_buf_clear(&f->buf);
    cyc_buf_clear(&f->other);
    cyc_buf_pool_fini(&f->pool); /* asserts that every pipe came back */
    assert_int_equal(f->mem.total_bytes, 0);
    for (int i = 0; i < 2; i++) {
        close(f->in[i]);
        close(f->out[i]);
    }
    return 0;
}

/** Puts `len` bytes through the kernel to the end of `buf`, as one pipe chunk. */
static void append_pipe(struct fixture *f, struct cyc_buf *buf, size_t at, size_t len)
{
    struct cyc_chunk *chunk = cyc_pipe_get(&f->pool);

    assert_non_null(chunk);
    assert_int_equal(write(f->in[0], f->sent + at, len), len);
    assert_int_equal(cyc_pipe_fill(chunk, f->in[1], SIZE), len);
    cyc_buf_append_chunk(buf, chunk, chunk->bytes, chunk->used_bytes);
    cyc_chunk_unref(chunk);
}

/** Sends all of `buf` and compares what comes out with sent[at...]. */
static void assert_sends(struct fixture *f, struct cyc_buf *buf, size_t at, size_t len)
{
    assert_int_equal(buf->bytes, len);
    for (size_t done = 0; done < len;) {
        struct iovec iov;
        ssize_t n;
        if (cyc_buf_is_pipe_next(buf)) {
            n = cyc_pipe_drain(buf, f->out[0]);
        } else {
            assert_int_equal(cyc_buf_iovecs(buf, &iov, 1), 1);
            n = writev(f->out[0], &iov, 1);
        }
        assert_true(n > 0);
        cyc_buf_drop(buf, (size_t)n);
        assert_int_equal(recv(f->out[1], f->got + done, (size_t)n, MSG_WAITALL), n);
        done += (size_t)n;
    }
    assert_memory_equal(f->got, f->sent + at, len);
    assert_int_equal(buf->bytes, 0);
}

static void pipe__bytes_pass_unchanged_and_the_pipe_is_used_again(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 3; i++) {
        append_pipe(f, &f->buf, 0, SIZE);
        assert_sends(f, &f->buf, 0, SIZE);
        assert_int_equal(f->pool.pipe_count, 1);
        assert_int_equal(f->pool.pipe_free_count, 1);
    }
}

static void pipe__a_short_one_is_never_copied_behind_memory(void **state)
{
    struct fixture *f = *state;

    cyc_buf_append(&f->buf, cyc_span_of(f->sent, 10));
    append_pipe(f, &f->other, 10, 5); /* a memory segment of this size would be copied */
    cyc_buf_append(&f->other, cyc_span_of(f->sent + 15, 20000));
    append_pipe(f, &f->other, 20015, 7); /* the same in a backlog */
    cyc_buf_append(&f->other, cyc_span_of(f->sent + 20022, 3));
    cyc_buf_splice(&f->buf, &f->other);
    assert_sends(f, &f->buf, 0, 20025);
}

static void pipe__cut_and_put_together_again_it_is_one_stretch(void **state)
{
    struct fixture *f = *state;

    append_pipe(f, &f->other, 0, 1000);
    cyc_buf_move(&f->buf, &f->other, 300);
    assert_int_equal(f->other.bytes, 700);
    cyc_buf_move(&f->buf, &f->other, 700);
    assert_int_equal(f->buf.head->len, 1000);
    assert_sends(f, &f->buf, 0, 1000);
}

static void pipe__pieces_stop_before_it(void **state)
{
    struct fixture *f = *state;
    struct iovec iovs[4];

    cyc_buf_append(&f->buf, cyc_span_of(f->sent, 10));
    append_pipe(f, &f->buf, 10, 100);
    cyc_buf_append(&f->buf, cyc_span_of(f->sent + 110, 10));
    assert_int_equal(cyc_buf_iovecs(&f->buf, iovs, 4), 1);
    assert_sends(f, &f->buf, 0, 120);
}

static void pipe__with_bytes_left_it_is_closed(void **state)
{
    struct fixture *f = *state;

    append_pipe(f, &f->buf, 0, 1000);
    cyc_buf_clear(&f->buf);
    assert_int_equal(f->pool.pipe_count, 0);
}

static void pipe__after_a_gap_nothing_is_sent(void **state)
{
    struct fixture *f = *state;

    append_pipe(f, &f->buf, 0, 1000);
    cyc_buf_drop(&f->buf, 1);
    assert_int_equal(cyc_pipe_drain(&f->buf, f->out[0]), -EPIPE);
}

static void pipe__filling_never_waits_and_sees_the_end(void **state)
{
    struct fixture *f = *state;
    struct cyc_chunk *chunk = cyc_pipe_get(&f->pool);

    assert_non_null(chunk);
    assert_int_equal(cyc_pipe_fill(chunk, f->in[1], 100), -EAGAIN);
    shutdown(f->in[0], SHUT_WR);
    assert_int_equal(cyc_pipe_fill(chunk, f->in[1], 100), 0);
    cyc_chunk_unref(chunk);
}

static void pipe__takes_no_more_than_it_is_told(void **state)
{
    struct fixture *f = *state;
    struct cyc_chunk *chunk = cyc_pipe_get(&f->pool);

    assert_non_null(chunk);
    assert_int_equal(write(f->in[0], "bodynext", 8), 8);
    assert_int_equal(cyc_pipe_fill(chunk, f->in[1], 4), 4);
    assert_int_equal(read(f->in[1], f->got, SIZE), 4);
    assert_memory_equal(f->got, "next", 4);
    cyc_chunk_unref(chunk);
}

static void pipe__there_is_a_limit_and_few_stay(void **state)
{
    struct fixture *f = *state;
    static struct cyc_chunk *chunks[1000];
    uint32_t count = 0;

    while (count < 1000 && (chunks[count] = cyc_pipe_get(&f->pool)) != NULL)
        count++;
    assert_in_range(count, 32, 999);
    while (count > 0)
        cyc_chunk_unref(chunks[--count]);
    assert_int_equal(f->pool.pipe_count, f->pool.pipe_free_count);
    assert_in_range(f->pool.pipe_free_count, 1, 32);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(pipe__bytes_pass_unchanged_and_the_pipe_is_used_again),
        CASE(pipe__a_short_one_is_never_copied_behind_memory),
        CASE(pipe__cut_and_put_together_again_it_is_one_stretch),
        CASE(pipe__pieces_stop_before_it),
        CASE(pipe__with_bytes_left_it_is_closed),
        CASE(pipe__after_a_gap_nothing_is_sent),
        CASE(pipe__filling_never_waits_and_sees_the_end),
        CASE(pipe__takes_no_more_than_it_is_told),
        CASE(pipe__there_is_a_limit_and_few_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
