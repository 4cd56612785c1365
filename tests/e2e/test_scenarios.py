#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a user sees of things that go wrong on a real control plane, under each profile.

All troubles are made at once in one namespace of a cluster of its own. kwok plays the kubelet's part where it has a stage for
it (tests/cluster/stages); elsewhere the Pod's status is written as a kubelet writes it. Each trouble is one row of TROUBLES.
How long a state took from the API server's own watch event to our client is printed, never asserted.

usage: test_scenarios.py [--tally FILE] [unittest's arguments]
"""

import json
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import time
import typing
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/system"), str(ROOT / "tests/cluster")]

import cluster as control_plane  # noqa: E402
import harness  # noqa: E402
import stream as streams  # noqa: E402

LIMIT_S = 120  # a grace of profile strict is a minute
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


TROUBLES = (
    Trouble("crash loop", "pods/crash", (pod("crash", {"crash-after": "1s"}),),
            ("FAILED", "ContainerCrashLooping"), ("FAILED", "CrashLoopBackOff")),
    Trouble("image pull error", "pods/pull", (pod("pull", image="registry.invalid/app:1"),),
            ("IN_PROGRESS", "PodPending"), ("FAILED", "ErrImagePull|ImagePullBackOff")),
    Trouble("out of memory", "pods/oom", (pod("oom", HELD),),
            ("FAILED", "ContainerCrashLooping"), ("FAILED", "CrashLoopBackOff"),
            {"phase": "Running", "containerStatuses": [waiting("CrashLoopBackOff", "back-off 1m20s", OUT_OF_MEMORY)]}),
    Trouble("unschedulable", "pods/nowhere", (pod("nowhere", nodeSelector={"disk": "none"}),),
            ("FAILED", "PodUnschedulable"), ("FAILED", "PodUnschedulable")),
    Trouble("quota exceeded", "deployments.apps/quota",
            ({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"},
              "spec": {"hard": {"requests.example.dev/slots": "0"}}},
             workload("Deployment", "quota", {"metadata": {"labels": {"app": "quota"}}, "spec": {"containers": [{
                 "name": "app", "image": "app:1", "resources": {"limits": {"example.dev/slots": "1"},
                                                                "requests": {"example.dev/slots": "1"}}}]}})),
            ("IN_PROGRESS", "LessReplicas"), ("FAILED", "FailedCreate")),
    Trouble("missing ConfigMap", "pods/config", (pod("config", HELD),),
            ("IN_PROGRESS", "PodPending"), ("FAILED", "CreateContainerConfigError"),
            {"containerStatuses": [waiting("CreateContainerConfigError", 'configmap "settings" not found')]}),
    Trouble("stuck finalizer", "configmaps/stuck",
            ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
                "name": "stuck", "finalizers": ["troubles.example.dev/hold"]}},),
            ("TERMINATING", ""), ("TERMINATING", ""), is_deleted=True),
    Trouble("StatefulSet with a broken Pod", "statefulsets.apps/set",
            (workload("StatefulSet", "set", template("set", {"crash-after": "1s"}), replicas=2, serviceName="set"),),
            ("IN_PROGRESS", "LessReplicas|LessReady"), ("IN_PROGRESS", "LessReplicas|LessReady")),
    Trouble("failed Job", "jobs.batch/job",
            (workload("Job", "job", template("job", HELD, restartPolicy="Never"), "batch/v1", backoffLimit=0),),
            ("FAILED", "JobFailed"), ("FAILED", "BackoffLimitExceeded"),
            {"phase": "Failed", "containerStatuses": [dict(waiting("", ""), state={"terminated": dict(
                OUT_OF_MEMORY, exitCode=1, reason="Error")})]}),
    Trouble("autoscaler without metrics", "horizontalpodautoscalers.autoscaling/scaler",
            ({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "scaler"},
              "spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "none"}}},),
            ("CURRENT", ""), ("FAILED", "FailedGetScale")),
    Trouble("claim without class", "persistentvolumeclaims/claim",
            ({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "claim"},
              "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "none",
                       "resources": {"requests": {"storage": "1Gi"}}}},),
            ("IN_PROGRESS", "NotBound"), ("IN_PROGRESS", "NotBound")),
    Trouble("custom resource without status", f"gauges.{GROUP}/gauge", (custom("Gauge", "gauge"),),
            ("CURRENT", ""), ("IN_PROGRESS", "NotYetObserved")),
    Trouble("custom resource that declares none", f"labels.{GROUP}/label", (custom("Label", "label"),),
            ("CURRENT", ""), ("CURRENT", "")),
    Trouble("definition", f"customresourcedefinitions.apiextensions.k8s.io/gauges.{GROUP}", (),
            ("CURRENT", ""), ("CURRENT", "")),
)


class TimedWatch(streams.Watch):
    def __init__(self, *arguments, **options):
        self.times = []  # (monotonic seconds, update)
        super().__init__(*arguments, **options)

    def find_last(self, name, want):
        """The newest state of a name, if it is wanted."""
        newest = [update for (_, has), update in self.updates.items() if has == name]
        return newest[0] if newest and want(newest[0]) else None

    def _take_update(self, update):
        self.times.append((time.monotonic(), update))
        super()._take_update(update)


class ServerWatch(threading.Thread):
    """The API server's own events of a collection: resourceVersion -> when it came."""

    def __init__(self, collection):
        super().__init__(daemon=True)
        self.times = {}
        self.connection = CLUSTER.connect(timeout_s=4 * LIMIT_S)
        self.connection.request("GET", f"{collection}?watch=1&resourceVersion=0")
        self.response = self.connection.getresponse()
        self.start()

    def run(self):
        for line in self.response:
            self.times[json.loads(line)["object"]["metadata"]["resourceVersion"]] = time.monotonic()


def setUpModule():
    global CLUSTER, DAEMON
    scratch = tempfile.mkdtemp(prefix="kstatusd-e2e-")
    CLUSTER = control_plane.Cluster(os.path.join(scratch, "cluster"))
    unittest.addModuleCleanup(shutil.rmtree, scratch, ignore_errors=True)
    unittest.addModuleCleanup(CLUSTER.down)
    CLUSTER.up()
    DAEMON = harness.Kstatusd(CLUSTER.kubeconfig)
    unittest.addModuleCleanup(DAEMON.stop)
    CLUSTER.kubectl("create", "namespace", NAMESPACE)
    for plural, has_status in CRDS:
        CLUSTER.kubectl("apply", "-f", "-", stdin=json.dumps(definition(plural, has_status)))
        CLUSTER.kubectl("wait", "--for=condition=Established", f"crd/{plural}.{GROUP}")


def write_pod_status(trouble):
    """Once kwok has taken note of the Pod."""
    name = trouble.target.partition("/")[2]

    def find():
        path = f"/api/v1/namespaces/{NAMESPACE}/pods"
        for found in json.loads(CLUSTER.request("GET", f"{path}?labelSelector=app%3D{name}")[2])["items"]:
            if found["status"].get("containerStatuses"):
                return f"{path}/{found['metadata']['name']}/status"
        return None

    path = harness.wait_for(f"a Pod of {name}", find, LIMIT_S)
    status, _, text = CLUSTER.request("PATCH", path, {"status": trouble.pod_status},
                                      {"Content-Type": "application/merge-patch+json"})
    if status != 200:
        raise AssertionError(f"PATCH {path}: {status} {text}")


def wait_status(watch, name, status, reasons):
    return watch.wait(f"{name} to be {status} {reasons}", lambda: watch.find_last(
        name, lambda update: streams.status_name(update) == status and update.reason in reasons.split("|")), LIMIT_S)


def start_watch(profile):
    targets = []
    for number, trouble in enumerate(TROUBLES, 1):
        resource, _, name = trouble.target.partition("/")
        targets.append(streams.object_target(number, resource, name, "" if trouble.name == "definition" else NAMESPACE))
    return TimedWatch(DAEMON, *targets, options=streams.pb.WatchOptions(profile=profile))


class Troubles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = ServerWatch(f"/api/v1/namespaces/{NAMESPACE}/pods")
        cls.watches = {profile: start_watch(profile) for profile in ("kstatus", "strict")}
        for watch in cls.watches.values():
            cls.addClassCleanup(watch.close)
            watch.wait_synced(LIMIT_S)
        for trouble in TROUBLES:
            for made in trouble.objects:
                CLUSTER.kubectl("-n", NAMESPACE, "create", "-f", "-", stdin=json.dumps(made))
            if trouble.is_deleted:
                CLUSTER.kubectl("-n", NAMESPACE, "delete", trouble.target, "--wait=false")
        for trouble in TROUBLES:
            if trouble.pod_status:
                write_pod_status(trouble)

    def test_each_is_told(self):
        for trouble in TROUBLES:
            for profile, watch in self.watches.items():
                with self.subTest(trouble=trouble.name, profile=profile):
                    status, reason = getattr(trouble, profile)
                    update = wait_status(watch, trouble.target.partition("/")[2], status, reason)
                    causes = ", ".join(cause.code for cause in update.causes)
                    print(f"{trouble.name:36} {profile:8} {status} {update.reason}: {update.message}"
                          f"{' <- ' + causes if causes else ''}", file=sys.stderr)

    def test_the_time_is_told(self):
        wait_status(self.watches["kstatus"], "nowhere", "FAILED", "PodUnschedulable")
        first = {}  # what a state is told again for, later, is a grace that is over: no event
        for profile, watch in self.watches.items():
            for at, update in watch.times:
                first.setdefault((profile, update.resource_version), at)
        delays = sorted(1000 * (at - self.server.times[version]) for (_, version), at in first.items()
                        if version in self.server.times)
        print(f"API server's event -> ours, {len(delays)} of Pods: p50 {delays[len(delays) // 2]:.1f} ms, "
              f"max {delays[-1]:.1f} ms (negative: ours came first)", file=sys.stderr)


def main():
    tally = None
    if "--tally" in sys.argv:
        at = sys.argv.index("--tally")
        tally = sys.argv[at + 1]
        del sys.argv[at:at + 2]
    result = unittest.main(exit=False, verbosity=2).result
    broken = len(result.failures) + len(result.errors) + len(result.skipped)
    if tally:
        pathlib.Path(tally).write_text(f"{max(result.testsRun, broken)} {broken}\n")
    sys.exit(1 if broken or not result.testsRun else 0)


if __name__ == "__main__":
    main()
