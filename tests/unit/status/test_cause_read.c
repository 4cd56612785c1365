/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is read from objects and Events: at least one of each code, in the order in which causes are
 * told, with the words and numbers that matter; hostile content; behaviour when memory is short.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "json/json.h"
#include "status/cause.h"
#include "support/torture.h"

/* 2026-01-01T00:01:00Z */
#define NOW_MS INT64_C(1767225660000)

static struct ks_json *json;
static struct ks_causes causes;
static struct ks_error error;
static bool seen[KS_CAUSE_COUNT];

static int setup(void **state)
{
    (void)state;
    return ks_json_new(&ks_json_limits_object, &json, &error) ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    json = ks_json_free(json);
    return 0;
}

static void parse(const char *text)
{
    ks_causes_init(&causes);
    if (ks_json_parse(json, ks_str_from(text), &error))
        fail_msg("%s: %s", error.msg, text);
}

static bool holds(struct ks_str text, const char *part)
{
    for (size_t at = 0; at + strlen(part) <= text.len; at++) {
        if (memcmp(text.ptr + at, part, strlen(part)) == 0)
            return true;
    }
    return false;
}

/* Codes joined by blanks, all there are. */
static void assert_codes(const char *codes, const char *text)
{
    struct ks_str rest = ks_str_from(codes);
    struct ks_str code;
    size_t at = 0;

    for (size_t i = 0; i < causes.count; i++)
        seen[causes.items[i].code] = true;
    while (rest.len > 0 && ks_str_split(&rest, ' ', &code)) {
        if (at >= causes.count || !ks_str_is(code, ks_cause_code_text(causes.items[at].code)))
            fail_msg("want %s, [%zu] is %s: %s", codes, at,
                     at < causes.count ? ks_cause_code_text(causes.items[at].code) : "nothing",
                     text);
        at++;
    }
    if (at != causes.count)
        fail_msg("want %s, there is also %s: %s", codes, ks_cause_code_text(causes.items[at].code),
                 text);
}

struct row {
    const char *codes;
    const char *message; /* part of the first one's */
    const char *text;
};

static void assert_read(const struct row *row)
{
    parse(row->text);
    assert_int_equal(ks_causes_read(ks_json_root(json), NULL, NOW_MS, &causes), KS_RC_OK);
    assert_codes(row->codes, row->text);
    if (causes.count && !holds(causes.items[0].message, row->message))
        fail_msg("message is %.*s, not %s", KS_STR_ARGS(causes.items[0].message), row->message);
}

static void assert_event(const struct row *row)
{
    parse(row->text);
    assert_int_equal(ks_causes_read_event(ks_json_root(json), &causes), KS_RC_OK);
    assert_codes(row->codes, row->text);
    if (causes.count && !holds(causes.items[0].message, row->message))
        fail_msg("message is %.*s, not %s", KS_STR_ARGS(causes.items[0].message), row->message);
}

#define META "\"metadata\":{\"namespace\":\"shop\",\"name\":\"web\""
#define OBJECT(api, kind, rest)                                                                    \
    "{\"apiVersion\":\"" api "\",\"kind\":\"" kind "\"," META "}," rest "}"
#define POD(status) OBJECT("v1", "Pod", "\"status\":{" status "}")
#define CONTAINER(state) "\"containerStatuses\":[{\"name\":\"app\"," state "}]"
#define INIT(state) "\"initContainerStatuses\":[{\"name\":\"setup\"," state "}]"
#define WAITING(reason, message)                                                                   \
    "\"state\":{\"waiting\":{\"reason\":\"" reason "\",\"message\":\"" message "\"}}"
#define ENDED(rest) "{\"terminated\":{" rest "}}"
#define CONDITION(type, status, reason, message)                                                   \
    "\"conditions\":[{\"type\":\"" type "\",\"status\":\"" status "\",\"reason\":\"" reason        \
    "\",\"message\":\"" message "\",\"lastTransitionTime\":\"2026-01-01T00:00:00Z\"}]"
#define PENDING(message) POD(CONDITION("PodScheduled", "False", "Unschedulable", message))

