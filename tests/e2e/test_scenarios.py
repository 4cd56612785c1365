#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a user sees of things that go wrong on a real control plane, under each profile, and what the Go watcher sees of them.

All troubles are made at once in one namespace of a cluster of its own. kwok plays the kubelet's part where it has a stage for
it (tests/cluster/stages); elsewhere the Pod's status is written as a kubelet writes it. Each trouble is one row of TROUBLES
(tests/system/troubles_support.py), which also says why each verdict is right.
How long a state took from the API server's own watch event to our client is printed, never asserted.

usage: test_scenarios.py [--tally FILE] [--record] [unittest's arguments]

--record writes all that happened to tests/scenarios/troubles.ndjson, once all is as it must be.
"""

import datetime
import itertools
import json
import subprocess
import sys
import time
import unittest

import bed
import go_watcher
import harness
import recording
import stream as streams
import troubles_support as troubles
from troubles_support import CRDS, GROUP, NAMESPACE, TROUBLES

LIMIT_S = 120  # a grace of profile strict is a minute
SETTLE_S = 10  # what the Go watcher has not told by then, it tells when something else happens, or never
COLLECTIONS = (
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", *(
        prefix + f"/namespaces/{NAMESPACE}/" + plural for prefix, plurals in (
            ("/api/v1", ("configmaps", "events", "persistentvolumeclaims", "pods")),
            ("/apis/apps/v1", ("deployments", "replicasets", "statefulsets")),
            ("/apis/batch/v1", ("jobs",)),
            ("/apis/autoscaling/v2", ("horizontalpodautoscalers",)),
            (f"/apis/{GROUP}/v1", tuple(plural for plural, _ in CRDS))) for plural in plurals))
RECORDING = bed.ROOT / "tests/scenarios/troubles.ndjson"
DIFFERENCES = bed.ROOT / "docs/differences.md"


class TimedWatch(troubles.Watch):
    def __init__(self, *arguments):
        self.times = []  # (monotonic seconds, update)
        super().__init__(*arguments)

    def _take_update(self, update):
        self.times.append((time.monotonic(), update))
        super()._take_update(update)


def setUpModule():
    global BED
    BED = bed.Bed()
    BED.cluster.kubectl("create", "namespace", NAMESPACE)
    for plural, has_status in CRDS:
        BED.define(harness.crd(plural, GROUP, has_status))


def write_pod_status(trouble):
    """Once kwok has taken note of the Pod."""
    def find():
        path = f"/api/v1/namespaces/{NAMESPACE}/pods"
        for found in json.loads(BED.cluster.request("GET", f"{path}?labelSelector=app%3D{trouble.object_name}")[2])["items"]:
            if found["status"].get("containerStatuses"):
                return f"{path}/{found['metadata']['name']}/status"
        return None

    path = harness.wait_for(f"a Pod of {trouble.object_name}", find, LIMIT_S)
    status, _, text = BED.cluster.request("PATCH", path, {"status": trouble.pod_status},
                                          {"Content-Type": "application/merge-patch+json"})
    if status != 200:
        raise AssertionError(f"PATCH {path}: {status} {text}")


def listed_differences():
    """The numbers of the rows of docs/differences.md."""
    rows = (line.split("|")[1].strip() for line in DIFFERENCES.read_text().splitlines() if line.startswith("| "))
    return {int(number) for number in rows if number.isdigit()}


class Troubles(unittest.TestCase):
    is_recorded = False

    @classmethod
    def setUpClass(cls):
        program = go_watcher.build(BED.scratch)
        cls.started, cls.wall = time.monotonic(), datetime.datetime.now(datetime.timezone.utc)
        cls.existing, cls.server = recording.start_watches(BED.cluster, COLLECTIONS, 8 * LIMIT_S)
        cls.watches = {profile: TimedWatch(BED.daemon, profile) for profile in ("kstatus", "strict")}
        cls.go = go_watcher.GoWatcher(program, BED.cluster.kubeconfig, [trouble.identity for trouble in TROUBLES])
        cls.addClassCleanup(cls.go.close)
        for watch in cls.watches.values():
            cls.addClassCleanup(watch.close)
            watch.wait_synced(LIMIT_S)
        cls.go.wait_synced(LIMIT_S)
        for trouble in TROUBLES:
            BED.create(NAMESPACE, *trouble.objects)
            if trouble.is_deleted:
                BED.kubectl(NAMESPACE, "delete", trouble.target, "--wait=false")
        for trouble in TROUBLES:
            if trouble.pod_status:
                write_pod_status(trouble)

    @classmethod
    def tearDownClass(cls):
        if cls.is_recorded:
            entries = recording.compose(cls.existing, cls.server, cls.started)
            at = cls.wall.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            recording.write(RECORDING, [{"op": "recorded", "at": at}, *filter(is_of_trouble, entries)])

    def test_each_is_told(self):
        for trouble, profile in itertools.product(TROUBLES, self.watches):
            with self.subTest(trouble=trouble.name, profile=profile):
                update = self.watches[profile].wait_trouble(trouble, profile, LIMIT_S)
                causes = ", ".join(cause.code for cause in update.causes)
                print(f"{trouble.name:36} {profile:8} {streams.status_name(update)} {update.reason}: {update.message}"
                      f"{' <- ' + causes if causes else ''}", file=sys.stderr)

    def test_in_this_order(self):
        for trouble, profile in itertools.product(TROUBLES, self.watches):
            with self.subTest(trouble=trouble.name, profile=profile):
                self.watches[profile].wait_trouble(trouble, profile, LIMIT_S)
                path, merged = self.watches[profile].path(trouble)
                print(f"{trouble.name:36} {profile:8} {path} ({merged} merged)", file=sys.stderr)
                self.assertRegex(path, trouble.order(profile))

    def test_the_cause_is_explained(self):
        for trouble in TROUBLES:
            if not trouble.cause:
                continue
            with self.subTest(trouble=trouble.name):
                self.watches["strict"].wait_newest(trouble.object_name, *trouble.strict, LIMIT_S)
                seen = BED.kubectl(NAMESPACE, "get", trouble.explained or trouble.target, "-o", "json")
                done = subprocess.run([harness.BIN / "kstatus", "compute", "--profile", "strict", "--explain", "-o", "json",
                                       "-f", "-"], input=seen, text=True, capture_output=True)
                causes = json.loads(done.stdout)["causes"]
                print(f"{trouble.name:36} {', '.join(cause['code'] for cause in causes)}", file=sys.stderr)
                self.assertEqual([trouble.cause], [cause["code"] for cause in causes[:1]], done.stdout)

    def test_the_go_watcher_says_the_same(self):
        """Or the difference is one that docs/differences.md has."""
        for trouble in TROUBLES:
            self.watches["kstatus"].wait_trouble(trouble, "kstatus", LIMIT_S)
        wanted = {trouble.identity: trouble.kstatus[0].replace("_", "").lower() for trouble in TROUBLES}

        def differing():
            return {one for one, status in wanted.items() if self.go.newest.get(one, {}).get("status", "").lower() != status}

        try:
            self.go.wait("saying the same", lambda: not differing(), SETTLE_S)
        except go_watcher.ClusterError:
            self.assertFalse(self.go.is_over, "it has ended")
        listed = listed_differences()
        for trouble in TROUBLES:
            told = self.go.newest.get(trouble.identity, {})
            print(f"{trouble.name:36} go       {told.get('status', '-')}: {told.get('message', '')} {told.get('error', '')}",
                  file=sys.stderr)
            with self.subTest(trouble=trouble.name):
                if trouble.identity in differing():
                    self.assertIn(trouble.difference, listed, f"the Go watcher says {told}")

    def test_the_time_is_told(self):
        self.watches["kstatus"].wait_newest("nowhere", "FAILED", "PodUnschedulable", LIMIT_S)
        seen = {made["metadata"].get("resourceVersion"): at for watch in self.server for at, _, made in list(watch.events)}
        first = {}  # what a state is told again for, later, is a grace that is over: no event
        for profile, watch in self.watches.items():
            for at, update in watch.times:
                first.setdefault((profile, update.resource_version), at)
        delays = sorted(1000 * (at - seen[version]) for (_, version), at in first.items() if version in seen)
        print(f"API server's event -> ours, {len(delays)} of them: p50 {delays[len(delays) // 2]:.1f} ms, "
              f"max {delays[-1]:.1f} ms (negative: ours came first)", file=sys.stderr)


def is_of_trouble(entry):
    made = entry["object"]
    return made["metadata"]["name"] != "kube-root-ca.crt" and (made["kind"] != "Event" or made["type"] == "Warning")


def record():
    Troubles.is_recorded = True


if __name__ == "__main__":
    bed.main(record=record)
