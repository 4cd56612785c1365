# SPDX-License-Identifier: Apache-2.0
"""Profile strict, as a client sees it: what stands beside an object and decides with it."""

import unittest

from harness import Bench, config_map, crd, create, patch_status, pod
from stream import Watch, object_target, pb, selector_target, status_name

STRICT = pb.WatchOptions(profile="strict")
GROUP = "strict.example.dev"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
LIMIT_S = 20


def custom(kind, name):
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": name, "namespace": "default"}}


def crd_requests(sim):
    return [r for r in sim.requests() if r["path"].startswith(CRDS)]


def told(stream):
    """The statuses in order, but for those of a kind so new that it is not known to be served yet."""
    updates = [event.update for event in stream.history if event.WhichOneof("event") == "update"]
    return [status_name(update) for update in updates if update.reason != "KindNotServed"]


class CustomResources(Bench):
    def watch(self, *targets):
        stream = Watch(self.server, *targets, options=STRICT)
        self.addCleanup(stream.close)
        return stream

    def test_a_declared_status_is_waited_for(self):
        pump = custom("Pump", "main")
        self.sim.apply(*create(crd("pumps", GROUP, True), pump))
        stream = self.watch(object_target(1, "pumps", "main", "default"))
        stream.wait_status("main", "IN_PROGRESS", LIMIT_S, reason="NotYetObserved")
        stream.wait_synced(LIMIT_S)
        self.sim.apply(patch_status(pump, {"conditions": [{"type": "Ready", "status": "True", "reason": "Up"}]}))
        stream.wait_status("main", "CURRENT", LIMIT_S)
        self.assertEqual(["IN_PROGRESS", "CURRENT"], told(stream))

    def test_no_status_is_waited_for_where_none_is_declared(self):
        self.sim.apply(*create(crd("bolts", GROUP, False), custom("Bolt", "main")))
        stream = self.watch(object_target(1, "bolts", "main", "default"))
        first = stream.wait_status("main", "CURRENT", LIMIT_S)
        self.assertEqual(pb.STATUS_BASIS_ASSUMED, first.basis)
        self.assertEqual(["CURRENT"], told(stream))  # not InProgress for a moment

    def test_profile_kstatus_does_not_ask(self):
        self.sim.apply(*create(crd("nuts", GROUP, True), custom("Nut", "main")))
        before = len(crd_requests(self.sim))
        stream = Watch(self.server, object_target(1, "nuts", "main", "default"))
        self.addCleanup(stream.close)
        stream.wait_status("main", "CURRENT", LIMIT_S)
        self.assertEqual(before, len(crd_requests(self.sim)))

    def test_siblings_tell_what_is_missing(self):
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        pipes = [custom("Pipe", f"pipe-{i}") for i in range(3)]
        self.sim.apply(*create(crd("pipes", GROUP, True), *pipes))
        self.sim.apply(patch_status(pipes[0], {"length": 3}), patch_status(pipes[1], ready))
        stream = self.watch(selector_target(1, "pipes", "default"))
        stream.wait_status("pipe-0", "CURRENT", LIMIT_S)
        stream.wait_synced(LIMIT_S)
        self.sim.apply(patch_status(pipes[2], ready))
        stream.wait_status("pipe-0", "IN_PROGRESS", LIMIT_S, reason="ReadyNotWritten")


class Unknowns(Bench):
    """A status that a rule of the profile cannot tell has its error, as any other Unknown."""

    def test_an_error_says_why(self):
        silent = dict(pod("silent"), status={"phase": "Unknown"})
        odd = dict(config_map("odd"), status="fine")
        self.sim.apply(*create(silent, odd))
        stream = Watch(self.server, object_target(1, "pods", "silent", "default"), object_target(2, "cm", "odd", "default"),
                       options=STRICT)
        self.addCleanup(stream.close)
        for name, reason, words in (("silent", "PodUnknown", "does not report"), ("odd", "StatusMalformed", "is not a map")):
            update = stream.wait_status(name, "UNKNOWN", LIMIT_S, reason=reason)
            self.assertIn(words, update.error.message)
            self.assertNotEqual(0, update.error.code)


class WithoutRights(Bench):
    """The CRD may not be read: then the object alone decides, and nobody is bothered."""

    def test_forbidden_definitions(self):
        self.sim.apply(*create(crd("bolts", GROUP, False), custom("Bolt", "main")))
        self.sim.apply({"op": "fault", "match": {"path_prefix": CRDS, "times": 0}, "do": "status", "code": 403,
                        "message": "customresourcedefinitions is forbidden"})
        stream = Watch(self.server, object_target(1, "bolts", "main", "default"), options=STRICT)
        self.addCleanup(stream.close)
        stream.wait_status("main", "IN_PROGRESS", LIMIT_S, reason="NotYetObserved")
        stream.wait_synced(LIMIT_S)
        self.assertEqual({1: "STATE_SYNCED"}, stream.target_states)
        self.assertTrue(crd_requests(self.sim))


class Claims(Bench):
    def test_a_class_that_waits_for_a_consumer(self):
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                 "metadata": {"name": "data", "namespace": "default"},
                 "spec": {"storageClassName": "late"}, "status": {"phase": "Pending"}}
        late = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "late"},
                "provisioner": "example.dev/disk", "volumeBindingMode": "WaitForFirstConsumer"}
        self.sim.apply(*create(claim))
        stream = Watch(self.server, object_target(1, "pvc", "data", "default"), options=STRICT)
        self.addCleanup(stream.close)
        stream.wait_status("data", "IN_PROGRESS", LIMIT_S, reason="NotBound")
        self.sim.apply(*create(late))
        stream.wait_status("data", "CURRENT", LIMIT_S, reason="WaitingForConsumer")


if __name__ == "__main__":
    unittest.main()
