/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/tree.h"

#include "conf/text.h"

const struct cyc_node *cyc_node_find(const struct cyc_node *map, const char *key)
{
    struct cyc_span wanted = cyc_span_from_text(key);

    if (map->kind != CYC_NODE_MAP)
        return NULL;
    for (const struct cyc_node *node = map->children; node != NULL; node = node->next)
        if (cyc_span_equal(node->key, wanted))
            return node;
    return NULL;
}

bool cyc_node_is_null(const struct cyc_node *node)
{
    return node->kind == CYC_NODE_SCALAR && node->is_plain &&
           (node->text.len == 0 || cyc_span_equal(node->text, CYC_SPAN("~")) ||
            cyc_span_equal(node->text, CYC_SPAN("null")));
}

/** RFC 6901 3: ~ and / are written ~0 and ~1. */
static void add_pointer_token(struct cyc_text *text, struct cyc_span key)
{
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        if (c == '~' || c == '/')
            cyc_text_puts(text, c == '~' ? "~0" : "~1");
        else
            cyc_text_add(text, cyc_span_of(&c, 1));
    }
}

static uint32_t item_index(const struct cyc_node *node)
{
    uint32_t index = 0;

    for (const struct cyc_node *at = node->parent->children; at != NULL && at != node;
         at = at->next)
        index++;
    return index;
}

struct cyc_span cyc_node_path(const struct cyc_node *node, struct cyc_arena *arena)
{
    const struct cyc_node *way[CYC_TREE_DEPTH_MAX];
    uint32_t len = 0;
    struct cyc_text text;

    cyc_text_init(&text, arena);
    for (; node->parent != NULL && len < CYC_TREE_DEPTH_MAX; node = node->parent)
        way[len++] = node;
    while (len > 0) {
        const struct cyc_node *step = way[--len];
        cyc_text_puts(&text, "/");
        if (step->parent->kind == CYC_NODE_MAP)
            add_pointer_token(&text, step->key);
        else
            cyc_text_printf(&text, "%u", item_index(step));
    }
    return cyc_text_span(&text);
}
