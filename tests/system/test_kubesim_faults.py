#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kubesim's faults, scenarios and behaviour under attack."""

import json
import os
import signal
import socket
import ssl
import subprocess
import tempfile
import unittest

import test_kubesim_support as support
from test_kubesim_support import CEILING_S, Kubesim, Stream, config_map, is_end_of_initial, pod

CMS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
# curl's exit codes
STREAM, TIMEOUT = 92, 28


class Case(unittest.TestCase):
    arguments = ()

    def setUp(self):
        self.sim = Kubesim(*self.arguments)
        self.addCleanup(self.sim.stop)

    def fault(self, do, match=None, **more):
        self.sim.play({"op": "fault", "match": {"path_prefix": "/api/", **(match or {})}, "do": do, **more})

    def fill(self, count=5):
        self.sim.play({"op": "create", "count": count, "object": config_map("c{i}")})

    def short(self, path):
        """A request that gives up soon: for answers that never come."""
        return self.sim.get(path, extra=["--max-time", "1"])


class Answers(Case):
    def test_status(self):
        self.fault("status", code=503, message="sad", retry_after=3)
        answer = self.sim.get(CMS)
        self.assertEqual((answer.status, answer.headers["retry-after"]), (503, "3"))
        self.assertEqual((answer.json["reason"], answer.json["message"]), ("ServiceUnavailable", "sad"))
        self.assertEqual(answer.json["details"]["retryAfterSeconds"], 3)
        self.assertEqual(self.sim.get(CMS).status, 200)

    def test_raw_bodies_and_headers(self):
        self.fault("status", code=302, text="<html>", content_type="text/html", headers={"location": "https://127.0.0.2/"},
                   retry_after="Wed, 21 Oct 2026 07:28:00 GMT")
        answer = self.sim.get(CMS)
        self.assertEqual((answer.status, answer.text, answer.headers["content-type"], answer.headers["location"]),
                         (302, "<html>", "text/html", "https://127.0.0.2/"))
        self.assertTrue(answer.headers["retry-after"].startswith("Wed"))
        self.fault("status", code=200, base64="AAEC", repeat=2)
        self.assertEqual(self.sim.get(CMS).text, "\0\1\2\0\1\2")

    def test_matching(self):
        self.sim.play({"op": "token", "token": "b", "user": "bob"})
        self.fault("status", {"method": "GET", "nth": 2, "times": 2, "user": "bob", "query_contains": "limit=7"}, code=500)
        wanted = [self.sim.get(CMS + "?limit=7", token="b").status for _ in range(4)]
        self.assertEqual(wanted, [200, 500, 500, 200])
        self.fault("status", {"times": 0, "user": "bob", "watch": False}, code=502)
        self.assertEqual([self.sim.get(CMS, token="b").status for _ in range(3)], [502] * 3)
        self.assertEqual(self.sim.get(CMS).status, 200)
        self.assertEqual(self.sim.watch(CMS, token="b", timeoutSeconds=1).rest()[0]["type"], "BOOKMARK")
        self.sim.play({"op": "fault-clear"})
        self.assertEqual(self.sim.get(CMS, token="b").status, 200)
        self.assertEqual(self.sim.stats()["fault_rules"], 0)

    def test_gone_delay_and_hang(self):
        self.fault("gone")
        self.assertEqual(self.sim.get(CMS).json["reason"], "Expired")
        self.fault("delay", ms=300)
        self.assertEqual(self.sim.get(CMS).status, 200)
        self.fault("hang")
        self.assertEqual(self.short(CMS), TIMEOUT)
        log = [r for r in self.sim.requests() if r["path"] == CMS]
        self.assertEqual([(r["fault"], r["status"]) for r in log], [("gone", 410), ("delay", 200), ("hang", 0)])
        self.assertGreaterEqual(log[1]["end_ms"] - log[1]["time_ms"], 300)

    def test_the_log_notes_bad_conduct(self):
        good = {"User-Agent": "test", "Accept": "application/json"}
        queries = {"?limit=5&resourceVersion=3": "exact-by-accident", "?watch=1&timeoutSeconds=1": "watch-without-bookmarks",
                   "?limit=5&resourceVersion=3&resourceVersionMatch=NotOlderThan": None, "": None}
        for query in queries:
            self.sim.get(PODS + query, headers=good)
        self.sim.get(PODS + "?watch=1&timeoutSeconds=1&allowWatchBookmarks=1", headers={**good, "Accept-Encoding": "gzip"})
        log = [r for r in self.sim.requests() if r["path"] == PODS]
        self.assertEqual([r.get("warnings") for r in log],
                         [[w] if w else None for w in queries.values()] + [["compressed-watch"]])

    def test_bad_rules_are_refused(self):
        for rule in ({"do": "nothing"}, {"do": "reset", "error": "ODD"}):
            answer = self.sim.request("/kubesim/scenario", "POST", json.dumps({"op": "fault", **rule}))
            self.assertEqual(answer.status, 422, answer.text)


