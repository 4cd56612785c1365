#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a person reads when something is wrong between kstatusd and the API server: what failed, on what, what to do."""

import subprocess
import unittest

from harness import BIN, SLOW, Kstatusd, Kubesim, create, delete, pod
from stream import Watch, object_target, pb, pb_grpc, selector_target, status_name

LIMIT_S = 30 * SLOW


def deep(name, levels=700):
    """A Pod that nobody can read: more levels than are taken in."""
    tree = {}
    for _ in range(levels):
        tree = {"a": tree}
    made = pod(name, app="web")
    made["spec"]["tree"] = tree
    return made


class Wording(unittest.TestCase):
    def setUp(self):
        self.sim = Kubesim()
        self.addCleanup(self.sim.__exit__, None, None, None)

    def serve(self, kubeconfig=None):
        server = Kstatusd(kubeconfig or self.sim.kubeconfig)
        self.addCleanup(server.__exit__, None, None, None)
        return server

    def watch(self, *targets):
        watch = Watch(self.serve(), *targets)
        self.addCleanup(watch.close)
        watch.wait_synced(LIMIT_S)
        return watch

    def test_refused_credentials(self):
        """Fault i30: the API server answers 401 to a token that nothing renews -> Unknown, with who refused which credential"""
        wrong = self.sim.kubeconfig.with_name("wrong")
        wrong.write_text(self.sim.kubeconfig.read_text().replace("token: admin", "token: nobody"))
        done = subprocess.run([BIN / "kstatus", "get", "-s", self.serve(wrong).grpc, "-n", "default", "pod/web"],
                              capture_output=True, text=True, timeout=60 * SLOW, check=False)
        for part in (f"the API server {self.sim.url} refused (Unauthorized)", f"the token of {wrong}, context ", "fetch a new one"):
            self.assertIn(part, " ".join(done.stdout.split()))

    def test_a_web_page_in_place_of_the_api(self):
        """Fault i49, r14: a web page in place of the API, from the first path on or where the objects are -> Unknown when the
        time is up, with that as the reason"""
        for prefix in ("/", "/api/v1/namespaces/"):
            self.sim.apply({"op": "fault-clear"}, {
                "op": "fault", "match": {"path_prefix": prefix, "times": 0}, "do": "status", "code": 404,
                "text": "<html><body>Not here</body></html>", "content_type": "text/html"})
            with Kstatusd(self.sim.kubeconfig) as server, server.channel() as channel:
                answer = pb_grpc.StatusServiceStub(channel).Get(
                    pb.GetRequest(targets=[object_target(1, "pod", "web", "default")]), timeout=3 * SLOW)
            self.assertEqual([status_name(u) for u in answer.statuses], ["UNKNOWN"])
            self.assertIn("a web page instead of an API answer", answer.statuses[0].error.message, prefix)

    def garbled(self, name):
        """A line that looks like a change of a name, but is none."""
        self.sim.apply({"op": "inject", "path_prefix": "/api/v1/namespaces/default/pods",
                        "text": '{"type":"MODIFIED","object":{"kind":"Pod","metadata":{"name":"%s"x' % name})

    def test_a_garbled_watch(self):
        """Fault i7, i44: a line of a watch that is no JSON -> DISCONNECTED with the server's address, then SYNCED; no object
        changes"""
        self.sim.apply(*create(pod("web", app="web")))
        watch = self.watch(selector_target(1, "pod", "default", labels="app=web"), object_target(2, "pod", "web", "default"))
        for name in ("web", "nobody"):
            seen = len(watch.history)
            self.garbled(name)
            lost = watch.wait("the loss", lambda: {
                e.target_change.target_id: e.target_change.cause.message for e in watch.history[seen:]
                if e.target_change.state == pb.TargetChange.STATE_DISCONNECTED}, LIMIT_S)
            for message in lost.values():
                self.assertIn(f"the API server {self.sim.url}, or a proxy before it, sent a watch event that cannot be read", message)
            for target in (1, 2):
                watch.wait_target(target, "STATE_SYNCED", LIMIT_S)
        # It said nothing of any object.
        self.assertEqual({(n, status_name(u)) for (_, n), u in watch.updates.items()}, {("web", "CURRENT")})
        self.sim.apply(*create(pod("web", ready=False, app="web")))
        watch.wait_status("web", "IN_PROGRESS", LIMIT_S)

    def test_the_end_of_an_unreadable_object(self):
        """Fault i41: an object nested too deeply to be read, then deleted -> that object is Unknown Unreadable, then NotFound"""
        self.sim.apply(*create(pod("grown", app="web"), deep("born")))
        watch = self.watch(object_target(1, "pod", "grown", "default"), object_target(2, "pod", "born", "default"),
                           selector_target(3, "pod", "default"))
        self.sim.apply(*create(deep("grown")))
        for name in ("grown", "born"):
            watch.wait_status(name, "UNKNOWN", LIMIT_S, reason="Unreadable")
            self.sim.apply(delete(pod(name)))
            self.assertEqual(watch.wait_status(name, "NOT_FOUND", LIMIT_S).message, "The object was deleted")
        self.assertFalse([e for e in watch.history if e.target_change.state == pb.TargetChange.STATE_DISCONNECTED])


if __name__ == "__main__":
    unittest.main()
