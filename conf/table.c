/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/table.h"

#include "base/assert.h"
#include "conf/table_parts.h"

#define ARG(span) (int)(span).len, (span).ptr

static void *field_at(void *target, uint32_t offset)
{
    return (char *)target + offset;
}

const struct cyc_conf_row *cyc_conf_find_row(const struct cyc_conf_section *section,
                                             struct cyc_span key, void **target)
{
    for (const struct cyc_conf_row *row = section->rows; row->kind != CYC_CONF_END; row++) {
        if (row->kind != CYC_CONF_INLINE) {
            if (cyc_span_equal(cyc_span_from_text(row->key), key))
                return row;
            continue;
        }
        const struct cyc_conf_row *inner = cyc_conf_find_row(row->section, key, target);
        if (inner == NULL)
            continue;
        if (target != NULL)
            *target = field_at(*target, row->offset);
        return inner;
    }
    return NULL;
}

/* ---- sections -------------------------------------------------------------------------------- */

static void bind_rows(struct cyc_conf_bind *bind, const struct cyc_conf_section *section,
                      const struct cyc_node *map, void *target)
{
    for (const struct cyc_conf_row *row = section->rows; row->kind != CYC_CONF_END; row++) {
        if (row->kind == CYC_CONF_INLINE) {
            bind_rows(bind, row->section, map, field_at(target, row->offset));
            continue;
        }
        const struct cyc_node *node = cyc_node_find(map, row->key);
        if (node != NULL) {
            cyc_conf_bind_row(bind, row, node, target);
        } else if (row->is_required) {
            struct cyc_span place = cyc_conf_describe_place(bind);
            cyc_conf_key_error(bind, map, "missing-key", "\"%s\" is missing %.*s", row->key,
                               ARG(place));
        }
    }
}

static void bind_map(struct cyc_conf_bind *bind, const struct cyc_conf_section *section,
                     const struct cyc_node *map, void *target)
{
    for (const struct cyc_node *child = map->children; child != NULL; child = child->next)
        if (!cyc_span_starts_with(child->key, CYC_SPAN("x-")) &&
            cyc_conf_find_row(section, child->key, NULL) == NULL)
            cyc_conf_report_key(bind, section, child);
    bind_rows(bind, section, map, target);
}

static const char *first_key(const struct cyc_conf_section *section)
{
    while (section->rows[0].kind == CYC_CONF_INLINE)
        section = section->rows[0].section;
    return section->rows[0].key;
}

/** A scalar or a list in the place of a section. */
static void bind_short(struct cyc_conf_bind *bind, const struct cyc_conf_section *section,
                       const struct cyc_node *node, void *target)
{
    struct cyc_node stand_in = *node;
    uint64_t is_true;
    struct cyc_value_problem problem = {.code = NULL};

    if (section->short_key == NULL) {
        /* `server:` with every key commented out is fine, a route of nothing is not */
        if (section->noun != NULL || !cyc_node_is_null(node))
            cyc_conf_error(bind, node, "bad-value", "expected keys, as in \"%s: ...\"",
                           first_key(section));
        return;
    }
    if (node->kind == CYC_NODE_SCALAR && cyc_value_parse_bool(node->text, &is_true, &problem)) {
        const char *meaning = is_true ? section->true_value : section->false_value;
        if (meaning != NULL)
            stand_in.text = cyc_span_from_text(meaning);
    }
    const struct cyc_conf_row *row =
        cyc_conf_find_row(section, cyc_span_from_text(section->short_key), &target);
    cyc_assert(row != NULL);
    cyc_conf_bind_row(bind, row, &stand_in, target);
}

void cyc_conf_bind_section(struct cyc_conf_bind *bind, const struct cyc_conf_section *section,
                           const struct cyc_node *node, void *target)
{
    struct cyc_conf_place place = {bind->place, section, node};

    bind->place = &place;
    if (section->prepare != NULL)
        section->prepare(bind, node, target);
    if (node->kind == CYC_NODE_MAP)
        bind_map(bind, section, node, target);
    else
        bind_short(bind, section, node, target);
    bind->place = place.outer;
}

static void bind_element(struct cyc_conf_bind *bind, const struct cyc_conf_section *section,
                         const struct cyc_node *node, void *element)
{
    cyc_conf_set_defaults(bind, section, element);
    if (section->mark_offset != 0) {
        struct cyc_conf_mark *mark = field_at(element, section->mark_offset);
        *mark = node->key.len > 0 ? node->key_mark : node->mark;
    }
    cyc_conf_bind_section(bind, section, node, element);
}