class Bodies(Case):
    def test_truncated_list(self):
        self.fill()
        self.fault("truncate", after_bytes=100)
        answer = self.sim.get(CMS)
        self.assertEqual((answer.status, len(answer.text)), (200, 100))
        self.assertNotIn("content-length", answer.headers)

    def test_reset_in_the_middle(self):
        self.fill()
        for error, code in (("INTERNAL_ERROR", STREAM), ("CANCEL", STREAM)):
            self.fault("reset", error=error, after_bytes=100)
            self.assertEqual(self.sim.get(CMS), code)
        self.fault("reset", error="INTERNAL_ERROR")
        self.assertEqual(self.sim.get(CMS), STREAM)

    def test_connection_lost_in_the_middle(self):
        self.fill()
        for how in ("rst", "fin"):
            self.fault("close", how=how, after_bytes=100)
            self.assertIsInstance(self.sim.get(CMS), int)
        self.fault("close", how="rst")
        self.assertIsInstance(self.sim.get(CMS), int)

    def test_slow_body_is_whole(self):
        self.fill()
        want = self.sim.get(CMS).text
        self.fault("slow", bytes=100, every_ms=1)
        self.assertEqual(self.sim.get(CMS).text, want)

    def test_goaway(self):
        self.fill()
        self.fault("goaway")
        self.assertEqual(self.sim.get(CMS).status, 200)
        accepted = self.sim.stats()["connections_accepted"]
        self.fault("goaway", after_bytes=10)
        both = subprocess.run(self.sim.command(CMS) + [self.sim.url + PODS], capture_output=True, text=True, check=True)
        self.assertEqual(both.stdout.count('"kind":"ConfigMapList"') + both.stdout.count('"kind":"PodList"'), 2)
        self.assertGreaterEqual(self.sim.stats()["connections_accepted"] - accepted, 3)


