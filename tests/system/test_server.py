# SPDX-License-Identifier: Apache-2.0
"""kstatusd from outside: calls, refusals, health, the HTTP port, cleaning up."""

import concurrent.futures
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

import grpc

import stream
from stream import Watch, object_target, pb, pb_grpc, selector_target, status_name
from harness import (BIN, SLOW, Bench, Kstatusd, Kubesim, config_map, create, delete, deployment, hang,
                     patch_status, pod, pod_status, wait_for)

from google.rpc import error_details_pb2, status_pb2  # noqa: E402
from grpc.health.v1 import health_pb2, health_pb2_grpc  # noqa: E402

LIMIT_S = 10 * SLOW


def details_of(error):
    """The field violations that the trailer carries, checked against code and message."""
    trailer = dict(error.trailing_metadata())["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(trailer)
    assert status.code == error.code().value[0], status
    assert status.message == error.details(), status
    bad = error_details_pb2.BadRequest()
    assert status.details[0].Unpack(bad)
    return {v.field: v.description for v in bad.field_violations}


class Main(Bench):
    def test_watch_tells_snapshot_then_changes(self):
        web = deployment("web")
        self.sim.apply(*create(web, pod("web-0", app="web"), pod("web-1", ready=False, app="web")))
        watch = Watch(self.server, object_target(1, "deploy", "web", "default"),
                      selector_target(2, "pods", "default", labels="app=web"),
                      object_target(3, "cm", "never", "default"))
        watch.wait_synced(LIMIT_S)
        accepted = watch.history[0].accepted
        self.assertTrue(accepted.server_instance)
        self.assertTrue(accepted.server_version)
        self.assertEqual(accepted.effective_options.profile, "kstatus")
        got = {name: status_name(u) for (_, name), u in watch.updates.items()}
        self.assertEqual(got, {"web": "CURRENT", "web-0": "CURRENT", "web-1": "IN_PROGRESS", "never": "NOT_FOUND"})
        self.assertEqual(watch.synced.counts.current, 2)
        self.assertEqual(watch.synced.counts.not_found, 1)
        self.assertEqual(watch.updates["Deployment", "web"].object.group, "apps")

        for name in ("web", "web-0", "web-1", "never"):
            watch.unread.pop(name, None)
        self.sim.apply(patch_status(pod("web-1"), pod_status(True)))
        watch.wait_status("web-1", "CURRENT", LIMIT_S)
        self.sim.apply(*create(config_map("never")))
        watch.wait_status("never", "CURRENT", LIMIT_S)
        self.sim.apply(delete(config_map("never")), delete(web))
        watch.wait_status("never", "NOT_FOUND", LIMIT_S)
        watch.wait_status("web", "NOT_FOUND", LIMIT_S)
        watch.close()

    def test_heartbeats_come_while_nothing_happens(self):
        self.sim.apply(*create(config_map("asleep")))
        target = object_target(1, "cm", "asleep", "default")
        watch = Watch(self.server, target, options=pb.WatchOptions(heartbeat_interval={"nanos": 1}))
        beat = watch.wait("a second heartbeat", lambda: [
            e.heartbeat for e in watch.history if e.HasField("heartbeat")][1:], LIMIT_S)[0]
        self.assertEqual(watch.history[0].accepted.effective_options.heartbeat_interval.seconds, 1)
        self.assertEqual((beat.counts.current, beat.staleness.ToMilliseconds()), (1, 0))
        self.assertEqual(beat.aggregate_status, pb.RECONCILE_STATUS_CURRENT)
        watch.close()
        with self.assertRaises(grpc.RpcError) as caught:
            pb_grpc.StatusServiceStub(self.channel).Get(
                pb.GetRequest(targets=[target], options=pb.WatchOptions(heartbeat_interval={"seconds": 5})), timeout=LIMIT_S)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)

    def test_get_answers_once(self):
        self.sim.apply(*create(pod("get-0", app="get"), pod("get-1", ready=False, app="get")))
        stub = pb_grpc.StatusServiceStub(self.channel)
        answer = stub.Get(pb.GetRequest(targets=[
            selector_target(1, "po", "default", labels="app=get"), object_target(2, "pod", "get-2", "default"),
            object_target(3, "gizmo", "x", "default")]), timeout=LIMIT_S)
        got = {s.object.name: status_name(s) for s in answer.statuses}
        self.assertEqual(got, {"get-0": "CURRENT", "get-1": "IN_PROGRESS", "get-2": "NOT_FOUND", "x": "UNKNOWN"})
        self.assertEqual(answer.counts.current, 1)
        self.assertEqual(answer.counts.unknown, 1)
        self.assertEqual({e.target_id for e in answer.target_errors
                          if e.state == pb.TargetChange.STATE_KIND_MISSING}, {3})
        self.server.wait_metric("sessions", 0)
        self.server.wait_metric("upstream_watches", 0)

    def test_get_keeps_the_deadline(self):
        self.sim.apply(hang("/api/v1/namespaces/silent/"))
        stub = pb_grpc.StatusServiceStub(self.channel)
        answer = stub.Get(pb.GetRequest(targets=[object_target(1, "pod", "x", "silent")]), timeout=SLOW)
        self.assertEqual([status_name(s) for s in answer.statuses], ["UNKNOWN"])
        self.server.wait_metric("sessions", 0)

    def test_clients_are_independent(self):
        self.sim.apply(*create(config_map("shared")))
        one = Watch(self.server, object_target(1, "cm", "shared", "default"))
        two = Watch(self.server, object_target(1, "cm", "shared", "default"))
        one.wait_synced(LIMIT_S)
        two.wait_synced(LIMIT_S)
        one.close()
        two.unread.clear()
        self.sim.apply(delete(config_map("shared")))
        two.wait_status("shared", "NOT_FOUND", LIMIT_S)
        two.close()


