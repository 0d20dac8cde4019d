/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names to addresses, looked up again as long as somebody watches.
 *
 * Lives on a libuv loop, the control thread's: nothing here is for the data path, and nothing
 * blocks. A watch is looked up at once and again when its records expire (their TTL, not under 1
 * second and not over 5 minutes, a little earlier by chance so that many names do not come at
 * once). A look-up that fails changes nothing: the addresses known before stay, and it is tried
 * again after a pause that grows from 1 to 30 seconds.
 *
 * The hosts file and the resolver's search list are honoured. A numeric name is its own address.
 */
#ifndef CYC_NET_DNS_H
#define CYC_NET_DNS_H

#include "base/mem.h"
#include "net/addr.h"

#include <stdbool.h>
#include <stdint.h>

/** Longest name (RFC 1035 2.3.4). */
#define CYC_DNS_NAME_BYTES_MAX 253
/** More addresses than this are left out. */
#define CYC_DNS_ADDR_COUNT_MAX 256

struct cyc_dns;
struct cyc_dns_watch;

struct cyc_dns_setup {
    struct cyc_mem *mem;
    void *uv_loop;       /* a uv_loop_t */
    const char *servers; /* "127.0.0.1:53,[::1]:53", or NULL: as /etc/resolv.conf has them */
    uint32_t timeout_ms; /* of one query to one server; 0: 2000 */
    uint32_t try_count;  /* queries per server; 0: 3 */
};

/** What to watch. */
struct cyc_dns_name {
    struct cyc_span text; /* copied; what is no name fails when it is looked up */
    uint32_t port;        /* goes into the addresses */
    uint64_t refresh_ms;  /* 0: as the records' TTL says; else instead of it */
};

struct cyc_dns_result {
    const struct cyc_addr *addrs; /* what is known now, sorted; borrowed for the call */
    uint32_t addr_count;
    bool is_changed;   /* since the last result; true for the first addresses */
    const char *error; /* NULL, or why this look-up failed; a constant text */
};

/** After every look-up, never inside a cyc_dns_* call. May drop watches, its own too; must not
 *  destroy the resolver. */
typedef void cyc_dns_on_result(void *owner, const struct cyc_dns_result *result);

/** @return NULL, with a text in *ret_error, when the resolver's configuration cannot be used */
struct cyc_dns *cyc_dns_create(const struct cyc_dns_setup *setup, const char **ret_error);
/** Every watch must have been dropped. The loop must run on until its handles are closed. */
void cyc_dns_destroy(struct cyc_dns *dns);

/** Begins to watch a name. */
struct cyc_dns_watch *cyc_dns_watch(struct cyc_dns *dns, const struct cyc_dns_name *name,
                                    cyc_dns_on_result *on_result, void *owner);
/** Looks up now, whenever the next time would have been. */
void cyc_dns_refresh(struct cyc_dns_watch *watch);
/** No callback follows. NULL is a no-op. */
void cyc_dns_unwatch(struct cyc_dns_watch *watch);

#endif
