# SPDX-License-Identifier: Apache-2.0
"""The program kstatus from outside: exit codes, texts, JSON, the live table, files."""

import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import unittest

from google.protobuf import json_format

import stream  # noqa: F401  (makes the stubs)
from stream import pb
from terminal_support import Terminal
from harness import BIN, SLOW, Bench, Kstatusd, config_map, create, delete, deployment, pod

ROOT = pathlib.Path(__file__).resolve().parents[2]
KSTATUS = str(BIN / "kstatus")
LIMIT_S = 20 * SLOW
COMMANDS = ["watch", "get", "explain", "compute", "health", "version"]
REPORT = re.compile(r"(ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:)")


def kstatus(*arguments, server=None, text=None, environment=None):
    """A finished run: .code, .out, .err."""
    env = {**os.environ, **(environment or {})}
    env.pop("KSTATUS_SERVER", None)
    if server:
        env["KSTATUS_SERVER"] = server
    done = subprocess.run([KSTATUS, *map(str, arguments)], input=text or "", capture_output=True, text=True,
                          timeout=4 * LIMIT_S, env=env, check=False)
    assert not REPORT.search(done.stderr), done.stderr
    done.code, done.out, done.err = done.returncode, done.stdout, done.stderr
    return done


class Run:
    """A running kstatus whose lines can be waited for."""

    def __init__(self, *arguments, server):
        self.err = tempfile.TemporaryFile()
        self.process = subprocess.Popen([KSTATUS, "--server", server, *arguments], stdout=subprocess.PIPE,
                                        stderr=self.err, text=True)

    def line(self, pattern):
        """The first line from here on that matches."""
        for line in self.process.stdout:
            if re.search(pattern, line):
                return line
        raise AssertionError(f"ended without a line like {pattern!r}: {self.errors()}")

    def end(self, number=None):
        """The exit code."""
        if number:
            self.process.send_signal(number)
        code = self.process.wait(LIMIT_S)
        self.process.stdout.close()
        assert not REPORT.search(self.errors()), self.errors()
        return code

    def errors(self):
        self.err.seek(0)
        return self.err.read().decode()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.err.close()


class WithoutServer(unittest.TestCase):
    def test_help_of_everything(self):
        overview = kstatus("help")
        self.assertEqual(overview.code, 0)
        self.assertEqual(kstatus("--help").out, overview.out)
        self.assertEqual(kstatus("-h").out, overview.out)
        for command in COMMANDS:
            self.assertRegex(overview.out, rf"(?m)^  {command} ")
            text = kstatus(command, "--help")
            self.assertEqual(text.code, 0)
            self.assertTrue(text.out.startswith(f"Usage: kstatus {command}"), text.out)
            self.assertEqual(kstatus("help", command).out, text.out)
            self.assertEqual(kstatus(command, "-h").out, text.out)
        for text in [overview.out] + [kstatus("help", command).out for command in COMMANDS]:
            self.assertLessEqual(max(map(len, text.splitlines())), 84, text)

    def test_version(self):
        self.assertRegex(kstatus("version").out, r"^kstatus \d+\.\d+\.\d+\n$")
        self.assertEqual(kstatus("--version").out, kstatus("version").out)

    def test_wrong_command_lines(self):
        for arguments, says in [
            ([], "Usage: kstatus"),
            (["wach"], "'wach' is not a command; `kstatus help` lists them"),
            (["help", "wach"], "'wach' is not a command"),
            (["--verbose", "watch"], "'--verbose' is not an option of kstatus"),
            (["--server"], "--server needs an address"),
            (["watch"], "nothing to look at"),
            (["watch", "--frob", "pods"], "`--frob` is not an option of `kstatus watch`; see `kstatus watch --help`"),
            (["get", "-o", "yaml", "pods"], "'yaml' is neither table nor json"),
            (["get", "deploy/web", "api"], "'api' has no resource: write deploy/api"),
            (["get", "pods", *[f"p{i}" for i in range(4097)]], "more than 4096 targets"),
            (["-s", "", "get", "pods"], "the server's address is empty"),
            (["get", "-s", "", "pods"], "the server's address is empty"),
            (["get", "-s", "localhost:99999", "pods"], "'localhost:99999' has no port from 1 to 65535"),
            (["watch", "-s", "localhost", "pods"], "'localhost' has no port"),
            (["health", "-s", "::1:7443"], "stands in brackets"),
            (["health", "-s", "unix:"], "'unix:' has no path"),
            (["watch", "--for", "5", "pods"], "'5' is no duration"),
            (["health", "now"], "`kstatus health` takes no 'now'"),
            (["compute"], "compute needs objects"),
            (["compute", "-f", "/nonexistent"], "/nonexistent: No such file or directory"),
            (["get", "-f", "/nonexistent"], "/nonexistent: No such file or directory"),
            (["compute", "-f", "-", "--profile", "other"], "there is no profile 'other'"),
            (["compute", "-f", "-", "--compare", "strict"], "'strict' is not two profiles"),
            (["compute", "-f", "-", "--compare", "strict,strict"], "is not two profiles"),
            (["compute", "-f", "-", "--compare", "kstatus,strict", "--explain"], "it goes without --explain"),
            (["compute", "-f", "-", "--compare", "kstatus,strict", "--profile", "strict"], "it goes without --profile"),
        ]:
            with self.subTest(arguments=arguments):
                done = kstatus(*arguments, server="127.0.0.1:1")
                self.assertEqual(done.code, 2, done.err)
                self.assertIn(says, done.err)
                self.assertEqual(done.out, "")

    def test_nobody_there(self):
        for arguments in (["get", "deploy/web"], ["watch", "deploy/web"], ["health"]):
            with self.subTest(arguments=arguments):
                done = kstatus("--server", "127.0.0.1:1", *arguments)
                self.assertEqual(done.code, 4)
                self.assertIn("cannot reach kstatusd at 127.0.0.1:1", done.err)
                self.assertIn("Is kstatusd running there?", done.err)
                self.assertIn("KSTATUS_SERVER", done.err)
                self.assertEqual(len(done.err.splitlines()), 2, done.err)  # gRPC itself keeps quiet


