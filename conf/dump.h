/* SPDX-License-Identifier: Apache-2.0 */
/* Bound structs back to JSON, through the rows that filled them. */
#ifndef CYC_CONF_DUMP_H
#define CYC_CONF_DUMP_H

#include "conf/table.h"
#include "conf/text.h"

/**
 * Writes `source` as a JSON object, values as the user would write them.
 * @param baseline  what not to repeat: members equal to those of this struct are left out; NULL:
 *                  everything is written
 */
void cyc_conf_dump(struct cyc_text *text, const struct cyc_conf_section *section,
                   const void *source, const void *baseline);

#endif
