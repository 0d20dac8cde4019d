/* SPDX-License-Identifier: Apache-2.0 */
/* More about the io_uring engine, without liburing in sight. Not there in builds without it. */
#ifndef CYC_NET_IO_URING_H
#define CYC_NET_IO_URING_H

#include <stddef.h>

struct cyc_io;

/**
 * Sets up a small ring as the engine would and sends a no-op through it: seccomp may let the set-up
 * pass and refuse what comes after.
 * @param ret_features  what is in use, as words; at most `features_bytes` with the NUL
 * @param ret_step      the system call that failed, a constant text; set on failure
 * @return 0 or a negative errno
 */
int cyc_io_uring_probe(char *ret_features, size_t features_bytes, const char **ret_step);

/** For tests, before the first op: does without everything that came after Linux 5.10. */
void cyc_io_uring_forgo(struct cyc_io *io);

#endif
