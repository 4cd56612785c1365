#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what the documents state, on kubesim: start, memory, snapshot, updates. Prints a table; asserts nothing.

The comparison with the Go reference on a real control plane is `make test-cluster`'s affair.
"""

import itertools
import os
import pathlib
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/system"))

import harness  # noqa: E402
import stream  # noqa: E402

PODS = 5000
UPDATES = 5000
TRICKLE_S = 10
TRICKLE_PER_S = 200
IDLE_CALLS = 500
IDLE_CONNECTIONS = 10
CHILD_EVENTS = 200
LIMIT_S = 120


def cpu_seconds(program):
    fields = pathlib.Path(f"/proc/{program.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Measured(harness.Kstatusd):
    """Knows what it has allocated (live.c), beside what is resident."""

    def __init__(self, sim):
        self.live = tempfile.NamedTemporaryFile("r")
        super().__init__(sim.kubeconfig, environment={"LD_PRELOAD": str(harness.BIN / "libbench_live.so"),
                                                      "KS_LIVE_FILE": self.live.name})

    def memory(self):
        """(resident, allocated) bytes, when nothing changes any more."""
        time.sleep(0.5)
        self.live.seek(0)
        return self.rss_bytes(), int(self.live.read())


def say_memory(before, after, count):
    resident, allocated = ((new - old) / count for old, new in zip(before, after))
    return f"{resident:.0f} B resident, {allocated:.0f} B allocated"


def row(what, value):
    print(f"{what:<62} {value}", flush=True)


def pods(count):
    return harness.create(*(harness.pod(f"p{n}", namespace="bench", app="web") for n in range(count)))


def updates(count):
    for number in range(count):
        pod = harness.pod(f"p{number % PODS}", namespace="bench")
        yield harness.patch_status(pod, {**harness.pod_status(number // PODS % 2 == 1), "hostIP": f"10.0.0.{number % 250}"})


def apply_all(sim, operations, batch=1000):
    operations = list(operations)
    for at in range(0, len(operations), batch):
        sim.apply(*operations[at:at + batch])


def measure_start(sim):
    began = time.monotonic()
    server = Measured(sim)
    row("kstatusd: exec to the ready line", f"{1000 * (time.monotonic() - began):.0f} ms")
    return server


def open_idle_call(channel, number):
    call = stream.pb_grpc.StatusServiceStub(channel).Watch(
        stream.pb.WatchRequest(targets=[stream.object_target(1, "cm", f"none-{number}", "bench")]))
    for response in call:
        if any(event.WhichOneof("event") == "synced" for event in response.events):
            return call
    raise AssertionError("a call has ended before it was synced")


def measure_idle_calls(server, connections):
    """Of a client's connection and of a call: gRPC keeps more for the former."""
    before = server.memory()
    channels = [server.channel() for _ in range(connections)]
    calls = [open_idle_call(channel, number) for number, channel in zip(range(IDLE_CALLS), itertools.cycle(channels))]
    row(f"an idle call (one object, {IDLE_CALLS} calls on {connections} connections)",
        say_memory(before, server.memory(), IDLE_CALLS))
    for call in calls:
        call.cancel()
    for channel in channels:
        channel.close()


def measure_snapshot(sim, server):
    apply_all(sim, pods(PODS))
    before, cpu, began = server.memory(), cpu_seconds(server), time.monotonic()
    watch = stream.Watch(server, stream.selector_target(1, "pods", "bench"))
    watch.wait_synced(LIMIT_S)
    row(f"snapshot of {PODS} Pods", f"{time.monotonic() - began:.2f} s, {cpu_seconds(server) - cpu:.2f} CPU-s")
    row("a watched Pod at rest", say_memory(before, server.memory(), PODS))
    return watch


def measure_updates(sim, server, watch):
    cpu, told = cpu_seconds(server), len(watch.history)
    began = time.monotonic()
    apply_all(sim, updates(UPDATES))
    last = f"p{(UPDATES - 1) % PODS}"
    watch.wait(f"the last update of {last}", lambda: len(watch.history) - told + sum(
        e.update.coalesced_count for e in watch.history[told:]) >= UPDATES, LIMIT_S)
    spent, wall = cpu_seconds(server) - cpu, time.monotonic() - began
    row(f"{UPDATES} updates of Pods in {wall:.1f} s", f"{1e6 * spent / UPDATES:.0f} us CPU each")


