# SPDX-License-Identifier: Apache-2.0
"""Every command of the README and of the examples' pages runs.

A command in a `sh` block is run here as it stands, in a folder that looks like a built checkout, against kubesim with
the objects that the README speaks of. What other suites run (the `make` targets that build or test, Go) is listed with
its suite; a command that is neither fails the test, so that nobody adds one that nobody runs.
"""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import harness

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = ["README.md", "examples/python/README.md", "examples/go/README.md", "tests/e2e/README.md"]
ELSEWHERE = {
    "make demo": "make test-fresh",
    "make test": "make test-fresh",
    "make test-cluster": ".ci/run",
    "examples/go/run 127.0.0.1:7443 shop deploy/web": "tests/e2e",
    "examples/go/run 127.0.0.1:7443 demo deploy/web": "tests/e2e",
}
MANIFESTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
"""


def commands(page):
    text = (ROOT / page).read_text()
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.S | re.M):
        for line in block.splitlines():
            if line.strip():
                yield line.strip()


def shop_objects(namespace):
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate", "namespace": namespace}, "spec": {},
           "status": {"startTime": "2026-01-01T00:00:00Z", "conditions": [{"type": "Complete", "status": "True"}]}}
    db = {"apiVersion": "apps/v1", "kind": "StatefulSet",
          "metadata": {"name": "db", "namespace": namespace, "generation": 1}, "spec": {"replicas": 1},
          "status": {"observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "currentReplicas": 1, "updatedReplicas": 1}}
    return [harness.deployment("web", namespace=namespace), harness.pod("web-0", namespace=namespace, app="web"),
            harness.config_map("settings", namespace), job, db]


def search():
    """What the README's sample of explain tells of, but for its Pod."""
    return {"apiVersion": "apps/v1", "kind": "StatefulSet",
            "metadata": {"name": "search", "namespace": "shop", "generation": 7}, "spec": {"replicas": 3},
            "status": {"observedGeneration": 7, "replicas": 3, "readyReplicas": 2, "currentReplicas": 3, "updatedReplicas": 3}}


def search_pod(owner_uid):
    pod = harness.pod("search-2", ready=False, namespace="shop", app="search")
    pod["metadata"]["ownerReferences"] = [
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "search", "uid": owner_uid, "controller": True}]
    pod["status"]["phase"] = "Pending"
    pod["status"]["containerStatuses"][0]["state"] = {"waiting": {
        "reason": "ImagePullBackOff", "message": 'Back-off pulling image "registry.example/search:2.1": not found'}}
    return pod


class Readme(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.sim = harness.Kubesim()
        cls.addClassCleanup(cls.sim.__exit__, None, None, None)
        cls.sim.apply(*harness.create(*shop_objects("shop"), *shop_objects("demo")))
        cls.sim.apply(*harness.create(search()))
        made = json.loads(cls.sim.request("GET", "/apis/apps/v1/namespaces/shop/statefulsets/search"))
        cls.sim.apply(*harness.create(search_pod(made["metadata"]["uid"])))
        cls.server = harness.Kstatusd(cls.sim.kubeconfig)
        cls.addClassCleanup(cls.server.__exit__, None, None, None)
        folder = tempfile.TemporaryDirectory(prefix="ks-readme-")
        cls.addClassCleanup(folder.cleanup)
        cls.checkout = pathlib.Path(folder.name)
        cls.lay_out()

    @classmethod
    def lay_out(cls):
        for name in ("examples", "proto"):
            (cls.checkout / name).symlink_to(ROOT / name)
        (cls.checkout / "build").mkdir()
        (cls.checkout / "build/bin").symlink_to(harness.BIN)
        (cls.checkout / "manifests.yaml").write_text(MANIFESTS)
        (cls.checkout / ".kube").mkdir()
        (cls.checkout / ".kube/config").write_text(cls.sim.kubeconfig.read_text())
        # kubectl may be absent: what it would print is asked from the API server.
        listed = json.loads(cls.sim.request("GET", "/apis/apps/v1/deployments"))
        listed["kind"], listed["apiVersion"] = "List", "v1"
        for item in listed["items"]:
            item.update(kind="Deployment", apiVersion="apps/v1")
        (cls.checkout / "list.json").write_text(json.dumps(listed))
        kubectl = cls.checkout / "kubectl"
        kubectl.write_text(f"#!/bin/sh\nexec cat {cls.checkout}/list.json\n")
        kubectl.chmod(0o755)

    def run_command(self, command, limit_s):
        # The README's server has the default ports; here it got free ones.
        command = command.replace("127.0.0.1:7443", self.server.grpc)
        if "kstatusd " in command:
            command += " --listen 127.0.0.1:0 --http 127.0.0.1:0"
        environment = {**os.environ, "HOME": str(self.checkout), "KSTATUS_SERVER": self.server.grpc,
                       "PATH": f"{self.checkout}:{os.environ['PATH']}"}
        return subprocess.run(["timeout", "--preserve-status", "-s", "INT", str(limit_s), "sh", "-c", "exec " + command
                               if "|" not in command else command], cwd=self.checkout, env=environment, text=True,
                              capture_output=True, timeout=60 * harness.SLOW, check=False)

    def test_every_command(self):
        seen = 0
        for page in PAGES:
            for command in commands(page):
                if command in ELSEWHERE:
                    continue
                with self.subTest(page=page, command=command):
                    # Those that run until they are stopped get two seconds and a Ctrl-C.
                    limit_s = 2 * harness.SLOW if " watch " in command or "kstatusd " in command else 50 * harness.SLOW
                    done = self.run_command(command, limit_s)
                    self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                    self.assertTrue(done.stdout)
                    seen += 1
        self.assertGreater(seen, 5)

    def test_the_sample_of_explain_is_what_it_prints(self):
        sample = re.search(r"^```text\n(StatefulSet/search .*?)^```", (ROOT / "README.md").read_text(), re.S | re.M).group(1)
        done = self.run_command("build/bin/kstatus explain -n shop sts/search", 50 * harness.SLOW)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.rstrip("\n"), sample.rstrip("\n"), "capture it anew")

    def test_the_python_snippet_is_python(self):
        for block in re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.S | re.M):
            compile(block, "README.md", "exec")
