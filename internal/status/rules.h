/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to internal/status: what a rule gets, how it gives its verdict, and the rules themselves.
 *
 * A rule reads the subject and ends with exactly one ks_verdict_* call, or with KS_RC_INVALID where
 * the reference fails too. It never looks at steps 1 to 3 of the algorithm (deletion, generation,
 * standard conditions): they have passed when it is called.
 *
 * Thread: the document's.  Owns: nothing.
 */
#ifndef KS_STATUS_RULES_H
#define KS_STATUS_RULES_H

#include <stdarg.h>

#include "status/status.h"

struct ks_subject {
    struct ks_json_value object;
    struct ks_json_value conditions; /* a list whose elements are proved readable, or ABSENT */
    struct ks_str kind;
    int64_t now_wall_ms;
};

typedef ks_rc (*ks_rule)(const struct ks_subject *subject, struct ks_verdict *out,
                         struct ks_error *err);

/* Steps 1 to 3. out->status stays UNSPECIFIED when they decide nothing; then *subject is ready for
 * a rule. */
KS_MUST_USE ks_rc ks_rule_generic(struct ks_subject *subject, struct ks_verdict *out,
                                  struct ks_error *err);
/* Steps 5 and 6, for kinds without a rule. */
ks_rc ks_rule_fallback(const struct ks_subject *subject, struct ks_verdict *out,
                       struct ks_error *err);

ks_rc ks_rule_always_current(const struct ks_subject *subject, struct ks_verdict *out,
                             struct ks_error *err);
ks_rc ks_rule_claim(const struct ks_subject *subject, struct ks_verdict *out, struct ks_error *err);
ks_rc ks_rule_daemon_set(const struct ks_subject *subject, struct ks_verdict *out,
                         struct ks_error *err);
ks_rc ks_rule_deployment(const struct ks_subject *subject, struct ks_verdict *out,
                         struct ks_error *err);
ks_rc ks_rule_disruption_budget(const struct ks_subject *subject, struct ks_verdict *out,
                                struct ks_error *err);
ks_rc ks_rule_job(const struct ks_subject *subject, struct ks_verdict *out, struct ks_error *err);
ks_rc ks_rule_pod(const struct ks_subject *subject, struct ks_verdict *out, struct ks_error *err);
ks_rc ks_rule_replica_set(const struct ks_subject *subject, struct ks_verdict *out,
                          struct ks_error *err);
ks_rc ks_rule_resource_definition(const struct ks_subject *subject, struct ks_verdict *out,
                                  struct ks_error *err);
ks_rc ks_rule_service(const struct ks_subject *subject, struct ks_verdict *out,
                      struct ks_error *err);
ks_rc ks_rule_stateful_set(const struct ks_subject *subject, struct ks_verdict *out,
                           struct ks_error *err);

/* One field of a condition, absent and null ones empty. */
struct ks_str ks_condition_text(struct ks_json_value condition, const char *name);
/* The four fields of a condition, absent and null ones empty; false when v is ABSENT: the end of
 * the list. */
bool ks_condition_read(struct ks_json_value v, struct ks_condition *out);
/* The first condition of that type with that status. */
bool ks_condition_find(const struct ks_subject *subject, const char *type, const char *status,
                       struct ks_condition *out);

/*
 * Ways to end a rule. Format strings are our words; the text is cut at KS_VERDICT_TEXT_MAX. All
 * return KS_RC_OK. reason is a literal.
 */
ks_rc ks_verdict_current(struct ks_verdict *v, ks_basis basis, const char *fmt, ...)
    KS_PRINTF(3, 4);
ks_rc ks_verdict_in_progress(struct ks_verdict *v, const char *reason, const char *fmt, ...)
    KS_PRINTF(3, 4);
ks_rc ks_verdict_failed(struct ks_verdict *v, const char *reason, const char *fmt, ...)
    KS_PRINTF(3, 4);
/* The object's own condition speaks: reason and message are passed through. */
ks_rc ks_verdict_pass(struct ks_verdict *v, ks_status status, ks_basis basis,
                      const struct ks_condition *from);
/* Replaces the message (not the emitted condition's). */
void ks_verdict_say(struct ks_verdict *v, const char *fmt, ...) KS_PRINTF(2, 3);
/* The same with the arguments of a caller that is variadic itself. */
void ks_verdict_say_args(struct ks_verdict *v, const char *fmt, va_list args) KS_PRINTF(2, 0);
/* Profile strict: any status, with the reason and, unless empty, the message given. */
void ks_verdict_set(struct ks_verdict *v, ks_status status, ks_basis basis, struct ks_str reason,
                    struct ks_str message);

/* The generations and the progress, as far as they can be read; never fails. */
void ks_verdict_read_counts(struct ks_verdict *v, struct ks_json_value object,
                            const struct ks_status_kind *kind);
/* Group and kind as the object says; both empty when apiVersion is no group/version. */
struct ks_status_kind ks_status_kind_of(struct ks_json_value object);

#endif
