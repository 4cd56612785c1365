/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workloads under profile strict: Deployment, ReplicaSet and ReplicationController, StatefulSet,
 * DaemonSet. Their counters decide; a failed Pod of the newest revision, where the caller knows of
 * one, explains why they will not be reached.
 *
 * Thread: the document's.  It does not: see Pods; they are in the context.
 */
#include "status/strict.h"

#include <inttypes.h>

#include "json/path.h"

struct replicas {
    int64_t wanted;
    int64_t existing;
    int64_t updated;
    int64_t ready;
    int64_t available;
};

static struct replicas replicas_of(const struct ks_strict *s)
{
    return (struct replicas){
        .wanted = ks_json_lenient_int(s->object, "spec.replicas", 1),
        .existing = ks_json_lenient_int(s->status, "replicas", 0),
        .updated = ks_json_lenient_int(s->status, "updatedReplicas", 0),
        .ready = ks_json_lenient_int(s->status, "readyReplicas", 0),
        .available = ks_json_lenient_int(s->status, "availableReplicas", 0),
    };
}

void ks_strict_check_pods(struct ks_strict *s)
{
    const struct ks_status_evidence *failure = s->context->failure;
    struct ks_finding finding = {
        .status = KS_STATUS_FAILED,
        .basis = KS_BASIS_KIND_RULE,
        .grace_ms = KS_STRICT_POD_GRACE_MS,
    };

    if (!failure)
        return;
    finding.reason = failure->reason;
    finding.message = failure->message;
    finding.since_ms = failure->since_ms;
    ks_strict_find(s, &finding, "A Pod of the newest revision has failed");
}

static void check_replica_failure(struct ks_strict *s)
{
    struct ks_strict_condition c;
    struct ks_finding finding;

    if (!ks_strict_condition_find(s, s->conditions, "ReplicaFailure", &c) ||
        c.truth != KS_TRUTH_TRUE)
        return;
    finding = ks_strict_condition_finding(&c, KS_STATUS_FAILED, KS_BASIS_KIND_RULE);
    finding.grace_ms = KS_STRICT_GRACE_MS;
    ks_strict_condition_tell(s, &c, &finding);
}

static void check_deadline(struct ks_strict *s)
{
    struct ks_strict_condition c;
    struct ks_finding finding;

    if (!ks_strict_condition_find(s, s->conditions, "Progressing", &c) ||
        !ks_str_is(c.reason, "ProgressDeadlineExceeded"))
        return;
    finding = ks_strict_condition_finding(&c, KS_STATUS_FAILED, KS_BASIS_KIND_RULE);
    ks_strict_find(s, &finding, "No progress within the rollout's deadline");
}

/* Whether spec.replicas is written through the scale subresource: an autoscaler at work. */
static bool is_scaled_by_another(const struct ks_strict *s)
{
    struct ks_json_value managers =
        ks_json_get(ks_json_get(s->object, "metadata"), "managedFields");
    struct ks_json_value field;

    if (ks_json_type_of(managers) != KS_JSON_LIST)
        return false;
    for (struct ks_json_value m = ks_json_first(managers); !ks_json_is_absent(m);
         m = ks_json_next(m)) {
        if (ks_str_is(ks_json_lenient_str(m, "subresource", ""), "scale") &&
            ks_json_walk(m, "fieldsV1.f:spec.f:replicas", &field) == KS_LOOKUP_FOUND)
            return true;
    }
    return false;
}

static bool is_rolled_out(const struct ks_strict *s)
{
    struct ks_strict_condition progressing;
    struct ks_strict_condition available;

    return ks_strict_condition_find(s, s->conditions, "Progressing", &progressing) &&
           progressing.truth == KS_TRUTH_TRUE &&
           ks_str_is(progressing.reason, "NewReplicaSetAvailable") &&
           ks_strict_condition_find(s, s->conditions, "Available", &available) &&
           available.truth == KS_TRUTH_TRUE;
}

/* existing > wanted; their difference may need all 64 bits. */
static void tell_extra(struct ks_strict *s, const char *reason, int64_t existing, int64_t wanted)
{
    ks_strict_progress(s, reason, "%" PRIu64 " Pods more than wanted are still to be removed",
                       (uint64_t)existing - (uint64_t)wanted);
}

static void check_scaling(struct ks_strict *s, const struct replicas *r)
{
    if (r->available >= r->wanted && r->existing <= r->wanted)
        return;
    if (is_rolled_out(s) && is_scaled_by_another(s))
        ks_strict_current(s, "Scaling",
                          "Rolled out; an autoscaler is at work: %" PRId64 " of %" PRId64
                          " replicas available",
                          r->available, r->wanted);
    else if (r->available < r->wanted)
        ks_strict_progress(s, "LessAvailable", "%" PRId64 " of %" PRId64 " replicas available",
                           r->available, r->wanted);
    else
        tell_extra(s, "ExtraPods", r->existing, r->wanted);
}

/* While an autoscaler raises the number, the Pods that it adds are not updated yet either: that is
 * no roll, and told by the rule for scaling. */
