/* SPDX-License-Identifier: Apache-2.0 */
#include "net/cidr.h"

#include <arpa/inet.h>
#include <stdio.h>

#define V4_PREFIX_BITS 96

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

static void clear_host_bits(struct cyc_cidr *cidr)
{
    for (unsigned bit = cidr->prefix_bits; bit < 128; bit++)
        cidr->bytes[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
}

bool cyc_cidr_parse(struct cyc_span text, struct cyc_cidr *ret_cidr)
{
    size_t slash = cyc_span_find_char(text, '/', 0);
    char ip[INET6_ADDRSTRLEN];
    struct cyc_cidr cidr;

    if (slash >= sizeof(ip) || slash == 0)
        return false;
    memcpy(ip, text.ptr, slash);
    ip[slash] = '\0';
    bool is_v4 = inet_pton(AF_INET, ip, cidr.bytes + 12) == 1;
    if (is_v4)
        memcpy(cidr.bytes, v4_prefix, sizeof(v4_prefix));
    else if (inet_pton(AF_INET6, ip, cidr.bytes) != 1)
        return false;

    uint64_t bits = is_v4 ? 32 : 128;
    if (slash < text.len &&
        !cyc_span_parse_u64(cyc_span_slice(text, slash + 1, text.len), bits, &bits))
        return false;
    cidr.prefix_bits = (uint8_t)(bits + (is_v4 ? V4_PREFIX_BITS : 0));
    clear_host_bits(&cidr);
    *ret_cidr = cidr;
    return true;
}

bool cyc_cidr_contains(const struct cyc_cidr *cidr, const uint8_t ip[16])
{
    unsigned whole = cidr->prefix_bits / 8, rest = cidr->prefix_bits % 8;

    if (memcmp(cidr->bytes, ip, whole) != 0)
        return false;
    return rest == 0 || ((cidr->bytes[whole] ^ ip[whole]) >> (8 - rest)) == 0;
}

bool cyc_cidrs_contain(const struct cyc_cidr *cidrs, uint32_t count, const uint8_t ip[16])
{
    for (uint32_t i = 0; i < count; i++)
        if (cyc_cidr_contains(&cidrs[i], ip))
            return true;
    return false;
}

size_t cyc_cidr_format(const struct cyc_cidr *cidr, char *out)
{
    char ip[INET6_ADDRSTRLEN];
    bool is_v4 = cidr->prefix_bits >= V4_PREFIX_BITS &&
                 memcmp(cidr->bytes, v4_prefix, sizeof(v4_prefix)) == 0;

    inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? cidr->bytes + 12 : cidr->bytes, ip, sizeof(ip));
    int len = snprintf(out, CYC_CIDR_TEXT_BYTES_MAX, "%s/%u", ip,
                       cidr->prefix_bits - (is_v4 ? V4_PREFIX_BITS : 0u));
    return (size_t)len;
}
