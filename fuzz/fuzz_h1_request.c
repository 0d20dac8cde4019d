/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests: whatever arrives, nothing breaks, and how it is cut makes no difference.
 *
 * The first byte says how the input is cut, the second how the owner behaves; the rest is what the
 * client sends. The same bytes are fed whole and cut: events and answers must be the same.
 */
#define RECORD_BYTES (96 * 1024)
#include "base/assert.h"
#include "tests/unit/http/h1_recorder.h"

#define INPUT_BYTES_MAX (16 * 1024) /* events of more might not fit into a record */

enum behaviour {
    ANSWERS_AT_HEAD = 1, /* before the body is read */
    GRANTS_UPGRADE = 2,
    STREAMS = 4, /* chunked answers */
};

/** How this owner behaves, and whether it is in a tunnel. */
struct owner {
    unsigned behaviour;
    bool is_tunnel;
};

int LLVMFuzzerTestOneInput(const uint8_t *ptr, size_t len);

static unsigned behaviour_of(const struct recorder *r)
{
    return ((const struct owner *)r->test)->behaviour;
}

static void answer(struct recorder *r, uint16_t status)
{
    const struct cyc_codec_vt *vt = r->h1.codec.vt;
    struct cyc_msg res;
    struct cyc_buf body;

    cyc_msg_init(&res, &r->arena, 4);
    res.status = status;
    res.body = (behaviour_of(r) & STREAMS) != 0 ? CYC_BODY_STREAM : CYC_BODY_LENGTH;
    res.body_bytes = 2;
    cyc_buf_init(&body, &r->pool);
    cyc_buf_append(&body, CYC_SPAN("ok"));
    struct cyc_codec_stream *cs = r->cs;
    vt->send_head(cs, &res, false);
    vt->send_body(cs, &body, true);
}

static void answer_switch(struct recorder *r, const struct cyc_msg *head)
{
    struct cyc_msg res;

    cyc_msg_init(&res, &r->arena, 4);
    res.status = 101;
    res.body = CYC_BODY_TUNNEL;
    res.upgrade = head->upgrade;
    ((struct owner *)r->test)->is_tunnel = true;
    r->h1.codec.vt->send_head(r->cs, &res, false);
}

static void at_head(struct recorder *r, struct cyc_msg *head, bool is_end)
{
    if (head->is_upgrade && (behaviour_of(r) & GRANTS_UPGRADE) != 0)
        answer_switch(r, head);
    else if (is_end || head->is_upgrade || (behaviour_of(r) & ANSWERS_AT_HEAD) != 0)
        answer(r, 200);
}

static void at_body(struct recorder *r, struct cyc_buf *body, bool is_end)
{
    if (((struct owner *)r->test)->is_tunnel)
        r->h1.codec.vt->send_body(r->cs, body, is_end); /* an echo */
    else if (is_end)
        answer(r, 200);
}

static void at_trailers(struct recorder *r, struct cyc_msg *trailers)
{
    (void)trailers;
    answer(r, 200);
}

static void at_reset(struct recorder *r, enum cyc_fail why, bool can_answer)
{
    cyc_assert(!can_answer || cyc_fail_info(why)->status >= 400);
    if (can_answer)
        answer(r, 400);
}

static struct recorder *run(struct owner *owner, struct cyc_span input, uint32_t seed)
{
    struct recorder *r = recorder_create(CYC_ROLE_SERVER);

    r->test = owner;
    r->hides_reasons = true;
    r->at_head = at_head;
    r->at_body = at_body;
    r->at_trailers = at_trailers;
    r->at_reset = at_reset;
    recorder_feed_cut(r, input, seed);
    cyc_assert(r->in.bytes == 0); /* everything was answered at once: nothing has to wait */
    r->h1.codec.vt->feed_end(&r->h1.codec);
    cyc_assert(r->h1.codec.stream_count <= 1);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *ptr, size_t len)
{
    if (len < 2 || len > INPUT_BYTES_MAX)
        return 0;
    struct cyc_span input = cyc_span_of((const char *)ptr + 2, len - 2);
    struct owner owners[2] = {{ptr[1], false}, {ptr[1], false}};
    struct recorder *whole = run(&owners[0], input, 0);
    struct recorder *cut = run(&owners[1], input, 1u + ptr[0]);
    char *whole_out = recorder_take_out(whole), *cut_out = recorder_take_out(cut);

    cyc_assert(strcmp(whole->text, cut->text) == 0);
    cyc_assert(strcmp(whole_out, cut_out) == 0);
    free(whole_out);
    free(cut_out);
    recorder_destroy(whole);
    recorder_destroy(cut);
    return 0;
}
