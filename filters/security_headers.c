/* SPDX-License-Identifier: Apache-2.0 */
/*
 * security_headers: fields that tell browsers to be careful, set only where the service said
 * nothing.
 *
 * Strict-Transport-Security goes out on TLS only (RFC 6797 7.2 forbids it elsewhere). The presets
 * are static tables: there is nothing to compile.
 */
#include "filters/filter.h"
#include "filters/registry.h"

struct security_field {
    enum cyc_token token;
    bool is_tls_only;
    struct cyc_span value;
};

struct security_conf {
    uint32_t count;
    struct security_field fields[5];
};

#define NOSNIFF                                                                                    \
    {                                                                                              \
        CYC_TOKEN_X_CONTENT_TYPE_OPTIONS, false, CYC_SPAN_INIT("nosniff")                          \
    }
#define HSTS                                                                                       \
    {                                                                                              \
        CYC_TOKEN_STRICT_TRANSPORT_SECURITY, true,                                                 \
            CYC_SPAN_INIT("max-age=31536000; includeSubDomains")                                   \
    }
#define REFERRER                                                                                   \
    {                                                                                              \
        CYC_TOKEN_REFERRER_POLICY, false, CYC_SPAN_INIT("strict-origin-when-cross-origin")         \
    }

/* The deployment guide's five, word for word. */
static const struct security_conf guide = {
    5,
    {
        NOSNIFF,
        {CYC_TOKEN_X_FRAME_OPTIONS, false, CYC_SPAN_INIT("DENY")},
        {CYC_TOKEN_X_XSS_PROTECTION, false, CYC_SPAN_INIT("1; mode=block")},
        HSTS,
        {CYC_TOKEN_CONTENT_SECURITY_POLICY, false, CYC_SPAN_INIT("default-src 'self'")},
    }};

/* Breaks nothing. */
static const struct security_conf basic = {3, {NOSNIFF, REFERRER, HSTS}};

/* X-XSS-Protection 0: the old filter in browsers that still have it opens holes of its own. */
static const struct security_conf strict = {
    5,
    {
        NOSNIFF,
        REFERRER,
        HSTS,
        {CYC_TOKEN_CONTENT_SECURITY_POLICY, false,
         CYC_SPAN_INIT("default-src 'self'; frame-ancestors 'none'")},
        {CYC_TOKEN_X_XSS_PROTECTION, false, CYC_SPAN_INIT("0")},
    }};

const void *cyc_security_headers_preset(enum cyc_security_preset preset)
{
    switch (preset) {
    case CYC_SECURITY_GUIDE:
        return &guide;
    case CYC_SECURITY_BASIC:
        return &basic;
    case CYC_SECURITY_STRICT:
        return &strict;
    case CYC_SECURITY_OFF:
        break;
    }
    return NULL;
}

static enum cyc_filter_result security_on_res_head(struct cyc_filter_call *call,
                                                   struct cyc_msg *res)
{
    const struct security_conf *conf = call->conf;

    for (uint32_t i = 0; i < conf->count; i++) {
        const struct security_field *field = &conf->fields[i];
        if (field->is_tls_only && !call->exchange->is_tls)
            continue;
        if (cyc_msg_find(res, field->token) == NULL)
            cyc_msg_add_known(res, field->token, field->value);
    }
    return CYC_FILTER_CONTINUE;
}

const struct cyc_filter_vt cyc_security_headers_filter = {
    .name = "security_headers",
    .on_res_head = security_on_res_head,
};
