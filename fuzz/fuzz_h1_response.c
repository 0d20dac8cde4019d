/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers: whatever a service sends, nothing breaks, how it is cut makes no difference, and a
 * connection is called reusable only when nothing is in doubt.
 *
 * The first byte says how the input is cut, the second what was asked; the rest is what the service
 * sends before it closes.
 */
#define RECORD_BYTES (96 * 1024)
#include "base/assert.h"
#include "tests/unit/http/h1_recorder.h"

#define INPUT_BYTES_MAX (16 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *ptr, size_t len);

static void ask(struct recorder *r, uint8_t kind)
{
    static const enum cyc_method methods[] = {CYC_METHOD_GET, CYC_METHOD_HEAD, CYC_METHOD_POST};
    struct cyc_msg req;

    cyc_msg_init(&req, &r->arena, 4);
    req.method = methods[kind % 3];
    req.method_text = cyc_method_name(req.method);
    req.path = CYC_SPAN("/");
    req.authority = CYC_SPAN("h");
    req.is_upgrade = (kind & 64) != 0;
    req.upgrade = CYC_SPAN("ws");
    if ((kind & 128) != 0)
        req.body = CYC_BODY_STREAM; /* and its end is never sent */
    r->cs = r->h1.codec.vt->open(&r->h1.codec, r, &r->arena);
    r->h1.codec.vt->send_head(r->cs, &req, kind < 64);
    free(recorder_take_out(r));
}

static struct recorder *run(uint8_t kind, struct cyc_span input, uint32_t seed)
{
    struct recorder *r = recorder_create(CYC_ROLE_CLIENT);

    ask(r, kind);
    recorder_feed_cut(r, input, seed);
    cyc_assert(r->in.bytes == 0);
    cyc_assert(!r->h1.codec.is_reusable || r->gone_count == 1);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *ptr, size_t len)
{
    if (len < 2 || len > INPUT_BYTES_MAX)
        return 0;
    struct cyc_span input = cyc_span_of((const char *)ptr + 2, len - 2);
    struct recorder *whole = run(ptr[1], input, 0), *cut = run(ptr[1], input, 1u + ptr[0]);

    cyc_assert(strcmp(whole->text, cut->text) == 0);
    cyc_assert(whole->h1.codec.is_reusable == cut->h1.codec.is_reusable);
    cyc_assert(whole->h1.codec.wants_close == cut->h1.codec.wants_close);
    cyc_assert(whole->h1.codec.has_answer_begun == cut->h1.codec.has_answer_begun);
    whole->h1.codec.vt->feed_end(&whole->h1.codec);
    cut->h1.codec.vt->feed_end(&cut->h1.codec);
    cyc_assert(strcmp(whole->text, cut->text) == 0);
    recorder_destroy(whole);
    recorder_destroy(cut);
    return 0;
}