def measure_trickle(sim, server, watch):
    """One update at a time, so that nothing is coalesced and each is a wake-up, a read and a write of its own."""
    count = TRICKLE_S * TRICKLE_PER_S
    cpu, told = cpu_seconds(server), len(watch.history)
    began = time.monotonic()
    for number, operation in enumerate(itertools.islice(updates(UPDATES + count), UPDATES, None)):
        time.sleep(max(0, began + number / TRICKLE_PER_S - time.monotonic()))
        sim.apply(operation)
    watch.wait("the last update", lambda: len(watch.history) - told + sum(
        e.update.coalesced_count for e in watch.history[told:]) >= count, LIMIT_S)
    row(f"{count} updates of Pods at {TRICKLE_PER_S} a second", f"{1e6 * (cpu_seconds(server) - cpu) / count:.0f} us CPU each")


def stateful_set(pods):
    """Not Current, so that its Pods count."""
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web", "namespace": "family", "generation": 1},
            "spec": {"replicas": pods + 1, "selector": {"matchLabels": {"app": "web"}}},
            "status": {"observedGeneration": 1, "replicas": pods, "readyReplicas": pods, "currentReplicas": pods,
                       "updatedReplicas": pods, "currentRevision": "r1", "updateRevision": "r1"}}


def member(number, owner_uid):
    pod = harness.pod(f"web-{number}", namespace="family", app="web")
    pod["metadata"]["ownerReferences"] = [
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": owner_uid, "controller": True}]
    return pod


def apply_family(sim, server):
    sim.apply(*harness.create(stateful_set(PODS)))
    watch = stream.Watch(server, stream.object_target(1, "sts", "web", "family"))
    watch.wait_synced(LIMIT_S)
    uid = watch.updates["StatefulSet", "web"].object.uid
    watch.close()
    apply_all(sim, harness.create(*(member(number, uid) for number in range(PODS))))


def measure_children(server):
    """What a session keeps of Pods that it watches only since they may change what is said of their owner."""
    before, cpu = server.memory(), cpu_seconds(server)
    watch = stream.Watch(server, stream.object_target(1, "sts", "web", "family"))
    watch.wait_synced(LIMIT_S)
    row(f"a StatefulSet of {PODS} Pods, with causes", f"{cpu_seconds(server) - cpu:.2f} CPU-s")
    row("a Pod at rest that is a watched object's child", say_memory(before, server.memory(), PODS))
    return watch


def measure_child_event(sim, watch):
    """From the write of a Pod's status to what is told of its owner, one after the other, the client's own time included."""
    took = []
    for number in range(CHILD_EVENTS):
        status = harness.pod_status(number % 2 == 1)
        if number % 2 == 0:
            status["containerStatuses"][0]["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
        began = time.monotonic()
        sim.apply(harness.patch_status(member(0, ""), status))
        watch.wait_status("web", "IN_PROGRESS" if number % 2 else "FAILED", LIMIT_S)
        took.append(1e3 * (time.monotonic() - began))
    took.sort()
    row(f"{CHILD_EVENTS} events of a Pod, told of its owner", f"{took[len(took) // 2]:.1f} ms (median), {took[-1]:.1f} ms at most")


def main():
    with harness.Kubesim() as sim:
        with measure_start(sim) as server:
            row("kstatusd: resident when idle", f"{server.rss_bytes() / 2**20:.1f} MiB")
            measure_idle_calls(server, IDLE_CALLS)
        with Measured(sim) as server:
            measure_idle_calls(server, IDLE_CONNECTIONS)
        with Measured(sim) as server:  # a fresh one each time: freed memory would be used again
            watch = measure_snapshot(sim, server)
            measure_updates(sim, server, watch)
            measure_trickle(sim, server, watch)
            watch.close()
            apply_family(sim, server)
        with Measured(sim) as server:
            watch = measure_children(server)
            measure_child_event(sim, watch)
            watch.close()


if __name__ == "__main__":
    main()