static const struct row pods[] = {
    {"IMAGE_NOT_FOUND", "ErrImagePull: ",
     POD(CONTAINER(WAITING("ErrImagePull", "failed to resolve reference \\\"docker.io/library/"
                                           "nginx:nope\\\": docker.io/library/nginx:nope: not "
                                           "found")))},
    {"IMAGE_PULL_UNAUTHORIZED", "ImagePullBackOff",
     POD(CONTAINER(WAITING("ImagePullBackOff", "Back-off pulling image \\\"r/x\\\": ErrImagePull: "
                                               "pull access denied, repository does not exist or "
                                               "may require authorization")))},
    {"IMAGE_NAME_INVALID", "InvalidImageName",
     POD(CONTAINER(WAITING("InvalidImageName", "Failed to apply default image tag")))},
    {"IMAGE_NEVER_PULLED", "ErrImageNeverPull", POD(CONTAINER(WAITING("ErrImageNeverPull", "")))},
    {"IMAGE_PULL_ERROR", "Back-off",
     POD(CONTAINER(WAITING("ImagePullBackOff", "Back-off pulling image \\\"x\\\"")))},
    {"SECRET_MISSING", "db-password",
     POD(CONTAINER(WAITING("CreateContainerConfigError", "secret \\\"db-password\\\" not found")))},
    {"CONFIG_MAP_MISSING", "settings",
     POD(CONTAINER(WAITING("CreateContainerConfigError", "configmap \\\"settings\\\" not found")))},
    {"CONFIG_KEY_MISSING", "color",
     POD(CONTAINER(WAITING("CreateContainerConfigError",
                           "couldn't find key color in ConfigMap shop/settings")))},
    {"CONTAINER_CONFIG_ERROR", "runAsNonRoot",
     POD(CONTAINER(WAITING("CreateContainerConfigError",
                           "container has runAsNonRoot and image will run as root")))},
    {"CONTAINER_CREATE_ERROR", "no command",
     POD(CONTAINER(WAITING("CreateContainerError", "no command specified")))},
    {"OUT_OF_MEMORY", "signal 9 (SIGKILL), OOMKilled",
     POD(CONTAINER("\"restartCount\":3," WAITING(
         "CrashLoopBackOff",
         "back-off 40s") ","
                         "\"lastState\":" ENDED("\"exitCode\":137,\"reason\":\"OOMKilled\"")))},
    {"CRASH_LOOP", "Ended with code 1, Error: no database",
     POD("\"phase\":\"Running\"," CONTAINER("\"restartCount\":7," WAITING(
         "CrashLoopBackOff",
         "back-off 5m0s") ","
                          "\"lastState\":" ENDED(
                              "\"exitCode\":1,\"reason\":\"Error\",\"message\":\"no "
                              "database\\n\"")))},
    {"CRASH_LOOP", "signal 11 (SIGSEGV)",
     POD(CONTAINER("\"restartCount\":2,\"state\":" ENDED("\"exitCode\":139")))},
    {"CRASH_LOOP", "Ended with code 2",
     POD(CONTAINER(
         "\"restartCount\":2,\"ready\":false,\"state\":{\"running\":{}},\"lastState\":" ENDED(
             "\"exitCode\":2,\"finishedAt\":\"2026-01-01T00:00:30Z\"")))},
    {"CRASH_LOOP", "again and again", POD(CONTAINER(WAITING("CrashLoopBackOff", "")))},
    {"INIT_CONTAINER_FAILED CONTAINER_STARTING", "Ended with code 3",
     POD(INIT("\"restartCount\":1," WAITING("CrashLoopBackOff", "x") ",\"lastState\":" ENDED(
         "\"exitCode\":3")) "," CONTAINER(WAITING("PodInitializing", "")))},
    {"CONTAINER_FAILED", "Ended with code 4",
     POD("\"phase\":\"Failed\"," CONTAINER("\"state\":" ENDED("\"exitCode\":4")))},
    {"CONTAINER_NOT_READY", "not ready",
     POD("\"phase\":\"Running\"," CONTAINER("\"ready\":false,\"state\":{\"running\":{}}"))},
    {"CONTAINER_STARTING", "ContainerCreating",
     POD("\"phase\":\"Pending\"," CONTAINER(WAITING("ContainerCreating", "")))},
    {"CONTAINER_STARTING", "not started", POD("\"phase\":\"Pending\"")},
    {"HOOK_FAILED", "PostStartHookError", POD(CONTAINER(WAITING("PostStartHookError", "x")))},
    {"NOT_FINISHED", "runs", POD("\"phase\":\"Running\"")},
    {"", "", POD("\"phase\":\"Succeeded\"")},
    {"EVICTED", "low on resource",
     POD("\"phase\":\"Failed\",\"reason\":\"Evicted\",\"message\":\"The node was low on "
         "resource: memory.\"")},
    {"DEADLINE_EXCEEDED", "active",
     POD("\"phase\":\"Failed\",\"reason\":\"DeadlineExceeded\","
         "\"message\":\"Pod was active too long\"")},
    {"PREEMPTED", "PreemptionByScheduler",
     POD(CONDITION("DisruptionTarget", "True", "PreemptionByScheduler",
                   "more important") ","
                                     "\"phase\":\"Running\"")},
    {"NODE_LOST", "does not report", POD("\"phase\":\"Unknown\"")},
    {"NODE_REJECTED", "OutOfcpu", POD("\"phase\":\"Failed\",\"reason\":\"OutOfcpu\"")},
    {"POD_FAILED", "has failed", POD("\"phase\":\"Failed\"")},
    {"SCHEDULING_GATED", "gates",
     POD(CONDITION("PodScheduled", "False", "SchedulingGated", "non-empty scheduling gates"))},
    {"RESOURCES_INSUFFICIENT TAINT_NOT_TOLERATED AFFINITY_NOT_MET",
     "0/5 nodes are available: 2 Insufficient cpu, 1 Insufficient memory",
     PENDING("0/5 nodes are available: 1 node(s) had untolerated taint {role: , x}, 2 Insufficient "
             "cpu, 1 Insufficient memory, 2 node(s) didn't match Pod's node affinity/selector. "
             "preemption: 0/5 nodes are available: 5 Insufficient gold.")},
    {"VOLUME_CONFLICT UNSCHEDULABLE", "1 node(s) had volume node affinity conflict",
     PENDING("0/2 nodes are available: 1 node(s) had volume node affinity conflict, 1 node(s) "
             "were unschedulable.")},
    {"VOLUME_NOT_BOUND", "unbound",
     PENDING("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.")},
    {"CLAIM_MISSING", "data",
     PENDING("0/1 nodes are available: persistentvolumeclaim \\\"data\\\" not found.")},
    {"UNSCHEDULABLE", "no nodes", PENDING("no nodes available to schedule pods")},
    {"UNSCHEDULABLE", "finds no node", PENDING("")},
};

