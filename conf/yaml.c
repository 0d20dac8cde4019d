/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libyaml's events become a tree.
 *
 * Only events are used, so nesting costs no C stack, and nothing is resolved behind our back. What
 * a configuration has no use for is refused here: several documents, tags, keys that are not text,
 * keys given twice, aliases to themselves. An alias copies one node and shares what is below it,
 * yet counts in full, so a "billion laughs" document ends at the node limit without having cost
 * memory.
 */
#include "base/assert.h"
#include "conf/env.h"
#include "conf/tree.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define MERGED_KEY_COUNT_MAX 1000u /* merging compares every key with every other */

struct frame {
    struct cyc_node *node, *last_child;
    bool has_key; /* in a map: the next node is the value of `key` */
    struct cyc_span key;
    struct cyc_conf_mark key_mark;
};

struct anchor {
    struct anchor *next;
    struct cyc_span name;
    struct cyc_node *node;
};

struct builder {
    struct cyc_arena *arena;
    struct cyc_diag *diag;
    const char *file;
    const char *const *environment;
    struct cyc_node *root;
    struct frame frames[CYC_TREE_DEPTH_MAX];
    uint32_t depth, node_count, anchor_count;
    struct anchor *anchors; /* newest first: an anchor may be given again */
};

static struct cyc_conf_mark mark_at(const struct builder *builder, yaml_mark_t at)
{
    uint32_t line = (uint32_t)at.line + 1, column = (uint32_t)at.column + 1;

    return (struct cyc_conf_mark){builder->file, line, column, column + 1};
}

/** From the first character to the last, but never past the end of the first line. */
static struct cyc_conf_mark event_mark(const struct builder *builder, const yaml_event_t *event)
{
    struct cyc_conf_mark mark = mark_at(builder, event->start_mark);

    if (event->end_mark.line == event->start_mark.line &&
        event->end_mark.column > event->start_mark.column)
        mark.end_column = (uint32_t)event->end_mark.column + 1;
    return mark;
}

static bool refuse(struct builder *builder, const yaml_event_t *event, const char *what)
{
    struct cyc_conf_mark mark = event_mark(builder, event);

    cyc_diag_error(builder->diag, &mark, "yaml", "%s", what);
    return false;
}

static struct cyc_span copy_text(struct builder *builder, const yaml_char_t *ptr, size_t len)
{
    return cyc_arena_copy(builder->arena, cyc_span_of((const char *)ptr, len));
}

/* ---- maps: keys given twice, and merges ------------------------------------------------------ */

static int compare_keys(const void *a, const void *b)
{
    const struct cyc_node *left = *(struct cyc_node *const *)a;
    const struct cyc_node *right = *(struct cyc_node *const *)b;
    int order = cyc_span_compare(left->key, right->key);

    if (order != 0)
        return order;
    if (left->key_mark.line != right->key_mark.line)
        return left->key_mark.line < right->key_mark.line ? -1 : 1;
    return left->key_mark.column < right->key_mark.column
               ? -1
               : left->key_mark.column > right->key_mark.column;
}

static struct cyc_node **members_sorted(struct builder *builder, const struct cyc_node *map)
{
    struct cyc_node **members =
        cyc_arena_alloc(builder->arena, map->child_count * sizeof(*members));
    uint32_t count = 0;

    for (struct cyc_node *child = map->children; child != NULL; child = child->next)
        members[count++] = child;
    cyc_assert(count == map->child_count);
    qsort(members, count, sizeof(struct cyc_node *), compare_keys);
    return members;
}

static void report_duplicate_keys(struct builder *builder, const struct cyc_node *map)
{
    if (map->child_count < 2)
        return;

    struct cyc_node **members = members_sorted(builder, map);
    for (uint32_t i = 1; i < map->child_count; i++) {
        const struct cyc_node *first = members[i - 1], *again = members[i];
        if (!cyc_span_equal(first->key, again->key) || cyc_span_equal(first->key, CYC_SPAN("<<")))
            continue;
        struct cyc_diag_item *item = cyc_diag_error(
            builder->diag, &again->key_mark, "duplicate-key",
            "\"%.*s\" given twice; first at %s:%u:%u", (int)again->key.len, again->key.ptr,
            builder->file, first->key_mark.line, first->key_mark.column);
        if (item != NULL)
            item->related = first->key_mark;
    }
}

