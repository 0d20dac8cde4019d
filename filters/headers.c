/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_headers, response_headers: edits from the configuration, in the order remove, set, add.
 *
 * Names became tokens and values templates when the configuration was compiled. A value that cannot
 * stand in a field (something in it holds CR, LF or NUL) is left out and counted; a `set` then
 * still removes what was there, since the point of a set is that nobody else's value gets through.
 */
#include "filters/filter.h"
#include "filters/registry.h"
#include "filters/template.h"

static const struct cyc_metric_family values_refused_total = {
    .name = "cyclone_header_values_refused_total",
    .help = "Header edits left out because a variable held CR, LF or NUL.",
    .type = CYC_METRIC_COUNTER,
};

struct edit {
    struct cyc_span name;
    enum cyc_token token;
    struct cyc_template value; /* not for removes */
};

/** Removes first, then sets, then adds, in one array. */
struct headers_conf {
    struct edit *edits;
    uint32_t remove_count, set_count, add_count;
    uint32_t refused_slot;
};

static struct edit edit_compile(struct cyc_arena *arena, struct cyc_span name,
                                struct cyc_span value)
{
    struct edit edit = {.name = cyc_arena_copy(arena, name), .token = cyc_token_find(name)};
    size_t error_at;

    if (!cyc_template_parse(arena, value, &edit.value, &error_at)) /* checked when loaded */
        edit.value = (struct cyc_template){.text = cyc_arena_copy(arena, value)};
    return edit;
}

const void *cyc_headers_compile(struct cyc_arena *arena, struct cyc_stats_registry *registry,
                                const struct cyc_headers_conf *conf)
{
    uint32_t count = conf->remove_count + conf->set_count + conf->add_count;
    if (count == 0)
        return NULL;

    struct headers_conf *compiled = cyc_arena_alloc(arena, sizeof(*compiled));
    struct edit *edit = cyc_arena_alloc(arena, count * sizeof(*edit));
    *compiled = (struct headers_conf){
        .edits = edit,
        .remove_count = conf->remove_count,
        .set_count = conf->set_count,
        .add_count = conf->add_count,
        .refused_slot = cyc_stats_slot(registry, &values_refused_total, NULL),
    };
    for (uint32_t i = 0; i < conf->remove_count; i++)
        *edit++ = edit_compile(arena, conf->removes[i], (struct cyc_span){NULL, 0});
    for (uint32_t i = 0; i < conf->set_count; i++)
        *edit++ = edit_compile(arena, conf->sets[i].name, conf->sets[i].value);
    for (uint32_t i = 0; i < conf->add_count; i++)
        *edit++ = edit_compile(arena, conf->adds[i].name, conf->adds[i].value);
    return compiled;
}

static void edit_remove(struct cyc_msg *msg, const struct edit *edit)
{
    if (edit->token != CYC_TOKEN_OTHER)
        cyc_msg_remove(msg, edit->token);
    else
        cyc_msg_remove_name(msg, edit->name);
}

static bool edit_render(struct cyc_filter_call *call, const struct edit *edit,
                        struct cyc_span *ret_value)
{
    const struct headers_conf *conf = call->conf;

    if (cyc_template_render(&edit->value, call->exchange, ret_value))
        return true;
    cyc_stat_add(call->exchange->env->stats, conf->refused_slot, 1);
    return false;
}

static void edits_apply(struct cyc_filter_call *call, struct cyc_msg *msg)
{
    const struct headers_conf *conf = call->conf;
    const struct edit *edit = conf->edits;
    struct cyc_span value;

    for (uint32_t i = 0; i < conf->remove_count; i++, edit++)
        edit_remove(msg, edit);
    for (uint32_t i = 0; i < conf->set_count; i++, edit++)
        if (edit_render(call, edit, &value))
            cyc_msg_set(msg, edit->token, edit->name, value);
        else
            edit_remove(msg, edit);
    for (uint32_t i = 0; i < conf->add_count; i++, edit++)
        if (edit_render(call, edit, &value))
            cyc_msg_add(msg, edit->token, edit->name, value);
}

static enum cyc_filter_result headers_on_req_head(struct cyc_filter_call *call, struct cyc_msg *req)
{
    edits_apply(call, req);
    return CYC_FILTER_CONTINUE;
}

/** exchange->res is set when the head leaves the chain; templates must see it now. */
static enum cyc_filter_result headers_on_res_head(struct cyc_filter_call *call, struct cyc_msg *res)
{
    call->exchange->res = res;
    edits_apply(call, res);
    return CYC_FILTER_CONTINUE;
}

const struct cyc_filter_vt cyc_request_headers_filter = {
    .name = "request_headers",
    .on_req_head = headers_on_req_head,
};

const struct cyc_filter_vt cyc_response_headers_filter = {
    .name = "response_headers",
    .on_res_head = headers_on_res_head,
};
