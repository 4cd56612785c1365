/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answers of the server to one question about all targets: a call for each part of them.
 *
 * Thread: main.  Owns: the answers.  Limits: KS_CALLS_MAX calls.
 */
#ifndef KS_CLIENT_CLI_SNAPSHOT_H
#define KS_CLIENT_CLI_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/base.h"

#include "client/cli/ask.h"
#include "client/cli/options.h"
#include "client/cli/targets.h"
#include "kstatus.h"

struct ks_snapshot {
    Kstatus__V1__GetResponse *at[KS_CALLS_MAX];
    size_t count;
    struct ks_ask ask; /* what was asked for */
};

/* Asks, causes included, and complains when that fails. Returns an exit code; ks_snapshot_fini is
 * due whatever it is. */
KS_MUST_USE int ks_snapshot_take(const struct ks_options *options, struct ks_targets *targets,
                                 struct ks_snapshot *out);
void ks_snapshot_fini(struct ks_snapshot *snapshot);

/* Whether an object is Failed, Unknown or NotFound, or a target cannot be read. */
bool ks_snapshot_is_bad(const struct ks_snapshot *snapshot);

#endif
