#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What profile strict asks beside an object, on a real control plane: CRDs, storage classes, and no rights to read them.

usage: test_facts.py [--tally FILE] [unittest's arguments]
"""

import unittest

import bed
from harness import crd
import stream as streams

LIMIT_S = 60
GROUP = "facts.example.dev"
STRICT = streams.pb.WatchOptions(profile="strict")


def setUpModule():
    global BED
    BED = bed.Bed()


def apply_custom(plural, status):
    """A definition and one object of it."""
    BED.define(crd(plural, GROUP, status))
    kind = plural.removesuffix("s").capitalize()
    BED.apply("default", {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": kind.lower()}})


class Facts(unittest.TestCase):
    """docs/verdicts.md, "What is asked beside the object": a status that the CRD declares is waited for, another is not; who may
    not read the CRD waits; and a claim whose class binds late is Current, as it waits for its consumer."""

    def watch(self, resource, name, daemon=None):
        stream = streams.Watch(daemon or BED.daemon, streams.object_target(1, resource, name, "default"), options=STRICT)
        self.addCleanup(stream.close)
        return stream

    def test_a_declared_status_is_waited_for(self):
        apply_custom("pumps", status=True)
        stream = self.watch(f"pumps.{GROUP}", "pump")
        stream.wait_status("pump", "IN_PROGRESS", LIMIT_S, reason="NotYetObserved")
        ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        BED.patch("default", f"pumps.{GROUP}/pump", ready, "--subresource=status")
        stream.wait_status("pump", "CURRENT", LIMIT_S)

    def test_a_definition_that_changes(self):
        apply_custom("bolts", status=False)
        stream = self.watch(f"bolts.{GROUP}", "bolt")
        stream.wait_status("bolt", "CURRENT", LIMIT_S)
        BED.apply("default", crd("bolts", GROUP, True))
        stream.wait_status("bolt", "IN_PROGRESS", LIMIT_S, reason="NotYetObserved")

    def test_definitions_that_may_not_be_read(self):
        apply_custom("nuts", status=False)
        BED.cluster.kubectl("create", "clusterrole", "nuts", "--verb=get,list,watch", f"--resource=nuts.{GROUP}")
        BED.cluster.kubectl("create", "clusterrolebinding", "nuts", "--clusterrole=nuts", "--user=viewer")
        daemon = BED.start_daemon(BED.cluster.viewer_kubeconfig)
        self.addCleanup(daemon.stop)
        stream = self.watch(f"nuts.{GROUP}", "nut", daemon=daemon)
        stream.wait_status("nut", "IN_PROGRESS", LIMIT_S, reason="NotYetObserved")
        stream.wait_synced(LIMIT_S)
        self.assertEqual({1: "STATE_SYNCED"}, stream.target_states)

    def test_a_class_that_waits_for_a_consumer(self):
        BED.apply("default", {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "late"},
               "provisioner": f"{GROUP}/disk", "volumeBindingMode": "WaitForFirstConsumer"},
              {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "claim"},
               "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "late",
                        "resources": {"requests": {"storage": "1Gi"}}}})
        self.watch("pvc", "claim").wait_status("claim", "CURRENT", LIMIT_S, reason="WaitingForConsumer")


if __name__ == "__main__":
    bed.main()
