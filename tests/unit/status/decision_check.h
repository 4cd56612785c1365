/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks what is told to have decided a vector's verdict.
 *
 * Thread: one at a time.
 */
#ifndef KS_TESTS_DECISION_CHECK_H
#define KS_TESTS_DECISION_CHECK_H

#include "status/status.h"
#include "support/vectors.h"

/* Fails the test unless a comparison is told, and it holds on the object, or no field of the object
 * decided. */
void ks_decision_check(const struct ks_vector *v, ks_profile profile, struct ks_json_value object,
                       const struct ks_verdict *verdict);

#endif
