/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/view.h"

#include "base/assert.h"

struct cyc_view *cyc_view_create(struct cyc_mem *mem, struct cyc_snapshot *snapshot,
                                 struct cyc_worker *worker, cyc_letter_run *run,
                                 cyc_letter_run *on_released)
{
    struct cyc_view *view = cyc_mem_zalloc(mem, CYC_MEM_CONFIG, sizeof(*view));

    view->letter.run = run;
    view->on_released = on_released;
    view->snapshot = snapshot;
    view->worker = worker;
    view->clusters = cyc_mem_zalloc(mem, CYC_MEM_CONFIG,
                                    (snapshot->cluster_count + 1) * sizeof(*view->clusters));
    view->listener_fds =
        cyc_mem_alloc(mem, CYC_MEM_CONFIG, (snapshot->listener_count + 1) * sizeof(int));
    for (uint32_t i = 0; i < snapshot->listener_count; i++)
        view->listener_fds[i] = -1;
    cyc_list_init(&view->link);
    return view;
}

void cyc_view_destroy(struct cyc_view *view, struct cyc_mem *mem)
{
    const struct cyc_snapshot *snapshot = view->snapshot;

    cyc_mem_free(mem, CYC_MEM_CONFIG, view->clusters,
                 (snapshot->cluster_count + 1) * sizeof(*view->clusters));
    cyc_mem_free(mem, CYC_MEM_CONFIG, view->listener_fds,
                 (snapshot->listener_count + 1) * sizeof(int));
    cyc_mem_free(mem, CYC_MEM_CONFIG, view, sizeof(*view));
}

static bool names_cluster(const struct cyc_view *view, const struct cyc_cluster *cluster)
{
    for (uint32_t i = 0; i < view->snapshot->cluster_count; i++)
        if (view->clusters[i] == cluster)
            return true;
    return false;
}

/** Drops the clusters that no other view of this worker names, and sends the view home. */
void cyc_view_release(struct cyc_view *view)
{
    struct cyc_worker *worker = view->worker;

    cyc_list_remove(&view->link);
    for (uint32_t i = 0; i < view->snapshot->cluster_count; i++) {
        struct cyc_cluster *cluster = view->clusters[i];
        bool is_used =
            worker->view != NULL && worker->view != view && names_cluster(worker->view, cluster);
        cyc_list_for_each (link, &worker->old_views)
            is_used =
                is_used || names_cluster(cyc_container_of(link, struct cyc_view, link), cluster);
        if (!is_used)
            cyc_cluster_drop(cluster);
    }
    view->letter.run = view->on_released;
    cyc_mailbox_post(worker->control, &view->letter);
    worker->wake_control(worker->control_owner);
}

void cyc_view_unpin(struct cyc_view *view)
{
    cyc_assert(view->pin_count > 0);
    if (--view->pin_count == 0 && view != view->worker->view)
        cyc_view_release(view);
}
