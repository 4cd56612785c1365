/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kstatus health`: one grpc.health.v1 check, for container health checks and for people.
 *
 * Thread: main.
 */
#include "client/cli/commands.h"

#include "client/cli/dial.h"
#include "client/cli/report.h"

#define TIMEOUT_MS 5000

static int run(const struct ks_options *options)
{
    struct kstatus_client *client = ks_dial_open(options);
    int64_t timeout_ms = options->timeout_ms >= 0 ? options->timeout_ms : TIMEOUT_MS;
    struct kstatus_error error;
    int code;

    if (!client)
        return KS_EXIT_LOST;
    code = kstatus_check_health(client, timeout_ms, &error);
    kstatus_client_free(client);
    if (code != KSTATUS_OK) {
        (void)ks_dial_explain(options, &error,
                              KS_DIAL_CALL); /* whatever it was, it is not healthy */
        return KS_EXIT_LOST;
    }
    return ks_report_write(KS_LIT("serving\n")) ? KS_EXIT_OK : KS_EXIT_BAD;
}

const struct ks_command ks_cmd_health = {
    .name = "health",
    .summary = "ask whether kstatusd serves",
    .help = "Usage: kstatus health [OPTION]...\n"
            "\n"
            "Asks kstatusd whether it serves (grpc.health.v1). Prints `serving` and exits with\n"
            "0, or says what is wrong and exits with 4.\n"
            "\n"
            "  -s, --server ADDR         kstatusd's address (default: $KSTATUS_SERVER,\n"
            "                            else " KS_DEFAULT_SERVER ")\n"
            "      --timeout DURATION    give up after this long (default 5s)\n"
            "  -h, --help                show this\n",
    .options = KS_OPTION_SERVER | KS_OPTION_TIMEOUT,
    .run = run,
};
