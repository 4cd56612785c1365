# SPDX-License-Identifier: Apache-2.0
"""Causes: what is not Current says why, for who asks."""

import datetime
import unittest

from harness import SLOW, Bench, Kstatusd, Kubesim, create, delete, patch_status, pod, pod_status, wait_for
from stream import Watch, object_target, pb

LIMIT_S = 10 * SLOW
WITH_CAUSES = pb.WatchOptions(include_causes=True)


def waiting(reason, message):
    status = pod_status(False)
    status["containerStatuses"][0]["state"] = {"waiting": {"reason": reason, "message": message}}
    return status


def unhealthy(name, uid):
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"apiVersion": "v1", "kind": "Event", "metadata": {"name": name + ".1", "namespace": "default"},
            "type": "Warning", "reason": "Unhealthy", "message": "Readiness probe failed: HTTP probe failed: 503",
            "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": "default", "name": name, "uid": uid,
                               "fieldPath": "spec.containers{main}"},
            "count": 1, "firstTimestamp": now, "lastTimestamp": now}


def asked_for_events(sim):
    return [r for r in sim.requests() if r["path"].endswith("/events") and r["user_agent"].startswith("kstatusd")]


def codes(update):
    return [c.code for c in update.causes]


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

    def wait_codes(self, watch, kind, name, check):
        watch.wait(f"causes of {name}", lambda: check(codes(watch.updates[kind, name])), LIMIT_S)
        return watch.updates[kind, name].causes

    def test_an_event_tells_which_probe_fails(self):
        self.sim.apply(*create(pod("probed", ready=False)))
        watch = self.watch(object_target(1, "pods", "probed", "default"))
        uid = watch.updates["Pod", "probed"].object.uid
        wait_for("the Events to be watched", lambda: asked_for_events(self.sim))
        before = len(self.sim.requests())
        self.sim.apply(*create(unhealthy("probed", uid)))
        causes = self.wait_codes(watch, "Pod", "probed", lambda c: "READINESS_PROBE_FAILED" in c)
        cause = next(c for c in causes if c.code == "READINESS_PROBE_FAILED")
        self.assertEqual((cause.source.kind, cause.source.name, cause.container), ("Pod", "probed", "main"))
        self.assertIn("503", cause.message)
        self.sim.apply(delete(unhealthy("probed", uid)))
        self.wait_codes(watch, "Pod", "probed", lambda c: "READINESS_PROBE_FAILED" not in c)
        later = [r for r in self.sim.requests()[before:] if r["user_agent"].startswith("kstatusd")]
        self.assertEqual(later, [])
        self.assertTrue(all("type%3DWarning" in r["query"] for r in asked_for_events(self.sim)), asked_for_events(self.sim))

    def test_an_event_about_a_pod_is_told_of_its_set(self):
        self.sim.apply(*create({
            "apiVersion": "apps/v1", "kind": "StatefulSet",
            "metadata": {"name": "db", "namespace": "default", "generation": 1}, "spec": {"replicas": 2},
            "status": {"observedGeneration": 1, "replicas": 2, "readyReplicas": 1}}))
        watch = self.watch(object_target(1, "sts", "db", "default"))
        child = pod("db-1", ready=False)
        child["metadata"]["ownerReferences"] = [
            {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db",
             "uid": watch.updates["StatefulSet", "db"].object.uid, "controller": True}]
        self.sim.apply(*create(child))
        beside = self.watch(object_target(1, "pods", "db-1", "default"))
        self.sim.apply(*create(unhealthy("db-1", beside.updates["Pod", "db-1"].object.uid)))
        causes = self.wait_codes(watch, "StatefulSet", "db", lambda c: "READINESS_PROBE_FAILED" in c)
        self.assertEqual(causes[0].source.name, "db-1")


class Asked(unittest.TestCase):
    def test_no_event_is_asked_for_without_need(self):
        with Kubesim() as sim, Kstatusd(sim.kubeconfig) as server:
            sim.apply(*create(pod("fine"), pod("broken", ready=False)))
            for name, options in (("fine", WITH_CAUSES), ("broken", None)):
                watch = Watch(server, object_target(1, "pods", name, "default"), options=options)
                watch.wait_synced(LIMIT_S)
                wait_for("the Pod to be watched", lambda: sim.stats()["watches_open"] == 1)
                watch.close()
                wait_for("nothing to be watched", lambda: sim.stats()["watches_open"] == 0)
            self.assertEqual(asked_for_events(sim), [])

    def test_without_rights_only_the_detail_is_lost(self):
        with Kubesim() as sim, Kstatusd(sim.kubeconfig) as server:
            sim.apply({"op": "fault", "match": {"path_prefix": "/api/v1/namespaces/default/events", "times": 0},
                       "do": "status", "code": 403})
            sim.apply(*create(pod("broken", ready=False)))
            watch = Watch(server, object_target(1, "pods", "broken", "default"), options=WITH_CAUSES)
            watch.wait_synced(LIMIT_S)
            wait_for("the Events to be refused", lambda: asked_for_events(sim))
            self.assertTrue(codes(watch.updates["Pod", "broken"]))
            sim.apply(patch_status(pod("broken"), pod_status(True)))
            watch.wait_status("broken", "CURRENT", LIMIT_S)
            self.assertEqual(watch.target_states, {1: "STATE_SYNCED"})
            watch.close()


if __name__ == "__main__":
    unittest.main()