class Refusals(Bench):
    def refused(self, call, code, field):
        with self.assertRaises(grpc.RpcError) as caught:
            list(call()) if callable(call) else call
        error = caught.exception
        self.assertEqual(error.code(), code, error.details())
        self.assertTrue(error.details().startswith(field), error.details())
        self.assertIn(field, details_of(error))
        return error

    def watch(self, **request):
        return lambda: pb_grpc.StatusServiceStub(self.channel).Watch(pb.WatchRequest(**request), timeout=LIMIT_S)

    def get(self, **request):
        return lambda: [pb_grpc.StatusServiceStub(self.channel).Get(pb.GetRequest(**request), timeout=LIMIT_S)]

    def test_bad_requests_name_the_field(self):
        good = object_target(1, "cm", "x", "default")
        selector = lambda **fields: pb.Target(target_id=1, selector=pb.Selector(**fields))
        rows = [
            ("targets", []),
            ("targets[1].target_id", [good, good]),
            ("targets", [object_target(i, "cm", "x") for i in range(65)]),
            ("targets[0].selection", [pb.Target(target_id=1)]),
            ("targets[0].object.name", [object_target(1, "cm", "")]),
            ("targets[0].object.name", [object_target(1, "cm", "../secrets/x")]),
            ("targets[0].object.namespace", [object_target(1, "cm", "x", "a/b")]),
            ("targets[0].object.kind", [pb.Target(object=pb.ObjectRef(name="x"))]),
            ("targets[0].object.resource", [object_target(1, "cm", "x", kind="ConfigMap")]),
            ("targets[0].selector.label_selector", [selector(resource="po", label_selector="a in (b")]),
            ("targets[0].selector.field_selector", [selector(resource="po", field_selector="spec")]),
            ("targets[0].selector.label_selector", [selector(resource="po", label_selector="a=" + "b" * 5000)]),
            ("targets", [selector(resource="po", label_selector="a=" + "b" * 70000)]),
        ]
        for field, targets in rows:
            with self.subTest(field=field, n=len(targets)):
                self.refused(self.watch(targets=targets), grpc.StatusCode.INVALID_ARGUMENT, field)
                self.refused(self.get(targets=targets), grpc.StatusCode.INVALID_ARGUMENT, field)

    def test_one_answer_names_all_that_is_wrong(self):
        error = self.refused(self.watch(targets=[object_target(1, "cm", ""), object_target(1, "", "x")]),
                             grpc.StatusCode.INVALID_ARGUMENT, "targets[0].object.name")
        self.assertEqual(set(details_of(error)),
                         {"targets[0].object.name", "targets[1].object.kind", "targets[1].target_id"})

    def test_what_comes_later_is_never_dropped_silently(self):
        good = object_target(1, "cm", "x", "default")
        options = {
            "scope_strategy": pb.SCOPE_STRATEGY_ROOT,
        }
        for name, value in options.items():
            with self.subTest(option=name):
                asked = pb.WatchOptions(**{name: value})
                self.refused(self.watch(targets=[good], options=asked), grpc.StatusCode.UNIMPLEMENTED, "options." + name)
                self.refused(self.get(targets=[good], options=asked), grpc.StatusCode.UNIMPLEMENTED, "options." + name)
        rows = [
            ("targets[0].inventory", pb.Target(inventory=pb.InventoryRef(name="x"))),
            ("targets[0].cluster", pb.Target(object=good.object, cluster="east")),
        ]
        for field, target in rows:
            with self.subTest(field=field):
                self.refused(self.watch(targets=[target]), grpc.StatusCode.UNIMPLEMENTED, field)

    def raw(self, path, request=b"", **options):
        return self.channel.unary_unary(path)(request, timeout=LIMIT_S, **options)

    def test_paths_are_exact(self):
        for path in ("/kstatus.v1.StatusService/Nope", "//kstatus.v1.StatusService/Watch",
                     "/kstatus.v1.StatusService/Watch/", "/kstatus.v1.statusservice/Watch",
                     "/kstatus.v1.StatusService/%57atch", "/grpc.reflection.v1.ServerReflection/x", "/"):
            with self.subTest(path=path):
                with self.assertRaises(grpc.RpcError) as caught:
                    self.raw(path)
                self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)

    def test_bytes_that_are_no_request(self):
        for request in (b"\xff\xff\xff", b"\x0a\x80", b"\x0a" * 1000):
            with self.assertRaises(grpc.RpcError) as caught:
                self.raw("/kstatus.v1.StatusService/Get", request)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)

    def test_requests_are_bounded(self):
        path = "/kstatus.v1.StatusService/Get"
        for size, code, text in ((100 << 10, "INVALID_ARGUMENT", "at most 65536 are allowed"),
                                 (2 << 20, "RESOURCE_EXHAUSTED", "Received message larger than max")):
            with self.subTest(size=size), self.assertRaises(grpc.RpcError) as caught:
                self.raw(path, b"x" * size)
            self.assertEqual(caught.exception.code().name, code)
            self.assertIn(text, caught.exception.details())

    def test_metadata_are_bounded(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.raw("/kstatus.v1.StatusService/Get", metadata=[("x", "y" * 9000)])
        self.assertEqual(caught.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertIn("8 KiB", caught.exception.details())

    def test_compressed_requests_are_refused(self):
        stub = pb_grpc.StatusServiceStub(self.channel)
        with self.assertRaises(grpc.RpcError) as caught:
            stub.Get(pb.GetRequest(targets=[selector_target(1, "po", labels="a=" + "b" * 3000)]), timeout=LIMIT_S,
                     compression=grpc.Compression.Gzip)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)

    def test_a_call_whose_message_never_comes(self):
        closing = threading.Event()
        self.addCleanup(closing.set)

        def silence():
            closing.wait()
            yield b""

        call = self.channel.stream_stream("/kstatus.v1.StatusService/Watch")(silence(), timeout=60)
        with self.assertRaises(grpc.RpcError) as caught:
            next(call)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
        self.assertIn("no request message", caught.exception.details())

    def test_a_call_without_a_message(self):
        call = self.channel.stream_unary("/kstatus.v1.StatusService/Get")
        with self.assertRaises(grpc.RpcError) as caught:
            call(iter([]), timeout=LIMIT_S)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)

    def test_kinds_that_are_not_served_spoil_their_target_alone(self):
        self.sim.apply(*create(config_map("beside")))
        watch = Watch(self.server, object_target(1, "gizmo", "x", "default"),
                      object_target(2, "cm", "beside", "default"))
        watch.wait_synced(LIMIT_S)
        watch.wait_target(1, "STATE_KIND_MISSING", LIMIT_S)
        watch.wait_status("beside", "CURRENT", LIMIT_S)
        watch.close()


