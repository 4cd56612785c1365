/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kstatus version`.
 *
 * Thread: main.
 */
#include "client/cli/commands.h"

#include "client/cli/report.h"

static int run(const struct ks_options *options)
{
    (void)options; /* has none */
    return ks_report_write(KS_LIT("kstatus " KS_VERSION "\n")) ? KS_EXIT_OK : KS_EXIT_BAD;
}

const struct ks_command ks_cmd_version = {
    .name = "version",
    .summary = "print the version of this program",
    .help = "Usage: kstatus version\n"
            "\n"
            "Prints the version of this program. It asks no server.\n",
    .run = run,
};
