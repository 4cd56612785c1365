# SPDX-License-Identifier: Apache-2.0
"""kstatus watch across the ends of its servers: what is told is one stream, whose last word on each object is true."""

import json
import re
import signal
import subprocess
import threading
import unittest

from google.protobuf import json_format

import stream  # noqa: F401  (makes the stubs)
from stream import pb
from terminal_support import Terminal
from harness import BIN, SLOW, Kstatusd, Kubesim, config_map, create, delete, deployment, patch_status, wait_for

LIMIT_S = 20 * SLOW
VOLATILE = ("observeTime", "transitionTime", "previousStatus", "coalescedCount", "resourceVersion")


class Follower:
    """A running `kstatus watch -o json`, read in the background."""

    def __init__(self, server, *arguments):
        self.process = subprocess.Popen([BIN / "kstatus", "--server", server, "watch", "-o", "json", *arguments],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.events, self.errors = [], []
        self.threads = [threading.Thread(target=self.read, args=(self.process.stdout, self.events, json.loads)),
                        threading.Thread(target=self.read, args=(self.process.stderr, self.errors, str))]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def read(pipe, lines, parse):
        for line in pipe:
            lines.append(parse(line))

    def kinds(self):
        return [next(iter(event)) for event in list(self.events)]

    def state(self):
        """What the events amount to: (kind, name) -> the last update, without what each stream sees for itself."""
        state = {}
        for event in list(self.events):
            told = event.get("update") or event.get("removed")
            if not told:
                continue
            key = (told["object"]["kind"], told["object"]["name"])
            if "removed" in event or told["status"].endswith("NOT_FOUND"):
                state.pop(key, None)
            else:
                state[key] = {name: value for name, value in told.items() if name not in VOLATILE}
        return state

    def repeated(self):
        """Updates that say what the last one of the same object said."""
        last, found = {}, []
        for event in list(self.events):
            if "removed" in event:
                last.pop((event["removed"]["object"]["kind"], event["removed"]["object"]["name"]), None)
            if "update" not in event:
                continue
            key = (event["update"]["object"]["kind"], event["update"]["object"]["name"])
            told = {name: value for name, value in event["update"].items() if name not in VOLATILE}
            if last.get(key) == told:
                found.append(key)
            last[key] = told
        return found

    def close(self):
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(LIMIT_S)
        for thread in self.threads:
            thread.join()
        self.process.stdout.close()
        self.process.stderr.close()
        return code


def status_of(ready, replicas=3):
    return deployment("x", replicas=replicas, ready=ready)["status"]


class Reconnect(unittest.TestCase):
    def setUp(self):
        self.sim = Kubesim()
        self.addCleanup(self.sim.__exit__, None, None, None)

    def follow(self, server, *arguments):
        follower = Follower(server, *arguments)

        def stop():
            if follower.process.poll() is None:
                follower.process.kill()
                follower.close()

        self.addCleanup(stop)
        wait_for("the first snapshot", lambda: "synced" in follower.kinds())
        return follower

    def truth(self, server, *arguments):
        done = subprocess.run([BIN / "kstatus", "--server", server, "get", "-o", "json", *arguments], capture_output=True,
                              text=True, timeout=LIMIT_S, check=False)
        updates = [e["update"] for e in map(json.loads, done.stdout.splitlines()) if "update" in e]
        return {(u["object"]["kind"], u["object"]["name"]): {name: value for name, value in u.items() if name not in VOLATILE}
                for u in updates if not u["status"].endswith("NOT_FOUND")}

    def test_only_what_changed_while_it_was_away_is_told(self):
        self.sim.apply(*create(deployment("same"), deployment("worse"), deployment("gone")))
        with Kstatusd(self.sim.kubeconfig) as server:
            address = server.grpc
            follower = self.follow(address, "-n", "default", "deploy")
            server.signal(signal.SIGKILL)
            server.process.wait()
            before = len(follower.events)
        wait_for("the loss", lambda: follower.errors)
        self.sim.apply(patch_status(deployment("worse"), status_of(1)), delete(deployment("gone")), *create(deployment("new")))
        with Kstatusd(self.sim.kubeconfig, listen=(address,)):
            wait_for("what is new", lambda: len(follower.events) >= before + 3)
            news = follower.events[before:]
            told = {(e.get("update") or e["removed"])["object"]["name"]: e for e in news}
            self.assertEqual(sorted(told), ["gone", "new", "worse"])
            self.assertEqual(len(news), 3)
            self.assertIn("removed", told["gone"])
            self.assertEqual(told["worse"]["update"]["status"], "RECONCILE_STATUS_IN_PROGRESS")
            self.assertEqual(told["worse"]["update"]["previousStatus"], "RECONCILE_STATUS_CURRENT")
            self.assertNotIn("previousStatus", told["new"]["update"])
            for event in news:
                json_format.ParseDict(event, pb.Event())
            self.sim.apply(patch_status(deployment("same"), status_of(2)))
            wait_for("a change of the new stream", lambda: len(follower.events) > before + 3)
            self.assertEqual(follower.events[-1]["update"]["object"]["name"], "same")
            self.assertEqual(follower.kinds().count("accepted"), 1)
            self.assertEqual(follower.kinds().count("synced"), 1)
            self.assertEqual(follower.close(), 0)
        lost, again = follower.errors
        self.assertRegex(lost, rf"^kstatus: lost the stream from kstatusd at {address}: .*; trying again\n$")
        self.assertEqual(again, f"kstatus: connected to kstatusd at {address} again\n")

    def test_a_rolling_restart_loses_no_final_state(self):
        names = [f"web-{i}" for i in range(8)]
        self.sim.apply(*create(*(deployment(name) for name in names)))
        servers = [Kstatusd(self.sim.kubeconfig), Kstatusd(self.sim.kubeconfig)]
        self.addCleanup(lambda: [server.__exit__(None, None, None) for server in servers])
        addresses = [server.grpc for server in servers]
        both = "ipv4:" + ",".join(addresses)
        follower = self.follow(both, "-n", "default", "deploy,cm")
        end = threading.Event()

        def load():
            turn = 0
            while not end.is_set():
                turn += 1
                name = names[turn % len(names)]
                self.sim.apply(patch_status(deployment(name), status_of(turn % 4)))
                if turn % 2:
                    self.sim.apply(*create(config_map(f"cm-{turn}")))
                elif turn > 2:
                    self.sim.apply(delete(config_map(f"cm-{turn - 1}")))

        loader = threading.Thread(target=load)
        loader.start()
        try:
            for turn in range(4):
                lost = sum("lost the stream" in line for line in follower.errors)
                serving = next(i for i, s in enumerate(servers) if s.metric("streams_open") > 0)
                servers[serving].stop()
                wait_for("the loss", lambda: sum("lost the stream" in line for line in follower.errors) > lost)
                wait_for("the other server", lambda: servers[1 - serving].metric("streams_open") > 0)
                servers[serving].__exit__(None, None, None)
                servers[serving] = Kstatusd(self.sim.kubeconfig, listen=(addresses[serving],))
        finally:
            end.set()
            loader.join()
        self.sim.apply(*create(config_map("last")))
        wait_for("the last word", lambda: ("ConfigMap", "last") in follower.state())
        truth = self.truth(both, "-n", "default", "deploy,cm")
        self.assertGreaterEqual(len(truth), len(names) + 1)
        wait_for("the truth", lambda: follower.state() == truth)
        self.assertEqual(follower.repeated(), [])
        self.assertEqual((follower.kinds().count("accepted"), follower.kinds().count("synced")), (1, 1))
        self.assertEqual(follower.close(), 0)

    def test_the_table_stays_and_says_so(self):
        self.sim.apply(*create(deployment("web")))
        with Kstatusd(self.sim.kubeconfig) as server:
            terminal = Terminal([str(BIN / "kstatus"), "--server", server.grpc, "watch", "deploy/web"], 100, 10)
            self.addCleanup(terminal.close)

            def see(pattern):
                if not terminal.run(LIMIT_S, lambda screen: re.search(pattern, screen.text())):
                    self.fail(f"no {pattern!r} on the screen:\n{terminal.screen.text()}")

            see(r"(?m)^1 object: 1 Current$")
            server.signal(signal.SIGKILL)
            server.process.wait()
            see(r"(?m)^✓ Current +Deployment/web (?s:.)*^1 object: 1 Current; lost kstatusd, trying again$")
            address = server.grpc
        with Kstatusd(self.sim.kubeconfig, listen=(address,)):
            see(r"(?m)^1 object: 1 Current$")
            terminal.key("\x03")
            terminal.run(LIMIT_S)
            self.assertEqual(terminal.code, 0)


if __name__ == "__main__":
    unittest.main()
