/* SPDX-License-Identifier: Apache-2.0 */
/* What this process may use of the machine: CPUs and memory, as affinity and cgroup allow. */
#ifndef CYC_PROXY_CPU_H
#define CYC_PROXY_CPU_H

#include <stdint.h>

/** The affinity mask's CPUs, capped by the cgroup's cpu.max (v2) or cfs quota (v1), rounded up; 1
 * or more. */
uint32_t cyc_cpu_count_allowed(void);
/** memory.max of the cgroup, in bytes; 0: no limit. */
uint64_t cyc_memory_limit_bytes(void);

#endif
