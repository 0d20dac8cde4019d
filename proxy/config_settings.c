/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the sections about the program itself: server, admin, log, access_log, metrics. */
#include "proxy/config_load.h"

#define SERVER(field) (uint32_t) offsetof(struct cyc_server_conf, field)
#define ADMIN(field) (uint32_t) offsetof(struct cyc_admin_conf, field)
#define LOG(field) (uint32_t) offsetof(struct cyc_log_conf, field)
#define ACCESS(field) (uint32_t) offsetof(struct cyc_access_log_conf, field)
#define METRICS(field) (uint32_t) offsetof(struct cyc_metrics_conf, field)

/* ---- server ---------------------------------------------------------------------------------- */

static const struct cyc_conf_word health_endpoints[] = {{"fallback", CYC_HEALTH_FALLBACK},
                                                        {"always", CYC_HEALTH_ALWAYS},
                                                        {"off", CYC_HEALTH_OFF},
                                                        {NULL, 0}};

static bool check_ip(struct cyc_arena *arena, struct cyc_span *text,
                     struct cyc_value_problem *problem)
{
    (void)arena;
    return cyc_value_is_ip(*text) ||
           cyc_value_refuse(problem, "bad-value", "\"%.*s\" is an IP address, got \"%.*s\"",
                            (int)problem->key.len, problem->key.ptr, (int)text->len, text->ptr);
}

static const struct cyc_conf_row server_rows[] = {
    {"port", CYC_CONF_U32, SERVER(port), NULL, "0", "65535",
     .doc = "Port of the implicit listener; 0: any free one. With exactly one listener in "
            "`listeners` it overrides that one's port; with more it is an error.",
     .shown = "8080"},
    {"host", CYC_CONF_TEXT, SERVER(host), "::", NULL, NULL,
     .doc = "Address of the implicit listener; `::` serves IPv4 too.", .check = check_ip,
     .type = "address"},
    {"worker_threads", CYC_CONF_U32, SERVER(worker_threads), "0", "0", "1024",
     .doc = "0 = CPUs of the affinity mask, capped by the cgroup's quota rounded up. Read at start "
            "only."},
    {"health_endpoints", CYC_CONF_ENUM, SERVER(health_endpoints), "fallback", NULL, NULL,
     .doc =
         "/health, /ready and /health/deep on traffic ports: only when no route names them, always "
         "first, or never. They are always on the admin listener.",
     .words = health_endpoints},
    {"watch", CYC_CONF_BOOL, SERVER(watch), "true", NULL, NULL,
     .doc = "Reload when the file changes."},
    {"drain_delay", CYC_CONF_DURATION, SERVER(drain_delay_ms), "5s", "0", "10m",
     .doc = "After SIGTERM: not ready, but still accepting for this long."},
    {"shutdown_grace", CYC_CONF_DURATION, SERVER(shutdown_grace_ms), "20s", "0", "1h",
     .doc = "Then requests in flight get this long. Keep drain_delay + shutdown_grace below the "
            "orchestrator's kill timeout (30 s in Kubernetes)."},
    {0},
};

const struct cyc_conf_section cyc_server_section = {
    .doc = "The process and its implicit listener.",
    .rows = server_rows,
    .later = "user",
    .has_env = true,
};

/* ---- admin ----------------------------------------------------------------------------------- */

static const struct cyc_conf_word remote_access[] = {
    {"read", CYC_REMOTE_READ}, {"none", CYC_REMOTE_NONE}, {NULL, 0}};

static const struct cyc_conf_row admin_rows[] = {
    {"enabled", CYC_CONF_BOOL, ADMIN(is_enabled), "true", NULL, NULL,
     .doc = "Whether there is an admin listener."},
    {"address", CYC_CONF_TEXTS, ADMIN(addresses), "[127.0.0.1:9090]", NULL, NULL,
     .doc = "Where it listens; may be `unix:/path`.", .count_offset = ADMIN(address_count),
     .check = cyc_conf_check_address, .type = "address"},
    {"remote_access", CYC_CONF_ENUM, ADMIN(remote_access), "read", NULL, NULL,
     .doc = "What peers may do that are neither on this host nor of our uid: read metrics and "
            "health (never "
            "the configuration), or nothing.",
     .words = remote_access, .later = "full"},
    {0},
};

const struct cyc_conf_section cyc_admin_section = {
    .doc = "The admin listener: metrics, health, state.",
    .rows = admin_rows,
    .later = "token_file tls dashboard",
    .has_env = true,
};

/* ---- logs ------------------------------------------------------------------------------------ */

static const struct cyc_conf_word levels[] = {{"trace", 0}, {"debug", 1}, {"info", 2},
                                              {"warn", 3},  {"error", 4}, {NULL, 0}};
