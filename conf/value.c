/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/value.h"

#include "base/assert.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define HOST_NAME_BYTES_MAX 253 /* RFC 1035 2.3.4 */
#define HOST_LABEL_BYTES_MAX 63
#define NAME_BYTES_MAX 63
#define UNIX_PATH_BYTES_MAX 107 /* sun_path without its NUL */

#define ARG(span) (int)(span).len, (span).ptr

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000},
};
static const struct unit size_units[] = {
    {"B", 1},
    {"KiB", 1ull << 10},
    {"MiB", 1ull << 20},
    {"GiB", 1ull << 30},
    {"TiB", 1ull << 40},
    {"KB", 1000},
    {"MB", 1000000},
    {"GB", 1000000000},
    {"TB", 1000000000000},
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool cyc_value_refuse(struct cyc_value_problem *problem, const char *code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(problem->message, sizeof(problem->message), format, args);
    va_end(args);
    problem->code = code;
    return false;
}

bool cyc_value_hint(struct cyc_value_problem *problem, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(problem->hint, sizeof(problem->hint), format, args);
    va_end(args);
    return false;
}

static const struct unit *find_unit(const struct unit *units, size_t count, struct cyc_span name)
{
    for (size_t i = 0; i < count; i++)
        if (cyc_span_equal(name, cyc_span_from_text(units[i].name)))
            return &units[i];
    return NULL;
}

static size_t count_digits(struct cyc_span text)
{
    size_t len = 0;

    while (len < text.len && cyc_char_is_digit(text.ptr[len]))
        len++;
    return len;
}

/* ---- bool, int --------------------------------------------------------------------------------*/

bool cyc_value_parse_bool(struct cyc_span text, uint64_t *ret_value,
                          struct cyc_value_problem *problem)
{
    static const char *const yes[] = {"yes", "on", "1", "True", "TRUE", "y"};
    static const char *const no[] = {"no", "off", "0", "False", "FALSE", "n"};

    if (cyc_span_equal(text, CYC_SPAN("true")) || cyc_span_equal(text, CYC_SPAN("false"))) {
        *ret_value = text.len == 4;
        return true;
    }
    for (size_t i = 0; i < COUNT(yes); i++) {
        if (cyc_span_equal(text, cyc_span_from_text(yes[i])))
            cyc_value_hint(problem, "write true");
        if (cyc_span_equal(text, cyc_span_from_text(no[i])))
            cyc_value_hint(problem, "write false");
    }
    return cyc_value_refuse(problem, "bad-value", "expected true or false, got \"%.*s\"",
                            ARG(text));
}

bool cyc_value_parse_int(struct cyc_span text, uint64_t *ret_value,
                         struct cyc_value_problem *problem)
{
    char digits[32];
    size_t len = 0;

    for (size_t i = 0; i < text.len && len < sizeof(digits); i++) {
        bool is_separator = text.ptr[i] == '_' && i > 0 && cyc_char_is_digit(text.ptr[i - 1]) &&
                            i + 1 < text.len && cyc_char_is_digit(text.ptr[i + 1]);
        if (!is_separator)
            digits[len++] = text.ptr[i];
    }
    if (len < sizeof(digits) && cyc_span_parse_u64(cyc_span_of(digits, len), UINT64_MAX, ret_value))
        return true;
    return cyc_value_refuse(problem, "bad-value", "\"%.*s\" is a whole number, got \"%.*s\"",
                            ARG(problem->key), ARG(text));
}

/* ---- values with units ------------------------------------------------------------------------*/

bool cyc_value_parse_duration(struct cyc_span text, uint64_t *ret_value,
                              struct cyc_value_problem *problem)
{
    uint64_t total_ms = 0, number;
    struct cyc_span rest = text;

    if (cyc_span_equal(text, CYC_SPAN("0"))) {
        *ret_value = 0;
        return true;
    }
    if (text.len > 0 && count_digits(text) == text.len) {
        cyc_value_hint(problem, "write %.*ss, %.*sms or %.*sm", ARG(text), ARG(text), ARG(text));
        return cyc_value_refuse(problem, "missing-unit", "\"%.*s\" is a duration and needs a unit",
                                ARG(problem->key));
    }
    while (rest.len > 0) {
        size_t digits = count_digits(rest), end = digits;
        while (end < rest.len && !cyc_char_is_digit(rest.ptr[end]))
            end++;
        const struct unit *unit =
            find_unit(duration_units, COUNT(duration_units), cyc_span_slice(rest, digits, end));
        if (unit == NULL ||
            !cyc_span_parse_u64(cyc_span_slice(rest, 0, digits), UINT32_MAX, &number))
            break;
        total_ms += number * unit->factor;
        rest = cyc_span_slice(rest, end, rest.len);
    }
    if (text.len == 0 || rest.len > 0) {
        cyc_value_hint(problem, "write it like 250ms, 5s or 1m30s");
        return cyc_value_refuse(problem, "bad-value", "\"%.*s\" is a duration, got \"%.*s\"",
                                ARG(problem->key), ARG(text));
    }
    if (total_ms > UINT32_MAX)
        return cyc_value_refuse(problem, "out-of-range", "%.*s is longer than 49 days", ARG(text));
    *ret_value = total_ms;
    return true;
}

bool cyc_value_parse_size(struct cyc_span text, uint64_t *ret_value,
                          struct cyc_value_problem *problem)
{
    size_t digits = count_digits(text);
    struct cyc_span unit_name = cyc_span_slice(text, digits, text.len);
    const struct unit *unit =
        unit_name.len == 0 ? &size_units[0] : find_unit(size_units, COUNT(size_units), unit_name);
    uint64_t number;

    if (unit != NULL && cyc_span_parse_u64(cyc_span_slice(text, 0, digits), UINT64_MAX, &number) &&
        number <= UINT64_MAX / unit->factor) {
        *ret_value = number * unit->factor;
        return true;
    }
    char first = unit_name.len > 0 ? cyc_char_lower(unit_name.ptr[0]) : '\0';
    if (digits > 0 && (first == 'k' || first == 'm' || first == 'g' || first == 't')) {
        char upper = (char)(first - 0x20);
        cyc_value_hint(problem, "write %.*s%ciB (powers of 1024) or %.*s%cB (of 1000)", (int)digits,
                       text.ptr, upper, (int)digits, text.ptr, upper);
    } else {
        cyc_value_hint(problem, "write it like 64KiB, 2GB or 1048576");
    }
    return cyc_value_refuse(problem, "bad-value", "\"%.*s\" is a size, got \"%.*s\"",
                            ARG(problem->key), ARG(text));
}

bool cyc_value_parse_percent(struct cyc_span text, uint64_t *ret_value,
                             struct cyc_value_problem *problem)
{
    size_t whole_len = count_digits(text);
    struct cyc_span rest = cyc_span_slice(text, whole_len, text.len);
    uint64_t whole = 0, fraction = 0;
    size_t digits = 0;
    bool has_point = rest.len > 0 && rest.ptr[0] == '.';

    if (has_point) {
        rest = cyc_span_slice(rest, 1, rest.len);
        digits = count_digits(rest);
        cyc_span_parse_u64(cyc_span_slice(rest, 0, digits), 99, &fraction);
        fraction *= digits == 1 ? 10 : 1;
        rest = cyc_span_slice(rest, digits, rest.len);
    }
    bool is_good = cyc_span_parse_u64(cyc_span_slice(text, 0, whole_len), 1000000, &whole) &&
                   digits <= 2 && (digits > 0 || !has_point) && cyc_span_equal(rest, CYC_SPAN("%"));
    if (is_good) {
        *ret_value = whole * 100 + fraction;
        return true;
    }
    if (whole_len > 0 && whole_len == text.len) {
        cyc_value_hint(problem, "write %.*s%%", ARG(text));
        return cyc_value_refuse(problem, "missing-unit", "\"%.*s\" is a percentage and needs a %%",
                                ARG(problem->key));
    }
    cyc_value_hint(problem, "write it like 20%% or 0.5%%");
    return cyc_value_refuse(problem, "bad-value", "\"%.*s\" is a percentage, got \"%.*s\"",
                            ARG(problem->key), ARG(text));
}

bool cyc_value_parse_number(struct cyc_span text, double *ret_value)
{
    char copy[32];
    size_t digits = 0, dots = 0;

    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        digits += cyc_char_is_digit(text.ptr[i]);
        dots += text.ptr[i] == '.';
    }
    if (digits == 0 || dots > 1 || digits + dots != text.len)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    *ret_value = strtod(copy, NULL); /* the program never sets a locale, so the point is a point */
    return true;
}

