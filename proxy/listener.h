/* SPDX-License-Identifier: Apache-2.0 */
/* One listening socket of one worker: accepts, limits, and the connections that came through it. */
#ifndef CYC_PROXY_LISTENER_H
#define CYC_PROXY_LISTENER_H

#include "net/io.h"
#include "proxy/view.h"

struct cyc_listener {
    struct cyc_worker *worker;
    struct cyc_op accept;
    struct cyc_addr addr;
    struct cyc_timer retry; /* after running out of descriptors */
    struct cyc_list link;
    struct cyc_view *view;                /* whose spec holds; pinned only once `is_removed` */
    const struct cyc_listener_spec *spec; /* in that view's snapshot */
    uint32_t connection_count, connection_count_max;
    void (*on_connection_closed)(struct cyc_listener *listener);
    int fd;
    bool is_removed; /* no configuration names it any more, or the worker is closing */
};

/** Starts to accept on `fd`, which is taken. */
struct cyc_listener *cyc_listener_open(struct cyc_worker *worker, struct cyc_view *view,
                                       uint32_t spec_index, int fd);
/** The same socket under a new configuration. */
void cyc_listener_adopt(struct cyc_listener *listener, struct cyc_view *view, uint32_t spec_index);
/** Accepts what is already in the backlog, then no more; connections are drained. Frees itself when
 *  the last has gone. Idempotent. */
void cyc_listener_close(struct cyc_listener *listener);

#endif
