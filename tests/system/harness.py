# SPDX-License-Identifier: Apache-2.0
"""Programs under test as objects: kubesim, and kstatusd in front of it.

    with Kubesim() as sim, Kstatusd(sim.kubeconfig) as server:
        sim.apply(create(pod("web-0", "Running")))
        watch = Watch(server, object_target(1, "pod", "web-0", "default"))

The programs come from $KS_BIN (the build's bin directory). Every program gets a port of its own and a log file that is
shown when a test fails; it is ended by its process id.
"""

import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import grpc

BIN = pathlib.Path(os.environ.get("KS_BIN", pathlib.Path(__file__).resolve().parents[2] / "build/bin"))
START_S = float(os.environ.get("KS_START_S", "20"))  # sanitizers and valgrind take their time
SLOW = float(os.environ.get("KS_SLOW", "1"))         # factor on the limits of waits, likewise


def wait_for(what, check, limit_s=10):
    """Polls until check() is true and returns its value. For what nothing tells us about: metrics, sockets, files."""
    deadline = time.monotonic() + limit_s * SLOW
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {limit_s} s for {what}")
        threading.Event().wait(0.02)


class Program:
    """A process that prints one line when it is ready."""

    def __init__(self, name, *arguments, environment=None):
        self.dir = tempfile.TemporaryDirectory(prefix=f"ks-{name}-")
        self.log_path = pathlib.Path(self.dir.name) / "log"
        self.arguments = [str(BIN / name), *map(str, arguments)]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                self.arguments, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL, text=True,
                env={**os.environ, **(environment or {})})
        self.line = self._first_line()

    def _first_line(self):
        lines = []
        reader = threading.Thread(target=lambda: lines.append(self.process.stdout.readline()), daemon=True)
        reader.start()
        reader.join(START_S)
        if not lines or not lines[0]:
            code = self.process.poll()
            self.kill()
            raise AssertionError(f"{self.arguments} did not get ready (exit {code}):\n{self.log()}")
        return lines[0].rstrip("\n")

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        return self.log_path.read_text(errors="replace")

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, limit_s=15):
        """The exit code."""
        return self.process.wait(limit_s * SLOW)

    def stop(self, limit_s=15):
        """SIGTERM; the exit code."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.wait(limit_s)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            print(f"--- log of {self.arguments[0]}, its last 40 lines:")
            print("\n".join(self.log().splitlines()[-40:]))
        self.kill()
        self.dir.cleanup()

    def fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def rss_bytes(self):
        pages = int(pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


class Kubesim(Program):
    """The simulated API server. Its control interface is HTTP/2, so curl speaks for us."""

    def __init__(self, *arguments, listen="127.0.0.1:0"):
        self.files = tempfile.TemporaryDirectory(prefix="ks-kubesim-")
        self.kubeconfig = pathlib.Path(self.files.name) / "kubeconfig"
        super().__init__("kubesim", "--listen", listen, "--kubeconfig", self.kubeconfig, *arguments)
        self.url = re.search(r"https://\S+", self.line).group(0)

    def __exit__(self, *what):
        super().__exit__(*what)
        self.files.cleanup()

    def request(self, method, path, body=None):
        command = ["curl", "-sS", "--insecure", "--http2", "-X", method, "-H", "Authorization: Bearer admin",
                   "--noproxy", "*", "-w", "\n%{http_code}", self.url + path]
        if body is not None:
            command += ["-H", "Content-Type: application/json", "--data-binary", "@-"]
        done = subprocess.run(command, input=body, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode:
            raise AssertionError(f"{method} {path}: {done.stderr}")
        text, _, status = done.stdout.rpartition("\n")
        if not 200 <= int(status) < 300:
            raise AssertionError(f"{method} {path}: {status} {text}")
        return text

    def apply(self, *operations):
        """Carries out scenario operations; those that are due now are done when this returns."""
        self.request("POST", "/kubesim/scenario", "".join(json.dumps(o) + "\n" for o in operations))

    def stats(self):
        return json.loads(self.request("GET", "/kubesim/stats"))

    def requests(self):
        return [json.loads(line) for line in self.request("GET", "/kubesim/requests").splitlines()]


class Kstatusd(Program):
    def __init__(self, kubeconfig, *arguments, listen=("127.0.0.1:0",), http="127.0.0.1:0", environment=None):
        words = [word for address in listen for word in ("--listen", address)]
        super().__init__("kstatusd", *words, "--http", http, "--kubeconfig", kubeconfig, "--log-level", "info",
                         *arguments, environment=environment)
        match = re.fullmatch(r"listening grpc=(\S+) http=(\S+)", self.line)
        if not match:
            raise AssertionError(f"its line is {self.line!r}")
        self.addresses = match.group(1).split(",")
        self.grpc = self.addresses[0]
        self.http = match.group(2)

    def __exit__(self, kind, value, trace):
        """A server that still runs must drain cleanly; none may have a sanitizer's report in its log."""
        code = self.stop() if kind is None and self.process.poll() is None else 0
        log = self.log()
        super().__exit__(kind, value, trace)
        report = re.search(r"(ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:).*", log)
        if kind is None and (code or report):
            raise AssertionError(f"kstatusd ended with {code}:\n{log[report.start() if report else -4000:][:8000]}")

    def get(self, path, method="GET"):
        """(status, body, headers) of the HTTP port."""
        connection = http.client.HTTPConnection(self.http, timeout=10)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read().decode(), dict(response.getheaders())
        finally:
            connection.close()

    def metrics(self):
        """name or name{labels} -> value"""
        status, text, _ = self.get("/metrics")
        if status != 200:
            raise AssertionError(f"/metrics: {status}")
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
                for line in text.splitlines() if not line.startswith("#")}

    def metric(self, name):
        return self.metrics()["kstatusd_" + name]

    def wait_metric(self, name, value, limit_s=10):
        wait_for(f"kstatusd_{name} to be {value}", lambda: self.metric(name) == value, limit_s)

    def channel(self, **options):
        """A channel with a connection of its own."""
        return grpc.insecure_channel(self.grpc, options=[("grpc.use_local_subchannel_pool", 1), *options.items()])

    def socket(self, address=None):
        host, _, port = (address or self.grpc).rpartition(":")
        return socket.create_connection((host, int(port)), timeout=10)


