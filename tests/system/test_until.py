# SPDX-License-Identifier: Apache-2.0
"""Goals: a Watch with `until` ends with an outcome, and Wait answers with one."""

import threading
import unittest

import grpc

from stream import Watch, object_target, pb, pb_grpc, selector_target, status_name
from harness import SLOW, Bench, Kstatusd, Kubesim, config_map, crd, create, delete, deployment, patch_status, pod, \
    pod_status

LIMIT_S = 20 * SLOW
CURRENT, NOT_FOUND, TERMINAL = (pb.Until.GOAL_ALL_CURRENT, pb.Until.GOAL_ALL_NOT_FOUND, pb.Until.GOAL_ALL_TERMINAL)


def until(goal, timeout_s=None, stable_s=None, **more):
    wanted = pb.Until(goal=goal, **more)
    if timeout_s is not None:
        wanted.timeout.FromMilliseconds(round(timeout_s * 1000))
    if stable_s is not None:
        wanted.stable_for.FromMilliseconds(round(stable_s * 1000))
    return wanted


def in_way(outcome):
    """What stood in the way, as (name, status, code of the obstacle)."""
    return [(s.object.name, status_name(s), s.obstacle.code) for s in outcome.blocking]


def verdict(outcome):
    return pb.Outcome.Verdict.Name(outcome.verdict).removeprefix("VERDICT_")


