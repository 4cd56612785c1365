# SPDX-License-Identifier: Apache-2.0
"""Why, for people: `kstatus explain`, and the first cause in `kstatus get` and `watch`, on a recording of a real control
plane (tests/e2e/test_scenarios.py)."""

import json
import pathlib
import re
import subprocess
import unittest

import harness
from troubles_support import NAMESPACE, TROUBLES, Watch

RECORDING = pathlib.Path(__file__).resolve().parents[1] / "scenarios/troubles.ndjson"
LIMIT_S = 20 * harness.SLOW
NAMED = {"sts/set": "StatefulSet", "pods/pull": "Pod", "pods/nowhere": "Pod", "cm/stuck": "ConfigMap"}


class Explain(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sim = harness.Kubesim("--scenario", RECORDING)
        cls.addClassCleanup(cls.sim.__exit__, None, None, None)
        cls.daemon = harness.Kstatusd(cls.sim.kubeconfig)
        cls.addClassCleanup(cls.daemon.__exit__, None, None, None)
        watch = Watch(cls.daemon, "kstatus")  # open to the end: what comes of the recording is known
        cls.addClassCleanup(watch.close)
        watch.wait_synced(LIMIT_S)
        for trouble in TROUBLES:
            watch.wait_trouble(trouble, "kstatus", LIMIT_S)

    def kstatus(self, command, *arguments, namespace=NAMESPACE):
        return subprocess.run([harness.BIN / "kstatus", command, "--server", self.daemon.grpc, "-n", namespace, *arguments],
                              capture_output=True, text=True, timeout=60 * harness.SLOW, check=False)

    def test_the_chain_is_a_tree(self):
        done = self.kstatus("explain", "sts/set")
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        self.assertRegex(done.stdout, r"^StatefulSet/set -n troubles\n  verdict     Failed, under profile kstatus\n"
                                      r"  reason      PodsFailed\n  because     \S")
        self.assertRegex(done.stdout, r"(?m)^  rests on    the rule for StatefulSet\n  progress    \d of 2\n"
                                      r"  generation  1, observed 1\n  causes ")
        self.assertRegex(done.stdout, r"(?m)^  causes      Pod/set-\d\n {16}container app\n {18}CRASH_LOOP, exit code 1, "
                                      r"\d+ restarts?\b(?s:.)*^ {20}-> Read the log")
        self.assertRegex(done.stdout, r"(?m)^ {14}StatefulSet/set\n {16}REPLICAS_NOT_READY\n")

    def test_every_trouble_fits_in_80_columns(self):
        done = self.kstatus("explain", *(trouble.target for trouble in TROUBLES))
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        self.assertEqual(len(done.stdout.strip().split("\n\n")), len(TROUBLES))
        self.assertLessEqual(max(map(len, done.stdout.splitlines())), 80)

    def explained(self):
        done = self.kstatus("explain", "-o", "json", *(trouble.target for trouble in TROUBLES))
        self.assertEqual(done.returncode, 1)
        return {answer["name"]: answer for answer in map(json.loads, done.stdout.splitlines())}

    def is_explained(self, answers):
        """Whether each first cause is there: one that is read from an Event may come a moment later than the answer."""
        for trouble in TROUBLES:
            expected = trouble.first_cause(trouble.kstatus[0])
            causes = answers[trouble.target.partition("/")[2]].get("causes", [])
            if expected and not (causes and causes[0]["code"] in expected.split("|")):
                return False
        return True

    def test_json_is_the_same_as_data(self):
        def explained():
            answers = self.explained()
            return answers if self.is_explained(answers) else None

        answers = harness.wait_for("the first causes", explained)
        for trouble in TROUBLES:
            with self.subTest(trouble=trouble.name):
                answer = answers[trouble.target.partition("/")[2]]
                status, reasons = trouble.kstatus
                self.assertEqual(answer["status"].upper(), status.replace("_", ""))
                self.assertIn(answer["reason"], reasons.split("|"))
                if trouble.first_cause(status):
                    self.assertTrue(answer["causes"][0]["suggestion"].endswith("."))
        crashed = answers["set"]
        self.assertEqual((crashed["apiVersion"], crashed["kind"], crashed["namespace"], crashed["profile"]),
                         ("apps/v1", "StatefulSet", NAMESPACE, "kstatus"))
        self.assertEqual((crashed["generation"], crashed["observedGeneration"]), (1, 1))
        self.assertEqual(crashed["progress"]["desiredCount"], 2)
        self.assertEqual(crashed["causes"][0]["sourceKind"], "Pod")
        self.assertEqual((crashed["causes"][0]["container"], crashed["causes"][0]["exitCode"]), ("app", 1))
        self.assertEqual(crashed["conditions"][0]["reason"], "PodsFailed")

    def test_what_decided_is_told(self):
        text = self.kstatus("explain", "pods/pull", "pods/nowhere", "sts/set", "cm/stuck").stdout
        parts = {part.partition(" ")[0]: part for part in text.split("\n\n")}
        self.assertRegex(parts["Pod/pull"], r"(?m)^  decided by  status.phase is Pending")
        self.assertRegex(parts["Pod/nowhere"], r"(?m)^  decided by  status.conditions\[PodScheduled\].status is False")
        self.assertRegex(parts["ConfigMap/stuck"], r"(?m)^  decided by  metadata.deletionTimestamp is 2\d{3}-")
        self.assertNotIn("decided by", parts["StatefulSet/set"], "one of its Pods decided")
        strict = json.loads(self.kstatus("explain", "--profile", "strict", "-o", "json", "pods/pull").stdout)
        self.assertEqual(strict["decidedBy"]["field"], "status.containerStatuses[app].state.waiting.reason")
        self.assertEqual(strict["decidedBy"]["comparison"], "is")

    def test_the_profile_is_honoured(self):
        done = self.kstatus("explain", "--profile", "strict", "pods/crash")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"Failed, under profile strict\n  reason      CrashLoopBackOff\n")
        strict = self.kstatus("explain", "--profile", "strict", "pods/pull").stdout
        self.assertRegex(strict, r", under profile strict\n  reason      (ImagePullBackOff|ErrImagePull)\n")
        done = self.kstatus("explain", "pods/pull")
        self.assertEqual(done.returncode, 0, "InProgress is no bad answer")
        self.assertRegex(done.stdout, r"InProgress, under profile kstatus\n  reason      PodPending\n")

    def test_what_is_not_there_and_what_cannot_be_asked(self):
        gone = self.kstatus("explain", "cm/none")
        self.assertEqual(gone.returncode, 1)
        self.assertRegex(gone.stdout, r"^ConfigMap/none -n troubles\n  verdict     NotFound, ")
        fine = self.kstatus("explain", "gauge/gauge")
        self.assertEqual(fine.returncode, 0)
        self.assertNotIn("causes", fine.stdout)
        strange = self.kstatus("explain", "gizmos/x")
        self.assertEqual(strange.returncode, 1)
        self.assertRegex(strange.stdout, r"(?m)^gizmos/x\n  target      not served\n")
        self.assertRegex(strange.stdout, r"(?m)^  verdict     Unknown, (?s:.)*^  error       \S")
        states = [json.loads(line) for line in self.kstatus("explain", "-o", "json", "gizmos/x").stdout.splitlines()]
        self.assertEqual((states[0]["target"], states[0]["state"]), ("gizmos/x", "not served"))
        self.assertTrue(states[1]["error"])
        self.assertEqual(self.kstatus("explain").returncode, 2)
        self.assertEqual(self.kstatus("explain", "pods/pull", "--now", "2026-01-01T00:00:00Z").returncode, 2)

    def test_the_table_shows_the_first_cause(self):
        table = self.kstatus("get", *NAMED, "gauge/gauge").stdout
        self.assertRegex(table, r"(?m)^. Failed +StatefulSet/set .* CRASH_LOOP at Pod/set-\d, container app: Ended with code 1")
        self.assertRegex(table, r"(?m)^. InProgress +Pod/pull .* IMAGE_PULL_ERROR, container app: ")
        self.assertRegex(table, r"(?m)^. Failed +Pod/nowhere .* AFFINITY_NOT_MET: 0/2 nodes")
        self.assertRegex(table, r"(?m)^. Terminating +ConfigMap/stuck .* FINALIZER_PENDING: ")
        self.assertRegex(table, r"(?m)^. Current +Gauge/gauge +- +Assumed|(?m:^. Current +Gauge/gauge .*Assumed)")

    def test_lines_and_events_have_it_too(self):
        lines = self.kstatus("watch", "--for", "1s", "sts/set", "gauge/gauge").stdout
        self.assertRegex(lines, r"Failed +StatefulSet/set -n troubles  \[PodsFailed\] \S.* <- CRASH_LOOP at Pod/set-\d, ")
        self.assertRegex(lines, r"(?m)Current +Gauge/gauge -n troubles  [^<]*$")
        events = [json.loads(line) for line in
                  self.kstatus("watch", "--for", "1s", "-o", "json", "sts/set").stdout.splitlines()]
        causes = [event["update"]["causes"] for event in events if "update" in event]
        self.assertEqual(causes[0][0]["code"], "CRASH_LOOP")
        got = [json.loads(line) for line in self.kstatus("get", "-o", "json", "sts/set").stdout.splitlines()]
        self.assertTrue(re.fullmatch(r"set-\d", got[0]["update"]["causes"][0]["source"]["name"]))


if __name__ == "__main__":
    unittest.main()
