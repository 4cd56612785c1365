/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reaching the server, and what is said when that fails.
 *
 * Thread: main.  Owns: the client it hands out (kstatus_client_free).
 */
#ifndef KS_CLIENT_CLI_DIAL_H
#define KS_CLIENT_CLI_DIAL_H

#include "base/base.h"

#include "client/cli/options.h"
#include "kstatus.h"

/* NULL after a complaint. */
KS_MUST_USE struct kstatus_client *ks_dial_open(const struct ks_options *options);

typedef enum {
    KS_DIAL_CALL,   /* nothing had come yet */
    KS_DIAL_STREAM, /* it had worked before */
} ks_dial_phase;
/* Complains about what a call or a stream ended with; returns the exit code. */
int ks_dial_explain(const struct ks_options *options, const struct kstatus_error *error,
                    ks_dial_phase phase);

#endif
