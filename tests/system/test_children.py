# SPDX-License-Identifier: Apache-2.0
"""Generated objects: a Pod's event changes the verdict on what generated it, without a request to the API server."""

import unittest

from stream import Watch, object_target, pb, pb_grpc, selector_target, status_name
from harness import SLOW, Bench, Kstatusd, Kubesim, create, delete, patch_status, pod, pod_status, wait_for

LIMIT_S = 10 * SLOW


def stateful_set(name, ready=1, replicas=2):
    return {"apiVersion": "apps/v1", "kind": "StatefulSet",
            "metadata": {"name": name, "namespace": "default", "generation": 1},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}},
            "status": {"observedGeneration": 1, "replicas": replicas, "readyReplicas": ready, "currentReplicas": replicas,
                       "updatedReplicas": replicas, "currentRevision": "r1", "updateRevision": "r1"}}


def crash_status():
    status = pod_status(False)
    status["containerStatuses"][0]["state"] = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
    return status


def owned(child, kind, owner_uid):
    child["metadata"]["ownerReferences"] = [
        {"apiVersion": "apps/v1", "kind": kind, "name": "owner", "uid": owner_uid, "controller": True}]
    return child


class Children(Bench):
    def open_set(self, name):
        self.sim.apply(*create(stateful_set(name)))
        watch = Watch(self.server, object_target(1, "sts", name, "default"))
        self.addCleanup(watch.close)
        watch.wait_synced(LIMIT_S)
        return watch, watch.updates["StatefulSet", name].object.uid

    def test_a_crash_loop_fails_the_set_without_a_request(self):
        watch, uid = self.open_set("web")
        watch.wait_status("web", "IN_PROGRESS", LIMIT_S)
        before = len(self.sim.requests())
        pods = [r for r in self.sim.requests() if r["path"].endswith("/pods")]
        self.assertTrue(pods and all("watch=1" in r["query"] for r in pods), pods)
        for turn in range(3):
            name = f"web-{turn}"
            self.sim.apply(*create(owned(pod(name, ready=False), "StatefulSet", uid)))
            self.sim.apply(patch_status(pod(name), crash_status()))
            self.assertIn("failed", watch.wait_status("web", "FAILED", LIMIT_S, "PodsFailed").message)
            self.sim.apply(delete(pod(name)))
            watch.wait_status("web", "IN_PROGRESS", LIMIT_S)
        later = [r for r in self.sim.requests()[before:] if r["user_agent"].startswith("kstatusd")]
        self.assertEqual(later, [])

    def test_generated_objects_are_told_with_their_owner(self):
        self.sim.apply(*create(stateful_set("deep")))
        watch = Watch(self.server, object_target(1, "sts", "deep", "default"), options=pb.WatchOptions(generated_depth=1))
        self.addCleanup(watch.close)
        watch.wait_synced(LIMIT_S)
        self.assertEqual(watch.history[0].accepted.effective_options.generated_depth, 1)
        uid = watch.updates["StatefulSet", "deep"].object.uid
        self.sim.apply(*create(owned(pod("deep-0"), "StatefulSet", uid), pod("stranger")))
        update = watch.wait_status("deep-0", "CURRENT", LIMIT_S)
        self.assertEqual((update.owner.kind, update.owner.name, update.owner.uid), ("StatefulSet", "deep", uid))
        self.assertEqual(list(update.target_ids), [1])
        self.sim.apply(delete(pod("deep-0")))
        watch.wait_status("deep-0", "NOT_FOUND", LIMIT_S)
        self.assertNotIn(("Pod", "stranger"), watch.updates)
        self.assertEqual(watch.synced.counts.in_progress, 1)

    def told_for(self, watch, name, ids, has_owner):
        def is_it():
            update = watch.updates.get(("Pod", name))
            return update and list(update.target_ids) == ids and update.HasField("owner") == has_owner
        watch.wait(f"{name} to be told for {ids}", is_it, LIMIT_S)

    def test_what_is_asked_for_and_generated_is_one(self):
        def labelled(name, app):
            child = owned(pod(name), "StatefulSet", uid)
            child["metadata"]["labels"] = {"app": app}
            return child

        self.sim.apply(*create(stateful_set("both")))
        targets = (object_target(1, "sts", "both", "default"), selector_target(2, "pods", "default", labels="app=both"))
        options = pb.WatchOptions(generated_depth=1)
        watch = Watch(self.server, *targets, options=options)
        self.addCleanup(watch.close)
        watch.wait_synced(LIMIT_S)
        uid = watch.updates["StatefulSet", "both"].object.uid
        self.sim.apply(*create(labelled("both-0", "other")))
        self.told_for(watch, "both-0", [1], True)
        self.sim.apply({"op": "update", "object": labelled("both-0", "both")})
        self.told_for(watch, "both-0", [1, 2], False)
        got = pb_grpc.StatusServiceStub(self.channel).Get(pb.GetRequest(targets=targets, options=options), timeout=LIMIT_S)
        self.assertEqual([list(s.target_ids) for s in got.statuses if s.object.name == "both-0"], [[1, 2]])
        self.assertEqual(got.counts.current + got.counts.in_progress, 2)
        self.sim.apply({"op": "update", "object": labelled("both-0", "other")})
        self.told_for(watch, "both-0", [1], True)
        self.assertNotIn("removed", [event.WhichOneof("event") for event in watch.history])
        self.sim.apply({"op": "update", "object": labelled("both-0", "both")})
        self.told_for(watch, "both-0", [1, 2], False)
        self.sim.apply(delete(stateful_set("both")))
        self.told_for(watch, "both-0", [2], False)
        self.sim.apply(delete(pod("both-0")))
        watch.wait_status("both-0", "NOT_FOUND", LIMIT_S)

    def test_a_set_that_comes_again_has_its_own_pods(self):
        watch, uid = self.open_set("again")
        broken = owned(pod("again-0", ready=False), "StatefulSet", uid)
        self.sim.apply(*create(broken))
        self.sim.apply(patch_status(broken, crash_status()))
        watch.wait_status("again", "FAILED", LIMIT_S)
        self.sim.apply(delete(stateful_set("again")))
        watch.wait_status("again", "NOT_FOUND", LIMIT_S)
        self.sim.apply(*create(stateful_set("again")))
        watch.wait_status("again", "IN_PROGRESS", LIMIT_S)
        self.sim.apply(delete(broken))

    def test_pods_are_watched_only_while_a_target_needs_them(self):
        watch, _ = self.open_set("brief")
        wait_for("the set and its Pods to be watched", lambda: self.sim.stats()["watches_open"] == 2)
        self.sim.apply(delete(stateful_set("brief")))
        watch.wait_status("brief", "NOT_FOUND", LIMIT_S)
        wait_for("the set alone to be watched", lambda: self.sim.stats()["watches_open"] == 1, 20)
        watch.close()
        wait_for("nothing to be watched", lambda: self.sim.stats()["watches_open"] == 0)


