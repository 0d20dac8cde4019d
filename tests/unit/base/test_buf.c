/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/rng.h"

#define MODEL_BYTES_MAX (256 * 1024)
#define QUEUE_COUNT 3

struct fixture {
    struct cyc_mem mem;
    struct cyc_buf_pool pool;
    struct cyc_buf buf, other;
};

static int set_up(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof(f));
    cyc_buf_pool_init(&f.pool, &f.mem);
    cyc_buf_init(&f.buf, &f.pool);
    cyc_buf_init(&f.other, &f.pool);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    cyc_buf_clear(&f->buf);
    cyc_buf_clear(&f->other);
    cyc_buf_pool_fini(&f->pool); /* asserts that everything came back */
    assert_int_equal(f->mem.total_bytes, 0);
    return 0;
}

static void assert_holds(const struct cyc_buf *buf, const char *text)
{
    char bytes[512];
    assert_int_equal(buf->bytes, strlen(text));
    assert_int_equal(cyc_buf_peek(buf, bytes, sizeof(bytes)), strlen(text));
    assert_memory_equal(bytes, text, strlen(text));
}

static uint32_t seg_count(const struct cyc_buf *buf)
{
    struct iovec iovs[64];
    return cyc_buf_iovecs(buf, iovs, 64);
}

static void buf__appended_bytes_are_one_stretch_while_they_fit(void **state)
{
    struct fixture *f = *state;
    cyc_buf_append(&f->buf, CYC_SPAN("HTTP/1.1 "));
    cyc_buf_append(&f->buf, CYC_SPAN(""));
    cyc_buf_append(&f->buf, CYC_SPAN("200 OK"));
    assert_holds(&f->buf, "HTTP/1.1 200 OK");
    assert_int_equal(seg_count(&f->buf), 1);
    assert_true(cyc_span_equal(cyc_buf_front(&f->buf), CYC_SPAN("HTTP/1.1 200 OK")));
}

static void buf__an_empty_queue_has_an_empty_front(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(cyc_buf_front(&f->buf).len, 0);
    assert_int_equal(seg_count(&f->buf), 0);
    cyc_buf_drop(&f->buf, 0);
    cyc_buf_move(&f->buf, &f->other, 10);
    cyc_buf_splice(&f->buf, &f->other);
    assert_holds(&f->buf, "");
}

static void buf__bytes_in_a_chunk_are_shared_and_not_copied(void **state)
{
    struct fixture *f = *state;
    struct cyc_chunk *chunk = cyc_chunk_get(&f->pool, true);
    memcpy(chunk->bytes, "headbody", 8);
    chunk->used_bytes = 8;
    cyc_buf_append_chunk(&f->buf, chunk, chunk->bytes + 4, 4);
    cyc_buf_append_chunk(&f->other, chunk, chunk->bytes, 4);
    cyc_buf_append_chunk(&f->other, chunk, chunk->bytes, 0);
    assert_int_equal(chunk->ref_count, 3);
    cyc_chunk_unref(chunk);
    assert_ptr_equal(cyc_buf_front(&f->buf).ptr, chunk->bytes + 4);
    assert_holds(&f->other, "head");
    /* Only the holder of the last byte may write behind it. */
    cyc_buf_append(&f->other, CYC_SPAN("!"));
    cyc_buf_append(&f->buf, CYC_SPAN("?"));
    assert_holds(&f->buf, "body?");
    assert_holds(&f->other, "head!");
    assert_int_equal(seg_count(&f->buf), 1);
    assert_int_equal(seg_count(&f->other), 2);
}

static void buf__neighbours_in_a_chunk_become_one_stretch_again(void **state)
{
    struct fixture *f = *state;
    struct cyc_chunk *chunk = cyc_chunk_get(&f->pool, true);
    memset(chunk->bytes, 'x', 9000);
    chunk->used_bytes = 9000;
    for (int i = 0; i < 3; i++)
        cyc_buf_append_chunk(&f->buf, chunk, chunk->bytes + i * 3000, 3000);
    cyc_chunk_unref(chunk);
    assert_int_equal(seg_count(&f->buf), 1);
    cyc_buf_move(&f->other, &f->buf, 2000);
    cyc_buf_move(&f->other, &f->buf, 3000);
    cyc_buf_splice(&f->other, &f->buf);
    assert_int_equal(f->other.bytes, 9000);
    assert_int_equal(seg_count(&f->other), 1);
}

