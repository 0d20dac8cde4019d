/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/command.h"

#include "base/arena.h"
#include "conf/load.h"
#include "net/addr.h"
#include "proxy/config.h"
#include "proxy/master.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define HEALTH_TIMEOUT_S 5

extern char **environ;

static const char *config_find(const char *config_path, struct cyc_arena *arena)
{
    if (config_path != NULL)
        return config_path;
    return cyc_load_find(arena, (const char *const *)environ);
}

int cyc_command_run(const char *config_path, int (*run)(const char *config_path))
{
    struct cyc_mem mem = {0};
    struct cyc_arena arena;

    cyc_arena_init(&arena, &mem, CYC_MEM_CONFIG, NULL, 0);
    int status = run(config_find(config_path, &arena));
    cyc_arena_fini(&arena);
    return status;
}

/** Where the admin listener of that configuration is. */
static bool admin_address(const char *config_path, struct cyc_arena *arena,
                          struct cyc_addr *ret_addr)
{
    struct cyc_config_overrides overrides = {.environment = (const char *const *)environ};
    struct cyc_span text;
    struct cyc_diag diag;

    cyc_diag_init(&diag, arena);
    config_path = config_find(config_path, arena);
    if (config_path == NULL)
        text = cyc_config_demo();
    else if (!cyc_load_file(arena, &diag, config_path, &text))
        return false;
    const struct cyc_config *config =
        cyc_config_load(arena, cyc_span_from_text(config_path), text, &overrides, &diag);
    if (config == NULL || config->admin.address_count == 0)
        return false;
    struct cyc_span address = config->admin.addresses[0];
    if (cyc_span_starts_with(address, CYC_SPAN("0.0.0.0:")))
        address = cyc_arena_format(arena, "127.0.0.1%.*s", (int)(address.len - 7), address.ptr + 7);
    return cyc_addr_parse(address, ret_addr);
}

/** One blocking request. @return the status, 0 when there was no answer */
static unsigned health_ask(const struct cyc_addr *addr)
{
    static const char request[] =
        "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    struct timeval timeout = {.tv_sec = HEALTH_TIMEOUT_S};
    char answer[64] = "";
    unsigned status = 0;

    int fd = socket(addr->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    if (connect(fd, &addr->any, addr->len) == 0 &&
        send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(request) - 1 &&
        recv(fd, answer, sizeof(answer) - 1, MSG_WAITALL) > 0)
        sscanf(answer, "HTTP/1.1 %3u", &status);
    close(fd);
    return status;
}

int cyc_command_health(const char *config_path)
{
    struct cyc_mem mem = {0};
    struct cyc_arena arena;
    struct cyc_addr addr;

    cyc_arena_init(&arena, &mem, CYC_MEM_CONFIG, NULL, 0);
    bool is_known = admin_address(config_path, &arena, &addr);
    cyc_arena_fini(&arena);
    if (!is_known) {
        fprintf(stderr, "cyclone: no admin address: the configuration has errors or no admin\n");
        return EXIT_FAILURE;
    }
    unsigned status = health_ask(&addr);
    printf("%s\n", status == 200 ? "healthy" : status == 0 ? "no answer" : "unhealthy");
    return status == 200 ? EXIT_SUCCESS : EXIT_FAILURE;
}
