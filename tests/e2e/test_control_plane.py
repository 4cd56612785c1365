#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kstatusd on a real control plane: each state of a Deployment's life, a killed API server, clients that go.

usage: test_control_plane.py [--tally FILE] [unittest's arguments]
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/system"), str(ROOT / "tests/cluster")]

import cluster as control_plane  # noqa: E402
import harness  # noqa: E402
import stream as streams  # noqa: E402

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
WIDGETS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "parts.e2e.example.dev"},
    "spec": {
        "group": "e2e.example.dev",
        "scope": "Namespaced",
        "names": {"plural": "parts", "singular": "part", "kind": "Part"},
        "versions": [{
            "name": "v1", "served": True, "storage": True, "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
        }],
    },
}


def setUpModule():
    global CLUSTER, DAEMON, SCRATCH
    SCRATCH = tempfile.mkdtemp(prefix="kstatusd-e2e-")
    CLUSTER = control_plane.Cluster(os.path.join(SCRATCH, "cluster"))
    unittest.addModuleCleanup(shutil.rmtree, SCRATCH, ignore_errors=True)
    unittest.addModuleCleanup(CLUSTER.down)
    CLUSTER.up()
    DAEMON = harness.Kstatusd(CLUSTER.kubeconfig)
    unittest.addModuleCleanup(DAEMON.stop)


class OnControlPlane(unittest.TestCase):
    """A namespace of its own for each test."""

    def setUp(self):
        self.namespace = "e2e-" + self.id().rpartition(".")[2].replace("_", "-")[5:40].strip("-")
        CLUSTER.kubectl("create", "namespace", self.namespace)
        self.addCleanup(CLUSTER.kubectl, "delete", "namespace", self.namespace, "--wait=false")

    def apply(self, manifest):
        CLUSTER.kubectl("-n", self.namespace, "apply", "-f", "-", stdin=json.dumps(manifest))

    def patch(self, target, change):
        CLUSTER.kubectl("-n", self.namespace, "patch", target, "--type=merge", "-p", json.dumps(change))

    def set_image(self, image):
        containers = [{"name": "web", "image": image}]
        self.patch("deploy/web", {"spec": {"progressDeadlineSeconds": 5, "template": {"spec": {"containers": containers}}}})

    def watch(self, *targets, daemon=None):
        stream = streams.Watch(daemon or DAEMON, *targets)
        self.addCleanup(stream.close)
        return stream

    def watch_object(self, resource, name):
        return self.watch(streams.object_target(1, resource, name, self.namespace))


