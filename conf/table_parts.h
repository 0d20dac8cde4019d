/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of conf/table.h: what its three files share. */
#ifndef CYC_CONF_TABLE_PARTS_H
#define CYC_CONF_TABLE_PARTS_H

#include "conf/table.h"

/* ---- table_report.c -------------------------------------------------------------------------- */

/** `in route "login"`, `in "pool" of cluster "orders"`, `at the top level`. */
struct cyc_span cyc_conf_describe_place(struct cyc_conf_bind *bind);
/** Says that a key is unknown, or of a later version. */
void cyc_conf_report_key(struct cyc_conf_bind *bind, const struct cyc_conf_section *section,
                         const struct cyc_node *node);
/** What the user called the value: its key, or that of the row it stands for. */
struct cyc_span cyc_conf_key_of(const struct cyc_conf_row *row, const struct cyc_node *node);

/* ---- table_value.c --------------------------------------------------------------------------- */

/** Kinds with a number behind them, ENUM too. */
void cyc_conf_bind_number(struct cyc_conf_bind *bind, const struct cyc_conf_row *row,
                          const struct cyc_node *node, void *target);
/** @return the text, copied and checked; after an error, false */
bool cyc_conf_take_text(struct cyc_conf_bind *bind, const struct cyc_conf_row *row,
                        const struct cyc_node *node, struct cyc_span *ret_text);
void cyc_conf_bind_texts(struct cyc_conf_bind *bind, const struct cyc_conf_row *row,
                         const struct cyc_node *node, void *target);
void cyc_conf_bind_numbers(struct cyc_conf_bind *bind, const struct cyc_conf_row *row,
                           const struct cyc_node *node, void *target);
void cyc_conf_set_list(const struct cyc_conf_row *row, void *target, void *items, uint32_t count);

#endif
