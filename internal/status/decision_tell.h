/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to internal/status: what the finders of a decision get, and how they tell one.
 *
 * Thread: the document's.  Owns: nothing.
 */
#ifndef KS_STATUS_DECISION_TELL_H
#define KS_STATUS_DECISION_TELL_H

#include "status/decision.h"

struct ks_asked {
    struct ks_json_value object;
    const struct ks_status_kind *kind;
    const struct ks_verdict *verdict;
    bool is_strict;
};

/* The value at the path; ABSENT when there is none. "" is the object itself. */
struct ks_json_value ks_asked_find(const struct ks_asked *a, const char *path);

/* "FIELD is VALUE". Always true, for the end of a finder. */
bool ks_decision_tell(struct ks_decision *out, const char *field, struct ks_json_value v);
/* The same of a member of a list's element that has a name: "LIST[NAME].MEMBER"; member
 * NULL: of the element itself. */
bool ks_decision_tell_element(struct ks_decision *out, const char *list, struct ks_str name,
                              const char *member, struct ks_json_value v);
void ks_decision_value(char to[KS_DECISION_VALUE_MAX], struct ks_json_value v);

/* False: found nothing. */
bool ks_decision_from_row(const struct ks_asked *a, struct ks_decision *out);
bool ks_decision_from_condition(const struct ks_asked *a, struct ks_decision *out);
bool ks_decision_from_member(const struct ks_asked *a, struct ks_decision *out);

#endif
