/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log writer: the one thread that writes log lines out.
 *
 * It collects lines from all rings into one batch per stream and writes whole batches. It sleeps
 * until some ring is half full, and wakes by itself a few times a second, which bounds how late a
 * line appears.
 *
 * An output that takes no more (a pipe whose reader stands still) is waited for once; then its
 * lines are dropped and counted until it takes some again, while other outputs go on.
 *
 * Everything here is for the control thread, except where noted.
 */
#ifndef CYC_BASE_LOG_WRITER_H
#define CYC_BASE_LOG_WRITER_H

#include "base/log_ring.h"
#include "base/mem.h"

#include <stdint.h>

struct cyc_log_writer;

/** All outputs are off at first. No thread yet. */
struct cyc_log_writer *cyc_log_writer_create(struct cyc_mem *mem);
/** Stops the thread if it runs, writes what is left, closes the outputs. Rings must be removed. */
void cyc_log_writer_destroy(struct cyc_log_writer *writer);

/**
 * Where a stream goes from the next batch on.
 * @param target  "stdout", "stderr", "off" or the path of a file, which is appended to
 * @return 0, or negative errno; the output stays what it was then
 */
int cyc_log_writer_set_output(struct cyc_log_writer *writer, enum cyc_log_stream stream,
                              const char *target);
/** The same with an open descriptor. Takes `fd`. */
void cyc_log_writer_set_fd(struct cyc_log_writer *writer, enum cyc_log_stream stream, int fd);
/** Opens all files again under their names, after they were renamed. @return as set_output */
int cyc_log_writer_reopen(struct cyc_log_writer *writer);

/** `ring` is borrowed until it is removed. */
void cyc_log_writer_add_ring(struct cyc_log_writer *writer, struct cyc_log_ring *ring);
/** Takes over what is in it for the next round. Its producer must have ended. */
void cyc_log_writer_remove_ring(struct cyc_log_writer *writer, struct cyc_log_ring *ring);

/** Starts the thread, with all signals blocked. @return 0 or negative errno */
int cyc_log_writer_start(struct cyc_log_writer *writer);
/** Ends the thread after a last round. No-op without one. */
void cyc_log_writer_stop(struct cyc_log_writer *writer);
/** One round by hand. Any thread. */
void cyc_log_writer_drain(struct cyc_log_writer *writer);

/** Lines lost at the output: it took no more, or refused. Lines lost in rings come on top. Any
 * thread. */
uint64_t cyc_log_writer_dropped_count(const struct cyc_log_writer *writer,
                                      enum cyc_log_stream stream);
/** Lost anywhere, rings included. Any thread; rings that are gone count on. */
uint64_t cyc_log_writer_lost_count(struct cyc_log_writer *writer, enum cyc_log_stream stream);

#endif
