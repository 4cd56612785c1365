# SPDX-License-Identifier: Apache-2.0
"""What a user sees of things that go wrong, on a recording of a real control plane (tests/e2e/test_scenarios.py)."""

import pathlib
import unittest

import harness
from troubles_support import TROUBLES, Watch

RECORDING = pathlib.Path(__file__).resolve().parents[1] / "scenarios/troubles.ndjson"
LIMIT_S = 20


class Troubles(unittest.TestCase):
    def test_each_is_told_as_on_the_control_plane(self):
        with harness.Kubesim("--scenario", RECORDING) as sim, harness.Kstatusd(sim.kubeconfig) as daemon:
            for profile in ("kstatus", "strict"):
                watch = Watch(daemon, profile)
                self.addCleanup(watch.close)
                watch.wait_synced(LIMIT_S)
                for trouble in TROUBLES:
                    with self.subTest(trouble=trouble.name, profile=profile):
                        watch.wait_trouble(trouble, profile, LIMIT_S)


if __name__ == "__main__":
    unittest.main()
