/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin.h"

/** The configuration in force with every default written out. */
void cyc_ep_config(struct cyc_master *master, const struct cyc_msg *req,
                   struct cyc_admin_answer *answer)
{
    (void)req;
    if (master->current == NULL) {
        answer->status = 503;
        return;
    }
    cyc_buf_append(&answer->body, master->current->config->effective_json);
    cyc_buf_append(&answer->body, CYC_SPAN("\n"));
}
