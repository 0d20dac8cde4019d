/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One value as text <-> one value as a number, with sentences for everything that can be wrong.
 *
 * Units are never guessed: a duration without one is an error, `yes` is not a boolean, 1MB is 10^6
 * bytes and 1MiB is 2^20.
 */
#ifndef CYC_CONF_VALUE_H
#define CYC_CONF_VALUE_H

#include "base/span.h"
#include "conf/text.h"

#include <stdbool.h>
#include <stdint.h>

/** Why a text is not a value. */
struct cyc_value_problem {
    struct cyc_span key; /* set by the caller: what messages call the value */
    const char *code;
    char message[256], hint[192];
};

/** @return false with `problem` filled in; `ret_value` is then untouched */
typedef bool cyc_value_parse(struct cyc_span text, uint64_t *ret_value,
                             struct cyc_value_problem *problem);
/** Writes the shortest text that parses to `value`. */
typedef void cyc_value_print(struct cyc_text *text, uint64_t value);

/** `true` or `false`: 1 or 0. */
cyc_value_parse cyc_value_parse_bool;
/** Decimal, `_` between digits allowed. */
cyc_value_parse cyc_value_parse_int;
/** `250ms`, `5s`, `1m30s`, `0`: milliseconds, up to UINT32_MAX. */
cyc_value_parse cyc_value_parse_duration;
/** `64KiB`, `2GB`, a bare number is bytes. */
cyc_value_parse cyc_value_parse_size;
/** `20%`, `0.5%`: hundredths of a percent. */
cyc_value_parse cyc_value_parse_percent;

cyc_value_print cyc_value_print_bool;
cyc_value_print cyc_value_print_int;
cyc_value_print cyc_value_print_duration;
cyc_value_print cyc_value_print_size;
cyc_value_print cyc_value_print_percent;

/** 0.0005, 2.5, 10: plain decimals without sign or exponent. */
bool cyc_value_parse_number(struct cyc_span text, double *ret_value);

/** `:8443`, `127.0.0.1:80`, `[::1]:80`, `unix:/path`: where to listen. Names are refused. */
bool cyc_value_check_address(struct cyc_span text, struct cyc_value_problem *problem);

/**
 * Splits `host:port` or `[v6]:port`; the host part may be empty.
 * @param ret_host  without brackets
 * @return false with `problem` filled in
 */
bool cyc_value_split_port(struct cyc_span text, struct cyc_span *ret_host, uint32_t *ret_port,
                          struct cyc_value_problem *problem);
/** An IPv4 or (unbracketed) IPv6 literal. */
bool cyc_value_is_ip(struct cyc_span text);
/** Letters, digits, `-`, `_` and dots in labels of 1 to 63; at most 253. */
bool cyc_value_is_host_name(struct cyc_span text);
/** [A-Za-z][A-Za-z0-9_.-]{0,62}: names of listeners, routes and clusters are metric labels. */
bool cyc_value_is_name(struct cyc_span text);

/** Fills in a problem. @return false, for the caller to return */
__attribute__((format(printf, 3, 4))) bool cyc_value_refuse(struct cyc_value_problem *problem,
                                                            const char *code, const char *format,
                                                            ...);
/** Adds what to write instead. @return false */
__attribute__((format(printf, 2, 3))) bool cyc_value_hint(struct cyc_value_problem *problem,
                                                          const char *format, ...);

#endif
