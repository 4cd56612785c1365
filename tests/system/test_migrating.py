# SPDX-License-Identifier: Apache-2.0
"""Every command of docs/migrating.md: reached where all is well, timed out or lost where nothing is.

kubectl, helm and flux are played: they print what they would, and change nothing.
"""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import harness
import migrating_support

LIMIT_S = 60 * harness.SLOW
PLAYED = """#!/bin/sh
case "$*" in
"apply "*) exec cat applied.json ;;
"annotate "*) exec cat kustomization.json ;;
"get manifest "*) exec cat manifest.yaml ;;
esac
"""
MANIFEST = """---
# Source: web/templates/web.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: %s}
"""



def custom(api_version, kind, name, namespace, is_well):
    made = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace, "generation": 1}}
    if is_well:
        made["status"] = {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}
    return made


def daemon_set(is_well):
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "agent", "namespace": "shop", "generation": 1},
            "spec": {"updateStrategy": {"type": "RollingUpdate"}},
            "status": {"observedGeneration": 1, "desiredNumberScheduled": 2, "currentNumberScheduled": 2,
                       "updatedNumberScheduled": 2, "numberAvailable": 2 * is_well, "numberReady": 2 * is_well}}


def stateful_set(is_well):
    return {"apiVersion": "apps/v1", "kind": "StatefulSet",
            "metadata": {"name": "db", "namespace": "shop", "generation": 1}, "spec": {"replicas": 1},
            "status": {"observedGeneration": 1, "replicas": 1, "readyReplicas": int(is_well), "currentReplicas": 1,
                       "updatedReplicas": 1}}


def job(is_well):
    made = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate", "namespace": "shop"}, "spec": {},
            "status": {"startTime": "2026-01-01T00:00:00Z", "active": 1}}
    if is_well:
        made["status"] = {"startTime": "2026-01-01T00:00:00Z", "succeeded": 1,
                          "conditions": [{"type": "Complete", "status": "True"}]}
    return made


def world(is_well):
    objects = [harness.crd("widgets", "example.dev", True), harness.crd("kustomizations", "kustomize.toolkit.fluxcd.io", True),
               harness.deployment("web", ready=3 * is_well, namespace="shop"),
               harness.pod("web-0", ready=is_well, namespace="shop", app="web"), stateful_set(is_well), daemon_set(is_well),
               job(is_well), custom("example.dev/v1", "Widget", "gear", "shop", is_well),
               custom("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "apps", "flux-system", is_well)]
    if not is_well:  # what is to be gone is there still
        objects += [harness.pod("old", namespace="shop")]
    return objects


class Migrating(unittest.TestCase):
    """Two worlds: in one all is well, in the other nothing is."""

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="ks-migrating-")))
        for name in ("kubectl", "helm", "flux"):
            (self.folder / name).write_text(PLAYED)
            (self.folder / name).chmod(0o755)

    def open(self, is_well):
        sim = self.enterContext(harness.Kubesim())
        sim.apply(*harness.create(*world(is_well)))
        server = self.enterContext(harness.Kstatusd(sim.kubeconfig))
        items = [json.loads(sim.request("GET", "/apis/apps/v1/namespaces/shop/deployments/web"))]
        flux = sim.request("GET", "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/apps")
        (self.folder / "applied.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        (self.folder / "kustomization.json").write_text(flux)
        return server

    def run_lines(self, server, lines, manifest):
        (self.folder / "manifest.yaml").write_text(MANIFEST % manifest)
        environment = {**os.environ, "KSTATUS_SERVER": server.grpc, "PATH": f"{self.folder}:{harness.BIN}:{os.environ['PATH']}"}
        return subprocess.run(["sh", "-c", migrating_support.script(lines)], cwd=self.folder, env=environment, text=True,
                              capture_output=True, timeout=LIMIT_S, check=False)

    def test_where_all_is_well(self):
        server = self.open(True)
        pairs = migrating_support.pairs()
        self.assertGreater(len(pairs), 15)
        for today, lines in pairs:
            with self.subTest(today=today):
                self.assertTrue(today)
                self.assertTrue(any("kstatus wait" in line for line in lines))
                done = self.run_lines(server, lines, "gone" if "uninstall" in today else "web")
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertIn("reached after", done.stdout)

    def test_where_nothing_is(self):
        server = self.open(False)
        for today, lines in migrating_support.pairs():
            if "widgets.example.dev" in today:
                continue  # kubesim establishes at once
            with self.subTest(today=today):
                done = self.run_lines(server, migrating_support.hurried(lines), "web")
                self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
                self.assertIn("timed out after", done.stdout)


if __name__ == "__main__":
    unittest.main()