class Until(Bench):
    def watch(self, *targets, **more):
        watch = Watch(self.server, *targets, **more)
        self.addCleanup(watch.close)
        return watch

    def test_all_current(self):
        self.sim.apply(*create(pod("current-0", ready=False), pod("current-1")))
        watch = self.watch(object_target(1, "po", "current-0", "default"), object_target(2, "po", "current-1", "default"),
                           until=until(CURRENT))
        watch.wait_synced(LIMIT_S)
        self.assertFalse(watch.outcome)
        self.sim.apply(patch_status(pod("current-0"), pod_status(True)))
        self.assertEqual(watch.wait_outcome(LIMIT_S), "REACHED")
        self.assertEqual((watch.outcome.counts.current, list(watch.outcome.blocking)), (2, []))

    def test_what_never_appears_is_in_the_way_and_so_is_a_selection_of_nothing(self):
        watch = self.watch(object_target(1, "po", "nowhere", "default"), until=until(CURRENT, timeout_s=1))
        self.assertEqual(watch.wait_outcome(LIMIT_S), "TIMED_OUT")
        self.assertEqual(in_way(watch.outcome), [("nowhere", "NOT_FOUND", "")])
        watch = self.watch(selector_target(7, "po", "default", "app=nowhere"), until=until(CURRENT, timeout_s=1))
        self.assertEqual(watch.wait_outcome(LIMIT_S), "TIMED_OUT")
        self.assertEqual([(s.object.kind, s.reason, list(s.target_ids)) for s in watch.outcome.blocking],
                         [("po", "NothingSelected", [7])])

    def test_what_appears_later_is_waited_for(self):
        watch = self.watch(object_target(1, "po", "later", "default"), until=until(CURRENT))
        watch.wait_synced(LIMIT_S)
        self.sim.apply(*create(pod("later")))
        self.assertEqual(watch.wait_outcome(LIMIT_S), "REACHED")

    def test_fail_fast_and_terminal(self):
        failed = {**deployment("broken", ready=0)}
        failed["status"]["conditions"] = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
        self.sim.apply(*create(failed))
        targets = [object_target(1, "deploy", "broken", "default"), object_target(2, "po", "nowhere", "default")]
        watch = self.watch(*targets, until=until(CURRENT, fail_fast=True))
        self.assertEqual(watch.wait_outcome(LIMIT_S), "FAILED")
        self.assertEqual(in_way(watch.outcome)[0], ("broken", "FAILED", ""))
        watch = self.watch(*targets, until=until(CURRENT, timeout_s=1))
        self.assertEqual(watch.wait_outcome(LIMIT_S), "TIMED_OUT")
        self.assertEqual(in_way(watch.outcome), [("broken", "FAILED", ""), ("nowhere", "NOT_FOUND", "")])
        watch = self.watch(targets[0], until=until(TERMINAL))
        self.assertEqual(watch.wait_outcome(LIMIT_S), "REACHED")
        self.assertEqual(watch.outcome.counts.failed, 1)

    def test_all_not_found(self):
        self.sim.apply(*create(config_map("leaving", app="go"), config_map("leaves-too", app="go")))
        watch = self.watch(object_target(1, "cm", "leaving", "default"), selector_target(2, "cm", "default", "app=go"),
                           until=until(NOT_FOUND))
        watch.wait_synced(LIMIT_S)
        self.sim.apply(delete(config_map("leaving")), *create(config_map("leaving")))  # another one, by its UID
        self.assertFalse(watch.outcome)
        self.sim.apply(delete(config_map("leaves-too")))
        self.assertEqual(watch.wait_outcome(LIMIT_S), "REACHED")

    def test_best_effort_targets_hold_up_nothing(self):
        self.sim.apply(*create(pod("needed")))
        nice = object_target(2, "po", "nice-to-have", "default")
        nice.best_effort = True
        watch = self.watch(object_target(1, "po", "needed", "default"), nice, until=until(CURRENT))
        self.assertEqual(watch.wait_outcome(LIMIT_S), "REACHED")
        self.assertEqual(watch.outcome.counts.not_found, 1)

    def test_stable_for(self):
        self.sim.apply(*create(pod("flaps")))
        watch = self.watch(object_target(1, "po", "flaps", "default"), until=until(CURRENT, stable_s=1))
        watch.wait_synced(LIMIT_S)
        self.sim.apply(patch_status(pod("flaps"), pod_status(False)))
        watch.wait_status("flaps", "IN_PROGRESS", LIMIT_S)
        self.assertFalse(watch.outcome)
        self.sim.apply(patch_status(pod("flaps"), pod_status(True)))
        self.assertEqual(watch.wait_outcome(LIMIT_S), "REACHED")

    def test_min_basis(self):
        widget = {"apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": 1,
                  "metadata": {"name": "says-nothing", "namespace": "default"}}
        self.sim.apply(*create(widget))
        target = object_target(1, "controllerrevisions", "says-nothing", "default")
        watch = self.watch(target, until=until(CURRENT))
        self.assertEqual(watch.wait_outcome(LIMIT_S), "REACHED")
        watch = self.watch(target, until=until(CURRENT, timeout_s=1, min_basis=pb.STATUS_BASIS_STANDARD_CONDITION))
        self.assertEqual(watch.wait_outcome(LIMIT_S), "TIMED_OUT")
        self.assertEqual(in_way(watch.outcome), [("says-nothing", "CURRENT", "WEAK_BASIS")])

    def test_what_was_applied_is_waited_for(self):
        self.sim.apply(*create(config_map("applied")))
        first = self.watch(object_target(1, "cm", "applied", "default"), until=until(CURRENT))
        self.assertEqual(first.wait_outcome(LIMIT_S), "REACHED")
        newer = str(int(first.updates["ConfigMap", "applied"].resource_version) + 1)
        target = object_target(1, "cm", "applied", "default", min_resource_version=newer)
        watch = self.watch(target, until=until(CURRENT, timeout_s=1))
        self.assertEqual(watch.wait_outcome(LIMIT_S), "TIMED_OUT")
        self.assertEqual(in_way(watch.outcome), [("applied", "CURRENT", "OLDER_RESOURCE_VERSION")])
        watch = self.watch(target, until=until(CURRENT))
        watch.wait_synced(LIMIT_S)
        self.sim.apply({"op": "patch", "object": {**config_map("applied"), "data": {"key": "other"}}})
        self.assertEqual(watch.wait_outcome(LIMIT_S), "REACHED")

    def test_an_older_generation_does_not_count(self):
        self.sim.apply(*create(deployment("rolled")))
        target = object_target(1, "deploy", "rolled", "default", min_generation=2)
        watch = self.watch(target, until=until(CURRENT, timeout_s=1))
        self.assertEqual(watch.wait_outcome(LIMIT_S), "TIMED_OUT")
        self.assertEqual(in_way(watch.outcome), [("rolled", "CURRENT", "OLDER_GENERATION")])
        self.assertIn("2 or later", watch.outcome.blocking[0].obstacle.message)

    def test_a_kind_that_is_not_served_is_waited_for_and_named(self):
        watch = self.watch(object_target(1, "gizmos", "x", "default"), selector_target(2, "gadgets", "default"),
                           until=until(CURRENT, timeout_s=1))
        self.assertEqual(watch.wait_outcome(LIMIT_S), "TIMED_OUT")
        self.assertEqual([(s.object.kind, status_name(s), s.error.code) for s in watch.outcome.blocking],
                         [("gadgets", "UNKNOWN", 5), ("gizmos", "UNKNOWN", 5)])

    def test_what_the_api_server_refuses_loses_the_goal(self):
        watch = self.watch(selector_target(1, "po", "default", fields="spec.nonsense=1"), until=until(CURRENT))
        self.assertEqual(watch.wait_outcome(LIMIT_S), "FAILED")
        self.assertEqual([status_name(s) for s in watch.outcome.blocking], ["UNKNOWN"])

    def test_a_job_that_had_ended_may_be_deleted(self):
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "ends", "namespace": "default"},
               "spec": {"completions": 1, "ttlSecondsAfterFinished": 0},
               "status": {"startTime": "2026-01-01T00:00:00Z", "succeeded": 1,
                          "conditions": [{"type": "Complete", "status": "True"}]}}
        self.sim.apply(*create(job, pod("slower", ready=False)))
        watch = self.watch(object_target(1, "job", "ends", "default"), object_target(2, "po", "slower", "default"),
                           until=until(CURRENT), options=pb.WatchOptions(profile="strict"))
        watch.wait_synced(LIMIT_S)
        self.sim.apply(delete(job))
        watch.wait_status("ends", "NOT_FOUND", LIMIT_S)
        self.assertFalse(watch.outcome)
        self.sim.apply(patch_status(pod("slower"), pod_status(True)))
        self.assertEqual(watch.wait_outcome(LIMIT_S), "REACHED")
        self.assertEqual(watch.outcome.counts.not_found, 1)

    def test_a_kind_that_goes_takes_its_objects_with_it(self):
        definition = crd("gears", "until.example.dev", False)
        gear = {"apiVersion": "until.example.dev/v1", "kind": "Gear", "metadata": {"name": "one", "namespace": "default"}}
        self.sim.apply(*create(definition))
        self.sim.apply(*create(gear))
        watch = self.watch(object_target(1, "gears", "one", "default"), until=until(NOT_FOUND))
        watch.wait_status("one", "CURRENT", LIMIT_S)
        watch.wait_target(1, "STATE_SYNCED", LIMIT_S)
        self.assertFalse(watch.outcome)
        self.sim.apply({"op": "delete", "object": {**definition, "metadata": {"name": definition["metadata"]["name"]}}})
        self.assertEqual(watch.wait_outcome(LIMIT_S), "REACHED")

    def test_causes_come_with_what_is_in_the_way(self):
        broken = pod("pulls", ready=False)
        broken["status"] = {"phase": "Pending", "containerStatuses": [{
            "name": "main", "ready": False, "restartCount": 0, "image": "i", "imageID": "",
            "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]}
        self.sim.apply(*create(broken))
        watch = self.watch(object_target(1, "po", "pulls", "default"), until=until(CURRENT, timeout_s=1),
                           options=pb.WatchOptions(include_causes=True))
        self.assertEqual(watch.wait_outcome(LIMIT_S), "TIMED_OUT")
        self.assertEqual(watch.outcome.blocking[0].causes[0].code, "IMAGE_PULL_ERROR")

    def test_nothing_is_left_behind(self):
        self.sim.apply(*create(pod("left")))
        self.watch(object_target(1, "po", "left", "default"), until=until(CURRENT)).wait_outcome(LIMIT_S)
        self.server.wait_metric("streams_open", 0)
        self.server.wait_metric("sessions", 0)


class Wait(Bench):
    def ask(self, *targets, deadline_s=LIMIT_S, options=None, **more):
        request = pb.WaitRequest(targets=targets, until=until(**more), options=options)
        return pb_grpc.StatusServiceStub(self.channel).Wait(request, timeout=deadline_s).outcome

    def test_it_answers_with_the_outcome(self):
        self.sim.apply(*create(pod("waits", ready=False)))
        target = object_target(1, "po", "waits", "default")
        outcome = self.ask(target, goal=CURRENT, timeout_s=1)
        self.assertEqual((verdict(outcome), in_way(outcome)), ("TIMED_OUT", [("waits", "IN_PROGRESS", "")]))
        answers = []
        asking = threading.Thread(target=lambda: answers.append(self.ask(target, goal=CURRENT)))
        asking.start()
        self.server.wait_metric("sessions", 1)
        self.sim.apply(patch_status(pod("waits"), pod_status(True)))
        asking.join()
        self.assertEqual((verdict(answers[0]), answers[0].counts.current), ("REACHED", 1))
        self.server.wait_metric("sessions", 0)

    def test_it_answers_before_its_deadline(self):
        outcome = self.ask(object_target(1, "po", "nowhere", "default"), goal=CURRENT, deadline_s=2 * SLOW)
        self.assertEqual((verdict(outcome), in_way(outcome)), ("TIMED_OUT", [("nowhere", "NOT_FOUND", "")]))

    def test_a_client_that_goes_ends_it(self):
        call = pb_grpc.StatusServiceStub(self.channel).Wait.future(pb.WaitRequest(
            targets=[object_target(1, "po", "nowhere", "default")], until=until(CURRENT)))
        self.server.wait_metric("sessions", 1)
        call.cancel()
        self.server.wait_metric("sessions", 0)

    def test_without_a_goal_it_is_refused(self):
        with self.assertRaises(grpc.RpcError) as caught:
            pb_grpc.StatusServiceStub(self.channel).Wait(
                pb.WaitRequest(targets=[object_target(1, "po", "x", "default")]), timeout=LIMIT_S)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
        self.assertIn("until", caught.exception.details())


class Ends(unittest.TestCase):
    def test_a_drain_ends_a_wait(self):
        with Kubesim() as sim, Kstatusd(sim.kubeconfig) as server, server.channel() as channel:
            call = pb_grpc.StatusServiceStub(channel).Wait.future(pb.WaitRequest(
                targets=[object_target(1, "po", "nowhere", "default")], until=until(CURRENT)))
            server.wait_metric("sessions", 1)
            self.assertEqual(server.stop(), 0)
            self.assertEqual(call.exception().code(), grpc.StatusCode.UNAVAILABLE)

    def test_what_is_not_confirmed_does_not_count(self):
        with Kubesim() as sim, Kstatusd(sim.kubeconfig) as server:
            sim.apply(*create(pod("seen")))
            watch = Watch(server, object_target(1, "po", "seen", "default"), until=until(CURRENT, timeout_s=6, stable_s=5))
            try:
                watch.wait_synced(LIMIT_S)
                sim.kill()
                watch.wait_target(1, "STATE_DISCONNECTED", LIMIT_S)
                self.assertEqual(watch.wait_outcome(LIMIT_S), "TIMED_OUT")
                self.assertEqual(in_way(watch.outcome), [("seen", "CURRENT", "NOT_CONFIRMED")])
            finally:
                watch.close()


if __name__ == "__main__":
    unittest.main()
