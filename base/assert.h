/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three kinds of check, so a reader knows what a failed one means:
 *
 *   cyc_assert(c)        always compiled in. A false `c` is a bug in Cyclone: stop before it
 * spreads. cyc_debug_assert(c)  debug, sanitizer and simulation builds only: for checks that cost
 * time. CYC_BUILD_ASSERT(c)  at compile time.
 *
 * Never assert on anything a peer, a file or the kernel can choose: that is an error, not a bug.
 */
#ifndef CYC_BASE_ASSERT_H
#define CYC_BASE_ASSERT_H

/** Prints the place and the failed condition with a backtrace, then aborts. */
_Noreturn void cyc_panic(const char *file, int line, const char *func, const char *what);

#define CYC_LIKELY(c) __builtin_expect(!!(c), 1)
#define CYC_UNLIKELY(c) __builtin_expect(!!(c), 0)

#define cyc_assert(c) (CYC_LIKELY(c) ? (void)0 : cyc_panic(__FILE__, __LINE__, __func__, #c))
#define cyc_unreachable() cyc_panic(__FILE__, __LINE__, __func__, "unreachable")
#ifdef CYC_DEBUG
#define cyc_debug_assert(c) cyc_assert(c)
#else
#define cyc_debug_assert(c) ((void)sizeof(c))
#endif
#define CYC_BUILD_ASSERT(c) _Static_assert(c, #c)

#endif