#define APPS(kind, rest) OBJECT("apps/v1", kind, rest)

static const struct row workloads[] = {
    {"PROGRESS_DEADLINE_EXCEEDED REPLICAS_NOT_READY", "ProgressDeadlineExceeded: ReplicaSet",
     APPS("Deployment",
          "\"spec\":{\"replicas\":3},\"status\":{\"readyReplicas\":1," CONDITION(
              "Progressing", "False", "ProgressDeadlineExceeded", "ReplicaSet has timed out") "}")},
    {"QUOTA_EXCEEDED REPLICAS_NOT_READY", "exceeded quota",
     APPS("ReplicaSet", "\"spec\":{\"replicas\":3},\"status\":{" CONDITION(
                            "ReplicaFailure", "True", "FailedCreate",
                            "pods \\\"web-x\\\" is forbidden: exceeded quota: small") "}")},
    {"ADMISSION_DENIED REPLICAS_NOT_READY", "webhook",
     APPS("ReplicaSet", "\"spec\":{\"replicas\":3},\"status\":{" CONDITION(
                            "ReplicaFailure", "True", "FailedCreate",
                            "admission webhook \\\"p\\\" denied the request: no") "}")},
    {"CREATION_FAILED REPLICAS_NOT_READY", "is invalid",
     APPS("ReplicaSet",
          "\"spec\":{\"replicas\":3},\"status\":{" CONDITION(
              "ReplicaFailure", "True", "FailedCreate", "Pod \\\"x\\\" is invalid") "}")},
    {"REPLICAS_NOT_READY", "1 of 3",
     APPS("StatefulSet", "\"spec\":{\"replicas\":3},\"status\":{\"readyReplicas\":1}")},
    {"STATUS_NOT_WRITTEN", "no status", APPS("StatefulSet", "\"spec\":{\"replicas\":0}")},
    {"CONTROLLER_NOT_OBSERVING REPLICAS_NOT_READY", "generation 6, not yet 7",
     "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\"," META ",\"generation\":7,"
     "\"managedFields\":[{\"time\":\"2026-01-01T00:00:10Z\"},{\"time\":\"2026-01-01T00:00:40Z\","
     "\"subresource\":\"status\"}]},\"spec\":{\"replicas\":1},"
     "\"status\":{\"observedGeneration\":6}}"},
    {"BACKOFF_LIMIT_EXCEEDED", "back-off limit",
     OBJECT("batch/v1", "Job",
            "\"status\":{" CONDITION("Failed", "True", "BackoffLimitExceeded",
                                     "reached the back-off limit") "}")},
    {"DEADLINE_EXCEEDED", "too long",
     OBJECT("batch/v1", "Job",
            "\"status\":{" CONDITION("Failed", "True", "DeadlineExceeded", "too long") "}")},
    {"JOB_FAILED", "PodFailurePolicy",
     OBJECT("batch/v1", "Job",
            "\"status\":{" CONDITION("FailureTarget", "True", "PodFailurePolicy", "") "}")},
    {"NOT_FINISHED", "2 of its Pods have failed",
     OBJECT("batch/v1", "Job",
            "\"status\":{\"startTime\":\"2026-01-01T00:00:00Z\","
            "\"failed\":2}")},
    {"PAUSED", "suspended",
     OBJECT("batch/v1", "Job",
            "\"spec\":{\"suspend\":true},"
            "\"status\":{}")},
    {"LAST_RUN_FAILED", "not succeeded",
     OBJECT("batch/v1", "CronJob", "\"status\":{\"lastScheduleTime\":\"2026-01-01T00:00:00Z\"}")},
    {"REPLICAS_NOT_READY", "2 of 3",
     APPS("Deployment", "\"spec\":{\"replicas\":3},\"status\":{\"readyReplicas\":2," CONDITION(
                            "Available", "False", "MinimumReplicasUnavailable", "too few") "}")},
    {"REPLICAS_NOT_READY", "MinimumReplicasUnavailable: too few",
     APPS("Deployment", "\"spec\":{\"replicas\":2},\"status\":{\"readyReplicas\":2," CONDITION(
                            "Available", "False", "MinimumReplicasUnavailable", "too few") "}")},
};

