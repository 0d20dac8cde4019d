/* SPDX-License-Identifier: Apache-2.0 */
/*
 * c-ares asks, libuv waits: every socket c-ares opens gets a poll handle, and one timer stands for
 * its nearest time-out. Works with c-ares 1.18 and later, so without its threads and its cache.
 *
 * Everything is freed by close callbacks: `handle_count` counts the libuv handles that still live,
 * and whoever closes the last one of a dying resolver frees it.
 */
#include "net/dns.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/rng.h"

#include <ares.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define TIMEOUT_MS 2000
#define TRY_COUNT 3
#define TTL_MS_MIN 1000
#define TTL_MS_MAX (5 * 60 * 1000)
#define RETRY_MS_MIN 1000
#define RETRY_MS_MAX (30 * 1000)
/* Looked up this much earlier than it need be, at most. */
#define JITTER_PERMILLE 100
/* c-ares must be asked about its time-outs at least this often. */
#define ARES_TIMER_MS_MAX 1000

struct cyc_dns {
    struct cyc_mem *mem;
    uv_loop_t *loop;
    ares_channel channel;
    uv_timer_t timer; /* c-ares's nearest time-out */
    struct cyc_list sockets;
    struct cyc_rng rng;
    uint32_t handle_count, watch_count;
    bool is_closing;
};

struct dns_socket {
    uv_poll_t poll;
    struct cyc_dns *dns;
    struct cyc_list link;
    ares_socket_t fd;
};

struct cyc_dns_watch {
    struct cyc_dns *dns;
    uv_timer_t timer; /* the next look-up */
    cyc_dns_on_result *on_result;
    void *owner;
    struct cyc_addr *addrs; /* sorted */
    uint32_t addr_count, addr_capacity;
    uint32_t port;
    uint64_t refresh_ms, retry_ms;
    bool is_looking_up, is_refresh_due; /* due: asked for during a look-up */
    bool is_dropped, is_timer_closed;
    char name[CYC_DNS_NAME_BYTES_MAX + 2]; /* one more than fits, so that too long shows */
};

/* ---- c-ares's sockets and time-outs ---------------------------------------------------------- */

static void dns_release(struct cyc_dns *dns)
{
    cyc_assert(dns->handle_count > 0);
    if (--dns->handle_count == 0 && dns->is_closing)
        cyc_mem_free(dns->mem, CYC_MEM_OTHER, dns, sizeof(*dns));
}

static void timer_on_close(uv_handle_t *handle)
{
    dns_release(handle->data);
}

static void socket_on_close(uv_handle_t *handle)
{
    struct dns_socket *s = handle->data;
    struct cyc_dns *dns = s->dns;
    cyc_mem_free(dns->mem, CYC_MEM_OTHER, s, sizeof(*s));
    dns_release(dns);
}

static void timer_on_fire(uv_timer_t *timer);

static void timer_update(struct cyc_dns *dns)
{
    struct timeval left = {0};

    if (dns->is_closing)
        return;
    if (ares_timeout(dns->channel, NULL, &left) == NULL) {
        uv_timer_stop(&dns->timer); /* nothing is being asked */
        return;
    }
    uint64_t left_ms = (uint64_t)left.tv_sec * 1000 + (uint64_t)left.tv_usec / 1000 + 1;
    if (left_ms > ARES_TIMER_MS_MAX)
        left_ms = ARES_TIMER_MS_MAX;
    uv_timer_start(&dns->timer, timer_on_fire, left_ms, 0);
}

static void timer_on_fire(uv_timer_t *timer)
{
    struct cyc_dns *dns = timer->data;
    ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    timer_update(dns);
}

static void socket_on_event(uv_poll_t *poll, int status, int events)
{
    struct dns_socket *s = poll->data;
    struct cyc_dns *dns = s->dns;
    bool can_read = status < 0 || (events & UV_READABLE);
    bool can_write = status < 0 || (events & UV_WRITABLE);

    ares_process_fd(dns->channel, can_read ? s->fd : ARES_SOCKET_BAD,
                    can_write ? s->fd : ARES_SOCKET_BAD);
    timer_update(dns);
}

