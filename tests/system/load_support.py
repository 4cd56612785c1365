# SPDX-License-Identifier: Apache-2.0
"""Load on kstatusd: each function runs one scenario of a given size and returns its figures. system/load asserts the small
sizes, tests/bench/load.py prints the large ones."""

import json
import os
import pathlib
import signal
import subprocess
import threading
import time

from harness import BIN, SLOW, Kstatusd, Kubesim, wait_for

NAMESPACE = "load"


def cpu_seconds(program):
    fields = pathlib.Path(f"/proc/{program.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Load:
    """kstatus_load watch ...; see tests/load/load.c."""

    def __init__(self, server, connections, streams, targets, stalled=0):
        self.process = subprocess.Popen(
            [BIN / "kstatus_load", "watch", server.grpc, str(connections), str(streams), str(stalled), targets],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.process.stdin.close()
        if what[0]:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def run_cycles(server, connections, parallel, count, targets, *random):
    done = subprocess.run([BIN / "kstatus_load", "cycle", server.grpc, str(connections), str(parallel), str(count), targets,
                           *random], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def limits(**values):
    return [word for name, value in values.items() for word in ("--limit", f"{name.replace('_', '-')}={value}")]


def config_maps(sim, count):
    sim.apply({"op": "create", "count": count, "object": {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "o{i}", "namespace": NAMESPACE}}})


KINDS = ("ConfigMap", "Pod", "Service", "PersistentVolumeClaim", "ServiceAccount")


def all_kinds(op, count):
    return [{"op": op, "count": count, "object": {"apiVersion": "v1", "kind": kind, "metadata": {
        "name": "o{i}", "namespace": NAMESPACE, "labels": {"name": "o{i}"}}}} for kind in KINDS]


def many_streams(connections, streams=2000, objects=5, hold_s=10):
    """Many streams that stay: all synced, no error, what they cost at rest."""
    arguments = limits(streams=streams, streams_per_connection=max(streams, 100), connections=connections + 8)
    with Kubesim() as sim, Kstatusd(sim.kubeconfig, *arguments) as server:
        config_maps(sim, 1000)
        rss, began = server.rss_bytes(), time.monotonic()
        with Load(server, connections, streams, f"objects:{objects}:1000") as load:
            synced = load.ask(f"synced {int(60 * SLOW)}")
            took, cpu = time.monotonic() - began, cpu_seconds(server)
            threading.Event().wait(hold_s)
            held = load.ask("report")
            figures = {"synced": synced["synced"], "open": held["open"], "errors": held["errors"], "gaps": held["gaps"], "unknown": held["unknown"],
                       "last_error": held["last_error"], "seconds": took, "cpu_s": cpu,
                       "idle_cpu": (cpu_seconds(server) - cpu) / hold_s if hold_s else 0,
                       "bytes_per_stream": (server.rss_bytes() - rss) / streams,
                       "upstream_connections": server.metric("upstream_connections")}
            load.ask("close")
        server.wait_metric("streams_open", 0)
        return figures


def one_stream(pods):
    """One stream of many Pods: time to Synced, memory at its peak and at rest."""
    with Kubesim() as sim, Kstatusd(sim.kubeconfig, *limits(objects=max(pods, 50000))) as server:
        for at in range(0, pods, 10000):
            sim.apply({"op": "create", "from": at, "count": min(10000, pods - at), "object": {
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "pod-{i}", "namespace": NAMESPACE, "labels": {"group": "g0"}},
                "spec": {"containers": [{"name": "main", "image": "registry.example/app:1", "env": [
                    {"name": f"VARIABLE_{n}", "value": "x" * 40} for n in range(40)]}]},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}})
        rss, cpu, began, peak = server.rss_bytes(), cpu_seconds(server), time.monotonic(), [0]
        done = threading.Event()

        def look():
            while not done.wait(0.02):
                peak[0] = max(peak[0], server.rss_bytes())

        watcher = threading.Thread(target=look)
        watcher.start()
        with Load(server, 1, 1, "group:1:pods") as load:
            report = load.ask(f"synced {int(60 * SLOW)}")
            took = time.monotonic() - began
            done.set()
            watcher.join()
            return {"synced": report["synced"], "updates": report["updates"], "errors": report["errors"],
                    "unknown": report["unknown"], "seconds": took, "cpu_s": cpu_seconds(server) - cpu, "peak_bytes": max(0, peak[0] - rss),
                    "bytes_per_pod": (server.rss_bytes() - rss) / pods}


def own_threads(server):
    """Without those that gRPC starts for its timers, as many as are due at a time, and ends again."""
    names = [path.read_text().strip() for path in pathlib.Path(f"/proc/{server.pid}/task").glob("*/comm")]
    return sum(name.startswith(("rpc-", "kube-", "kstatusd")) for name in names)


def state_of(server):
    return {"fds": server.fds(), "threads": own_threads(server), "all_threads": server.threads(), "heap": server.metric("heap_bytes"),
            "rss": server.rss_bytes(), "upstream": server.metric("upstream_connections"),
            "connections": server.metric("connections_open")}


def settle(server):
    for name in ("calls_open", "sessions", "upstream_watches", "objects", "connections_open"):
        server.wait_metric(name, 0)


def cycles(count, random=False, connections=4, parallel=64):
    """Opens and closes streams; what is left afterwards, less what was there before."""
    with Kubesim() as sim, Kstatusd(sim.kubeconfig, *limits(streams_per_connection=1000)) as server:
        config_maps(sim, 100)
        words = ("random",) if random else ()
        run_cycles(server, connections, parallel, 2000, "objects:2:100", *words)  # what is made once, is made
        settle(server)
        before, cpu = state_of(server), cpu_seconds(server)
        report = run_cycles(server, connections, parallel, count, "objects:2:100", *words)
        cpu = cpu_seconds(server) - cpu
        settle(server)
        wait_for("the API server's watches to end", lambda: sim.stats()["watches_open"] == 0)
        after = state_of(server)
        return {**report, "cpu_us": cpu / count * 1e6, "left": {name: after[name] - before[name] for name in before}}


def claim(group, i, phase):
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": f"o{i}", "namespace": NAMESPACE, "labels": {"group": f"g{group}"}},
            "spec": {"accessModes": ["ReadWriteOnce"]}, "status": {"phase": phase}}


