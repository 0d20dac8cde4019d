/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of scalars and of lists of scalars: from a node to a field. */
#include "conf/suggest.h"
#include "conf/table_parts.h"

#define ARG(span) (int)(span).len, (span).ptr

static const struct cyc_conf_kind_info kind_infos[] = {
    [CYC_CONF_BOOL] = {"bool", cyc_value_parse_bool, cyc_value_print_bool, sizeof(bool), false},
    [CYC_CONF_U32] = {"int", cyc_value_parse_int, cyc_value_print_int, 4, false},
    [CYC_CONF_U32_POWER] = {"int", cyc_value_parse_int, cyc_value_print_int, 4, false},
    [CYC_CONF_DURATION] = {"duration", cyc_value_parse_duration, cyc_value_print_duration, 4, true},
    [CYC_CONF_DURATION_S] = {"duration", cyc_value_parse_duration, cyc_value_print_duration, 4,
                             true},
    [CYC_CONF_SIZE] = {"size", cyc_value_parse_size, cyc_value_print_size, 8, true},
    [CYC_CONF_SIZE_U32] = {"size", cyc_value_parse_size, cyc_value_print_size, 4, true},
    [CYC_CONF_PERCENT] = {"percent", cyc_value_parse_percent, cyc_value_print_percent, 4, true},
    [CYC_CONF_ENUM] = {"enum", NULL, NULL, 4, true},
    [CYC_CONF_TEXT] = {"text", NULL, NULL, sizeof(struct cyc_span), true},
    [CYC_CONF_TEXTS] = {"text", NULL, NULL, sizeof(void *), true},
    [CYC_CONF_NUMBERS] = {"number", NULL, NULL, sizeof(void *), false},
    [CYC_CONF_CUSTOM] = {"custom", NULL, NULL, 0, true},
};

const struct cyc_conf_kind_info *cyc_conf_kind_info(enum cyc_conf_kind kind)
{
    return &kind_infos[kind];
}

/* ---- scalars --------------------------------------------------------------------------------- */

uint64_t cyc_conf_get_number(const struct cyc_conf_row *row, const void *target)
{
    const char *field = (const char *)target + row->offset;
    uint32_t size = kind_infos[row->kind].size_bytes;
    uint64_t wide;
    uint32_t narrow;

    if (size == sizeof(wide)) {
        memcpy(&wide, field, sizeof(wide));
        return wide;
    }
    if (size == sizeof(bool))
        return *(const bool *)field;
    memcpy(&narrow, field, sizeof(narrow));
    return row->kind == CYC_CONF_DURATION_S ? (uint64_t)narrow * 1000 : narrow;
}

static void set_number(const struct cyc_conf_row *row, uint64_t value, void *target)
{
    char *field = (char *)target + row->offset;
    uint32_t size = kind_infos[row->kind].size_bytes;
    uint32_t narrow = (uint32_t)(row->kind == CYC_CONF_DURATION_S ? value / 1000 : value);

    if (size == sizeof(bool))
        *(bool *)field = value != 0;
    else if (size == sizeof(value))
        memcpy(field, &value, sizeof(value));
    else
        memcpy(field, &narrow, sizeof(narrow));
}

static bool find_word(const struct cyc_conf_row *row, struct cyc_span text, uint64_t *ret_value)
{
    for (const struct cyc_conf_word *word = row->words; word != NULL && word->word != NULL;
         word++) {
        if (!cyc_span_equal(cyc_span_from_text(word->word), text))
            continue;
        *ret_value = word->value;
        return true;
    }
    return false;
}

static void report_word(struct cyc_conf_bind *bind, const struct cyc_conf_row *row,
                        const struct cyc_node *node)
{
    struct cyc_suggest suggest = {.word = node->text};
    struct cyc_span key = cyc_conf_key_of(row, node);
    struct cyc_text words;

    if (cyc_conf_has_word(row->later, node->text)) {
        cyc_conf_error(bind, node, "not-yet", "%.*s \"%.*s\": not in this version yet", ARG(key),
                       ARG(node->text));
        return;
    }
    cyc_text_init(&words, bind->scratch);
    for (const struct cyc_conf_word *word = row->words; word->word != NULL; word++) {
        cyc_suggest_offer(&suggest, cyc_span_from_text(word->word));
        cyc_text_printf(&words, "%s%s", word == row->words ? "" : ", ", word->word);
    }
    struct cyc_diag_item *item =
        cyc_conf_error(bind, node, "bad-value", "\"%.*s\" is one of %.*s; got \"%.*s\"", ARG(key),
                       (int)words.len, words.ptr, ARG(node->text));
    if (suggest.best.len > 0)
        cyc_diag_hint(bind->diag, item, "did you mean \"%.*s\"?", ARG(suggest.best));
}

/** Bounds are written as the user would write them, so they are read the same way. */
static bool is_in_range(const struct cyc_conf_row *row, uint64_t value)
{
    struct cyc_value_problem problem = {.code = NULL};
    cyc_value_parse *parse = kind_infos[row->kind].parse;
    uint64_t bound;

    if (row->min != NULL && parse(cyc_span_from_text(row->min), &bound, &problem) && value < bound)
        return false;
    if (row->max != NULL && parse(cyc_span_from_text(row->max), &bound, &problem) && value > bound)
        return false;
    return kind_infos[row->kind].size_bytes == 8 || value <= UINT32_MAX;
}

static void report_range(struct cyc_conf_bind *bind, const struct cyc_conf_row *row,
                         const struct cyc_node *node)
{
    struct cyc_span key = cyc_conf_key_of(row, node);
    const char *min = row->min != NULL ? row->min : "0";
    const char *max = row->max != NULL ? row->max : "4294967295";

    if (row->max == NULL && kind_infos[row->kind].size_bytes == 8)
        cyc_conf_error(bind, node, "out-of-range", "%.*s is out of range for \"%.*s\" (%s or more)",
                       ARG(node->text), ARG(key), min);
    else
        cyc_conf_error(bind, node, "out-of-range", "%.*s is out of range for \"%.*s\" (%s..%s)",
                       ARG(node->text), ARG(key), min, max);
}

