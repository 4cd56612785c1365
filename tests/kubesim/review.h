/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reviews: questions about identities and rights, POSTed like objects and answered at once.
 *
 * Thread: one.
 */
#ifndef KUBESIM_REVIEW_H
#define KUBESIM_REVIEW_H

#include "reply.h"

void sim_review(struct sim_call *call);

#endif
