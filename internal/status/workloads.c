/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deployment, ReplicaSet, StatefulSet, DaemonSet: replica counters compared in a fixed order.
 *
 * Each rule is its table in shared/spec (kstatus 1.4.3 to 1.4.6), row by row; the first row that
 * holds decides. The order is behaviour: it says which of several true statements the user reads.
 *
 * Counters are read leniently: one of a wrong type counts as its default. They are int64 and may be
 * anything, so differences are computed without sign, where wrapping is defined.
 *
 * Thread: the document's.  It does not: look at Pods.
 */
#include "status/rules.h"

#include <inttypes.h>

#include "json/path.h"

/* The Deployment controller's own "no deadline". */
#define NO_DEADLINE INT64_C(2147483647)

/* Two's complement difference, as Go's int has it. */
static int64_t minus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

struct deployment {
    int64_t spec;
    int64_t total;
    int64_t updated;
    int64_t ready;
    int64_t available;
    bool is_progressing;
    bool is_available;
};

static ks_rc deadline_exceeded(const struct ks_subject *subject, const struct deployment *d,
                               struct ks_json_value condition, struct ks_verdict *out)
{
    int64_t deadline = ks_json_lenient_int(subject->object, "spec.progressDeadlineSeconds", 0);
    struct ks_condition cause = {0};

    (void)ks_condition_read(condition, &cause); /* it is there */
    (void)ks_verdict_pass(out, KS_STATUS_FAILED, KS_BASIS_KIND_RULE, &cause);
    if (deadline > 0)
        ks_verdict_say(out,
                       "No progress within the deadline of %" PRId64 " s: of %" PRId64
                       " replicas %" PRId64 " are updated, %" PRId64 " available",
                       deadline, d->spec, d->updated, d->available);
    else
        ks_verdict_say(out,
                       "No progress within the deadline: of %" PRId64 " replicas %" PRId64
                       " are updated, %" PRId64 " available",
                       d->spec, d->updated, d->available);
    return KS_RC_OK;
}

static ks_rc compare_deployment(const struct ks_subject *subject, const struct deployment *d,
                                struct ks_verdict *out)
{
    const char *paused =
        ks_json_lenient_bool(subject->object, "spec.paused", false) ? " (rollout is paused)" : "";

    if (d->spec > d->total)
        return ks_verdict_in_progress(out, "LessReplicas",
                                      "%" PRId64 " of %" PRId64 " replicas created%s", d->total,
                                      d->spec, paused);
    if (d->spec > d->updated)
        return ks_verdict_in_progress(out, "LessUpdated",
                                      "%" PRId64 " of %" PRId64 " replicas updated%s", d->updated,
                                      d->spec, paused);
    if (d->total > d->spec)
        return ks_verdict_in_progress(out, "ExtraPods",
                                      "%" PRId64 " replicas exist, %" PRId64
                                      " are wanted; the rest is still to be removed%s",
                                      d->total, d->spec, paused);
    if (d->updated > d->available)
        return ks_verdict_in_progress(out, "LessAvailable",
                                      "%" PRId64 " of %" PRId64 " updated replicas available%s",
                                      d->available, d->updated, paused);
    if (d->spec > d->ready)
        return ks_verdict_in_progress(out, "LessReady", "%" PRId64 " of %" PRId64 " replicas ready",
                                      d->ready, d->spec);
    if (!d->is_progressing)
        return ks_verdict_in_progress(out, "ReplicaSetNotAvailable",
                                      "%" PRId64 " of %" PRId64
                                      " replicas ready; the controller has not reported the "
                                      "new ReplicaSet as available%s",
                                      d->ready, d->spec, paused);
    if (!d->is_available)
        return ks_verdict_in_progress(out, "DeploymentNotAvailable",
                                      "%" PRId64 " of %" PRId64
                                      " replicas ready; condition Available is not True",
                                      d->ready, d->spec);
    return ks_verdict_current(out, KS_BASIS_KIND_RULE,
                              "%" PRId64 " of %" PRId64 " replicas updated and available",
                              d->updated, d->spec);
}

ks_rc ks_rule_deployment(const struct ks_subject *subject, struct ks_verdict *out,
                         struct ks_error *err KS_UNUSED)
{
    struct ks_json_value o = subject->object;
    struct ks_json_value status = ks_json_get(o, "status");
    struct ks_json_value at = ks_json_first(subject->conditions);
    struct deployment d = {
        .spec = ks_json_lenient_int(o, "spec.replicas", 1),
        .total = ks_json_lenient_int(status, "replicas", 0),
        .updated = ks_json_lenient_int(status, "updatedReplicas", 0),
        .ready = ks_json_lenient_int(status, "readyReplicas", 0),
        .available = ks_json_lenient_int(status, "availableReplicas", 0),
        /* Without a deadline the controller never writes Progressing. */
        .is_progressing =
            ks_json_lenient_int(o, "spec.progressDeadlineSeconds", NO_DEADLINE) == NO_DEADLINE,
    };