class WatchFaults(Case):
    def test_error_event(self):
        self.fill(3)
        self.fault("error-event", code=429, reason="TooManyRequests", message="later", retry_after=2, after_events=2)
        events = self.sim.watch_from_start(CMS).rest()
        self.assertEqual([e["type"] for e in events], ["ADDED", "ADDED", "ERROR"])
        self.assertEqual(events[2]["object"]["details"]["retryAfterSeconds"], 2)
        self.fault("error-event", code=504, reason="Timeout", message="Too large resource version: 9, current: 1",
                   cause="ResourceVersionTooLarge")
        error = self.sim.watch_from_start(CMS).rest()[0]["object"]
        self.assertEqual(error["details"]["causes"][0]["reason"], "ResourceVersionTooLarge")

    def test_cut_in_the_middle_of_a_line(self):
        self.fill(3)
        self.fault("reset", error="CANCEL", after_events=1, after_bytes=10, wait_ms=300)
        watch = self.sim.watch_from_start(CMS)
        self.assertEqual(watch.event()["type"], "ADDED")
        self.assertEqual(watch.line(), '{"type":"A')
        self.assertIsNone(watch.line())
        self.assertEqual(watch.end(), STREAM)

    def test_ends_at_once(self):
        self.fault("truncate", {"times": 2})
        for _ in range(2):
            self.assertEqual(self.sim.watch_from_start(CMS).rest(), [])

    def test_garbage_between_events(self):
        self.fill(2)
        self.fault("garbage", text="no json\n", after_events=1)
        watch = self.sim.watch_from_start(CMS)
        self.assertEqual([watch.event()["type"], watch.line(), watch.event()["type"]], ["ADDED", "no json", "ADDED"])
        self.fault("garbage", text="x", repeat=1000, then="end")
        self.assertEqual(self.sim.watch_from_start(CMS).line(), "x" * 1000)

    def test_no_end_of_the_initial_events(self):
        self.fill(1)
        self.fault("drop-initial-end")
        watch = self.sim.watch_from_start(CMS)
        self.assertEqual(watch.event()["type"], "ADDED")
        self.fill(2)
        self.assertEqual([watch.event()["type"], watch.event()["type"]], ["MODIFIED", "ADDED"])

    def test_hangs_after_events(self):
        self.fill(2)
        self.fault("hang", after_events=1)
        watch = Stream(self.sim.command(CMS + "?watch=1", extra=["-N", "--max-time", "1"]))
        self.sim.streams.append(watch)
        self.assertEqual(watch.event()["type"], "ADDED")
        self.assertIsNone(watch.event())
        self.assertEqual(watch.end(), TIMEOUT)

    def test_injected_lines(self):
        watch = self.sim.watch_from_start(CMS)
        other = self.sim.watch_from_start(PODS)
        for stream in (watch, other):
            stream.events_until(is_end_of_initial)
        self.sim.play({"op": "inject", "path_prefix": CMS, "text": "abc", "repeat": 100000},
                      {"op": "inject", "path_prefix": CMS, "text": "def"})
        self.assertEqual((len(watch.line()), watch.line()), (300000, "def"))
        self.sim.play({"op": "create", "object": pod("p")})
        self.assertEqual(other.event()["type"], "ADDED")


class WholeServer(Case):
    def test_dropped_connections(self):
        for how in ("rst", "fin"):
            watch = self.sim.watch_from_start(CMS)
            watch.events_until(is_end_of_initial)
            self.sim.play({"op": "drop-connections", "how": how})
            self.assertIsNone(watch.event())
            self.assertNotEqual(watch.end(), 0)
        self.assertEqual(self.sim.get(CMS).status, 200)

    def test_goaway_to_all_leaves_streams_alone(self):
        watch = self.sim.watch_from_start(CMS)
        watch.events_until(is_end_of_initial)
        self.sim.play({"op": "goaway"})
        self.fill(1)
        self.assertEqual(watch.event()["type"], "ADDED")

    def test_refused_connects(self):
        watch = self.sim.watch_from_start(CMS)
        watch.events_until(is_end_of_initial)
        self.sim.play({"op": "listen", "on": False}, {"op": "listen", "on": True, "at_ms": 1000})
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", self.sim.port), CEILING_S)
        answer = self.sim.get(CMS, extra=["--retry", "20", "--retry-connrefused", "--retry-delay", "1"])
        self.assertEqual(answer.status, 200)
        self.fill(1)
        self.assertEqual(watch.event()["type"], "ADDED")

    def test_connects_that_hang(self):
        self.sim.play({"op": "accept", "on": False}, {"op": "accept", "on": True, "at_ms": 1500})
        self.assertEqual(self.short(CMS), TIMEOUT)
        self.assertEqual(self.sim.get(CMS).status, 200)

    def test_stalled_connections(self):
        self.fault("stall", ms=500)
        self.assertEqual(self.sim.get(CMS).status, 200)
        self.fault("stall")
        self.assertEqual(self.short(CMS), TIMEOUT)
        self.assertEqual(self.sim.get(CMS).status, 200)

    def test_stream_limit(self):
        self.sim.play({"op": "max-streams", "value": 2})
        done = subprocess.run([*self.sim.command(CMS, extra=["-sSZ"]), *[self.sim.url + CMS] * 5], capture_output=True,
                              text=True, check=True)
        self.assertEqual(done.stdout.count('"kind":"ConfigMapList"'), 6)

    def test_a_401_takes_the_connection_along(self):
        done = subprocess.run([*self.sim.command(CMS, token="no"), self.sim.url + CMS], capture_output=True, text=True,
                              check=True)
        self.assertEqual(done.stdout.count("Unauthorized"), 4)
        log = [r for r in self.sim.requests() if r["path"] == CMS]
        self.assertNotEqual(log[0]["conn"], log[1]["conn"])


