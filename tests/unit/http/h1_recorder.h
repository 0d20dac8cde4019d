/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP/1 codec with everything it needs, which writes down its events as text.
 *
 *   open | head POST /p?q authority=h fields={A: b} body=3 | body abc | end | gone
 *
 * Body bytes are collected until the body ends, so that the record does not depend on how the input
 * was cut. Included by one program each (after cmocka, where that is used).
 */
#ifndef CYC_TESTS_H1_RECORDER_H
#define CYC_TESTS_H1_RECORDER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "http/date.h"
#include "http/h1.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef RECORD_BYTES
#define RECORD_BYTES (256 * 1024)
#endif

struct recorder {
    struct cyc_mem mem;
    struct cyc_buf_pool pool;
    struct cyc_clock clock;
    struct cyc_date_cache date;
    struct cyc_arena arena;
    struct cyc_buf in, out;
    struct cyc_h1 h1;
    struct cyc_codec_stream *cs; /* of the exchange in progress */
    bool is_after_body;          /* "body " was written, and nothing behind it but its bytes */
    bool is_quiet;               /* no record, for long runs */
    bool refuses_open;
    bool hides_reasons; /* of two that apply the cut may decide which is seen first */
    enum cyc_fail fed;  /* last answer of feed */
    uint32_t gone_count, reset_count;
    uint64_t body_bytes;
    /* What the test wants to do inside an event; NULL: nothing. */
    void (*at_head)(struct recorder *r, struct cyc_msg *head, bool is_end);
    void (*at_body)(struct recorder *r, struct cyc_buf *body, bool is_end);
    void (*at_trailers)(struct recorder *r, struct cyc_msg *trailers);
    void (*at_reset)(struct recorder *r, enum cyc_fail why, bool can_answer);
    void (*at_gone)(struct recorder *r);
    void *test; /* the test's own */
    size_t text_len;
    char text[RECORD_BYTES];
};

static inline struct recorder *recorder_of(struct cyc_codec *codec)
{
    return codec->owner;
}

static inline void record_bytes(struct recorder *r, const char *bytes, size_t len)
{
    if (r->is_quiet || len == 0 || r->text_len + len >= RECORD_BYTES)
        return;
    memcpy(r->text + r->text_len, bytes, len);
    r->text_len += len;
    r->text[r->text_len] = '\0';
}

static inline void record_text(struct recorder *r, const char *text)
{
    record_bytes(r, text, strlen(text));
}

/** A new entry. */
static inline void record_entry(struct recorder *r, const char *text)
{
    if (r->text_len > 0)
        record_text(r, " | ");
    record_text(r, text);
    r->is_after_body = false;
}

static inline void record_span(struct recorder *r, const char *label, struct cyc_span s)
{
    record_text(r, label);
    record_bytes(r, s.ptr, s.len);
}

static inline void record_fields(struct recorder *r, const struct cyc_msg *msg)
{
    bool is_first = true;

    record_text(r, " fields={");
    for (uint32_t i = 0; i < msg->field_count; i++) {
        if (msg->fields[i].is_removed)
            continue;
        record_span(r, is_first ? "" : ", ", msg->fields[i].name);
        record_span(r, ": ", msg->fields[i].value);
        is_first = false;
    }
    record_text(r, "}");
}

static inline void record_body_kind(struct recorder *r, const struct cyc_msg *msg)
{
    static const char *const names[] = {"none", "length", "stream", "tunnel"};
    char text[64];

    snprintf(text, sizeof(text), " body=%s", names[msg->body]);
    record_text(r, text);
    if (msg->body == CYC_BODY_LENGTH || msg->has_length) {
        snprintf(text, sizeof(text), "(%llu)", (unsigned long long)msg->body_bytes);
        record_text(r, text);
    }
}

static inline void record_head(struct recorder *r, const struct cyc_msg *msg)
{
    char status[32];

    if (msg->method_text.len > 0) {
        record_bytes(r, msg->method_text.ptr, msg->method_text.len);
        record_span(r, " ", msg->path);
        if (msg->query.ptr != NULL)
            record_span(r, "?", msg->query);
        record_span(r, " authority=", msg->authority);
    } else {
        snprintf(status, sizeof(status), "%u", msg->status);
        record_text(r, status);
        record_span(r, " ", msg->reason);
    }
    record_fields(r, msg);
    record_body_kind(r, msg);
    if (msg->version_minor == 0)
        record_text(r, " 1.0");
    if (msg->is_upgrade || msg->body == CYC_BODY_TUNNEL)
        record_span(r, " upgrade=", msg->upgrade);
    if (msg->wants_trailers)
        record_text(r, " te");
    if (msg->expects_continue)
        record_text(r, " expects");
}

