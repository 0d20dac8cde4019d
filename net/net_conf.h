/* SPDX-License-Identifier: Apache-2.0 */
/* The `network`, `timer` and `memory` sections of the configuration. */
#ifndef CYC_NET_NET_CONF_H
#define CYC_NET_NET_CONF_H

#include <stdbool.h>
#include <stdint.h>

struct cyc_conf_section;

enum cyc_io_backend { CYC_IO_AUTO = 0, CYC_IO_URING, CYC_IO_EPOLL };

struct cyc_network_conf {
    enum cyc_io_backend io_backend;
    bool is_syscall_batching;
    uint32_t syscall_batch_size; /* ring entries, a power of two */
    bool is_zero_copy;
    uint64_t zero_copy_threshold_bytes;
    bool is_connection_pooling;
    uint32_t connection_pool_size; /* idle upstream connections of the whole process */
    uint32_t socket_buffer_bytes;  /* 0: the kernel tunes */
    bool is_tcp_nodelay, is_tcp_keepalive;
    uint32_t keepalive_idle_s, keepalive_interval_s, keepalive_probe_count;
    uint32_t listen_backlog;
};

struct cyc_timer_conf {
    uint32_t wheel_size;    /* slots, a power of two */
    uint32_t resolution_ms; /* one tick */
};

struct cyc_memory_conf {
    uint64_t pool_bytes; /* 0: 60 % of the cgroup's limit, or none */
};

extern const struct cyc_conf_section cyc_network_section, cyc_timer_section, cyc_memory_section;

#endif
