# SPDX-License-Identifier: Apache-2.0
"""A running kubesim and a client for it, for the tests of kubesim itself.

The client is curl: the standard library speaks no HTTP/2. Nothing here sleeps: waiting is reading with a ceiling.
"""

import atexit
import base64
import datetime
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

CEILING_S = 30
PROGRAM = os.environ.get("KUBESIM", "build/bin/kubesim")
CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "corpus", "kube-1.36")


class Answer:
    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, headers, text

    @property
    def json(self):
        return json.loads(self.text)


class Stream:
    """A watch: a curl whose output is read line by line."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.buffer = b""
        self.ended = False

    def _read(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
            raise AssertionError(f"nothing came for {CEILING_S} s; buffered: {self.buffer[:200]!r}")
        chunk = os.read(self.process.stdout.fileno(), 65536)
        if not chunk:
            self.ended = True
        self.buffer += chunk

    def line(self):
        """The next line, or None when the stream has ended (a last piece without newline counts as a line)."""
        deadline = time.monotonic() + CEILING_S
        while b"\n" not in self.buffer and not self.ended:
            self._read(deadline)
        if not self.buffer:
            return None
        head, _, self.buffer = self.buffer.partition(b"\n")
        return head.decode("utf-8", "replace")

    def event(self):
        line = self.line()
        return None if line is None else json.loads(line)

    def events_until(self, wanted):
        """Events up to and with the first for which wanted(event) holds."""
        events = []
        while True:
            event = self.event()
            if event is None:
                raise AssertionError(f"the stream ended; seen: {[e['type'] for e in events]}")
            events.append(event)
            if wanted(event):
                return events

    def rest(self):
        events = []
        while (event := self.event()) is not None:
            events.append(event)
        return events

    def end(self):
        """Waits for curl to end by itself; its exit code."""
        deadline = time.monotonic() + CEILING_S
        while not self.ended:
            self._read(deadline)
        return self.process.wait(CEILING_S)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Kubesim:
    def __init__(self, *arguments):
        self.dir = tempfile.mkdtemp(prefix="kubesim-test-")
        atexit.register(shutil.rmtree, self.dir, True)
        self.kubeconfig = os.path.join(self.dir, "kubeconfig")
        self.log = open(os.path.join(self.dir, "log"), "w+b")
        self.streams = []
        self.process = subprocess.Popen(
            [PROGRAM, "--listen", "127.0.0.1:0", "--kubeconfig", self.kubeconfig, *arguments],
            stdout=subprocess.PIPE, stderr=self.log)
        self.line = self.process.stdout.readline().decode()
        match = re.fullmatch(r"kubesim listening on (https://127\.0\.0\.1:(\d+)) kubeconfig=(.*)\n", self.line)
        if not match:
            raise AssertionError(f"kubesim did not start: {self.line!r} {self.errors()}")
        self.url, self.port = match.group(1), int(match.group(2))
        with open(self.kubeconfig) as file:
            text = file.read()
        self.ca = os.path.join(self.dir, "ca.pem")
        with open(self.ca, "wb") as file:
            file.write(base64.b64decode(re.search(r"certificate-authority-data: (\S+)", text).group(1)))

    def errors(self):
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")

    def stop(self):
        """Ends it by SIGTERM; fails when it does not end with 0 (a sanitizer's finding included)."""
        for stream in self.streams:
            stream.close()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(CEILING_S)
        self.process.stdout.close()
        errors = self.errors()
        self.log.close()
        if code != 0:
            raise AssertionError(f"kubesim ended with {code}: {errors[-4000:]}")

    def command(self, path, method="GET", body=None, token="admin", headers=None, extra=()):
        command = ["curl", "-sS", "--http2", "--cacert", self.ca, "--max-time", str(CEILING_S), "-X", method]
        if token is not None:
            command += ["-H", f"Authorization: Bearer {token}"]
        if body is not None and not any(k.lower() == "content-type" for k in headers or {}):
            command += ["-H", "Content-Type: application/json"]
        for key, value in (headers or {}).items():
            command += ["-H", f"{key}: {value}"]
        if body is not None:
            command += ["--data-binary", "@-"]
        return [*command, *extra, self.url + path]

    def request(self, path, method="GET", body=None, **keywords):
        """An answer, or an int: curl's exit code when there was none."""
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        header_file = os.path.join(self.dir, "headers")
        done = subprocess.run(self.command(path, method, body, **keywords)[:-1]
                              + ["-D", header_file, self.url + path],
                              input=body, capture_output=True, check=False)
        if done.returncode != 0:
            return done.returncode
        with open(header_file, "rb") as file:
            lines = file.read().decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            key, _, value = line.partition(": ")
            headers[key.lower()] = value
        return Answer(int(lines[0].split()[1]), headers, done.stdout.decode("utf-8", "replace"))

    def get(self, path, **keywords):
        return self.request(path, **keywords)

    def post(self, path, body, **keywords):
        return self.request(path, "POST", body, **keywords)

    def put(self, path, body, **keywords):
        return self.request(path, "PUT", body, **keywords)

    def merge(self, path, body, **keywords):
        return self.request(path, "PATCH", body, headers={"Content-Type": "application/merge-patch+json"}, **keywords)

    def delete(self, path, body=None, **keywords):
        return self.request(path, "DELETE", body, **keywords)

    def watch(self, path, token="admin", headers=None, **parameters):
        query = urllib.parse.urlencode({"watch": "1", "allowWatchBookmarks": "true", **parameters})
        stream = Stream(self.command(f"{path}?{query}", token=token, headers=headers, extra=["-N"]))
        self.streams.append(stream)
        return stream

    def watch_from_start(self, path, **parameters):
        return self.watch(path, sendInitialEvents="true", resourceVersionMatch="NotOlderThan", **parameters)

    def play(self, *operations):
        """Operations that are due at once; they are done when this returns."""
        lines = "\n".join(json.dumps(o) for o in operations)
        answer = self.request("/kubesim/scenario", "POST", lines)
        if isinstance(answer, int) or answer.status != 200:
            raise AssertionError(f"scenario refused: {answer if isinstance(answer, int) else answer.text}")
        return answer.json

    def requests(self):
        return [json.loads(line) for line in self.get("/kubesim/requests").text.splitlines()]

    def stats(self):
        return self.get("/kubesim/stats").json

    def stats_until(self, wanted):
        """Figures, asked for until wanted(figures) holds."""
        deadline = time.monotonic() + CEILING_S
        while True:
            stats = self.stats()
            if wanted(stats):
                return stats
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain: {stats}")


def seconds(text):
    """RFC 3339 to Unix time."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def is_end_of_initial(event):
    annotations = event["object"].get("metadata", {}).get("annotations") or {}
    return event["type"] == "BOOKMARK" and annotations.get("k8s.io/initial-events-end") == "true"


def config_map(name, namespace="default", labels=None, data=None, **metadata):
    meta = {"name": name, "namespace": namespace, **metadata}
    if labels:
        meta["labels"] = labels
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data or {"k": "v"}}


def widget_crd(scope="Namespaced"):
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.dev"},
        "spec": {
            "group": "example.dev",
            "scope": scope,
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList",
                      "shortNames": ["wd"], "categories": ["all"]},
            "versions": [{
                "name": "v1", "served": True, "storage": True, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }],
        },
    }


def widget(name, namespace="default", size=3, **metadata):
    return {"apiVersion": "example.dev/v1", "kind": "Widget",
            "metadata": {"name": name, "namespace": namespace, **metadata}, "spec": {"size": size}}


def pod(name, namespace="default", labels=None, **spec):
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": labels or {"app": name}},
            "spec": {"containers": [{"name": "main", "image": "web"}], **spec}}


def main(module):
    """Runs the module's tests; the program comes as an argument."""
    import unittest

    global PROGRAM
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        PROGRAM = sys.argv.pop(1)
    unittest.main(module=module, verbosity=2)
