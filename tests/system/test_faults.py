#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Faults between kstatusd and the API server, each named by its row of the fault tables.

A docstring "Fault i13: what happens -> what the client sees" becomes a line of docs/faults.md (scripts/faults writes it): i is
the table of informers, r that of reliability.
"""

import unittest

from harness import SLOW, Kstatusd, Kubesim, config_map, create, delete
from stream import Watch, object_target, pb, selector_target

LIMIT_S = 60 * SLOW
CMS = "/api/v1/namespaces/default/configmaps"
NAMES = ("a", "b", "c")


class Faults(unittest.TestCase):
    def setUp(self):
        self.sim = Kubesim()
        self.addCleanup(self.sim.__exit__, None, None, None)
        # An older server: the whole state comes as a list, which can be told from the watch behind it.
        self.sim.apply({"op": "feature", "name": "watch-list", "on": False}, *create(*(config_map(n, app="web") for n in NAMES)))
        self.faults = set()
        self.server = Kstatusd(self.sim.kubeconfig)
        self.addCleanup(self.server.__exit__, None, None, None)

    def fault(self, do, watch, **more):
        match = {"path_prefix": CMS, "watch": watch, "times": more.pop("times", 1)}
        self.sim.apply({"op": "fault", "match": match, "do": do, **more})
        self.faults.add(do)

    def watch(self, *targets):
        watch = Watch(self.server, *(targets or (selector_target(1, "cm", "default", labels="app=web"),)))
        self.addCleanup(watch.close)
        watch.wait_synced(LIMIT_S)
        return watch

    def lists(self):
        return [r for r in self.sim.requests() if r["path"] == CMS and "watch=" not in r["query"]
                and "limit=1&" not in r["query"] + "&"]

    def assert_alive(self, watch, names=NAMES):
        """What comes from now on is told, and nothing that exists was told gone."""
        self.sim.apply(*create(config_map("later", app="web")))
        watch.wait_status("later", "CURRENT", LIMIT_S)
        watch.wait_target(1, "STATE_SYNCED", LIMIT_S)
        gone = {e.update.object.name for e in watch.history if e.update.status == pb.RECONCILE_STATUS_NOT_FOUND}
        self.assertFalse(gone & set(names))
        self.assertLessEqual(self.faults, {r.get("fault") for r in self.sim.requests()})
        self.assertEqual(watch.names("ConfigMap", "CURRENT"), {*names, "later"})

    def states(self, watch):
        return {pb.TargetChange.State.Name(e.target_change.state) for e in watch.history if e.HasField("target_change")}

    def test_i01_reset_in_a_line(self):
        """Fault i1, r2: the connection of a watch is reset in the middle of an event -> DISCONNECTED, then SYNCED; the event
        once, nothing listed anew"""
        self.fault("close", True, after_events=0, after_bytes=40)
        watch = self.watch()
        listed = len(self.lists())
        self.sim.apply(*create(config_map("new", app="web")))
        watch.wait_status("new", "CURRENT", LIMIT_S)
        self.assert_alive(watch, (*NAMES, "new"))
        self.assertEqual(len(self.lists()), listed)
        self.assertEqual(sum(e.update.object.name == "new" for e in watch.history), 1)

    def test_i02_list_cut_by_a_reset(self):
        """Fault i2: the connection is reset in the middle of a list, twice -> Synced comes later; no object is told gone"""
        self.fault("close", False, after_bytes=200, times=2)
        self.assert_alive(self.watch())

    def test_i07_list_cut_but_complete(self):
        """Fault i3, i7: a list ends in order in the middle of its JSON -> Synced comes later; no object is told gone"""
        self.fault("truncate", False, after_bytes=200, times=2)
        self.assert_alive(self.watch())

    def test_i10_server_errors(self):
        """Fault i10, r4: 500 for a list, again and again -> DISCONNECTED with the server's words until it answers"""
        self.fault("status", False, code=500, message="etcd is sad", times=3)
        watch = self.watch()
        causes = [e.target_change.cause.message for e in watch.history if e.target_change.cause.message]
        self.assertTrue(any("etcd is sad" in cause for cause in causes), causes)
        self.assert_alive(watch)

    def test_i11_overload(self):
        """Fault i11, r4: 429 with a Retry-After that is a number, a date, or absurd -> DISCONNECTED until the server takes the
        request; garbage is ignored"""
        for value in (1, "Wed, 21 Oct 2026 07:28:00 GMT", -5):
            self.fault("status", False, code=429, retry_after=value)
        self.assert_alive(self.watch())

    def test_i13_history_lost(self):
        """Fault i13, r5: 410 for a watch that goes on -> what vanished meanwhile is told gone; the rest is not told again"""
        watch = self.watch()
        told = len(watch.history)
        self.fault("gone", True)
        self.sim.apply({"op": "drop-connections"}, delete(config_map("b")), {"op": "compact"})
        watch.wait_status("b", "NOT_FOUND", LIMIT_S)
        self.assert_alive(watch, ("a", "c"))
        again = [e.update.object.name for e in watch.history[told:] if e.HasField("update")]
        self.assertEqual(sorted(again), ["b", "later"])

    def test_i29_refused_for_a_moment(self):
        """Fault i29: 403 once after a lost connection, as API servers answer right after a start -> DISCONNECTED, never
        FORBIDDEN"""
        watch = self.watch()
        self.fault("status", True, code=403, reason="Forbidden", message="not yet")
        self.sim.apply({"op": "drop-connections"})
        self.assert_alive(watch)
        self.assertNotIn("STATE_FORBIDDEN", self.states(watch))

    def test_i48_redirect(self):
        """Fault i48, r14: a redirect to another host -> DISCONNECTED: the redirect is named and never followed"""
        with Kubesim() as other:
            self.fault("status", False, code=307, text="", headers={"location": other.url + CMS}, times=2)
            watch = self.watch()
            causes = [e.target_change.cause.message for e in watch.history if e.target_change.cause.message]
            self.assertTrue(any("redirect" in cause for cause in causes), causes)
            self.assert_alive(watch)
            self.assertFalse([r for r in other.requests() if r["path"] == CMS])

    def test_i49_empty_answer(self):
        """Fault i49: 200 without a body for a list -> Synced comes later; an object that exists is not told NotFound"""
        self.fault("status", False, code=200, text="", times=2)
        watch = self.watch(selector_target(1, "cm", "default", labels="app=web"), object_target(2, "cm", "a", "default"))
        self.assert_alive(watch)


if __name__ == "__main__":
    unittest.main()
