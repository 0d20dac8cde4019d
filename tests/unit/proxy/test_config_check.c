/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/proxy/config_fixture.h"

#include <stdlib.h>
#include <unistd.h>

typedef int command_main(int argc, char **argv);

struct command_case {
    const char *args[5];
    int status;
    const char *part; /* of what it prints */
};

/** Runs a command with both outputs in a file. @param ret_out  at least 4096 bytes */
static int run(command_main *command, const char *const args[5], char *ret_out)
{
    char path[] = "/tmp/cyclone-check-XXXXXX", *argv[6];
    int file = mkstemp(path), argc = 0, out, err;

    unlink(path);
    while (argc < 5 && args[argc] != NULL) {
        argv[argc] = (char *)(uintptr_t)args[argc];
        argc++;
    }
    argv[argc] = NULL;
    fflush(stdout);
    out = dup(STDOUT_FILENO);
    err = dup(STDERR_FILENO);
    dup2(file, STDOUT_FILENO);
    dup2(file, STDERR_FILENO);
    int status = command(argc, argv);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    ssize_t len = pread(file, ret_out, 4095, 0);
    ret_out[len > 0 ? len : 0] = '\0';
    close(out);
    close(err);
    close(file);
    return status;
}

static void check_cases(command_main *command, const struct command_case *cases, size_t count)
{
    char out[4096];

    for (size_t i = 0; i < count; i++) {
        int status = run(command, cases[i].args, out);
        if (status != cases[i].status || strstr(out, cases[i].part) == NULL)
            fail_msg("case %zu: status %d, printed:\n%s", i, status, out);
    }
}

#define GOOD CYC_SOURCE_DIR "/conf/examples/edge.yaml"
#define WRONG CYC_SOURCE_DIR "/fuzz/corpus/yaml/wrong.yaml"
#define EMPTY "/dev/null"

static void config_check__status_and_formats(void **state)
{
    static const struct command_case cases[] = {
        {{"check", GOOD}, 0, "edge.yaml: good: 2 listeners, 6 routes, 3 clusters\n"},
        {{"check", "--config", GOOD}, 0, "good"},
        {{"check", "--strict", GOOD}, 0, "good"},
        {{"check", EMPTY}, 0, "warning: nothing is routed anywhere"},
        {{"check", EMPTY, "--strict"}, 78, "1 warning\n"},
        {{"check", WRONG}, 78, "wrong.yaml:2:17: error: 70000 is out of range"},
        {{"check", "--format", "json", WRONG}, 78, "\"code\":\"out-of-range\""},
        {{"check", "--format=github", WRONG}, 78, "::error file="},
        {{"check", "--format=json", GOOD}, 0, "[]\n"},
        {{"check", "/nonexistent"}, 78, "cannot be read"},
        {{"check", "--format", "xml"}, 2, "usage: cyclone check"},
        {{"check", "--format"}, 2, "usage"},
        {{"check", "--what"}, 2, "usage"},
        {{"check", GOOD, GOOD}, 2, "usage"},
    };
    (void)state;
    check_cases(cyc_config_check_command, cases, sizeof(cases) / sizeof(cases[0]));
}

static void config_check__schema_prints_what_there_is(void **state)
{
    static const struct command_case cases[] = {
        {{"schema"}, 0, "\"$schema\""},
        {{"schema", "--json"}, 0, "\"title\": \"Cyclone configuration\""},
        {{"schema", "--markdown"}, 0, "# Configuration reference"},
        {{"schema", "--env"}, 0, "CYCLONE_SERVER_PORT\n"},
        {{"schema", "--toml"}, 2, "usage: cyclone schema"},
        {{"schema", "--json", "x"}, 2, "usage"},
    };
    (void)state;
    check_cases(cyc_config_schema_command, cases, sizeof(cases) / sizeof(cases[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_check__status_and_formats),
        cmocka_unit_test(config_check__schema_prints_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
