#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Waits for a Deployment and says how it goes, on stubs that protoc made from our proto.

usage: watch.py SERVER NAMESPACE RESOURCE/NAME      e.g. watch.py 127.0.0.1:7443 demo deploy/web

Ends with 0 once the object is Current, and with 1 when it is Failed.
"""

import sys

import grpc
from kstatus.v1 import status_service_pb2 as pb
from kstatus.v1 import status_service_pb2_grpc as rpc


def request(namespace, target):
    resource, name = target.split("/", 1)
    ref = pb.ObjectRef(resource=resource, namespace=namespace, name=name)
    return pb.WatchRequest(targets=[pb.Target(target_id=1, object=ref)])


def main():
    server, namespace, target = sys.argv[1:4]
    with grpc.insecure_channel(server) as channel:
        stream = rpc.StatusServiceStub(channel).Watch(request(namespace, target))
        for response in stream:
            for event in response.events:
                if event.WhichOneof("event") != "update":
                    continue
                update = event.update
                status = pb.ReconcileStatus.Name(update.status).removeprefix("RECONCILE_STATUS_")
                print(f"{status:<12} {update.object.kind}/{update.object.name} {update.reason} {update.message}", flush=True)
                if update.status == pb.RECONCILE_STATUS_CURRENT:
                    return 0
                if update.status == pb.RECONCILE_STATUS_FAILED:
                    return 1
    return 4


if __name__ == "__main__":
    sys.exit(main())
