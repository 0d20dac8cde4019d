/* SPDX-License-Identifier: Apache-2.0 */
/* The reference manual and the JSON schema, written from the binding rows. */
#ifndef CYC_CONF_MANUAL_H
#define CYC_CONF_MANUAL_H

#include "conf/table.h"
#include "conf/text.h"

/** Markdown: one table for each section, nested ones behind their parents. */
void cyc_manual_write(struct cyc_text *text, const struct cyc_conf_section *root);
/** JSON Schema, draft 07, for editors. It is more generous than the loader, never stricter. */
void cyc_schema_write(struct cyc_text *text, const struct cyc_conf_section *root);

#endif