#define GATEWAY(type, status, reason)                                                              \
    OBJECT("gateway.networking.k8s.io/v1", "Gateway",                                              \
           "\"status\":{\"listeners\":[{" CONDITION(type, status, reason, "why") "}]}")

static const struct row others[] = {
    {"VOLUME_NOT_BOUND", "StorageClass fast",
     OBJECT("v1", "PersistentVolumeClaim",
            "\"spec\":{\"storageClassName\":\"fast\"},\"status\":{\"phase\":\"Pending\"}")},
    {"VOLUME_NOT_BOUND", "names no StorageClass",
     OBJECT("v1", "PersistentVolumeClaim", "\"spec\":{}")},
    {"CLAIM_LOST", "gone",
     OBJECT("v1", "PersistentVolumeClaim", "\"status\":{\"phase\":\"Lost\"}")},
    {"VOLUME_RESIZE_PENDING", "restart",
     OBJECT("v1", "PersistentVolumeClaim",
            "\"status\":{\"phase\":\"Bound\"," CONDITION("FileSystemResizePending", "True", "",
                                                         "restart the Pod") "}")},
    {"VOLUME_FAILED", "disk",
     OBJECT("v1", "PersistentVolume", "\"status\":{\"phase\":\"Failed\",\"message\":\"disk\"}")},
    {"VOLUME_NOT_BOUND", "not available", OBJECT("v1", "PersistentVolume", "\"status\":{}")},
    {"SNAPSHOT_FAILED", "no space",
     OBJECT("snapshot.storage.k8s.io/v1", "VolumeSnapshot",
            "\"status\":{\"error\":{\"message\":\"no space\"}}")},
    {"NOT_FINISHED", "snapshot",
     OBJECT("snapshot.storage.k8s.io/v1", "VolumeSnapshotContent",
            "\"status\":{\"readyToUse\":false}")},
    {"ADDRESS_PENDING", "load balancer",
     OBJECT("v1", "Service",
            "\"spec\":{\"type\":\"LoadBalancer\"},\"status\":{\"loadBalancer\":"
            "{}}")},
    {"", "", OBJECT("v1", "Service", "\"spec\":{\"type\":\"ClusterIP\"}")},
    {"ADDRESS_PENDING", "class nginx",
     OBJECT("networking.k8s.io/v1", "Ingress", "\"spec\":{\"ingressClassName\":\"nginx\"}")},
    {"ADDRESS_PENDING", "names no class", OBJECT("networking.k8s.io/v1", "Ingress", "\"x\":1")},
    {"METRICS_UNAVAILABLE", "FailedGetResourceMetric",
     OBJECT("autoscaling/v2", "HorizontalPodAutoscaler",
            "\"status\":{" CONDITION("ScalingActive", "False", "FailedGetResourceMetric",
                                     "no metrics") "}")},
    {"SCALING_FAILED", "FailedGetScale",
     OBJECT("autoscaling/v2", "HorizontalPodAutoscaler",
            "\"status\":{" CONDITION("AbleToScale", "False", "FailedGetScale", "no target") "}")},
    {"DISRUPTION_BLOCKED", "InsufficientPods",
     OBJECT("policy/v1", "PodDisruptionBudget",
            "\"status\":{" CONDITION("DisruptionAllowed", "False", "InsufficientPods", "") "}")},
    {"NAMES_CONFLICT", "taken",
     OBJECT("apiextensions.k8s.io/v1", "CustomResourceDefinition",
            "\"status\":{" CONDITION("NamesAccepted", "False", "PluralConflict", "taken") "}")},
    {"DEFINITION_NOT_ESTABLISHED", "Installing",
     OBJECT("apiextensions.k8s.io/v1", "CustomResourceDefinition",
            "\"status\":{" CONDITION("Established", "False", "Installing", "") "}")},
    {"API_SERVICE_UNAVAILABLE", "MissingEndpoints",
     OBJECT("apiregistration.k8s.io/v1", "APIService",
            "\"status\":{" CONDITION("Available", "False", "MissingEndpoints", "") "}")},
    {"NODE_NOT_READY", "kubelet",
     OBJECT(
         "v1", "Node",
         "\"status\":{" CONDITION("Ready", "Unknown", "NodeStatusUnknown", "kubelet stopped") "}")},
    {"NODE_PRESSURE", "KubeletHasDiskPressure",
     OBJECT("v1", "Node",
            "\"status\":{" CONDITION("DiskPressure", "True", "KubeletHasDiskPressure", "") "}")},
    {"LISTENER_CONFLICT", "why", GATEWAY("Conflicted", "True", "ProtocolConflict")},
    {"REFERENCE_NOT_RESOLVED", "why", GATEWAY("ResolvedRefs", "False", "RefNotPermitted")},
    {"NOT_ACCEPTED", "why", GATEWAY("Accepted", "False", "PortUnavailable")},
    {"NOT_PROGRAMMED", "why", GATEWAY("Programmed", "False", "AddressNotAssigned")},
    {"REQUEST_DENIED", "no",
     OBJECT("certificates.k8s.io/v1", "CertificateSigningRequest",
            "\"status\":{" CONDITION("Denied", "True", "Policy", "no") "}")},
};

