/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a document, and where: the messages of conf/table.h. */
#include "conf/suggest.h"
#include "conf/table_parts.h"

#include <stdarg.h>
#include <stdio.h>

#define ARG(span) (int)(span).len, (span).ptr
#define MESSAGE_BYTES_MAX 1024
#define HINT_KEY_COUNT_MAX 12 /* more keys than this are not listed in a hint */

bool cyc_conf_has_word(const char *words, struct cyc_span word)
{
    struct cyc_span rest = cyc_span_from_text(words);

    for (size_t at = 0; at < rest.len;) {
        size_t end = cyc_span_find_char(rest, ' ', at);
        if (cyc_span_equal(cyc_span_slice(rest, at, end), word))
            return true;
        at = end + 1;
    }
    return false;
}

static void set_path(struct cyc_conf_bind *bind, struct cyc_diag_item *item,
                     const struct cyc_node *node)
{
    if (item != NULL)
        item->path = cyc_node_path(node, bind->diag->arena);
}

struct cyc_diag_item *cyc_conf_error(struct cyc_conf_bind *bind, const struct cyc_node *node,
                                     const char *code, const char *format, ...)
{
    char message[MESSAGE_BYTES_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    struct cyc_diag_item *item = cyc_diag_error(bind->diag, &node->mark, code, "%s", message);
    set_path(bind, item, node);
    return item;
}

struct cyc_diag_item *cyc_conf_key_error(struct cyc_conf_bind *bind, const struct cyc_node *node,
                                         const char *code, const char *format, ...)
{
    char message[MESSAGE_BYTES_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    const struct cyc_conf_mark *mark = node->key.len > 0 ? &node->key_mark : &node->mark;
    struct cyc_diag_item *item = cyc_diag_error(bind->diag, mark, code, "%s", message);
    set_path(bind, item, node);
    return item;
}

void cyc_conf_report(struct cyc_conf_bind *bind, const struct cyc_node *node,
                     const struct cyc_value_problem *problem)
{
    struct cyc_diag_item *item = cyc_conf_error(bind, node, problem->code, "%s", problem->message);

    if (problem->hint[0] != '\0')
        cyc_diag_hint(bind->diag, item, "%s", problem->hint);
}

struct cyc_span cyc_conf_describe_place(struct cyc_conf_bind *bind)
{
    struct cyc_text text;
    const char *link = "in ";

    cyc_text_init(&text, bind->diag->arena);
    for (const struct cyc_conf_place *place = bind->place; place != NULL; place = place->outer) {
        struct cyc_span label = place->node->key;
        if (place->outer == NULL)
            break;
        if (place->section->noun != NULL && label.len == 0) {
            const struct cyc_node *name = cyc_node_find(place->node, "name");
            label = name != NULL ? name->text : label;
        }
        cyc_text_puts(&text, link);
        if (place->section->noun != NULL)
            cyc_text_printf(&text, label.len > 0 ? "%s " : "a %s", place->section->noun);
        if (label.len > 0)
            cyc_text_printf(&text, "\"%.*s\"", ARG(label));
        link = " of ";
        if (place->section->noun != NULL)
            break;
    }
    if (text.len == 0)
        cyc_text_puts(&text, "at the top level");
    return cyc_text_span(&text);
}

static void offer_keys(struct cyc_suggest *suggest, const struct cyc_conf_section *section)
{
    for (const struct cyc_conf_row *row = section->rows; row->kind != CYC_CONF_END; row++) {
        if (row->kind == CYC_CONF_INLINE)
            offer_keys(suggest, row->section);
        else
            cyc_suggest_offer(suggest, cyc_span_from_text(row->key));
    }
    struct cyc_span later = cyc_span_from_text(section->later);
    for (size_t at = 0; at < later.len;) {
        size_t end = cyc_span_find_char(later, ' ', at);
        cyc_suggest_offer(suggest, cyc_span_slice(later, at, end));
        at = end + 1;
    }
}

static void list_keys(struct cyc_text *text, const struct cyc_conf_section *section)
{
    uint32_t count = 0;

    for (const struct cyc_conf_row *row = section->rows; row->kind != CYC_CONF_END; row++)
        if (++count > HINT_KEY_COUNT_MAX || row->kind == CYC_CONF_INLINE)
            return;
    cyc_text_puts(text, "keys here: ");
    for (const struct cyc_conf_row *row = section->rows; row->kind != CYC_CONF_END; row++)
        cyc_text_printf(text, "%s%s", row == section->rows ? "" : ", ", row->key);
}

static bool is_later_key(const struct cyc_conf_section *section, struct cyc_span key)
{
    if (cyc_conf_has_word(section->later, key))
        return true;
    for (const struct cyc_conf_row *row = section->rows; row->kind != CYC_CONF_END; row++)
        if (row->kind == CYC_CONF_INLINE && is_later_key(row->section, key))
            return true;
    return false;
}

void cyc_conf_report_key(struct cyc_conf_bind *bind, const struct cyc_conf_section *section,
                         const struct cyc_node *node)
{
    struct cyc_span place = cyc_conf_describe_place(bind);
    struct cyc_suggest suggest = {.word = node->key};
    struct cyc_text keys;

    if (is_later_key(section, node->key)) {
        cyc_diag_hint(bind->diag,
                      cyc_conf_key_error(bind, node, "not-yet",
                                         "\"%.*s\" %.*s: not in this version yet", ARG(node->key),
                                         ARG(place)),
                      "take it out: nothing would act on it");
        return;
    }
    struct cyc_diag_item *item = cyc_conf_key_error(
        bind, node, "unknown-key", "unknown key \"%.*s\" %.*s", ARG(node->key), ARG(place));
    offer_keys(&suggest, section);
    cyc_text_init(&keys, bind->diag->arena);
    list_keys(&keys, section);
    if (suggest.best.len > 0)
        cyc_diag_hint(bind->diag, item, "did you mean \"%.*s\"?", ARG(suggest.best));
    else if (keys.len > 0)
        cyc_diag_hint(bind->diag, item, "%.*s", (int)keys.len, keys.ptr);
}

struct cyc_span cyc_conf_key_of(const struct cyc_conf_row *row, const struct cyc_node *node)
{
    return node->key.len > 0 ? node->key : cyc_span_from_text(row->key);
}

bool cyc_conf_get_text(struct cyc_conf_bind *bind, const struct cyc_conf_row *row,
                       const struct cyc_node *node, struct cyc_span *ret_text)
{
    struct cyc_span key = cyc_conf_key_of(row, node);

    if (node->is_broken)
        return false;
    if (node->kind != CYC_NODE_SCALAR) {
        cyc_conf_error(bind, node, "bad-value", "\"%.*s\" takes one value, not a %s", ARG(key),
                       node->kind == CYC_NODE_LIST ? "list" : "map");
        return false;
    }
    if (cyc_node_is_null(node)) {
        cyc_conf_key_error(bind, node, "missing-value", "\"%.*s\" has no value", ARG(key));
        return false;
    }
    *ret_text = node->text;
    return true;
}
