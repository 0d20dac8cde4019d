/* SPDX-License-Identifier: Apache-2.0 */
#include "net/guest_uv.h"

#include "base/assert.h"
#include "base/clock.h"

#include <uv.h>

struct cyc_guest_uv {
    struct cyc_mem *mem;
    uv_loop_t loop;
};

struct cyc_guest_uv *cyc_guest_uv_create(struct cyc_mem *mem, int *ret_error)
{
    struct cyc_guest_uv *guest = cyc_mem_zalloc(mem, CYC_MEM_IO, sizeof(*guest));
    guest->mem = mem;
    int r = uv_loop_init(&guest->loop);
    if (r == 0)
        return guest;
    cyc_mem_free(mem, CYC_MEM_IO, guest, sizeof(*guest));
    *ret_error = r; /* libuv's errors are negative errnos on Linux */
    return NULL;
}

void cyc_guest_uv_destroy(struct cyc_guest_uv *guest)
{
    uv_run(&guest->loop, UV_RUN_DEFAULT); /* the close callbacks that are still due */
    int r = uv_loop_close(&guest->loop);
    cyc_assert(r == 0);
    cyc_mem_free(guest->mem, CYC_MEM_IO, guest, sizeof(*guest));
}

void *cyc_guest_uv_loop(struct cyc_guest_uv *guest)
{
    return &guest->loop;
}

int cyc_guest_uv_fd(const struct cyc_guest_uv *guest)
{
    return uv_backend_fd(&guest->loop);
}

uint64_t cyc_guest_uv_run(struct cyc_guest_uv *guest)
{
    uv_run(&guest->loop, UV_RUN_NOWAIT);
    int timeout_ms = uv_backend_timeout(&guest->loop);
    /* With nothing alive libuv says 0: "uv_run would return at once". */
    if (timeout_ms < 0 || !uv_loop_alive(&guest->loop))
        return UINT64_MAX;
    return (uint64_t)timeout_ms * CYC_NS_PER_MS;
}
