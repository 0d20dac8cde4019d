/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/diag.h"

#include "conf/text.h"

#include <stdarg.h>
#include <stdio.h>

#define DIAG_ITEM_COUNT_MAX 1000
#define DIAG_MESSAGE_BYTES_MAX 1024
#define DIAG_LINE_BYTES_MAX 200 /* of a source line: more does not help anybody */

void cyc_diag_init(struct cyc_diag *diag, struct cyc_arena *arena)
{
    *diag = (struct cyc_diag){.arena = arena};
}

/** @return line number `line` of the document without its end; empty when there is none */
static struct cyc_span source_line(struct cyc_span source, uint32_t line)
{
    size_t at = 0;

    if (line == 0)
        return cyc_span_of(NULL, 0);
    for (uint32_t i = 1; i < line && at < source.len; i++)
        at = cyc_span_find_char(source, '\n', at) + 1;
    struct cyc_span found = cyc_span_slice(source, at, cyc_span_find_char(source, '\n', at));
    if (found.len > 0 && found.ptr[found.len - 1] == '\r')
        found.len--;
    return found;
}

/** Findings without a line (environment) come last. */
static bool is_before(const struct cyc_conf_mark *a, const struct cyc_conf_mark *b)
{
    uint32_t line_a = a->line - 1, line_b = b->line - 1; /* 0 becomes the largest */

    return line_a != line_b ? line_a < line_b : a->column < b->column;
}

static void insert_sorted(struct cyc_diag *diag, struct cyc_diag_item *item)
{
    struct cyc_diag_item **at = &diag->first;

    while (*at != NULL && !is_before(&item->mark, &(*at)->mark))
        at = &(*at)->next;
    item->next = *at;
    *at = item;
}

static struct cyc_span format_args(struct cyc_arena *arena, const char *format, va_list args)
{
    char text[DIAG_MESSAGE_BYTES_MAX];
    int len = vsnprintf(text, sizeof(text), format, args);

