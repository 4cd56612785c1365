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


def definition(plural, has_status):
    version = {"name": "v1", "served": True, "storage": True,
               "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}
    if has_status:
        version["subresources"] = {"status": {}}
    kind = plural.removesuffix("s").capitalize()
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{GROUP}"},
            "spec": {"group": GROUP, "scope": "Namespaced", "versions": [version],
                     "names": {"plural": plural, "singular": kind.lower(), "kind": kind}}}


def waiting(reason, message, last=None):
    """A container's status as a kubelet writes it; last: how it ended before."""
    status = {"name": "app", "image": "app:1", "imageID": "", "ready": False, "started": False,
              "restartCount": 4 if last else 0, "state": {"waiting": {"reason": reason, "message": message}}}
    if last:
        status["lastState"] = {"terminated": last}
    return status


OUT_OF_MEMORY = {"exitCode": 137, "reason": "OOMKilled", "startedAt": "2026-01-01T00:00:00Z",
                 "finishedAt": "2026-01-01T00:00:09Z"}
HELD = {"start-delay": "24h"}  # kwok starts it never: its status is ours to write


class Trouble(typing.NamedTuple):
    name: str
    target: str                   # resource/name
    objects: tuple
    kstatus: tuple                # the status that is reached, and its reason, or one of several
    strict: tuple
    pod_status: dict | None = None  # for the Pod of the trouble's name, or the one that it generates
    is_deleted: bool = False
    cause: str = ""               # the first cause's code, as `kstatus compute --explain` tells it
    explained: str = ""           # the object that has it: the target, or this one
    told: str = ""                # the first cause as the server tells it, which sees Pods and Events, where it is another

    def first_cause(self, status):
        """What the first cause told with a status must be; empty: there need be none."""
        return "" if status == "CURRENT" else self.told or self.cause


TROUBLES = (
    Trouble("crash loop", "pods/crash", (pod("crash", {"crash-after": "1s"}),),
            ("FAILED", "ContainerCrashLooping"), ("FAILED", "CrashLoopBackOff"),
            cause="CRASH_LOOP"),
    Trouble("image pull error", "pods/pull", (pod("pull", image="registry.invalid/app:1"),),
            ("IN_PROGRESS", "PodPending"), ("FAILED", "ErrImagePull|ImagePullBackOff"),
            cause="IMAGE_PULL_ERROR"),
    Trouble("out of memory", "pods/oom", (pod("oom", HELD),),
            ("FAILED", "ContainerCrashLooping"), ("FAILED", "CrashLoopBackOff"),
            {"phase": "Running", "containerStatuses": [waiting("CrashLoopBackOff", "back-off 1m20s", OUT_OF_MEMORY)]},
            cause="OUT_OF_MEMORY"),
    Trouble("unschedulable", "pods/nowhere", (pod("nowhere", nodeSelector={"disk": "none"}),),
            ("FAILED", "PodUnschedulable"), ("FAILED", "PodUnschedulable"),
            cause="AFFINITY_NOT_MET"),
    Trouble("quota exceeded", "deployments.apps/quota",
            ({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"},
              "spec": {"hard": {"requests.example.dev/slots": "0"}}},
             workload("Deployment", "quota", {"metadata": {"labels": {"app": "quota"}}, "spec": {"containers": [{
                 "name": "app", "image": "app:1", "resources": {"limits": {"example.dev/slots": "1"},
                                                                "requests": {"example.dev/slots": "1"}}}]}})),
            ("IN_PROGRESS", "LessReplicas"), ("FAILED", "FailedCreate"),
            cause="QUOTA_EXCEEDED"),
    Trouble("missing ConfigMap", "pods/config", (pod("config", HELD),),
            ("IN_PROGRESS", "PodPending"), ("FAILED", "CreateContainerConfigError"),
            {"containerStatuses": [waiting("CreateContainerConfigError", 'configmap "settings" not found')]},
            cause="CONFIG_MAP_MISSING"),
    Trouble("stuck finalizer", "configmaps/stuck",
            ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
                "name": "stuck", "finalizers": ["troubles.example.dev/hold"]}},),
            ("TERMINATING", ""), ("TERMINATING", ""), is_deleted=True,
            cause="FINALIZER_PENDING"),
    Trouble("StatefulSet with a broken Pod", "statefulsets.apps/set",
            (workload("StatefulSet", "set", template("set", {"crash-after": "1s"}), replicas=2, serviceName="set"),),
            ("FAILED", "PodsFailed"), ("FAILED", "CrashLoopBackOff"),
            cause="CRASH_LOOP", explained="pods/set-0"),
    Trouble("failed Job", "jobs.batch/job",
            (workload("Job", "job", template("job", HELD, restartPolicy="Never"), "batch/v1", backoffLimit=0),),
            ("FAILED", "JobFailed"), ("FAILED", "BackoffLimitExceeded"),
            {"phase": "Failed", "containerStatuses": [dict(waiting("", ""), state={"terminated": dict(
                OUT_OF_MEMORY, exitCode=1, reason="Error")})]},
            cause="BACKOFF_LIMIT_EXCEEDED", told="CONTAINER_FAILED|BACKOFF_LIMIT_EXCEEDED"),
    Trouble("autoscaler without metrics", "horizontalpodautoscalers.autoscaling/scaler",
            ({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "scaler"},
              "spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "none"}}},),
            ("CURRENT", ""), ("FAILED", "FailedGetScale"),
            cause="SCALING_FAILED"),
    Trouble("claim without class", "persistentvolumeclaims/claim",
            ({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "claim"},
              "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "none",
                       "resources": {"requests": {"storage": "1Gi"}}}},),
            ("IN_PROGRESS", "NotBound"), ("IN_PROGRESS", "NotBound"),
            cause="VOLUME_NOT_BOUND"),
    Trouble("custom resource without status", f"gauges.{GROUP}/gauge", (custom("Gauge", "gauge"),),
            ("CURRENT", ""), ("IN_PROGRESS", "NotYetObserved")),
    Trouble("custom resource that declares none", f"labels.{GROUP}/label", (custom("Label", "label"),),
            ("CURRENT", ""), ("CURRENT", "")),
    Trouble("definition", f"customresourcedefinitions.apiextensions.k8s.io/gauges.{GROUP}", (),
            ("CURRENT", ""), ("CURRENT", "")),
)


class Watch(streams.Watch):
    def __init__(self, server, profile):
        targets = []
        for number, trouble in enumerate(TROUBLES, 1):
            resource, _, name = trouble.target.partition("/")
            namespace = "" if trouble.name == "definition" else NAMESPACE
            targets.append(streams.object_target(number, resource, name, namespace))
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
        return self.wait_newest(trouble.target.partition("/")[2], status, reasons, limit_s, trouble.first_cause(status))
