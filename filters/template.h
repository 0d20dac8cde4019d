/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text with %{variables}, compiled once, filled in per request.
 *
 * "%{name}" is a variable of feature_conf.h, "%%" is a percent sign, any other "%" is itself. A
 * text without variables costs nothing: it is the same span for every request.
 */
#ifndef CYC_FILTERS_TEMPLATE_H
#define CYC_FILTERS_TEMPLATE_H

#include "base/arena.h"
#include "base/span.h"
#include "filters/exchange.h"
#include "filters/feature_conf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** One stretch of text (variable is CYC_VARIABLE_COUNT) or one variable. */
struct cyc_template_piece {
    struct cyc_span text;
    enum cyc_header_variable variable;
};

struct cyc_template {
    const struct cyc_template_piece *pieces; /* NULL: it is all `text` */
    uint32_t piece_count;
    struct cyc_span text;
};

/**
 * @param arena  for the pieces and texts; `text` itself is borrowed for the call
 * @param ret_error_at  where the unknown or unclosed variable begins
 * @return false for an unknown or unclosed variable
 */
bool cyc_template_parse(struct cyc_arena *arena, struct cyc_span text, struct cyc_template *ret,
                        size_t *ret_error_at);

/** The slow half of cyc_template_render. */
bool cyc_template_fill(const struct cyc_template *tmpl, struct cyc_exchange *exchange,
                       struct cyc_span *ret_value);

/**
 * What the template says for this request; lives as long as the request. Unknown things are empty.
 * @return false when a variable holds what must not stand in a field value (RFC 9110 5.5: CR, LF,
 * NUL)
 */
static inline bool cyc_template_render(const struct cyc_template *tmpl,
                                       struct cyc_exchange *exchange, struct cyc_span *ret_value)
{
    if (tmpl->pieces != NULL)
        return cyc_template_fill(tmpl, exchange, ret_value);
    *ret_value = tmpl->text;
    return true;
}

#endif
