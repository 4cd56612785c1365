/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands ask of a server beside their targets, and what they can do without: an older
 * server refuses what it does not know.
 *
 * Thread: main.  Owns: nothing.
 */
#ifndef KS_CLIENT_CLI_ASK_H
#define KS_CLIENT_CLI_ASK_H

#include <stdbool.h>

#include "client/cli/options.h"
#include "kstatus.h"

/* The zero value asks for everything. */
struct ks_ask {
    bool lacks_causes;
};

/* Fills out; its strings are static. */
void ks_ask_options(const struct ks_ask *ask, const struct ks_options *options,
                    Kstatus__V1__WatchOptions *out);
/*
 * Whether a call that ended with this error is to be made again, with less: the server refuses
 * something that it can do without. asked is what the call had asked for. What will be missing is
 * said on stderr, once.
 */
bool ks_ask_less(struct ks_ask *ask, const struct ks_ask *asked, const struct ks_options *options,
                 const struct kstatus_error *error);

#endif
