/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A libuv loop as the guest of another loop: DNS, signals, files and child processes live there.
 *
 * The host watches the guest's descriptor and runs the guest when it becomes readable, when the
 * guest's next timer is due, and once after every change to its handles that was made outside the
 * guest's own callbacks: libuv tells the kernel about new handles only when it runs.
 */
#ifndef CYC_NET_GUEST_UV_H
#define CYC_NET_GUEST_UV_H

#include "base/mem.h"

#include <stdint.h>

struct cyc_guest_uv;

/** @return NULL, with a negative errno in *ret_error, when the system has no descriptors left */
struct cyc_guest_uv *cyc_guest_uv_create(struct cyc_mem *mem, int *ret_error);
/** Every handle must have been closed (uv_close called) by its owner. */
void cyc_guest_uv_destroy(struct cyc_guest_uv *guest);

/** The uv_loop_t; a void pointer so that only who uses libuv includes it. */
void *cyc_guest_uv_loop(struct cyc_guest_uv *guest);
/** Readable when the guest should run. */
int cyc_guest_uv_fd(const struct cyc_guest_uv *guest);

/** Runs what is ready, without waiting.
 *  @return nanoseconds until it wants to run again by itself, UINT64_MAX when only its descriptor
 *  can make it */
uint64_t cyc_guest_uv_run(struct cyc_guest_uv *guest);

#endif