    for (; !ks_json_is_absent(at); at = ks_json_next(at)) {
        struct ks_str type = ks_condition_text(at, "type");
        bool is_true = ks_str_is(ks_condition_text(at, "status"), "True");

        if (ks_str_is(type, "Progressing")) {
            struct ks_str reason = ks_condition_text(at, "reason");

            if (ks_str_is(reason, "ProgressDeadlineExceeded"))
                return deadline_exceeded(subject, &d, at, out);
            d.is_progressing |= is_true && ks_str_is(reason, "NewReplicaSetAvailable");
        } else if (ks_str_is(type, "Available")) {
            d.is_available |= is_true;
        }
    }
    return compare_deployment(subject, &d, out);
}

ks_rc ks_rule_replica_set(const struct ks_subject *subject, struct ks_verdict *out,
                          struct ks_error *err KS_UNUSED)
{
    struct ks_json_value o = subject->object;
    struct ks_json_value status = ks_json_get(o, "status");
    int64_t spec = ks_json_lenient_int(o, "spec.replicas", 1);
    int64_t total = ks_json_lenient_int(status, "replicas", 0);
    int64_t ready = ks_json_lenient_int(status, "readyReplicas", 0);
    int64_t available = ks_json_lenient_int(status, "availableReplicas", 0);
    int64_t labelled = ks_json_lenient_int(status, "fullyLabeledReplicas", 0);
    struct ks_condition failure;

    if (ks_condition_find(subject, "ReplicaFailure", "True", &failure)) {
        if (failure.message.len == 0)
            return ks_verdict_in_progress(
                out, "ReplicaFailure",
                "Pods cannot be created or deleted; %" PRId64 " of %" PRId64 " exist", total, spec);
        return ks_verdict_in_progress(out, "ReplicaFailure",
                                      "Pods cannot be created or deleted: %.*s",
                                      KS_STR_ARGS(failure.message));
    }
    if (spec > labelled)
        return ks_verdict_in_progress(
            out, "LessLabelled",
            "%" PRId64 " of %" PRId64 " replicas exist with the template's labels", labelled, spec);
    if (spec > available)
        return ks_verdict_in_progress(
            out, "LessAvailable", "%" PRId64 " of %" PRId64 " replicas available", available, spec);
    if (spec > ready)
        return ks_verdict_in_progress(out, "LessReady", "%" PRId64 " of %" PRId64 " replicas ready",
                                      ready, spec);
    if (total > spec)
        return ks_verdict_in_progress(out, "ExtraPods",
                                      "%" PRId64 " replicas exist, %" PRId64
                                      " are wanted; the rest is still to be removed",
                                      total, spec);
    return ks_verdict_current(out, KS_BASIS_KIND_RULE,
                              "%" PRId64 " of %" PRId64 " replicas available", available, spec);
}

struct stateful_set {
    int64_t spec;
    int64_t total;
    int64_t ready;
    int64_t current;
    int64_t updated;
    int64_t partition;
};

#define NO_PARTITION INT64_C(-1)

static ks_rc compare_partition(const struct stateful_set *s, struct ks_verdict *out)
{
    int64_t wanted = minus(s->spec, s->partition);

    if (s->updated < wanted)
        return ks_verdict_in_progress(out, "PartitionRollout",
                                      "%" PRId64 " of %" PRId64 " replicas from partition %" PRId64
                                      " on updated",
                                      s->updated, wanted, s->partition);
    if (s->partition == 0)
        return ks_verdict_current(out, KS_BASIS_KIND_RULE,
                                  "%" PRId64 " of %" PRId64 " replicas updated and ready",
                                  s->updated, s->spec);
    return ks_verdict_current(out, KS_BASIS_KIND_RULE,
                              "%" PRId64 " of %" PRId64 " replicas ready; %" PRId64
                              " updated, as many as partition %" PRId64 " wants",
                              s->ready, s->spec, s->updated, s->partition);
}

static ks_rc compare_revisions(const struct ks_subject *subject, const struct stateful_set *s,
                               struct ks_verdict *out)
{
    struct ks_str current = ks_json_lenient_str(subject->object, "status.currentRevision", "");
    struct ks_str update = ks_json_lenient_str(subject->object, "status.updateRevision", "");

