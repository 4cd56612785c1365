/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What decided a verdict, for people and as data.
 *
 * Thread: any.  Owns: nothing.
 */
#ifndef KS_CLIENT_CLI_DECIDED_H
#define KS_CLIENT_CLI_DECIDED_H

#include "base/base.h"
#include "base/str.h"
#include "status/decision.h"

/* "  decided by  status.readyReplicas 2 < spec.replicas 3, at generation 7"; nothing when nothing
 * decided. */
KS_MUST_USE ks_rc ks_decided_append(struct ks_buf *out, const struct ks_decision *decision,
                                    const struct ks_verdict *verdict);
/* The member "decidedBy" of an object that is open in out; left out when nothing decided. */
KS_MUST_USE ks_rc ks_decided_append_json(struct ks_buf *out, const struct ks_decision *decision);

#endif