class Health(Bench):
    def test_check(self):
        stub = health_pb2_grpc.HealthStub(self.channel)
        for service in ("", "kstatus.v1.StatusService", "grpc.health.v1.Health"):
            answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=LIMIT_S)
            self.assertEqual(answer.status, health_pb2.HealthCheckResponse.SERVING)
        with self.assertRaises(grpc.RpcError) as caught:
            stub.Check(health_pb2.HealthCheckRequest(service="other"), timeout=LIMIT_S)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)

    def test_watch(self):
        stub = health_pb2_grpc.HealthStub(self.channel)
        for service, status in (("", "SERVING"), ("other", "SERVICE_UNKNOWN")):
            call = stub.Watch(health_pb2.HealthCheckRequest(service=service), timeout=LIMIT_S)
            self.assertEqual(health_pb2.HealthCheckResponse.ServingStatus.Name(next(call).status), status)
            call.cancel()

    def test_http_port(self):
        self.assertEqual(self.server.get("/healthz")[:2], (200, "ok\n"))
        self.assertEqual(self.server.get("/readyz")[:2], (200, "ok\n"))
        self.assertEqual(self.server.get("/nope")[0], 404)
        status, _, headers = self.server.get("/metrics", method="POST")
        self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"))
        status, text, headers = self.server.get("/metrics")
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("text/plain; version=0.0.4"))
        names = set()
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                name, kind = line.split()[2:]
                self.assertIn(kind, ("gauge", "counter"))
                self.assertNotIn(name, names)
                names.add(name)
            elif not line.startswith("#"):
                self.assertIn(line.split("{")[0].split(" ")[0], names)
                float(line.rpartition(" ")[2])
        for name in ("streams_open", "coalesced_total", "upstream_reachable", "upstream_informers", "build_info"):
            self.assertIn("kstatusd_" + name, names)
        wait_for("the API server to be reached", lambda: self.server.metric("upstream_reachable") == 1)

    def test_garbage_harms_nobody(self):
        self.sim.apply(*create(config_map("calm")))
        watch = Watch(self.server, object_target(1, "cm", "calm", "default"))
        watch.wait_synced(LIMIT_S)
        rubbish = [b"", b"\0" * 4096, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", os.urandom(65536), b"\x16\x03\x01" + os.urandom(500),
                   b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + os.urandom(4096), b"GET " + b"/" * 100000]
        for address in (self.server.grpc, self.server.http):
            for data in rubbish:
                with self.server.socket(address) as s:
                    try:
                        s.sendall(data)
                    except OSError:
                        pass
        watch.unread.clear()
        self.sim.apply(delete(config_map("calm")))
        watch.wait_status("calm", "NOT_FOUND", LIMIT_S)
        watch.close()
        self.assertEqual(self.server.get("/healthz")[0], 200)