#define FOO(status) OBJECT("example.com/v1", "Foo", "\"status\":{" status "}")

static const struct row custom[] = {
    {"STALLED", "Bad: field", FOO(CONDITION("Stalled", "True", "Bad", "field"))},
    {"DEPENDENCY_NOT_READY", "shop/db",
     FOO(CONDITION("Ready", "False", "DependencyNotReady", "dependency 'shop/db' is not ready"))},
    {"CONDITION_FAILING", "BuildFailed", FOO(CONDITION("Ready", "False", "BuildFailed", "x"))},
    {"CONDITION_FAILING", "Degraded", FOO(CONDITION("Degraded", "True", "", ""))},
    {"CONDITION_NOT_MET", "Pulling", FOO(CONDITION("Ready", "Unknown", "Pulling", "x"))},
    {"", "", FOO(CONDITION("Ready", "True", "", ""))},
    {"STATUS_NOT_WRITTEN", "no status", OBJECT("example.com/v1", "Foo", "\"spec\":{}")},
    {"CONTROLLER_NOT_OBSERVING", "older generation",
     "{\"apiVersion\":\"example.com/v1\",\"kind\":\"Foo\"," META ",\"generation\":2},\"status\":"
     "{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"observedGeneration\":1}]}}"},
};

#define DELETED(kind, rest)                                                                        \
    "{\"apiVersion\":\"v1\",\"kind\":\"" kind "\"," META ",\"deletionTimestamp\":"                 \
    "\"2026-01-01T00:00:40Z\"" rest "}"

