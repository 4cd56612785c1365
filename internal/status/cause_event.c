/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Causes from Warning Events: what only they tell (probes, mounts, provisioning), and details of
 * what the object shows, too.
 *
 * Two shapes: core/v1 (involvedObject, count, firstTimestamp) and events.k8s.io/v1 (regarding,
 * series, deprecated...); the members have different names, so each is asked for under both.
 *
 * Thread: the document's.  It does not: tie an Event to an object, or know whether it is outdated.
 */
#include "status/cause_read.h"

#include "json/path.h"

struct event_row {
    const char *reason;
    ks_cause_code code;
};

/* Those whose reason says it all. */
static const struct event_row rows[] = {
    {"FailedMount", KS_CAUSE_VOLUME_NOT_MOUNTED},
    {"FailedMapVolume", KS_CAUSE_VOLUME_NOT_MOUNTED},
    {"FailedAttachVolume", KS_CAUSE_VOLUME_NOT_ATTACHED},
    {"FailedBinding", KS_CAUSE_VOLUME_NOT_BOUND},
    {"WaitForFirstConsumer", KS_CAUSE_WAITING_FOR_CONSUMER},
    {"WaitForPodScheduled", KS_CAUSE_WAITING_FOR_CONSUMER},
    {"ProvisioningFailed", KS_CAUSE_PROVISIONING_FAILED},
    {"ProvisioningCleanupFailed", KS_CAUSE_PROVISIONING_FAILED},
    {"VolumeResizeFailed", KS_CAUSE_VOLUME_RESIZE_PENDING},
    {"FileSystemResizeFailed", KS_CAUSE_VOLUME_RESIZE_PENDING},
    {"VolumeFailedDelete", KS_CAUSE_VOLUME_FAILED},
    {"VolumeFailedRecycle", KS_CAUSE_VOLUME_FAILED},
    {"ClaimLost", KS_CAUSE_CLAIM_LOST},
    {"ClaimMisbound", KS_CAUSE_VOLUME_NOT_BOUND},
    {"SnapshotContentCreationFailed", KS_CAUSE_SNAPSHOT_FAILED},
    {"SnapshotCreationFailed", KS_CAUSE_SNAPSHOT_FAILED},
    {"ErrImageNeverPull", KS_CAUSE_IMAGE_NEVER_PULLED},
    {"FailedPostStartHook", KS_CAUSE_HOOK_FAILED},
    {"FailedPreStopHook", KS_CAUSE_HOOK_FAILED},
    {"FailedCreatePodSandBox", KS_CAUSE_SANDBOX_FAILED},
    {"FailedCreatePodContainer", KS_CAUSE_CONTAINER_CREATE_ERROR},
    {"FailedPodSandBoxStatus", KS_CAUSE_SANDBOX_FAILED},
    {"NetworkNotReady", KS_CAUSE_SANDBOX_FAILED},
    {"OOMKilling", KS_CAUSE_OUT_OF_MEMORY},
    {"SystemOOM", KS_CAUSE_NODE_PRESSURE},
    {"EvictionThresholdMet", KS_CAUSE_NODE_PRESSURE},
    {"FreeDiskSpaceFailed", KS_CAUSE_NODE_PRESSURE},
    {"ImageGCFailed", KS_CAUSE_NODE_PRESSURE},
    {"NodeNotReady", KS_CAUSE_NODE_LOST},
    {"FailedKillPod", KS_CAUSE_DELETION_PENDING},
    {"FailedDaemonPod", KS_CAUSE_POD_FAILED},
    {"BackoffLimitExceeded", KS_CAUSE_BACKOFF_LIMIT_EXCEEDED},
    {"FailedGetResourceMetric", KS_CAUSE_METRICS_UNAVAILABLE},
    {"FailedGetContainerResourceMetric", KS_CAUSE_METRICS_UNAVAILABLE},
    {"FailedGetPodsMetric", KS_CAUSE_METRICS_UNAVAILABLE},
    {"FailedGetObjectMetric", KS_CAUSE_METRICS_UNAVAILABLE},
    {"FailedGetExternalMetric", KS_CAUSE_METRICS_UNAVAILABLE},
    {"FailedComputeMetricsReplicas", KS_CAUSE_METRICS_UNAVAILABLE},
    {"FailedGetScale", KS_CAUSE_SCALING_FAILED},
    {"FailedRescale", KS_CAUSE_SCALING_FAILED},
    {"FailedUpdateScale", KS_CAUSE_SCALING_FAILED},
    {"SyncLoadBalancerFailed", KS_CAUSE_LOAD_BALANCER_FAILED},
    {"CreatingLoadBalancerFailed", KS_CAUSE_LOAD_BALANCER_FAILED},
    {"UpdateLoadBalancerFailed", KS_CAUSE_LOAD_BALANCER_FAILED},
    {"UnAvailableLoadBalancer", KS_CAUSE_LOAD_BALANCER_FAILED},
    {"NoControllers", KS_CAUSE_DISRUPTION_BLOCKED},
    {"UnmanagedPods", KS_CAUSE_DISRUPTION_BLOCKED},
    {"CalculateExpectedPodCountFailed", KS_CAUSE_DISRUPTION_BLOCKED},
    {"DependencyNotReady", KS_CAUSE_DEPENDENCY_NOT_READY},
};