class CleaningUp(Bench):
    def test_what_a_client_leaves_is_cleaned_up(self):
        self.sim.apply(*create(config_map("one")))
        wait_for("the first request to be over", lambda: self.server.metric("upstream_reachable") == 1)
        watch = Watch(self.server, object_target(1, "cm", "one", "default"), selector_target(2, "pods"))
        watch.wait_synced(LIMIT_S)
        m = self.server.metrics()
        self.assertEqual(m["kstatusd_streams_open"], 1)
        self.assertEqual(m["kstatusd_sessions"], 1)
        self.assertEqual(m["kstatusd_upstream_informers"], 2)
        wait_for("the watches at the API server", lambda: self.sim.stats()["watches_open"] == 2)
        watch.close()
        self.server.wait_metric("streams_open", 0, 1)
        self.server.wait_metric("upstream_informers", 0, 1)
        self.server.wait_metric("upstream_watches", 0, 1)
        wait_for("the API server to see them end", lambda: self.sim.stats()["watches_open"] == 0, 1)
        self.assertEqual(self.server.metric("objects"), 0)

    def test_a_client_that_is_killed(self):
        self.sim.apply(*create(config_map("two")))
        code = ("import sys; sys.path.insert(0, sys.argv[1]); from stream import *; "
                "w = Watch(sys.argv[2], object_target(1, 'cm', 'two', 'default')); w.wait_synced(10); "
                "print('synced', flush=True); threading.Event().wait()")
        client = subprocess.Popen(["/usr/bin/python3", "-c", code, pathlib.Path(stream.__file__).parent, self.server.grpc],
                                  stdout=subprocess.PIPE, text=True)
        self.assertEqual(client.stdout.readline(), "synced\n")
        self.assertEqual(self.server.metric("streams_open"), 1)
        client.kill()
        client.wait()
        client.stdout.close()
        self.server.wait_metric("streams_open", 0, 1)
        self.server.wait_metric("upstream_watches", 0, 1)

    def cycles(self, count):
        """Opens and closes that many streams, some at once, some before they are synced."""
        stub = pb_grpc.StatusServiceStub(self.channel)
        request = pb.WatchRequest(targets=[object_target(1, "cm", "leak", "default"),
                                           selector_target(2, "pods", "default")])

        def cycle(number):
            call = stub.Watch(request, timeout=60 * SLOW)
            for response in call:
                if number % 4 == 0 or any(e.HasField("synced") for e in response.events):
                    break
            call.cancel()

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            for done in [pool.submit(cycle, n) for n in range(count)]:
                done.result()
        self.server.wait_metric("calls_open", 0)
        self.server.wait_metric("sessions", 0)
        self.server.wait_metric("upstream_watches", 0)

    def rest(self):
        """Connections to the API server that nobody uses are closed some seconds later."""
        self.server.wait_metric("upstream_connections", 0, 20 * SLOW)

    def test_a_thousand_streams_leave_nothing(self):
        self.sim.apply(*create(config_map("leak"), *[pod(f"leak-{i}") for i in range(20)]))
        self.cycles(300)  # what is made once, is made
        self.rest()
        fds, threads = self.server.fds(), self.server.threads()
        heap, rss = self.server.metric("heap_bytes"), self.server.rss_bytes()
        self.cycles(1000)
        self.rest()
        self.assertLessEqual(self.server.fds(), fds + 2)
        self.assertEqual(self.server.threads(), threads)
        if SLOW == 1:  # sanitizers keep what was freed
            self.assertLess(self.server.metric("heap_bytes") - heap, 256 * 1024)
            self.assertLess(self.server.rss_bytes() - rss, 4 * 1024 * 1024)
        self.assertEqual(self.server.metric("objects"), 0)