static void map_append(struct cyc_node *map, struct cyc_node *child)
{
    struct cyc_node **at = &map->children;

    while (*at != NULL)
        at = &(*at)->next;
    *at = child;
    child->next = NULL;
    child->parent = map;
    map->child_count++;
    map->node_count += child->node_count;
}

static bool has_key(const struct cyc_node *map, struct cyc_span key)
{
    for (const struct cyc_node *child = map->children; child != NULL; child = child->next)
        if (cyc_span_equal(child->key, key))
            return true;
    return false;
}

/** Copies the members of `from` which `map` has not got: what is written beside `<<` wins. */
static bool merge_map(struct builder *builder, struct cyc_node *map, const struct cyc_node *from)
{
    if (from->kind != CYC_NODE_MAP) {
        cyc_diag_error(builder->diag, &from->mark, "yaml", "\"<<\" takes a map or a list of maps");
        return true;
    }
    if (map->child_count + from->child_count > MERGED_KEY_COUNT_MAX) {
        cyc_diag_error(builder->diag, &from->mark, "yaml",
                       "\"<<\" makes a map of more than %u keys", MERGED_KEY_COUNT_MAX);
        return false;
    }
    for (const struct cyc_node *member = from->children; member != NULL; member = member->next) {
        if (has_key(map, member->key))
            continue;
        builder->node_count += member->node_count;
        if (builder->node_count > CYC_TREE_NODE_COUNT_MAX) {
            cyc_diag_error(builder->diag, &from->mark, "yaml", "more than %u nodes",
                           CYC_TREE_NODE_COUNT_MAX);
            return false;
        }
        struct cyc_node *copy = cyc_arena_alloc(builder->arena, sizeof(*copy));
        *copy = *member;
        map_append(map, copy);
    }
    return true;
}

/** Takes every `<<` member out and merges what it refers to. */
static bool resolve_merges(struct builder *builder, struct cyc_node *map)
{
    struct cyc_node *merges = NULL, **at = &map->children;

    while (*at != NULL) {
        struct cyc_node *child = *at;
        if (!cyc_span_equal(child->key, CYC_SPAN("<<"))) {
            at = &child->next;
            continue;
        }
        *at = child->next;
        child->next = merges;
        merges = child;
        map->child_count--;
    }
    for (struct cyc_node *merge = merges; merge != NULL; merge = merge->next) {
        if (merge->kind != CYC_NODE_LIST) {
            if (!merge_map(builder, map, merge))
                return false;
            continue;
        }
        for (struct cyc_node *from = merge->children; from != NULL; from = from->next)
            if (!merge_map(builder, map, from))
                return false;
    }
    return true;
}

/* ---- events ---------------------------------------------------------------------------------- */

static struct cyc_node *new_node(struct builder *builder, const yaml_event_t *event,
                                 enum cyc_node_kind kind)
{
    struct cyc_node *node = cyc_arena_zalloc(builder->arena, sizeof(*node));

    node->kind = kind;
    node->mark = event_mark(builder, event);
    return node;
}

/** Puts a node where the document has it: the root, the next item, or the value of the last key. */
static void attach(struct builder *builder, struct cyc_node *node)
{
    if (builder->depth == 0) {
        builder->root = node;
        return;
    }
    struct frame *frame = &builder->frames[builder->depth - 1];
    if (frame->node->kind == CYC_NODE_MAP) {
        node->key = frame->key;
        node->key_mark = frame->key_mark;
        frame->has_key = false;
    }
    node->parent = frame->node;
    node->next = NULL;
    if (frame->last_child != NULL)
        frame->last_child->next = node;
    else
        frame->node->children = node;
    frame->last_child = node;
    frame->node->child_count++;
}

static bool wants_key(const struct builder *builder)
{
    const struct frame *frame = &builder->frames[builder->depth - (builder->depth > 0)];

    return builder->depth > 0 && frame->node->kind == CYC_NODE_MAP && !frame->has_key;
}

static bool count_nodes(struct builder *builder, const yaml_event_t *event, uint32_t count)
{
    builder->node_count += count;
    if (builder->node_count > CYC_TREE_NODE_COUNT_MAX)
        return refuse(builder, event, "the document is too large (or its aliases multiply)");
    return true;
}

