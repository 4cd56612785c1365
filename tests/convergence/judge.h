/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judge: the verdict on a state that kubesim's store holds, or held, by the `status` layer alone;
 * and whether that is what a client was told.
 *
 * Thread: the loop's.  Owns: nothing; a judgement is good until the next one.
 */
#ifndef CONVERGENCE_JUDGE_H
#define CONVERGENCE_JUDGE_H

#include <kstatus/v1/status_service.pb-c.h>

#include "status/status.h"

#include "convergence/world.h"

struct judgement {
    ks_rc rc; /* not OK: it cannot be computed */
    struct ks_verdict verdict;
    struct ks_error err;
};

/* By itself. */
void judge_alone(struct world *w, int species, const struct sim_rev *rev, int64_t wall_ms,
                 struct judgement *out);
/* With what the store now holds of its members. */
void judge_now(struct world *w, int species, const struct sim_rev *rev, struct judgement *out);
/* NULL: it is; otherwise the name of what differs. */
const char *judge_difference(const struct judgement *j, const Kstatus__V1__ResourceStatus *told);

#endif
