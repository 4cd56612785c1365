/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why an object's verdict is what it is: what decided it and what it rests on, the other fields
 * that the rules for its kind look at, the conditions, and the causes with what usually mends them.
 *
 * Thread: main.  Owns: nothing.
 */
#ifndef KS_CLIENT_CLI_EXPLAIN_H
#define KS_CLIENT_CLI_EXPLAIN_H

#include "base/base.h"
#include "base/str.h"
#include "status/cause.h"
#include "status/decision.h"
#include "status/status.h"

#include "client/cli/judge.h"

/* Why it is not Current, as far as the object itself tells; empty for what is. */
KS_MUST_USE ks_rc ks_explain_read_causes(const struct ks_subject *subject,
                                         const struct ks_judgement *judgement,
                                         struct ks_causes *out);

/* The parts of the texts below, for who has causes from elsewhere too: the facts (as JSON: an
 * object that is left open), then the causes. */
KS_MUST_USE ks_rc ks_explain_append_facts(struct ks_buf *out, const struct ks_subject *subject,
                                          ks_profile profile, const struct ks_judgement *judgement);
KS_MUST_USE ks_rc ks_explain_append_causes(struct ks_buf *out, const struct ks_causes *causes);
KS_MUST_USE ks_rc ks_explain_append_json_facts(struct ks_buf *out, const struct ks_subject *subject,
                                               ks_profile profile,
                                               const struct ks_judgement *judgement);
KS_MUST_USE ks_rc ks_explain_append_json_causes(struct ks_buf *out, const struct ks_causes *causes);

/* The same parts of a verdict that comes from a server. Conditions stand together, the first with
 * its label set by the caller; JSON members go into an object that is open in out. */
struct ks_told {
    ks_profile profile;
    struct ks_str kind;
    const struct ks_verdict *verdict;
    const struct ks_decision *decision; /* its comparison is empty: none */
};
KS_MUST_USE ks_rc ks_explain_append_verdict(struct ks_buf *out, const struct ks_told *told);
KS_MUST_USE ks_rc ks_explain_append_condition(struct ks_buf *out,
                                              const struct ks_condition *condition);
KS_MUST_USE ks_rc ks_explain_append_json_numbers(struct ks_buf *out,
                                                 const struct ks_verdict *verdict);
KS_MUST_USE ks_rc ks_explain_append_json_condition(struct ks_buf *out,
                                                   const struct ks_condition *condition);

/* A paragraph of lines that fit in 80 columns, words permitting. */
KS_MUST_USE ks_rc ks_explain_append_text(struct ks_buf *out, const struct ks_subject *subject,
                                         ks_profile profile, const struct ks_judgement *judgement);
/* The same as one line of JSON. */
KS_MUST_USE ks_rc ks_explain_append_json(struct ks_buf *out, const struct ks_subject *subject,
                                         ks_profile profile, const struct ks_judgement *judgement);

#endif
