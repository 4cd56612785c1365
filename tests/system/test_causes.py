# SPDX-License-Identifier: Apache-2.0
"""Causes: what is not Current says why, for who asks."""

import unittest

from harness import SLOW, Bench, create, delete, patch_status, pod, pod_status
from stream import Watch, object_target, pb

LIMIT_S = 10 * SLOW
WITH_CAUSES = pb.WatchOptions(include_causes=True)


def waiting(reason, message):
    status = pod_status(False)
    status["containerStatuses"][0]["state"] = {"waiting": {"reason": reason, "message": message}}
    return status


class Causes(Bench):
    def watch(self, target, options=WITH_CAUSES):
        watch = Watch(self.server, target, options=options)
        self.addCleanup(watch.close)
        watch.wait_synced(LIMIT_S)
        return watch

    def test_a_pod_says_why(self):
        self.sim.apply(*create(pod("puller", ready=False)))
        self.sim.apply(patch_status(pod("puller"), waiting("ErrImagePull", "docker.io/x:nope: not found")))
        watch = self.watch(object_target(1, "pods", "puller", "default"))
        cause = watch.updates["Pod", "puller"].causes[0]
        self.assertEqual(cause.code, "IMAGE_NOT_FOUND")
        self.assertEqual((cause.source.kind, cause.source.namespace, cause.source.name), ("Pod", "default", "puller"))
        self.assertEqual(cause.message, "ErrImagePull: docker.io/x:nope: not found")
        self.assertEqual(cause.count, 1)
        self.assertTrue(cause.container and cause.suggestion.endswith("."))
        plain = self.watch(object_target(1, "pods", "puller", "default"), None)
        self.assertEqual(list(plain.updates["Pod", "puller"].causes), [])
        self.sim.apply(patch_status(pod("puller"), pod_status(True)))
        watch.wait_status("puller", "CURRENT", LIMIT_S)
        self.assertEqual(list(watch.updates["Pod", "puller"].causes), [])
        self.sim.apply(delete(pod("puller")))

    def test_a_set_tells_what_its_pods_lack(self):
        self.sim.apply(*create({
            "apiVersion": "apps/v1", "kind": "StatefulSet",
            "metadata": {"name": "web", "namespace": "default", "generation": 1}, "spec": {"replicas": 2},
            "status": {"observedGeneration": 1, "replicas": 2, "readyReplicas": 1}}))
        watch = self.watch(object_target(1, "sts", "web", "default"))
        uid = watch.updates["StatefulSet", "web"].object.uid
        self.assertEqual([c.code for c in watch.updates["StatefulSet", "web"].causes], ["REPLICAS_NOT_READY"])
        child = pod("web-1", ready=False)
        child["metadata"]["ownerReferences"] = [
            {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": uid, "controller": True}]
        self.sim.apply(*create(child))
        self.sim.apply(patch_status(pod("web-1"), waiting("CrashLoopBackOff", "back-off")))
        update = watch.wait_status("web", "FAILED", LIMIT_S)
        self.assertEqual([(c.code, c.source.name) for c in update.causes],
                         [("CRASH_LOOP", "web-1"), ("REPLICAS_NOT_READY", "web")])


if __name__ == "__main__":
    unittest.main()
