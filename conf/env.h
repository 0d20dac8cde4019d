/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment in a configuration: ${NAME} inside the document, CYCLONE_<SECTION>_<KEY> over it.
 *
 * Every scalar of the sections marked `has_env` can be set by a variable whose name is made from
 * the row, so there is no second list to keep. Named things (listeners, routes, clusters) cannot.
 * An environment is a NULL-terminated array of "NAME=value", as `environ`; NULL is an empty one.
 */
#ifndef CYC_CONF_ENV_H
#define CYC_CONF_ENV_H

#include "base/arena.h"
#include "base/span.h"
#include "conf/diag.h"
#include "conf/table.h"
#include "conf/text.h"

#include <stdbool.h>

/** @return whether `name` is set; set to the empty text counts */
bool cyc_env_find(const char *const *environment, struct cyc_span name, struct cyc_span *ret_value);

/**
 * Replaces ${NAME}, ${NAME:-default} and $$; any other dollar stays. An unset variable without a
 * default is an error at its place.
 * @param mark  where `text` starts, without its quote
 * @return `text` itself when it holds no dollar
 */
struct cyc_span cyc_env_expand(struct cyc_arena *arena, struct cyc_diag *diag,
                               const char *const *environment, struct cyc_span text,
                               const struct cyc_conf_mark *mark);

/**
 * Binds what CYCLONE_* variables say over what the document said; unknown ones are warned of.
 * @param root  the section table of the whole document
 * @param target  its struct
 */
void cyc_env_apply(struct cyc_conf_bind *bind, const char *const *environment,
                   const struct cyc_conf_section *root, void *target);

/** The names cyc_env_apply knows, one a line. */
void cyc_env_list(struct cyc_text *text, const struct cyc_conf_section *root);

#endif
