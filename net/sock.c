/* SPDX-License-Identifier: Apache-2.0 */
#include "net/sock.h"

#include "net/io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOMAXCONN_FILE "/proc/sys/net/core/somaxconn"
/* RFC 9293 3.1 */
#define TCP_FLAGS_OFFSET 13
#define TCP_FLAG_SYN_BIT 2

static int option_set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) == 0 ? 0 : -errno;
}

static void tcp_options_set(int fd, const struct cyc_sock_options *opts)
{
    if (opts->is_nodelay)
        option_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (!opts->is_keepalive)
        return;
    option_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (opts->keepalive_idle_s > 0)
        option_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)opts->keepalive_idle_s);
    if (opts->keepalive_interval_s > 0)
        option_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, (int)opts->keepalive_interval_s);
    if (opts->keepalive_probe_count > 0)
        option_set(fd, IPPROTO_TCP, TCP_KEEPCNT, (int)opts->keepalive_probe_count);
}

/** Tuning that fails is no reason not to talk: the kernel's defaults work too. */
static void options_set(int fd, const struct cyc_addr *addr, const struct cyc_sock_options *opts)
{
    if (opts->buffer_bytes > 0) {
        option_set(fd, SOL_SOCKET, SO_SNDBUF, (int)opts->buffer_bytes);
        option_set(fd, SOL_SOCKET, SO_RCVBUF, (int)opts->buffer_bytes);
    }
    if (!cyc_addr_is_unix(addr))
        tcp_options_set(fd, opts);
}

static int stream_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd >= 0 ? fd : -errno;
}

int cyc_sock_open(const struct cyc_addr *addr, const struct cyc_sock_options *opts)
{
    int fd = stream_socket(addr->any.sa_family);
    if (fd >= 0)
        options_set(fd, addr, opts);
    return fd;
}

/** @return 0 when the path is free or a dead socket was removed from it, else a negative errno */
static int unix_path_clear(const struct cyc_addr *addr)
{
    const struct sockaddr_un *sun = (const struct sockaddr_un *)(const void *)addr->bytes_;
    struct stat st;

    if (sun->sun_path[0] == '\0' || lstat(sun->sun_path, &st) != 0)
        return 0; /* abstract, or not there: bind() says what else is wrong */
    if (!S_ISSOCK(st.st_mode))
        return -EADDRINUSE; /* somebody's file */
    int fd = stream_socket(AF_UNIX);
    if (fd < 0)
        return fd;
    bool is_dead = connect(fd, &addr->any, addr->len) != 0 && errno == ECONNREFUSED;
    close(fd);
    if (!is_dead)
        return -EADDRINUSE;
    return unlink(sun->sun_path) == 0 ? 0 : -errno;
}

static bool is_any_v6(const struct cyc_addr *addr)
{
    const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)(const void *)addr->bytes_;
    return addr->any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&sin6->sin6_addr);
}

static int listen_prepare(int fd, const struct cyc_addr *addr, const struct cyc_sock_options *opts)
{
    options_set(fd, addr, opts);
    if (cyc_addr_is_unix(addr))
        return unix_path_clear(addr);

    int r = option_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (r == 0)
        r = option_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (r == 0 && addr->any.sa_family == AF_INET6)
        r = option_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, !is_any_v6(addr));
    return r;
}

static int listen_at(const struct cyc_addr *addr, const struct cyc_sock_options *opts)
{
    int fd = stream_socket(addr->any.sa_family);
    if (fd < 0)
        return fd;

    int r = listen_prepare(fd, addr, opts);
    if (r == 0 && bind(fd, &addr->any, addr->len) != 0)
        r = -errno;
    if (r == 0 && listen(fd, (int)opts->backlog) != 0)
        r = -errno;
    if (r == 0)
        return fd;
    close(fd);
    return r;
}

int cyc_sock_listen(const struct cyc_addr *addr, const struct cyc_sock_options *opts)
{
    int fd = listen_at(addr, opts);
    bool has_no_v6 = fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL;
    struct cyc_addr any_v4;

    if (!has_no_v6 || !is_any_v6(addr) ||
        !cyc_addr_parse_ip(CYC_SPAN("0.0.0.0"), cyc_addr_port(addr), &any_v4))
        return fd;
    return listen_at(&any_v4, opts);
}

uint32_t cyc_sock_backlog_granted(uint32_t wanted)
{
    char text[24];
    uint64_t limit;
    int fd = open(SOMAXCONN_FILE, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return wanted;
    ssize_t len = read(fd, text, sizeof(text));
    close(fd);
    struct cyc_span digits = cyc_span_of(text, len > 0 ? (size_t)len : 0);
    digits = cyc_span_slice(digits, 0, cyc_span_find_char(digits, '\n', 0));
    if (!cyc_span_parse_u64(digits, UINT32_MAX, &limit) || limit > wanted)
        return wanted;
    return (uint32_t)limit;
}

void cyc_sock_quiesce(int fd)
{
    /* What a listener's filter sees begins with the TCP header. A SYN is dropped; what completes a
     * handshake that has begun is not. Who is kept out tries again and is refused by then. */
    struct sock_filter drop_syn[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS_OFFSET),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TCP_FLAG_SYN_BIT, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    struct sock_fprog program = {sizeof(drop_syn) / sizeof(drop_syn[0]), drop_syn};
    struct cyc_addr addr;

    if (cyc_sock_local_addr(fd, &addr) == 0 && cyc_addr_is_unix(&addr))
        shutdown(fd, SHUT_RD); /* connect() is refused, accept() goes on */
    else
        setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

void cyc_sock_reset_on_close(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

void cyc_sock_shutdown(int fd)
{
    shutdown(fd, SHUT_WR);
}

int cyc_sock_peer_addr(int fd, struct cyc_addr *ret_addr)
{
    struct cyc_addr addr = {.len = sizeof(addr.bytes_)};
    if (getpeername(fd, &addr.any, &addr.len) != 0)
        return -errno;
    *ret_addr = addr;
    return 0;
}

int cyc_sock_local_addr(int fd, struct cyc_addr *ret_addr)
{
    struct cyc_addr addr = {.len = sizeof(addr.bytes_)};
    if (getsockname(fd, &addr.any, &addr.len) != 0)
        return -errno;
    *ret_addr = addr;
    return 0;
}

int cyc_sock_take_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        return -errno;
    return -error;
}
