/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/load.h"

#include "conf/env.h"
#include "conf/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

const char *cyc_load_find(struct cyc_arena *arena, const char *const *environment)
{
    static const char *const usual[] = {"cyclone.yaml", "/etc/cyclone/cyclone.yaml",
                                        "/etc/cyclone/config.yaml"};
    struct cyc_span named;

    if (cyc_env_find(environment, CYC_SPAN("CYCLONE_CONFIG"), &named) && named.len > 0)
        return cyc_arena_copy(arena, named).ptr;
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
        if (access(usual[i], F_OK) == 0)
            return usual[i];
    return NULL;
}

static bool report_file(struct cyc_diag *diag, const char *path, const char *what)
{
    struct cyc_conf_mark mark = {path, 0, 0, 0};

    cyc_diag_error(diag, &mark, "file", "cannot be read: %s", what);
    return false;
}

/** The sections and keys are the same, so one sentence says how to go on. */
static bool report_toml(struct cyc_diag *diag, const char *path)
{
    struct cyc_conf_mark mark = {path, 0, 0, 0};
    int stem_len = (int)(strlen(path) - strlen(".toml"));

    cyc_diag_hint(
        diag, cyc_diag_error(diag, &mark, "file", "this version reads YAML, not TOML"),
        "write %.*s.yaml with the same sections and keys: \"[server]\" becomes \"server:\", "
        "\"port = 8080\" becomes \"  port: 8080\"",
        stem_len, path);
    return false;
}

/** @return 0 or a negative errno; -EFBIG above the limit */
static int read_all(struct cyc_arena *arena, int fd, struct cyc_span *ret_text)
{
    size_t capacity = 64 * 1024, len = 0;
    char *bytes = cyc_arena_alloc(arena, capacity);

    for (;;) {
        ssize_t got = read(fd, bytes + len, capacity - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        len += (size_t)got;
        if (len > CYC_TREE_BYTES_MAX)
            return -EFBIG;
        if (len == capacity) {
            char *grown = cyc_arena_alloc(arena, capacity * 2);
            memcpy(grown, bytes, len);
            bytes = grown;
            capacity *= 2;
        }
    }
    *ret_text = cyc_span_of(bytes, len);
    return 0;
}

bool cyc_load_file(struct cyc_arena *arena, struct cyc_diag *diag, const char *path,
                   struct cyc_span *ret_text)
{
    if (cyc_span_ends_with_nocase(cyc_span_from_text(path), CYC_SPAN(".toml")))
        return report_toml(diag, path);

    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return report_file(diag, path, strerror(errno));
    int err = read_all(arena, fd, ret_text);
    close(fd);
    return err == 0 || report_file(diag, path, strerror(-err));
}
