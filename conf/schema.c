/* SPDX-License-Identifier: Apache-2.0 */
/* The half of conf/manual.h that writes JSON Schema. */
#include "conf/manual.h"

static void schema_value(struct cyc_text *text, const struct cyc_conf_row *row);

static bool is_integer(const char *word)
{
    uint64_t value;

    return cyc_span_parse_u64(cyc_span_from_text(word), UINT64_MAX, &value);
}

/** `404` and `true` are words to us and a number and a boolean to a YAML editor. */
static void schema_words(struct cyc_text *text, const struct cyc_conf_word *words)
{
    cyc_text_puts(text, "{\"enum\": [");
    for (const struct cyc_conf_word *word = words; word->word != NULL; word++) {
        bool is_bare = is_integer(word->word) || strcmp(word->word, "true") == 0 ||
                       strcmp(word->word, "false") == 0;
        cyc_text_printf(text, "%s\"%s\"", word == words ? "" : ", ", word->word);
        if (is_bare)
            cyc_text_printf(text, ", %s", word->word);
    }
    cyc_text_puts(text, "]}");
}

static void schema_list(struct cyc_text *text, const char *item)
{
    cyc_text_printf(text, "%s, {\"type\": \"array\", \"items\": %s}", item, item);
}

static void schema_integer(struct cyc_text *text, const struct cyc_conf_row *row)
{
    cyc_text_puts(text, "{\"type\": \"integer\"");
    cyc_text_printf(text, ", \"minimum\": %s", row->min != NULL ? row->min : "0");
    if (row->max != NULL)
        cyc_text_printf(text, ", \"maximum\": %s", row->max);
    cyc_text_puts(text, "}");
}

static void schema_rows(struct cyc_text *text, const struct cyc_conf_section *section,
                        bool *has_member)
{
    for (const struct cyc_conf_row *row = section->rows; row->kind != CYC_CONF_END; row++) {
        if (row->kind == CYC_CONF_INLINE) {
            schema_rows(text, row->section, has_member);
            continue;
        }
        cyc_text_printf(text, "%s\n\"%s\": ", *has_member ? "," : "", row->key);
        schema_value(text, row);
        *has_member = true;
    }
}

static void schema_required(struct cyc_text *text, const struct cyc_conf_section *section)
{
    bool has_any = false;

    for (const struct cyc_conf_row *row = section->rows; row->kind != CYC_CONF_END; row++) {
        if (!row->is_required)
            continue;
        cyc_text_printf(text, "%s\"%s\"", has_any ? ", " : ", \"required\": [", row->key);
        has_any = true;
    }
    cyc_text_puts(text, has_any ? "]" : "");
}

static void schema_object(struct cyc_text *text, const struct cyc_conf_section *section)
{
    bool has_member = false;

    cyc_text_puts(text, "{\"type\": [\"object\", \"null\"], \"additionalProperties\": false, "
                        "\"patternProperties\": {\"^x-\": {}}");
    schema_required(text, section);
    cyc_text_puts(text, ", \"properties\": {");
    schema_rows(text, section, &has_member);
    cyc_text_puts(text, "}}");
}

/** The members of an anyOf for a section and what may stand for it. */
static void schema_section(struct cyc_text *text, const struct cyc_conf_section *section)
{
    schema_object(text, section);
    if (section->short_key == NULL)
        return;
    cyc_text_puts(text, ", ");
    schema_value(text, cyc_conf_find_row(section, cyc_span_from_text(section->short_key), NULL));
    if (section->false_value != NULL)
        cyc_text_puts(text, ", {\"enum\": [false]}");
    if (section->true_value != NULL)
        cyc_text_puts(text, ", {\"enum\": [true]}");
}

static void schema_elements(struct cyc_text *text, const struct cyc_conf_row *row)
{
    bool is_map = row->kind == CYC_CONF_MAP;

    if (!is_map) {
        schema_section(text, row->section);
        cyc_text_puts(text, ", ");
    }
    cyc_text_puts(text, is_map ? "{\"type\": [\"object\", \"null\"], \"propertyNames\": {\"$ref\": "
                                 "\"#/definitions/name\"}, \"additionalProperties\": {\"anyOf\": ["
                               : "{\"type\": \"array\", \"items\": {\"anyOf\": [");
    schema_section(text, row->section);
    cyc_text_puts(text, "]}}");
}

