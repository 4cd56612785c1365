# SPDX-License-Identifier: Apache-2.0
"""Things that go wrong, and what a user sees of each: one row of TROUBLES.

tests/e2e/test_scenarios.py makes them on a real control plane, and with --record writes what came of them to
tests/scenarios/troubles.ndjson; test_troubles.py sees the same in that recording, without Go.
"""

import typing

import stream as streams

NAMESPACE = "troubles"
CRDS = ("gauges", True), ("labels", False)  # plural, whether it declares a status
GROUP = "troubles.example.dev"


def pod_spec(image="app:1", **more):
    return dict({"containers": [{"name": "app", "image": image}]}, **more)


def template(name, fate=None, **spec):
    annotations = {f"kstatus.test/{key}": value for key, value in (fate or {}).items()}
    return {"metadata": {"labels": {"app": name}, "annotations": annotations}, "spec": pod_spec(**spec)}


def pod(name, fate=None, **spec):
    made = template(name, fate, **spec)
    made["metadata"]["name"] = name
    return dict(made, apiVersion="v1", kind="Pod")


def workload(kind, name, pod_template, api_version="apps/v1", **spec):
    selected = {} if kind == "Job" else {"selector": {"matchLabels": {"app": name}}}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name},
            "spec": dict(selected, template=pod_template, **spec)}


def custom(kind, name):
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": name}, "spec": {}}


def waiting(reason, message, last=None):
    """A container's status as a kubelet writes it; last: how it ended before."""
    status = {"name": "app", "image": "app:1", "imageID": "", "ready": False, "started": False,
              "restartCount": 4 if last else 0, "state": {"waiting": {"reason": reason, "message": message}}}
    if last:
        status["lastState"] = {"terminated": last}
    return status


KINDS = {"configmaps": "ConfigMap", "customresourcedefinitions": "CustomResourceDefinition", "deployments": "Deployment",
         "gauges": "Gauge", "horizontalpodautoscalers": "HorizontalPodAutoscaler", "jobs": "Job", "labels": "Label",
         "persistentvolumeclaims": "PersistentVolumeClaim", "pods": "Pod", "statefulsets": "StatefulSet"}
OUT_OF_MEMORY = {"exitCode": 137, "reason": "OOMKilled", "startedAt": "2026-01-01T00:00:00Z",
                 "finishedAt": "2026-01-01T00:00:09Z"}
HELD = {"start-delay": "24h"}  # kwok starts it never: its status is ours to write


class Trouble(typing.NamedTuple):
    """One row: what is made, and what each profile must make of it; the comment above a row says by which rule of
    docs/verdicts.md, and of the reference where that is another. A verdict is a status and its reason, or one of several;
    an order is that of the statuses, as a regular expression where the control plane may take turns."""

    name: str
    target: str                   # resource/name
    objects: tuple
    kstatus: tuple
    strict: tuple
    kstatus_order: str
    strict_order: str
    pod_status: dict | None = None  # for the Pod of the trouble's name, or the one that it generates
    is_deleted: bool = False
    cause: str = ""               # the first cause's code, as `kstatus compute --explain` tells it
    explained: str = ""           # the object that has it: the target, or this one
    told: str = ""                # the first cause as the server tells it, which sees Pods and Events, where it is another
    difference: int = 0           # the row of docs/differences.md for which the Go watcher may say something else

    @property
    def identity(self):
        """(namespace, name, kind, group)"""
        resource, _, name = self.target.partition("/")
        plural, _, group = resource.partition(".")
        return "" if plural == "customresourcedefinitions" else NAMESPACE, name, KINDS[plural], group

    @property
    def object_name(self):
        return self.target.partition("/")[2]

    def order(self, profile):
        return f"^{getattr(self, profile + '_order')}$"

    def first_cause(self, status):
        """What the first cause told with a status must be; empty: there need be none."""
        return "" if status in ("CURRENT", "NOT_FOUND") else self.told or self.cause


