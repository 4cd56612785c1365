#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/migrating.md on a real control plane: kubectl's own waits beside what they become.

usage: test_migrating.py [--tally FILE] [unittest's arguments]
"""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import bed
import harness
import migrating_support

LIMIT_S = 120
NAMESPACES = ("shop", "flux-system")


def setUpModule():
    global BED
    BED = bed.Bed()


def workload(kind, name, **spec):
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"},
            "spec": {"selector": {"matchLabels": {"app": name}}, **spec,
                     "template": {"metadata": {"labels": {"app": name}},
                                  "spec": {"containers": [{"name": "main", "image": "image:1"}]}}}}


WEB = workload("Deployment", "web", replicas=2)
DB = workload("StatefulSet", "db", replicas=1, serviceName="db")
AGENT = workload("DaemonSet", "agent")
MIGRATE = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate", "namespace": "shop"},
           "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "image:1"}]}}}}
OLD = {"apiVersion": "v1", "kind": "Pod",
       "metadata": {"name": "old", "namespace": "shop", "finalizers": ["example.dev/stays"]},
       "spec": {"containers": [{"name": "main", "image": "image:1"}]}}
GEAR = {"apiVersion": "example.dev/v1", "kind": "Widget", "metadata": {"name": "gear", "namespace": "shop"}}
APPS = {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": "apps", "namespace": "flux-system"}}
DEFINITIONS = [harness.crd("widgets", "example.dev", True), harness.crd("kustomizations", "kustomize.toolkit.fluxcd.io", True)]
READY = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}


class Migrating(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="ks-migrating-")))
        (self.folder / "app.yaml").write_text(json.dumps(WEB))
        for namespace in NAMESPACES:
            BED.cluster.kubectl("create", "namespace", namespace)
            self.addCleanup(BED.cluster.kubectl, "delete", "namespace", namespace)

    def run_lines(self, lines):
        environment = {**os.environ, "KSTATUS_SERVER": BED.daemon.grpc, "KUBECONFIG": str(BED.cluster.kubeconfig),
                       "PATH": f"{BED.cluster.path('bin')}:{harness.BIN}:{os.environ['PATH']}"}
        return subprocess.run(["sh", "-c", migrating_support.script(lines)], cwd=self.folder, env=environment, text=True,
                              capture_output=True, timeout=LIMIT_S, check=False)

    def pairs(self):
        found = [(today, lines) for today, lines in migrating_support.pairs() if today.startswith("kubectl ")]
        self.assertGreater(len(found), 10)
        return found

    def define(self):
        for definition in DEFINITIONS:
            BED.define(definition)
            self.addCleanup(BED.cluster.kubectl, "delete", "crd", definition["metadata"]["name"])

    def test_where_all_is_well_both_say_so(self):
        self.define()
        BED.apply("shop", WEB, DB, AGENT, MIGRATE, GEAR)
        BED.apply("flux-system", APPS)
        BED.patch("shop", "widget/gear", READY, "--subresource=status")
        BED.patch("flux-system", "kustomization/apps", READY, "--subresource=status")
        for today, lines in self.pairs():
            with self.subTest(today=today):
                theirs = self.run_lines([today])
                self.assertEqual(theirs.returncode, 0, theirs.stdout + theirs.stderr)
                ours = self.run_lines(lines)
                self.assertEqual(ours.returncode, 0, ours.stdout + ours.stderr)
                self.assertIn("reached after", ours.stdout)

    def test_where_nothing_is_there_kubectl_gives_up_at_once(self):
        BED.create("shop", OLD)
        self.addCleanup(BED.patch, "shop", "pod/old", {"metadata": {"finalizers": None}})
        BED.kubectl("shop", "delete", "pod/old", "--wait=false")
        for today, lines in self.pairs():
            if "kubectl apply" in today or "annotate" in " ".join(lines):
                continue
            with self.subTest(today=today):
                theirs = self.run_lines([re.sub(r"--timeout=\S+", "--timeout=1s", today)])
                self.assertNotEqual(theirs.returncode, 0, theirs.stdout + theirs.stderr)
                ours = self.run_lines(migrating_support.hurried(lines))
                self.assertEqual(ours.returncode, 3, ours.stdout + ours.stderr)
                self.assertIn("timed out after", ours.stdout)

    def test_a_rollout_that_fails_is_lost_for_both(self):
        broken = json.loads(json.dumps(WEB))
        broken["spec"]["progressDeadlineSeconds"] = 1
        broken["spec"]["template"]["spec"]["nodeSelector"] = {"there": "is-none"}
        BED.apply("shop", broken)
        theirs = self.run_lines(["kubectl rollout status -n shop deploy/web --timeout=2m"])
        self.assertEqual(theirs.returncode, 1, theirs.stdout + theirs.stderr)
        self.assertIn("exceeded its progress deadline", theirs.stdout + theirs.stderr)
        ours = self.run_lines(["kstatus wait -n shop deploy/web --timeout 2m --fail-fast"])
        self.assertEqual(ours.returncode, 1, ours.stdout + ours.stderr)
        self.assertIn("given up after", ours.stdout)
        self.assertIn("AFFINITY_NOT_MET", ours.stdout)  # kubectl does not say why

    def test_the_one_that_was_just_applied(self):
        BED.apply("shop", WEB)
        self.assertEqual(self.run_lines(["kstatus wait -n shop deploy/web --timeout 2m"]).returncode, 0)
        newer = json.loads(json.dumps(WEB))
        newer["spec"]["template"]["spec"]["nodeSelector"] = {"there": "is-none"}
        (self.folder / "app.yaml").write_text(json.dumps(newer))
        ours = self.run_lines(["kubectl apply -f app.yaml -o json | kstatus wait --applied -f - --timeout 2s"])
        self.assertEqual(ours.returncode, 3, ours.stdout + ours.stderr)
        newer["spec"]["template"]["spec"].pop("nodeSelector")
        newer["spec"]["template"]["spec"]["containers"][0]["image"] = "image:2"
        (self.folder / "app.yaml").write_text(json.dumps(newer))
        ours = self.run_lines(["kubectl apply -f app.yaml -o json | kstatus wait --applied -f - --timeout 2m"])
        self.assertEqual(ours.returncode, 0, ours.stdout + ours.stderr)


if __name__ == "__main__":
    bed.main()