def json_lines(text):
    """Checks that each line is the canonical JSON of an Event, and returns the events."""
    events = []
    for line in text.splitlines():
        event = json_format.Parse(line, pb.Event())
        assert json.loads(json_format.MessageToJson(event)) == json.loads(line), line
        events.append(event)
    return events


MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
---
{"apiVersion": "v1", "kind": "List", "items": [
  {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "never", "namespace": "default"}}]}
"""


class WithServer(Bench):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sim.apply(*create(deployment("web"), deployment("slow", ready=1), pod("web-0", app="web"),
                              pod("web-1", app="web"), pod("green-0", namespace="green", app="web")))

    def kstatus(self, *arguments, **more):
        return kstatus(*arguments, server=self.server.grpc, **more)

    def run_kstatus(self, *arguments):
        return Run(*arguments, server=self.server.grpc)

    def test_health(self):
        done = self.kstatus("health")
        self.assertEqual((done.code, done.out, done.err), (0, "serving\n", ""))

    def test_get_prints_a_table(self):
        done = self.kstatus("get", "deploy/web", "deploy/slow", environment={"LC_ALL": "C.UTF-8"})
        self.assertEqual(done.code, 0, done.err)
        lines = done.out.splitlines()
        self.assertRegex(lines[0], r"^STATUS +KIND/NAME +READY +MESSAGE$")
        self.assertRegex(lines[1], r"^✓ Current +Deployment/web +3/3 +3 of 3 ")
        self.assertRegex(lines[2], r"^◌ InProgress +Deployment/slow +1/3 +\S+ [a-z]")
        self.assertEqual(lines[3], "2 objects: 1 InProgress, 1 Current")
        self.assertNotIn("\x1b", done.out)
        self.assertRegex(self.kstatus("get", "deploy/web", environment={"LC_ALL": "C"}).out, r"(?m)^\+ Current ")

    def test_get_selects(self):
        def names(*arguments):
            done = self.kstatus("get", *arguments)
            return sorted(re.findall(r"(?:Pod|Deployment)/(\S+)", done.out))

        self.assertEqual(names("pods", "-l", "app=web"), ["web-0", "web-1"])
        self.assertEqual(names("pods,deploy", "--field-selector", "metadata.name=web"), ["web"])
        self.assertEqual(names("pods", "-A", "-l", "app=web"), ["green-0", "web-0", "web-1"])
        self.assertEqual(names("-n", "green", "pods"), ["green-0"])
        self.sim.apply(*create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}))
        self.assertRegex(self.kstatus("get", "node/n1").out, r"Current +Node/n1")
        self.assertRegex(self.kstatus("get", "nodes").out, r"Current +Node/n1")
        self.assertRegex(self.kstatus("get", "-n", "green", "nodes").out, r"Current +Node/n1")
        self.assertRegex(self.kstatus("get", "-A", "nodes").out, r"Current +Node/n1")
        self.assertEqual(names("deploy", "web", "slow"), ["slow", "web"])
        self.assertEqual(names("deployments.apps/web", "po/web-0"), ["web", "web-0"])
        self.assertIn("0 objects", self.kstatus("get", "pods", "-l", "app=none").out)
        self.assertRegex(self.kstatus("get", "pods", "-A", "-l", "app=web").out, r"NAMESPACE(?s:.)*Pod/green-0 +green")

    def test_get_tells_by_its_exit_code(self):
        for arguments, code, says in [
            (["deploy/web"], 0, "Current"),
            (["cm/never"], 1, "NotFound"),
            (["gizmo/x"], 1, "! gizmo/x is not served"),
            (["pods", "-l", "app in ("], 2, "the server refuses the request: "),
            (["pods", "-n", "No_Name"], 2, "targets[0]"),
        ]:
            with self.subTest(arguments=arguments):
                done = self.kstatus("get", *arguments)
                self.assertEqual(done.code, code, done.out + done.err)
                self.assertIn(says, done.out + done.err)

    def test_get_json_is_canonical(self):
        events = json_lines(self.kstatus("get", "deploy", "cm/never", "-o", "json").out or "")
        self.assertEqual(events, [])  # a usage error: the second word is a name
        done = self.kstatus("get", "deploy/web", "cm/never", "gizmo/x", "-o", "json")
        self.assertEqual(done.code, 1)
        events = json_lines(done.out)
        kinds = [e.WhichOneof("event") for e in events]
        self.assertEqual(kinds[-1], "synced")
        self.assertEqual(sorted(kinds[:-1]), ["target_change", "update", "update", "update"])
        statuses = {e.update.object.name: pb.ReconcileStatus.Name(e.update.status) for e in events
                    if e.WhichOneof("event") == "update"}
        self.assertEqual(statuses, {"web": "RECONCILE_STATUS_CURRENT", "never": "RECONCILE_STATUS_NOT_FOUND",
                                    "x": "RECONCILE_STATUS_UNKNOWN"})

    def test_files(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(MANIFEST)
            file.flush()
            done = self.kstatus("get", "-f", file.name, "pod/web-0")
            self.assertRegex(done.out, r"Current +Deployment/web ")
            self.assertRegex(done.out, r"NotFound +ConfigMap/never ")
            self.assertRegex(done.out, r"Current +Pod/web-0 ")
        self.assertRegex(self.kstatus("get", "-f", "-", text=MANIFEST).out, r"NotFound +ConfigMap/never ")
        bad = self.kstatus("get", "-f", "-", text="kind: Pod\n\tx: 1\n")
        self.assertEqual(bad.code, 2)
        self.assertIn("standard input: ", bad.err)

    def test_a_namespace_does_not_reach_kinds_without_one(self):
        text = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "roomy"}}) + "\n" + \
            json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "roomy"}}) + "\n"
        self.sim.apply(*create(json.loads(text.splitlines()[0]), config_map("roomy", namespace="green")))
        done = self.kstatus("get", "-n", "green", "-f", "-", text=text)
        self.assertEqual(done.code, 0, done.out + done.err)
        self.assertRegex(done.out, r"Current +Namespace/roomy ")
        self.assertRegex(done.out, r"Current +ConfigMap/roomy +green ")
        self.assertRegex(self.kstatus("get", "-f", "-", text=text).out,
                         r"Current +Namespace/roomy (?s:.)*NotFound +ConfigMap/roomy ")
        other = self.kstatus("get", "-n", "shop", "-f", "-", text=json.dumps(config_map("c", namespace="green")))
        self.assertEqual(other.code, 2)
        self.assertIn("ConfigMap/c is in namespace 'green', and -n says 'shop': leave -n out", other.err)

    def test_more_targets_than_one_call_takes(self):
        self.sim.apply(*create(*[config_map(f"m{i}") for i in range(150)]))
        names = [f"m{i}" for i in range(151)]
        done = self.kstatus("get", "cm", *names)
        self.assertEqual(done.code, 1, done.err)
        self.assertIn("\n151 objects: 1 NotFound, 150 Current\n", done.out)
        events = json_lines(self.kstatus("get", "cm", *names, "-o", "json").out)
        self.assertEqual([e.WhichOneof("event") for e in events], ["update"] * 151 + ["synced"])
        self.assertEqual((events[-1].synced.counts.current, events[-1].synced.counts.not_found), (150, 1))
        self.assertEqual({i for e in events[:-1] for i in e.update.target_ids}, set(range(1, 152)))
        with self.run_kstatus("watch", "cm", *names) as run:
            self.assertRegex(run.line("synced"), "1 NotFound, 150 Current$")
            self.sim.apply(*create(config_map("m150")))
            self.assertIn("ConfigMap/m150", run.line("Current"))
            self.assertEqual(run.end(signal.SIGINT), 0)
        with self.run_kstatus("watch", "-o", "json", "cm", *names) as run:
            text = ""
            while '"synced"' not in text:
                text += run.line(".")
            kinds = [e.WhichOneof("event") for e in json_lines(text)]
            self.assertEqual((kinds.count("accepted"), kinds.count("update"), kinds.count("synced")), (1, 151, 1))
            self.assertEqual(run.end(signal.SIGTERM), 0)

    def test_the_profile_reaches_the_server(self):
        self.sim.apply(*create({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "lb", "namespace": "default"},
                                "spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1"}}))
        for profile, status in (("kstatus", "Current"), ("strict", "InProgress")):
            with self.subTest(profile):
                self.assertIn(f" {status} ", self.kstatus("get", "svc/lb", "--profile", profile).out)
                with self.run_kstatus("watch", "svc/lb", "--profile", profile) as run:
                    self.assertIn(f" {status} ", run.line("Service/lb"))
                    self.assertEqual(run.end(signal.SIGINT), 0)

    def test_watch_prints_lines(self):
        with self.run_kstatus("watch", "cm/lines", "pods", "-l") as run:
            self.assertEqual(run.end(), 2)
        with self.run_kstatus("watch", "cm/lines") as run:
            self.assertRegex(run.line("NotFound"),
                             r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  NotFound     ConfigMap/lines -n default  \[NotFound\] ")
            self.assertRegex(run.line("synced"), r"Z  synced       0 Failed, .*1 NotFound, 0 Current$")
            self.sim.apply(*create(config_map("lines")))
            self.assertIn("Current      ConfigMap/lines -n default", run.line("Current"))
            self.sim.apply(delete(config_map("lines")))
            run.line("NotFound")
            self.assertEqual(run.end(signal.SIGINT), 0)
            self.assertEqual(run.errors(), "")

    def test_watch_prints_json(self):
        with self.run_kstatus("watch", "-o", "json", "deploy/web", "cm/json") as run:
            text = ""
            while '"synced"' not in text:
                text += run.line(".")
            events = json_lines(text)
            self.assertEqual(events[0].WhichOneof("event"), "accepted")
            self.assertEqual({e.update.object.name for e in events if e.WhichOneof("event") == "update"},
                             {"web", "json"})
            self.assertEqual(run.end(signal.SIGTERM), 0)

    def test_watch_ends_after_its_time(self):
        done = self.kstatus("watch", "--for", "100ms", "deploy/web")
        self.assertEqual((done.code, done.err), (0, ""))

    def test_watch_over_a_unix_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            with Kstatusd(self.sim.kubeconfig, listen=(f"unix:{folder}/s",)) as server:
                self.assertEqual(kstatus("get", "deploy/web", server=f"unix:{folder}/s").code, 0)
                server.stop()

    def test_a_proxy_for_the_web_is_not_asked(self):
        proxy = {name: "http://127.0.0.1:1" for name in ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy")}
        self.assertEqual(self.kstatus("get", "deploy/web", environment={**proxy, "no_proxy": ""}).code, 0)

    def test_a_server_that_goes_is_told(self):
        for number, says in ((signal.SIGKILL, "lost the stream from kstatusd at "),
                             (signal.SIGTERM, "lost the stream from kstatusd at ")):
            with self.subTest(signal=number), Kstatusd(self.sim.kubeconfig) as server, \
                    Run("watch", "--no-reconnect", "deploy/web", server=server.grpc) as run:
                run.line("synced")
                server.signal(number)
                if number == signal.SIGTERM:
                    run.line("draining     the server is shutting down")
                self.assertEqual(run.end(), 4)
                self.assertIn(says, run.errors())
                server.process.wait()

    def test_a_closed_pipe_ends_it(self):
        done = subprocess.run(f"{KSTATUS} --server {self.server.grpc} watch -o json pods | head -n 1", shell=True,
                              capture_output=True, text=True, timeout=LIMIT_S, check=False,
                              env={**os.environ, "LC_ALL": "C"})
        self.assertIn('"accepted"', done.stdout)


class OnATerminal(Bench):
    def terminal(self, *arguments, **more):
        terminal = Terminal([KSTATUS, "--server", self.server.grpc, "watch", *arguments], **more)
        self.addCleanup(terminal.close)
        return terminal

    def see(self, terminal, pattern):
        if not terminal.run(LIMIT_S, lambda screen: re.search(pattern, screen.text())):
            self.fail(f"no {pattern!r} on the screen:\n{terminal.screen.text()}")

    def test_the_table_lives(self):
        terminal = self.terminal("cm/live", columns=100, rows=18)
        self.see(terminal, r"∅ NotFound +ConfigMap/live")
        self.assertEqual(terminal.screen.cells[1][0], ("∅", "36"))
        self.sim.apply(*create(config_map("live")))
        self.see(terminal, r"✓ Current +ConfigMap/live +\d+s")
        self.assertEqual(terminal.screen.cells[1][0], ("✓", "32"))
        self.see(terminal, r"ConfigMap/live +2s")  # ages go on by themselves
        terminal.key("\x03")
        terminal.run(LIMIT_S)
        self.assertEqual(terminal.code, 0)
        self.assertRegex(terminal.screen.text(), r"^STATUS.*\n✓ Current .*\n1 object: 1 Current$")
        self.assertTrue(terminal.screen.wraps)

    def test_without_colour(self):
        terminal = self.terminal("cm/plain", environment={"NO_COLOR": "1"})
        self.see(terminal, r"∅ NotFound")
        self.assertEqual({cell[1] for line in terminal.screen.cells for cell in line}, {"0"})

    def test_without_utf8(self):
        terminal = self.terminal("cm/plain", environment={"LC_ALL": "C"})
        self.see(terminal, r"0 NotFound")
        self.assertTrue(terminal.screen.text().isascii())

    def test_resizing(self):
        self.sim.apply(*create(deployment("a-deployment-with-a-long-name")))
        terminal = self.terminal("deploy/a-deployment-with-a-long-name", "cm/x", columns=100, rows=18)
        self.see(terminal, r"✓ Current +Deployment/a-deployment-with-a-long-name +3/3")
        terminal.resize(50, 10)
        self.see(terminal, r"✓ Current +Deployment/\S*… +\S")
        self.assertEqual(terminal.screen.text().count("STATUS"), 1)
        terminal.resize(120, 30)
        self.see(terminal, r"✓ Current +Deployment/a-deployment-with-a-long-name +3/3 +\d+s")
        self.assertEqual(terminal.screen.text().count("STATUS"), 1)

    def test_more_than_fits(self):
        self.sim.apply(*create(*[pod(f"many-{i:02}", app="many") for i in range(40)],
                               pod("many-zz", ready=False, app="many")))
        terminal = self.terminal("pods", "-l", "app=many", columns=80, rows=12)
        self.see(terminal, r"41 objects: 1 InProgress, 40 Current")
        text = terminal.screen.text()
        self.assertRegex(text, r"InProgress +Pod/many-zz")
        self.assertRegex(text, r"\.\.\. and \d+ more")
        self.assertEqual(terminal.screen.above, [])
        terminal.key("\x03")
        terminal.run(LIMIT_S)
        self.assertEqual(terminal.screen.above, [])

    def test_cluster_text_cannot_steer_the_terminal(self):
        evil = "\x1b]0;title\x07\x1b[2J\x9b31m\u202egnp.exe\nnew line \u6f22\u5b57"
        self.sim.apply(*create({"apiVersion": "apps/v1", "kind": "Deployment",
                                "metadata": {"name": "evil", "namespace": "default", "generation": 1}, "spec": {},
                                "status": {"observedGeneration": 1, "conditions": [
                                    {"type": "Stalled", "status": "True", "reason": "Bad", "message": evil}]}}))
        terminal = self.terminal("deploy/evil", columns=120)  # its screen refuses what it does not know
        self.see(terminal, r"✗ Failed +Deployment/evil .*new line 漢字")

    def test_the_first_cause_of_what_is_broken_in_one_line(self):
        pull = pod("pull", ready=False)
        pull["status"]["phase"] = "Pending"
        pull["status"]["containerStatuses"][0]["state"] = {"waiting": {
            "reason": "ImagePullBackOff", "message": "Back-off pulling image \"registry.invalid/shop/pull:1.0\": no such host"}}
        self.sim.apply(*create(pull, deployment("stuck", ready=1)))
        told = 'IMAGE_PULL_ERROR, container main: ImagePullBackOff: Back-off pulling image "registry.invalid/shop/pull:1.0"'
        for columns, names in ((120, ["Pod/pull", "Deployment/stuck"]), (80, ["Pod/pull", "Deployment/stuck"]),
                               (40, ["Pod/pull", "Deplo…/stuck"])):
            with self.subTest(columns=columns):
                terminal = self.terminal("po/pull", "deploy/stuck", columns=columns, rows=10)
                self.see(terminal, r"(?m)^2 objects")
                self.assertFalse(terminal.screen.above, "nothing has scrolled away")
                heading, *rows, counts = terminal.screen.text().splitlines()
                self.assertEqual(len(rows), 2, "each object has one line")
                self.assertLessEqual(max(map(len, rows)), columns)
                for row, name in zip(rows, names):
                    self.assertRegex(row, rf"^◌ InProgress  {name} ")
                shown = rows[0][heading.index("MESSAGE"):]
                self.assertGreaterEqual(len(shown), 12)
                self.assertTrue(shown.endswith("…") and told.startswith(shown[:-1]), shown)

    def test_an_unreachable_server_leaves_no_table(self):
        terminal = Terminal([KSTATUS, "--server", "127.0.0.1:1", "watch", "cm/x"], columns=200)
        self.addCleanup(terminal.close)
        terminal.run(LIMIT_S)
        self.assertEqual(terminal.code, 4)
        self.assertIn("cannot reach kstatusd at 127.0.0.1:1", terminal.screen.text())


def says_kind(vector):
    """Whether it is an object for the command line: the verdicts' rules go on without a kind."""
    thing = json.loads(vector["text"]) if "text" in vector else vector["object"]
    return isinstance(thing, dict) and isinstance(thing.get("kind"), str) and thing["kind"] != ""


