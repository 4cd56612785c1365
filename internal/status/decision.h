/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What decided a verdict: the one field, or the one comparison of two, after which the rule looked
 * no further; as a person would point at it.
 *
 *     status.readyReplicas 2 < spec.replicas 3        status.phase is Pending
 *
 * It is found after the verdict, from its reason and a table (decision_table.h), so that a verdict
 * costs nothing for it; and what is given out has been looked up in the object and holds there.
 *
 * Thread: the document's.  Owns: nothing.  Limits: values are cut at KS_DECISION_VALUE_MAX bytes.
 */
#ifndef KS_STATUS_DECISION_H
#define KS_STATUS_DECISION_H

#include <stdbool.h>

#include "json/json.h"
#include "status/status.h"

#define KS_DECISION_FIELD_MAX 160
#define KS_DECISION_VALUE_MAX 120

struct ks_decision {
    char field[KS_DECISION_FIELD_MAX];       /* "status.conditions[Ready].status" */
    char value[KS_DECISION_VALUE_MAX];       /* a number as it was counted; "absent" */
    const char *comparison;                  /* static: "is", or "<", ">", ">=", "=", "!=" */
    char other_field[KS_DECISION_FIELD_MAX]; /* empty: compared with nothing */
    char other_value[KS_DECISION_VALUE_MAX];
};

/* The same as borrowed views. */
struct ks_decision_view {
    struct ks_str field;
    struct ks_str value;
    struct ks_str comparison;
    struct ks_str other_field;
    struct ks_str other_value;
};
struct ks_decision_view ks_decision_view(const struct ks_decision *decision);

/*
 * False when no field of the object decided: the kind needs none, the verdict is assumed, or other
 * objects made it (Pods, Events). kind as for the verdict; verdict must have been computed, from
 * this object, with this profile.
 */
bool ks_decision_read(struct ks_json_value object, const struct ks_status_kind *kind,
                      ks_profile profile, const struct ks_verdict *verdict,
                      struct ks_decision *out);

#endif
