/* SPDX-License-Identifier: Apache-2.0 */
/*
 * argv -> config -> app -> exit status: 0 after a drain, 1 when it cannot run, 2 when the command
 * line is wrong.
 *
 * Thread: main.
 */
#include <stdio.h>

#include "base/error.h"
#include "server/app.h"
#include "server/config.h"

int main(int argc, char **argv)
{
    struct ks_config config;
    struct ks_error err = {0};

    if (ks_config_parse(argc, argv, &config, &err)) {
        fprintf(stderr, "kstatusd: %s\n", err.msg);
        return 2;
    }
    switch (config.action) {
    case KS_CONFIG_HELP:
        return fputs(ks_config_usage, stdout) < 0;
    case KS_CONFIG_VERSION:
        return printf("kstatusd %s\n", KS_VERSION) < 0;
    case KS_CONFIG_RUN:
    default:
        break;
    }
    if (ks_app_run(&config, &err)) {
        fprintf(stderr, "kstatusd: %s\n", err.msg);
        return 1;
    }
    return 0;
}