static const struct row deletions[] = {
    {"FINALIZER_PENDING FINALIZER_PENDING", "Finalizer a/b",
     DELETED("ConfigMap", ",\"finalizers\":[\"x/y\",\"a/b\"]}")},
    {"DELETION_PENDING", "being deleted",
     DELETED("Pod", ",\"deletionGracePeriodSeconds\":30},\"status\":{\"phase\":\"Running\"}")},
    {"CONTENT_REMAINING", "pods. has 1",
     DELETED("Namespace", "},\"status\":{" CONDITION("NamespaceContentRemaining", "True",
                                                     "SomeResourcesRemain", "pods. has 1") "}")},
    {"DISCOVERY_FAILED", "metrics",
     DELETED("Namespace", "},\"status\":{" CONDITION("NamespaceDeletionDiscoveryFailure", "True",
                                                     "DiscoveryFailed", "metrics") "}")},
};

#define EVENT(kind, reason, message)                                                               \
    "{\"apiVersion\":\"v1\",\"kind\":\"Event\",\"type\":\"Warning\",\"reason\":\"" reason          \
    "\",\"message\":\"" message "\",\"count\":5,\"firstTimestamp\":\"2026-01-01T00:00:00Z\","      \
    "\"lastTimestamp\":\"2026-01-01T00:00:50Z\",\"involvedObject\":{\"apiVersion\":\"v1\","        \
    "\"kind\":\"" kind "\",\"namespace\":\"shop\",\"name\":\"web\",\"uid\":\"u-1\","               \
    "\"fieldPath\":\"spec.containers{app}\"}}"

static const struct row events[] = {
    {"LIVENESS_PROBE_FAILED", "status 500",
     EVENT("Pod", "Unhealthy", "Liveness probe failed: status 500")},
    {"READINESS_PROBE_FAILED", "refused",
     EVENT("Pod", "Unhealthy", "Readiness probe failed: connection refused")},
    {"STARTUP_PROBE_FAILED", "x", EVENT("Pod", "Unhealthy", "Startup probe failed: x")},
    {"CRASH_LOOP", "restarting", EVENT("Pod", "BackOff", "Back-off restarting failed container")},
    {"IMAGE_PULL_ERROR", "pulling", EVENT("Pod", "BackOff", "Back-off pulling image \\\"x\\\"")},
    {"IMAGE_NOT_FOUND", "nope",
     EVENT("Pod", "Failed",
           "Failed to pull image \\\"nope\\\": not "
           "found")},
    {"SECRET_MISSING", "key", EVENT("Pod", "Failed", "Error: secret \\\"key\\\" not found")},
    {"CONTAINER_CREATE_ERROR", "exec", EVENT("Pod", "Failed", "Error: exec format")},
    {"CONFIG_MAP_MISSING", "MountVolume",
     EVENT("Pod", "FailedMount", "MountVolume.SetUp failed: configmap \\\"c\\\" not found")},
    {"VOLUME_NOT_MOUNTED", "timed out", EVENT("Pod", "FailedMount", "timed out waiting")},
    {"VOLUME_NOT_ATTACHED", "Multi", EVENT("Pod", "FailedAttachVolume", "Multi-Attach error")},
    {"SANDBOX_FAILED", "cni", EVENT("Pod", "FailedCreatePodSandBox", "cni")},
    {"RESOURCES_INSUFFICIENT", "1 Insufficient cpu",
     EVENT("Pod", "FailedScheduling", "0/1 nodes are available: 1 Insufficient cpu.")},
    {"EVICTED", "memory", EVENT("Pod", "Evicted", "low on memory")},
    {"NODE_LOST", "Node", EVENT("Pod", "NodeNotReady", "Node is not ready")},
    {"QUOTA_EXCEEDED", "quota", EVENT("ReplicaSet", "FailedCreate", "exceeded quota: q")},
    {"PROVISIONING_FAILED", "class",
     EVENT("PersistentVolumeClaim", "ProvisioningFailed", "storageclass \\\"x\\\" not found")},
    {"LOAD_BALANCER_FAILED", "cloud", EVENT("Service", "SyncLoadBalancerFailed", "cloud says no")},
    {"WARNING", "Odd: thing", EVENT("Foo", "Odd", "thing")},
    {"WAITING_FOR_CONSUMER", "waiting for",
     "{\"type\":\"Normal\",\"reason\":\"WaitForFirstConsumer\",\"message\":\"waiting for first "
     "consumer\",\"involvedObject\":{\"kind\":\"PersistentVolumeClaim\",\"name\":\"d\"}}"},
    {"", "",
     "{\"type\":\"Normal\",\"reason\":\"Pulled\",\"involvedObject\":{\"kind\":\"Pod\","
     "\"name\":\"d\"}}"},
    {"", "", "{\"type\":\"Warning\",\"reason\":\"Failed\"}"},
    {"", "", "{\"type\":\"Warning\",\"involvedObject\":7}"},
};

