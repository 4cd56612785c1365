#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kstatusd on a real control plane: each state of a Deployment's life, a killed API server, clients that go.

usage: test_control_plane.py [--tally FILE] [unittest's arguments]
"""

import json
import subprocess
import sys
import time
import unittest

import bed
from harness import crd
import stream as streams

LIMIT_S = 60
REPLICAS = 3
WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": REPLICAS,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:1"}]},
        },
    },
}
PARTS = "parts.e2e.example.dev"


def setUpModule():
    global BED
    BED = bed.Bed()


class OnControlPlane(unittest.TestCase):
    """A namespace of its own for each test."""

    def setUp(self):
        self.namespace = "e2e-" + self.id().rpartition(".")[2].replace("_", "-")[5:40].strip("-")
        BED.cluster.kubectl("create", "namespace", self.namespace)
        self.addCleanup(BED.cluster.kubectl, "delete", "namespace", self.namespace, "--wait=false")

    def apply(self, manifest):
        BED.apply(self.namespace, manifest)

    def patch(self, target, change):
        BED.patch(self.namespace, target, change)

    def set_image(self, image):
        containers = [{"name": "web", "image": image}]
        self.patch("deploy/web", {"spec": {"progressDeadlineSeconds": 5, "template": {"spec": {"containers": containers}}}})

    def watch(self, *targets, daemon=None):
        stream = streams.Watch(daemon or BED.daemon, *targets)
        self.addCleanup(stream.close)
        return stream

    def watch_object(self, resource, name):
        return self.watch(streams.object_target(1, resource, name, self.namespace))


class DeploymentLife(OnControlPlane):
    def test_every_state_is_seen(self):
        """Profile kstatus: a Deployment is Current when all replicas are updated, available and ready; a new template is a
        generation that is not observed at first; and an image that cannot be pulled keeps it InProgress until the condition
        Progressing says ProgressDeadlineExceeded, whose reason is handed on."""
        stream = self.watch_object("deploy", "web")
        stream.wait_status("web", "NOT_FOUND", LIMIT_S)
        stream.wait_synced(LIMIT_S)
        self.apply(WEB)
        stream.wait_status("web", "IN_PROGRESS", LIMIT_S)
        stream.wait_status("web", "CURRENT", LIMIT_S)
        self.set_image("web:2")
        stream.wait_status("web", "IN_PROGRESS", LIMIT_S)
        stream.wait_status("web", "CURRENT", LIMIT_S)
        self.set_image("registry.invalid/web:3")
        stream.wait_status("web", "IN_PROGRESS", LIMIT_S)
        failed = stream.wait_status("web", "FAILED", LIMIT_S)
        self.assertEqual(failed.reason, "ProgressDeadlineExceeded")
        self.assertEqual(failed.progress.desired_count, REPLICAS)
        BED.cluster.kubectl("-n", self.namespace, "delete", "deploy/web", "--wait=false")
        stream.wait_status("web", "NOT_FOUND", LIMIT_S)

    def test_created_again_is_a_new_object(self):
        self.apply(WEB)
        stream = self.watch_object("deployments.apps", "web")
        first = stream.wait_status("web", "CURRENT", LIMIT_S)
        BED.cluster.kubectl("-n", self.namespace, "delete", "deploy/web")
        self.apply(WEB)
        stream.wait_status("web", "NOT_FOUND", LIMIT_S)
        second = stream.wait_status("web", "CURRENT", LIMIT_S)
        self.assertNotEqual(first.object.uid, second.object.uid)

    def test_selected_objects_come_and_go(self):
        stream = self.watch(streams.selector_target(7, "pods", self.namespace, labels="app=web"))
        stream.wait_synced(LIMIT_S)
        self.apply(WEB)
        stream.wait_count("CURRENT", REPLICAS, LIMIT_S)
        self.patch("deploy/web", {"spec": {"replicas": 1}})
        stream.wait_count("CURRENT", 1, LIMIT_S)


class Trouble(OnControlPlane):
    def test_a_killed_api_server_loses_nothing(self):
        self.apply(WEB)
        stream = self.watch(streams.object_target(1, "deploy", "web", self.namespace),
                            streams.selector_target(2, "cm", self.namespace))
        stream.wait_status("web", "CURRENT", LIMIT_S)
        stream.wait_synced(LIMIT_S)
        for number in range(20):
            BED.cluster.kubectl("-n", self.namespace, "create", "configmap", f"before-{number}")
        BED.cluster.kill("kube-apiserver")
        stream.wait_target(1, "STATE_DISCONNECTED", LIMIT_S)
        BED.cluster.start("kube-apiserver")
        BED.cluster.wait_api()
        self.set_image("web:2")
        BED.cluster.kubectl("-n", self.namespace, "delete", "configmap", "before-3")
        BED.cluster.kubectl("-n", self.namespace, "create", "configmap", "after")
        stream.wait_target(1, "STATE_SYNCED", LIMIT_S)
        stream.wait_generation("web", 2, "CURRENT", LIMIT_S)
        stream.wait_status("after", "CURRENT", LIMIT_S)
        stream.wait_status("before-3", "NOT_FOUND", LIMIT_S)
        listed = BED.cluster.kubectl("-n", self.namespace, "get", "configmap", "-o", "name").split()
        self.assertEqual({name.partition("/")[2] for name in listed}, stream.names("ConfigMap", "CURRENT"))

    def test_forbidden_stays_with_its_target(self):
        """The viewer may read Deployments in the namespace default, and no ConfigMaps (tests/cluster)."""
        daemon = BED.start_daemon(BED.cluster.viewer_kubeconfig)
        self.addCleanup(daemon.stop)
        BED.cluster.kubectl("-n", "default", "create", "deployment", "seen", "--image=web")
        self.addCleanup(BED.cluster.kubectl, "-n", "default", "delete", "deployment", "seen")
        stream = self.watch(streams.object_target(1, "deploy", "seen", "default"),
                            streams.object_target(2, "cm", "hidden", "default"), daemon=daemon)
        stream.wait_status("seen", "CURRENT", LIMIT_S)
        stream.wait_target(2, "STATE_FORBIDDEN", LIMIT_S)
        hidden = stream.wait_status("hidden", "UNKNOWN", LIMIT_S)
        self.assertIn("viewer", hidden.error.message)
        stream.wait_synced(LIMIT_S)

    def test_a_kind_that_comes_later(self):
        """Profile kstatus: a custom resource without conditions has the benefit of the doubt, and Ready=False is InProgress in
        the condition's own words."""
        stream = self.watch(streams.object_target(1, PARTS, "gadget", self.namespace))
        stream.wait_target(1, "STATE_KIND_MISSING", LIMIT_S)
        stream.wait_status("gadget", "UNKNOWN", LIMIT_S)
        stream.wait_synced(LIMIT_S)
        BED.define(crd("parts", "e2e.example.dev", True))
        self.addCleanup(BED.cluster.kubectl, "delete", "crd", PARTS)
        stream.wait_status("gadget", "NOT_FOUND", LIMIT_S)
        self.apply({"apiVersion": "e2e.example.dev/v1", "kind": "Part", "metadata": {"name": "gadget"}, "spec": {}})
        stream.wait_status("gadget", "CURRENT", LIMIT_S)
        ready = {"type": "Ready", "status": "False", "reason": "Assembling", "message": "1 of 2"}
        BED.patch(self.namespace, "part/gadget", {"status": {"conditions": [ready]}}, "--subresource=status")
        update = stream.wait_status("gadget", "IN_PROGRESS", LIMIT_S)
        self.assertEqual((update.reason, update.message), ("Assembling", "1 of 2"))

    def test_an_unschedulable_pod_fails_by_itself(self):
        """PodScheduled=False/Unschedulable is InProgress for 15 s from the creation, then Failed, without another event."""
        stream = self.watch_object("pod", "nowhere")
        self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "nowhere"},
                    "spec": {"nodeSelector": {"disk": "none"}, "containers": [{"name": "c", "image": "i"}]}})
        waiting = stream.wait_status("nowhere", "IN_PROGRESS", LIMIT_S, reason="PodNotScheduled")
        failed = stream.wait_status("nowhere", "FAILED", LIMIT_S)
        self.assertEqual(failed.reason, "PodUnschedulable")
        self.assertEqual(failed.object.uid, waiting.object.uid)