class SlowReader(Bench):
    def test_it_costs_one_slot_per_object(self):
        self.sim.apply(*create(pod("busy", ready=False), pod("other")))
        channel = self.server.channel(**{"grpc.http2.bdp_probe": 0})
        self.addCleanup(channel.close)
        call = pb_grpc.StatusServiceStub(channel).Watch(pb.WatchRequest(targets=[object_target(1, "pod", "busy", "default")]))
        quick = Watch(self.server, object_target(1, "pod", "busy", "default"))
        quick.wait_synced(LIMIT_S)
        changes = 6000
        batch = [patch_status(pod("busy"), pod_status(n % 2 == 1)) for n in range(100)]
        for _ in range(changes // 100):
            self.sim.apply(*batch)
        self.sim.apply(patch_status(pod("busy"), {"phase": "Failed"}), delete(pod("busy")))
        quick.wait_status("busy", "NOT_FOUND", LIMIT_S)
        self.assertGreater(self.server.metric("coalesced_total"), 0)
        next_sequence, coalesced, updates, last = 1, 0, 0, None
        for response in call:
            self.assertEqual(response.first_sequence, next_sequence)
            next_sequence += len(response.events)
            for event in response.events:
                if event.HasField("update"):
                    last = event.update
                    updates += 1
                    coalesced += last.coalesced_count
            if last is not None and status_name(last) == "NOT_FOUND":
                break
        call.cancel()
        self.assertGreater(coalesced, 0)
        self.assertGreaterEqual(updates + coalesced, changes)
        quick.close()
        self.server.wait_metric("streams_open", 0, 2)


class Drain(unittest.TestCase):
    def setUp(self):
        self.sim = Kubesim()
        self.addCleanup(self.sim.__exit__, None, None, None)
        self.sim.apply(*create(config_map("one")))
        self.server = Kstatusd(self.sim.kubeconfig)
        self.addCleanup(self.server.__exit__, None, None, None)

    def test_streams_end_with_a_hint_and_the_process_with_0(self):
        watches = [Watch(self.server, object_target(1, "cm", "one", "default")) for _ in range(5)]
        for watch in watches:
            watch.wait_synced(LIMIT_S)
        with self.server.channel() as channel:
            health = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
            self.assertEqual(next(health).status, health_pb2.HealthCheckResponse.SERVING)
            self.server.signal(signal.SIGTERM)
            self.assertEqual(next(health).status, health_pb2.HealthCheckResponse.NOT_SERVING)
            with self.assertRaises(grpc.RpcError) as caught:
                next(health)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
        for watch in watches:
            error = watch.wait_end(LIMIT_S)
            self.assertEqual(error.code(), grpc.StatusCode.UNAVAILABLE)
            self.assertEqual(error.details(), "server is shutting down; reconnect")
            self.assertTrue(watch.history[-1].HasField("draining"))
            self.assertGreater(watch.history[-1].draining.reconnect_after.ToMilliseconds(), 0)
            watch.close()
        self.assertEqual(self.server.wait(10), 0)
        self.assertNotIn("breaking off", self.server.log())

    def slow_stream(self, channel):
        """A stream whose window is full: its client does not read."""
        self.sim.apply({"op": "create", "count": 3000, "object": config_map("many-{i}", bulk="yes")})
        call = pb_grpc.StatusServiceStub(channel).Watch(
            pb.WatchRequest(targets=[selector_target(1, "cm", "default", labels="bulk=yes")]))
        wait_for("the stream's window to be full", lambda: self.server.metric("updates_total") >= 3000)
        return call

    def is_refused(self):
        try:
            self.server.socket().close()
        except ConnectionRefusedError:
            return True
        return False

    def test_it_is_unready_while_it_drains_and_a_second_signal_hurries(self):
        with self.server.channel(**{"grpc.http2.bdp_probe": 0}) as channel:
            call = self.slow_stream(channel)
            self.server.signal(signal.SIGTERM)
            wait_for("/readyz to say 503", lambda: self.server.get("/readyz")[0] == 503)
            self.assertEqual(self.server.get("/healthz")[0], 200)
            wait_for("the listener to be closed", self.is_refused)
            self.assertIsNone(self.server.process.poll())
            self.server.signal(signal.SIGTERM)
            self.assertEqual(self.server.wait(5), 0)
            self.assertIn("breaking off", self.server.log())
            call.cancel()

    def test_a_reader_that_wakes_up_gets_everything_first(self):
        with self.server.channel(**{"grpc.http2.bdp_probe": 0}) as channel:
            call = self.slow_stream(channel)
            self.server.signal(signal.SIGTERM)
            wait_for("/readyz to say 503", lambda: self.server.get("/readyz")[0] == 503)
            names, next_sequence, last = set(), 1, None
            with self.assertRaises(grpc.RpcError) as caught:
                for response in call:
                    self.assertEqual(response.first_sequence, next_sequence)
                    next_sequence += len(response.events)
                    names.update(e.update.object.name for e in response.events if e.HasField("update"))
                    last = response.events[-1]
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
            self.assertEqual(len(names), 3000)
            self.assertTrue(last.HasField("draining"))
        self.assertEqual(self.server.wait(10), 0)

    def test_it_ends_under_load(self):
        self.sim.apply(*create(*[pod(f"load-{i}") for i in range(50)]))
        request = pb.WatchRequest(targets=[selector_target(1, "pods", "default"), object_target(2, "cm", "one", "default")])
        codes = set()

        def load(number):
            with self.server.channel() as channel:
                stub = pb_grpc.StatusServiceStub(channel)
                while True:
                    try:
                        for response in stub.Watch(request, timeout=60):
                            if number % 2 and any(e.HasField("synced") for e in response.events):
                                break
                        stub.Get(pb.GetRequest(targets=request.targets), timeout=60)
                    except grpc.RpcError as error:
                        codes.add(error.code())
                        return

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            loads = [pool.submit(load, n) for n in range(16)]
            wait_for("some load", lambda: self.server.metric("streams_total") > 100)
            self.server.signal(signal.SIGINT)
            self.assertEqual(self.server.wait(10), 0)
            for done in loads:
                done.result()
        # gRPC itself resets (CANCELLED) a new call that crosses the GOAWAY on its way.
        self.assertLessEqual(codes, {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})
        self.assertIn(grpc.StatusCode.UNAVAILABLE, codes)
        self.assertNotIn("breaking off", self.server.log())

    def test_connections_without_a_call_do_not_hold_it_up(self):
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        settings = b"\0\0\0\4\0\0\0\0\0"
        half_a_call = b"\0\0\x10\1\4\0\0\0\1\x82"
        sockets = []
        for data in (b"", preface, preface + settings, preface + settings + half_a_call):
            sockets.append(self.server.socket())
            self.addCleanup(sockets[-1].close)
            sockets[-1].sendall(data)
        wait_for("the server's settings", lambda: sockets[-1].recv(1))
        self.assertEqual(self.server.stop(4), 0)  # gRPC itself would wait for 5 s and more
        self.assertIn("closing the connections that are left", self.server.log())

    def test_a_stopped_client_whose_stream_is_empty_does_not_hold_it_up(self):
        program = ("import sys, threading; import stream; "
                   "w = stream.Watch(sys.argv[1], stream.object_target(1, 'cm', 'one', 'default')); "
                   "w.wait_synced(10); print('synced', flush=True); threading.Event().wait()")
        client = subprocess.Popen([sys.executable, "-c", program, self.server.grpc], stdout=subprocess.PIPE)
        try:
            self.assertEqual(client.stdout.readline(), b"synced\n")
            client.send_signal(signal.SIGSTOP)
            self.assertEqual(self.server.stop(4), 0)
            self.assertNotIn("breaking off", self.server.log())
        finally:
            client.kill()
            client.wait()
            client.stdout.close()

    def test_calls_in_flight_end_as_well(self):
        self.sim.apply(hang("/api/v1/"))
        with self.server.channel() as channel:
            call = pb_grpc.StatusServiceStub(channel).Get.future(
                pb.GetRequest(targets=[object_target(1, "cm", "one", "default")]))
            wait_for("the call", lambda: self.server.metric("sessions") == 1)
            self.assertEqual(self.server.stop(10), 0)
            self.assertEqual(call.code(), grpc.StatusCode.UNAVAILABLE)


class Trouble(unittest.TestCase):
    def test_api_server_down_at_start_and_back(self):
        with Kubesim() as sim:
            sim.apply(*create(config_map("one")), {"op": "listen", "on": False},
                      {"at_ms": 10, "op": "drop-connections"}, {"at_ms": 4000, "op": "listen", "on": True})
            with Kstatusd(sim.kubeconfig) as server:
                self.assertEqual(server.get("/readyz")[0], 200)
                watch = Watch(server, object_target(1, "cm", "one", "default"))
                watch.wait_target(1, "STATE_DISCONNECTED", 4 * SLOW)
                wait_for("a line in the log", lambda: "API server cannot be reached" in server.log())
                self.assertIn(sim.url, server.log())
                self.assertEqual(server.metric("upstream_reachable"), 0)
                watch.wait_status("one", "CURRENT", 30 * SLOW)
                watch.wait_synced(LIMIT_S)
                wait_for("the healing to be told", lambda: "API server reached" in server.log())
                self.assertEqual(server.metric("upstream_reachable"), 1)
                watch.close()

    def test_api_server_goes_away_and_comes_back(self):
        with Kubesim() as sim, Kstatusd(sim.kubeconfig) as server:
            sim.apply(*create(config_map("one")))
            watch = Watch(server, object_target(1, "cm", "one", "default"))
            watch.wait_synced(LIMIT_S)
            sim.apply({"op": "listen", "on": False}, {"at_ms": 1, "op": "drop-connections"},
                      {"at_ms": 2000, **delete(config_map("one"))}, {"at_ms": 4000, "op": "listen", "on": True})
            watch.wait_target(1, "STATE_DISCONNECTED", LIMIT_S)
            watch.wait_status("one", "NOT_FOUND", 40 * SLOW)
            watch.wait_target(1, "STATE_SYNCED", LIMIT_S)
            watch.close()

    def test_the_port_lives_on_when_file_descriptors_ran_out(self):
        """gRPC 1.51's own listener would never accept again."""
        with Kubesim() as sim, Kstatusd(sim.kubeconfig) as server:
            sim.apply(*create(config_map("one")))
            watch = Watch(server, object_target(1, "cm", "one", "default"))
            watch.wait_synced(LIMIT_S)
            limit = server.fds() + 10
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (limit, limit))
            crowd = [server.socket() for _ in range(40)]
            wait_for("a line in the log", lambda: "no file descriptor left" in server.log())
            for one in crowd:
                one.close()
            wait_for("room for a client", lambda: server.fds() <= limit - 8)
            again = Watch(server, object_target(1, "cm", "one", "default"))
            again.wait_synced(LIMIT_S)
            for each in (watch, again):
                each.unread.clear()
            sim.apply(delete(config_map("one")))
            for each in (watch, again):
                each.wait_status("one", "NOT_FOUND", LIMIT_S)
                each.close()
            self.assertEqual(server.get("/healthz")[0], 200)

    def test_a_port_that_does_not_answer_is_told(self):
        """Here: somebody removed the socket."""
        with tempfile.TemporaryDirectory() as directory, Kubesim() as sim:
            path = pathlib.Path(directory) / "socket"
            with Kstatusd(sim.kubeconfig, listen=(f"unix:{path}",)) as server:
                self.assertEqual(server.get("/healthz")[:2], (200, "ok\n"))
                path.unlink()
                wait_for("/healthz to say 503", lambda: server.get("/healthz")[0] == 503, 60)
                self.assertIn("does not answer any more", server.log())
                self.assertEqual(server.metric("listening"), 0)

    def edited(self, sim, *replacements):
        """A copy of its kubeconfig with texts replaced."""
        text = sim.kubeconfig.read_text()
        for old, new in replacements:
            self.assertIn(old, text)
            text = text.replace(old, new)
        path = sim.kubeconfig.with_name("edited")
        path.write_text(text)
        return path

    def test_an_api_server_that_is_somebody_else_is_told(self):
        with Kubesim() as sim, Kubesim() as other, Kstatusd(self.edited(sim, (sim.url, other.url))) as server:
            watch = Watch(server, object_target(1, "cm", "one", "default"))
            watch.wait_target(1, "STATE_DISCONNECTED", LIMIT_S)
            wait_for("a line in the log", lambda: "certificate" in server.log())
            self.assertIn(other.url, server.log())
            self.assertEqual(server.metric("upstream_reachable"), 0)
            watch.close()

    def test_credentials_that_are_not_accepted_are_told(self):
        with Kubesim() as sim, Kstatusd(self.edited(sim, ("token: admin", "token: wrong"))) as server:
            watch = Watch(server, object_target(1, "cm", "one", "default"))
            update = watch.wait_status("one", "UNKNOWN", LIMIT_S)
            self.assertEqual(update.error.code, grpc.StatusCode.UNAUTHENTICATED.value[0])
            watch.wait_synced(LIMIT_S)
            wait_for("a line in the log", lambda: "credentials for the API server fail" in server.log())
            self.assertNotIn("API server reached", server.log())
            self.assertNotIn("wrong", server.log().replace("edited", ""))
            watch.close()

    def test_credentials_that_cannot_be_had_are_told(self):
        plugin = "exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: /no/such/plugin}"
        for source, said in (("tokenFile: no-such-token", "no-such-token"), (plugin, "/no/such/plugin")):
            with self.subTest(source), Kubesim() as sim, \
                    Kstatusd(self.edited(sim, ("token: admin", source))) as server:
                wait_for("a line in the log", lambda: said in server.log())
                self.assertIn("credentials for the API server fail", server.log())

    def test_credentials_that_were_renewed_are_told(self):
        with Kubesim() as sim:
            sim.apply(*create(config_map("one")))
            token = sim.kubeconfig.with_name("token")
            token.write_text("wrong")
            with Kstatusd(self.edited(sim, ("token: admin", "tokenFile: token"))) as server:
                watch = Watch(server, object_target(1, "cm", "one", "default"))
                wait_for("a line in the log", lambda: "credentials for the API server fail" in server.log())
                token.write_text("admin")
                watch.wait_status("one", "CURRENT", LIMIT_S)
                wait_for("a second line", lambda: "accepted again" in server.log())
                self.assertEqual(server.log().count("credentials for the API server fail"), 1)
                watch.close()

    def run_wrong(self, *arguments):
        done = subprocess.run([BIN / "kstatusd", *arguments], capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(done.stdout, "")
        return done.returncode, done.stderr

    def test_what_is_wrong_with_the_kubeconfig_is_told(self):
        with tempfile.TemporaryDirectory() as directory, Kubesim() as sim:
            path = pathlib.Path(directory) / "config"
            code, text = self.run_wrong("--kubeconfig", path)
            self.assertEqual(code, 1)
            self.assertIn(str(path), text)
            path.write_text("{{{ no yaml")
            code, text = self.run_wrong("--kubeconfig", path)
            self.assertEqual(code, 1)
            self.assertIn(str(path), text)
            for content, says in ((b"", "is empty"), (b"\x7fELF\0\0", "it is a binary file"),
                                  (b"kind: Secret\n", "its kind is Secret"), (b"clusters: 5\n", "its clusters are no list"),
                                  (b"metadata: []\n", "has none of a kubeconfig's members")):
                path.write_bytes(content)
                code, text = self.run_wrong("--kubeconfig", path)
                self.assertEqual((code, len(text.splitlines())), (1, 1))
                self.assertRegex(text, f"^kstatusd: {path} .*{says}.* name another file with --kubeconfig")
            code, text = self.run_wrong("--kubeconfig", sim.kubeconfig, "--context", "no-such-context")
            self.assertEqual(code, 1)
            self.assertIn("no-such-context", text)
            self.assertEqual(len(text.strip().splitlines()), 1, text)

    def test_the_command_line_is_checked(self):
        for arguments in (["--nope"], ["--listen", "x"], ["--workers", "0"]):
            code, text = self.run_wrong(*arguments)
            self.assertEqual(code, 2)
            self.assertIn(arguments[0], text)
        for argument, begin in (("--version", "kstatusd "), ("--help", "Usage: kstatusd")):
            done = subprocess.run([BIN / "kstatusd", argument], capture_output=True, text=True, timeout=30, check=True)
            self.assertTrue(done.stdout.startswith(begin))

    def test_ports_that_others_can_reach_are_refused(self):
        with Kubesim() as sim:
            code, text = self.run_wrong("--kubeconfig", sim.kubeconfig, "--listen", "0.0.0.0:0", "--http", "off")
            self.assertEqual(code, 1)
            self.assertIn("--listen-unsafely", text)
            self.assertIn("0.0.0.0:0", text)
            with Kstatusd(sim.kubeconfig, "--listen-unsafely", listen=("0.0.0.0:0",)) as server:
                self.assertEqual(server.stop(), 0)

    def test_a_port_in_use_is_told(self):
        with Kubesim() as sim, Kstatusd(sim.kubeconfig) as server:
            code, text = self.run_wrong("--kubeconfig", sim.kubeconfig, "--listen", server.grpc, "--http", "off")
            self.assertEqual(code, 1)
            self.assertIn(server.grpc, text)
            self.assertIn("in use", text)
            code, text = self.run_wrong("--kubeconfig", sim.kubeconfig, "--listen", "127.0.0.1:0", "--http", server.http)
            self.assertEqual(code, 1)
            self.assertIn(server.http, text)

    def test_several_addresses_and_a_unix_socket(self):
        with tempfile.TemporaryDirectory() as directory, Kubesim() as sim:
            path = pathlib.Path(directory) / "grpc.sock"
            web = pathlib.Path(directory) / "http.sock"
            sim.apply(*create(config_map("one")))
            with Kstatusd(sim.kubeconfig, "--workers", "2", "--log-format=json", listen=(f"unix:{path}", "127.0.0.1:0"),
                          http=f"unix:{web}") as server:
                self.assertEqual(server.addresses[0], f"unix:{path}")
                self.assertEqual(path.stat().st_mode & 0o777, 0o660)
                for address in server.addresses:
                    watch = Watch(address, object_target(1, "cm", "one", "default"))
                    watch.wait_synced(LIMIT_S)
                    watch.close()
                self.assertEqual(server.stop(), 0)
            self.assertFalse(path.exists())
            self.assertFalse(web.exists())

    def test_http_off(self):
        with Kubesim() as sim, Kstatusd(sim.kubeconfig, http="off") as server:
            self.assertEqual(server.http, "off")
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