static struct dns_socket *socket_find(struct cyc_dns *dns, ares_socket_t fd)
{
    cyc_list_for_each (link, &dns->sockets) {
        struct dns_socket *s = cyc_container_of(link, struct dns_socket, link);
        if (s->fd == fd)
            return s;
    }
    return NULL;
}

static struct dns_socket *socket_watch(struct cyc_dns *dns, ares_socket_t fd)
{
    struct dns_socket *s = cyc_mem_zalloc(dns->mem, CYC_MEM_OTHER, sizeof(*s));
    if (uv_poll_init_socket(dns->loop, &s->poll, fd) < 0) {
        cyc_mem_free(dns->mem, CYC_MEM_OTHER, s, sizeof(*s));
        return NULL; /* the query will time out and be tried again */
    }
    s->poll.data = s;
    s->dns = dns;
    s->fd = fd;
    dns->handle_count++;
    cyc_list_add_back(&dns->sockets, &s->link);
    return s;
}

/** c-ares says what it wants of a socket; neither means that it is about to close it. */
static void socket_on_state(void *data, ares_socket_t fd, int wants_read, int wants_write)
{
    struct cyc_dns *dns = data;
    struct dns_socket *s = socket_find(dns, fd);

    if (!wants_read && !wants_write) {
        if (s == NULL)
            return;
        uv_poll_stop(&s->poll);
        cyc_list_remove(&s->link);
        uv_close((uv_handle_t *)&s->poll, socket_on_close);
        return;
    }
    if (s == NULL)
        s = socket_watch(dns, fd);
    if (s != NULL)
        uv_poll_start(&s->poll, (wants_read ? UV_READABLE : 0) | (wants_write ? UV_WRITABLE : 0),
                      socket_on_event);
}

/* ---- watches --------------------------------------------------------------------------------- */

static void watch_free_if_done(struct cyc_dns_watch *watch)
{
    struct cyc_dns *dns = watch->dns;

    if (!watch->is_timer_closed || watch->is_looking_up)
        return;
    cyc_mem_free(dns->mem, CYC_MEM_OTHER, watch->addrs,
                 watch->addr_capacity * sizeof(watch->addrs[0]));
    cyc_mem_free(dns->mem, CYC_MEM_OTHER, watch, sizeof(*watch));
    dns_release(dns);
}

static void watch_on_close(uv_handle_t *handle)
{
    struct cyc_dns_watch *watch = handle->data;
    watch->is_timer_closed = true;
    watch_free_if_done(watch);
}

static void watch_on_timer(uv_timer_t *timer);

static void watch_schedule(struct cyc_dns_watch *watch, uint64_t delay_ms)
{
    if (watch->is_refresh_due)
        delay_ms = 0;
    watch->is_refresh_due = false;
    uint64_t jitter_ms = delay_ms * JITTER_PERMILLE / 1000;
    delay_ms -= cyc_rng_below(&watch->dns->rng, jitter_ms + 1);
    uv_timer_start(&watch->timer, watch_on_timer, delay_ms, 0);
}

/** The last step of every look-up. @param error  NULL, or why it failed */
static void watch_tell(struct cyc_dns_watch *watch, bool is_changed, const char *error)
{
    struct cyc_dns_result result = {watch->addrs, watch->addr_count, is_changed, error};
    watch->on_result(watch->owner, &result);
}

static int addr_compare(const void *a, const void *b)
{
    const struct cyc_addr *x = a, *y = b;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return memcmp(x->bytes_, y->bytes_, x->len);
}

/** Sorts, and drops what is there twice (a hosts file may repeat itself). */
static uint32_t addrs_normalize(struct cyc_addr *addrs, uint32_t count)
{
    uint32_t kept_count = 0;

    qsort(addrs, count, sizeof(addrs[0]), addr_compare);
    for (uint32_t i = 0; i < count; i++)
        if (kept_count == 0 || !cyc_addr_equal(&addrs[kept_count - 1], &addrs[i]))
            addrs[kept_count++] = addrs[i];
    return kept_count;
}