static bool is_negative_number(struct cyc_span text)
{
    uint64_t value;

    return text.len > 1 && text.ptr[0] == '-' &&
           cyc_span_parse_u64(cyc_span_slice(text, 1, text.len), UINT64_MAX, &value);
}

void cyc_conf_bind_number(struct cyc_conf_bind *bind, const struct cyc_conf_row *row,
                          const struct cyc_node *node, void *target)
{
    const struct cyc_conf_kind_info *info = &kind_infos[row->kind];
    struct cyc_value_problem problem = {.key = cyc_conf_key_of(row, node)};
    struct cyc_span text;
    uint64_t value;

    if (!cyc_conf_get_text(bind, row, node, &text))
        return;
    if (find_word(row, text, &value)) {
        set_number(row, value, target);
    } else if (info->parse == NULL) {
        report_word(bind, row, node);
    } else if (info->parse == cyc_value_parse_int && is_negative_number(text)) {
        report_range(bind, row, node);
    } else if (!info->parse(text, &value, &problem)) {
        cyc_conf_report(bind, node, &problem);
    } else if (!is_in_range(row, value)) {
        report_range(bind, row, node);
    } else if (row->kind == CYC_CONF_U32_POWER && (value & (value - 1)) != 0) {
        cyc_conf_error(bind, node, "bad-value", "\"%.*s\" is a power of two, got %.*s",
                       ARG(problem.key), ARG(text));
    } else if (row->kind == CYC_CONF_DURATION_S && value % 1000 != 0) {
        cyc_conf_error(bind, node, "bad-value", "\"%.*s\" counts whole seconds", ARG(problem.key));
    } else {
        set_number(row, value, target);
    }
}

bool cyc_conf_check_name(struct cyc_arena *arena, struct cyc_span *text,
                         struct cyc_value_problem *problem)
{
    (void)arena;
    return cyc_value_is_name(*text) ||
           cyc_value_refuse(
               problem, "bad-name",
               "\"%.*s\" is not a name: a letter, then up to 62 letters, digits or _ . -",
               ARG(*text));
}

bool cyc_conf_check_path(struct cyc_arena *arena, struct cyc_span *text,
                         struct cyc_value_problem *problem)
{
    (void)arena;
    return (text->len > 0 && text->ptr[0] == '/') ||
           cyc_value_refuse(problem, "bad-value", "\"%.*s\" is a path and starts with /",
                            ARG(problem->key));
}

bool cyc_conf_check_address(struct cyc_arena *arena, struct cyc_span *text,
                            struct cyc_value_problem *problem)
{
    (void)arena;
    return cyc_value_check_address(*text, problem);
}

bool cyc_conf_take_text(struct cyc_conf_bind *bind, const struct cyc_conf_row *row,
                        const struct cyc_node *node, struct cyc_span *ret_text)
{
    struct cyc_value_problem problem = {.key = cyc_conf_key_of(row, node)};
    struct cyc_span text;

    if (!cyc_conf_get_text(bind, row, node, &text))
        return false;
    text = cyc_arena_copy(bind->arena, text);
    if (row->check != NULL && !row->check(bind->arena, &text, &problem)) {
        cyc_conf_report(bind, node, &problem);
        return false;
    }
    *ret_text = text;
    return true;
}

/* ---- lists ----------------------------------------------------------------------------------- */

void cyc_conf_set_list(const struct cyc_conf_row *row, void *target, void *items, uint32_t count)
{
    memcpy((char *)target + row->offset, &items, sizeof(items));
    memcpy((char *)target + row->count_offset, &count, sizeof(count));
}

const struct cyc_node *cyc_conf_list_items(const struct cyc_node *node, uint32_t *ret_count)
{
    bool is_list = node->kind == CYC_NODE_LIST;

    *ret_count = is_list ? node->child_count : !cyc_node_is_null(node);
    return is_list ? node->children : node;
}

void cyc_conf_bind_texts(struct cyc_conf_bind *bind, const struct cyc_conf_row *row,
                         const struct cyc_node *node, void *target)
{
    uint32_t capacity, count = 0;
    const struct cyc_node *item = cyc_conf_list_items(node, &capacity);
    struct cyc_span *texts = cyc_arena_alloc(bind->arena, capacity * sizeof(*texts));

    for (uint32_t i = 0; i < capacity; i++, item = item->next)
        count += cyc_conf_take_text(bind, row, item, &texts[count]);
    cyc_conf_set_list(row, target, texts, count);
}

void cyc_conf_bind_numbers(struct cyc_conf_bind *bind, const struct cyc_conf_row *row,
                           const struct cyc_node *node, void *target)
{
    uint32_t capacity, count = 0;
    const struct cyc_node *item = cyc_conf_list_items(node, &capacity);
    double *numbers = cyc_arena_alloc(bind->arena, capacity * sizeof(*numbers)), last = 0;
    struct cyc_span text;

    for (uint32_t i = 0; i < capacity; i++, item = item->next) {
        double number;
        if (!cyc_conf_get_text(bind, row, item, &text))
            continue;
        if (!cyc_value_parse_number(text, &number) || number <= last) {
            cyc_conf_error(
                bind, item, "bad-value",
                "\"%s\" are positive numbers, each larger than the one before; got \"%.*s\"",
                row->key, ARG(text));
            continue;
        }
        numbers[count++] = last = number;
    }
    cyc_conf_set_list(row, target, numbers, count);
}
