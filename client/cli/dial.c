/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table says what each code of a call means to the user of a command line: the exit code, and
 * what to do.
 *
 * Thread: main.
 */
#include "client/cli/dial.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/cli/report.h"

struct kstatus_client *ks_dial_open(const struct ks_options *options)
{
    const struct kstatus_client_config config = {
        .size = sizeof(config), .address = options->server, .user_agent = "kstatus/" KS_VERSION};
    struct kstatus_client *client = NULL;
    struct kstatus_error error;

    /* gRPC would write its own lines about connections into the table. */
    (void)setenv("GRPC_VERBOSITY", "NONE", /* overwrite= */ 0); /* fails only without memory */
    if (kstatus_client_new(&config, &client, &error) != KSTATUS_OK)
        ks_report_complain("%s", error.message);
    return client;
}

static int explain_unreachable(const struct ks_options *options, const struct kstatus_error *error,
                               ks_dial_phase phase)
{
    if (phase == KS_DIAL_STREAM) {
        ks_report_complain("lost the stream from kstatusd at %s: %s", options->server,
                           error->message);
        return KS_EXIT_LOST;
    }
    ks_report_complain("cannot reach kstatusd at %s: %s", options->server, error->message);
    fprintf(stderr, "Is kstatusd running there? Name another address with --server HOST:PORT or "
                    "KSTATUS_SERVER.\n");
    return KS_EXIT_LOST;
}

int ks_dial_explain(const struct ks_options *options, const struct kstatus_error *error,
                    ks_dial_phase phase)
{
    switch (error->code) {
    case KSTATUS_INVALID_ARGUMENT:
        ks_report_complain("the server refuses the request: %s", error->message);
        return KS_EXIT_USAGE;
    case KSTATUS_UNIMPLEMENTED:
        ks_report_complain("kstatusd at %s cannot do this: %s", options->server, error->message);
        return KS_EXIT_USAGE;
    case KSTATUS_PERMISSION_DENIED:
    case KSTATUS_UNAUTHENTICATED:
        ks_report_complain("kstatusd at %s does not allow this: %s", options->server,
                           error->message);
        return KS_EXIT_BAD;
    case KSTATUS_DEADLINE_EXCEEDED:
        ks_report_complain("kstatusd at %s did not answer in time", options->server);
        return KS_EXIT_LOST;
    case KSTATUS_OK:
        ks_report_complain("kstatusd at %s ended the stream", options->server);
        return KS_EXIT_LOST;
    case KSTATUS_UNAVAILABLE:
        return explain_unreachable(options, error, phase);
    default:
        ks_report_complain("the call to kstatusd at %s failed: %s (code %d)", options->server,
                           error->message, error->code);
        return KS_EXIT_LOST;
    }
}