/** Takes new addresses in. @return whether they differ from the old ones */
static bool watch_replace(struct cyc_dns_watch *watch, const struct cyc_addr *addrs, uint32_t count)
{
    bool is_same = count == watch->addr_count;
    for (uint32_t i = 0; is_same && i < count; i++)
        is_same = cyc_addr_equal(&watch->addrs[i], &addrs[i]);
    if (is_same)
        return false;
    if (count > watch->addr_capacity) {
        watch->addrs =
            cyc_mem_resize(watch->dns->mem, CYC_MEM_OTHER, watch->addrs,
                           watch->addr_capacity * sizeof(addrs[0]), count * sizeof(addrs[0]));
        watch->addr_capacity = count;
    }
    memcpy(watch->addrs, addrs, count * sizeof(addrs[0]));
    watch->addr_count = count;
    return true;
}

static bool addr_from_node(const struct ares_addrinfo_node *node, uint32_t port,
                           struct cyc_addr *ret_addr)
{
    bool is_ip = node->ai_family == AF_INET || node->ai_family == AF_INET6;
    struct cyc_addr addr = {.len = (socklen_t)node->ai_addrlen};
    uint16_t port_bytes = (uint16_t)((port & 0xff) << 8 | (port >> 8 & 0xff)); /* big-endian */

    if (!is_ip || node->ai_addrlen > sizeof(addr.bytes_))
        return false;
    memcpy(addr.bytes_, node->ai_addr, node->ai_addrlen);
    memcpy(addr.bytes_ + sizeof(sa_family_t), &port_bytes, sizeof(port_bytes));
    *ret_addr = addr;
    return true;
}

static void watch_succeed(struct cyc_dns_watch *watch, const struct ares_addrinfo *info)
{
    struct cyc_addr addrs[CYC_DNS_ADDR_COUNT_MAX];
    uint32_t count = 0;
    uint64_t ttl_ms = TTL_MS_MAX;

    for (const struct ares_addrinfo_node *node = info->nodes; node != NULL; node = node->ai_next) {
        uint64_t node_ms = node->ai_ttl > 0 ? (uint64_t)node->ai_ttl * 1000 : 0;
        if (node_ms < ttl_ms)
            ttl_ms = node_ms;
        if (count < CYC_DNS_ADDR_COUNT_MAX && addr_from_node(node, watch->port, &addrs[count]))
            count++;
    }
    if (ttl_ms < TTL_MS_MIN)
        ttl_ms = TTL_MS_MIN;
    count = addrs_normalize(addrs, count);
    watch->retry_ms = RETRY_MS_MIN;
    watch_schedule(watch, watch->refresh_ms > 0 ? watch->refresh_ms : ttl_ms);
    watch_tell(watch, watch_replace(watch, addrs, count), NULL);
}

static void watch_fail(struct cyc_dns_watch *watch, const char *error)
{
    uint64_t delay_ms = watch->retry_ms;

    watch->retry_ms = delay_ms * 2 < RETRY_MS_MAX ? delay_ms * 2 : RETRY_MS_MAX;
    if (watch->refresh_ms > 0 && watch->refresh_ms < delay_ms)
        delay_ms = watch->refresh_ms;
    watch_schedule(watch, delay_ms);
    watch_tell(watch, false, error);
}

static void watch_on_answer(void *arg, int status, int timeout_count, struct ares_addrinfo *info)
{
    struct cyc_dns_watch *watch = arg;

    (void)timeout_count;
    watch->is_looking_up = false;
    if (watch->is_dropped)
        watch_free_if_done(watch);
    else if (status == ARES_SUCCESS && info != NULL && info->nodes != NULL)
        watch_succeed(watch, info);
    else
        watch_fail(watch, status == ARES_SUCCESS ? "no addresses" : ares_strerror(status));
    if (info != NULL)
        ares_freeaddrinfo(info);
}

static void watch_on_timer(uv_timer_t *timer)
{
    struct cyc_dns_watch *watch = timer->data;
    struct cyc_dns *dns = watch->dns;
    struct cyc_addr addr;
    struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NOSORT, /* the order is the load balancer's business */
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
    };

    if (cyc_addr_parse_ip(cyc_span_from_text(watch->name), watch->port, &addr)) {
        watch_tell(watch, watch_replace(watch, &addr, 1), NULL); /* never changes: no next time */
        return;
    }
    if (watch->name[0] == '\0' || strlen(watch->name) > CYC_DNS_NAME_BYTES_MAX) {
        watch_fail(watch, "not a host name");
        return;
    }
    watch->is_looking_up = true;
    ares_getaddrinfo(dns->channel, watch->name, NULL, &hints, watch_on_answer, watch);
    timer_update(dns);
}