static struct ks_json_value regarded(struct ks_json_value event)
{
    struct ks_json_value v = ks_json_get(event, "involvedObject");

    return ks_json_type_of(v) == KS_JSON_MAP ? v : ks_json_get(event, "regarding");
}

bool ks_cause_event_regards(struct ks_json_value event, struct ks_cause_source *out,
                            struct ks_str *out_uid)
{
    struct ks_json_value v = regarded(event);
    struct ks_str version = ks_json_lenient_str(v, "apiVersion", "");
    ptrdiff_t slash = ks_str_chr(version, '/');
    struct ks_cause_source source = {
        .group = ks_str_sub(version, 0, slash > 0 ? (size_t)slash : 0),
        .kind = ks_json_lenient_str(v, "kind", ""),
        .ns = ks_json_lenient_str(v, "namespace", ""),
        .name = ks_json_lenient_str(v, "name", ""),
    };

    if (source.kind.len == 0 || source.name.len == 0)
        return false;
    *out = source;
    *out_uid = ks_json_lenient_str(v, "uid", "");
    return true;
}

/* The first of the paths that holds a time. */
static int64_t first_time(struct ks_json_value event, const char *const *paths)
{
    int64_t time = 0;

    for (size_t i = 0; time == 0 && paths[i]; i++)
        time = ks_cause_time(event, paths[i]);
    return time;
}

static uint32_t read_count(struct ks_json_value event)
{
    static const char *const paths[] = {"series.count", "count", "deprecatedCount"};

    for (size_t i = 0; i < KS_ARRAY_LEN(paths); i++) {
        int64_t count = ks_json_lenient_int(event, paths[i], 0);

        if (count > 0)
            return count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
    }
    return 1;
}

/* "app" of "spec.containers{app}"; *is_init tells of which list. */
static struct ks_str read_container(struct ks_json_value event, bool *is_init)
{
    struct ks_str path = ks_json_lenient_str(regarded(event), "fieldPath", "");
    ptrdiff_t open = ks_str_chr(path, '{');

    *is_init = ks_str_starts(path, KS_LIT("spec.initContainers{"));
    if (open < 0 || !ks_str_ends(path, KS_LIT("}")))
        return (struct ks_str){0};
    return ks_str_sub(path, (size_t)open + 1, path.len - (size_t)open - 2);
}

static ks_cause_code probe_code(struct ks_str message)
{
    if (ks_cause_text_has(ks_str_sub(message, 0, 16), "liveness"))
        return KS_CAUSE_LIVENESS_PROBE_FAILED;
    if (ks_cause_text_has(ks_str_sub(message, 0, 16), "startup"))
        return KS_CAUSE_STARTUP_PROBE_FAILED;
    return KS_CAUSE_READINESS_PROBE_FAILED;
}

