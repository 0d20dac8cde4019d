/* SPDX-License-Identifier: Apache-2.0 */
/* The composition root: the command line, and who is put together with whom. */
#include "admin/admin.h"
#include "conf/load.h"
#include "proxy/command.h"
#include "proxy/master.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_USAGE 2

extern char **environ;

static const char usage_text[] =
    "usage: cyclone [run] [--config FILE]    start the gateway (without a file: demo mode)\n"
    "       cyclone check [FILE]             check a configuration; exit status 78 when it has "
    "errors\n"
    "       cyclone schema [--json|--markdown|--env]\n"
    "                                        what a configuration may say\n"
    "       cyclone health [--config FILE]   ask a running gateway how it is; exit status 0 or 1\n"
    "       cyclone --version | --help\n";

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},
    {"version", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int say_version(void)
{
    printf("cyclone %s (%s)\n", CYC_VERSION, CYC_REVISION);
    return EXIT_SUCCESS;
}

/** The first thing somebody sees who starts Cyclone with nothing. */
static void say_demo(const struct cyc_master *master, const struct cyc_admin *admin)
{
    char traffic[CYC_ADDR_TEXT_BYTES_MAX], metrics[CYC_ADDR_TEXT_BYTES_MAX], *colon;
    size_t len = cyc_addr_format(&master->listeners[0].actual, traffic);
    size_t metrics_len = cyc_admin_format_address(admin, metrics);

    traffic[len < sizeof(traffic) ? len : sizeof(traffic) - 1] = '\0';
    colon = strrchr(traffic, ':');
    const char *port = colon != NULL ? colon + 1 : "8080";
    printf(
        "cyclone %s: no configuration found, so this is demo mode: traffic on port %s goes to a\n"
        "built-in service that says what it received. I/O engine: %s. Try\n\n"
        "    curl -i http://localhost:%s/hello\n"
        "    curl -i http://localhost:%s/status/503\n"
        "    curl http://%.*s/metrics\n\n"
        "To put it in front of a service on port 3000, write  upstream: 127.0.0.1:3000\n"
        "into cyclone.yaml and start  cyclone --config cyclone.yaml\n\n",
        CYC_VERSION, port, master->shared.io_choice.backend == CYC_IO_URING ? "io_uring" : "epoll",
        port, port, (int)metrics_len, metrics);
    fflush(stdout);
}

static int run(const char *config_path)
{
    static struct cyc_master master; /* one process, one master; too large for the stack */
    struct cyc_admin *admin = NULL;

    int status = cyc_master_start(&master, &(struct cyc_master_options){
                                               .config_path = config_path,
                                               .environment = (const char *const *)environ,
                                           });
    if (status != 0)
        return status;
    bool is_admin_up = cyc_admin_start(&master, &admin);
    if (!is_admin_up) { /* asked twice, it ends at once */
        cyc_master_drain(&master, false);
        cyc_master_drain(&master, false);
    } else if (config_path == NULL) {
        say_demo(&master, admin);
    }
    status = cyc_master_loop(&master);
    cyc_admin_stop(admin);
    bool has_timed_out = master.has_timed_out;
    cyc_master_fini(&master);
    return has_timed_out || !is_admin_up ? EXIT_FAILURE : status;
}

static int command_start(int argc, char **argv)
{
    bool is_health = strcmp(argv[0], "health") == 0;
    const char *config_path = NULL;
    int option;

    while ((option = getopt_long(argc, argv, "c:vh", options, NULL)) != -1) {
        if (option == 'c')
            config_path = optarg;
        else if (option == 'v')
            return say_version();
        else
            return fputs(usage_text, option == 'h' ? stdout : stderr),
                   option == 'h' ? EXIT_SUCCESS : EXIT_USAGE;
    }
    if (optind < argc) {
        fprintf(stderr, "cyclone: unknown argument \"%s\"\n%s", argv[optind], usage_text);
        return EXIT_USAGE;
    }
    return is_health ? cyc_command_health(config_path) : cyc_command_run(config_path, run);
}

/** Subcommands; without one, "run". */
static const struct {
    const char *name;
    int (*execute)(int argc, char **argv); /* argv[0] is the name */
} commands[] = {
    {"run", command_start},
    {"health", command_start},
    {"check", cyc_config_check_command},
    {"schema", cyc_config_schema_command},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].execute(argc - 1, argv + 1);
    return command_start(argc, argv);
}
