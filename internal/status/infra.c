/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Service, PersistentVolumeClaim, PodDisruptionBudget, CustomResourceDefinition, and the kinds that
 * have no state of their own (shared/spec: kstatus 1.4.1, 1.4.2, 1.4.7, 1.4.10).
 *
 * Thread: the document's.  It does not: ask for a load balancer's address; the reference is content
 * without.
 */
#include "status/rules.h"

#include "json/path.h"

ks_rc ks_rule_always_current(const struct ks_subject *subject, struct ks_verdict *out,
                             struct ks_error *err KS_UNUSED)
{
    return ks_verdict_current(out, KS_BASIS_KIND_RULE, "%.*s is current as soon as it exists",
                              KS_STR_ARGS(ks_str_cut_utf8(subject->kind, 63)));
}

ks_rc ks_rule_service(const struct ks_subject *subject, struct ks_verdict *out,
                      struct ks_error *err KS_UNUSED)
{
    struct ks_str type = ks_json_lenient_str(subject->object, "spec.type", "ClusterIP");
    struct ks_str address = ks_json_lenient_str(subject->object, "spec.clusterIP", "");

    if (ks_str_is(type, "LoadBalancer") && address.len == 0)
        return ks_verdict_in_progress(out, "NoIPAssigned",
                                      "Service of type LoadBalancer has no cluster IP yet");
    return ks_verdict_current(out, KS_BASIS_KIND_RULE, "Service of type %.*s is set up",
                              KS_STR_ARGS(ks_str_cut_utf8(type, 63)));
}

ks_rc ks_rule_claim(const struct ks_subject *subject, struct ks_verdict *out,
                    struct ks_error *err KS_UNUSED)
{
    struct ks_str phase = ks_json_lenient_str(subject->object, "status.phase", "unknown");

    if (ks_str_is(phase, "Bound"))
        return ks_verdict_current(out, KS_BASIS_KIND_RULE, "Claim is bound to a volume");
    return ks_verdict_in_progress(out, "NotBound",
                                  "Claim is not bound to a volume; its phase is %.*s",
                                  KS_STR_ARGS(ks_str_cut_utf8(phase, 63)));
}

ks_rc ks_rule_disruption_budget(const struct ks_subject *subject KS_UNUSED, struct ks_verdict *out,
                                struct ks_error *err KS_UNUSED)
{
    if (out->has_observed_generation)
        return ks_verdict_current(out, KS_BASIS_KIND_RULE, "The allowed disruptions are computed");
    return ks_verdict_current(out, KS_BASIS_KIND_RULE,
                              "Budget exists; its controller has reported nothing yet");
}

ks_rc ks_rule_resource_definition(const struct ks_subject *subject, struct ks_verdict *out,
                                  struct ks_error *err KS_UNUSED)
{
    struct ks_json_value at = ks_json_first(subject->conditions);
    struct ks_condition c;

    for (; ks_condition_read(at, &c); at = ks_json_next(at)) {
        bool is_false = ks_str_is(c.status, "False");

        if (ks_str_is(c.type, "NamesAccepted") && is_false)
            return ks_verdict_pass(out, KS_STATUS_FAILED, KS_BASIS_KIND_RULE, &c);
        if (!ks_str_is(c.type, "Established"))
            continue;
        if (is_false && !ks_str_is(c.reason, "Installing"))
            return ks_verdict_pass(out, KS_STATUS_FAILED, KS_BASIS_KIND_RULE, &c);
        if (ks_str_is(c.status, "True"))
            return ks_verdict_current(out, KS_BASIS_KIND_RULE, "The API server serves this kind");
    }
    return ks_verdict_in_progress(out, "Installing", "The API server does not serve this kind yet");
}
