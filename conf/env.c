/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/env.h"

#include "conf/suggest.h"

#define ARG(span) (int)(span).len, (span).ptr
#define VARIABLE_NAME_BYTES_MAX 64

static const struct cyc_span env_prefix = CYC_SPAN_INIT("CYCLONE_");

/** @return NAME of "NAME=value" */
static struct cyc_span split_variable(const char *variable, struct cyc_span *ret_value)
{
    struct cyc_span text = cyc_span_from_text(variable);
    size_t equals = cyc_span_find_char(text, '=', 0);

    *ret_value = cyc_span_slice(text, equals + 1, text.len);
    return cyc_span_slice(text, 0, equals);
}

bool cyc_env_find(const char *const *environment, struct cyc_span name, struct cyc_span *ret_value)
{
    struct cyc_span value;

    for (; environment != NULL && *environment != NULL; environment++) {
        if (!cyc_span_equal(split_variable(*environment, &value), name))
            continue;
        *ret_value = value;
        return true;
    }
    return false;
}

/* ---- ${NAME} --------------------------------------------------------------------------------- */

static bool is_variable_name(struct cyc_span name)
{
    for (size_t i = 0; i < name.len; i++) {
        char lower = cyc_char_lower(name.ptr[i]);
        bool is_letter = (lower >= 'a' && lower <= 'z') || lower == '_';
        if (!is_letter && (i == 0 || !cyc_char_is_digit(lower)))
            return false;
    }
    return name.len > 0;
}

struct expansion {
    struct cyc_text out;
    struct cyc_diag *diag;
    const char *const *environment;
    struct cyc_span text;
    const struct cyc_conf_mark *mark;
};

/** @param at  of the dollar in "${" @return the first byte behind the brace */
static size_t expand_reference(struct expansion *expansion, size_t at)
{
    struct cyc_span text = expansion->text, value;
    size_t end = cyc_span_find_char(text, '}', at);
    struct cyc_span inner = cyc_span_slice(text, at + 2, end);
    struct cyc_conf_mark mark = *expansion->mark;

    mark.column += (uint32_t)at;
    mark.end_column = mark.column + (uint32_t)(end - at) + (end < text.len);
    size_t colon = cyc_span_find_char(inner, ':', 0);
    struct cyc_span name = cyc_span_slice(inner, 0, colon);
    bool has_default =
        cyc_span_starts_with(cyc_span_slice(inner, colon, inner.len), CYC_SPAN(":-"));
    if (end == text.len || !is_variable_name(name) || (colon < inner.len && !has_default)) {
        cyc_diag_hint(expansion->diag,
                      cyc_diag_error(expansion->diag, &mark, "bad-variable",
                                     "not a variable: ${NAME} or ${NAME:-default}"),
                      "write $$ for a dollar");
        return end + 1;
    }
    bool is_set = cyc_env_find(expansion->environment, name, &value);
    if (has_default && (!is_set || value.len == 0)) /* as in a shell: unset or empty */
        value = cyc_span_slice(inner, colon + 2, inner.len);
    else if (!is_set) {
        cyc_diag_hint(expansion->diag,
                      cyc_diag_error(expansion->diag, &mark, "unset-variable",
                                     "the environment has no %.*s", ARG(name)),
                      "set it, or write ${%.*s:-default}", ARG(name));
        return end + 1;
    }
    cyc_text_add(&expansion->out, value);
    return end + 1;
}

struct cyc_span cyc_env_expand(struct cyc_arena *arena, struct cyc_diag *diag,
                               const char *const *environment, struct cyc_span text,
                               const struct cyc_conf_mark *mark)
{
    struct expansion expansion = {
        .diag = diag, .environment = environment, .text = text, .mark = mark};
    size_t at = cyc_span_find_char(text, '$', 0), plain = 0;

    if (at == text.len)
        return text;
    cyc_text_init(&expansion.out, arena);
    while (at < text.len) {
        char next = at + 1 < text.len ? text.ptr[at + 1] : '\0';
        if (next != '$' && next != '{') {
            at = cyc_span_find_char(text, '$', at + 1);
            continue;
        }
        cyc_text_add(&expansion.out, cyc_span_slice(text, plain, next == '$' ? at + 1 : at));
        plain = next == '$' ? at + 2 : expand_reference(&expansion, at);
        at = cyc_span_find_char(text, '$', plain);
    }
    cyc_text_add(&expansion.out, cyc_span_slice(text, plain, text.len));
    return cyc_text_span(&expansion.out);
}

