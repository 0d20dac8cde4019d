/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/assert.h"
#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>

#define MESSAGE_BYTES_MAX 2048
#define HEAD_BYTES_MAX 256
#define TAIL_BYTES_MAX 64
#define LINE_BYTES_MAX                                                                             \
    (HEAD_BYTES_MAX + MESSAGE_BYTES_MAX * CYC_JSON_ESCAPE_BYTES_MAX + TAIL_BYTES_MAX)

CYC_BUILD_ASSERT(LINE_BYTES_MAX <= CYC_LOG_LINE_BYTES_MAX);
CYC_BUILD_ASSERT(CYC_TRACE_MODULE_COUNT <= 32);

static const char *const module_names[] = {
#define X(id, name) name,
    CYC_TRACE_MODULES(X)
#undef X
};

void cyc_log_init(struct cyc_log *log, struct cyc_log_ring *ring, const struct cyc_clock *clock)
{
    *log = (struct cyc_log){
        .ring = ring,
        .clock = clock,
        .level = CYC_LEVEL_INFO,
        .format = CYC_LOG_JSON,
    };
}

/* ---- names ----------------------------------------------------------------------------------- */

const struct cyc_event_info *cyc_event_info(enum cyc_event_id id)
{
    static const struct cyc_event_info infos[] = {
#define X(id, level, per_second, text) {#id, CYC_LEVEL_##level, per_second, text},
#include "base/events.def"
#undef X
    };
    CYC_BUILD_ASSERT(sizeof(infos) / sizeof(infos[0]) == CYC_EVENT_COUNT);
    cyc_assert(id < CYC_EVENT_COUNT);
    return &infos[id];
}