static void buf__small_tails_are_copied_large_ones_moved(void **state)
{
    struct fixture *f = *state;
    static char large[3000];
    memset(large, 'L', sizeof(large));
    cyc_buf_append(&f->buf, CYC_SPAN("head "));
    cyc_buf_append(&f->other, CYC_SPAN("small"));
    cyc_buf_splice(&f->buf, &f->other);
    assert_int_equal(seg_count(&f->buf), 1);
    cyc_buf_append(&f->other, cyc_span_of(large, sizeof(large)));
    const char *place = cyc_buf_front(&f->other).ptr;
    cyc_buf_splice(&f->buf, &f->other);
    assert_int_equal(seg_count(&f->buf), 2);
    assert_ptr_equal(f->buf.tail->ptr, place);
    assert_int_equal(f->other.bytes, 0);
}

static void buf__a_reservation_that_is_not_used_leaves_no_trace(void **state)
{
    struct fixture *f = *state;
    struct cyc_chunk *chunk = cyc_chunk_get(&f->pool, false);
    memset(chunk->bytes, 'c', 2000);
    chunk->used_bytes = 2000;
    cyc_buf_reserve(&f->buf, 100);
    cyc_buf_append_chunk(&f->buf, chunk, chunk->bytes, 2000);
    assert_int_equal(cyc_buf_front(&f->buf).len, 2000); /* not the empty reservation */
    cyc_buf_reserve(&f->other, 100);
    cyc_buf_splice(&f->other, &f->buf);
    assert_int_equal(cyc_buf_front(&f->other).len, 2000);
    cyc_buf_reserve(&f->buf, 100);
    cyc_buf_clear(&f->other);
    cyc_buf_splice(&f->other, &f->buf); /* moves nothing */
    cyc_buf_reserve(&f->buf, 100);
    cyc_buf_move(&f->other, &f->buf, 0);
    cyc_buf_reserve(&f->buf, 100);
    cyc_buf_drop(&f->buf, 0);
    cyc_buf_append(&f->buf, CYC_SPAN("x"));
    assert_holds(&f->buf, "x");
    cyc_chunk_unref(chunk);
}

static void buf__reserve_gives_a_contiguous_place(void **state)
{
    struct fixture *f = *state;
    size_t total = 0;
    for (int i = 0; i < 10; i++) {
        char *out = cyc_buf_reserve(&f->buf, CYC_CHUNK_SMALL_BYTES);
        memset(out, 'a' + i, CYC_CHUNK_SMALL_BYTES);
        size_t len = (size_t)(1000 + i);
        cyc_buf_commit(&f->buf, len);
        total += len;
        assert_int_equal(f->buf.bytes, total);
        out = cyc_buf_reserve(&f->buf, 0);
        cyc_buf_commit(&f->buf, 0);
    }
    assert_int_equal(seg_count(&f->buf), 10);
}

static void buf__the_pool_limit_refuses_chunks_but_not_what_must_go_on(void **state)
{
    struct fixture *f = *state;
    f->mem.limit_bytes = 10000;
    assert_null(cyc_chunk_get(&f->pool, true));
    struct cyc_chunk *chunk = cyc_chunk_get_always(&f->pool, true);
    assert_int_equal(chunk->size_bytes, CYC_CHUNK_LARGE_BYTES);
    cyc_buf_append(&f->buf, CYC_SPAN("goes on"));
    assert_holds(&f->buf, "goes on");
    cyc_chunk_unref(chunk);
}

/* ---- random operations on three queues, compared with flat arrays -----------------------------
 */

struct queue {
    struct cyc_buf buf;
    char *bytes; /* the model */
    size_t len;
};