static inline bool recorder_on_open(struct cyc_codec_stream *cs)
{
    struct recorder *r = recorder_of(cs->codec);

    if (r->refuses_open)
        return false;
    cyc_arena_reset(&r->arena);
    cs->owner = r;
    cs->arena = &r->arena;
    r->cs = cs;
    record_entry(r, "open");
    return true;
}

static inline void recorder_on_info(struct cyc_codec_stream *cs, struct cyc_msg *head)
{
    struct recorder *r = recorder_of(cs->codec);
    record_entry(r, "info ");
    record_head(r, head);
}

static inline void recorder_on_head(struct cyc_codec_stream *cs, struct cyc_msg *head, bool is_end)
{
    struct recorder *r = recorder_of(cs->codec);

    record_entry(r, "head ");
    record_head(r, head);
    if (is_end)
        record_entry(r, "end");
    if (r->at_head != NULL)
        r->at_head(r, head, is_end);
}

static inline void recorder_on_body(struct cyc_codec_stream *cs, struct cyc_buf *body, bool is_end)
{
    struct recorder *r = recorder_of(cs->codec);

    if (!r->is_after_body && body->bytes > 0) {
        record_entry(r, "body ");
        r->is_after_body = true;
    }
    for (struct cyc_seg *seg = body->head; seg != NULL; seg = seg->next)
        record_bytes(r, seg->ptr, seg->len);
    r->body_bytes += body->bytes;
    if (is_end)
        record_entry(r, "end");
    if (r->at_body != NULL)
        r->at_body(r, body, is_end);
}

static inline void recorder_on_trailers(struct cyc_codec_stream *cs, struct cyc_msg *trailers)
{
    struct recorder *r = recorder_of(cs->codec);
    record_entry(r, "trailers");
    record_fields(r, trailers);
    if (r->at_trailers != NULL)
        r->at_trailers(r, trailers);
}

static inline void recorder_on_room(struct cyc_codec_stream *cs)
{
    record_entry(recorder_of(cs->codec), "room");
}

static inline const char *fail_name(enum cyc_fail fail)
{
    static const char *const names[] = {
        "NONE",
#define CYC_FAIL_ROW(name, status, retry, flag, reason, text) #name,
#include "http/fail.def"
#undef CYC_FAIL_ROW
    };
    return names[fail];
}

static inline void recorder_on_reset(struct cyc_codec_stream *cs, enum cyc_fail why,
                                     bool can_answer)
{
    struct recorder *r = recorder_of(cs->codec);

    record_entry(r, "reset ");
    record_text(r, r->hides_reasons ? "" : fail_name(why));
    record_text(r, can_answer ? " can_answer" : "");
    r->reset_count++;
    if (!can_answer)
        r->cs = NULL;
    if (r->at_reset != NULL)
        r->at_reset(r, why, can_answer);
}

static inline void recorder_on_gone(struct cyc_codec_stream *cs)
{
    struct recorder *r = recorder_of(cs->codec);

    record_entry(r, "gone");
    r->cs = NULL;
    r->gone_count++;
    if (r->at_gone != NULL)
        r->at_gone(r);
}

static inline void recorder_on_wish(struct cyc_codec *codec)
{
    (void)codec;
}

static const struct cyc_codec_events recorder_events = {
    .on_open = recorder_on_open,
    .on_info = recorder_on_info,
    .on_head = recorder_on_head,
    .on_body = recorder_on_body,
    .on_trailers = recorder_on_trailers,
    .on_room = recorder_on_room,
    .on_reset = recorder_on_reset,
    .on_gone = recorder_on_gone,
    .on_wish = recorder_on_wish,
};

