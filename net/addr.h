/* SPDX-License-Identifier: Apache-2.0 */
/* A socket address of any family we speak: IPv4, IPv6, UNIX. A value: copy it freely. */
#ifndef CYC_NET_ADDR_H
#define CYC_NET_ADDR_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/** Longest text cyc_addr_format writes: "unix:" and a full sun_path. */
#define CYC_ADDR_TEXT_BYTES_MAX 128

struct cyc_addr {
    socklen_t len; /* 0: none */
    union {
        struct sockaddr any;
        char bytes_[112]; /* room for sockaddr_un, the largest */
    };
};

/**
 * Reads "1.2.3.4:80", "[::1]:80", ":80" (any address, dual stack), "*:80" or "unix:/path"
 * ("unix:@name" for the abstract namespace). Names are not resolved.
 * @return false when it is none of these
 */
bool cyc_addr_parse(struct cyc_span text, struct cyc_addr *ret_addr);
/** From a numeric IP without a port. */
bool cyc_addr_parse_ip(struct cyc_span ip, uint32_t port, struct cyc_addr *ret_addr);

/** "1.2.3.4:80", "[::1]:80", "unix:/path". IPv4-mapped IPv6 prints as IPv4.
 *  @param out  CYC_ADDR_TEXT_BYTES_MAX bytes @return bytes written, no NUL */
size_t cyc_addr_format(const struct cyc_addr *addr, char *out);
/** The IP alone, as X-Forwarded-For has it; "unix:" for UNIX peers. */
size_t cyc_addr_format_ip(const struct cyc_addr *addr, char *out);

bool cyc_addr_equal(const struct cyc_addr *a, const struct cyc_addr *b);
bool cyc_addr_is_unix(const struct cyc_addr *addr);
/** 127.0.0.0/8, ::1 or UNIX. */
bool cyc_addr_is_loopback(const struct cyc_addr *addr);
/** Port in host order; 0 for UNIX. */
uint32_t cyc_addr_port(const struct cyc_addr *addr);
/** The IP as 16 bytes, IPv4 mapped into ::ffff:0:0/96. @return false for UNIX */
bool cyc_addr_ip_bytes(const struct cyc_addr *addr, uint8_t ret_bytes[16]);

#endif