/* ---- printing --------------------------------------------------------------------------------*/

void cyc_value_print_bool(struct cyc_text *text, uint64_t value)
{
    cyc_text_puts(text, value != 0 ? "true" : "false");
}

void cyc_value_print_int(struct cyc_text *text, uint64_t value)
{
    cyc_text_printf(text, "%llu", (unsigned long long)value);
}

void cyc_value_print_duration(struct cyc_text *text, uint64_t value)
{
    if (value == 0)
        cyc_text_puts(text, "0");
    for (size_t i = COUNT(duration_units); i-- > 0;) {
        const struct unit *unit = &duration_units[i];
        cyc_assert(unit->factor > 0);
        if (value < unit->factor)
            continue;
        cyc_text_printf(text, "%llu%s", (unsigned long long)(value / unit->factor), unit->name);
        value %= unit->factor;
    }
}

void cyc_value_print_size(struct cyc_text *text, uint64_t value)
{
    const struct unit *best = &size_units[0];

    for (size_t i = 0; i < COUNT(size_units); i++)
        if (value > 0 && value % size_units[i].factor == 0 && size_units[i].factor > best->factor)
            best = &size_units[i];
    cyc_text_printf(text, "%llu%s", (unsigned long long)(value / best->factor),
                    best == &size_units[0] ? "" : best->name);
}

