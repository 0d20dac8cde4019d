/* SPDX-License-Identifier: Apache-2.0 */
#include "net/addr.h"

#include "base/assert.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

CYC_BUILD_ASSERT(sizeof(struct sockaddr_un) <= sizeof(((struct cyc_addr *)0)->bytes_));
CYC_BUILD_ASSERT(INET6_ADDRSTRLEN + sizeof("[]:65535") <= CYC_ADDR_TEXT_BYTES_MAX);
CYC_BUILD_ASSERT(sizeof("unix:") + sizeof(((struct sockaddr_un *)0)->sun_path) <=
                 CYC_ADDR_TEXT_BYTES_MAX);

#define PORT_MAX 65535

/* The union holds the bytes; these give them their family's type. */
static const struct sockaddr_in *as_v4(const struct cyc_addr *addr)
{
    return (const struct sockaddr_in *)(const void *)addr->bytes_;
}

static const struct sockaddr_in6 *as_v6(const struct cyc_addr *addr)
{
    return (const struct sockaddr_in6 *)(const void *)addr->bytes_;
}

static const struct sockaddr_un *as_unix(const struct cyc_addr *addr)
{
    return (const struct sockaddr_un *)(const void *)addr->bytes_;
}

static size_t unix_path_bytes(const struct cyc_addr *addr)
{
    size_t offset = offsetof(struct sockaddr_un, sun_path);
    return addr->len > offset ? addr->len - offset : 0;
}

static bool parse_unix(struct cyc_span path, struct cyc_addr *ret_addr)
{
    struct cyc_addr addr = {0};
    struct sockaddr_un *sun = (struct sockaddr_un *)(void *)addr.bytes_;

    if (path.len == 0 || path.len >= sizeof(sun->sun_path) ||
        memchr(path.ptr, '\0', path.len) != NULL)
        return false;
    sun->sun_family = AF_UNIX;
    memcpy(sun->sun_path, path.ptr, path.len);
    bool is_abstract = path.ptr[0] == '@';
    if (is_abstract)
        sun->sun_path[0] = '\0';
    /* A path is counted with its NUL, an abstract name is exactly its bytes (unix(7)). */
    size_t path_bytes = path.len + !is_abstract;
    addr.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_bytes);
    *ret_addr = addr;
    return true;
}

bool cyc_addr_parse_ip(struct cyc_span ip, uint32_t port, struct cyc_addr *ret_addr)
{
    char text[INET6_ADDRSTRLEN];
    struct cyc_addr addr = {0};
    struct sockaddr_in *sin = (struct sockaddr_in *)(void *)addr.bytes_;
    struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)(void *)addr.bytes_;

    if (ip.len == 0 || ip.len >= sizeof(text) || port > PORT_MAX)
        return false;
    memcpy(text, ip.ptr, ip.len);
    text[ip.len] = '\0';
    if (strlen(text) != ip.len)
        return false; /* a NUL inside */
    if (inet_pton(AF_INET, text, &sin->sin_addr) == 1) {
        sin->sin_family = AF_INET;
        sin->sin_port = htons((uint16_t)port);
        addr.len = sizeof(*sin);
    } else if (inet_pton(AF_INET6, text, &sin6->sin6_addr) == 1) {
        sin6->sin6_family = AF_INET6;
        sin6->sin6_port = htons((uint16_t)port);
        addr.len = sizeof(*sin6);
    } else {
        return false;
    }
    *ret_addr = addr;
    return true;
}

bool cyc_addr_parse(struct cyc_span text, struct cyc_addr *ret_addr)
{
    struct cyc_span prefix = CYC_SPAN("unix:");
    uint64_t port;

    if (cyc_span_starts_with(text, prefix))
        return parse_unix(cyc_span_slice(text, prefix.len, text.len), ret_addr);

    bool is_bracketed = text.len > 0 && text.ptr[0] == '[';
    size_t close_at = is_bracketed ? cyc_span_find_char(text, ']', 0) : 0;
    size_t colon_at = cyc_span_find_char(text, ':', close_at);
    if (colon_at == text.len || (is_bracketed && colon_at != close_at + 1))
        return false;
    if (!cyc_span_parse_u64(cyc_span_slice(text, colon_at + 1, text.len), PORT_MAX, &port))
        return false;

    struct cyc_span host =
        is_bracketed ? cyc_span_slice(text, 1, close_at) : cyc_span_slice(text, 0, colon_at);
    if (!is_bracketed && (host.len == 0 || cyc_span_equal(host, CYC_SPAN("*"))))
        host = CYC_SPAN("::"); /* every address; listening there is dual stack */
    else if (is_bracketed && cyc_span_find_char(host, ':', 0) == host.len)
        return false; /* brackets are for IPv6 (RFC 3986 3.2.2) */
    return cyc_addr_parse_ip(host, (uint32_t)port, ret_addr);
}

