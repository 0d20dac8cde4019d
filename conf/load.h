/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files: which one, and what is in it. */
#ifndef CYC_CONF_LOAD_H
#define CYC_CONF_LOAD_H

#include "base/arena.h"
#include "base/span.h"
#include "conf/diag.h"

#include <stdbool.h>

/**
 * The file to use when none is named: $CYCLONE_CONFIG, else the first that exists of
 * ./cyclone.yaml, /etc/cyclone/cyclone.yaml and /etc/cyclone/config.yaml.
 * @return in the arena or static; NULL: there is none
 */
const char *cyc_load_find(struct cyc_arena *arena, const char *const *environment);

/** Reads a whole file of at most CYC_TREE_BYTES_MAX. @return false after an error */
bool cyc_load_file(struct cyc_arena *arena, struct cyc_diag *diag, const char *path,
                   struct cyc_span *ret_text);

#endif
