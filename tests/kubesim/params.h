/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which combinations of list and watch parameters are valid.
 *
 * Thread: any.
 */
#ifndef KUBESIM_PARAMS_H
#define KUBESIM_PARAMS_H

#include <stdbool.h>

#include "reply.h"

/* false, and answered with 422, when they contradict each other. */
bool sim_params_check_list(struct sim_call *call);
bool sim_params_check_watch(struct sim_call *call);

#endif