class DeploymentLife(OnControlPlane):
    def test_every_state_is_seen(self):
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
        CLUSTER.kubectl("-n", self.namespace, "delete", "deploy/web", "--wait=false")
        stream.wait_status("web", "NOT_FOUND", LIMIT_S)

    def test_created_again_is_a_new_object(self):
        self.apply(WEB)
        stream = self.watch_object("deployments.apps", "web")
        first = stream.wait_status("web", "CURRENT", LIMIT_S)
        CLUSTER.kubectl("-n", self.namespace, "delete", "deploy/web")
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
            CLUSTER.kubectl("-n", self.namespace, "create", "configmap", f"before-{number}")
        CLUSTER.kill("kube-apiserver")
        stream.wait_target(1, "STATE_DISCONNECTED", LIMIT_S)
        CLUSTER.start("kube-apiserver")
        CLUSTER.wait_api()
        self.set_image("web:2")
        CLUSTER.kubectl("-n", self.namespace, "delete", "configmap", "before-3")
        CLUSTER.kubectl("-n", self.namespace, "create", "configmap", "after")
        stream.wait_target(1, "STATE_SYNCED", LIMIT_S)
        stream.wait_generation("web", 2, "CURRENT", LIMIT_S)
        stream.wait_status("after", "CURRENT", LIMIT_S)
        stream.wait_status("before-3", "NOT_FOUND", LIMIT_S)
        listed = CLUSTER.kubectl("-n", self.namespace, "get", "configmap", "-o", "name").split()
        self.assertEqual({name.partition("/")[2] for name in listed}, stream.names("ConfigMap", "CURRENT"))

    def test_forbidden_stays_with_its_target(self):
        daemon = harness.Kstatusd(CLUSTER.viewer_kubeconfig)
        self.addCleanup(daemon.stop)
        CLUSTER.kubectl("-n", "default", "create", "deployment", "seen", "--image=web")
        self.addCleanup(CLUSTER.kubectl, "-n", "default", "delete", "deployment", "seen")
        stream = self.watch(streams.object_target(1, "deploy", "seen", "default"),
                            streams.object_target(2, "cm", "hidden", "default"), daemon=daemon)
        stream.wait_status("seen", "CURRENT", LIMIT_S)
        stream.wait_target(2, "STATE_FORBIDDEN", LIMIT_S)
        hidden = stream.wait_status("hidden", "UNKNOWN", LIMIT_S)
        self.assertIn("viewer", hidden.error.message)
        stream.wait_synced(LIMIT_S)

    def test_a_kind_that_comes_later(self):
        stream = self.watch(streams.object_target(1, "parts.e2e.example.dev", "gadget", self.namespace))
        stream.wait_target(1, "STATE_KIND_MISSING", LIMIT_S)
        stream.wait_status("gadget", "UNKNOWN", LIMIT_S)
        stream.wait_synced(LIMIT_S)
        CLUSTER.kubectl("apply", "-f", "-", stdin=json.dumps(WIDGETS))
        self.addCleanup(CLUSTER.kubectl, "delete", "crd", WIDGETS["metadata"]["name"])
        CLUSTER.kubectl("wait", "--for=condition=Established", "crd/" + WIDGETS["metadata"]["name"])
        stream.wait_status("gadget", "NOT_FOUND", LIMIT_S)
        self.apply({"apiVersion": "e2e.example.dev/v1", "kind": "Part", "metadata": {"name": "gadget"}, "spec": {}})
        stream.wait_status("gadget", "CURRENT", LIMIT_S)
        ready = {"type": "Ready", "status": "False", "reason": "Assembling", "message": "1 of 2"}
        CLUSTER.kubectl("-n", self.namespace, "patch", "part/gadget", "--subresource=status", "--type=merge",
                        "-p", json.dumps({"status": {"conditions": [ready]}}))
        update = stream.wait_status("gadget", "IN_PROGRESS", LIMIT_S)
        self.assertEqual((update.reason, update.message), ("Assembling", "1 of 2"))

    def test_an_unschedulable_pod_fails_by_itself(self):
        stream = self.watch_object("pod", "nowhere")
        self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "nowhere"},
                    "spec": {"nodeSelector": {"disk": "none"}, "containers": [{"name": "c", "image": "i"}]}})
        waiting = stream.wait_status("nowhere", "IN_PROGRESS", LIMIT_S, reason="PodNotScheduled")
        failed = stream.wait_status("nowhere", "FAILED", LIMIT_S)
        self.assertEqual(failed.reason, "PodUnschedulable")
        self.assertEqual(failed.object.uid, waiting.object.uid)


def server_watches(resource):
    """Open watches on a resource, as the API server itself counts them."""
    _, _, text = CLUSTER.request("GET", "/metrics")
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
            status, _, text = CLUSTER.request("POST", path, body)
            answered = time.monotonic()
            self.assertEqual(status, 201, text)
            seen = stream.wait_seen(name, LIMIT_S)
            delays.append(seen - answered)
        delays.sort()
        print(f"API server's answer -> client: p50 {1000 * delays[50]:.1f} ms, p99 {1000 * delays[98]:.1f} ms"
              " (negative: the client knew before the writer)", file=sys.stderr)

    def test_memory_of_a_thousand_pods_is_told(self):
        before = DAEMON.rss_bytes() // 1024
        stream = self.watch(streams.selector_target(1, "pods", self.namespace))
        stream.wait_synced(LIMIT_S)
        big = json.loads(json.dumps(WEB))
        big["spec"]["replicas"] = 1000
        self.apply(big)
        stream.wait_count("CURRENT", 1000, 4 * LIMIT_S)
        print(f"RSS: {before} KiB before, {DAEMON.rss_bytes() // 1024} KiB with 1,000 watched Pods", file=sys.stderr)


class Examples(OnControlPlane):
    def run_example(self, *command):
        self.apply(WEB)
        done = subprocess.run([*command, DAEMON.grpc, self.namespace, "deploy/web"], cwd=ROOT, text=True,
                              capture_output=True, timeout=10 * LIMIT_S)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("CURRENT", done.stdout.splitlines()[-1])

    def test_go(self):
        self.run_example("examples/go/run")

    def test_python(self):
        self.run_example("examples/python/run")


def main():
    tally = None
    if "--tally" in sys.argv:
        at = sys.argv.index("--tally")
        tally = sys.argv[at + 1]
        del sys.argv[at:at + 2]
    result = unittest.main(exit=False, verbosity=2).result
    broken = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses) + len(result.skipped)
    if tally:
        pathlib.Path(tally).write_text(f"{max(result.testsRun, broken)} {broken}\n")
    sys.exit(1 if broken or not result.testsRun else 0)


if __name__ == "__main__":
    main()