TROUBLES = (
    # Both: a container waits in CrashLoopBackOff and the Pod is not Ready. It was, for a second, before it crashed.
    Trouble("crash loop", "pods/crash", (pod("crash", {"crash-after": "1s"}),),
            ("FAILED", "ContainerCrashLooping"), ("FAILED", "CrashLoopBackOff"),
            "NOT_FOUND IN_PROGRESS CURRENT FAILED", "NOT_FOUND IN_PROGRESS CURRENT FAILED",
            cause="CRASH_LOOP"),
    # kstatus: a pending Pod is pending. strict: an image that cannot be pulled fails after 60 s; kwok turns between the two
    # reasons, as a kubelet does.
    Trouble("image pull error", "pods/pull", (pod("pull", image="registry.invalid/app:1"),),
            ("IN_PROGRESS", "PodPending"), ("FAILED", "ErrImagePull|ImagePullBackOff"),
            "NOT_FOUND IN_PROGRESS", "NOT_FOUND IN_PROGRESS FAILED",
            cause="IMAGE_PULL_ERROR"),
    # As a crash loop; the cause is how the container ended the last time.
    Trouble("out of memory", "pods/oom", (pod("oom", HELD),),
            ("FAILED", "ContainerCrashLooping"), ("FAILED", "CrashLoopBackOff"),
            "NOT_FOUND IN_PROGRESS FAILED", "NOT_FOUND IN_PROGRESS FAILED",
            {"phase": "Running", "containerStatuses": [waiting("CrashLoopBackOff", "back-off 1m20s", OUT_OF_MEMORY)]},
            cause="OUT_OF_MEMORY"),
    # Both: PodScheduled=False/Unschedulable for 15 s from the Pod's creation.
    Trouble("unschedulable", "pods/nowhere", (pod("nowhere", nodeSelector={"disk": "none"}),),
            ("FAILED", "PodUnschedulable"), ("FAILED", "PodUnschedulable"),
            "NOT_FOUND IN_PROGRESS FAILED", "NOT_FOUND IN_PROGRESS FAILED",
            cause="AFFINITY_NOT_MET"),
    # kstatus: no replica exists, and ReplicaFailure is not looked at. strict: ReplicaFailure=True, with its reason, after 60 s.
    Trouble("quota exceeded", "deployments.apps/quota",
            ({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"},
              "spec": {"hard": {"requests.example.dev/slots": "0"}}},
             workload("Deployment", "quota", {"metadata": {"labels": {"app": "quota"}}, "spec": {"containers": [{
                 "name": "app", "image": "app:1", "resources": {"limits": {"example.dev/slots": "1"},
                                                                "requests": {"example.dev/slots": "1"}}}]}})),
            ("IN_PROGRESS", "LessReplicas"), ("FAILED", "FailedCreate"),
            "NOT_FOUND IN_PROGRESS", "NOT_FOUND IN_PROGRESS FAILED",
            cause="QUOTA_EXCEEDED"),
    # kstatus: pending. strict: a container's configuration that cannot be had fails after 60 s.
    Trouble("missing ConfigMap", "pods/config", (pod("config", HELD),),
            ("IN_PROGRESS", "PodPending"), ("FAILED", "CreateContainerConfigError"),
            "NOT_FOUND IN_PROGRESS", "NOT_FOUND IN_PROGRESS FAILED",
            {"containerStatuses": [waiting("CreateContainerConfigError", 'configmap "settings" not found')]},
            cause="CONFIG_MAP_MISSING"),
    # Both: a ConfigMap is Current as soon as it is there, and what has a deletionTimestamp is Terminating, without a reason.
    Trouble("stuck finalizer", "configmaps/stuck",
            ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
                "name": "stuck", "finalizers": ["troubles.example.dev/hold"]}},),
            ("TERMINATING", ""), ("TERMINATING", ""),
            "NOT_FOUND CURRENT TERMINATING", "NOT_FOUND CURRENT TERMINATING", is_deleted=True,
            cause="FINALIZER_PENDING"),
    # kstatus: InProgress with failed Pods is Failed at once. strict: 30 s after its Pod, with the Pod's reason (row "grace").
    # Its Pods come one after the other and crash 1 s after they are Ready: whether both ever are at once is luck.
    Trouble("StatefulSet with a broken Pod", "statefulsets.apps/set",
            (workload("StatefulSet", "set", template("set", {"crash-after": "1s"}), replicas=2, serviceName="set"),),
            ("FAILED", "PodsFailed"), ("FAILED", "CrashLoopBackOff"),
            "NOT_FOUND IN_PROGRESS (CURRENT (IN_PROGRESS )?)?FAILED", "NOT_FOUND IN_PROGRESS (CURRENT IN_PROGRESS )?FAILED",
            cause="CRASH_LOOP", explained="pods/set-0", difference=10),
    # kstatus: JobNotStarted, then a running Job is Current, then Failed=True; it does not hand on the reason. strict: it runs
    # until it fails, and the reason is the condition's.
    Trouble("failed Job", "jobs.batch/job",
            (workload("Job", "job", template("job", HELD, restartPolicy="Never"), "batch/v1", backoffLimit=0),),
            ("FAILED", "JobFailed"), ("FAILED", "BackoffLimitExceeded"),
            "NOT_FOUND IN_PROGRESS CURRENT FAILED", "NOT_FOUND IN_PROGRESS FAILED",
            {"phase": "Failed", "containerStatuses": [dict(waiting("", ""), state={"terminated": dict(
                OUT_OF_MEMORY, exitCode=1, reason="Error")})]},
            cause="BACKOFF_LIMIT_EXCEEDED", told="CONTAINER_FAILED"),
    # kstatus: no rule for the kind. strict: NotObserved, then AbleToScale=False, whose reason has the word failed, after 60 s.
    Trouble("autoscaler without metrics", "horizontalpodautoscalers.autoscaling/scaler",
            ({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "scaler"},
              "spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "none"}}},),
            ("CURRENT", ""), ("FAILED", "FailedGetScale"),
            "NOT_FOUND CURRENT", "NOT_FOUND IN_PROGRESS FAILED",
            cause="SCALING_FAILED"),
    # Both: phase Pending; a class that is not there binds nothing, and does not wait for a consumer either. Its Event says so.
    Trouble("claim without class", "persistentvolumeclaims/claim",
            ({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "claim"},
              "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "none",
                       "resources": {"requests": {"storage": "1Gi"}}}},),
            ("IN_PROGRESS", "NotBound"), ("IN_PROGRESS", "NotBound"),
            "NOT_FOUND IN_PROGRESS", "NOT_FOUND IN_PROGRESS",
            cause="VOLUME_NOT_BOUND", told="PROVISIONING_FAILED"),
    # kstatus: the benefit of the doubt. strict: its CRD declares a status, and nobody has written it.
    Trouble("custom resource without status", f"gauges.{GROUP}/gauge", (custom("Gauge", "gauge"),),
            ("CURRENT", ""), ("IN_PROGRESS", "NotYetObserved"),
            "NOT_FOUND CURRENT", "NOT_FOUND IN_PROGRESS"),
    # Both: there is nothing to wait for, where no status is declared.
    Trouble("custom resource that declares none", f"labels.{GROUP}/label", (custom("Label", "label"),),
            ("CURRENT", ""), ("CURRENT", ""),
            "NOT_FOUND CURRENT", "NOT_FOUND CURRENT"),
    # Both: Established=True, before anybody watches.
    Trouble("definition", f"customresourcedefinitions.apiextensions.k8s.io/gauges.{GROUP}", (),
            ("CURRENT", ""), ("CURRENT", ""),
            "CURRENT", "CURRENT"),
    # Both say so once a list proves it; the Go watcher says nothing at all of what was never there.
    Trouble("object that is not there", "configmaps/nobody", (),
            ("NOT_FOUND", "NotFound"), ("NOT_FOUND", "NotFound"),
            "NOT_FOUND", "NOT_FOUND", difference=1),
)