def server_watches(resource):
    """Open watches on a resource, as the API server itself counts them."""
    _, _, text = BED.cluster.request("GET", "/metrics")
    total = 0
    for line in text.splitlines():
        if line.startswith("apiserver_longrunning_requests{") and f'resource="{resource}"' in line and 'verb="WATCH"' in line:
            total += float(line.rpartition(" ")[2])
    return int(total)


class Clients(OnControlPlane):
    def test_a_client_that_goes_takes_its_watches_along(self):
        before = server_watches("limitranges")
        stream = self.watch(*(streams.selector_target(n + 1, "limitranges", self.namespace, labels=f"n={n}") for n in range(8)))
        stream.wait_synced(LIMIT_S)
        self.assertEqual(server_watches("limitranges"), before + 8)
        gone = time.monotonic()
        stream.close()
        while server_watches("limitranges") != before:
            self.assertLess(time.monotonic() - gone, LIMIT_S)
        print(f"client gone -> API server counts no watch: {1000 * (time.monotonic() - gone):.0f} ms", file=sys.stderr)

    def test_two_clients_are_independent(self):
        one, two = self.watch_object("deploy", "web"), self.watch_object("deploy", "web")
        one.wait_synced(LIMIT_S)
        two.wait_synced(LIMIT_S)
        one.close()
        self.apply(WEB)
        two.wait_status("web", "CURRENT", LIMIT_S)

    def test_latency_is_told(self):
        stream = self.watch(streams.selector_target(1, "cm", self.namespace))
        stream.wait_synced(LIMIT_S)
        delays = []
        path = f"/api/v1/namespaces/{self.namespace}/configmaps"
        for number in range(100):
            name = f"c{number}"
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
            status, _, text = BED.cluster.request("POST", path, body)
            answered = time.monotonic()
            self.assertEqual(status, 201, text)
            seen = stream.wait_seen(name, LIMIT_S)
            delays.append(seen - answered)
        delays.sort()
        print(f"API server's answer -> client: p50 {1000 * delays[50]:.1f} ms, p99 {1000 * delays[98]:.1f} ms"
              " (negative: the client knew before the writer)", file=sys.stderr)

    def test_memory_of_a_thousand_pods_is_told(self):
        before = BED.daemon.rss_bytes() // 1024
        stream = self.watch(streams.selector_target(1, "pods", self.namespace))
        stream.wait_synced(LIMIT_S)
        big = json.loads(json.dumps(WEB))
        big["spec"]["replicas"] = 1000
        self.apply(big)
        stream.wait_count("CURRENT", 1000, 4 * LIMIT_S)
        print(f"RSS: {before} KiB before, {BED.daemon.rss_bytes() // 1024} KiB with 1,000 watched Pods", file=sys.stderr)


class Examples(OnControlPlane):
    def run_example(self, *command):
        self.apply(WEB)
        done = subprocess.run([*command, BED.daemon.grpc, self.namespace, "deploy/web"], cwd=bed.ROOT, text=True,
                              capture_output=True, timeout=10 * LIMIT_S)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("CURRENT", done.stdout.splitlines()[-1])

    def test_go(self):
        self.run_example("examples/go/run")

    def test_python(self):
        self.run_example("examples/python/run")


if __name__ == "__main__":
    bed.main()