class Scenarios(Case):
    def run_file(self, *operations, arguments=()):
        with tempfile.NamedTemporaryFile("w", suffix=".ndjson", delete=False) as file:
            self.addCleanup(os.unlink, file.name)
            for operation in operations:
                file.write(json.dumps(operation) + "\n\n")
        sim = Kubesim("--scenario", file.name, *arguments)
        self.addCleanup(sim.stop)
        return sim

    def test_in_time(self):
        sim = self.run_file({"at_ms": 0, "op": "create", "object": config_map("a")},
                            {"at_ms": 60000, "op": "delete", "object": config_map("a")},
                            {"at_ms": 60000, "op": "create", "object": config_map("b")}, arguments=("--speed", "60"))
        watch = sim.watch_from_start(CMS)
        self.assertEqual([e["type"] for e in watch.events_until(lambda e: e["object"]["metadata"].get("name") == "b")
                          if e["type"] != "BOOKMARK"], ["ADDED", "DELETED", "ADDED"])
        self.assertEqual(sim.stats()["scenario_waiting"], 0)

    def test_recorded_objects_keep_everything_but_their_age(self):
        recorded = pod("p")
        recorded["metadata"].update(uid="11111111-2222-4333-8444-555555555555", resourceVersion="77", generation=4,
                                    creationTimestamp="2020-01-01T00:00:10Z")
        recorded["status"] = {"phase": "Running", "startTime": "2020-01-01T00:00:20Z",
                              "conditions": [{"type": "Ready", "lastTransitionTime": "2020-01-01T00:00:30Z"}]}
        sim = self.run_file({"at_ms": 0, "op": "create", "object": recorded})
        got = sim.get(PODS + "/p").json
        self.assertEqual((got["metadata"]["uid"], got["metadata"]["generation"]), (recorded["metadata"]["uid"], 4))
        self.assertNotEqual(got["metadata"]["resourceVersion"], "77")
        self.assertEqual(got["status"]["phase"], "Running")
        ages = [support.seconds(t) for t in (got["metadata"]["creationTimestamp"], got["status"]["startTime"],
                                             got["status"]["conditions"][0]["lastTransitionTime"])]
        self.assertEqual((ages[1] - ages[0], ages[2] - ages[1]), (10, 10))
        made = support.seconds(sim.post(CMS, config_map("now")).json["metadata"]["creationTimestamp"])
        self.assertLess(abs(made - ages[2]), CEILING_S)

    def test_loop(self):
        sim = self.run_file({"at_ms": 0, "op": "create", "object": config_map("a", uid="11111111-2222-4333-8444-555555555555")},
                            {"at_ms": 100, "op": "end"}, arguments=("--loop",))
        watch = sim.watch_from_start(CMS, fieldSelector="metadata.name=a")
        uids = []
        while len(uids) < 3:
            event = watch.event()
            if event["type"] == "ADDED":
                uids.append(event["object"]["metadata"]["uid"])
        self.assertEqual(len(set(uids)), 3)
        self.assertGreaterEqual(sim.stats()["scenario_rounds"], 2)

    def test_patches_counts_and_unknown_kinds(self):
        self.sim.play({"op": "create", "count": 3, "from": 5, "object": pod("p{i}", labels={"n": "{i}"})},
                      {"op": "patch-status", "object": {**pod("p6"), "status": {"phase": "Running"}}},
                      {"op": "patch", "object": {**pod("p7"), "spec": {"nodeName": "n"}}})
        pods = {p["metadata"]["name"]: p for p in self.sim.get(PODS).json["items"]}
        self.assertEqual(list(pods), ["p5", "p6", "p7"])
        self.assertEqual(pods["p5"]["metadata"]["labels"], {"n": "5"})
        self.assertEqual(pods["p6"]["status"], {"phase": "Running"})
        self.assertEqual(pods["p7"]["spec"]["nodeName"], "n")
        self.sim.play({"op": "create", "object": config_map("x", "new-namespace")})
        self.assertEqual(self.sim.get("/api/v1/namespaces/new-namespace").status, 200)
        lines = [{"op": "create", "object": {"apiVersion": "x/v1", "kind": "Y", "metadata": {"name": "z"}}},
                 {"op": "create", "object": config_map("done")}]
        answer = self.sim.request("/kubesim/scenario", "POST", "\n".join(map(json.dumps, lines)))
        self.assertEqual(answer.status, 422)
        self.assertIn('no kind \\"Y\\" is served', answer.text)
        self.assertEqual(self.sim.get(CMS + "/done").status, 200)

    def test_bad_lines_do_nothing(self):
        for line in ("{", "[]", '{"op":"odd"}', '{"op":"create"}', '{"op":"create","object":3}'):
            text = json.dumps({"op": "create", "object": config_map("first")}) + "\n" + line
            answer = self.sim.request("/kubesim/scenario", "POST", text)
            self.assertEqual(answer.status, 400, line)
            self.assertIn("line 2", answer.text)
        self.assertEqual(self.sim.get(CMS + "/first").status, 404)

    def test_the_demo_runs_through(self):
        demo = os.path.join(os.path.dirname(support.CORPUS), "..", "scenarios", "demo.ndjson")
        sim = Kubesim("--scenario", demo, "--speed", "1000")
        self.addCleanup(sim.stop)
        stats = sim.stats_until(lambda s: s["scenario_waiting"] == 0)
        self.assertEqual((stats["scenario_failed"], stats["scenario_last_error"]), (0, ""))


