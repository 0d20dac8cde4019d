/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Positions count bytes since the beginning and never wrap; a position's place in memory is its low
 * bits. A record is a header and a line, rounded up to eight bytes; a line that would not fit
 * before the end of the memory starts at its beginning, with a skip mark left behind.
 *
 *   memory:  | line | line | free ............ | line | line | SKIP |
 *                          ^ head                ^ tail
 *
 * Invariants: tail <= head <= tail + size; all three are multiples of eight; head is stored after
 * the bytes it covers (release), tail after they were read.
 */
#include "base/log_ring.h"

#include "base/assert.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SKIP_LEN UINT32_MAX
#define CACHE_LINE_BYTES 64

struct record {
    uint32_t len;    /* or SKIP_LEN */
    uint32_t stream; /* enum cyc_log_stream */
    char line[];
};

struct cyc_log_ring {
    /* The producer's cache lines. */
    uint64_t head;
    uint64_t tail_seen; /* what tail was when last looked at */
    uint64_t reserved_at;
    uint32_t reserved_len;
    enum cyc_log_stream reserved_stream;
    uint64_t dropped_counts[CYC_LOG_STREAM_COUNT];
    uint32_t *wake;
    char *bytes;
    uint32_t size_bytes;
    struct cyc_mem *mem;
    /* The consumer's. */
    _Alignas(CACHE_LINE_BYTES) uint64_t tail;
    uint64_t begin_head;  /* where this round of takes ends */
    uint32_t taken_bytes; /* of the record last given out */
    struct cyc_list link;
};

static uint64_t record_bytes(size_t len)
{
    return (sizeof(struct record) + len + 7) & ~(uint64_t)7;
}

static struct record *record_at(const struct cyc_log_ring *ring, uint64_t position)
{
    return (struct record *)(void *)(ring->bytes + (position & (ring->size_bytes - 1)));
}

struct cyc_log_ring *cyc_log_ring_create(struct cyc_mem *mem, uint32_t size_bytes)
{
    cyc_assert((size_bytes & (size_bytes - 1)) == 0 && size_bytes >= 2 * CYC_LOG_LINE_BYTES_MAX);

    struct cyc_log_ring *ring = cyc_mem_alloc_aligned(mem, CYC_MEM_LOGS, sizeof(*ring));
    *ring = (struct cyc_log_ring){
        .bytes = cyc_mem_alloc_aligned(mem, CYC_MEM_LOGS, size_bytes),
        .size_bytes = size_bytes,
        .mem = mem,
    };
    cyc_list_init(&ring->link);
    return ring;
}

void cyc_log_ring_destroy(struct cyc_log_ring *ring)
{
    if (ring == NULL)
        return;
    cyc_assert(!cyc_list_is_linked(&ring->link));
    cyc_mem_free(ring->mem, CYC_MEM_LOGS, ring->bytes, ring->size_bytes);
    cyc_mem_free(ring->mem, CYC_MEM_LOGS, ring, sizeof(*ring));
}

/* ---- producer -------------------------------------------------------------------------------- */

/** Whether everything up to position `end` may be written; looks at tail only when it must. */
static bool has_room(struct cyc_log_ring *ring, uint64_t end)
{
    if (CYC_LIKELY(end - ring->tail_seen <= ring->size_bytes))
        return true;
    ring->tail_seen = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
    return end - ring->tail_seen <= ring->size_bytes;
}

char *cyc_log_reserve(struct cyc_log_ring *ring, enum cyc_log_stream stream, size_t len_max)
{
    cyc_assert(len_max <= CYC_LOG_LINE_BYTES_MAX && stream < CYC_LOG_STREAM_COUNT);

    uint64_t need_bytes = record_bytes(len_max), at = ring->head;
    uint64_t rest_bytes = ring->size_bytes - (at & (ring->size_bytes - 1));
    if (rest_bytes < need_bytes)
        at += rest_bytes;
    if (!has_room(ring, at + need_bytes)) {
        uint64_t *count = &ring->dropped_counts[stream];
        __atomic_store_n(count, *count + 1, __ATOMIC_RELAXED);
        return NULL;
    }
    ring->reserved_at = at;
    ring->reserved_len = (uint32_t)len_max;
    ring->reserved_stream = stream;
    return record_at(ring, at)->line;
}

/** Out of line: happens at most once per half ring. */
static __attribute__((noinline)) void wake_writer(struct cyc_log_ring *ring)
{
    uint32_t *wake = __atomic_load_n(&ring->wake, __ATOMIC_RELAXED);

    ring->tail_seen = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
    if (wake == NULL || ring->head - ring->tail_seen <= ring->size_bytes / 2)
        return;
    if (__atomic_load_n(wake, __ATOMIC_RELAXED) == 0 &&
        __atomic_exchange_n(wake, 1, __ATOMIC_SEQ_CST) == 0)
        syscall(SYS_futex, wake, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void cyc_log_commit(struct cyc_log_ring *ring, size_t len)
{
    cyc_assert(len <= ring->reserved_len && ring->reserved_at >= ring->head);

    if (ring->reserved_at != ring->head)
        record_at(ring, ring->head)->len = SKIP_LEN;
    struct record *record = record_at(ring, ring->reserved_at);
    record->len = (uint32_t)len;
    record->stream = ring->reserved_stream;
    ring->reserved_len = 0; /* a second commit would be a bug */
    __atomic_store_n(&ring->head, ring->reserved_at + record_bytes(len), __ATOMIC_RELEASE);
    if (CYC_UNLIKELY(ring->head - ring->tail_seen > ring->size_bytes / 2))
        wake_writer(ring);
}

uint64_t cyc_log_ring_dropped_count(const struct cyc_log_ring *ring, enum cyc_log_stream stream)
{
    return __atomic_load_n(&ring->dropped_counts[stream], __ATOMIC_RELAXED);
}

/* ---- consumer -------------------------------------------------------------------------------- */

void cyc_log_ring_set_wake(struct cyc_log_ring *ring, uint32_t *wake)
{
    __atomic_store_n(&ring->wake, wake, __ATOMIC_RELAXED);
}

struct cyc_list *cyc_log_ring_link(struct cyc_log_ring *ring)
{
    return &ring->link;
}

struct cyc_log_ring *cyc_log_ring_of_link(struct cyc_list *link)
{
    return cyc_container_of(link, struct cyc_log_ring, link);
}

static void tail_advance(struct cyc_log_ring *ring, uint64_t bytes)
{
    __atomic_store_n(&ring->tail, ring->tail + bytes, __ATOMIC_RELEASE);
}

void cyc_log_ring_begin(struct cyc_log_ring *ring)
{
    ring->begin_head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
}

bool cyc_log_ring_next(struct cyc_log_ring *ring, enum cyc_log_stream *ret_stream,
                       struct cyc_span *ret_line)
{
    tail_advance(ring, ring->taken_bytes);
    ring->taken_bytes = 0;
    if (ring->tail == ring->begin_head)
        return false;
    struct record *record = record_at(ring, ring->tail);
    if (record->len == SKIP_LEN) {
        tail_advance(ring, ring->size_bytes - (ring->tail & (ring->size_bytes - 1)));
        record = record_at(ring, ring->tail);
    }
    ring->taken_bytes = (uint32_t)record_bytes(record->len);
    *ret_stream = (enum cyc_log_stream)record->stream;
    *ret_line = cyc_span_of(record->line, record->len);
    return true;
}