def churn(sim, groups, per_group, rounds, bursts_per_s):
    """Changes every claim `rounds` times, a group at a time; each change has its time in it. Returns how many changes."""
    began = time.monotonic()
    operations, at_ms = [], 0.0
    for number in range(rounds):
        for group in range(groups):
            object_ = claim(group, "{i}", f"r{number}@{int(began * 1000 + at_ms) + 500}")
            operations.append({"op": "patch-status", "at_ms": int(at_ms) + 500, "from": group * per_group, "count": per_group,
                               "object": {**{k: object_[k] for k in ("apiVersion", "kind", "metadata", "status")}}})
            at_ms += 1000 / bursts_per_s
    sim.apply(*operations)
    wait_for("the changes to be made", lambda: sim.stats()["scenario_waiting"] == 0, at_ms / 1000 + 30)
    return rounds * groups * per_group


def stalled_readers(stalled, streams=400, objects=10000, rounds=2, bursts_per_s=4, groups=40):
    """Streams of which some do not read, while all objects change: how late the others are, memory, and the counts."""
    per_group = objects // groups
    with Kubesim("--history", "200000") as sim, Kstatusd(sim.kubeconfig) as server:
        for group in range(groups):
            sim.apply({"op": "create", "from": group * per_group, "count": per_group, "object": claim(group, "{i}", "new")})
        with Load(server, 20, streams, f"group:{groups}:pvc", stalled) as load:
            assert load.ask(f"synced {int(60 * SLOW)}")["synced"] == streams
            churn(sim, groups, per_group, 2, bursts_per_s)  # now the windows are full, and every slot is taken
            report, rss, cpu = load.ask("report"), server.rss_bytes(), cpu_seconds(server)
            began = time.monotonic()
            churn(sim, groups, per_group, rounds, bursts_per_s)
            report = load.ask("report")
            took, grown = time.monotonic() - began, server.rss_bytes() - rss
            figures = {"p50_ms": report["p50_us"] / 1000, "p99_ms": report["p99_us"] / 1000, "samples": report["samples"],
                       "errors": report["errors"], "rss_bytes": rss, "grown_bytes": grown,
                       "cpu": (cpu_seconds(server) - cpu) / took}
            load.ask("resume")
            wanted = {"readers": (streams - stalled) * per_group * (rounds + 3), "stalled": stalled * per_group * (rounds + 3)}

            def told():
                report = load.ask("report")
                return report if (report["updates"] + report["coalesced"] >= wanted["readers"] and
                                  report["stalled_updates"] + report["stalled_coalesced"] >= wanted["stalled"]) else None

            report = wait_for("every change to be told or counted", told, 30)
            return {**figures, "gaps": report["gaps"], "wanted": wanted, "stalled_updates": report["stalled_updates"],
                    "stalled_coalesced": report["stalled_coalesced"],
                    "readers_told": report["updates"] + report["coalesced"],
                    "stalled_told": report["stalled_updates"] + report["stalled_coalesced"],
                    "metric": server.metric("coalesced_total")}