static void queue_compare(const struct queue *queue)
{
    static char bytes[MODEL_BYTES_MAX];
    struct iovec iovs[512];
    size_t sum = 0;
    assert_int_equal(queue->buf.bytes, queue->len);
    assert_int_equal(cyc_buf_peek(&queue->buf, bytes, sizeof(bytes)), queue->len);
    assert_memory_equal(bytes, queue->bytes, queue->len);
    uint32_t count = cyc_buf_iovecs(&queue->buf, iovs, 512);
    for (uint32_t i = 0; i < count; i++) {
        assert_memory_equal(iovs[i].iov_base, queue->bytes + sum, iovs[i].iov_len);
        sum += iovs[i].iov_len;
    }
    assert_true(count == 512 || sum == queue->len);
    assert_int_equal(cyc_buf_front(&queue->buf).len > 0, queue->len > 0);
}

static void model_append(struct queue *queue, const char *bytes, size_t len)
{
    memcpy(queue->bytes + queue->len, bytes, len);
    queue->len += len;
}

static void model_drop(struct queue *queue, size_t len)
{
    queue->len -= len;
    memmove(queue->bytes, queue->bytes + len, queue->len);
}

static size_t random_len(struct cyc_rng *rng)
{
    return (size_t)cyc_rng_below(rng, cyc_rng_chance_permille(rng, 700) ? 64 : 6000);
}

static void random_fill(struct cyc_rng *rng, char *out, size_t len)
{
    uint64_t first = cyc_rng_next(rng);
    for (size_t i = 0; i < len; i++)
        out[i] = (char)(first + i * 7);
}

static void step_append(struct queue *to, struct cyc_rng *rng)
{
    char bytes[6000];
    size_t len = random_len(rng);
    random_fill(rng, bytes, len);
    cyc_buf_append(&to->buf, cyc_span_of(bytes, len));
    model_append(to, bytes, len);
}

static void step_reserve(struct queue *to, struct cyc_rng *rng)
{
    size_t len_max = (size_t)cyc_rng_below(rng, CYC_CHUNK_SMALL_BYTES + 1);
    char *out = cyc_buf_reserve(&to->buf, len_max);
    if (cyc_rng_chance_permille(rng, 200))
        return; /* never committed */
    size_t len = (size_t)cyc_rng_below(rng, len_max + 1);
    random_fill(rng, out, len);
    cyc_buf_commit(&to->buf, len);
    model_append(to, out, len);
}

/** Bytes that arrived in a chunk go to two queues, as a parser would hand them out. */
static void step_chunk(struct queue *to, struct queue *also_to, struct cyc_rng *rng)
{
    struct cyc_chunk *chunk = cyc_chunk_get(to->buf.pool, cyc_rng_chance_permille(rng, 300));
    size_t len = random_len(rng) % CYC_CHUNK_SMALL_BYTES;
    size_t cut = (size_t)cyc_rng_below(rng, len + 1);
    random_fill(rng, chunk->bytes, len);
    chunk->used_bytes = (uint32_t)len;
    cyc_buf_append_chunk(&to->buf, chunk, chunk->bytes, cut);
    model_append(to, chunk->bytes, cut);
    cyc_buf_append_chunk(&also_to->buf, chunk, chunk->bytes + cut, len - cut);
    model_append(also_to, chunk->bytes + cut, len - cut);
    cyc_chunk_unref(chunk);
}

static void step_move(struct queue *to, struct queue *from, struct cyc_rng *rng)
{
    if (to == from)
        return;
    if (cyc_rng_chance_permille(rng, 300)) {
        cyc_buf_splice(&to->buf, &from->buf);
        model_append(to, from->bytes, from->len);
        from->len = 0;
        return;
    }
    size_t len = (size_t)cyc_rng_below(rng, from->len + 100); /* more than there is: all */
    cyc_buf_move(&to->buf, &from->buf, len);
    len = len < from->len ? len : from->len;
    model_append(to, from->bytes, len);
    model_drop(from, len);
}

static void step_drop(struct queue *queue, struct cyc_rng *rng)
{
    size_t len = (size_t)cyc_rng_below(rng, queue->len + 1);
    cyc_buf_drop(&queue->buf, len);
    model_drop(queue, len);
}

