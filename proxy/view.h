/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot as one worker uses it: with its own clusters.
 *
 * Made on the control thread, sent as a letter, pinned by streams. When a view is neither current
 * nor pinned it goes home, dropping the clusters that no other view of its worker names.
 */
#ifndef CYC_PROXY_VIEW_H
#define CYC_PROXY_VIEW_H

#include "proxy/worker.h"

struct cyc_view {
    struct cyc_letter letter;
    cyc_letter_run *on_released; /* run on the control thread when the view comes back */
    struct cyc_snapshot *snapshot;
    struct cyc_worker *worker;
    struct cyc_cluster **clusters; /* by cluster index */
    int *listener_fds;  /* by listener index: opened for this worker, or -1: it has one */
    uint32_t pin_count; /* streams, and listeners on their way out */
    struct cyc_list link;
};

/** Control thread: for cyc_worker_post.
 *  @param run  cyc_worker_run_view @param on_released  must free it with cyc_view_destroy */
struct cyc_view *cyc_view_create(struct cyc_mem *mem, struct cyc_snapshot *snapshot,
                                 struct cyc_worker *worker, cyc_letter_run *run,
                                 cyc_letter_run *on_released);
void cyc_view_destroy(struct cyc_view *view, struct cyc_mem *mem);

static inline void cyc_view_pin(struct cyc_view *view)
{
    view->pin_count++;
}

void cyc_view_unpin(struct cyc_view *view);
/** Sends it home; nothing may pin it. */
void cyc_view_release(struct cyc_view *view);

#endif
