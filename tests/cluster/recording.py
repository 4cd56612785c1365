# SPDX-License-Identifier: Apache-2.0
"""What happens on a control plane, written down as a scenario for kubesim (tests/scenarios/README.md).

    existing, watches = start_watches(cluster, collections, seconds)
    ...
    entries = compose(existing, watches, started)   # started: time.monotonic() when they were
    write(path, entries)
"""

import json
import threading
import time

from cluster import ClusterError

OPS = {"ADDED": "create", "MODIFIED": "update", "DELETED": "delete"}


class Watch(threading.Thread):
    """Reads one collection's watch from a resourceVersion on until the server ends it, or for ever."""

    def __init__(self, cluster, collection, version, seconds):
        super().__init__(daemon=True)
        self.events = []        # (monotonic seconds, type, object)
        self.error = None
        self.connection = cluster.connect(timeout_s=seconds + 30)
        self.connection.request("GET", f"{collection}?watch=1&resourceVersion={version}"
                                       f"&timeoutSeconds={seconds}")
        self.response = self.connection.getresponse()

    def run(self):
        try:
            for line in self.response:
                event = json.loads(line)
                if event["type"] not in OPS:
                    raise ClusterError(f"the watch ended with {event}")
                self.events.append((time.monotonic(), event["type"], event["object"]))
        except Exception as error:
            self.error = error
        finally:
            self.connection.close()


def start_watches(cluster, collections, seconds):
    """Lists and watches each collection; returns the objects of the lists and the watches."""
    existing, watches = [], []
    for collection in collections:
        status, _, text = cluster.request("GET", collection)
        listed = json.loads(text)
        if status != 200:
            raise ClusterError(f"GET {collection}: {status} {text}")
        for item in listed["items"]:
            # Lists of built-in kinds name the kind once for all items, watches in each object.
            existing.append({"kind": listed["kind"].removesuffix("List"), "apiVersion": listed["apiVersion"], **item})
        watches.append(Watch(cluster, collection, listed["metadata"]["resourceVersion"], seconds))
    for watch in watches:
        watch.start()
    return existing, watches


# --- trimming -------------------------------------------------------------------------------------

ANNOTATION_NOISE = ("kstatus.test/", "deployment.kubernetes.io/desired-replicas",
                    "deployment.kubernetes.io/max-replicas", "node.alpha.kubernetes.io/ttl")
POD_SPEC_NOISE = ("volumes", "tolerations", "dnsPolicy", "schedulerName", "securityContext",
                  "serviceAccount", "serviceAccountName", "enableServiceLinks", "priority",
                  "preemptionPolicy", "terminationGracePeriodSeconds")
CONTAINER_NOISE = ("volumeMounts", "resources", "terminationMessagePath",
                   "terminationMessagePolicy", "imagePullPolicy")


def trim(obj):
    """Takes away what is long or particular to this run and bears on no status.

    The resourceVersion goes too: whoever replays the scenario gives its own.
    """
    def trim_metadata(metadata):
        for key in ("managedFields", "resourceVersion"):
            metadata.pop(key, None)
        kept = {key: value for key, value in metadata.pop("annotations", {}).items()
                if not key.startswith(ANNOTATION_NOISE)}
        if kept:
            metadata["annotations"] = kept

    def trim_pod_spec(spec):
        for key in POD_SPEC_NOISE:
            spec.pop(key, None)
        for container in spec["containers"]:
            for key in CONTAINER_NOISE:
                container.pop(key, None)

    trim_metadata(obj["metadata"])
    if "template" in obj.get("spec", {}):
        trim_metadata(obj["spec"]["template"]["metadata"])
        trim_pod_spec(obj["spec"]["template"]["spec"])
    if obj["kind"] == "Pod":
        trim_pod_spec(obj["spec"])
    return obj


def compose(existing, watches, started):
    """All changes as scenario entries, without those that trimming made empty."""
    events = sorted((event for watch in watches for event in list(watch.events)),
                    key=lambda event: int(event[2]["metadata"]["resourceVersion"]))
    entries = [{"at_ms": 0, "op": "create", "object": trim(obj)} for obj in existing]
    newest = {entry["object"]["metadata"]["uid"]: entry["object"] for entry in entries}
    at_ms = 0
    for moment, kind, obj in events:
        # Two watches can deliver in another order than etcd took the changes, by microseconds.
        at_ms = max(at_ms, round((moment - started) * 1000))
        obj = trim(obj)
        uid = obj["metadata"]["uid"]
        if kind == "MODIFIED" and newest.get(uid) == obj:
            continue
        newest[uid] = obj
        entries.append({"at_ms": at_ms, "op": OPS[kind], "object": obj})
    return entries


def write(path, entries):
    with open(path, "w") as file:
        for entry in entries:
            file.write(json.dumps(entry, separators=(",", ":")) + "\n")
