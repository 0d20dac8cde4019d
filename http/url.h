/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request targets: the four forms (RFC 9112 3.2), and path normalisation before matching.
 *
 * What is matched is what is forwarded. Policy (docs/security.md): dot segments are resolved, %2e
 * is decoded, unreserved escapes are decoded, "//" is kept, %2f and %5c are kept as written and
 * never act as "/"; %00, broken escapes and dot segments with a parameter ("..;x") are refused.
 */
#ifndef CYC_HTTP_URL_H
#define CYC_HTTP_URL_H

#include "base/arena.h"
#include "base/span.h"
#include "http/msg.h"

enum cyc_target_form {
    CYC_TARGET_ORIGIN,
    CYC_TARGET_ABSOLUTE,
    CYC_TARGET_AUTHORITY,
    CYC_TARGET_ASTERISK
};

struct cyc_target {
    enum cyc_target_form form;
    struct cyc_span scheme, authority; /* ABSOLUTE, AUTHORITY; empty otherwise */
    struct cyc_span path;              /* "/..." or "*"; not normalised */
    struct cyc_span query;             /* without "?"; has_query tells "" from none */
    bool has_query;
};

/** @return false when the target is malformed (fragment, raw non-ASCII, control characters, ...) */
bool cyc_target_parse(struct cyc_span target, enum cyc_method method, struct cyc_target *ret);

/**
 * Normalises a path that begins with "/". The common case (nothing to do) returns `path` itself.
 * @return false when it must be refused
 */
bool cyc_path_normalise(struct cyc_span path, struct cyc_arena *arena, struct cyc_span *ret_path);

#endif
