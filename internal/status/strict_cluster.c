/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes' own kinds that neither run, store nor connect, under profile strict: autoscalers,
 * budgets, definitions, aggregated APIs, namespaces, nodes, quotas, certificates, flow schemas, and
 * those that report nothing.
 *
 * Thread: the document's.  It does not: look at any other object.
 */
#include "status/strict.h"

#include "json/path.h"
#include "status/strict_words.h"

static bool find(const struct ks_strict *s, const char *type, struct ks_strict_condition *out)
{
    return ks_strict_condition_find(s, s->conditions, type, out);
}

static bool is_true(const struct ks_strict *s, const char *type, struct ks_strict_condition *out)
{
    return find(s, type, out) && out->truth == KS_TRUTH_TRUE;
}

static void fail_by(struct ks_strict *s, const struct ks_strict_condition *c, int64_t grace_ms)
{
    struct ks_finding finding =
        ks_strict_condition_finding(c, KS_STATUS_FAILED, KS_BASIS_KIND_RULE);

    finding.grace_ms = grace_ms;
    ks_strict_condition_tell(s, c, &finding);
}

void ks_strict_static(struct ks_strict *s)
{
    ks_strict_current(s, "", "Objects of this kind are in force as soon as they exist");
}

/* The first DisruptionAllowed that tells an error, else the first one; false when there is none. */
static bool find_disruption(const struct ks_strict *s, struct ks_strict_condition *out)
{
    struct ks_strict_condition c;

    for (struct ks_json_value at = ks_json_first(s->conditions); !ks_json_is_absent(at);
         at = ks_json_next(at)) {
        if (ks_str_is(ks_json_lenient_str(at, "reason", ""), "SyncFailed") &&
            ks_strict_condition_read(s, s->conditions, at, &c) &&
            ks_str_is(c.type, "DisruptionAllowed") && c.truth == KS_TRUTH_FALSE) {
            *out = c;
            return true;
        }
    }
    return find(s, "DisruptionAllowed", out);
}

void ks_strict_disruption_budget(struct ks_strict *s)
{
    struct ks_strict_condition c;

    if (ks_json_count(s->status) == 0)
        ks_strict_progress(s, "NotObserved", "The budget has not been computed yet");
    else if (!find_disruption(s, &c))
        ks_strict_current(s, "", "The budget is computed");
    else if (ks_strict_condition_outdated(s, &c))
        return;
    else if (c.truth == KS_TRUTH_FALSE && ks_str_is(c.reason, "SyncFailed"))
        fail_by(s, &c, 0);
    else
        ks_strict_current(s, "", "The budget is in force");
}

static void tell_terminating(struct ks_strict *s)
{
    static const struct ks_finding finding = {.status = KS_STATUS_TERMINATING,
                                              .basis = KS_BASIS_KIND_RULE};

    ks_strict_find(s, &finding, "Its objects are being deleted");
}

/* Whether the API server has refused the definition; *out says why. */
static bool is_refused(const struct ks_strict *s, struct ks_strict_condition *out)
{
    if (find(s, "NamesAccepted", out) && out->truth == KS_TRUTH_FALSE)
        return true;
    return find(s, "Established", out) && out->truth == KS_TRUTH_FALSE && out->reason.len > 0 &&
           !ks_str_is(out->reason, "Installing");
}

void ks_strict_resource_definition(struct ks_strict *s)
{
    struct ks_strict_condition c;

    if (is_true(s, "Terminating", &c))
        tell_terminating(s);
    else if (is_refused(s, &c))
        fail_by(s, &c, 0);
    else if (is_true(s, "Established", &c))
        ks_strict_current(s, "", "The definition is established");
    else
        ks_strict_progress(s, "Installing", "The definition is not established yet");
}

void ks_strict_api_service(struct ks_strict *s)
{
    struct ks_strict_condition c;

    if (!find(s, "Available", &c))
        ks_strict_progress(s, "NotObserved", "The API has not been looked at yet");
    else if (c.truth == KS_TRUTH_TRUE)
        ks_strict_current(s, "", "The API is available");
    else if (c.truth == KS_TRUTH_FALSE)
        fail_by(s, &c, KS_STRICT_GRACE_MS);
    else
        ks_strict_progress(s, "NotObserved", "It is not known whether the API is available");
}

void ks_strict_namespace(struct ks_strict *s)
{
    if (ks_str_is(ks_json_lenient_str(s->status, "phase", ""), "Terminating"))
        tell_terminating(s);
    else
        ks_strict_current(s, "", "Namespace is in use");
}

void ks_strict_node(struct ks_strict *s)
{
    bool is_cordoned = ks_json_lenient_bool(s->object, "spec.unschedulable", false);
    struct ks_strict_condition c;

    if (!find(s, "Ready", &c) || c.truth == KS_TRUTH_NONE)
        ks_strict_progress(s, "NotObserved", "The node has not reported yet");
    else if (c.truth != KS_TRUTH_TRUE)
        fail_by(s, &c, KS_STRICT_GRACE_MS);
    else
        ks_strict_current(s, is_cordoned ? "Cordoned" : "", "Node is ready%s",
                          is_cordoned ? "; it takes no new Pods" : "");
}

/* Quantities are compared as they are written: the controller copies them. So many are looked at:
 * more kinds of resource no quota counts. */
#define QUOTA_RESOURCES_MAX 256

void ks_strict_quota(struct ks_strict *s)
{
    struct ks_json_value wanted = ks_json_get(ks_json_get(s->object, "spec"), "hard");
    struct ks_json_value have = ks_json_get(s->status, "hard");
    struct ks_json_value m = ks_json_first(wanted);

    for (int i = 0; i < QUOTA_RESOURCES_MAX && !ks_json_is_absent(m); i++) {
        struct ks_json_value other = ks_json_get_str(have, ks_json_key(m));

        if (ks_json_is_absent(other) || !ks_str_eq(ks_json_raw(m), ks_json_raw(other)))
            break;
        m = ks_json_next(m);
    }
    if (!ks_json_is_absent(m) || ks_json_count(wanted) != ks_json_count(have))
        ks_strict_progress(s, "NotObserved", "The quota's limits are not in force yet");
    else
        ks_strict_current(s, "", "The quota's limits are in force");
}

void ks_strict_signing_request(struct ks_strict *s)
{
    bool is_issued = ks_json_lenient_str(s->status, "certificate", "").len > 0;
    struct ks_strict_condition c;

    if (is_true(s, "Denied", &c) || is_true(s, "Failed", &c))
        fail_by(s, &c, 0);
    else if (!is_true(s, "Approved", &c))
        ks_strict_progress(s, "NotApproved", "The request waits for approval");
    else if (!is_issued)
        ks_strict_progress(s, "NotIssued", "The request is approved, the certificate not issued");
    else
        ks_strict_current(s, "", "The certificate is issued");
}

void ks_strict_flow_schema(struct ks_strict *s)
{
    struct ks_finding finding;
    struct ks_strict_condition c;

    if (!is_true(s, "Dangling", &c)) {
        ks_strict_current(s, "", "The flow schema is in force");
        return;
    }
    finding = ks_strict_condition_finding(&c, KS_STATUS_FAILED, KS_BASIS_KIND_RULE);
    finding.reason = KS_LIT("Dangling");
    ks_strict_condition_tell(s, &c, &finding);
}