/* "Failed" of a kubelet: an image, or a container that could not be made. "Error: ..." repeats what
 * another Event tells in full. */
static ks_cause_code failed_code(struct ks_str message)
{
    if (ks_cause_text_has(message, "image"))
        return ks_cause_of_image((struct ks_str){0}, message);
    return ks_cause_of_reference(message, KS_CAUSE_CONTAINER_CREATE_ERROR);
}

static ks_cause_code back_off_code(struct ks_str message, bool is_init)
{
    if (ks_cause_text_has(message, "image"))
        return ks_cause_of_image((struct ks_str){0}, message);
    return is_init ? KS_CAUSE_INIT_CONTAINER_FAILED : KS_CAUSE_CRASH_LOOP;
}

static ks_cause_code event_code(struct ks_str kind, struct ks_str reason, struct ks_str message,
                                bool is_init)
{
    if (ks_str_is(reason, "Unhealthy") || ks_str_is(reason, "ProbeWarning"))
        return probe_code(message);
    if (ks_str_is(reason, "BackOff"))
        return back_off_code(message, is_init);
    if (ks_str_is(reason, "Failed") && ks_str_is(kind, "Pod"))
        return failed_code(message);
    if (ks_cause_is_image_reason(reason))
        return ks_cause_of_image(reason, message);
    if (ks_str_is(reason, "FailedCreate") || ks_str_is(reason, "ReplicaSetCreateError") ||
        ks_str_is(reason, "FailedCreatePod"))
        return ks_cause_of_creation(message);
    if (ks_str_is(reason, "FailedMount"))
        return ks_cause_of_reference(message, KS_CAUSE_VOLUME_NOT_MOUNTED);
    for (size_t i = 0; i < KS_ARRAY_LEN(rows); i++) {
        if (ks_str_is(reason, rows[i].reason))
            return rows[i].code;
    }
    return ks_cause_of_failed_pod(reason, KS_CAUSE_WARNING);
}

/* Warnings, and the one thing that is told without a warning though it can last for ever. */
static bool is_telling(struct ks_json_value event, struct ks_str reason)
{
    return ks_str_is(ks_json_lenient_str(event, "type", ""), "Warning") ||
           ks_str_is(reason, "WaitForFirstConsumer") || ks_str_is(reason, "WaitForPodScheduled");
}

ks_rc ks_causes_read_event(struct ks_json_value event, struct ks_causes *out)
{
    static const char *const first[] = {"firstTimestamp", "deprecatedFirstTimestamp", "eventTime",
                                        "metadata.creationTimestamp", NULL};
    static const char *const last[] = {"series.lastObservedTime",    "lastTimestamp",
                                       "deprecatedLastTimestamp",    "eventTime",
                                       "metadata.creationTimestamp", NULL};
    struct ks_cause_reader r = {.out = out};
    struct ks_str reason = ks_json_lenient_str(event, "reason", "");
    struct ks_str uid;
    char text[KS_CAUSE_MESSAGE_MAX];
    struct ks_cause cause = {
        .message = ks_json_lenient_str(event, "message", ""),
        .count = read_count(event),
        .first_seen_ms = first_time(event, first),
        .last_seen_ms = first_time(event, last),
        .is_event = true,
    };
    bool is_init;

    if (!is_telling(event, reason) || !ks_cause_event_regards(event, &r.source, &uid))
        return ks_cause_rc(event);
    if (cause.message.len == 0)
        cause.message = ks_json_lenient_str(event, "note", "");
    cause.container = read_container(event, &is_init);
    cause.code = event_code(r.source.kind, reason, cause.message, is_init);
    if (ks_str_is(reason, "FailedScheduling")) {
        ks_cause_tell_scheduling(&r, &cause);
    } else {
        if (cause.code == KS_CAUSE_WARNING || cause.message.len == 0)
            cause.message = ks_cause_join(text, reason, cause.message);
        ks_cause_tell(&r, &cause);
    }
    return ks_cause_rc(event);
}
