/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

struct fixture {
    struct cyc_mem mem;
    struct cyc_clock clock;
    struct cyc_log_ring *ring;
    struct cyc_log log;
    enum cyc_log_stream stream;
    char line[CYC_LOG_LINE_BYTES_MAX + 1];
};

static int set_up(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof(f));
    f.clock = (struct cyc_clock){.now_ns = 77, .wall_ns = 1768473000123000000ull};
    f.ring = cyc_log_ring_create(&f.mem, CYC_LOG_RING_BYTES_DEFAULT);
    cyc_log_init(&f.log, f.ring, &f.clock);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    cyc_log_ring_destroy(f->ring);
    return 0;
}

/** @return the next line, or NULL */
static const char *next_line(struct fixture *f)
{
    struct cyc_span line;
    cyc_log_ring_begin(f->ring);
    if (!cyc_log_ring_next(f->ring, &f->stream, &line))
        return NULL;
    memcpy(f->line, line.ptr, line.len);
    f->line[line.len] = '\0';
    return f->line;
}

static void log__an_event_is_a_json_line(void **state)
{
    struct fixture *f = *state;
    cyc_event(&f->log, CYC_EVENT_CONFIG_LOADED, "epoch %d of \"%s\"", 3, "a\nb");
    assert_string_equal(next_line(f),
                        "{\"timestamp\":\"2026-01-15T10:30:00.123Z\",\"level\":\"INFO\","
                        "\"service\":\"cyclone\",\"event\":\"config_loaded\","
                        "\"message\":\"epoch 3 of \\\"a\\nb\\\"\"}\n");
    assert_int_equal(f->stream, CYC_LOG_EVENTS);
}

static void log__an_event_is_a_text_line_when_asked(void **state)
{
    struct fixture *f = *state;
    f->log.format = CYC_LOG_TEXT;
    cyc_event(&f->log, CYC_EVENT_LISTENING, "on \"%s\"", "[::]:8080\n2026 forged");
    assert_string_equal(next_line(f), "2026-01-15T10:30:00.123Z INFO  listening on "
                                      "\"[::]:8080\\n2026 forged\"\n");
    cyc_event(&f->log, CYC_EVENT_BUG, "x");
    assert_string_equal(next_line(f), "2026-01-15T10:30:00.123Z ERROR bug x\n");
}

static void log__the_level_decides_what_is_written(void **state)
{
    struct fixture *f = *state;
    cyc_event(&f->log, CYC_EVENT_WORKER_STARTED, "debug");
    assert_null(next_line(f));
    f->log.level = CYC_LEVEL_ERROR;
    cyc_event(&f->log, CYC_EVENT_DNS_FAILED, "warn");
    assert_null(next_line(f));
    cyc_event(&f->log, CYC_EVENT_CONFIG_REJECTED, "error");
    assert_non_null(next_line(f));
    f->log.level = CYC_LEVEL_OFF;
    cyc_event(&f->log, CYC_EVENT_CONFIG_REJECTED, "error");
    assert_null(next_line(f));
}

static void log__without_a_ring_or_a_log_nothing_happens(void **state)
{
    struct fixture *f = *state;
    cyc_event(NULL, CYC_EVENT_BUG, "x");
    cyc_log_init(&f->log, NULL, &f->clock);
    cyc_event(&f->log, CYC_EVENT_BUG, "x");
}

static void log__an_event_over_its_rate_is_counted_instead(void **state)
{
    struct fixture *f = *state;
    uint32_t per_second_max = cyc_event_info(CYC_EVENT_DNS_FAILED)->per_second_max;
    assert_int_equal(per_second_max, 5);
    for (int i = 0; i < 12; i++)
        cyc_event(&f->log, CYC_EVENT_DNS_FAILED, "number %d", i);
    for (uint32_t i = 0; i < per_second_max; i++)
        assert_null(strstr(next_line(f), "suppressed"));
    assert_null(next_line(f));
    cyc_event(&f->log, CYC_EVENT_CONFIG_LOADED, "another id has its own rate");
    assert_non_null(next_line(f));
    f->clock.now_ns += CYC_NS_PER_S;
    cyc_event(&f->log, CYC_EVENT_DNS_FAILED, "again");
    assert_non_null(strstr(next_line(f), "\"message\":\"again\",\"suppressed\":7}\n"));
    f->log.format = CYC_LOG_TEXT;
    cyc_event(&f->log, CYC_EVENT_DNS_FAILED, "and again");
    assert_null(strstr(next_line(f), "suppressed"));
}