def client_gone(streams=100):
    """A client is killed; after how many ms the last of its watches at the API server has ended."""
    with Kubesim() as sim, Kstatusd(sim.kubeconfig) as server:
        config_maps(sim, 1000)
        load = Load(server, 4, streams, "objects:5:1000")
        assert load.ask(f"synced {int(60 * SLOW)}")["synced"] == streams
        wait_for("the watches", lambda: sim.stats()["watches_open"] >= streams)
        killed_ms = time.monotonic() * 1000
        load.process.send_signal(signal.SIGKILL)
        load.process.wait()
        load.process.stdin.close()
        load.process.stdout.close()
        wait_for("the watches to end", lambda: sim.stats()["watches_open"] == 0)
        ended = [r["end_ms"] for r in sim.requests() if "watch=" in r["query"] and r.get("end_ms")]
        return {"streams": streams, "watches": len(ended), "last_ms": max(ended) - killed_ms}


def watches_open(sim):
    try:
        return sim.stats()["watches_open"]
    except AssertionError:  # it does not listen now
        return -1


def restart(streams=2000, down_ms=3000):
    """The API server goes away and comes back, all objects deleted meanwhile: until every watch is open again, and until
    every stream has been told of each deletion (which each take a request of their own: a DELETED event of a selector may
    mean that a label changed)."""
    informers = streams * len(KINDS)
    with Kubesim("--history", "50000") as sim, Kstatusd(sim.kubeconfig) as server:
        sim.apply(*all_kinds("create", streams))
        with Load(server, 20, streams, f"kinds:{len(KINDS)}:{streams}") as load:
            assert load.ask(f"synced {int(120 * SLOW)}")["synced"] == streams
            wait_for("the watches", lambda: server.metric("upstream_watches") >= informers, 30)
            before, cpu, sim_cpu, began = server.metrics(), cpu_seconds(server), cpu_seconds(sim), time.monotonic()
            sim.apply({"op": "listen", "on": False}, {"at_ms": 1, "op": "drop-connections"},
                      *[{"at_ms": 500, **o} for o in all_kinds("delete", streams)],
                      {"at_ms": down_ms, "op": "listen", "on": True})
            wait_for("every watch to be there again", lambda: watches_open(sim) >= informers, 120)
            rewatched = time.monotonic() - began - down_ms / 1000
            connects = server.metric("upstream_connects_total") - before["kstatusd_upstream_connects_total"]
            report = {}

            def told():
                report.update(load.ask("report"))
                return report["updates"] + report["coalesced"] >= 2 * informers

            wait_for("every deletion to be told", told, 120)
            took = time.monotonic() - began - down_ms / 1000
            after = server.metrics()
            return {"informers": before["kstatusd_upstream_informers"], "rewatched_s": rewatched,
                    "connects_then": connects, "all_told_s": took,
                    "cpu": (cpu_seconds(server) - cpu) / (time.monotonic() - began), "kubesim_cpu": (cpu_seconds(sim) - sim_cpu) / (time.monotonic() - began),
                    "errors": report["errors"], "gaps": report["gaps"], "unknown": report["unknown"],
                    **{name: after["kstatusd_upstream_" + name + "_total"] - before["kstatusd_upstream_" + name + "_total"]
                       for name in ("connects", "lists", "requests", "failures")}}
