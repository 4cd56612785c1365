# SPDX-License-Identifier: Apache-2.0
"""What a user sees of things that go wrong, on a recording of a real control plane (tests/e2e/test_scenarios.py).

The recording is played event by event, each at the time at which it happened: kubesim moves its object's times so that it has
just come about, however long ago the one before was. So minutes of graces take seconds, and the order of verdicts is the
same. At the end all is shown once more, as old as it is when every grace is over.
"""

import datetime
import json
import pathlib
import unittest

import harness
from troubles_support import TROUBLES, Watch

RECORDING = pathlib.Path(__file__).resolve().parents[1] / "scenarios/troubles.ndjson"
LIMIT_S = 20 * harness.SLOW
AFTER_MS = 300_000  # graces are over


class Player:
    def __init__(self, sim, daemon):
        self.sim = sim
        self.daemon = daemon
        with RECORDING.open() as lines:
            first, *self.events = map(json.loads, lines)
        self.began = datetime.datetime.fromisoformat(first["at"])
        self.last = {}  # uid -> the newest event of an object that is there

    def show(self, at_ms, event):
        at = self.began + datetime.timedelta(milliseconds=at_ms)
        self.sim.apply({"op": "recorded", "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z")},
                       {"op": event["op"], "object": event["object"]})
        uid = event["object"]["metadata"]["uid"]
        if event["op"] == "delete":
            self.last.pop(uid, None)
        else:
            self.last[uid] = event

    def show_before(self):
        """What was there before the recording began."""
        while self.events and self.events[0]["at_ms"] == 0:
            self.show(0, self.events.pop(0))

    def play(self):
        for event in self.events:
            self.show(event["at_ms"], event)
        end_ms = self.events[-1]["at_ms"] + AFTER_MS
        for event in list(self.last.values()):
            self.show(end_ms, dict(event, op="update"))


class Troubles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        sim = harness.Kubesim()
        cls.addClassCleanup(sim.__exit__, None, None, None)
        daemon = harness.Kstatusd(sim.kubeconfig)
        cls.addClassCleanup(daemon.__exit__, None, None, None)
        player = Player(sim, daemon)
        player.show_before()
        cls.watches = {}
        for profile in ("kstatus", "strict"):
            cls.watches[profile] = Watch(daemon, profile)
            cls.addClassCleanup(cls.watches[profile].close)
            cls.watches[profile].wait_synced(LIMIT_S)
        player.play()

    def test_each_is_told_as_on_the_control_plane(self):
        for profile, watch in self.watches.items():
            for trouble in TROUBLES:
                with self.subTest(trouble=trouble.name, profile=profile):
                    watch.wait_trouble(trouble, profile, LIMIT_S)

    def test_in_the_same_order(self):
        for profile, watch in self.watches.items():
            for trouble in TROUBLES:
                with self.subTest(trouble=trouble.name, profile=profile):
                    watch.wait_trouble(trouble, profile, LIMIT_S)
                    path, merged = watch.path(trouble)
                    if merged:  # a slow machine: what was told in between is not known
                        continue
                    self.assertRegex(path, trouble.order(profile))


if __name__ == "__main__":
    unittest.main()
