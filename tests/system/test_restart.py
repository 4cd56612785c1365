#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The API server comes back in another world: its state was restored from a backup, or lost.

Two kubesims follow each other on one port. The kubeconfig that kstatusd gets skips the check of the server's certificate,
as each kubesim makes an authority of its own.
"""

import json
import re
import unittest

import yaml

from harness import Kstatusd, Kubesim, config_map, create, delete, pod
from stream import Watch, pb, object_target, selector_target, status_name

LIMIT_S = 60


def noise(count):
    """Moves the server's version forward."""
    return {"op": "create", "count": count, "object": config_map("noise-{i}", "elsewhere")}


class Worlds:
    """Kubesims that follow each other on one port, and a kubeconfig that fits them all."""

    def __init__(self):
        self.sim = None
        self.listen = "127.0.0.1:0"

    def begin(self, *operations):
        """The next world; the one before is killed."""
        if self.sim:
            self.listen = re.search(r"//([^/]+)", self.sim.url).group(1)
            self.sim.__exit__(None, None, None)
        self.sim = Kubesim(listen=self.listen)
        self.sim.apply(*operations)
        return self.sim

    def kubeconfig(self):
        config = yaml.safe_load(self.sim.kubeconfig.read_text())
        for entry in config["clusters"]:
            entry["cluster"].pop("certificate-authority-data")
            entry["cluster"]["insecure-skip-tls-verify"] = True
        path = self.sim.kubeconfig.parent / "insecure"
        path.write_text(json.dumps(config))
        return path


class Restart(unittest.TestCase):
    def setUp(self):
        self.worlds = Worlds()
        self.addCleanup(lambda: self.worlds.sim.__exit__(None, None, None))

    def serve(self, *operations):
        """The first world, and a kstatusd in front of it."""
        self.worlds.begin(*operations)
        self.server = Kstatusd(self.worlds.kubeconfig())
        self.addCleanup(self.server.__exit__, None, None, None)

    def watch(self, *targets):
        watch = Watch(self.server, *targets)
        self.addCleanup(watch.close)
        watch.wait_synced(LIMIT_S)
        return watch

    def old_world(self):
        self.serve(noise(500), *create(pod("kept", app="web"), pod("lost", app="web"), pod("again", app="web")))

    def new_world(self):
        """What was, but for one; others came."""
        self.worlds.begin(*create(pod("again", app="web"), pod("new", app="web"), pod("kept", app="web", ready=False)))

    def uids(self):
        listed = json.loads(self.worlds.sim.request("GET", "/api/v1/namespaces/default/pods"))["items"]
        return {item["metadata"]["name"]: item["metadata"]["uid"] for item in listed}

    def wait_world(self, watch, uids, **statuses):
        """Each name has the status, and whoever is not gone the UID that the server knows."""
        def is_told():
            told = {name: update for (_, name), update in watch.updates.items()}
            return all(name in told and status_name(told[name]) == status and
                       (status == "NOT_FOUND" or told[name].object.uid == uids[name])
                       for name, status in statuses.items())
        watch.wait(f"{statuses}", is_told, LIMIT_S)

    def test_by_selector(self):
        self.old_world()
        watch = self.watch(selector_target(1, "pod", "default", labels="app=web"))
        self.new_world()
        self.wait_world(watch, self.uids(), again="CURRENT", new="CURRENT", kept="IN_PROGRESS")
        watch.wait_status("lost", "NOT_FOUND", LIMIT_S)
        watch.wait_target(1, "STATE_SYNCED", LIMIT_S)

    def test_by_name(self):
        self.old_world()
        watch = self.watch(*(object_target(i, "pod", name, "default")
                             for i, name in enumerate(("kept", "lost", "again", "new"), 1)))
        self.new_world()
        self.wait_world(watch, self.uids(), again="CURRENT", new="CURRENT", kept="IN_PROGRESS", lost="NOT_FOUND")
        watch.wait_target(1, "STATE_SYNCED", LIMIT_S)

    def test_by_selector_and_by_name(self):
        """Fault i24, r17: the API server is killed and comes back empty, at an older version -> DISCONNECTED, then SYNCED; what
        is gone is told gone, what was made anew is another object, for all its targets at once"""
        self.old_world()
        watch = self.watch(selector_target(1, "pod", "default", labels="app=web"),
                           *(object_target(i, "pod", name, "default")
                             for i, name in enumerate(("kept", "lost", "again", "new"), 2)))
        self.new_world()
        self.wait_world(watch, self.uids(), again="CURRENT", new="CURRENT", kept="IN_PROGRESS", lost="NOT_FOUND")
        for target in (1, 2):
            watch.wait_target(target, "STATE_SYNCED", LIMIT_S)
        watch.wait("both targets to have it", lambda: set(watch.updates[("Pod", "again")].target_ids) == {1, 4}, LIMIT_S)

    def test_a_newer_world(self):
        """Its version is higher than the old one's already, but the objects' own versions are lower."""
        self.old_world()
        watch = self.watch(selector_target(1, "pod", "default", labels="app=web"),
                           object_target(2, "pod", "again", "default"))
        self.new_world()
        self.worlds.sim.apply(noise(1000), {"op": "compact"})
        self.wait_world(watch, self.uids(), again="CURRENT", new="CURRENT", kept="IN_PROGRESS")
        watch.wait_target(1, "STATE_SYNCED", LIMIT_S)

    def test_what_was_deleted_is_back(self):
        """Fault i24: etcd is restored to before a deletion -> the object that was told gone is told again, with the same UID"""
        first = pod("back")
        first["metadata"]["uid"] = "00000000-0000-4000-8000-000000000001"
        self.serve(noise(500), *create(first))
        watch = self.watch(object_target(1, "pod", "back", "default"))
        self.worlds.sim.apply(delete(first))
        watch.wait_status("back", "NOT_FOUND", LIMIT_S)
        self.worlds.begin(*create(first))
        watch.wait_status("back", "CURRENT", LIMIT_S)

    def test_the_routine_stays_cheap(self):
        """A lost connection to the same server costs one small list; an orderly end of the watch none."""
        self.old_world()
        sim = self.worlds.sim
        watch = self.watch(selector_target(1, "pod", "default", labels="app=web"))
        seen = len(sim.requests())
        sim.apply({"op": "drop-connections"})
        watch.wait("the loss to be told", lambda: any(
            event.target_change.state == pb.TargetChange.STATE_DISCONNECTED for event in watch.history), LIMIT_S)
        watch.wait_target(1, "STATE_SYNCED", LIMIT_S)
        sim.apply(*create(pod("new", app="web")))
        watch.wait_status("new", "CURRENT", LIMIT_S)
        asked = [r["query"] for r in sim.requests()[seen:] if r["path"] == "/api/v1/namespaces/default/pods"]
        self.assertEqual(len(asked), 2, asked)
        self.assertRegex(asked[0], r"limit=1\b")
        self.assertNotIn("labelSelector", asked[0])
        self.assertIn("watch=", asked[1])
        self.assertNotIn("sendInitialEvents", asked[1])


if __name__ == "__main__":
    unittest.main()
