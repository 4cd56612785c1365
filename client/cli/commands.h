/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subcommands: each is a file cmd_<name>.c that ends in one of these rows.
 *
 * Thread: main.  Owns: nothing.
 */
#ifndef KS_CLIENT_CLI_COMMANDS_H
#define KS_CLIENT_CLI_COMMANDS_H

#include "client/cli/options.h"

struct ks_command {
    const char *name;
    const char *summary;                          /* for the list */
    const char *help;                             /* the whole text of --help */
    unsigned options;                             /* KS_OPTION_* it takes */
    size_t max_args;                              /* more is a usage error */
    int (*run)(const struct ks_options *options); /* returns the exit code */
};

extern const struct ks_command ks_cmd_watch;
extern const struct ks_command ks_cmd_get;
extern const struct ks_command ks_cmd_wait;
extern const struct ks_command ks_cmd_explain;
extern const struct ks_command ks_cmd_compute;
extern const struct ks_command ks_cmd_health;
extern const struct ks_command ks_cmd_version;

#endif