class Computing(unittest.TestCase):
    def vectors(self):
        for line in (ROOT / "tests/conformance/kstatus.ndjson").read_text().splitlines():
            vector = json.loads(line)
            raw = vector["text"] if "text" in vector else json.dumps(vector["object"])
            yield vector, raw.replace("\n", " ")

    def test_conformance_vectors(self):
        by_now = {}
        for vector, raw in self.vectors():
            by_now.setdefault(vector["now"], []).append((vector, raw))
        for now, rows in by_now.items():
            done = kstatus("compute", "-f", "-", "-o", "json", "--now", now,
                           text="".join(raw + "\n" for _, raw in rows))
            answers = [json.loads(line) for line in done.out.splitlines()]
            self.assertEqual(len(answers), len(rows))
            for (vector, _), answer in zip(rows, answers):
                expected = vector["kstatus"]
                with self.subTest(vector["name"]):
                    if expected.get("error") or not says_kind(vector):
                        self.assertTrue(answer["error"])
                        self.assertNotIn("status", answer)
                    else:
                        self.assertEqual((answer["status"], answer["reason"]),
                                         (expected["status"], expected["reason"]))

    def test_json_has_its_members_in_order(self):
        done = kstatus("compute", "-f", "-", "-o", "json", text=json.dumps(deployment("web")))
        self.assertEqual(done.code, 0)
        self.assertEqual(list(json.loads(done.out)),
                         ["apiVersion", "kind", "namespace", "name", "status", "reason", "message"])
        self.assertEqual(json.loads(done.out)["name"], "web")

    def test_a_bad_line_is_answered_in_its_place(self):
        text = json.dumps(config_map("a")) + "\n{]\n" + json.dumps(config_map("b")) + "\n"
        done = kstatus("compute", "-f", "-", "-o", "json", text=text)
        answers = [json.loads(line) for line in done.out.splitlines()]
        self.assertEqual([a.get("name") for a in answers], ["a", None, "b"])
        self.assertIn("standard input, line 2", answers[1]["error"])
        self.assertEqual(done.code, 1)

    def test_what_is_no_object_is_an_error(self):
        for text, says in (("{}", "it has no kind"), ("a: [1, 2]\n", "it has no kind"),
                           ('{"kind": 5}', "its kind is no text"), ('{"kind": ""}', "its kind is no text"),
                           ('{"kind": "ConfigMap", "metadata": []}', "its metadata is no map"),
                           ('{"kind": "Pod", "metadata": "x"}', "its metadata is no map")):
            with self.subTest(text):
                done = kstatus("compute", "-f", "-", text=text)
                self.assertEqual((done.code, done.err), (1, ""))
                self.assertRegex(done.out, r"^Unknown      [\w?]+/\?  \[Error\] standard input, line 1: "
                                           rf"this is no Kubernetes object: {says}$")
                answer = json.loads(kstatus("compute", "-f", "-", "-o", "json", text=text).out)
                self.assertIn(says, answer["error"])
        for profile in ("kstatus", "strict"):
            for items in ("", ', "items": {}', ', "items": "x"'):
                done = kstatus("compute", "--profile", profile, "-f", "-", text=f'{{"kind": "List"{items}}}')
                self.assertEqual((done.code, done.err), (1, ""))
                self.assertRegex(done.out, r"^Unknown      \?/\?  \[Error\] standard input, line 1: it says that it is a list, ")
        done = kstatus("compute", "-f", "-", text='{"kind": "List", "items": null}')
        self.assertEqual((done.code, done.out, done.err), (0, "", ""))

    def test_items_of_typed_lists(self):
        item = {k: v for k, v in pod("web-0", ready=False).items() if k not in ("kind", "apiVersion")}
        text = json.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [item]})
        done = kstatus("compute", "-f", "-", text=text)
        self.assertRegex(done.out, r"^InProgress   Pod/web-0 -n default ")
        answer = json.loads(kstatus("compute", "-f", "-", "-o", "json", text=text).out)
        self.assertEqual((answer["apiVersion"], answer["kind"], answer["status"]), ("v1", "Pod", "InProgress"))

    def test_bytes_that_are_no_utf8(self):
        for raw in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82"):
            with self.subTest(raw):
                text = b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a' + raw + b'b"}}\n'
                done = subprocess.run([KSTATUS, "compute", "-f", "-", "-o", "json"], input=text, capture_output=True,
                                      timeout=LIMIT_S, check=True)
                self.assertRegex(json.loads(done.stdout.decode("utf-8"))["name"], "^a\ufffd+b$")

    def test_documents_follow_one_another(self):
        text = "".join(json.dumps(config_map(name), indent=2) + "\n" for name in ("a", "b", "c"))
        done = kstatus("compute", "-f", "-", "-o", "json", text=text)
        self.assertEqual([json.loads(line)["name"] for line in done.out.splitlines()], ["a", "b", "c"])

    def test_profiles_are_compared(self):
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "lb", "namespace": "shop"},
                   "spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1"}}
        crash = pod("crash", ready=False)
        crash["status"] |= {"phase": "Failed", "reason": "Evicted"}
        text = "".join(json.dumps(o) + "\n" for o in (config_map("same"), crash, service))
        done = kstatus("compute", "--compare", "kstatus,strict", "-f", "-", text=text)
        lines = done.out.splitlines()
        self.assertEqual(done.code, 1)
        self.assertRegex(lines[-1], r"^[12] of 3 objects differ$")
        self.assertNotIn("ConfigMap/same", done.out)
        answers = [json.loads(line) for line in
                   kstatus("compute", "--compare", "kstatus,strict", "-f", "-", "-o", "json", text=text).out.splitlines()]
        self.assertEqual(len(answers) * 2 + 1, len(lines))
        for answer, of_kstatus, of_strict in zip(answers, lines[0::2], lines[1::2]):
            self.assertNotEqual(answer["kstatus"]["status"], answer["strict"]["status"])
            self.assertRegex(of_kstatus, rf"^kstatus   {answer['kstatus']['status']} .*/{answer['name']} ")
            self.assertRegex(of_strict, rf"^strict    {answer['strict']['status']} .*/{answer['name']} ")
        same = kstatus("compute", "--compare", "strict,kstatus", "-f", "-", text=json.dumps(config_map("same")))
        self.assertEqual((same.code, same.out), (0, "0 of 1 objects differ\n"))
        bad = kstatus("compute", "--compare", "strict,kstatus", "-f", "-", text="{}")
        self.assertEqual((bad.code, len(bad.out.splitlines())), (1, 2))

    def test_what_decided_is_told_under_both_profiles(self):
        web = deployment("web", ready=1)
        crash = pod("crash", ready=False)
        crash["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
        widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "generation": 2},
                  "status": {"observedGeneration": 1}}
        text = "".join(json.dumps(o) + "\n" for o in (web, crash, widget))
        decided = {"kstatus": ["status.availableReplicas 1 < status.updatedReplicas 3, at generation 1",
                               "status.containerStatuses[main].state.waiting.reason is CrashLoopBackOff",
                               "status.observedGeneration 1 != metadata.generation 2"],
                   "strict": ["status.availableReplicas 1 < spec.replicas 3, at generation 1",
                              "status.containerStatuses[main].state.waiting.reason is CrashLoopBackOff",
                              "status.observedGeneration 1 < metadata.generation 2"]}
        for profile, wanted in decided.items():
            done = kstatus("compute", "--explain", "--profile", profile, "-f", "-", text=text)
            told = re.findall(r"(?m)^  decided by  (.*(?:\n {14}.*)*)", done.out)
            self.assertEqual([re.sub(r"\s+", " ", t) for t in told], wanted, done.out)

    def test_a_verdict_is_explained(self):
        web = deployment("web", ready=1)
        web["status"]["conditions"] = [{"type": "Available", "status": "False", "reason": "Minimum", "message": "word " * 40}]
        crash = pod("crash", ready=False)
        crash["status"]["containerStatuses"][0] |= {
            "restartCount": 5, "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}},
            "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}}}
        text = "".join(json.dumps(o) + "\n" for o in (web, crash, config_map("fine"), {}))
        done = kstatus("compute", "--explain", "-f", "-", text=text, environment={"LC_ALL": "C.UTF-8"})
        self.assertEqual(done.code, 1)
        self.assertLessEqual(max(map(len, done.out.splitlines())), 80)
        parts = done.out.split("\n\n")
        self.assertRegex(parts[0], r"^Deployment/web -n default\n  verdict     InProgress, under profile kstatus\n")
        self.assertRegex(parts[0], r"(?m)^  decided by  status.availableReplicas 1 < status.updatedReplicas 3, at\n {14}generation 1$")
        self.assertRegex(parts[0], r"(?m)^  rests on    the rule for Deployment$")
        self.assertRegex(parts[0], r"(?m)^  progress    1 of 3$")
        self.assertRegex(parts[0], r"(?m)^  fields      metadata.generation=1, .*\n +spec.paused=absent, spec.replicas=3, status.replicas=3,$")
        self.assertNotIn("status.availableReplicas=", parts[0], "told already")
        self.assertRegex(parts[0], r"(?m)^  conditions  Available=False Minimum\n                word word")
        self.assertRegex(parts[1], r"(?m)^  causes      Pod/crash\n {16}container main\n {18}\w+, exit code 3, 5 restarts\n(?s:.)*^ {20}-> \S")
        self.assertNotIn("causes", parts[2])
        self.assertRegex(parts[3], r"^\?/\?\n  error       standard input, line \d+: this is no Kubernetes object")
        answers = [json.loads(line) for line in
                   kstatus("compute", "--explain", "-o", "json", "-f", "-", text=text).out.splitlines()]
        self.assertEqual([a.get("status") for a in answers], ["InProgress", "Failed", "Current", None])
        self.assertEqual(answers[0]["fields"]["status.availableReplicas"], 1)
        self.assertEqual(answers[0]["decidedBy"], {"field": "status.availableReplicas", "value": "1", "comparison": "<",
                                                   "otherField": "status.updatedReplicas", "otherValue": "3"})
        self.assertNotIn("decidedBy", answers[2], "a ConfigMap is current as soon as it exists")
        self.assertIsNone(answers[0]["fields"]["spec.paused"])
        self.assertEqual(answers[0]["basis"], "STATUS_BASIS_KIND_RULE")
        self.assertEqual(answers[0]["progress"], {"readyCount": 1, "desiredCount": 3})
        self.assertEqual(answers[1]["causes"][0]["exitCode"], 3)
        self.assertTrue(answers[1]["causes"][0]["suggestion"])
        self.assertEqual(answers[2]["causes"], [])
        strict = kstatus("compute", "--explain", "--profile", "strict", "-f", "-", text=json.dumps(web))
        self.assertIn("under profile strict", strict.out)

    def test_children_explain_their_parents(self):
        def owned(thing, uid, owner=None):
            thing["metadata"]["uid"] = uid
            if owner:
                thing["metadata"]["ownerReferences"] = [
                    {"kind": "Other", "name": "o", "uid": "u9"},
                    {"kind": "X", "name": "x", "uid": owner, "controller": True}]
            return thing

        crash = owned(pod("web-a-1", ready=False), "u3", "u2")
        crash["status"]["containerStatuses"][0] |= {
            "restartCount": 5, "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
            "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}}}
        replicas = owned(deployment("web-a", ready=1), "u2", "u1") | {"kind": "ReplicaSet"}
        things = [crash, owned(pod("web-a-2"), "u4", "u2"), owned(deployment("web", ready=1), "u1"), replicas,
                  owned(config_map("a"), "c1", "c2"), owned(config_map("b"), "c2", "c1"), {}]
        text = "".join(json.dumps(thing) + "\n" for thing in things)
        done = kstatus("compute", "--children", "-f", "-", text=text)
        self.assertEqual(done.code, 1)
        parts = done.out.strip().split("\n\n")
        self.assertEqual([p.split(" ")[0] for p in parts], ["Deployment/web", "ConfigMap/a", "?/?\n"])
        self.assertRegex(parts[0], r"(?m)^  causes      Pod/web-a-1\n {16}container main\n {18}\w+, exit code 3, 5 restarts$")
        self.assertRegex(parts[0], r"(?m)^  children    InProgress   ReplicaSet/web-a -n default\n"
                                   r"                Failed       Pod/web-a-1 -n default\n"
                                   r"                Current      Pod/web-a-2 -n default$")
        self.assertRegex(parts[1], r"  children    Current      ConfigMap/b -n default$")  # a circle is cut
        answers = [json.loads(line) for line in
                   kstatus("compute", "--children", "-o", "json", "-f", "-", text=text).out.splitlines()]
        self.assertEqual([(c["depth"], c["status"]) for c in answers[0]["children"]],
                         [(1, "InProgress"), (2, "Failed"), (2, "Current")])
        self.assertEqual(answers[0]["causes"][0]["sourceName"], "web-a-1")
        self.assertIn("error", answers[2])

    def test_lists_and_tables(self):
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [config_map("a"), deployment("d", ready=1)]},
                          indent=1)
        done = kstatus("compute", "-f", "-", text=text)
        self.assertEqual(done.code, 0)
        lines = done.out.splitlines()
        self.assertRegex(lines[0], r"^Current      ConfigMap/a -n default  \S")
        self.assertRegex(lines[1], r"^InProgress   Deployment/d -n default  \[LessAvailable\] \S|^InProgress   ")

    def test_failed_objects_show_in_the_exit_code(self):
        failed = {"apiVersion": "x/v1", "kind": "X", "metadata": {"name": "a"},
                  "status": {"conditions": [{"type": "Stalled", "status": "True", "reason": "R", "message": "M"}]}}
        done = kstatus("compute", "-f", "-", text=json.dumps(failed))
        self.assertEqual((done.code, done.out), (1, "Failed       X/a  [R] M\n"))

    def test_recorded_lists(self):
        folder = ROOT / "tests/corpus/kube-1.36/list"
        for path in sorted(folder.glob("*.json")):
            with self.subTest(path.name):
                items = json.loads(path.read_text()).get("items") or []
                done = kstatus("compute", "-f", path, "-o", "json")
                answers = [json.loads(line) for line in done.out.splitlines()]
                self.assertEqual([a.get("name") for a in answers], [i["metadata"]["name"] for i in items])

    def test_broken_yaml_is_told(self):
        done = kstatus("compute", "-f", "-", text="a: [1\n")
        self.assertEqual(done.code, 1)
        self.assertIn("standard input: ", done.err)

    def test_each_answer_comes_at_once(self):
        with subprocess.Popen([KSTATUS, "compute", "-f", "-", "-o", "json"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as process:
            for name in ("a", "b", "c"):
                process.stdin.write(json.dumps(config_map(name)) + "\n")
                process.stdin.flush()
                self.assertEqual(json.loads(process.stdout.readline())["name"], name)
            process.stdin.close()
            self.assertEqual(process.wait(LIMIT_S), 0)

    def test_any_number_of_lines_in_bounded_memory(self):
        line = json.dumps(pod("web-0")) + "\n"
        with subprocess.Popen([KSTATUS, "compute", "-f", "-", "-o", "json"], stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL, text=True) as process:
            peaks = []
            for _ in range(2):
                for _ in range(20):
                    process.stdin.write(line * 500)
                process.stdin.flush()
                status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
                peaks.append(int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)))
            process.stdin.close()
            self.assertEqual(process.wait(4 * LIMIT_S), 0)
        self.assertLess(peaks[1], peaks[0] + 2048)


if __name__ == "__main__":
    unittest.main()
