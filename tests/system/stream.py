# SPDX-License-Identifier: Apache-2.0
"""A Watch stream as tests want it: read in the background, checked against the stream's promises, waited on.

    stream = Watch(server_address, object_target(1, "deploy", "web", "demo"))
    stream.wait_status("web", "CURRENT", 10)
    stream.close()

Every response is checked as it comes: gapless sequence numbers, Accepted first, Synced once and only after an answer for
every named object. A broken promise fails the next wait.
"""

import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import grpc

ROOT = pathlib.Path(__file__).resolve().parents[2]
_STUBS = tempfile.TemporaryDirectory(prefix="kstatus-stubs-")


def _make_stubs():
    subprocess.run(
        ["protoc", "-I", ROOT / "proto", f"--python_out={_STUBS.name}", f"--grpc_python_out={_STUBS.name}",
         "--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin", "kstatus/v1/status_service.proto",
         "google/rpc/status.proto", "google/rpc/error_details.proto", "grpc/health/v1/health.proto"], check=True)
    sys.path.insert(0, _STUBS.name)
    # The generated packages google.rpc and grpc.health share their first word with installed ones.
    import google
    google.__path__.append(_STUBS.name + "/google")
    grpc.__path__.append(_STUBS.name + "/grpc")


_make_stubs()

from kstatus.v1 import status_service_pb2 as pb  # noqa: E402
from kstatus.v1 import status_service_pb2_grpc as pb_grpc  # noqa: E402


def object_target(target_id, resource, name, namespace="", **more):
    return pb.Target(target_id=target_id, object=pb.ObjectRef(resource=resource, name=name, namespace=namespace, **more))


def selector_target(target_id, resource, namespace="", labels="", fields=""):
    return pb.Target(target_id=target_id, selector=pb.Selector(
        resource=resource, namespace=namespace, label_selector=labels, field_selector=fields))


def status_name(update):
    return pb.ReconcileStatus.Name(update.status).removeprefix("RECONCILE_STATUS_")


class Watch:
    def __init__(self, server, *targets, options=None, until=None):
        self.address = getattr(server, "grpc", server)
        self.targets = targets
        self.updates = {}       # (kind, name) -> newest update
        self.seen = {}          # name -> monotonic time of its newest update
        self.history = []       # every event, in order
        self.unread = {}        # name -> updates that no wait_status has passed yet
        self.target_states = {}
        self.error = None       # the grpc.RpcError that ended the stream
        self.ended = False
        self.synced = None
        self.outcome = None
        self.broken = []
        self._next_sequence = 1
        self._answered = set()
        self._changed = threading.Condition()
        self._channel = grpc.insecure_channel(self.address, options=[("grpc.use_local_subchannel_pool", 1)])
        request = pb.WatchRequest(targets=targets, options=options, until=until)
        self._call = pb_grpc.StatusServiceStub(self._channel).Watch(request)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self):
        self._call.cancel()
        self._thread.join()
        self._channel.close()

    def _read(self):
        try:
            for response in self._call:
                with self._changed:
                    self._take(response)
                    self._changed.notify_all()
        except grpc.RpcError as error:
            self.error = error
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def _take(self, response):
        if response.first_sequence != self._next_sequence:
            self.broken.append(f"sequence {response.first_sequence}, not {self._next_sequence}")
        self._next_sequence = response.first_sequence + len(response.events)
        for event in response.events:
            kind = event.WhichOneof("event")
            if not self.history and kind != "accepted":
                self.broken.append(f"the first event is {kind}")
            if self.outcome:
                self.broken.append(f"{kind} follows the outcome")
            self.history.append(event)
            getattr(self, "_take_" + kind, lambda body: None)(getattr(event, kind))

    def _take_update(self, update):
        key = (update.object.kind, update.object.name)
        self._answered.update(update.target_ids)
        self.updates[key] = update
        self.seen[update.object.name] = time.monotonic()
        self.unread.setdefault(update.object.name, []).append(update)

    def _take_removed(self, removed):
        self.updates.pop((removed.object.kind, removed.object.name), None)

    def _take_outcome(self, outcome):
        self.outcome = outcome

    def _take_target_change(self, change):
        self.target_states[change.target_id] = pb.TargetChange.State.Name(change.state)

    def _take_synced(self, synced):
        if self.synced:
            self.broken.append("synced twice")
        self.synced = synced
        for target in self.targets:
            if target.HasField("object") and target.target_id not in self._answered:
                self.broken.append(f"synced before target {target.target_id} was answered")

    def wait(self, what, check, limit_s):
        """Waits until check() is true and returns its value."""
        deadline = time.monotonic() + limit_s
        with self._changed:
            while True:
                if self.broken:
                    raise AssertionError(f"a promise was broken: {self.broken}")
                value = check()
                if value:
                    return value
                left = deadline - time.monotonic()
                if left <= 0 or self.ended:
                    raise AssertionError(f"waited for {what}; {self.describe()}")
                self._changed.wait(left)

    def describe(self):
        statuses = {f"{kind}/{name}": f"{status_name(u)} {u.reason}" for (kind, name), u in list(self.updates.items())[:20]}
        return f"statuses {statuses}, targets {self.target_states}, synced {bool(self.synced)}, error {self.error}"

    def _find(self, name, want):
        for (_, has), update in self.updates.items():
            if has == name and want(update):
                return update
        return None

    def _pass(self, name, want):
        """The first unread update of a name that is wanted; it and those before it count as read."""
        unread = self.unread.get(name, [])
        for at, update in enumerate(unread):
            if want(update):
                del unread[:at + 1]
                return update
        return None

    def wait_status(self, name, status, limit_s, reason=None):
        """The next time that a name has a status, counted from the last wait_status for it: no state is missed
        because it was short."""
        return self.wait(f"{name} to be {status} {reason or ''}", lambda: self._pass(
            name, lambda u: status_name(u) == status and reason in (None, u.reason)), limit_s)

    def wait_generation(self, name, generation, status, limit_s):
        return self.wait(f"{name} to be {status} at generation {generation}", lambda: self._find(
            name, lambda u: status_name(u) == status and u.generation >= generation), limit_s)

    def wait_seen(self, name, limit_s):
        return self.wait(f"an update of {name}", lambda: self.seen.get(name), limit_s)

    def wait_synced(self, limit_s):
        return self.wait("Synced", lambda: self.synced, limit_s)

    def wait_target(self, target_id, state, limit_s):
        return self.wait(f"target {target_id} to be {state}", lambda: self.target_states.get(target_id) == state, limit_s)

    def wait_count(self, status, count, limit_s):
        return self.wait(f"{count} objects to be {status}", lambda: count == sum(
            1 for update in self.updates.values() if status_name(update) == status), limit_s)

    def wait_outcome(self, limit_s):
        """The name of the verdict, once the stream has ended with one, and with the status OK."""
        self.wait("the outcome", lambda: self.outcome, limit_s)
        error = self.wait_end(limit_s)
        if error:
            raise AssertionError(f"the stream ended with {error}")
        return pb.Outcome.Verdict.Name(self.outcome.verdict).removeprefix("VERDICT_")

    def wait_end(self, limit_s):
        self.wait("the stream's end", lambda: self.ended, limit_s)
        return self.error

    def names(self, kind, status):
        with self._changed:
            return {name for (has, name), update in self.updates.items() if has == kind and status_name(update) == status}
