#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what the documents state, on kubesim: start, memory, snapshot, updates. Prints a table; asserts nothing.

The comparison with the Go reference on a real control plane is `make test-cluster`'s affair.
"""

import os
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/system"))

import harness  # noqa: E402
import stream  # noqa: E402

PODS = 5000
UPDATES = 5000
IDLE_CALLS = 500
LIMIT_S = 120


def cpu_seconds(program):
    fields = pathlib.Path(f"/proc/{program.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def row(what, value):
    print(f"{what:<58} {value}", flush=True)


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
    server = harness.Kstatusd(sim.kubeconfig)
    row("kstatusd: exec to the ready line", f"{1000 * (time.monotonic() - began):.0f} ms")
    return server


def measure_idle_calls(server):
    before = server.rss_bytes()
    calls = [stream.Watch(server, stream.object_target(1, "cm", f"none-{n}", "bench")) for n in range(IDLE_CALLS)]
    for call in calls:
        call.wait_synced(LIMIT_S)
    row(f"memory of an idle call (one object, {IDLE_CALLS} calls)", f"{(server.rss_bytes() - before) / IDLE_CALLS / 1024:.1f} KiB")
    for call in calls:
        call.close()


def measure_snapshot(sim, server):
    apply_all(sim, pods(PODS))
    before, cpu, began = server.rss_bytes(), cpu_seconds(server), time.monotonic()
    watch = stream.Watch(server, stream.selector_target(1, "pods", "bench"))
    watch.wait_synced(LIMIT_S)
    row(f"snapshot of {PODS} Pods", f"{time.monotonic() - began:.2f} s, {cpu_seconds(server) - cpu:.2f} CPU-s")
    row("memory of a watched Pod at rest", f"{(server.rss_bytes() - before) / PODS:.0f} B")
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


def main():
    with harness.Kubesim() as sim:
        with measure_start(sim) as server:
            row("kstatusd: resident when idle", f"{server.rss_bytes() / 2**20:.1f} MiB")
            measure_idle_calls(server)
        with harness.Kstatusd(sim.kubeconfig) as server:  # a fresh one: the calls' memory would be used again
            watch = measure_snapshot(sim, server)
            measure_updates(sim, server, watch)
            watch.close()


if __name__ == "__main__":
    main()