def create(*objects):
    return [{"op": "create", "object": o} for o in objects]


def delete(o):
    return {"op": "delete", "object": {"apiVersion": o["apiVersion"], "kind": o["kind"], "metadata": {
        "name": o["metadata"]["name"], "namespace": o["metadata"].get("namespace", "")}}}


def patch_status(o, status):
    return {"op": "patch-status", "object": {"apiVersion": o["apiVersion"], "kind": o["kind"], "metadata": {
        "name": o["metadata"]["name"], "namespace": o["metadata"]["namespace"]}, "status": status}}


def hang(path_prefix):
    """Requests below that path get no answer any more."""
    return {"op": "fault", "match": {"path_prefix": path_prefix, "times": 0}, "do": "hang"}


def config_map(name, namespace="default", **labels):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "data": {"key": "value"}}


def pod_status(ready):
    flag = "True" if ready else "False"
    return {"phase": "Running", "conditions": [{"type": kind, "status": flag} for kind in ("Ready", "ContainersReady")],
            "containerStatuses": [{"name": "main", "ready": ready, "restartCount": 0, "image": "i", "imageID": "",
                                   "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]}


def pod(name, ready=True, namespace="default", **labels):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": {"containers": [{"name": "main", "image": "i"}]}, "status": pod_status(ready)}


def deployment(name, replicas=3, ready=3, namespace="default", generation=1):
    return {"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace, "generation": generation},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
                     "template": {"metadata": {"labels": {"app": name}},
                                  "spec": {"containers": [{"name": "main", "image": "i"}]}}},
            "status": {"observedGeneration": generation, "replicas": replicas, "updatedReplicas": replicas,
                       "readyReplicas": ready, "availableReplicas": ready,
                       "conditions": [{"type": "Available", "status": "True" if ready == replicas else "False"},
                                      {"type": "Progressing", "status": "True",
                                       "reason": "NewReplicaSetAvailable"}]}}


def crd(plural, group, has_status):
    """A CustomResourceDefinition of anything; the kind is called as the plural is, less its s."""
    version = {"name": "v1", "served": True, "storage": True,
               "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}
    if has_status:
        version["subresources"] = {"status": {}}
    kind = plural.removesuffix("s").capitalize()
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {"group": group, "scope": "Namespaced", "versions": [version],
                     "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": kind + "List"}}}


class Bench(unittest.TestCase):
    """A test case with a kubesim and a kstatusd of its own class."""

    sim_arguments = ()
    server_arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.sim = Kubesim(*cls.sim_arguments)
        cls.addClassCleanup(cls.sim.__exit__, None, None, None)
        cls.server = Kstatusd(cls.sim.kubeconfig, *cls.server_arguments)
        cls.addClassCleanup(cls.server.__exit__, None, None, None)
        cls.channel = cls.server.channel()
        cls.addClassCleanup(cls.channel.close)

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result else 0
        done = super().run(result)
        if result and len(result.failures) + len(result.errors) > before:
            print(f"--- kstatusd's log after {self.id()}:")
            print("\n".join(self.server.log().splitlines()[-25:]))
        return done
