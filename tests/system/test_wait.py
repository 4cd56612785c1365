# SPDX-License-Identifier: Apache-2.0
"""`kstatus wait`: exit codes, what it says meanwhile and at the end, on a terminal, in a pipe and as JSON."""

import json
import subprocess
import threading
import unittest

import stream  # noqa: F401  makes the stubs
from harness import BIN, SLOW, Bench, Kstatusd, Kubesim, config_map, create, delete, deployment, patch_status, pod, \
    pod_status, wait_for
from terminal_support import Terminal

LIMIT_S = 20 * SLOW


def failed(name):
    made = deployment(name, ready=0)
    made["status"]["conditions"] = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
    return made


def wait(server, *arguments, stdin=None):
    done = subprocess.run([BIN / "kstatus", "wait", "-s", getattr(server, "grpc", server), "-n", "default", *arguments],
                          input=stdin, capture_output=True, text=True, timeout=60 * SLOW, check=False)
    return done.returncode, done.stdout, done.stderr


class Wait(Bench):
    def wait(self, *arguments, stdin=None):
        return wait(self.server, *arguments, stdin=stdin)

    def started(self, *arguments):
        """A wait that goes on; once it has printed its first line."""
        process = subprocess.Popen([BIN / "kstatus", "wait", "-s", self.server.grpc, "-n", "default", *arguments],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, process.stdout.readline()

    def test_reached(self):
        self.sim.apply(*create(pod("comes", ready=False)))
        process, line = self.started("pod/comes")
        self.assertIn("InProgress", line)
        self.sim.apply(patch_status(pod("comes"), pod_status(True)))
        rest = process.stdout.read()
        self.assertEqual(process.wait(LIMIT_S), 0, rest)
        self.assertRegex(rest, r"(?m)^reached after \S+: all are Current \(1 object: 1 Current\)\n\Z")

    def test_lost(self):
        self.sim.apply(*create(failed("lost"), pod("well")))
        code, out, errors = self.wait("deploy/lost", "pod/well", "--fail-fast")
        self.assertEqual((code, errors), (1, ""))
        end = out[out.index("given up after"):]
        self.assertRegex(end, r"of waiting until all are Current \(\d objects?: 1 Failed(, 1 Current)?\)\n"
                              r"Failed       Deployment/lost -n default  \[ProgressDeadlineExceeded\] ")
        self.assertIn("\n                PROGRESS_DEADLINE_EXCEEDED\n", end)
        self.assertNotIn("Pod/well", end)

    def test_wrong_command_lines(self):
        rows = [
            (["pod/x", "--for", "gone"], "--for: 'gone' is none of current, not-found, terminal"),
            (["pod/x", "--min-basis", "hope"], "--min-basis: 'hope' is none of rule, condition, generation, assumed"),
            (["pod/x", "--stable-for", "soon"], "--stable-for: 'soon' is no duration"),
            (["pod/x", "--stable-for", "2m", "--timeout", "1m"], "--stable-for is longer than --timeout"),
            (["pod/x", "--for", "not-found", "--fail-fast"], "until.fail_fast: means nothing"),
            (["pod/x", "--applied"], "--applied goes with -f FILE alone"),
            ([], "nothing to look at"),
        ]
        for arguments, says in rows:
            with self.subTest(arguments=arguments):
                code, out, errors = self.wait(*arguments)
                self.assertEqual((code, out), (2, ""))
                self.assertIn(says, errors)

    def test_timed_out(self):
        self.sim.apply(*create(pod("slow", ready=False)))
        code, out, errors = self.wait("pod/slow", "pod/nowhere", "--timeout", "1s")
        self.assertEqual((code, errors), (3, ""))
        end = out[out.index("timed out after"):].splitlines()
        self.assertRegex(end[0], r"of waiting until all are Current \(2 objects: 1 NotFound, 1 InProgress\)")
        self.assertEqual([line.split("  [")[0] for line in end[1:] if not line.startswith(" ")],
                         ["InProgress   Pod/slow -n default", "NotFound     Pod/nowhere -n default"])

    def test_a_selection_of_nothing(self):
        code, out, _ = self.wait("pods", "-l", "app=nothing", "--timeout", "1s")
        self.assertEqual(code, 3)
        self.assertIn("\nNotFound     pods -l app=nothing  [NothingSelected] no object matches", out)

    def test_json_is_the_outcome(self):
        self.sim.apply(*create(pod("said")))
        code, out, errors = self.wait("pod/said", "pod/unsaid", "--timeout", "1s", "-o", "json")
        self.assertEqual((code, errors, out.count("\n")), (3, "", 1))
        outcome = json.loads(out)
        self.assertEqual((outcome["verdict"], outcome["counts"]), ("VERDICT_TIMED_OUT", {"current": 1, "notFound": 1}))
        self.assertEqual([s["object"]["name"] for s in outcome["blocking"]], ["unsaid"])

    def test_not_found_and_terminal(self):
        self.sim.apply(*create(config_map("goes"), failed("ended")))
        process, line = self.started("cm/goes", "--for=not-found")
        self.assertIn("Current", line)
        self.sim.apply(delete(config_map("goes")))
        rest = process.stdout.read()
        self.assertEqual(process.wait(LIMIT_S), 0, rest)
        self.assertIn("all are gone", rest)
        self.assertEqual(self.wait("deploy/ended", "--for=terminal")[0], 0)

    def test_more_targets_than_a_call_takes(self):
        names = [f"many-{i}" for i in range(70)]
        self.sim.apply(*create(*map(config_map, names)))
        code, out, _ = self.wait("cm", *names)
        self.assertEqual(code, 0)
        self.assertIn("all are Current (70 objects: 70 Current)", out)
        code, out, _ = self.wait("cm", *names, "absent", "--timeout", "1s", "-o", "json")
        self.assertEqual((code, [s["object"]["name"] for s in json.loads(out)["blocking"]]), (3, ["absent"]))

    def test_what_was_applied(self):
        self.sim.apply(*create(deployment("applied"), config_map("applied")))
        made = self.sim.request("GET", "/apis/apps/v1/namespaces/default/deployments/applied")
        made += self.sim.request("GET", "/api/v1/namespaces/default/configmaps/applied")
        self.assertEqual(self.wait("--applied", "-f", "-", stdin=made)[0], 0)
        newer = made.replace('"generation":1', '"generation":2')
        self.assertNotEqual(newer, made)
        code, out, _ = self.wait("--applied", "-f", "-", "--timeout", "1s", stdin=newer)
        self.assertEqual(code, 3)
        self.assertIn("  in the way  OLDER_GENERATION: generation 1 is there; 2 or later is waited for\n", out)
        code, _, errors = self.wait("--applied", "-f", "-", stdin=json.dumps(config_map("applied")))
        self.assertEqual(code, 2)
        self.assertIn("--applied needs what the API server answered", errors)

    def test_on_a_terminal(self):
        self.sim.apply(*create(pod("shown", ready=False)))
        terminal = Terminal([BIN / "kstatus", "wait", "-s", self.server.grpc, "-n", "default", "pod/shown"], columns=100)
        self.addCleanup(terminal.close)
        self.assertTrue(terminal.run(LIMIT_S, lambda s: "waiting until all are Current" in s.text() and "Pod/shown" in s.text()))
        self.assertRegex(terminal.screen.text(), r"InProgress +Pod/shown(?s:.)*waiting until all are Current: \S+ of 5m0?s?\Z")
        terminal.resize(80, 20)
        self.sim.apply(patch_status(pod("shown"), pod_status(True)))
        terminal.run(LIMIT_S)
        self.assertEqual(terminal.code, 0)
        text = terminal.screen.text()
        self.assertRegex(text, r"Current +Pod/shown")
        self.assertRegex(text, r"reached after \S+: all are Current \(1 object: 1 Current\)\Z")
        self.assertNotIn("waiting until", text)


class Restart(unittest.TestCase):
    def test_a_stream_that_ends_in_time_is_opened_again(self):
        with Kubesim() as sim, Kstatusd(sim.kubeconfig, "--limit", "stream-seconds=1") as server:
            sim.apply(*create(pod("late", ready=False)))
            ended = []
            waiting = threading.Thread(target=lambda: ended.append(wait(server, "pod/late")))
            waiting.start()
            wait_for("three streams", lambda: server.metric("streams_total") >= 3, LIMIT_S)
            sim.apply(patch_status(pod("late"), pod_status(True)))
            waiting.join()
            self.assertEqual(ended[0][0], 0, ended)
            self.assertIn("reached after", ended[0][1])

    def test_the_time_goes_on(self):
        with Kubesim() as sim, Kstatusd(sim.kubeconfig, "--limit", "stream-seconds=1") as server:
            code, out, errors = wait(server, "pod/never", "--timeout", "4s", "-o", "json")
            self.assertEqual((code, errors), (3, ""))
            self.assertEqual(json.loads(out)["verdict"], "VERDICT_TIMED_OUT")

    def test_the_server_in_its_place_is_asked(self):
        with Kubesim() as sim:
            with Kstatusd(sim.kubeconfig) as first:
                ended = []
                waiting = threading.Thread(target=lambda: ended.append(wait(first, "cm/comes")))
                waiting.start()
                first.wait_metric("sessions", 1)
            with Kstatusd(sim.kubeconfig, listen=(first.grpc,)) as second:
                second.wait_metric("sessions", 1, LIMIT_S)
                sim.apply(*create(config_map("comes")))
                waiting.join()
            self.assertEqual(ended[0][0], 0, ended)


class Lost(unittest.TestCase):
    def test_nobody_there(self):
        code, out, errors = wait("127.0.0.1:1", "pod/x")
        self.assertEqual((code, out), (4, ""))
        self.assertIn("cannot reach kstatusd at 127.0.0.1:1", errors)

    def test_a_server_that_goes(self):
        with Kubesim() as sim, Kstatusd(sim.kubeconfig) as server:
            ended = []
            waiting = threading.Thread(target=lambda: ended.append(wait(server, "pod/never")))
            waiting.start()
            server.wait_metric("sessions", 1)
            server.kill()
            waiting.join()
            self.assertEqual(ended[0][0], 4)


if __name__ == "__main__":
    unittest.main()
