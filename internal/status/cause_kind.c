/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Causes of kinds whose state does not stand in conditions alone: workloads, Jobs, claims and
 * volumes, what waits for an address. Their conditions have been read before (cause_object.c).
 *
 * Thread: the document's.  It does not: look at generated objects.
 */
#include "status/cause_read.h"

#include "json/path.h"
#include "status/rules.h"

void ks_cause_workload(struct ks_cause_reader *r)
{
    struct ks_verdict counts = {0};
    const struct ks_strict *s = &r->strict;
    struct ks_strict_condition c;
    int64_t updated;
    int64_t wanted;

    ks_verdict_read_counts(&counts, s->object, &s->kind);
    if (counts.has_progress && counts.ready_count < counts.desired_count)
        ks_cause_say(r, KS_CAUSE_REPLICAS_NOT_READY, 0, "%u of %u Pods are ready",
                     counts.ready_count, counts.desired_count);
    else if (ks_json_strict_int(s->status, "updatedReplicas", &updated) == KS_LOOKUP_FOUND &&
             ks_json_strict_int(s->object, "spec.replicas", &wanted) == KS_LOOKUP_FOUND &&
             updated < wanted)
        ks_cause_say(r, KS_CAUSE_REPLICAS_NOT_READY, 0,
                     "%lld of %lld Pods are of the newest revision", (long long)updated,
                     (long long)wanted);
    else if (ks_strict_condition_find(s, s->conditions, "Available", &c) &&
             c.truth == KS_TRUTH_FALSE)
        ks_cause_pass_condition(r, KS_CAUSE_REPLICAS_NOT_READY, &c);
    else if (r->out->count == 0 && ks_json_count(s->status) == 0)
        ks_cause_say(r, KS_CAUSE_STATUS_NOT_WRITTEN, 0, "The object has no status yet");
    else if (r->out->count == 0)
        ks_cause_say(r, KS_CAUSE_REPLICAS_NOT_READY, 0, "The rollout is going on");
}

void ks_cause_job(struct ks_cause_reader *r)
{
    const struct ks_strict *s = &r->strict;
    int64_t failed = ks_json_lenient_int(s->status, "failed", 0);

    if (r->out->count > 0)
        return;
    if (ks_json_lenient_bool(s->object, "spec.suspend", false))
        return;
    if (ks_json_lenient_str(s->status, "startTime", "").len == 0)
        ks_cause_say(r, KS_CAUSE_STATUS_NOT_WRITTEN, 0, "The Job has not been started");
    else if (failed > 0)
        ks_cause_say(r, KS_CAUSE_NOT_FINISHED, ks_cause_time(s->status, "startTime"),
                     "The Job runs; %lld of its Pods have failed", (long long)failed);
    else
        ks_cause_say(r, KS_CAUSE_NOT_FINISHED, ks_cause_time(s->status, "startTime"),
                     "The Job runs");
}

void ks_cause_cron_job(struct ks_cause_reader *r)
{
    const struct ks_strict *s = &r->strict;
    int64_t scheduled_ms = ks_cause_time(s->status, "lastScheduleTime");

    if (scheduled_ms != 0 && ks_json_count(ks_json_get(s->status, "active")) == 0 &&
        ks_cause_time(s->status, "lastSuccessfulTime") < scheduled_ms)
        ks_cause_say(r, KS_CAUSE_LAST_RUN_FAILED, scheduled_ms,
                     "The run that was due last has not succeeded");
}

void ks_cause_claim(struct ks_cause_reader *r)
{
    const struct ks_strict *s = &r->strict;
    struct ks_str phase = ks_json_lenient_str(s->status, "phase", "");
    struct ks_str class = ks_json_lenient_str(s->object, "spec.storageClassName", "");

    if (ks_str_is(phase, "Bound"))
        return;
    class = ks_str_cut_utf8(class, 253);
    if (ks_str_is(phase, "Lost"))
        ks_cause_say(r, KS_CAUSE_CLAIM_LOST, 0, "The volume that the claim was bound to is gone");
    else if (class.len)
        ks_cause_say(r, KS_CAUSE_VOLUME_NOT_BOUND,
                     ks_cause_time(s->object, "metadata.creationTimestamp"),
                     "The claim has no volume yet (StorageClass %.*s)", KS_STR_ARGS(class));
    else
        ks_cause_say(r, KS_CAUSE_VOLUME_NOT_BOUND,
                     ks_cause_time(s->object, "metadata.creationTimestamp"),
                     "The claim has no volume yet, and names no StorageClass");
}

void ks_cause_volume(struct ks_cause_reader *r)
{
    struct ks_str phase = ks_json_lenient_str(r->strict.status, "phase", "");
    struct ks_str message = ks_json_lenient_str(r->strict.status, "message", "");

    if (ks_str_is(phase, "Failed"))
        ks_cause_pass(r, KS_CAUSE_VOLUME_FAILED, 0, message, "The volume has failed");
    else if (phase.len == 0 || ks_str_is(phase, "Pending"))
        ks_cause_pass(r, KS_CAUSE_VOLUME_NOT_BOUND, 0, message, "The volume is not available yet");
}

void ks_cause_snapshot(struct ks_cause_reader *r)
{
    struct ks_json_value error = ks_json_get(r->strict.status, "error");

    if (ks_json_type_of(error) == KS_JSON_MAP)
        ks_cause_pass(r, KS_CAUSE_SNAPSHOT_FAILED, ks_cause_time(error, "time"),
                      ks_json_lenient_str(error, "message", ""), "The snapshot has failed");
    else if (!ks_json_lenient_bool(r->strict.status, "readyToUse", false))
        ks_cause_say(r, KS_CAUSE_NOT_FINISHED, 0, "The snapshot is not ready to be used");
}

static bool has_address(const struct ks_cause_reader *r)
{
    struct ks_json_value balancer = ks_json_get(r->strict.status, "loadBalancer");

    return ks_json_count(ks_json_get(balancer, "ingress")) > 0;
}

void ks_cause_service(struct ks_cause_reader *r)
{
    const struct ks_strict *s = &r->strict;

    if (ks_str_is(ks_json_lenient_str(s->object, "spec.type", ""), "LoadBalancer") &&
        !has_address(r))
        ks_cause_say(r, KS_CAUSE_ADDRESS_PENDING,
                     ks_cause_time(s->object, "metadata.creationTimestamp"),
                     "The load balancer has no address yet");
}

void ks_cause_ingress(struct ks_cause_reader *r)
{
    struct ks_str class = ks_json_lenient_str(r->strict.object, "spec.ingressClassName", "");
    int64_t since_ms = ks_cause_time(r->strict.object, "metadata.creationTimestamp");

    if (has_address(r))
        return;
    class = ks_str_cut_utf8(class, 253);
    if (class.len)
        ks_cause_say(r, KS_CAUSE_ADDRESS_PENDING, since_ms,
                     "The Ingress has no address yet (class %.*s)", KS_STR_ARGS(class));
    else
        ks_cause_say(r, KS_CAUSE_ADDRESS_PENDING, since_ms,
                     "The Ingress has no address yet, and names no class");
}