static void reads_objects(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(pods); i++)
        assert_read(&pods[i]);
    for (size_t i = 0; i < KS_ARRAY_LEN(workloads); i++)
        assert_read(&workloads[i]);
    for (size_t i = 0; i < KS_ARRAY_LEN(others); i++)
        assert_read(&others[i]);
    for (size_t i = 0; i < KS_ARRAY_LEN(custom); i++)
        assert_read(&custom[i]);
    for (size_t i = 0; i < KS_ARRAY_LEN(deletions); i++)
        assert_read(&deletions[i]);
}

static void reads_events(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(events); i++)
        assert_event(&events[i]);
}

/* After the two above: no code that nothing gives. */
static void gives_every_code(void **state)
{
    (void)state;
    for (int i = 0; i < KS_CAUSE_COUNT; i++) {
        if (!seen[i])
            fail_msg("no row has %s", ks_cause_code_text((ks_cause_code)i));
    }
}

static void tells_where_and_how_often(void **state)
{
    const struct ks_cause *c = &causes.items[0];

    (void)state;
    assert_read(&pods[11]);
    assert_true(ks_str_is(c->source.kind, "Pod") && ks_str_is(c->source.ns, "shop"));
    assert_true(ks_str_is(c->source.name, "web") && ks_str_is(c->container, "app"));
    assert_true(c->has_exit && c->exit_code == 1);
    assert_int_equal(c->restart_count, 7);
    assert_int_equal(c->count, 1);
    assert_event(&events[0]);
    assert_true(ks_str_is(c->container, "app") && ks_str_is(c->source.name, "web"));
    assert_int_equal(c->count, 5);
    assert_int_equal(c->first_seen_ms, NOW_MS - 60000);
    assert_int_equal(c->last_seen_ms, NOW_MS - 10000);
    assert_read(&workloads[6]);
    assert_int_equal(c->first_seen_ms, NOW_MS - 50000);
    assert_read(&deletions[1]);
    assert_int_equal(c->first_seen_ms, NOW_MS - 50000);
}

static void reads_the_newer_shape_of_events(void **state)
{
    const struct ks_cause *c = &causes.items[0];
    struct ks_cause_source source;
    struct ks_str uid;

    (void)state;
    assert_event(&(struct row){
        "INIT_CONTAINER_FAILED", "again",
        "{\"apiVersion\":\"events.k8s.io/v1\",\"type\":\"Warning\",\"reason\":\"BackOff\",\"note\":"
        "\"again\",\"eventTime\":\"2026-01-01T00:00:00.5Z\",\"series\":{\"count\":9,"
        "\"lastObservedTime\":\"2026-01-01T00:00:50Z\"},\"regarding\":{\"apiVersion\":\"apps/v1\","
        "\"kind\":\"Pod\",\"name\":\"p\",\"uid\":\"u\",\"fieldPath\":\"spec.initContainers{i}\"}"
        "}"});
    assert_int_equal(c->count, 9);
    assert_int_equal(c->first_seen_ms, NOW_MS - 59500);
    assert_int_equal(c->last_seen_ms, NOW_MS - 10000);
    assert_true(ks_str_is(c->container, "i"));
    assert_true(ks_cause_event_regards(ks_json_root(json), &source, &uid));
    assert_true(ks_str_is(source.group, "apps") && ks_str_is(uid, "u"));
}

/* A Pod's own state and the Event about it are one cause; the state tells more. */
static void makes_one_of_state_and_event(void **state)
{
    (void)state;
    assert_event(&events[3]);
    assert_int_equal(ks_json_parse(json, ks_str_from(pods[11].text), &error), KS_RC_OK);
    assert_int_equal(ks_causes_read(ks_json_root(json), NULL, NOW_MS, &causes), KS_RC_OK);
    assert_codes("CRASH_LOOP", "both");
    assert_true(causes.items[0].has_exit && holds(causes.items[0].message, "no database"));
    assert_int_equal(causes.items[0].count, 6);
}