class CommandLine(unittest.TestCase):
    def run_program(self, *arguments):
        return subprocess.run([support.PROGRAM, *arguments], capture_output=True, text=True, timeout=CEILING_S, check=False)

    def test_usage(self):
        self.assertEqual(self.run_program("--help").returncode, 0)
        for arguments in ((), ("--listen", "127.0.0.1:0"), ("--odd",),
                          ("--listen", "127.0.0.1:0", "--kubeconfig", "x", "--speed", "0"),
                          ("--listen", "127.0.0.1:0", "--kubeconfig", "x", "--seed", "-1"),
                          ("--listen", "127.0.0.1:0", "--kubeconfig", "x", "extra")):
            self.assertEqual(self.run_program(*arguments).returncode, 2, arguments)

    def test_what_cannot_work_is_said(self):
        with tempfile.TemporaryDirectory() as folder:
            config = os.path.join(folder, "kubeconfig")
            for arguments, words in ((("--listen", "nowhere", "--kubeconfig", config), "HOST:PORT is wanted"),
                                     (("--listen", "127.0.0.1:0", "--kubeconfig", folder + "/no/file"), folder + "/no/file"),
                                     (("--listen", "127.0.0.1:0", "--kubeconfig", config, "--scenario", folder + "/none"),
                                      folder + "/none")):
                done = self.run_program(*arguments)
                self.assertEqual(done.returncode, 1, arguments)
                self.assertIn(words, done.stderr)
                self.assertEqual(done.stdout, "")

    def test_sigint_ends_it_too(self):
        sim = Kubesim()
        sim.process.send_signal(signal.SIGINT)
        self.assertEqual(sim.process.wait(CEILING_S), 0)
        sim.process.stdout.close()
        sim.log.close()