    if (s->spec > s->current)
        return ks_verdict_in_progress(
            out, "LessCurrent", "%" PRId64 " of %" PRId64 " replicas are at the current revision",
            s->current, s->spec);
    if (!ks_str_eq(current, update))
        return ks_verdict_in_progress(
            out, "RevisionMismatch",
            "Rolling from revision %.*s to %.*s: %" PRId64 " of %" PRId64 " replicas updated",
            KS_STR_ARGS(ks_str_cut_utf8(current, 63)), KS_STR_ARGS(ks_str_cut_utf8(update, 63)),
            s->updated, s->spec);
    return ks_verdict_current(out, KS_BASIS_KIND_RULE,
                              "%" PRId64 " of %" PRId64
                              " replicas ready and at the current revision",
                              s->current, s->spec);
}

ks_rc ks_rule_stateful_set(const struct ks_subject *subject, struct ks_verdict *out,
                           struct ks_error *err KS_UNUSED)
{
    struct ks_json_value o = subject->object;
    struct stateful_set s = {
        .spec = ks_json_lenient_int(o, "spec.replicas", 1),
        .total = ks_json_lenient_int(o, "status.replicas", 0),
        .ready = ks_json_lenient_int(o, "status.readyReplicas", 0),
        .current = ks_json_lenient_int(o, "status.currentReplicas", 0),
        .updated = ks_json_lenient_int(o, "status.updatedReplicas", 0),
        .partition =
            ks_json_lenient_int(o, "spec.updateStrategy.rollingUpdate.partition", NO_PARTITION),
    };

    if (ks_str_is(ks_json_lenient_str(o, "spec.updateStrategy.type", ""), "OnDelete"))
        return ks_verdict_current(out, KS_BASIS_KIND_RULE,
                                  "Update strategy is OnDelete: Pods are updated when somebody "
                                  "deletes them (%" PRId64 " of %" PRId64 " are)",
                                  s.updated, s.spec);
    if (s.spec > s.total)
        return ks_verdict_in_progress(
            out, "LessReplicas", "%" PRId64 " of %" PRId64 " replicas created", s.total, s.spec);
    if (s.spec > s.ready)
        return ks_verdict_in_progress(out, "LessReady", "%" PRId64 " of %" PRId64 " replicas ready",
                                      s.ready, s.spec);
    if (s.total > s.spec)
        return ks_verdict_in_progress(out, "ExtraPods",
                                      "%" PRId64 " replicas exist, %" PRId64
                                      " are wanted; the rest is still to be removed",
                                      s.total, s.spec);
    if (s.partition != NO_PARTITION)
        return compare_partition(&s, out);
    return compare_revisions(subject, &s, out);
}

ks_rc ks_rule_daemon_set(const struct ks_subject *subject, struct ks_verdict *out,
                         struct ks_error *err KS_UNUSED)
{
    struct ks_json_value status = ks_json_get(subject->object, "status");
    int64_t desired = ks_json_lenient_int(status, "desiredNumberScheduled", -1);
    int64_t current = ks_json_lenient_int(status, "currentNumberScheduled", 0);
    int64_t updated = ks_json_lenient_int(status, "updatedNumberScheduled", 0);
    int64_t available = ks_json_lenient_int(status, "numberAvailable", 0);
    int64_t ready = ks_json_lenient_int(status, "numberReady", 0);

    if (!out->has_generation)
        return ks_verdict_in_progress(out, "NoGeneration",
                                      "The DaemonSet has no metadata.generation");
    if (!out->has_observed_generation)
        return ks_verdict_in_progress(
            out, "NoObservedGeneration",
            "The DaemonSet controller has not observed generation %" PRId64 " yet",
            out->generation);
    if (desired == -1)
        return ks_verdict_in_progress(
            out, "NoDesiredNumber",
            "The DaemonSet controller has not counted the nodes to run on yet");
    if (desired > current)
        return ks_verdict_in_progress(
            out, "LessCurrent", "%" PRId64 " of %" PRId64 " nodes have a Pod", current, desired);
    if (desired > updated)
        return ks_verdict_in_progress(out, "LessUpdated",
                                      "%" PRId64 " of %" PRId64 " nodes have an updated Pod",
                                      updated, desired);
    if (desired > available)
        return ks_verdict_in_progress(out, "LessAvailable",
                                      "%" PRId64 " of %" PRId64 " nodes have an available Pod",
                                      available, desired);
    if (desired > ready)
        return ks_verdict_in_progress(
            out, "LessReady", "%" PRId64 " of %" PRId64 " nodes have a ready Pod", ready, desired);
    return ks_verdict_current(out, KS_BASIS_KIND_RULE,
                              "%" PRId64 " of %" PRId64 " nodes have an updated, available Pod",
                              available, desired);
}