static bool add_anchor(struct builder *builder, const yaml_event_t *event, const yaml_char_t *name,
                       struct cyc_node *node)
{
    if (name == NULL)
        return true;
    if (++builder->anchor_count > CYC_TREE_ANCHOR_COUNT_MAX)
        return refuse(builder, event, "too many anchors");

    struct anchor *anchor = cyc_arena_alloc(builder->arena, sizeof(*anchor));
    *anchor = (struct anchor){builder->anchors,
                              copy_text(builder, name, strlen((const char *)name)), node};
    builder->anchors = anchor;
    return true;
}

/** Core tags (YAML 1.2 10.3) change nothing here; any other asks for something we do not do. */
static bool check_tag(struct builder *builder, const yaml_event_t *event, const yaml_char_t *tag)
{
    static const char *const core[] = {"str", "int", "float", "bool", "null", "map", "seq"};
    struct cyc_span rest = cyc_span_from_text((const char *)tag),
                    prefix = CYC_SPAN("tag:yaml.org,2002:");

    if (rest.len == 0 || cyc_span_equal(rest, CYC_SPAN("!")))
        return true;
    if (cyc_span_starts_with(rest, prefix))
        for (size_t i = 0; i < sizeof(core) / sizeof(core[0]); i++)
            if (cyc_span_equal(cyc_span_slice(rest, prefix.len, rest.len),
                               cyc_span_from_text(core[i])))
                return true;
    return refuse(builder, event, "tags are not used in a configuration");
}

static bool on_scalar(struct builder *builder, const yaml_event_t *event)
{
    bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    struct cyc_span text = copy_text(builder, event->data.scalar.value, event->data.scalar.length);

    if (!check_tag(builder, event, event->data.scalar.tag))
        return false;
    if (wants_key(builder)) {
        struct frame *frame = &builder->frames[builder->depth - 1];
        if (event->data.scalar.anchor != NULL)
            return refuse(builder, event, "a key cannot have an anchor");
        frame->key = text;
        frame->key_mark = event_mark(builder, event);
        frame->has_key = true;
        return true;
    }
    struct cyc_node *node = new_node(builder, event, CYC_NODE_SCALAR);
    node->is_plain = is_plain;
    node->node_count = 1;
    struct cyc_conf_mark mark = node->mark;
    mark.column += is_plain ? 0 : 1; /* behind the quote */
    uint32_t errors_before = builder->diag->error_count;
    node->text = cyc_env_expand(builder->arena, builder->diag, builder->environment, text, &mark);
    node->is_broken = builder->diag->error_count > errors_before;
    attach(builder, node);
    return count_nodes(builder, event, 1) &&
           add_anchor(builder, event, event->data.scalar.anchor, node);
}

static bool on_alias(struct builder *builder, const yaml_event_t *event)
{
    struct cyc_span name = cyc_span_from_text((const char *)event->data.alias.anchor);
    const struct anchor *anchor = builder->anchors;

    if (wants_key(builder))
        return refuse(builder, event, "a key must be text");
    while (anchor != NULL && !cyc_span_equal(anchor->name, name))
        anchor = anchor->next;
    if (anchor == NULL)
        return refuse(builder, event, "no anchor of that name before this place");
    if (anchor->node->node_count == 0)
        return refuse(builder, event, "an alias inside its own anchor never ends");

    struct cyc_node *copy = cyc_arena_alloc(builder->arena, sizeof(*copy));
    *copy = *anchor->node;
    copy->key = cyc_span_of(NULL, 0);
    attach(builder, copy);
    return count_nodes(builder, event, copy->node_count);
}

static bool on_start(struct builder *builder, const yaml_event_t *event, enum cyc_node_kind kind)
{
    bool is_map = kind == CYC_NODE_MAP;
    const yaml_char_t *tag =
        is_map ? event->data.mapping_start.tag : event->data.sequence_start.tag;
    const yaml_char_t *name =
        is_map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;

    if (wants_key(builder))
        return refuse(builder, event, "a key must be text");
    if (builder->depth == CYC_TREE_DEPTH_MAX)
        return refuse(builder, event, "nested too deeply");
    if (!check_tag(builder, event, tag))
        return false;
    struct cyc_node *node = new_node(builder, event, kind);
    attach(builder, node);
    builder->frames[builder->depth++] = (struct frame){.node = node};
    return count_nodes(builder, event, 1) && add_anchor(builder, event, name, node);
}

