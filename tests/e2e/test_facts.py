#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What profile strict asks beside an object, on a real control plane: CRDs, storage classes, and no rights to read them.

usage: test_facts.py [--tally FILE] [unittest's arguments]
"""

import json
import os
import pathlib
import shutil
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/system"), str(ROOT / "tests/cluster")]

import cluster as control_plane  # noqa: E402
import harness  # noqa: E402
import stream as streams  # noqa: E402

LIMIT_S = 60
GROUP = "facts.example.dev"
STRICT = streams.pb.WatchOptions(profile="strict")


def definition(plural, status):
    version = {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}} if status else {},
               "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}
    singular = plural.removesuffix("s")
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{GROUP}"},
            "spec": {"group": GROUP, "scope": "Namespaced", "versions": [version],
                     "names": {"plural": plural, "singular": singular, "kind": singular.capitalize()}}}


def apply(*manifests):
    for manifest in manifests:
        CLUSTER.kubectl("-n", "default", "apply", "-f", "-", stdin=json.dumps(manifest))


def apply_custom(plural, status):
    """A definition and one object of it."""
    apply(definition(plural, status))
    CLUSTER.kubectl("wait", "--for=condition=Established", f"crd/{plural}.{GROUP}")
    kind = plural.removesuffix("s").capitalize()
    apply({"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": kind.lower()}})


def setUpModule():
    global CLUSTER, DAEMON
    scratch = tempfile.mkdtemp(prefix="kstatusd-facts-")
    CLUSTER = control_plane.Cluster(os.path.join(scratch, "cluster"))
    unittest.addModuleCleanup(shutil.rmtree, scratch, ignore_errors=True)
    unittest.addModuleCleanup(CLUSTER.down)
    CLUSTER.up()
    DAEMON = harness.Kstatusd(CLUSTER.kubeconfig)
    unittest.addModuleCleanup(DAEMON.stop)


class Facts(unittest.TestCase):
    def watch(self, resource, name, daemon=None):
        stream = streams.Watch(daemon or DAEMON, streams.object_target(1, resource, name, "default"), options=STRICT)
        self.addCleanup(stream.close)
        return stream

    def test_a_declared_status_is_waited_for(self):
        apply_custom("pumps", status=True)
        stream = self.watch(f"pumps.{GROUP}", "pump")
        stream.wait_status("pump", "IN_PROGRESS", LIMIT_S, reason="NotYetObserved")
        ready = json.dumps({"status": {"conditions": [{"type": "Ready", "status": "True"}]}})
        CLUSTER.kubectl("-n", "default", "patch", f"pumps.{GROUP}/pump", "--subresource=status", "--type=merge", "-p", ready)
        stream.wait_status("pump", "CURRENT", LIMIT_S)

    def test_a_definition_that_changes(self):
        apply_custom("bolts", status=False)
        stream = self.watch(f"bolts.{GROUP}", "bolt")
        stream.wait_status("bolt", "CURRENT", LIMIT_S)
        apply(definition("bolts", status=True))
        stream.wait_status("bolt", "IN_PROGRESS", LIMIT_S, reason="NotYetObserved")

    def test_definitions_that_may_not_be_read(self):
        apply_custom("nuts", status=False)
        CLUSTER.kubectl("create", "clusterrole", "nuts", "--verb=get,list,watch", f"--resource=nuts.{GROUP}")
        CLUSTER.kubectl("create", "clusterrolebinding", "nuts", "--clusterrole=nuts", "--user=viewer")
        daemon = harness.Kstatusd(CLUSTER.viewer_kubeconfig)
        self.addCleanup(daemon.stop)
        stream = self.watch(f"nuts.{GROUP}", "nut", daemon=daemon)
        stream.wait_status("nut", "IN_PROGRESS", LIMIT_S, reason="NotYetObserved")
        stream.wait_synced(LIMIT_S)
        self.assertEqual({1: "STATE_SYNCED"}, stream.target_states)

    def test_a_class_that_waits_for_a_consumer(self):
        apply({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "late"},
               "provisioner": f"{GROUP}/disk", "volumeBindingMode": "WaitForFirstConsumer"},
              {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "claim"},
               "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "late",
                        "resources": {"requests": {"storage": "1Gi"}}}})
        self.watch("pvc", "claim").wait_status("claim", "CURRENT", LIMIT_S, reason="WaitingForConsumer")


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
