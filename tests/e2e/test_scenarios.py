#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a user sees of things that go wrong on a real control plane, under each profile.

All troubles are made at once in one namespace of a cluster of its own. kwok plays the kubelet's part where it has a stage for
it (tests/cluster/stages); elsewhere the Pod's status is written as a kubelet writes it. Each trouble is one row of TROUBLES
(tests/system/troubles_support.py).
How long a state took from the API server's own watch event to our client is printed, never asserted.

usage: test_scenarios.py [--tally FILE] [--record] [unittest's arguments]

--record writes the end of it to tests/scenarios/troubles.ndjson, once all is as it must be.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/system"), str(ROOT / "tests/cluster")]

import cluster as control_plane  # noqa: E402
import harness  # noqa: E402
import stream as streams  # noqa: E402
import troubles_support as troubles  # noqa: E402
from troubles_support import CRDS, GROUP, NAMESPACE, TROUBLES  # noqa: E402

LIMIT_S = 120  # a grace of profile strict is a minute
COLLECTIONS = (
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", *(
        prefix + f"/namespaces/{NAMESPACE}/" + plural for prefix, plurals in (
            ("/api/v1", ("configmaps", "persistentvolumeclaims", "pods")),
            ("/apis/apps/v1", ("deployments", "replicasets", "statefulsets")),
            ("/apis/batch/v1", ("jobs",)),
            ("/apis/autoscaling/v2", ("horizontalpodautoscalers",)),
            (f"/apis/{GROUP}/v1", tuple(plural for plural, _ in CRDS))) for plural in plurals))
RECORDING = ROOT / "tests/scenarios/troubles.ndjson"


class TimedWatch(troubles.Watch):
    def __init__(self, *arguments):
        self.times = []  # (monotonic seconds, update)
        super().__init__(*arguments)

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
        CLUSTER.kubectl("apply", "-f", "-", stdin=json.dumps(troubles.definition(plural, has_status)))
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


def get_object(target):
    return CLUSTER.kubectl("-n", NAMESPACE, "get", target, "-o", "json")


def record():
    """What there is now, as a scenario: kubesim moves its times to the present."""
    with RECORDING.open("w") as out:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        out.write(json.dumps({"op": "recorded", "at": now}, separators=(",", ":")) + "\n")
        for collection in COLLECTIONS:
            listed = json.loads(CLUSTER.request("GET", collection)[2])
            for item in listed["items"]:
                if item["metadata"]["name"] == "kube-root-ca.crt":
                    continue
                for noise in ("managedFields", "resourceVersion"):
                    item["metadata"].pop(noise, None)
                kind = {"apiVersion": listed["apiVersion"], "kind": listed["kind"].removesuffix("List")}
                out.write(json.dumps({"at_ms": 0, "op": "create", "object": {**kind, **item}}, separators=(",", ":")) + "\n")


class Troubles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = ServerWatch(f"/api/v1/namespaces/{NAMESPACE}/pods")
        cls.watches = {profile: TimedWatch(DAEMON, profile) for profile in ("kstatus", "strict")}
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
                    update = watch.wait_trouble(trouble, profile, LIMIT_S)
                    causes = ", ".join(cause.code for cause in update.causes)
                    print(f"{trouble.name:36} {profile:8} {streams.status_name(update)} {update.reason}: {update.message}"
                          f"{' <- ' + causes if causes else ''}", file=sys.stderr)

    def test_the_cause_is_explained(self):
        for trouble in TROUBLES:
            if not trouble.cause:
                continue
            with self.subTest(trouble=trouble.name):
                self.watches["strict"].wait_newest(trouble.target.partition("/")[2], *trouble.strict, LIMIT_S)
                done = subprocess.run([harness.BIN / "kstatus", "compute", "--profile", "strict", "--explain", "-o", "json",
                                       "-f", "-"], input=get_object(trouble.explained or trouble.target), text=True,
                                      capture_output=True)
                causes = json.loads(done.stdout)["causes"]
                print(f"{trouble.name:36} {', '.join(cause['code'] for cause in causes)}", file=sys.stderr)
                self.assertEqual([trouble.cause], [cause["code"] for cause in causes[:1]], done.stdout)

    def test_the_time_is_told(self):
        self.watches["kstatus"].wait_newest("nowhere", "FAILED", "PodUnschedulable", LIMIT_S)
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
    if "--record" in sys.argv:
        sys.argv.remove("--record")
        Troubles.addClassCleanup(record)
    result = unittest.main(exit=False, verbosity=2).result
    broken = len(result.failures) + len(result.errors) + len(result.skipped)
    if tally:
        pathlib.Path(tally).write_text(f"{max(result.testsRun, broken)} {broken}\n")
    sys.exit(1 if broken or not result.testsRun else 0)


if __name__ == "__main__":
    main()
