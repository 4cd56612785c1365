/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several Watch streams as if they were one: the server takes so many targets in a call, people
 * give more.
 *
 * Thread: one at a time.  Owns: the merged Synced.  Limits: KS_CALLS_MAX streams.  The zero value
 * with call_count set is ready.
 */
#ifndef KS_CLIENT_CLI_MERGE_H
#define KS_CLIENT_CLI_MERGE_H

#include <stdbool.h>
#include <stddef.h>

#include <kstatus/v1/status_service.pb-c.h>

#include "base/base.h"

#include "client/cli/targets.h"

struct ks_merge {
    size_t call_count;
    size_t synced_count;
    bool is_accepted;
    bool is_draining;
    Kstatus__V1__Counts counts;
    Kstatus__V1__Synced synced;
    Kstatus__V1__Event event;
};

/* The event to be shown for this one, lent until the next call; NULL: none. */
const Kstatus__V1__Event *ks_merge_take(struct ks_merge *merge, const Kstatus__V1__Event *event);

/* Adds a part's counts to those of the whole. part may be NULL. */
void ks_counts_add(Kstatus__V1__Counts *whole, const Kstatus__V1__Counts *part);
/* The aggregate of two sets by theirs, as the server would have it. */
Kstatus__V1__ReconcileStatus ks_aggregate_join(Kstatus__V1__ReconcileStatus a,
                                               Kstatus__V1__ReconcileStatus b);

#endif
