# SPDX-License-Identifier: Apache-2.0
"""Options that say how a stream is to go: an interval between updates, everything again now and then, nothing at all."""

import unittest

from google.protobuf.duration_pb2 import Duration

import grpc
from stream import Watch, object_target, pb, pb_grpc, selector_target, status_name
from harness import SLOW, Bench, create, delete, config_map, patch_status, pod, pod_status

LIMIT_S = 20 * SLOW


class Pace(Bench):
    def watch(self, *targets, **options):
        watch = Watch(self.server, *targets, options=pb.WatchOptions(**options))
        self.addCleanup(watch.close)
        return watch

    def updates(self, watch, name):
        return [e.update for e in watch.history if e.WhichOneof("event") == "update" and e.update.object.name == name]

    def flap(self, name, times):
        for turn in range(times):
            self.sim.apply(patch_status(pod(name), pod_status(turn % 2 == 1)))

    def test_an_interval_between_updates(self):
        self.sim.apply(*create(pod("flaps"), pod("marks")))
        watch = self.watch(object_target(1, "po", "flaps", "default"), object_target(2, "po", "marks", "default"),
                           min_update_interval=Duration(seconds=3600))
        watch.wait_synced(LIMIT_S)
        self.flap("flaps", 9)
        self.sim.apply(delete(pod("marks")))  # its first update after Synced is held as well
        self.flap("flaps", 1)
        late = self.watch(object_target(1, "po", "flaps", "default"), object_target(2, "po", "marks", "default"))
        late.wait_synced(LIMIT_S)  # the server has seen it all
        self.assertEqual(len(self.updates(watch, "flaps")), 1)
        self.assertEqual(watch.history[0].accepted.effective_options.min_update_interval.seconds, 3600)

    def test_what_is_held_comes_and_is_counted(self):
        self.sim.apply(*create(pod("held")))
        watch = self.watch(object_target(1, "po", "held", "default"), min_update_interval=Duration(seconds=1))
        watch.wait_synced(LIMIT_S)
        self.flap("held", 5)  # ends not ready
        watch.wait_status("held", "IN_PROGRESS", LIMIT_S)
        told = self.updates(watch, "held")
        self.sim.apply(patch_status(pod("held"), pod_status(True)))
        watch.wait("all changes to be accounted for", lambda: len(self.updates(watch, "held")) + sum(
            u.coalesced_count for u in self.updates(watch, "held")) == 7, LIMIT_S)
        self.assertEqual(status_name(self.updates(watch, "held")[-1]), "CURRENT")
        self.assertLess(len(told), 6)

    def test_everything_again(self):
        self.sim.apply(*create(config_map("again"), config_map("again-too", app="again")))
        watch = self.watch(object_target(1, "cm", "again", "default"), selector_target(2, "cm", "default", "app=again"),
                           resync_period=Duration(seconds=1))
        for name in ("again", "again-too"):
            watch.wait(f"{name} to be told three times", lambda name=name: len(self.updates(watch, name)) >= 3, LIMIT_S)
            first, second = self.updates(watch, name)[:2]
            self.assertEqual((status_name(first), first.previous_status), ("CURRENT", 0))
            self.assertEqual((status_name(second), second.previous_status), ("CURRENT", second.status))

    def test_blind(self):
        before = len(self.sim.requests())
        watch = self.watch(object_target(1, "po", "unseen", "default"), blind=True, heartbeat_interval=Duration(seconds=1))
        watch.targets = ()  # none of them is answered
        watch.wait("a heartbeat", lambda: watch.history[-1:] and watch.history[-1].WhichOneof("event") == "heartbeat", LIMIT_S)
        self.assertEqual([e.WhichOneof("event") for e in watch.history][:2], ["accepted", "synced"])
        self.assertTrue(watch.history[0].accepted.effective_options.blind)
        answer = pb_grpc.StatusServiceStub(self.channel).Get(
            pb.GetRequest(targets=[object_target(1, "po", "unseen", "default")], options=pb.WatchOptions(blind=True)),
            timeout=LIMIT_S)
        self.assertEqual(list(answer.statuses), [])
        self.assertEqual([r for r in self.sim.requests()[before:] if "unseen" in r.get("path", "")], [])

    def test_counts_alone(self):
        self.sim.apply(*create(pod("counted", app="counted"), pod("counted-too", app="counted")))
        target = selector_target(1, "po", "default", "app=counted")
        watch = self.watch(target, summary_only=True)
        watch.wait_synced(LIMIT_S)
        self.assertEqual(watch.synced.counts.current, 2)
        self.flap("counted", 1)
        last = lambda: watch.history[-1].heartbeat.counts  # noqa: E731
        watch.wait("the counts to change", lambda: (last().current, last().in_progress) == (1, 1), LIMIT_S)
        self.sim.apply(delete(pod("counted-too")))
        watch.wait("the counts to change again", lambda: (last().current, last().in_progress) == (0, 1), LIMIT_S)
        kinds = {e.WhichOneof("event") for e in watch.history}
        self.assertEqual(kinds, {"accepted", "target_change", "synced", "heartbeat"})
        answer = pb_grpc.StatusServiceStub(self.channel).Get(
            pb.GetRequest(targets=[target], options=pb.WatchOptions(summary_only=True)), timeout=LIMIT_S)
        self.assertEqual((list(answer.statuses), answer.counts.in_progress), ([], 1))

    def test_a_get_has_no_pace(self):
        for option in ("min_update_interval", "resync_period"):
            with self.assertRaises(grpc.RpcError) as caught:
                pb_grpc.StatusServiceStub(self.channel).Get(
                    pb.GetRequest(targets=[object_target(1, "po", "x", "default")],
                                  options=pb.WatchOptions(**{option: Duration(seconds=1)})), timeout=LIMIT_S)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
            self.assertIn("options." + option, caught.exception.details())


if __name__ == "__main__":
    unittest.main()
