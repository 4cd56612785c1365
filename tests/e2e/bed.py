# SPDX-License-Identifier: Apache-2.0
"""What the tests of this folder stand on: a control plane and a kstatusd of one's own, and their way to be counted.

    bed = Bed()                     # in setUpModule: starts both, and ends them with the module

    if __name__ == "__main__":
        main()                      # unittest's; --tally FILE gets "RAN BROKEN"
"""

import json
import os
import pathlib
import shutil
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/system"), str(ROOT / "tests/cluster")]

import cluster as control_plane  # noqa: E402
import harness  # noqa: E402


class Bed:
    def __init__(self):
        self.scratch = tempfile.mkdtemp(prefix="kstatusd-e2e-")
        unittest.addModuleCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        self.cluster = control_plane.Cluster(os.path.join(self.scratch, "cluster"))
        unittest.addModuleCleanup(self.cluster.down)
        self.cluster.up()
        self.daemon = self.start_daemon(self.cluster.kubeconfig)
        unittest.addModuleCleanup(self.daemon.stop)

    def start_daemon(self, kubeconfig):
        return harness.Kstatusd(kubeconfig)

    def kubectl(self, namespace, *words, stdin=None):
        return self.cluster.kubectl("-n", namespace, *words, stdin=stdin)

    def apply(self, namespace, *manifests):
        for manifest in manifests:
            self.kubectl(namespace, "apply", "-f", "-", stdin=json.dumps(manifest))

    def create(self, namespace, *manifests):
        for manifest in manifests:
            self.kubectl(namespace, "create", "-f", "-", stdin=json.dumps(manifest))

    def define(self, definition):
        """Creates a CRD, and waits until its kind is served: a while after it is called Established."""
        self.create("default", definition)
        spec = definition["spec"]
        path = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
        self.cluster.wait(path, lambda: self.cluster.request("GET", path)[0] == 200)

    def patch(self, namespace, target, change, *words):
        self.kubectl(namespace, "patch", target, "--type=merge", "-p", json.dumps(change), *words)


def main(**options):
    """options: words of the command line that the test takes itself, each with what is then called."""
    tally = None
    if "--tally" in sys.argv:
        at = sys.argv.index("--tally")
        tally = sys.argv[at + 1]
        del sys.argv[at:at + 2]
    for name, begin in options.items():
        if f"--{name}" in sys.argv:
            sys.argv.remove(f"--{name}")
            begin()
    result = unittest.main(exit=False, verbosity=2).result
    broken = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses) + len(result.skipped)
    if tally:
        pathlib.Path(tally).write_text(f"{max(result.testsRun, broken)} {broken}\n")
    sys.exit(1 if broken or not result.testsRun else 0)