static void schema_kind(struct cyc_text *text, const struct cyc_conf_row *row)
{
    switch (row->kind) {
    case CYC_CONF_U32:
    case CYC_CONF_U32_POWER:
        schema_integer(text, row);
        break;
    case CYC_CONF_ENUM:
        schema_words(text, row->words);
        break;
    case CYC_CONF_TEXT:
        cyc_text_puts(text, "{\"type\": \"string\"}");
        break;
    case CYC_CONF_TEXTS:
        schema_list(text, "{\"type\": \"string\"}");
        break;
    case CYC_CONF_NUMBERS:
        schema_list(text, "{\"type\": \"number\"}");
        break;
    case CYC_CONF_SECTION:
        schema_section(text, row->section);
        break;
    case CYC_CONF_MAP:
    case CYC_CONF_LIST:
        schema_elements(text, row);
        break;
    case CYC_CONF_CUSTOM:
        cyc_text_puts(text, row->custom->schema);
        break;
    default: /* bool, duration, size, percent */
        cyc_text_printf(text, "{\"$ref\": \"#/definitions/%s\"}",
                        cyc_conf_kind_info(row->kind)->type);
    }
}

static void schema_value(struct cyc_text *text, const struct cyc_conf_row *row)
{
    cyc_text_puts(text, "{\"description\": ");
    cyc_text_add_json(text, cyc_span_from_text(row->doc));
    if (row->fallback != NULL && row->fallback[0] != '[') {
        bool is_bare = row->kind == CYC_CONF_BOOL || row->kind == CYC_CONF_U32 ||
                       row->kind == CYC_CONF_U32_POWER;
        cyc_text_puts(text, ", \"default\": ");
        if (is_bare)
            cyc_text_puts(text, row->fallback);
        else
            cyc_text_add_json(text, cyc_span_from_text(row->fallback));
    }
    cyc_text_puts(text, ", \"anyOf\": [");
    schema_kind(text, row);
    if (row->words != NULL && row->kind != CYC_CONF_ENUM) {
        cyc_text_puts(text, ", ");
        schema_words(text, row->words);
    }
    if (cyc_conf_kind_info(row->kind)->parse != NULL || row->kind == CYC_CONF_ENUM)
        cyc_text_puts(text, ", {\"$ref\": \"#/definitions/variable\"}");
    cyc_text_puts(text, "]}");
}

void cyc_schema_write(struct cyc_text *text, const struct cyc_conf_section *root)
{
    bool has_member = false;

    cyc_text_puts(
        text,
        "{\n\"$schema\": \"http://json-schema.org/draft-07/schema#\",\n"
        "\"title\": \"Cyclone configuration\",\n"
        "\"definitions\": {\n"
        "\"variable\": {\"type\": \"string\", \"pattern\": \"\\\\$\\\\{\"},\n"
        "\"name\": {\"type\": \"string\", \"pattern\": \"^[A-Za-z][A-Za-z0-9_.-]{0,62}$\"},\n"
        "\"bool\": {\"enum\": [true, false, \"true\", \"false\"]},\n"
        "\"duration\": {\"anyOf\": [{\"enum\": [0, \"0\"]}, {\"type\": \"string\", \"pattern\": "
        "\"^([0-9]+(ms|s|m|h|d))+$\"}]},\n"
        "\"size\": {\"anyOf\": [{\"type\": \"integer\", \"minimum\": 0}, {\"type\": \"string\", "
        "\"pattern\": \"^[0-9]+(B|[KMGT]i?B)?$\"}]},\n"
        "\"percent\": {\"type\": \"string\", \"pattern\": \"^[0-9]+([.][0-9]{1,2})?%$\"}\n"
        "},\n\"type\": [\"object\", \"null\"],\n\"additionalProperties\": false,\n"
        "\"patternProperties\": {\"^x-\": {}},\n\"properties\": {");
    schema_rows(text, root, &has_member);
    cyc_text_puts(text, "}\n}\n");
}
