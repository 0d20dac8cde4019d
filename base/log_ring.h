/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log ring: lines on their way from one thread to the log writer.
 *
 * The producer formats a line right into the ring: reserve space for the longest it could be,
 * write, commit what it became. Nothing here allocates, waits or, as a rule, calls the kernel: only
 * when the ring is half full and the writer asleep does a commit wake it. A full ring loses the
 * line and counts it: slow log storage must never become slow requests.
 *
 * One producer (the owning worker), one consumer (the writer).
 */
#ifndef CYC_BASE_LOG_RING_H
#define CYC_BASE_LOG_RING_H

#include "base/list.h"
#include "base/mem.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** At 100,000 requests a second and 400 bytes a line: six milliseconds of a busy writer. */
#define CYC_LOG_RING_BYTES_DEFAULT (256 * 1024)
/** The longest line, its '\n' included. */
#define CYC_LOG_LINE_BYTES_MAX (16 * 1024)

enum cyc_log_stream { CYC_LOG_EVENTS, CYC_LOG_ACCESS, CYC_LOG_TRACE, CYC_LOG_STREAM_COUNT };

struct cyc_log_ring;

/** @param size_bytes  a power of two, at least 2 * CYC_LOG_LINE_BYTES_MAX */
struct cyc_log_ring *cyc_log_ring_create(struct cyc_mem *mem, uint32_t size_bytes);
/** Not while a writer has it. */
void cyc_log_ring_destroy(struct cyc_log_ring *ring);

/* ---- producer -------------------------------------------------------------------------------- */

/**
 * Space for one line. Nothing is in the ring before cyc_log_commit(); a reservation may simply be
 * forgotten.
 * @param len_max  at most CYC_LOG_LINE_BYTES_MAX
 * @return NULL when the ring is full; the line is lost then, and counted
 */
char *cyc_log_reserve(struct cyc_log_ring *ring, enum cyc_log_stream stream, size_t len_max);
/** @param len  bytes written to what the last reserve gave, with the '\n' at the end */
void cyc_log_commit(struct cyc_log_ring *ring, size_t len);

/** Lines lost because the ring was full. Any thread may ask. */
uint64_t cyc_log_ring_dropped_count(const struct cyc_log_ring *ring, enum cyc_log_stream stream);

/* ---- consumer: the log writer ---------------------------------------------------------------- */

/** @param wake  futex word: set to 1 and woken when the ring is half full; NULL: never */
void cyc_log_ring_set_wake(struct cyc_log_ring *ring, uint32_t *wake);
/** For the writer's list. */
struct cyc_list *cyc_log_ring_link(struct cyc_log_ring *ring);
struct cyc_log_ring *cyc_log_ring_of_link(struct cyc_list *link);

/** Fixes how far the following takes go, so that a busy producer cannot keep the consumer forever.
 */
void cyc_log_ring_begin(struct cyc_log_ring *ring);
/** Gives back the previous line, if any. @return false when there is no further line */
bool cyc_log_ring_next(struct cyc_log_ring *ring, enum cyc_log_stream *ret_stream,
                       struct cyc_span *ret_line);

#endif