static bool on_end(struct builder *builder)
{
    cyc_assert(builder->depth > 0);

    struct cyc_node *node = builder->frames[--builder->depth].node;
    cyc_assert(node != NULL);
    if (node->kind == CYC_NODE_MAP) {
        report_duplicate_keys(builder, node);
        if (!resolve_merges(builder, node))
            return false;
    }
    node->node_count = 1;
    for (const struct cyc_node *child = node->children; child != NULL; child = child->next)
        node->node_count += child->node_count;
    return true;
}

static bool on_event(struct builder *builder, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(builder, event);
    case YAML_ALIAS_EVENT:
        return on_alias(builder, event);
    case YAML_SEQUENCE_START_EVENT:
        return on_start(builder, event, CYC_NODE_LIST);
    case YAML_MAPPING_START_EVENT:
        return on_start(builder, event, CYC_NODE_MAP);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return on_end(builder);
    case YAML_DOCUMENT_START_EVENT:
        return builder->root == NULL ||
               refuse(builder, event, "a second document (---): one file is one configuration");
    default:
        return true;
    }
}

/* ---- the whole document ---------------------------------------------------------------------- */

/** Whether the line has a tab among the blanks it starts with. */
static bool is_tab_indented(struct cyc_span text, size_t line)
{
    size_t at = 0;

    for (size_t i = 0; i < line && at < text.len; i++)
        at = cyc_span_find_char(text, '\n', at) + 1;
    while (at < text.len && text.ptr[at] == ' ')
        at++;
    return at < text.len && text.ptr[at] == '\t';
}

/** libyaml's own words, which are good, with the usual mistake behind them. */
static void report_syntax(struct builder *builder, const yaml_parser_t *parser,
                          struct cyc_span text)
{
    struct cyc_conf_mark mark = mark_at(builder, parser->problem_mark);

    if (parser->error == YAML_READER_ERROR) {
        struct cyc_conf_mark whole = {builder->file, 0, 0, 0};
        cyc_diag_error(builder->diag, &whole, "yaml", "byte %zu: %s", parser->problem_offset,
                       parser->problem);
        return;
    }
    if (is_tab_indented(text, parser->problem_mark.line)) {
        cyc_diag_hint(builder->diag,
                      cyc_diag_error(builder->diag, &mark, "yaml", "a tab cannot indent"),
                      "indent with spaces");
        return;
    }
    struct cyc_diag_item *item =
        cyc_diag_error(builder->diag, &mark, "yaml", "not valid YAML: %s", parser->problem);
    if (parser->context != NULL)
        cyc_diag_hint(builder->diag, item, "%s that starts on line %zu", parser->context,
                      parser->context_mark.line + 1);
}

/** @return false after an error which ends the reading */
static bool read_events(struct builder *builder, struct cyc_span text)
{
    yaml_parser_t parser;
    yaml_event_t event;
    bool is_good = true, is_done = false;

    if (!yaml_parser_initialize(&parser))
        return false;
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.ptr, text.len);
    while (is_good && !is_done) {
        if (!yaml_parser_parse(&parser, &event)) {
            report_syntax(builder, &parser, text);
            is_good = false;
            break;
        }
        is_done = event.type == YAML_STREAM_END_EVENT;
        is_good = on_event(builder, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return is_good;
}

struct cyc_node *cyc_tree_parse(struct cyc_arena *arena, struct cyc_diag *diag, const char *file,
                                struct cyc_span text, const char *const *environment)
{
    struct cyc_conf_mark whole = {file, 0, 0, 0};
    struct builder *builder = cyc_arena_zalloc(arena, sizeof(*builder));

    *builder =
        (struct builder){.arena = arena, .diag = diag, .file = file, .environment = environment};
    diag->source = text;
    if (text.len > CYC_TREE_BYTES_MAX) {
        cyc_diag_error(diag, &whole, "yaml", "larger than %u MiB", CYC_TREE_BYTES_MAX >> 20);
        return NULL;
    }
    if (text.len == 0)
        text = CYC_SPAN("");
    if (!read_events(builder, text))
        return NULL;
    if (builder->root == NULL || cyc_node_is_null(builder->root)) {
        builder->root = cyc_arena_zalloc(arena, sizeof(struct cyc_node));
        builder->root->kind = CYC_NODE_MAP;
        builder->root->node_count = 1;
        builder->root->mark = (struct cyc_conf_mark){file, 1, 1, 2};
    }
    return builder->root;
}
