#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""family.py PODS [FAILING]: a Deployment in a roll, its ReplicaSet, its Pods of some 5 KB each, and the last Pod once more,
without its image; record separators between. FAILING of the Pods crash-loop all the time. What bench_family and the
reference's --bench-family read."""

import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SEPARATOR = "\x1e"
OWNER = "204affa1-a7f7-422a-af51-abe6a2d640f9"
LABELS = {"app": "web", "pod-template-hash": "5d4b896bf7"}


def owned(kind, name, uid):
    return [{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": True, "blockOwnerDeletion": True}]


def deployment(pods, ready):
    head = json.loads((ROOT / "tests/corpus/kube-1.36/get/deployment.json").read_text())
    head["metadata"].update(namespace="demo", name="web")
    head["spec"]["replicas"] = pods
    head["spec"]["selector"]["matchLabels"] = {"app": "web"}
    head["status"].update(replicas=pods, updatedReplicas=pods, readyReplicas=ready, availableReplicas=ready)
    head["status"]["conditions"][1]["reason"] = "ReplicaSetUpdated"
    head["status"]["conditions"][0]["status"] = "False"
    return head


def replica_set(head, pods, ready):
    return {"kind": "ReplicaSet", "apiVersion": "apps/v1",
            "metadata": {"name": "web-5d4b896bf7", "namespace": "demo", "uid": OWNER, "resourceVersion": "340", "generation": 1,
                         "labels": LABELS, "annotations": {"deployment.kubernetes.io/revision": "1"},
                         "ownerReferences": owned("Deployment", "web", head["metadata"]["uid"])},
            "spec": {"replicas": pods, "selector": {"matchLabels": LABELS}, "template": head["spec"]["template"]},
            "status": {"observedGeneration": 1, "replicas": pods, "fullyLabeledReplicas": pods, "readyReplicas": ready,
                       "availableReplicas": ready}}


CRASHING = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container=main"}}
NO_IMAGE = {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"registry.example.com/shop/api\""}}


def pod(number, trouble=None):
    made = json.loads((ROOT / "tests/reference/pod.json").read_text())
    made["metadata"].update(namespace="demo", name=f"web-5d4b896bf7-{number:05}", uid=f"b65fb579-44d0-402a-81b7-8223{number:08}",
                            labels=LABELS, ownerReferences=owned("ReplicaSet", "web-5d4b896bf7", OWNER))
    if trouble:
        for condition in made["status"]["conditions"][1:3]:
            condition.update(status="False", reason="ContainersNotReady", message="containers with unready status: [main]")
        made["status"]["containerStatuses"][0].update(ready=False, started=False, state=trouble)
    return made


def family(pods, failing=0):
    ready = pods - failing - 1
    head = deployment(pods, ready)
    made = [head, replica_set(head, pods, ready),
            *(pod(n, CRASHING if n < failing else None) for n in range(pods)), pod(pods - 1, NO_IMAGE)]
    return SEPARATOR.join(json.dumps(thing, separators=(",", ":")) for thing in made)


if __name__ == "__main__":
    sys.stdout.write(family(*map(int, sys.argv[1:])))
