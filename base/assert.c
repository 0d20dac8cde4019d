/* SPDX-License-Identifier: Apache-2.0 */
#include "base/assert.h"

#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BACKTRACE_FRAMES_MAX 32

_Noreturn void cyc_panic(const char *file, int line, const char *func, const char *what)
{
    void *frames[BACKTRACE_FRAMES_MAX];

    fprintf(stderr, "cyclone: bug: %s:%d: %s: %s\n", file, line, func, what);
    fflush(stderr);
    backtrace_symbols_fd(frames, backtrace(frames, BACKTRACE_FRAMES_MAX), STDERR_FILENO);
    abort();
}
