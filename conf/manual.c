/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/manual.h"

#include "conf/env.h"

static void write_words(struct cyc_text *text, const struct cyc_conf_row *row)
{
    for (const struct cyc_conf_word *word = row->words; word->word != NULL; word++)
        cyc_text_printf(text, "%s`%s`", word == row->words ? "" : " \\| ", word->word);
}

static void write_type(struct cyc_text *text, const struct cyc_conf_row *row);

/** A section is an object, and perhaps what its short form takes. */
static void write_section_type(struct cyc_text *text, const struct cyc_conf_section *section)
{
    if (section->short_key == NULL) {
        cyc_text_puts(text, "object");
        return;
    }
    if (section->false_value != NULL)
        cyc_text_puts(text, "`false`, ");
    write_type(text, cyc_conf_find_row(section, cyc_span_from_text(section->short_key), NULL));
    cyc_text_puts(text, " or object");
}

static void write_type(struct cyc_text *text, const struct cyc_conf_row *row)
{
    const char *type = row->type != NULL ? row->type : cyc_conf_kind_info(row->kind)->type;

    switch (row->kind) {
    case CYC_CONF_ENUM:
        write_words(text, row);
        return;
    case CYC_CONF_TEXTS:
    case CYC_CONF_NUMBERS:
        cyc_text_printf(text, "%s or list of %s", type, type);
        return;
    case CYC_CONF_SECTION:
        write_section_type(text, row->section);
        return;
    case CYC_CONF_MAP:
        cyc_text_printf(text, "map of %s", row->section->noun);
        return;
    case CYC_CONF_LIST:
        cyc_text_printf(text, "%s or list of %s", row->section->noun, row->section->noun);
        return;
    case CYC_CONF_CUSTOM:
        cyc_text_puts(text, row->custom->type);
        return;
    default:
        cyc_text_puts(text, type);
        if (row->words != NULL)
            cyc_text_puts(text, " or ");
        if (row->words != NULL)
            write_words(text, row);
    }
}

static void write_default(struct cyc_text *text, const struct cyc_conf_row *row)
{
    bool is_number = cyc_conf_kind_info(row->kind)->parse != NULL && row->kind != CYC_CONF_BOOL;
    const char *value = row->shown != NULL ? row->shown : row->fallback;

    if (value == NULL && row->kind == CYC_CONF_TEXTS)
        value = "[]";
    if (value == NULL && is_number)
        value = "0";
    if (row->is_required)
        cyc_text_puts(text, "required");
    else if (value != NULL) /* prose as prose, values as code */
        cyc_text_printf(text, value[0] != '[' && strchr(value, ' ') != NULL ? "%s" : "`%s`", value);
}

static void write_range(struct cyc_text *text, const struct cyc_conf_row *row)
{
    if (row->min != NULL || row->max != NULL)
        cyc_text_printf(text, "%s..%s", row->min != NULL ? row->min : "0",
                        row->max != NULL ? row->max : "");
    if (row->kind == CYC_CONF_U32_POWER)
        cyc_text_puts(text, ", power of two");
}

static void write_rows(struct cyc_text *text, const struct cyc_conf_section *section)
{
    for (const struct cyc_conf_row *row = section->rows; row->kind != CYC_CONF_END; row++) {
        if (row->kind == CYC_CONF_INLINE) {
            cyc_text_puts(text, "| ... | | | | and the keys of [`defaults`](#defaults) |\n");
            continue;
        }
        cyc_text_printf(text, "| `%s` | ", row->key);
        write_type(text, row);
        cyc_text_puts(text, " | ");
        write_default(text, row);
        cyc_text_puts(text, " | ");
        write_range(text, row);
        cyc_text_printf(text, " | %s |\n", row->doc);
    }
}

static void write_later(struct cyc_text *text, const struct cyc_conf_section *section)
{
    struct cyc_span words = cyc_span_from_text(section->later);

    if (words.len == 0)
        return;
    cyc_text_puts(text, "\nRefused as not in this version yet:");
    for (size_t at = 0; at < words.len;) {
        size_t end = cyc_span_find_char(words, ' ', at);
        cyc_text_printf(text, "%s `%.*s`", at > 0 ? "," : "", (int)(end - at), words.ptr + at);
        at = end + 1;
    }
    cyc_text_puts(text, ".\n");
}

/** @param name  "clusters.<name>.pool" */
static void write_section(struct cyc_text *text, const struct cyc_conf_section *section,
                          struct cyc_span name)
{
    cyc_text_printf(text, "\n## %.*s\n\n%s\n", (int)name.len, name.ptr, section->doc);
    if (section->rows[0].kind == CYC_CONF_INLINE && section->rows[1].kind == CYC_CONF_END) {
        cyc_text_puts(text, "Its keys are those of [`defaults`](#defaults).\n");
        return;
    }
    cyc_text_puts(text, "\n| key | type | default | range | meaning |\n|---|---|---|---|---|\n");
    write_rows(text, section);
    write_later(text, section);
    for (const struct cyc_conf_row *row = section->rows; row->kind != CYC_CONF_END; row++) {
        if (row->section == NULL || row->kind == CYC_CONF_INLINE)
            continue;
        const char *suffix = row->kind == CYC_CONF_MAP    ? ".<name>"
                             : row->kind == CYC_CONF_LIST ? "[]"
                                                          : "";
        struct cyc_span inner = cyc_arena_format(text->arena, "%.*s%s%s%s", (int)name.len, name.ptr,
                                                 name.len > 0 ? "." : "", row->key, suffix);
        write_section(text, row->section, inner);
    }
}

static void write_environment(struct cyc_text *text, const struct cyc_conf_section *root)
{
    cyc_text_puts(
        text, "\n## Environment variables\n\n"
              "They override the file. A list is given as its only item. `CYCLONE_CONFIG` names "
              "the file itself.\n\n```\n");
    cyc_env_list(text, root);
    cyc_text_puts(text, "```\n");
}

void cyc_manual_write(struct cyc_text *text, const struct cyc_conf_section *root)
{
    cyc_text_puts(
        text,
        "# Configuration reference\n\n"
        "<!-- Generated from the binding rows by `cyclone schema --markdown`; do not edit. -->\n\n"
        "One YAML (or JSON) document. Unknown keys are errors, durations and percentages need "
        "their "
        "unit (`250ms`, `5s`, `1m30s`; `20%`), sizes are bytes or have one (`64KiB` = 2^16, `2GB` "
        "= "
        "2*10^9). One item may stand for a one-item list. Keys that start with `x-` are ignored: "
        "homes for anchors. `${NAME}` and `${NAME:-default}` are replaced by the environment's "
        "variable, `$$` is a dollar.\n\n"
        "Names are a letter, then up to 62 letters, digits or `_ . -`.\n\n"
        "| key | type | default | range | meaning |\n|---|---|---|---|---|\n");
    write_rows(text, root);
    write_later(text, root);
    for (const struct cyc_conf_row *row = root->rows; row->kind != CYC_CONF_END; row++) {
        const char *suffix = row->kind == CYC_CONF_MAP    ? ".<name>"
                             : row->kind == CYC_CONF_LIST ? "[]"
                                                          : "";
        if (row->section == NULL)
            continue;
        if (row->kind == CYC_CONF_SECTION && row->section->noun != NULL) /* upstream: a cluster */
            continue;
        write_section(text, row->section, cyc_arena_format(text->arena, "%s%s", row->key, suffix));
    }
    write_environment(text, root);
}