void cyc_value_print_percent(struct cyc_text *text, uint64_t value)
{
    cyc_text_printf(text, "%llu", (unsigned long long)(value / 100));
    if (value % 100 != 0)
        cyc_text_printf(text, value % 10 == 0 ? ".%llu" : ".%02llu",
                        (unsigned long long)(value % 10 == 0 ? value % 100 / 10 : value % 100));
    cyc_text_puts(text, "%");
}

/* ---- names and places ------------------------------------------------------------------------*/

bool cyc_value_is_ip(struct cyc_span text)
{
    char copy[INET6_ADDRSTRLEN];
    unsigned char bytes[sizeof(struct in6_addr)];

    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return strlen(copy) == text.len &&
           (inet_pton(AF_INET, copy, bytes) == 1 || inet_pton(AF_INET6, copy, bytes) == 1);
}

static bool is_alnum(char c)
{
    char lower = cyc_char_lower(c);

    return cyc_char_is_digit(c) || (lower >= 'a' && lower <= 'z');
}

bool cyc_value_is_host_name(struct cyc_span text)
{
    size_t label = 0;

    if (text.len > HOST_NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '.') {
            if (label == 0)
                return false;
            label = 0;
        } else if ((!is_alnum(c) && c != '-' && c != '_') || ++label > HOST_LABEL_BYTES_MAX) {
            return false;
        }
    }
    return text.len > 0 && (label > 0 || text.len > 1);
}

bool cyc_value_is_name(struct cyc_span text)
{
    if (text.len == 0 || text.len > NAME_BYTES_MAX || cyc_char_is_digit(text.ptr[0]))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool is_inner = i > 0 && (c == '_' || c == '.' || c == '-');
        if (!is_alnum(c) && !is_inner)
            return false;
    }
    return true;
}

bool cyc_value_split_port(struct cyc_span text, struct cyc_span *ret_host, uint32_t *ret_port,
                          struct cyc_value_problem *problem)
{
    size_t colon = text.len;
    uint64_t port;

    while (colon > 0 && text.ptr[colon - 1] != ':' && text.ptr[colon - 1] != ']')
        colon--;
    if (colon == 0 || text.ptr[colon - 1] == ']') {
        if (cyc_span_find_char(text, '/', 0) == text.len)
            cyc_value_hint(problem, "write %.*s:80", ARG(text));
        return cyc_value_refuse(problem, "bad-value", "\"%.*s\" has no port", ARG(text));
    }
    struct cyc_span host = cyc_span_slice(text, 0, colon - 1);
    struct cyc_span digits = cyc_span_slice(text, colon, text.len);
    if (!cyc_span_parse_u64(digits, UINT64_MAX, &port))
        return cyc_value_refuse(problem, "bad-value", "\"%.*s\" is not a port number", ARG(digits));
    if (port > 65535)
        return cyc_value_refuse(problem, "out-of-range",
                                "%.*s is out of range for a port (1..65535)", ARG(digits));
    if (host.len > 1 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        host = cyc_span_slice(host, 1, host.len - 1);
    } else if (cyc_span_find_char(host, ':', 0) < host.len) {
        cyc_value_hint(problem, "write [%.*s]:%.*s", ARG(host), ARG(digits));
        return cyc_value_refuse(problem, "bad-value", "an IPv6 address needs brackets");
    }
    *ret_host = host;
    *ret_port = (uint32_t)port;
    return true;
}

bool cyc_value_check_address(struct cyc_span text, struct cyc_value_problem *problem)
{
    struct cyc_span host = {NULL, 0}, unix_prefix = CYC_SPAN("unix:");
    uint32_t port = 0;

    if (cyc_span_starts_with(text, unix_prefix)) {
        size_t path_len = text.len - unix_prefix.len;
        if (path_len > 0 && path_len <= UNIX_PATH_BYTES_MAX)
            return true;
        return cyc_value_refuse(problem, "bad-value", "a socket path has 1 to %d bytes",
                                UNIX_PATH_BYTES_MAX);
    }
    if (cyc_span_starts_with(text, CYC_SPAN("fd:")) ||
        cyc_span_starts_with(text, CYC_SPAN("systemd:")))
        return cyc_value_refuse(problem, "not-yet", "\"%.*s\": not in this version yet", ARG(text));
    if (text.len > 0 && count_digits(text) == text.len) {
        cyc_value_hint(problem, "write :%.*s", ARG(text));
        return cyc_value_refuse(problem, "bad-value", "\"%.*s\" is not an address", ARG(text));
    }
    if (!cyc_value_split_port(text, &host, &port, problem))
        return false;
    if (host.len == 0 || cyc_value_is_ip(host))
        return true;
    if (cyc_span_equal(host, CYC_SPAN("localhost")))
        cyc_value_hint(problem, "write 127.0.0.1:%u or [::1]:%u", port, port);
    else if (cyc_span_equal(host, CYC_SPAN("*")))
        cyc_value_hint(problem, "write :%u", port);
    return cyc_value_refuse(problem, "bad-value",
                            "\"%.*s\" is not an IP address; names are not listened on", ARG(host));
}
