/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.0 and 1.1, both roles (RFC 9112), on llhttp's strict parser.
 *
 * One exchange at a time. In the server role the next request is not parsed before the answer to
 * the last one is complete: pipelined bytes stay in `in`, at most one read of them, the rest in the
 * kernel. Once a request was refused or the connection is to close, nothing after it is ever
 * parsed.
 */
#ifndef CYC_HTTP_H1_H
#define CYC_HTTP_H1_H

#include "http/codec.h"

/** Bytes to embed for one codec (its private state). */
#define CYC_H1_CODEC_BYTES 304

/** Embed it where the connection lives. */
struct cyc_h1 {
    struct cyc_codec codec; /* first */
    union {
        uint64_t align_;
        unsigned char private_[CYC_H1_CODEC_BYTES - sizeof(struct cyc_codec)];
    };
};

enum cyc_codec_role { CYC_ROLE_SERVER, CYC_ROLE_CLIENT };

/** What a codec is made with. All but `limits` is borrowed until fini. */
struct cyc_codec_setup {
    const struct cyc_codec_events *events;
    struct cyc_buf *out; /* the connection's queue */
    const struct cyc_clock *clock;
    const struct cyc_codec_limits *limits; /* copied */
};

void cyc_h1_init(struct cyc_h1 *codec, enum cyc_codec_role role,
                 const struct cyc_codec_setup *setup);

#endif