    if (len < 0)
        len = 0;
    size_t kept = (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
    return cyc_arena_copy(arena, cyc_span_of(text, kept));
}

static struct cyc_diag_item *diag_add(struct cyc_diag *diag, enum cyc_diag_severity severity,
                                      const struct cyc_conf_mark *mark)
{
    if (diag->is_muted)
        return NULL;
    if (severity == CYC_DIAG_ERROR)
        diag->error_count++;
    else
        diag->warning_count++;
    if (diag->error_count + diag->warning_count > DIAG_ITEM_COUNT_MAX)
        return NULL;

    struct cyc_diag_item *item = cyc_arena_zalloc(diag->arena, sizeof(*item));
    item->severity = severity;
    item->mark = *mark;
    if (mark->file != NULL)
        item->mark.file = cyc_arena_copy(diag->arena, cyc_span_from_text(mark->file)).ptr;
    item->source_line = cyc_arena_copy(diag->arena, source_line(diag->source, mark->line));
    insert_sorted(diag, item);
    return item;
}

struct cyc_diag_item *cyc_diag_error(struct cyc_diag *diag, const struct cyc_conf_mark *mark,
                                     const char *code, const char *format, ...)
{
    struct cyc_diag_item *item = diag_add(diag, CYC_DIAG_ERROR, mark);
    if (item == NULL)
        return NULL;

    va_list args;
    va_start(args, format);
    item->message = format_args(diag->arena, format, args);
    va_end(args);
    item->code = code;
    return item;
}

struct cyc_diag_item *cyc_diag_warn(struct cyc_diag *diag, const struct cyc_conf_mark *mark,
                                    const char *code, const char *format, ...)
{
    struct cyc_diag_item *item = diag_add(diag, CYC_DIAG_WARNING, mark);
    if (item == NULL)
        return NULL;

    va_list args;
    va_start(args, format);
    item->message = format_args(diag->arena, format, args);
    va_end(args);
    item->code = code;
    return item;
}

void cyc_diag_hint(struct cyc_diag *diag, struct cyc_diag_item *item, const char *format, ...)
{
    va_list args;

    if (item == NULL)
        return;
    va_start(args, format);
    item->hint = format_args(diag->arena, format, args);
    va_end(args);
}

/* ---- rendering ------------------------------------------------------------------------------ */

static const char *severity_name(enum cyc_diag_severity severity)
{
    return severity == CYC_DIAG_ERROR ? "error" : "warning";
}

static bool is_continuation_byte(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80; /* UTF-8: not the first byte of a character */
}

/** Blanks up to the mark (tabs stay tabs, so that the caret lines up), then ^~~~. */
static void render_caret(struct cyc_text *text, const struct cyc_diag_item *item)
{
    uint32_t column = 1;
    struct cyc_span line = item->source_line;

    cyc_text_puts(text, "      | ");
    for (size_t i = 0; i < line.len && column < item->mark.column; i++) {
        if (is_continuation_byte(line.ptr[i]))
            continue;
        cyc_text_puts(text, line.ptr[i] == '\t' ? "\t" : " ");
        column++;
    }
    cyc_text_puts(text, "^");
    uint32_t end = item->mark.end_column;
    if (end > column + DIAG_LINE_BYTES_MAX)
        end = column + DIAG_LINE_BYTES_MAX;
    for (column++; column < end; column++)
        cyc_text_puts(text, "~");
}

static void render_source(struct cyc_text *text, const struct cyc_diag_item *item)
{
    struct cyc_span line = cyc_span_slice(item->source_line, 0, DIAG_LINE_BYTES_MAX);

    cyc_text_printf(text, "%5u | ", item->mark.line);
    cyc_text_add(text, line);
    cyc_text_puts(text, "\n");
    if (item->mark.column > DIAG_LINE_BYTES_MAX) /* the place itself was cut off */
        return;
    render_caret(text, item);
    if (item->hint.len > 0) {
        cyc_text_puts(text, " ");
        cyc_text_add(text, item->hint);
    }
    cyc_text_puts(text, "\n");
}

static void render_item_text(struct cyc_text *text, const struct cyc_diag_item *item)
{
    const struct cyc_conf_mark *mark = &item->mark;

    if (mark->file != NULL)
        cyc_text_puts(text, mark->file);
    if (mark->line > 0)
        cyc_text_printf(text, ":%u:%u", mark->line, mark->column);
    cyc_text_printf(text, "%s%s: ", mark->file != NULL ? ": " : "", severity_name(item->severity));
    cyc_text_add(text, item->message);
    if (item->source_line.len == 0 && item->hint.len > 0) {
        cyc_text_puts(text, "; ");
        cyc_text_add(text, item->hint);
    }
    cyc_text_puts(text, "\n");
    if (item->source_line.len > 0)
        render_source(text, item);
}

static void render_count(struct cyc_text *text, uint32_t count, const char *what)
{
    cyc_text_printf(text, "%u %s%s", count, what, count == 1 ? "" : "s");
}

static void render_text(struct cyc_text *text, const struct cyc_diag *diag)
{
    for (const struct cyc_diag_item *item = diag->first; item != NULL; item = item->next)
        render_item_text(text, item);
    if (diag->error_count + diag->warning_count == 0)
        return;
    if (diag->error_count > 0)
        render_count(text, diag->error_count, "error");
    if (diag->warning_count > 0) {
        cyc_text_puts(text, diag->error_count > 0 ? ", " : "");
        render_count(text, diag->warning_count, "warning");
    }
    cyc_text_puts(text, diag->error_count > 0 ? "; the configuration was not loaded\n" : "\n");
}

static void render_place_json(struct cyc_text *text, const struct cyc_conf_mark *mark)
{
    cyc_text_puts(text, "\"file\":");
    cyc_text_add_json(text, cyc_span_from_text(mark->file));
    cyc_text_printf(text, ",\"line\":%u,\"column\":%u,\"end_column\":%u", mark->line, mark->column,
                    mark->end_column);
}

static void render_json(struct cyc_text *text, const struct cyc_diag *diag)
{
    cyc_text_puts(text, "[");
    for (const struct cyc_diag_item *item = diag->first; item != NULL; item = item->next) {
        cyc_text_printf(text, "%s\n{\"severity\":\"%s\",", item == diag->first ? "" : ",",
                        severity_name(item->severity));
        render_place_json(text, &item->mark);
        cyc_text_puts(text, ",\"path\":");
        cyc_text_add_json(text, item->path);
        cyc_text_printf(text, ",\"code\":\"%s\",\"message\":", item->code);
        cyc_text_add_json(text, item->message);
        cyc_text_puts(text, ",\"hint\":");
        cyc_text_add_json(text, item->hint);
        cyc_text_puts(text, ",\"related\":[");
        if (item->related.file != NULL) {
            cyc_text_puts(text, "{");
            render_place_json(text, &item->related);
            cyc_text_puts(text, "}");
        }
        cyc_text_puts(text, "]}");
    }
    cyc_text_puts(text, diag->first != NULL ? "\n]\n" : "]\n");
}

/** Percent-escapes what would end the annotation or one of its properties. */
static void add_annotation(struct cyc_text *text, struct cyc_span value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == '%' || c == '\r' || c == '\n' || c == ',')
            cyc_text_printf(text, "%%%02X", (unsigned)(unsigned char)c);
        else
            cyc_text_add(text, cyc_span_of(&c, 1));
    }
}

static void render_github(struct cyc_text *text, const struct cyc_diag *diag)
{
    for (const struct cyc_diag_item *item = diag->first; item != NULL; item = item->next) {
        cyc_text_printf(text, "::%s file=", severity_name(item->severity));
        add_annotation(text, cyc_span_from_text(item->mark.file));
        if (item->mark.line > 0)
            cyc_text_printf(text, ",line=%u,col=%u,endColumn=%u", item->mark.line,
                            item->mark.column, item->mark.end_column);
        cyc_text_printf(text, ",title=%s::", item->code);
        add_annotation(text, item->message);
        if (item->hint.len > 0) {
            cyc_text_puts(text, "; ");
            add_annotation(text, item->hint);
        }
        cyc_text_puts(text, "\n");
    }
}

struct cyc_span cyc_diag_render(const struct cyc_diag *diag, struct cyc_arena *arena,
                                enum cyc_diag_format format)
{
    struct cyc_text text;

    cyc_text_init(&text, arena);
    switch (format) {
    case CYC_DIAG_TEXT:
        render_text(&text, diag);
        break;
    case CYC_DIAG_JSON:
        render_json(&text, diag);
        break;
    case CYC_DIAG_GITHUB:
        render_github(&text, diag);
        break;
    }
    return text.len > 0 ? cyc_text_span(&text) : CYC_SPAN(""); /* never NULL: for fwrite */
}