/* ---- CYCLONE_<SECTION>_<KEY> ----------------------------------------------------------------- */

static void add_upper(struct cyc_text *text, const char *word)
{
    for (; *word != '\0'; word++) {
        char c = (char)(*word >= 'a' && *word <= 'z' ? *word - 0x20 : *word);
        cyc_text_add(text, cyc_span_of(&c, 1));
    }
}

/** Lists of numbers and things with names have no variable. */
static bool has_variable(const struct cyc_conf_row *row)
{
    switch (row->kind) {
    case CYC_CONF_NUMBERS:
    case CYC_CONF_MAP:
    case CYC_CONF_LIST:
    case CYC_CONF_INLINE:
        return false;
    case CYC_CONF_SECTION:
        return row->section->short_key != NULL;
    default:
        return true;
    }
}

/** What one walk over the rows does with each name. @return false to stop the walk */
typedef bool on_variable(void *owner, struct cyc_span name, const struct cyc_conf_row *section,
                         const struct cyc_conf_row *row);

static void each_variable(const struct cyc_conf_section *root, struct cyc_arena *scratch,
                          on_variable *on_name, void *owner)
{
    struct cyc_text name;

    cyc_text_init(&name, scratch);
    for (const struct cyc_conf_row *section = root->rows; section->kind != CYC_CONF_END;
         section++) {
        if (section->kind != CYC_CONF_SECTION || !section->section->has_env)
            continue;
        for (const struct cyc_conf_row *row = section->section->rows; row->kind != CYC_CONF_END;
             row++) {
            name.len = 0;
            cyc_text_add(&name, env_prefix);
            add_upper(&name, section->key);
            cyc_text_puts(&name, "_");
            add_upper(&name, row->key);
            if (has_variable(row) && !on_name(owner, cyc_text_span(&name), section, row))
                return;
        }
    }
}

struct override {
    struct cyc_conf_bind *bind;
    void *target;
    struct cyc_span name, value;
    struct cyc_suggest suggest;
    struct cyc_conf_mark mark;
    bool is_known;
};

/*
 * Kubernetes gives a container variables for every Service: one called "cyclone-server" sets
 * CYCLONE_SERVER_PORT=tcp://10.0.0.1:80, which nobody wrote and nobody means.
 */

static bool is_service_link_value(struct cyc_span value)
{
    return cyc_span_starts_with(value, CYC_SPAN("tcp://")) ||
           cyc_span_starts_with(value, CYC_SPAN("udp://"));
}

/** For names that are no setting: some settings have such parts too. */
static bool is_service_link_name(struct cyc_span name)
{
    static const char *const parts[] = {"_SERVICE_HOST", "_SERVICE_PORT", "_TCP_", "_UDP_"};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        struct cyc_span part = cyc_span_from_text(parts[i]);
        for (size_t at = 0; at + part.len <= name.len; at++)
            if (memcmp(name.ptr + at, part.ptr, part.len) == 0)
                return true;
    }
    return false;
}

static bool override_on_variable(void *owner, struct cyc_span name,
                                 const struct cyc_conf_row *section, const struct cyc_conf_row *row)
{
    struct override *override = owner;
    struct cyc_node node = {
        .kind = CYC_NODE_SCALAR, .text = override->value, .mark = override->mark};

    if (!cyc_span_equal(name, override->name)) {
        struct cyc_suggest best = override->suggest;
        cyc_suggest_offer(&best, name);
        if (best.best.ptr == name.ptr) /* the walk's name is only lent: keep a copy */
            best.best = cyc_arena_copy(override->bind->scratch, name);
        override->suggest = best;
        return true;
    }
    override->is_known = true;
    if (row->kind == CYC_CONF_BOOL && node.text.len == 1) {
        if (node.text.ptr[0] == '1')
            node.text = CYC_SPAN("true");
        else if (node.text.ptr[0] == '0')
            node.text = CYC_SPAN("false");
    }
    cyc_conf_bind_row(override->bind, row, &node, (char *) override->target + section->offset);
    return false;
}