class Watch(streams.Watch):
    def __init__(self, server, profile):
        targets = []
        for number, trouble in enumerate(TROUBLES, 1):
            namespace, name, _, _ = trouble.identity
            targets.append(streams.object_target(number, trouble.target.partition("/")[0], name, namespace))
        super().__init__(server, *targets, options=streams.pb.WatchOptions(profile=profile, include_causes=True))

    def wait_newest(self, name, status, reasons, limit_s, cause=""):
        """Until the newest state of a name is that, with this cause first; reasons and causes: one of several, with |
        between."""
        def is_it(update):
            first = update.causes[0].code if update.causes else None
            return (streams.status_name(update) == status and update.reason in reasons.split("|")
                    and (not cause or first in cause.split("|")))

        def find():
            newest = [update for (_, has), update in self.updates.items() if has == name]
            return newest[0] if newest and is_it(newest[0]) else None

        return self.wait(f"{name} to be {status} {reasons} for {cause or 'any cause'}", find, limit_s)

    def wait_trouble(self, trouble, profile, limit_s):
        status, reasons = getattr(trouble, profile)
        return self.wait_newest(trouble.object_name, status, reasons, limit_s, trouble.first_cause(status))

    def _updates_of(self, trouble):
        with self._changed:
            updates = [event.update for event in self.history if event.WhichOneof("event") == "update"]
        return [update for update in updates if update.object.name == trouble.object_name]

    def path(self, trouble):
        """The statuses told, in order, those that follow on themselves once; and how many were merged away because another
        came before they could be sent."""
        updates = self._updates_of(trouble)
        statuses = [streams.status_name(update) for update in updates]
        path = [status for at, status in enumerate(statuses) if at == 0 or status != statuses[at - 1]]
        return " ".join(path), sum(update.coalesced_count for update in updates)