static size_t format_v4(char *out, const uint8_t bytes[4])
{
    size_t len = 0;
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            out[len++] = '.';
        len += cyc_format_u64(out + len, bytes[i]);
    }
    return len;
}

static size_t format_unix(const struct cyc_addr *addr, char *out)
{
    static const char prefix[] = "unix:";
    size_t prefix_bytes = sizeof(prefix) - 1, path_bytes = unix_path_bytes(addr);
    const char *path = as_unix(addr)->sun_path;

    memcpy(out, prefix, prefix_bytes);
    if (path_bytes > 0 && path[0] != '\0')
        path_bytes = strnlen(path, path_bytes);
    memcpy(out + prefix_bytes, path, path_bytes);
    if (path_bytes > 0 && path[0] == '\0')
        out[prefix_bytes] = '@';
    return prefix_bytes + path_bytes;
}

/** The IPv4 bytes of an IPv4 or IPv4-mapped address, or NULL. */
static const uint8_t *v4_bytes(const struct cyc_addr *addr)
{
    if (addr->any.sa_family == AF_INET)
        return (const uint8_t *)&as_v4(addr)->sin_addr;
    if (addr->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&as_v6(addr)->sin6_addr))
        return &as_v6(addr)->sin6_addr.s6_addr[12];
    return NULL;
}

size_t cyc_addr_format_ip(const struct cyc_addr *addr, char *out)
{
    if (addr->len == 0)
        return 0;
    if (addr->any.sa_family == AF_UNIX) {
        memcpy(out, "unix:", 5);
        return 5;
    }
    const uint8_t *v4 = v4_bytes(addr);
    if (v4 != NULL)
        return format_v4(out, v4);
    if (inet_ntop(AF_INET6, &as_v6(addr)->sin6_addr, out, INET6_ADDRSTRLEN) == NULL)
        return 0;
    return strlen(out);
}

size_t cyc_addr_format(const struct cyc_addr *addr, char *out)
{
    size_t len = 0;

    if (addr->len == 0)
        return 0;
    if (addr->any.sa_family == AF_UNIX)
        return format_unix(addr, out);
    bool is_bracketed = v4_bytes(addr) == NULL;
    if (is_bracketed)
        out[len++] = '[';
    len += cyc_addr_format_ip(addr, out + len);
    if (is_bracketed)
        out[len++] = ']';
    out[len++] = ':';
    return len + cyc_format_u64(out + len, cyc_addr_port(addr));
}

bool cyc_addr_equal(const struct cyc_addr *a, const struct cyc_addr *b)
{
    return a->len == b->len && memcmp(a->bytes_, b->bytes_, a->len) == 0;
}

bool cyc_addr_is_unix(const struct cyc_addr *addr)
{
    return addr->len > 0 && addr->any.sa_family == AF_UNIX;
}

bool cyc_addr_is_loopback(const struct cyc_addr *addr)
{
    if (addr->len == 0)
        return false;
    if (addr->any.sa_family == AF_UNIX)
        return true;
    const uint8_t *v4 = v4_bytes(addr);
    return v4 != NULL ? v4[0] == 127 : IN6_IS_ADDR_LOOPBACK(&as_v6(addr)->sin6_addr);
}

uint32_t cyc_addr_port(const struct cyc_addr *addr)
{
    if (addr->len == 0 || addr->any.sa_family == AF_UNIX)
        return 0;
    return addr->any.sa_family == AF_INET ? ntohs(as_v4(addr)->sin_port)
                                          : ntohs(as_v6(addr)->sin6_port);
}

bool cyc_addr_ip_bytes(const struct cyc_addr *addr, uint8_t ret_bytes[16])
{
    if (addr->len == 0 || addr->any.sa_family == AF_UNIX)
        return false;
    if (addr->any.sa_family == AF_INET6) {
        memcpy(ret_bytes, &as_v6(addr)->sin6_addr, 16);
        return true;
    }
    memset(ret_bytes, 0, 10);
    ret_bytes[10] = ret_bytes[11] = 0xff;
    memcpy(ret_bytes + 12, &as_v4(addr)->sin_addr, 4);
    return true;
}