class Attacks(Case):
    def connect(self):
        return socket.create_connection(("127.0.0.1", self.sim.port), CEILING_S)

    def secure(self, alpn=("h2",)):
        context = ssl.create_default_context(cafile=self.sim.ca)
        context.set_alpn_protocols(list(alpn))
        return context.wrap_socket(self.connect(), server_hostname="localhost")

    def drain(self, connection):
        try:
            while connection.recv(65536):
                pass
        except OSError:
            pass
        connection.close()

    def test_garbage_harms_nobody(self):
        watch = self.sim.watch_from_start(CMS)
        watch.events_until(is_end_of_initial)
        for noise in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\xff" * 100, os.urandom(5000)):
            raw = self.connect()
            raw.sendall(noise)
            self.drain(raw)
        for noise in (b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 200,
                      b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0" + b"\0\0\5\1\5\0\0\0\1\xff\xff\xff\xff\xff"):
            secured = self.secure()
            secured.sendall(noise)
            self.drain(secured)
        with self.assertRaises(OSError):
            self.secure(alpn=("http/1.1",))
        self.fill(1)
        self.assertEqual(watch.event()["type"], "ADDED")

    def test_half_open_connections_harm_nobody(self):
        half = [self.connect() for _ in range(50)]
        done = [self.secure() for _ in range(20)]
        for connection in done:
            connection.sendall(b"PRI * HTTP/2.0\r\n")
        self.assertEqual(self.sim.get(CMS).status, 200)
        for connection in half + done:
            connection.close()
        self.sim.stats_until(lambda s: s["connections_open"] == 1)

    def test_a_reader_that_stops_harms_nobody(self):
        self.sim.play({"op": "create", "count": 50, "object": config_map("c{i}", data={"k": "x" * 100000})})
        slow = self.sim.watch_from_start(CMS)
        slow.event()
        other = self.sim.watch_from_start(CMS, fieldSelector="metadata.name=c0")
        other.events_until(is_end_of_initial)
        self.sim.play({"op": "update", "count": 200, "object": config_map("c0", data={"k": "{i}" + "y" * 100000})})
        for i in range(200):
            self.assertTrue(other.event()["object"]["data"]["k"].startswith(str(i)))

    def test_big_bodies_are_refused(self):
        answer = self.sim.post(CMS, b" " * (17 * 1024 * 1024))
        self.assertEqual(answer.status, 413)
        deep = '{"metadata":{"name":"a"},"data":' + '{"a":' * 3000 + "1" + "}" * 3001
        self.assertEqual(self.sim.post(CMS, deep).status, 400)
        self.assertEqual(self.sim.get("/" + "a/" * 20).status, 400)
        self.assertNotEqual(self.sim.get("/" + "a" * 70000), 0)
        self.assertEqual(self.sim.get(CMS).status, 200)

    def test_many_requests_leave_nothing_behind(self):
        for _ in range(3):
            urls = [self.sim.url + CMS + "?limit=1"] * 200
            subprocess.run([*self.sim.command(CMS, extra=["-Z", "-o", "/dev/null"]),
                            *[part for url in urls for part in ("-o", "/dev/null", url)]], check=True,
                           stderr=subprocess.DEVNULL, timeout=CEILING_S)
        stats = self.sim.stats_until(lambda s: s["connections_open"] == 1)
        self.assertEqual((stats["watches_open"], stats["streams_open"]), (0, 1))
        self.sim.request("/kubesim/reset-log", "POST")
        self.assertEqual(len(self.sim.requests()), 1)


if __name__ == "__main__":
    support.main(__name__)