static bool is_only_scaling(const struct ks_strict *s, const struct replicas *r)
{
    return r->existing == r->updated && is_rolled_out(s) && is_scaled_by_another(s);
}

void ks_strict_deployment(struct ks_strict *s)
{
    struct replicas r = replicas_of(s);
    bool is_paused = ks_json_lenient_bool(s->object, "spec.paused", false);

    check_deadline(s);
    check_replica_failure(s);
    if (s->context->pod_ready_since_roll != KS_FACT_YES)
        ks_strict_check_pods(s);
    if (r.updated < r.wanted && !is_only_scaling(s, &r))
        ks_strict_progress(s, is_paused ? "Paused" : "LessUpdated",
                           "%" PRId64 " of %" PRId64 " replicas updated%s", r.updated, r.wanted,
                           is_paused ? "; the rollout is paused" : "");
    else if (r.existing > r.updated)
        tell_extra(s, is_paused ? "Paused" : "ExtraPods", r.existing, r.updated);
    if (!ks_strict_is_bad(s))
        check_scaling(s, &r);
    if (!ks_strict_is_decided(s))
        ks_strict_current(s, "", "%" PRId64 " of %" PRId64 " replicas updated and available",
                          r.available, r.wanted);
}

void ks_strict_replica_set(struct ks_strict *s)
{
    struct replicas r = replicas_of(s);

    check_replica_failure(s);
    if (r.available < r.wanted) {
        ks_strict_check_pods(s);
        ks_strict_progress(s, "LessAvailable", "%" PRId64 " of %" PRId64 " replicas available",
                           r.available, r.wanted);
    } else if (r.existing > r.wanted) {
        tell_extra(s, "ExtraPods", r.existing, r.wanted);
    } else {
        ks_strict_current(s, "", "%" PRId64 " of %" PRId64 " replicas available", r.available,
                          r.wanted);
    }
}

static bool is_on_delete(const struct ks_strict *s)
{
    return ks_str_is(ks_json_lenient_str(s->object, "spec.updateStrategy.type", ""), "OnDelete");
}

static void check_revision(struct ks_strict *s, const struct replicas *r)
{
    struct ks_str current = ks_json_lenient_str(s->status, "currentRevision", "");
    struct ks_str update = ks_json_lenient_str(s->status, "updateRevision", "");
    int64_t partition =
        ks_json_lenient_int(s->object, "spec.updateStrategy.rollingUpdate.partition", 0);
    int64_t wanted = partition > 0 && partition < r->wanted ? r->wanted - partition : r->wanted;

    if (partition >= r->wanted && partition > 0)
        wanted = 0;
    if (ks_str_eq(current, update) || r->updated >= wanted)
        return;
    ks_strict_progress(s, partition > 0 ? "PartitionRollout" : "LessUpdated",
                       "%" PRId64 " of %" PRId64 " replicas updated", r->updated, wanted);
}

void ks_strict_stateful_set(struct ks_strict *s)
{
    struct replicas r = replicas_of(s);
    bool is_timed = ks_json_lenient_int(s->object, "spec.minReadySeconds", 0) > 0;
    int64_t have = is_timed ? r.available : r.ready;

    ks_strict_check_pods(s);
    if (have < r.wanted)
        ks_strict_progress(s, "LessReady", "%" PRId64 " of %" PRId64 " replicas %s", have, r.wanted,
                           is_timed ? "ready for long enough" : "ready");
    else if (r.existing > r.wanted)
        tell_extra(s, "ExtraPods", r.existing, r.wanted);
    else if (is_on_delete(s))
        ks_strict_current(s, "",
                          "%" PRId64 " of %" PRId64
                          " replicas updated; the others are when somebody deletes them",
                          r.updated, r.wanted);
    else
        check_revision(s, &r);
    if (!ks_strict_is_decided(s))
        ks_strict_current(s, "", "%" PRId64 " of %" PRId64 " replicas ready", have, r.wanted);
}

void ks_strict_daemon_set(struct ks_strict *s)
{
    int64_t updated = ks_json_lenient_int(s->status, "updatedNumberScheduled", 0);
    int64_t available = ks_json_lenient_int(s->status, "numberAvailable", 0);
    int64_t wanted;

    ks_strict_check_pods(s);
    if (ks_json_strict_int(s->status, "desiredNumberScheduled", &wanted) != KS_LOOKUP_FOUND)
        ks_strict_progress(s, "NoDesiredNumber", "The number of wanted Pods is not known yet");
    else if (updated < wanted && !is_on_delete(s))
        ks_strict_progress(s, "LessUpdated", "%" PRId64 " of %" PRId64 " Pods updated", updated,
                           wanted);
    else if (available < wanted)
        ks_strict_progress(s, "LessAvailable", "%" PRId64 " of %" PRId64 " Pods available",
                           available, wanted);
    else
        ks_strict_current(s, "", "%" PRId64 " of %" PRId64 " Pods available", available, wanted);
}
