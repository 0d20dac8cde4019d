/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which engine, and the sentence that says why.
 *
 * Nothing is concluded from versions: a ring is set up as the engine would, and a no-op goes
 * through it. What fails is put into words an operator can act on.
 */
#include "net/io.h"

#include "base/assert.h"
#include "net/io_uring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef CYC_NO_IO_URING

int cyc_io_pick(enum cyc_io_backend wanted, struct cyc_io_choice *ret)
{
    *ret = (struct cyc_io_choice){.backend = CYC_IO_EPOLL};
    snprintf(ret->reason, sizeof(ret->reason), "this build has no io_uring");
    return wanted == CYC_IO_URING ? -ENOSYS : 0;
}

struct cyc_io *cyc_io_create(const struct cyc_io_choice *choice, const struct cyc_io_setup *setup,
                             int *ret_error)
{
    (void)choice;
    return cyc_io_uv_create(setup, ret_error);
}

#else

#define DISABLED_FILE "/proc/sys/kernel/io_uring_disabled"

/** @return the sysctl kernel.io_uring_disabled: 0 to 2, or 0 where there is none (before 6.6) */
static int sysctl_disabled(void)
{
    char digit = '0';
    int fd = open(DISABLED_FILE, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    if (read(fd, &digit, 1) != 1)
        digit = '0';
    close(fd);
    return digit - '0';
}

/** Why it failed, as far as the error tells. @param step  the system call */
static void failure_describe(int error, const char *step, char *text, size_t text_bytes)
{
    int disabled = sysctl_disabled();

    if (error == -ENOSYS)
        snprintf(text, text_bytes, "the kernel has no io_uring or seccomp hides it (%s: ENOSYS)",
                 step);
    else if (error == -EPERM && disabled > 0)
        snprintf(text, text_bytes, "the sysctl kernel.io_uring_disabled is %d (%s: EPERM)",
                 disabled, step);
    else if (error == -EPERM || error == -EACCES)
        snprintf(text, text_bytes, "%s is refused, probably by a seccomp profile (%s)", step,
                 strerror(-error));
    else if (error == -ENOMEM)
        snprintf(text, text_bytes, "no memory for the ring: raise RLIMIT_MEMLOCK (%s: ENOMEM)",
                 step);
    else
        snprintf(text, text_bytes, "%s failed: %s", step, strerror(-error));
}

int cyc_io_pick(enum cyc_io_backend wanted, struct cyc_io_choice *ret)
{
    const char *step = "";

    *ret = (struct cyc_io_choice){.backend = CYC_IO_EPOLL};
    if (wanted == CYC_IO_EPOLL) {
        snprintf(ret->reason, sizeof(ret->reason), "asked for by network.io_backend");
        return 0;
    }
    int r = cyc_io_uring_probe(ret->features, sizeof(ret->features), &step);
    if (r < 0) {
        ret->features[0] = '\0';
        failure_describe(r, step, ret->reason, sizeof(ret->reason));
        return wanted == CYC_IO_URING ? r : 0;
    }
    ret->backend = CYC_IO_URING;
    snprintf(ret->reason, sizeof(ret->reason), "%s",
             wanted == CYC_IO_URING ? "asked for by network.io_backend"
                                    : "the kernel lets this process use it");
    return 0;
}

struct cyc_io *cyc_io_create(const struct cyc_io_choice *choice, const struct cyc_io_setup *setup,
                             int *ret_error)
{
    cyc_assert(choice->backend != CYC_IO_AUTO);

    if (choice->backend == CYC_IO_URING)
        return cyc_io_uring_create(setup, ret_error);
    return cyc_io_uv_create(setup, ret_error);
}

#endif