static void log__a_long_message_is_cut_and_the_line_stays_whole(void **state)
{
    struct fixture *f = *state;
    static char text[20000];
    memset(text, '\x01', sizeof(text) - 1); /* each byte becomes six */
    cyc_event(&f->log, CYC_EVENT_STARTED, "%s", text);
    const char *line = next_line(f);
    assert_non_null(line);
    assert_true(strlen(line) < CYC_LOG_LINE_BYTES_MAX);
    assert_string_equal(line + strlen(line) - 9, "\\u0001\"}\n");
}

static void log__trace_costs_nothing_while_off_and_names_its_module_when_on(void **state)
{
    struct fixture *f = *state;
    struct cyc_trace trace = {.id = 42, .log = &f->log};
    int evaluated_count = 0;
    cyc_trace(&trace, POOL, "lease %d", ++evaluated_count);
    assert_int_equal(evaluated_count, 0);
    trace.modules_on = 1u << CYC_TRACE_POOL;
    cyc_trace(&trace, H1, "not this one");
    cyc_trace(&trace, POOL, "lease %d", ++evaluated_count);
    assert_string_equal(next_line(f),
                        "{\"timestamp\":\"2026-01-15T10:30:00.123Z\",\"level\":\"TRACE\","
                        "\"service\":\"cyclone\",\"module\":\"pool\",\"id\":42,"
                        "\"message\":\"lease 1\"}\n");
    assert_int_equal(f->stream, CYC_LOG_TRACE);
    f->log.format = CYC_LOG_TEXT;
    cyc_trace(&trace, POOL, "x");
    assert_string_equal(next_line(f), "2026-01-15T10:30:00.123Z TRACE pool 42 x\n");
    assert_null(next_line(f));
}

static void log__levels_are_read_in_any_case(void **state)
{
    enum cyc_log_level level = CYC_LEVEL_TRACE;
    (void)state;
    assert_true(cyc_log_level_parse(CYC_SPAN("Warn"), &level));
    assert_int_equal(level, CYC_LEVEL_WARN);
    assert_false(cyc_log_level_parse(CYC_SPAN("loud"), &level));
    assert_false(cyc_log_level_parse(CYC_SPAN(""), &level));
    assert_int_equal(level, CYC_LEVEL_WARN);
}

static void log__filters_are_read_as_the_guide_writes_them(void **state)
{
    static const struct {
        const char *text;
        bool is_valid;
        enum cyc_log_level level;
        uint32_t modules_on;
    } cases[] = {
        {"info", true, CYC_LEVEL_INFO, 0},
        {"", true, CYC_LEVEL_INFO, 0},
        {"cyclone=debug,tokio=info", true, CYC_LEVEL_DEBUG, 0},
        {"warn, h1=trace , pool=debug", true, CYC_LEVEL_WARN,
         1u << CYC_TRACE_H1 | 1u << CYC_TRACE_POOL},
        {"pool=info", true, CYC_LEVEL_INFO, 0},
        {"loud", false, CYC_LEVEL_OFF, 0},
        {"pool=", false, CYC_LEVEL_OFF, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum cyc_log_level level = CYC_LEVEL_OFF;
        uint32_t modules_on = 0;
        struct cyc_span text = cyc_span_from_text(cases[i].text);
        if (cyc_log_parse_filter(text, &level, &modules_on) != cases[i].is_valid ||
            level != cases[i].level || modules_on != cases[i].modules_on)
            fail_msg("\"%s\"", cases[i].text);
    }
}

static void log__every_event_is_documented(void **state)
{
    (void)state;
    for (int i = 0; i < CYC_EVENT_COUNT; i++) {
        const struct cyc_event_info *info = cyc_event_info((enum cyc_event_id)i);
        assert_true(strlen(info->id) > 2 && strlen(info->text) > 10);
        assert_in_range(info->level, CYC_LEVEL_ERROR, CYC_LEVEL_DEBUG);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(log__an_event_is_a_json_line),
        TEST(log__an_event_is_a_text_line_when_asked),
        TEST(log__the_level_decides_what_is_written),
        TEST(log__without_a_ring_or_a_log_nothing_happens),
        TEST(log__an_event_over_its_rate_is_counted_instead),
        TEST(log__a_long_message_is_cut_and_the_line_stays_whole),
        TEST(log__trace_costs_nothing_while_off_and_names_its_module_when_on),
        TEST(log__levels_are_read_in_any_case),
        TEST(log__filters_are_read_as_the_guide_writes_them),
        TEST(log__every_event_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