/* The scheduler's sentence, without what it has tried to make room. */
static void cuts_what_would_make_room(void **state)
{
    (void)state;
    assert_read(&(struct row){
        "AFFINITY_NOT_MET", "",
        PENDING("0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. no "
                "new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is "
                "not helpful for scheduling.")});
    assert_true(
        ks_str_is(causes.items[0].message,
                  "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector"));
}

static void takes_any_type(void **state)
{
    static const char *const members[] = {
        "null", "7",  "\"x\"", "[]",
        "[7]",  "{}", "true",  "[{\"state\":{\"waiting\":7,\"terminated\":[]}}]"};
    char text[512];

    (void)state;
    for (size_t i = 0; i < KS_ARRAY_LEN(members); i++) {
        const char *m = members[i];

        (void)snprintf(text, sizeof(text),
                       "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"finalizers\":%s},"
                       "\"status\":{\"conditions\":%s,\"containerStatuses\":%s,"
                       "\"initContainerStatuses\":%s,\"phase\":%s},\"involvedObject\":%s}",
                       m, m, m, m, m, m);
        parse(text);
        assert_int_equal(ks_causes_read(ks_json_root(json), NULL, NOW_MS, &causes), KS_RC_OK);
        assert_int_equal(ks_causes_read_event(ks_json_root(json), &causes), KS_RC_OK);
    }
    ks_causes_init(&causes);
    assert_int_equal(ks_causes_read((struct ks_json_value){0}, NULL, NOW_MS, &causes), KS_RC_OK);
    assert_int_equal(ks_causes_read_event((struct ks_json_value){0}, &causes), KS_RC_OK);
}

/* What profile strict finds wrong has a cause, whatever it was found in. */
static void leaves_nothing_unexplained(void **state)
{
    struct ks_buf text = KS_BUF(1u << 24);
    struct ks_str rest;
    struct ks_str line;
    size_t judged = 0;

    (void)state;
    assert_int_equal(ks_file_read(KS_TESTS_DIR "/conformance/strict.ndjson", &text, NULL),
                     KS_RC_OK);
    rest = ks_buf_str(&text);
    while (rest.len > 0 && ks_str_split(&rest, '\n', &line)) {
        struct ks_json_value object;
        struct ks_verdict verdict;

        ks_causes_init(&causes);
        if (line.len == 0 || ks_json_parse(json, line, NULL))
            continue;
        object = ks_json_get(ks_json_root(json), "object");
        if (ks_json_type_of(object) != KS_JSON_MAP)
            continue;
        assert_int_equal(ks_status_compute_profile(KS_PROFILE_STRICT, object, 2 * NOW_MS, NULL,
                                                   &verdict, &error),
                         KS_RC_OK);
        assert_int_equal(ks_causes_read(object, NULL, 2 * NOW_MS, &causes), KS_RC_OK);
        if (verdict.status == KS_STATUS_CURRENT || verdict.status == KS_STATUS_UNKNOWN)
            continue;
        judged++;
        if (causes.count == 0)
            fail_msg("no cause: %.*s", KS_STR_ARGS(line));
    }
    assert_true(judged > 100);
    ks_buf_fini(&text);
}

static void run_short(void *ctx)
{
    struct ks_json *doc = NULL;
    ks_rc rc = ks_json_new(&ks_json_limits_object, &doc, NULL);

    (void)ctx;
    ks_causes_init(&causes);
    if (!rc)
        rc = ks_json_parse(doc, ks_str_from(pods[11].text), NULL);
    if (!rc)
        rc = ks_causes_read(ks_json_root(doc), NULL, NOW_MS, &causes);
    assert_int_equal(rc, ks_alloc_failed() ? KS_RC_NOMEM : KS_RC_OK);
    doc = ks_json_free(doc);
}

static void says_when_memory_is_short(void **state)
{
    (void)state;
    assert_true(ks_torture(run_short, NULL) > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_objects),
        cmocka_unit_test(reads_events),
        cmocka_unit_test(gives_every_code),
        cmocka_unit_test(tells_where_and_how_often),
        cmocka_unit_test(reads_the_newer_shape_of_events),
        cmocka_unit_test(makes_one_of_state_and_event),
        cmocka_unit_test(cuts_what_would_make_room),
        cmocka_unit_test(takes_any_type),
        cmocka_unit_test(leaves_nothing_unexplained),
        cmocka_unit_test(says_when_memory_is_short),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
