/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin.h"

#include "proxy/health.h"

void cyc_ep_health(struct cyc_master *master, const struct cyc_msg *req,
                   struct cyc_admin_answer *answer)
{
    answer->status =
        cyc_health_answer(&master->shared, req->path, master->io->clock.wall_ns, &answer->body);
}
