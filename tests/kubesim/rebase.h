/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recorded objects moved to the present: their times, and their uids from the second round of a
 * loop on.
 *
 * Thread: any.  Limits: REBASE_DEPTH_MAX values waiting to be looked at; a tree that needs more is
 * left half done.
 */
#ifndef KUBESIM_REBASE_H
#define KUBESIM_REBASE_H

#include <stdint.h>

#include <jansson.h>

struct sim_rebase {
    int64_t from_ms; /* wall clock when the recording began; INT64_MIN: times stay */
    int64_t to_ms;   /* wall clock when the replay began */
    double speed;
    uint64_t round; /* 0: uids stay */
};

void sim_rebase_apply(const struct sim_rebase *r, json_t *value);
/* The latest time in the tree; INT64_MIN when there is none. */
int64_t sim_rebase_latest(json_t *value);

#endif
