# SPDX-License-Identifier: Apache-2.0
"""What kstatusd bounds: each limit of --limit is met, told to the client, counted, and gone when there is room again."""

import unittest

import grpc

from harness import SLOW, Bench, config_map, create, wait_for
from stream import Watch, object_target, pb, pb_grpc, selector_target

from google.rpc import error_details_pb2, status_pb2  # noqa: E402
from grpc.health.v1 import health_pb2, health_pb2_grpc  # noqa: E402

LIMIT_S = 10 * SLOW


def quota_of(error):
    """(name of the limit, what it allows, seconds until it is worth trying again), as the trailer says."""
    status = status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    assert status.code == error.code().value[0] and status.message == error.details(), status
    quota, retry = error_details_pb2.QuotaFailure(), error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(quota) and status.details[1].Unpack(retry), status
    return quota.violations[0].subject, quota.violations[0].description, retry.retry_delay.ToMilliseconds() / 1000


class Limits(Bench):
    def assert_met(self, error, limit, value):
        self.assertEqual(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED, error.details())
        name, allowed, retry_s = quota_of(error)
        self.assertEqual((name, allowed), (limit, f"at most {value}"))
        self.assertGreater(retry_s, 0)
        self.assertGreater(self.server.metrics()[f'kstatusd_limit_hits_total{{limit="{limit}"}}'], 0)
        self.assertEqual(self.server.metrics()[f'kstatusd_limit{{limit="{limit}"}}'], value)
        self.assertRegex(self.server.log(), f'limit met.*limit="?{limit}')


class Defaults(Bench):
    def test_accepted_tells_them(self):
        watch = Watch(self.server, object_target(1, "cm", "x", "default"))
        watch.wait_synced(LIMIT_S)
        limits = watch.history[0].accepted.limits
        self.assertEqual((limits.streams, limits.streams_per_connection), (2000, 100))
        self.assertEqual((limits.connections, limits.connections_per_address), (1024, 64))
        self.assertEqual((limits.objects_per_stream, limits.targets), (50000, 64))
        self.assertEqual((limits.request_bytes, limits.metadata_bytes, limits.selector_bytes), (65536, 8192, 4096))
        self.assertEqual((limits.response_bytes, limits.object_bytes), (1 << 20, 16 << 20))
        self.assertEqual((limits.stream_life.seconds, limits.connection_life.seconds), (3600, 3600))
        watch.close()


class Streams(Limits):
    server_arguments = ("--limit", "streams=3")

    def test_more_are_refused_and_others_go_on(self):
        target = object_target(1, "cm", "x", "default")
        watches = [Watch(self.server, target) for _ in range(3)]
        for watch in watches:
            watch.wait_synced(LIMIT_S)
        refused = Watch(self.server, target)
        error = refused.wait_end(LIMIT_S)
        self.assert_met(error, "streams", 3)
        self.assertIn("3 calls are open", error.details())
        refused.close()
        with self.assertRaises(grpc.RpcError) as caught:
            pb_grpc.StatusServiceStub(self.channel).Get(pb.GetRequest(targets=[target]), timeout=LIMIT_S)
        self.assert_met(caught.exception, "streams", 3)
        self.assertEqual(self.server.metric("refused_total"), 2)
        # A probe is no stream: a full server is a healthy one.
        health = health_pb2_grpc.HealthStub(self.channel).Check(health_pb2.HealthCheckRequest(), timeout=LIMIT_S)
        self.assertEqual(health.status, health_pb2.HealthCheckResponse.SERVING)
        self.sim.apply(*create(config_map("x")))
        for watch in watches:
            watch.wait_status("x", "CURRENT", LIMIT_S)
        watches.pop().close()
        self.server.wait_metric("calls_open", 2)
        again = Watch(self.server, target)
        again.wait_synced(LIMIT_S)
        for watch in (*watches, again):
            watch.close()


class Probes(Bench):
    def test_health_calls_have_a_ceiling_of_their_own(self):
        channels = [self.server.channel() for _ in range(4)]
        for channel in channels:
            self.addCleanup(channel.close)
        request = health_pb2.HealthCheckRequest()
        calls = [health_pb2_grpc.HealthStub(channels[n // 90]).Watch(request) for n in range(256)]
        for call in calls:
            self.assertEqual(next(call).status, health_pb2.HealthCheckResponse.SERVING)
        stub = health_pb2_grpc.HealthStub(channels[3])
        with self.assertRaises(grpc.RpcError) as caught:
            next(stub.Watch(request, timeout=LIMIT_S))
        self.assertEqual(caught.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertIn("256 health calls are open", caught.exception.details())
        watch = Watch(self.server, object_target(1, "cm", "x", "default"))
        watch.wait_synced(LIMIT_S)
        watch.close()
        for call in calls:
            call.cancel()
        self.server.wait_metric("calls_open", 0)
        again = stub.Watch(request, timeout=LIMIT_S)
        self.assertEqual(next(again).status, health_pb2.HealthCheckResponse.SERVING)
        again.cancel()


class Objects(Limits):
    server_arguments = ("--limit", "objects=5")

    def test_a_call_has_no_more(self):
        self.sim.apply(*create(*[config_map(f"o{i}", group="many") for i in range(5)]))
        target = selector_target(1, "cm", "default", labels="group=many")
        watch = Watch(self.server, target)
        watch.wait_synced(LIMIT_S)
        self.sim.apply(*create(config_map("o5", group="many")))
        error = watch.wait_end(LIMIT_S)
        self.assert_met(error, "objects", 5)
        self.assertIn("more than 5 objects", error.details())
        watch.close()
        with self.assertRaises(grpc.RpcError) as caught:
            pb_grpc.StatusServiceStub(self.channel).Get(pb.GetRequest(targets=[target]), timeout=LIMIT_S)
        self.assert_met(caught.exception, "objects", 5)
        self.server.wait_metric("sessions", 0)
        wait_for("the API server's watches to end", lambda: self.sim.stats()["watches_open"] == 0)


if __name__ == "__main__":
    unittest.main()