static inline struct recorder *recorder_create(enum cyc_codec_role role)
{
    struct recorder *r = calloc(1, sizeof(*r));
    struct cyc_codec_limits limits = {
        .head_bytes_max = 32 * 1024,
        .field_count_max = 100,
        .uri_bytes_max = 8 * 1024,
        .out_bytes_high = 64 * 1024,
        .date = &r->date,
    };

    r->clock.wall_ns = 784111777ull * CYC_NS_PER_S; /* Sun, 06 Nov 1994 08:49:37 GMT */
    cyc_buf_pool_init(&r->pool, &r->mem);
    cyc_arena_init(&r->arena, &r->mem, CYC_MEM_STREAMS, NULL, 0);
    cyc_buf_init(&r->in, &r->pool);
    cyc_buf_init(&r->out, &r->pool);
    cyc_h1_init(&r->h1, role,
                &(struct cyc_codec_setup){&recorder_events, &r->out, &r->clock, &limits});
    r->h1.codec.owner = r;
    return r;
}

static inline void recorder_destroy(struct recorder *r)
{
    if (r->h1.codec.stream_count > 0)
        r->h1.codec.vt->abort(&r->h1.codec, CYC_FAIL_SHUT_DOWN);
    r->h1.codec.vt->fini(&r->h1.codec);
    cyc_buf_clear(&r->in);
    cyc_buf_clear(&r->out);
    cyc_arena_fini(&r->arena);
    cyc_buf_pool_fini(&r->pool);
    free(r);
}

/** Puts the bytes into a chunk of their own, exactly as long as they are, and feeds them. */
static inline void recorder_feed(struct recorder *r, const char *bytes, size_t len)
{
    while (len > 0) {
        struct cyc_chunk *chunk = cyc_chunk_get_always(&r->pool, len > CYC_CHUNK_SMALL_BYTES);
        size_t part = len < chunk->size_bytes ? len : chunk->size_bytes;
        char *at = chunk->bytes + chunk->size_bytes - part; /* a read past the end is one too far */
        memcpy(at, bytes, part);
        chunk->used_bytes = chunk->size_bytes;
        cyc_buf_append_chunk(&r->in, chunk, at, part);
        cyc_chunk_unref(chunk);
        bytes += part;
        len -= part;
    }
    r->fed = r->h1.codec.vt->feed(&r->h1.codec, &r->in);
}

static inline void recorder_feed_text(struct recorder *r, const char *text)
{
    recorder_feed(r, text, strlen(text));
}

/* ---- the same input in many pieces ------------------------------------------------------------
 */

/** Feeds `input` cut in one way: seed 0 whole, 1 byte by byte, others at random. */
static inline void recorder_feed_cut(struct recorder *r, struct cyc_span input, uint32_t seed)
{
    uint64_t random = seed;
    size_t at = 0;

    while (at < input.len) {
        size_t len = input.len;
        random = random * 6364136223846793005ull + 1442695040888963407ull;
        if (seed == 1)
            len = 1;
        else if (seed > 1)
            len = 1 + (size_t)(random >> 33) % (seed % 3 == 0 ? 4 : 40);
        if (len > input.len - at)
            len = input.len - at;
        recorder_feed(r, input.ptr + at, len);
        at += len;
    }
}

#ifdef fail_msg /* with cmocka */

typedef void recorder_prepare(struct recorder *r);

/** However the input is cut, the record must be `expected`. */
static inline void check_record(enum cyc_codec_role role, recorder_prepare *prepare,
                                struct cyc_span input, const char *expected, const char *why)
{
    for (uint32_t seed = 0; seed < 12; seed++) {
        struct recorder *r = recorder_create(role);
        if (prepare != NULL)
            prepare(r);
        recorder_feed_cut(r, input, seed);
        if (strcmp(r->text, expected) != 0)
            fail_msg("%s\n  input    %.*s\n  cut      %u\n  record   %s\n  expected %s", why,
                     (int)input.len, input.ptr, seed, r->text, expected);
        recorder_destroy(r);
    }
}

#endif

/** What was sent since the last call, NUL-terminated; malloc'ed. */
static inline char *recorder_take_out(struct recorder *r)
{
    size_t len = r->out.bytes;
    char *text = malloc(len + 1);

    cyc_buf_peek(&r->out, text, len);
    text[len] = '\0';
    cyc_buf_drop(&r->out, len);
    r->h1.codec.vt->sent(&r->h1.codec, len);
    return text;
}

#endif
