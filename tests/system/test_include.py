# SPDX-License-Identifier: Apache-2.0
"""`options.include_object`: the object's JSON beside its verdict, and what never leaves."""

import json
import unittest

from stream import Watch, object_target, pb, pb_grpc, selector_target
from harness import SLOW, Bench, create, patch_status, pod, pod_status

LIMIT_S = 20 * SLOW
HIDDEN = "aGlkZGVuLXZhbHVl"
FIELDS = [{"manager": "somebody", "operation": "Update", "fieldsV1": {"f:spec": {}}}]


class Include(Bench):
    def watch(self, *targets, **options):
        watch = Watch(self.server, *targets, options=pb.WatchOptions(include_object=True, **options))
        self.addCleanup(watch.close)
        return watch

    def newest(self, watch, kind, name):
        return json.loads(watch.updates[kind, name].object_json)

    def test_the_object_comes_with_its_verdict(self):
        made = pod("shown", app="include")
        made["metadata"]["managedFields"] = FIELDS
        self.sim.apply(*create(made))
        watch = self.watch(object_target(1, "po", "shown", "default"), object_target(2, "po", "nowhere", "default"))
        watch.wait_synced(LIMIT_S)
        self.assertTrue(watch.history[0].accepted.effective_options.include_object)
        told = self.newest(watch, "Pod", "shown")
        self.assertEqual((told["apiVersion"], told["kind"], told["spec"]), ("v1", "Pod", made["spec"]))
        self.assertEqual(told["metadata"]["labels"], {"app": "include"})
        self.assertNotIn("managedFields", told["metadata"])
        self.assertEqual(watch.updates["Pod", "nowhere"].object_json, b"")
        self.sim.apply(patch_status(made, pod_status(False)))
        watch.wait_status("shown", "IN_PROGRESS", LIMIT_S)
        self.assertFalse(self.newest(watch, "Pod", "shown")["status"]["containerStatuses"][0]["ready"])

    def test_without_it_there_is_none(self):
        self.sim.apply(*create(pod("unshown")))
        watch = Watch(self.server, object_target(1, "po", "unshown", "default"))
        self.addCleanup(watch.close)
        watch.wait_synced(LIMIT_S)
        self.assertEqual(watch.updates["Pod", "unshown"].object_json, b"")

    def test_what_a_secret_holds_never_leaves(self):
        applied = json.dumps({"kind": "Secret", "data": {"key": HIDDEN}})
        self.sim.apply(*create({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"key": HIDDEN},
            "metadata": {"name": "kept", "namespace": "default", "labels": {"app": "kept"}, "managedFields": FIELDS,
                         "annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied}}}))
        targets = [object_target(1, "secret", "kept", "default"), selector_target(2, "secrets", "default", "app=kept")]
        watch = self.watch(*targets, include_causes=True, generated_depth=3)
        watch.wait_synced(LIMIT_S)
        told = self.newest(watch, "Secret", "kept")
        self.assertEqual((told["kind"], told["type"], told["metadata"]["labels"]), ("Secret", "Opaque", {"app": "kept"}))
        self.assertEqual(set(told), {"apiVersion", "kind", "metadata", "type"})
        answer = pb_grpc.StatusServiceStub(self.channel).Get(
            pb.GetRequest(targets=targets, options=pb.WatchOptions(include_object=True)), timeout=LIMIT_S)
        self.assertTrue(answer.statuses[0].object_json)
        for text in (repr(watch.history), repr(answer), self.server.log()):
            self.assertNotIn(HIDDEN, text)
            self.assertNotIn("last-applied", text)

    def test_what_is_too_long_is_left_out(self):
        self.sim.apply(*create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "long", "namespace": "default"},
                                "data": {"key": "x" * (300 << 10)}}))
        watch = self.watch(object_target(1, "cm", "long", "default"))
        watch.wait_synced(LIMIT_S)
        watch.wait_status("long", "CURRENT", LIMIT_S)
        self.assertEqual(watch.updates["ConfigMap", "long"].object_json, b"")


if __name__ == "__main__":
    unittest.main()
