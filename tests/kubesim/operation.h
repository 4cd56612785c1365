/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single operations of a scenario.
 *
 * Thread: one.
 */
#ifndef KUBESIM_OPERATION_H
#define KUBESIM_OPERATION_H

#include <jansson.h>

#include "base/error.h"

struct sim;

/* Whether there is an operation of that name. */
KS_MUST_USE ks_rc sim_operation_check(const json_t *op, struct ks_error *err);
/* Carries it out. op may be changed. */
KS_MUST_USE ks_rc sim_operation_run(struct sim *sim, json_t *op, struct ks_error *err);
/* Takes away what a create or an update of a scenario brought, if it is there. */
void sim_operation_undo(struct sim *sim, const json_t *op);

#endif