static struct cyc_span take_name(struct cyc_conf_bind *bind, const struct cyc_node *node)
{
    struct cyc_span name = cyc_arena_copy(bind->arena, node->key);
    struct cyc_value_problem problem = {.key = name};

    if (!cyc_conf_check_name(bind->arena, &name, &problem))
        cyc_conf_key_error(bind, node, problem.code, "%s", problem.message);
    return name;
}

static void bind_elements(struct cyc_conf_bind *bind, const struct cyc_conf_row *row,
                          const struct cyc_node *node, void *target)
{
    const struct cyc_conf_section *section = row->section;
    bool is_map = row->kind == CYC_CONF_MAP;
    uint32_t capacity = node->child_count, count = 0;
    const struct cyc_node *item = is_map ? node->children : cyc_conf_list_items(node, &capacity);

    if (is_map && node->kind != CYC_NODE_MAP) {
        if (!cyc_node_is_null(node))
            cyc_conf_error(bind, node, "bad-value", "\"%s\" is a map: each %s has a name", row->key,
                           section->noun);
        return;
    }
    char *elements = cyc_arena_zalloc(bind->arena, (size_t)capacity * section->size_bytes);
    for (uint32_t i = 0; i < capacity; i++, item = item->next) {
        void *element = elements + (size_t)count * section->size_bytes;
        if (is_map && cyc_span_starts_with(item->key, CYC_SPAN("x-")))
            continue;
        if (is_map)
            *(struct cyc_span *)element = take_name(bind, item);
        bind_element(bind, section, item, element);
        count++;
    }
    if (count == 0 && row->is_required)
        cyc_conf_key_error(bind, node, "missing-value", "\"%.*s\" is empty",
                           ARG(cyc_conf_key_of(row, node)));
    cyc_conf_set_list(row, target, elements, count);
}

void cyc_conf_bind_row(struct cyc_conf_bind *bind, const struct cyc_conf_row *row,
                       const struct cyc_node *node, void *target)
{
    switch (row->kind) {
    case CYC_CONF_TEXT:
        cyc_conf_take_text(bind, row, node, field_at(target, row->offset));
        return;
    case CYC_CONF_TEXTS:
        cyc_conf_bind_texts(bind, row, node, target);
        return;
    case CYC_CONF_NUMBERS:
        cyc_conf_bind_numbers(bind, row, node, target);
        return;
    case CYC_CONF_SECTION:
        cyc_conf_bind_section(bind, row->section, node, field_at(target, row->offset));
        return;
    case CYC_CONF_MAP:
    case CYC_CONF_LIST:
        bind_elements(bind, row, node, target);
        return;
    case CYC_CONF_CUSTOM:
        row->custom->parse(bind, row, node, field_at(target, row->offset));
        return;
    case CYC_CONF_INLINE:
    case CYC_CONF_END:
        cyc_unreachable();
    default:
        cyc_conf_bind_number(bind, row, node, target);
    }
}

/* ---- defaults -------------------------------------------------------------------------------- */

/** A default in brackets is a list of plain words. */
static void bind_fallback(struct cyc_conf_bind *bind, const struct cyc_conf_row *row, void *target)
{
    struct cyc_span text = cyc_span_from_text(row->fallback), member;
    struct cyc_node node = {.kind = CYC_NODE_SCALAR, .text = text}, *last = NULL;

    if (text.len > 1 && text.ptr[0] == '[') {
        text = cyc_span_slice(text, 1, text.len - 1);
        node.kind = CYC_NODE_LIST;
        while (cyc_span_take_member(&text, &member)) {
            struct cyc_node *item = cyc_arena_zalloc(bind->scratch, sizeof(*item));
            item->text = member;
            *(last != NULL ? &last->next : &node.children) = item;
            last = item;
            node.child_count++;
        }
    }
    cyc_conf_bind_row(bind, row, &node, target);
}

void cyc_conf_set_defaults(struct cyc_conf_bind *bind, const struct cyc_conf_section *section,
                           void *target)
{
    for (const struct cyc_conf_row *row = section->rows; row->kind != CYC_CONF_END; row++) {
        if (row->kind == CYC_CONF_SECTION || row->kind == CYC_CONF_INLINE)
            cyc_conf_set_defaults(bind, row->section, field_at(target, row->offset));
        else if (row->fallback != NULL)
            bind_fallback(bind, row, target);
    }
}
