/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A block of IP addresses, "10.0.0.0/8".
 *
 * Both families are 16 bytes, IPv4 mapped into ::ffff:0:0/96, so one comparison serves all, and a
 * v4 block also matches the v4 clients of a dual-stack listener.
 */
#ifndef CYC_NET_CIDR_H
#define CYC_NET_CIDR_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct cyc_cidr {
    uint8_t bytes[16]; /* bits behind the prefix are 0 */
    uint8_t prefix_bits;
};

/** "10.0.0.0/8", "fd00::/8", or one address. Bits behind the prefix are cleared.
 *  @return false when it is not a block */
bool cyc_cidr_parse(struct cyc_span text, struct cyc_cidr *ret_cidr);

/** @param ip  16 bytes, as cyc_addr_ip_bytes writes them */
bool cyc_cidr_contains(const struct cyc_cidr *cidr, const uint8_t ip[16]);
/** Whether any of `count` blocks does. */
bool cyc_cidrs_contain(const struct cyc_cidr *cidrs, uint32_t count, const uint8_t ip[16]);

/** Longest text cyc_cidr_format writes. */
#define CYC_CIDR_TEXT_BYTES_MAX 56
/** @param out  CYC_CIDR_TEXT_BYTES_MAX bytes @return bytes written, no NUL */
size_t cyc_cidr_format(const struct cyc_cidr *cidr, char *out);

#endif