const char *cyc_log_level_name(enum cyc_log_level level)
{
    static const char *const names[] = {"OFF", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"};
    CYC_BUILD_ASSERT(sizeof(names) / sizeof(names[0]) == CYC_LEVEL_COUNT);
    cyc_assert(level < CYC_LEVEL_COUNT);
    return names[level];
}

bool cyc_log_level_parse(struct cyc_span text, enum cyc_log_level *ret_level)
{
    for (int i = 0; i < CYC_LEVEL_COUNT; i++) {
        struct cyc_span name = cyc_span_from_text(cyc_log_level_name((enum cyc_log_level)i));
        if (!cyc_span_equal_nocase(text, name))
            continue;
        *ret_level = (enum cyc_log_level)i;
        return true;
    }
    return false;
}

static uint32_t module_bit(struct cyc_span name)
{
    for (uint32_t i = 0; i < CYC_TRACE_MODULE_COUNT; i++)
        if (cyc_span_equal(name, cyc_span_from_text(module_names[i])))
            return 1u << i;
    return 0;
}

bool cyc_log_parse_filter(struct cyc_span text, enum cyc_log_level *ret_level,
                          uint32_t *ret_modules_on)
{
    enum cyc_log_level level = CYC_LEVEL_INFO;
    uint32_t modules_on = 0;
    struct cyc_span member;

    while (cyc_span_take_member(&text, &member)) {
        enum cyc_log_level member_level;
        size_t equals = cyc_span_find_char(member, '=', 0);
        bool has_target = equals < member.len;
        struct cyc_span target = cyc_span_slice(member, 0, has_target ? equals : 0);
        struct cyc_span value = cyc_span_slice(member, has_target ? equals + 1 : 0, member.len);
        if (!cyc_log_level_parse(cyc_span_trim(value), &member_level))
            return false;
        target = cyc_span_trim(target);
        if (!has_target || cyc_span_equal(target, CYC_SPAN("cyclone")))
            level = member_level;
        else if (member_level >= CYC_LEVEL_DEBUG)
            modules_on |= module_bit(target);
    }
    *ret_level = level;
    *ret_modules_on = modules_on;
    return true;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static char *put(char *at, const char *text)
{
    size_t len = strlen(text);
    memcpy(at, text, len);
    return at + len;
}

static char *put_lower(char *at, const char *text)
{
    for (; *text != '\0'; text++)
        *at++ = cyc_char_lower(*text);
    return at;
}

/** Up to and including the level. */
static char *put_head(char *at, const struct cyc_log *log, enum cyc_log_level level)
{
    const char *level_name = cyc_log_level_name(level);

    if (log->format == CYC_LOG_JSON) {
        at = put(at, "{\"timestamp\":\"");
        at += cyc_format_rfc3339(at, log->clock->wall_ns);
        at = put(at, "\",\"level\":\"");
        at = put(at, level_name);
        return put(at, "\",\"service\":\"cyclone\"");
    }
    at += cyc_format_rfc3339(at, log->clock->wall_ns);
    *at++ = ' ';
    at = put(at, level_name);
    return put(at, &"      "[strlen(level_name)]); /* the next column starts at the same place */
}

static char *put_message(char *at, const struct cyc_log *log, const char *message)
{
    struct cyc_span text = cyc_span_from_text(message);
    size_t bytes_max = MESSAGE_BYTES_MAX * CYC_JSON_ESCAPE_BYTES_MAX;

    if (log->format == CYC_LOG_TEXT) {
        *at++ = ' ';
        return at + cyc_text_escape(at, bytes_max, text);
    }
    at = put(at, ",\"message\":\"");
    at += cyc_json_escape(at, bytes_max, text);
    *at++ = '"';
    return at;
}

static char *put_suppressed(char *at, const struct cyc_log *log, uint32_t count)
{
    if (count == 0)
        return at;
    at = put(at, log->format == CYC_LOG_JSON ? ",\"suppressed\":" : " (suppressed ");
    at += cyc_format_u64(at, count);
    if (log->format == CYC_LOG_TEXT)
        *at++ = ')';
    return at;
}

static void line_commit(const struct cyc_log *log, char *line, char *at)
{
    if (log->format == CYC_LOG_JSON)
        *at++ = '}';
    *at++ = '\n';
    cyc_log_commit(log->ring, (size_t)(at - line));
}

/* ---- events ---------------------------------------------------------------------------------- */

/** Counts against the event's rate. @return false when this one is too many */
static bool rate_admit(struct cyc_log *log, enum cyc_event_id id, uint32_t *ret_suppressed_count)
{
    uint32_t per_second_max = cyc_event_info(id)->per_second_max;
    uint64_t second = log->clock->now_ns / CYC_NS_PER_S;

    if (per_second_max == 0)
        return true;
    if (log->rates[id].second != second) {
        log->rates[id].second = second;
        log->rates[id].count = 0;
    }
    if (log->rates[id].count >= per_second_max) {
        log->rates[id].suppressed_count++;
        return false;
    }
    log->rates[id].count++;
    *ret_suppressed_count = log->rates[id].suppressed_count;
    log->rates[id].suppressed_count = 0;
    return true;
}

void cyc_event(struct cyc_log *log, enum cyc_event_id id, const char *format, ...)
{
    const struct cyc_event_info *info = cyc_event_info(id);
    char message[MESSAGE_BYTES_MAX];
    uint32_t suppressed_count = 0;
    va_list args;

    if (log == NULL || log->ring == NULL || info->level > log->level)
        return;
    if (!rate_admit(log, id, &suppressed_count))
        return;
    char *line = cyc_log_reserve(log->ring, CYC_LOG_EVENTS, LINE_BYTES_MAX);
    if (line == NULL)
        return;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);

    char *at = put_head(line, log, info->level);
    at = put(at, log->format == CYC_LOG_JSON ? ",\"event\":\"" : "");
    at = put_lower(at, info->id);
    at = put(at, log->format == CYC_LOG_JSON ? "\"" : "");
    at = put_message(at, log, message);
    at = put_suppressed(at, log, suppressed_count);
    line_commit(log, line, at);
}

/* ---- trace ----------------------------------------------------------------------------------- */

void cyc_trace_write(const struct cyc_trace *trace, enum cyc_trace_module module,
                     const char *format, ...)
{
    const struct cyc_log *log = trace->log;
    char message[MESSAGE_BYTES_MAX];
    va_list args;

    if (log == NULL || log->ring == NULL)
        return;
    char *line = cyc_log_reserve(log->ring, CYC_LOG_TRACE, LINE_BYTES_MAX);
    if (line == NULL)
        return;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);

    char *at = put_head(line, log, CYC_LEVEL_TRACE);
    bool is_json = log->format == CYC_LOG_JSON;
    at = put(at, is_json ? ",\"module\":\"" : "");
    at = put(at, module_names[module]);
    at = put(at, is_json ? "\",\"id\":" : " ");
    at += cyc_format_u64(at, trace->id);
    at = put_message(at, log, message);
    line_commit(log, line, at);
}