struct cyc_dns_watch *cyc_dns_watch(struct cyc_dns *dns, const struct cyc_dns_name *name,
                                    cyc_dns_on_result *on_result, void *owner)
{
    struct cyc_dns_watch *watch = cyc_mem_zalloc(dns->mem, CYC_MEM_OTHER, sizeof(*watch));
    size_t len = name->text.len < sizeof(watch->name) ? name->text.len : sizeof(watch->name) - 1;

    watch->dns = dns;
    watch->on_result = on_result;
    watch->owner = owner;
    watch->port = name->port;
    watch->refresh_ms = name->refresh_ms;
    watch->retry_ms = RETRY_MS_MIN;
    if (len > 0 && memchr(name->text.ptr, '\0', len) == NULL)
        memcpy(watch->name, name->text.ptr, len);
    uv_timer_init(dns->loop, &watch->timer);
    watch->timer.data = watch;
    dns->handle_count++;
    dns->watch_count++;
    watch_schedule(watch, 0);
    return watch;
}

void cyc_dns_refresh(struct cyc_dns_watch *watch)
{
    watch->is_refresh_due = true;
    if (!watch->is_looking_up)
        watch_schedule(watch, 0);
}

void cyc_dns_unwatch(struct cyc_dns_watch *watch)
{
    if (watch == NULL)
        return;
    cyc_assert(!watch->is_dropped);
    watch->is_dropped = true;
    watch->dns->watch_count--;
    uv_close((uv_handle_t *)&watch->timer, watch_on_close);
}

/* ---- the resolver ---------------------------------------------------------------------------- */

static int channel_open(struct cyc_dns *dns, const struct cyc_dns_setup *setup)
{
    struct ares_options options = {
        .sock_state_cb = socket_on_state,
        .sock_state_cb_data = dns,
        .timeout = (int)(setup->timeout_ms > 0 ? setup->timeout_ms : TIMEOUT_MS),
        .tries = (int)(setup->try_count > 0 ? setup->try_count : TRY_COUNT),
    };
    int mask = ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES;
#ifdef ARES_OPT_QUERY_CACHE
    mask |= ARES_OPT_QUERY_CACHE; /* of no entries: we ask when we want to know */
#endif
    int r = ares_init_options(&dns->channel, &options, mask);
    if (r != ARES_SUCCESS || setup->servers == NULL)
        return r;
    r = ares_set_servers_ports_csv(dns->channel, setup->servers);
    if (r != ARES_SUCCESS)
        ares_destroy(dns->channel);
    return r;
}

struct cyc_dns *cyc_dns_create(const struct cyc_dns_setup *setup, const char **ret_error)
{
    int r = ares_library_init(ARES_LIB_INIT_ALL);
    if (r != ARES_SUCCESS) {
        *ret_error = ares_strerror(r);
        return NULL;
    }
    struct cyc_dns *dns = cyc_mem_zalloc(setup->mem, CYC_MEM_OTHER, sizeof(*dns));
    dns->mem = setup->mem;
    dns->loop = setup->uv_loop;
    cyc_list_init(&dns->sockets);
    cyc_rng_init_from_kernel(&dns->rng);
    r = channel_open(dns, setup);
    if (r != ARES_SUCCESS) {
        *ret_error = ares_strerror(r);
        cyc_mem_free(setup->mem, CYC_MEM_OTHER, dns, sizeof(*dns));
        return NULL;
    }
    uv_timer_init(dns->loop, &dns->timer);
    dns->timer.data = dns;
    dns->handle_count++;
    return dns;
}

void cyc_dns_destroy(struct cyc_dns *dns)
{
    cyc_assert(dns->watch_count == 0);

    dns->is_closing = true;
    dns->handle_count++; /* while the callbacks of what is cancelled run */
    ares_destroy(dns->channel);
    uv_close((uv_handle_t *)&dns->timer, timer_on_close);
    dns_release(dns);
}
