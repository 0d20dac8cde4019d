/* SPDX-License-Identifier: Apache-2.0 */
/* Subcommands of the program, each with its exit status. */
#ifndef CYC_PROXY_COMMAND_H
#define CYC_PROXY_COMMAND_H

/** Asks the admin listener of `config_path` (NULL: the default places) for /health. */
int cyc_command_health(const char *config_path);
/** Finds the configuration file when none is named, then runs. */
int cyc_command_run(const char *config_path, int (*run)(const char *config_path));

#endif
