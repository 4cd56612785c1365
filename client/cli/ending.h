/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a wait ended: the outcomes of its calls as one, in words and as JSON.
 *
 * Thread: one at a time.  Owns: copies of the outcomes.  Limits: KS_CALLS_MAX calls.  The zero
 * value is ready.
 */
#ifndef KS_CLIENT_CLI_ENDING_H
#define KS_CLIENT_CLI_ENDING_H

#include <stdbool.h>
#include <stdint.h>

#include <kstatus/v1/status_service.pb-c.h>

#include "base/base.h"
#include "base/str.h"

#include "client/cli/options.h"
#include "client/cli/targets.h"

/* What a call can have in the way, and that of all. */
#define KS_ENDING_BLOCKING_MAX (64 * (size_t)KS_CALLS_MAX)

struct ks_ending {
    /* public */
    size_t count; /* outcomes that were added */
    Kstatus__V1__Outcome__Verdict verdict;
    /* private */
    Kstatus__V1__Outcome outcome;
    Kstatus__V1__Counts counts;
    Kstatus__V1__Outcome *copies[KS_CALLS_MAX];
    Kstatus__V1__ResourceStatus *blocking[KS_ENDING_BLOCKING_MAX];
};

/* KS_RC_NOMEM, or KS_RC_LIMIT after KS_CALLS_MAX of them. */
KS_MUST_USE ks_rc ks_ending_add(struct ks_ending *ending, const Kstatus__V1__Outcome *outcome);
void ks_ending_fini(struct ks_ending *ending);

/* The exit code. */
int ks_ending_code(const struct ks_ending *ending);
/* "reached after 12s: all are Current (5 objects: 5 Current)" and what was in the way, with its
 * causes. */
KS_MUST_USE ks_rc ks_ending_append_text(struct ks_buf *out, const struct ks_ending *ending,
                                        const struct ks_options *options,
                                        const struct ks_targets *targets, int64_t took_ms);
/* The merged kstatus.v1.Outcome, as one line. */
KS_MUST_USE ks_rc ks_ending_append_json(struct ks_buf *out, struct ks_ending *ending);

/* "all are Current": what is waited for. */
const char *ks_ending_goal_text(ks_wait_goal goal);

#endif