static void step_any(struct queue *queues, struct cyc_rng *rng)
{
    struct queue *a = &queues[cyc_rng_below(rng, QUEUE_COUNT)];
    struct queue *b = &queues[cyc_rng_below(rng, QUEUE_COUNT)];
    switch (cyc_rng_below(rng, 8)) {
    case 0:
    case 1:
        step_append(a, rng);
        break;
    case 2:
        step_reserve(a, rng);
        break;
    case 3:
        step_chunk(a, b, rng);
        break;
    case 4:
    case 5:
        step_move(a, b, rng);
        break;
    default:
        step_drop(a, rng);
        break;
    }
    if (a->len > MODEL_BYTES_MAX / 4) {
        cyc_buf_clear(&a->buf);
        a->len = 0;
    }
    queue_compare(a);
    queue_compare(b);
}

static void buf__random_operations_agree_with_a_flat_array(void **state)
{
    struct fixture *f = *state;
    static char models[QUEUE_COUNT][MODEL_BYTES_MAX];
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct queue queues[QUEUE_COUNT];
        struct cyc_rng rng;
        cyc_rng_init(&rng, seed);
        for (int i = 0; i < QUEUE_COUNT; i++) {
            queues[i] = (struct queue){.bytes = models[i]};
            cyc_buf_init(&queues[i].buf, &f->pool);
        }
        for (int step = 0; step < 800; step++)
            step_any(queues, &rng);
        for (int i = 0; i < QUEUE_COUNT; i++)
            cyc_buf_clear(&queues[i].buf);
        assert_int_equal(f->pool.small.used_count + f->pool.large.used_count, 0);
        assert_int_equal(f->pool.segs.used_count, 0);
    }
}

/** Appends `len` bytes that lie alone in a large chunk, as a short read does. */
static void append_lonely(struct fixture *f, struct cyc_buf *buf, size_t len)
{
    struct cyc_chunk *chunk = cyc_chunk_get(&f->pool, true);

    memset(chunk->bytes, 'x', len);
    chunk->used_bytes = (uint32_t)len;
    cyc_buf_append_chunk(buf, chunk, chunk->bytes, len);
    cyc_chunk_unref(chunk);
}

static void buf__many_short_reads_do_not_hold_many_times_their_memory(void **state)
{
    struct fixture *f = *state;

    for (size_t bytes = 0; bytes < 200000; bytes += 1100) {
        append_lonely(f, &f->other, 1100);
        cyc_buf_splice(&f->buf, &f->other);
    }
    assert_true(f->mem.kind_bytes[CYC_MEM_BUFFERS] < 16 * 65536 + 200000 * 4);
}

static void buf__sharing_copies_what_fills_little_of_its_chunk(void **state)
{
    struct fixture *f = *state;
    char copy[300];

    append_lonely(f, &f->other, 300);
    append_lonely(f, &f->other, 40000);
    cyc_buf_share(&f->buf, &f->other);
    assert_int_equal(f->other.bytes, 40300);
    assert_int_equal(f->buf.bytes, 40300);
    assert_ptr_not_equal(f->buf.head->chunk, f->other.head->chunk);
    assert_ptr_equal(f->buf.tail->chunk, f->other.tail->chunk);
    assert_int_equal(cyc_buf_peek(&f->buf, copy, sizeof(copy)), sizeof(copy));
    assert_int_equal(copy[299], 'x');
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(buf__appended_bytes_are_one_stretch_while_they_fit),
        TEST(buf__an_empty_queue_has_an_empty_front),
        TEST(buf__bytes_in_a_chunk_are_shared_and_not_copied),
        TEST(buf__neighbours_in_a_chunk_become_one_stretch_again),
        TEST(buf__small_tails_are_copied_large_ones_moved),
        TEST(buf__a_reservation_that_is_not_used_leaves_no_trace),
        TEST(buf__reserve_gives_a_contiguous_place),
        TEST(buf__the_pool_limit_refuses_chunks_but_not_what_must_go_on),
        TEST(buf__random_operations_agree_with_a_flat_array),
        TEST(buf__many_short_reads_do_not_hold_many_times_their_memory),
        TEST(buf__sharing_copies_what_fills_little_of_its_chunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
