/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/dump.h"

/** State of one object: whether the next member needs a comma, and what not to repeat. */
struct dump {
    struct cyc_text *text;
    uint32_t member_count;
};

static const void *at(const void *base, uint32_t offset)
{
    return base != NULL ? (const char *)base + offset : NULL;
}

static uint32_t list_count(const struct cyc_conf_row *row, const void *source)
{
    uint32_t count;

    memcpy(&count, (const char *)source + row->count_offset, sizeof(count));
    return count;
}

static const void *list_items(const struct cyc_conf_row *row, const void *source)
{
    const void *items;

    memcpy(&items, (const char *)source + row->offset, sizeof(items));
    return items;
}

static void print_number(struct cyc_text *text, const struct cyc_conf_row *row, const void *source)
{
    const struct cyc_conf_kind_info *info = cyc_conf_kind_info(row->kind);
    uint64_t value = cyc_conf_get_number(row, source);

    for (const struct cyc_conf_word *word = row->words; word != NULL && word->word != NULL; word++)
        if (word->value == value) {
            cyc_text_add_json(text, cyc_span_from_text(word->word));
            return;
        }
    cyc_text_puts(text, info->is_quoted ? "\"" : "");
    if (info->print != NULL)
        info->print(text, value);
    cyc_text_puts(text, info->is_quoted ? "\"" : "");
}

static void print_list(struct cyc_text *text, const struct cyc_conf_row *row, const void *source)
{
    const void *items = list_items(row, source);
    uint32_t count = list_count(row, source);

    cyc_text_puts(text, "[");
    for (uint32_t i = 0; i < count; i++) {
        cyc_text_puts(text, i > 0 ? ", " : "");
        if (row->kind == CYC_CONF_NUMBERS)
            cyc_text_printf(text, "%.10g", ((const double *)items)[i]);
        else
            cyc_text_add_json(text, ((const struct cyc_span *)items)[i]);
    }
    cyc_text_puts(text, "]");
}

static void print_elements(struct cyc_text *text, const struct cyc_conf_row *row,
                           const void *source)
{
    const char *element = list_items(row, source);
    uint32_t count = list_count(row, source);
    bool is_map = row->kind == CYC_CONF_MAP;

    cyc_text_puts(text, is_map ? "{" : "[");
    for (uint32_t i = 0; i < count; i++, element += row->section->size_bytes) {
        cyc_text_puts(text, i > 0 ? ", " : "");
        if (is_map) {
            cyc_text_add_json(text, *(const struct cyc_span *)(const void *)element);
            cyc_text_puts(text, ": ");
        }
        cyc_conf_dump(text, row->section, element, NULL);
    }
    cyc_text_puts(text, is_map ? "}" : "]");
}

static void print_value(struct cyc_text *text, const struct cyc_conf_row *row, const void *source,
                        const void *baseline)
{
    switch (row->kind) {
    case CYC_CONF_TEXT: {
        const struct cyc_span *span = at(source, row->offset);
        if (span->ptr != NULL)
            cyc_text_add_json(text, *span);
        return;
    }
    case CYC_CONF_TEXTS:
    case CYC_CONF_NUMBERS:
        print_list(text, row, source);
        return;
    case CYC_CONF_SECTION:
        cyc_conf_dump(text, row->section, at(source, row->offset), at(baseline, row->offset));
        return;
    case CYC_CONF_MAP:
    case CYC_CONF_LIST:
        print_elements(text, row, source);
        return;
    case CYC_CONF_CUSTOM:
        row->custom->print(text, at(source, row->offset));
        return;
    default:
        print_number(text, row, source);
    }
}

static void dump_rows(struct dump *dump, const struct cyc_conf_section *section, const void *source,
                      const void *baseline)
{
    struct cyc_text *text = dump->text, usual;

    for (const struct cyc_conf_row *row = section->rows; row->kind != CYC_CONF_END; row++) {
        if (row->kind == CYC_CONF_INLINE) {
            dump_rows(dump, row->section, at(source, row->offset), at(baseline, row->offset));
            continue;
        }
        size_t before = text->len;
        cyc_text_printf(text, "%s\"%s\": ", dump->member_count > 0 ? ", " : "", row->key);
        size_t start = text->len;
        print_value(text, row, source, baseline);
        struct cyc_span value = cyc_span_slice(cyc_text_span(text), start, text->len);
        bool is_usual = value.len == 0;
        if (!is_usual && baseline != NULL) {
            char first_bytes[256];
            cyc_text_init(&usual, text->arena);
            usual.ptr = first_bytes; /* most values are short: no allocation */
            usual.capacity_bytes = sizeof(first_bytes);
            print_value(&usual, row, baseline, baseline);
            is_usual = cyc_span_equal(value, cyc_text_span(&usual));
        }
        if (is_usual)
            text->len = before;
        else
            dump->member_count++;
    }
}

void cyc_conf_dump(struct cyc_text *text, const struct cyc_conf_section *section,
                   const void *source, const void *baseline)
{
    struct dump dump = {.text = text};

    cyc_text_puts(text, "{");
    dump_rows(&dump, section, source, baseline);
    cyc_text_puts(text, "}");
}
