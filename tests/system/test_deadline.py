# SPDX-License-Identifier: Apache-2.0
"""Who waits for a short time only is told what kstatusd knows, before the time is up; and profiles on the way through."""

import subprocess
import unittest

import stream  # noqa: F401  makes the stubs
from stream import Watch, object_target, pb, pb_grpc, selector_target, status_name
from harness import BIN, SLOW, Bench, Kstatusd, Kubesim, create, hang, pod

LIMIT_S = 10 * SLOW
PLUGIN = ("exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: sleep, args: ['1000']}")


def kstatus_get(server, *arguments):
    done = subprocess.run([BIN / "kstatus", "get", "-s", server.grpc, "-n", "default", *arguments],
                          capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


class ShortOfTime(unittest.TestCase):
    def edited(self, sim, old, new):
        """A copy of its kubeconfig with a text replaced."""
        text = sim.kubeconfig.read_text()
        self.assertIn(old, text)
        path = sim.kubeconfig.with_name("edited")
        path.write_text(text.replace(old, new))
        return path

    def told(self, kubeconfig, cause):
        with Kstatusd(kubeconfig) as server:
            code, out, errors = kstatus_get(server, "cm/one", "--timeout", f"{2 * SLOW:.0f}s")
            self.assertEqual((code, errors), (1, ""), out)
            self.assertIn("Unknown", out)
            self.assertIn(cause, out)
            with server.channel() as channel:
                answer = pb_grpc.StatusServiceStub(channel).Get(
                    pb.GetRequest(targets=[object_target(1, "cm", "one", "default"), selector_target(2, "cm", "default")]),
                    timeout=2 * SLOW)
            self.assertEqual([status_name(u) for u in answer.statuses], ["UNKNOWN"])
            self.assertIn(cause, answer.statuses[0].error.message)
            self.assertEqual({c.target_id for c in answer.target_errors}, {1, 2})
            self.assertEqual(answer.aggregate_status, pb.RECONCILE_STATUS_UNKNOWN)

    def test_api_server_down(self):
        with Kubesim() as sim:
            self.told(self.edited(sim, sim.url, "https://127.0.0.1:1"), "connection refused")

    def test_api_server_of_an_unknown_authority(self):
        with Kubesim() as sim, Kubesim() as other:
            self.told(self.edited(sim, sim.url, other.url), "certificate")

    def test_plugin_that_hangs(self):
        with Kubesim() as sim:
            self.told(self.edited(sim, "token: admin", PLUGIN), "the credential plugin sleep has not answered")

    def test_api_server_that_hangs(self):
        with Kubesim() as sim:
            sim.apply(hang("/api/v1/"))
            self.told(sim.kubeconfig, "the API server has not listed it within")

    def test_a_watch_with_a_deadline_gets_its_first_answers(self):
        with Kubesim() as sim:
            sim.apply(hang("/api/v1/"))
            with Kstatusd(sim.kubeconfig) as server, server.channel() as channel:
                events = []
                call = pb_grpc.StatusServiceStub(channel).Watch(
                    pb.WatchRequest(targets=[object_target(1, "cm", "one", "default")]), timeout=2 * SLOW)
                for response in call:
                    events.extend(response.events)
                    if events[-1].HasField("synced"):
                        break
                self.assertTrue(any(e.update.error.message for e in events if e.HasField("update")))
                call.cancel()


class Profiles(Bench):
    def test_strict_goes_through(self):
        failed = pod("broken", ready=False)
        failed["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
        failed["status"] = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory."}
        self.sim.apply(*create(failed))
        target = object_target(1, "pod", "broken", "default")
        seen = {}
        for profile in ("", "kstatus", "strict"):
            watch = Watch(self.server, target, options=pb.WatchOptions(profile=profile))
            watch.wait_synced(LIMIT_S)
            self.assertEqual(watch.history[0].accepted.effective_options.profile, profile or "kstatus")
            seen[profile] = status_name(watch.updates["Pod", "broken"])
            watch.close()
        self.assertEqual(seen, {"": "CURRENT", "kstatus": "CURRENT", "strict": "FAILED"})
        code, out, _ = kstatus_get(self.server, "pod/broken", "--profile", "strict")
        self.assertEqual(code, 1)
        self.assertIn("Failed", out)
        code, out, _ = kstatus_get(self.server, "pod/broken")
        self.assertEqual(code, 0)
        self.assertIn("Current", out)


if __name__ == "__main__":
    unittest.main()