static const struct cyc_conf_word log_formats[] = {{"auto", CYC_LOG_STYLE_AUTO},
                                                   {"json", CYC_LOG_STYLE_JSON},
                                                   {"text", CYC_LOG_STYLE_TEXT},
                                                   {NULL, 0}};
static const struct cyc_conf_word access_formats[] = {
    {"json", CYC_LOG_STYLE_JSON}, {"text", CYC_LOG_STYLE_TEXT}, {NULL, 0}};

static bool check_output(struct cyc_arena *arena, struct cyc_span *text,
                         struct cyc_value_problem *problem)
{
    (void)arena;
    if (cyc_span_equal(*text, CYC_SPAN("stdout")) || cyc_span_equal(*text, CYC_SPAN("stderr")) ||
        (text->len > 1 && text->ptr[0] == '/'))
        return true;
    if (cyc_span_equal(*text, CYC_SPAN("syslog")) || cyc_span_starts_with(*text, CYC_SPAN("udp:")))
        return cyc_value_refuse(problem, "not-yet", "\"%.*s\": not in this version yet",
                                (int)text->len, text->ptr);
    cyc_value_hint(problem, "write stdout, stderr or /path/to/file");
    return cyc_value_refuse(problem, "bad-value", "\"%.*s\" is no place for a log", (int)text->len,
                            text->ptr);
}

static const struct cyc_conf_row log_rows[] = {
    {"level", CYC_CONF_ENUM, LOG(level), "info", NULL, NULL,
     .doc = "Events below it are not written.", .words = levels},
    {"format", CYC_CONF_ENUM, LOG(format), "auto", NULL, NULL,
     .doc = "auto = text on a terminal, else json.", .words = log_formats, .later = "logfmt"},
    {"output", CYC_CONF_TEXT, LOG(output), "stderr", NULL, NULL, .doc = "stderr, stdout or a file.",
     .check = check_output},
    {0},
};

const struct cyc_conf_section cyc_log_section = {
    .doc = "The log of events.",
    .rows = log_rows,
    .has_env = true,
};

static const struct cyc_conf_row access_log_rows[] = {
    {"enabled", CYC_CONF_BOOL, ACCESS(is_enabled), "true", NULL, NULL,
     .doc = "One line a request."},
    {"output", CYC_CONF_TEXT, ACCESS(output), "stdout", NULL, NULL,
     .doc = "stdout, stderr or a file.", .check = check_output},
    {"format", CYC_CONF_ENUM, ACCESS(format), "json", NULL, NULL,
     .doc = "json has the keys of the deployment guide and more; text is one short line.",
     .words = access_formats, .later = "ecs otel combined"},
    {"sample", CYC_CONF_PERCENT, ACCESS(sample_permyriad), "100%", "0%", "100%",
     .doc = "Part of the requests that are logged; failures always are."},
    {"buffer", CYC_CONF_SIZE, ACCESS(buffer_bytes), "64KiB", "0", "16MiB",
     .doc = "For each worker. When it is full, lines are dropped and counted; nothing waits for a "
            "log."},
    {0},
};

const struct cyc_conf_section cyc_access_log_section = {
    .doc = "The log of requests.",
    .rows = access_log_rows,
    .later = "fields redact",
    .has_env = true,
};

/* ---- metrics --------------------------------------------------------------------------------- */

static const struct cyc_conf_row metrics_rows[] = {
    {"enabled", CYC_CONF_BOOL, METRICS(is_enabled), "true", NULL, NULL,
     .doc = "/metrics on the admin listener."},
    {"path", CYC_CONF_TEXT, METRICS(path), "/metrics", NULL, NULL, .doc = "Where they are.",
     .check = cyc_conf_check_path, .type = "path"},
    {"buckets", CYC_CONF_NUMBERS, METRICS(buckets_s),
     "[0.0005, 0.001, 0.0025, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5, 5, "
     "10]",
     NULL, NULL, .doc = "Latency bounds in seconds, ascending.",
     .count_offset = METRICS(bucket_count)},
    {"quantiles", CYC_CONF_BOOL, METRICS(has_quantiles), "true", NULL, NULL,
     .doc =
         "Also quantile series beside the histogram, as the deployment guide's queries use them."},
    {"strict", CYC_CONF_BOOL, METRICS(is_strict), "false", NULL, NULL,
     .doc = "Keep quantiles out of the histogram's own family: what metric linters ask for."},
    {0},
};

const struct cyc_conf_section cyc_metrics_section = {
    .doc = "Prometheus metrics.",
    .rows = metrics_rows,
    .later = "labels exemplars otlp",
    .has_env = true,
};
