/* SPDX-License-Identifier: Apache-2.0 */
#include "net/net_conf.h"

#include "conf/table.h"

#define AT(field) (uint32_t) offsetof(struct cyc_network_conf, field)

static const struct cyc_conf_word backends[] = {
    {"auto", CYC_IO_AUTO}, {"io_uring", CYC_IO_URING}, {"epoll", CYC_IO_EPOLL}, {NULL, 0}};

static const struct cyc_conf_row keepalive_rows[] = {
    {"enabled", CYC_CONF_BOOL, AT(is_tcp_keepalive), "true", NULL, NULL,
     .doc = "Whether idle connections are probed."},
    {"idle", CYC_CONF_DURATION_S, AT(keepalive_idle_s), "60s", "1s", "9h",
     .doc = "Quiet time before the first probe."},
    {"interval", CYC_CONF_DURATION_S, AT(keepalive_interval_s), "15s", "1s", "1h",
     .doc = "Between probes."},
    {"probes", CYC_CONF_U32, AT(keepalive_probe_count), "4", "1", "127",
     .doc = "Unanswered probes that end a connection."},
    {0},
};

static const struct cyc_conf_section keepalive_section = {
    .doc = "TCP keep-alive; `true` and `false` are short for `{enabled: ...}`.",
    .rows = keepalive_rows,
    .short_key = "enabled",
};

static const struct cyc_conf_row network_rows[] = {
    {"io_backend", CYC_CONF_ENUM, AT(io_backend), "auto", NULL, NULL,
     .doc =
         "auto falls back to epoll and says why in one log line; io_uring fails to start instead. "
         "Read at start only.",
     .words = backends},
    {"enable_syscall_batching", CYC_CONF_BOOL, AT(is_syscall_batching), "true", NULL, NULL,
     .doc = "Submit the operations of one turn together; false submits each at once (io_uring)."},
    {"syscall_batch_size", CYC_CONF_U32_POWER, AT(syscall_batch_size), "128", "1", "32768",
     .doc = "Ring entries submitted at once; a power of two."},
    {"enable_zero_copy", CYC_CONF_BOOL, AT(is_zero_copy), "true", NULL, NULL,
     .doc = "Bodies that no filter looks at go from socket to socket through a pipe inside the "
            "kernel (splice), without being copied; false receives and sends them. Read at start "
            "only."},
    {"zero_copy_threshold", CYC_CONF_SIZE, AT(zero_copy_threshold_bytes), "16KiB", "4KiB", "1GiB",
     .doc =
         "Fewer bytes of a body than this are copied: for little that is the faster way. Read at "
         "start only."},
    {"enable_connection_pooling", CYC_CONF_BOOL, AT(is_connection_pooling), "true", NULL, NULL,
     .doc = "false opens one upstream connection a request."},
    {"connection_pool_size", CYC_CONF_U32, AT(connection_pool_size), "10000", "0", "1000000",
     .doc = "Idle upstream connections of the whole process."},
    {"socket_buffer_size", CYC_CONF_SIZE_U32, AT(socket_buffer_bytes), "0", "0", "64MiB",
     .doc = "SO_SNDBUF and SO_RCVBUF. 0 leaves the kernel's autotuning on; a value turns it off."},
    {"tcp_nodelay", CYC_CONF_BOOL, AT(is_tcp_nodelay), "true", NULL, NULL,
     .doc = "Send small pieces at once (no Nagle)."},
    {.key = "tcp_keepalive",
     .kind = CYC_CONF_SECTION,
     .section = &keepalive_section,
     .doc = "Probes that find dead peers.",
     .shown = "true"},
    {"listen_backlog", CYC_CONF_U32, AT(listen_backlog), "4096", "1", "65535",
     .doc = "Connections that may wait to be accepted; capped by net.core.somaxconn."},
    {0},
};

const struct cyc_conf_section cyc_network_section = {
    .doc = "Sockets and the I/O engine.",
    .rows = network_rows,
    .later = "tcp_fastopen",
    .has_env = true,
};

static const struct cyc_conf_row timer_rows[] = {
    {"wheel_size", CYC_CONF_U32_POWER, (uint32_t)offsetof(struct cyc_timer_conf, wheel_size),
     "2048", "64", "65536", .doc = "Slots of each worker's timing wheel; a power of two."},
    {"resolution", CYC_CONF_DURATION, (uint32_t)offsetof(struct cyc_timer_conf, resolution_ms),
     "5ms", "1ms", "100ms", .doc = "One tick: timeouts are this exact."},
    {0},
};

const struct cyc_conf_section cyc_timer_section = {
    .doc = "Timers. Read at start only.",
    .rows = timer_rows,
    .has_env = true,
};

static const struct cyc_conf_word pool_sizes[] = {{"auto", 0}, {NULL, 0}};

static const struct cyc_conf_row memory_rows[] = {
    {"pool_size", CYC_CONF_SIZE, (uint32_t)offsetof(struct cyc_memory_conf, pool_bytes), NULL,
     "16MiB", NULL, .doc = "Cap for buffers and connection state: a limit, not a reservation.",
     .words = pool_sizes, .shown = "auto: 60 % of the cgroup's limit, else none"},
    {0},
};

const struct cyc_conf_section cyc_memory_section = {
    .doc = "Memory.",
    .rows = memory_rows,
    .later = "shed_at stop_at",
    .has_env = true,
};
