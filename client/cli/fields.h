/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields of an object that the rules for its kind look at, with their values.
 *
 * Thread: main.  Owns: nothing.
 */
#ifndef KS_CLIENT_CLI_FIELDS_H
#define KS_CLIENT_CLI_FIELDS_H

#include "base/base.h"
#include "base/str.h"
#include "status/decision.h"

#include "client/cli/judge.h"

/* One paragraph, without those that decided; nothing when none is left. */
KS_MUST_USE ks_rc ks_fields_append(struct ks_buf *out, const struct ks_subject *subject,
                                   const struct ks_decision *decision);
/* All, as the member "fields" of an object that is open in out; one that is absent is null. */
KS_MUST_USE ks_rc ks_fields_append_json(struct ks_buf *out, const struct ks_subject *subject);

#endif
