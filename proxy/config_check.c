/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cyclone check` loads a configuration, says what is wrong with it, and starts nothing.
 * `cyclone schema` prints what there is to configure.
 */
#include "conf/env.h"
#include "conf/manual.h"
#include "proxy/config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define EXIT_CONFIG 78 /* EX_CONFIG of sysexits.h */

struct check_options {
    const char *path;
    enum cyc_diag_format format;
    bool is_strict;
};

static bool parse_format(const char *name, struct check_options *options)
{
    static const char *const names[] = {
        [CYC_DIAG_TEXT] = "text", [CYC_DIAG_JSON] = "json", [CYC_DIAG_GITHUB] = "github"};

    for (unsigned i = 0; name != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) != 0)
            continue;
        options->format = (enum cyc_diag_format)i;
        return true;
    }
    return false;
}

static bool parse_options(int argc, char **argv, struct check_options *options)
{
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (strcmp(arg, "--strict") == 0)
            options->is_strict = true;
        else if (strncmp(arg, "--format=", 9) == 0) {
            if (!parse_format(arg + 9, options))
                return false;
        } else if (strcmp(arg, "--format") == 0) {
            if (!parse_format(i + 1 < argc ? argv[++i] : NULL, options))
                return false;
        } else if (strcmp(arg, "--config") == 0 && i + 1 < argc)
            options->path = argv[++i];
        else if (arg[0] == '-' || options->path != NULL)
            return false;
        else
            options->path = arg;
    }
    return true;
}

static void print(struct cyc_span text)
{
    fwrite(text.ptr, 1, text.len, stdout);
}

static void print_summary(const struct cyc_config *config)
{
    struct cyc_span file =
        config->file_path.len > 0 ? config->file_path : CYC_SPAN("(built-in, no file was found)");

    printf("%.*s: good: %u listener%s, %u route%s, %u cluster%s\n", (int)file.len, file.ptr,
           config->listener_count, config->listener_count == 1 ? "" : "s", config->route_count,
           config->route_count == 1 ? "" : "s", config->cluster_count,
           config->cluster_count == 1 ? "" : "s");
}

int cyc_config_check_command(int argc, char **argv)
{
    struct check_options options = {.path = NULL};
    struct cyc_mem mem = {.limit_bytes = 0};
    struct cyc_arena arena, messages;
    struct cyc_diag diag;
    const struct cyc_config_overrides overrides = {(const char *const *)environ};

    if (!parse_options(argc, argv, &options)) {
        fputs("usage: cyclone check [FILE] [--format text|json|github] [--strict]\n", stderr);
        return EXIT_USAGE;
    }
    cyc_arena_init(&arena, &mem, CYC_MEM_CONFIG, NULL, 0);
    cyc_arena_init(&messages, &mem, CYC_MEM_CONFIG, NULL, 0);
    cyc_diag_init(&diag, &messages);
    const struct cyc_config *config = cyc_config_load_path(&arena, options.path, &overrides, &diag);
    print(cyc_diag_render(&diag, &messages, options.format));
    if (config != NULL && options.format == CYC_DIAG_TEXT)
        print_summary(config);
    bool is_good = config != NULL && (!options.is_strict || diag.warning_count == 0);
    cyc_arena_fini(&arena);
    cyc_arena_fini(&messages);
    return is_good ? 0 : EXIT_CONFIG;
}

int cyc_config_schema_command(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "--json";
    struct cyc_mem mem = {.limit_bytes = 0};
    struct cyc_arena arena;
    struct cyc_text text;
    int status = 0;

    cyc_arena_init(&arena, &mem, CYC_MEM_CONFIG, NULL, 0);
    cyc_text_init(&text, &arena);
    if (strcmp(what, "--json") == 0 && argc <= 2)
        cyc_schema_write(&text, &cyc_config_section);
    else if (strcmp(what, "--markdown") == 0 && argc <= 2)
        cyc_manual_write(&text, &cyc_config_section);
    else if (strcmp(what, "--env") == 0 && argc <= 2)
        cyc_env_list(&text, &cyc_config_section);
    else
        status = EXIT_USAGE;
    if (status == 0)
        print(cyc_text_span(&text));
    else
        fputs("usage: cyclone schema [--json|--markdown|--env]\n", stderr);
    cyc_arena_fini(&arena);
    return status;
}