class NoRights(unittest.TestCase):
    def test_the_verdict_rests_on_the_set_alone_and_says_so(self):
        with Kubesim() as sim, Kstatusd(sim.kubeconfig) as server:
            sim.apply({"op": "fault", "match": {"path_prefix": "/api/v1/namespaces/default/pods", "times": 0},
                       "do": "status", "code": 403})
            sim.apply(*create(stateful_set("web")))
            watch = Watch(server, object_target(1, "sts", "web", "default"))
            watch.wait_synced(LIMIT_S)
            update = watch.updates["StatefulSet", "web"]
            self.assertEqual(status_name(update), "IN_PROGRESS")
            self.assertIn("its Pods may not be read", update.message)
            watch.close()

    def test_an_api_server_in_trouble_heals(self):
        for code in (500, 429):
            with self.subTest(code=code), Kubesim() as sim, Kstatusd(sim.kubeconfig) as server:
                sim.apply({"op": "fault", "match": {"path_prefix": "/api/v1/namespaces/default/pods", "times": 2},
                           "do": "status", "code": code})
                sim.apply(*create(stateful_set("web")))
                watch = Watch(server, object_target(1, "sts", "web", "default"))
                watch.wait_synced(30 * SLOW)
                broken = owned(pod("web-0", ready=False), "StatefulSet", watch.updates["StatefulSet", "web"].object.uid)
                sim.apply(*create(broken), patch_status(broken, crash_status()))
                watch.wait_status("web", "FAILED", 30 * SLOW)
                self.assertEqual(watch.target_states, {1: "STATE_SYNCED"})
                watch.close()

    def test_many_names_of_a_forbidden_collection_are_watched_one_by_one(self):
        with Kubesim() as sim, Kstatusd(sim.kubeconfig) as server:
            names = [f"web-{n}" for n in range(20)]
            sim.apply(*create(*map(pod, names)))
            sim.apply({"op": "fault", "match": {"path_prefix": "/api/v1/namespaces/default/pods", "times": 1},
                       "do": "status", "code": 403})
            watches = [Watch(server, *(object_target(n + 1, "pods", name, "default") for n, name in enumerate(names)))
                       for _ in range(3)]
            for watch in watches:
                watch.wait_synced(LIMIT_S)
                self.assertEqual({status_name(u) for u in watch.updates.values()}, {"CURRENT"})
                self.assertEqual(len(watch.updates), len(names))
            wait_for("one call to watch each name, two the collection", lambda: sim.stats()["watches_open"] == 20 + 2)
            sim.apply(delete(pod("web-7")))
            for watch in watches:
                watch.wait_status("web-7", "NOT_FOUND", LIMIT_S)
                watch.close()
            wait_for("nothing to be watched", lambda: sim.stats()["watches_open"] == 0)


if __name__ == "__main__":
    unittest.main()