/** Whether `name` would set something of a later version: a key, or any of a whole section. */
static bool is_later_variable(struct cyc_arena *scratch, const struct cyc_conf_section *section,
                              const char *prefix, struct cyc_span name)
{
    struct cyc_span words = cyc_span_from_text(section->later);
    bool is_section = prefix[0] == '\0'; /* in the document, later words are sections */
    struct cyc_text text;

    cyc_text_init(&text, scratch);
    for (size_t at = 0; at < words.len;) {
        size_t end = cyc_span_find_char(words, ' ', at);
        const char *word = cyc_arena_copy(scratch, cyc_span_slice(words, at, end)).ptr;
        text.len = 0;
        cyc_text_add(&text, env_prefix);
        add_upper(&text, prefix);
        cyc_text_puts(&text, prefix[0] != '\0' ? "_" : "");
        add_upper(&text, word);
        cyc_text_puts(&text, is_section ? "_" : "");
        if (is_section ? cyc_span_starts_with(name, cyc_text_span(&text))
                       : cyc_span_equal(name, cyc_text_span(&text)))
            return true;
        at = end + 1;
    }
    return false;
}

/** @return true when it was one, which is an error unless it turns the thing off */
static bool refuse_later(struct override *override, const struct cyc_conf_section *root)
{
    struct cyc_arena *scratch = override->bind->scratch;
    bool is_later = is_later_variable(scratch, root, "", override->name);

    for (const struct cyc_conf_row *row = root->rows; row->kind != CYC_CONF_END; row++)
        if (row->kind == CYC_CONF_SECTION && row->section->has_env)
            is_later =
                is_later || is_later_variable(scratch, row->section, row->key, override->name);
    if (!is_later)
        return false;
    if (!cyc_span_equal(override->value, CYC_SPAN("false")) &&
        !cyc_span_equal(override->value, CYC_SPAN("0")))
        cyc_diag_hint(override->bind->diag,
                      cyc_diag_error(override->bind->diag, &override->mark, "not-yet",
                                     "not in this version yet"),
                      "take it out: nothing would act on it");
    return true;
}

static void apply_variable(struct cyc_conf_bind *bind, const struct cyc_conf_section *root,
                           void *target, const char *variable)
{
    struct override override = {.bind = bind, .target = target};

    override.name = split_variable(variable, &override.value);
    override.suggest.word = override.name;
    override.mark.file = cyc_arena_format(bind->arena, "env:%.*s", ARG(override.name)).ptr;
    if (!cyc_span_starts_with(override.name, env_prefix) ||
        cyc_span_equal(override.name, CYC_SPAN("CYCLONE_CONFIG")) ||
        cyc_span_equal(override.name, CYC_SPAN("CYCLONE_LOG")) ||
        is_service_link_value(override.value))
        return;
    each_variable(root, bind->scratch, override_on_variable, &override);
    if (override.is_known || refuse_later(&override, root) || is_service_link_name(override.name))
        return;
    struct cyc_diag_item *item =
        cyc_diag_warn(bind->diag, &override.mark, "unknown-variable", "no such setting");
    if (override.suggest.best.len > 0)
        cyc_diag_hint(bind->diag, item, "did you mean %.*s?", ARG(override.suggest.best));
}

void cyc_env_apply(struct cyc_conf_bind *bind, const char *const *environment,
                   const struct cyc_conf_section *root, void *target)
{
    for (; environment != NULL && *environment != NULL; environment++)
        if (strncmp(*environment, env_prefix.ptr, env_prefix.len) == 0)
            apply_variable(bind, root, target, *environment);
}

static bool list_on_variable(void *owner, struct cyc_span name, const struct cyc_conf_row *section,
                             const struct cyc_conf_row *row)
{
    (void)section, (void)row;
    cyc_text_add(owner, name);
    cyc_text_puts(owner, "\n");
    return true;
}

void cyc_env_list(struct cyc_text *text, const struct cyc_conf_section *root)
{
    each_variable(root, text->arena, list_on_variable, text);
}
