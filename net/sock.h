/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making sockets: what the engines that talk to a real kernel share.
 *
 * Everything made here is non-blocking and closed on exec. Accepted sockets inherit TCP_NODELAY,
 * the keepalive settings and the buffer sizes from their listener, so nothing is set per
 * connection.
 */
#ifndef CYC_NET_SOCK_H
#define CYC_NET_SOCK_H

#include "net/addr.h"

#include <stdbool.h>
#include <stdint.h>

struct cyc_sock_options;

/** A stream socket for connecting to `addr`. @return descriptor or negative errno */
int cyc_sock_open(const struct cyc_addr *addr, const struct cyc_sock_options *opts);

/**
 * Binds and listens. IP: SO_REUSEPORT, so that every worker has its own; [::] takes IPv4 too, and
 * becomes 0.0.0.0 on a machine without IPv6. UNIX: a socket file that nobody answers at is
 * replaced; workers share the one descriptor (dup it), since the kernel does not spread UNIX
 * connections.
 * @return descriptor or negative errno
 */
int cyc_sock_listen(const struct cyc_addr *addr, const struct cyc_sock_options *opts);

/** @return the backlog the kernel really grants: at most net.core.somaxconn */
uint32_t cyc_sock_backlog_granted(uint32_t wanted);

/** For a listening socket on its way out: see cyc_io_quiesce(). */
void cyc_sock_quiesce(int fd);

/** Says that no more is sent. Errors are of no use: the connection is on its way out. */
void cyc_sock_shutdown(int fd);
/** The close that follows sends a reset and drops what is unsent. UNIX sockets have no such thing.
 */
void cyc_sock_reset_on_close(int fd);

/** @return 0 or a negative errno */
int cyc_sock_peer_addr(int fd, struct cyc_addr *ret_addr);
int cyc_sock_local_addr(int fd, struct cyc_addr *ret_addr);
/** The pending error of a socket, taken off it: 0 or a negative errno. */
int cyc_sock_take_error(int fd);

#endif
