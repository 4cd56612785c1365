# SPDX-License-Identifier: Apache-2.0
"""kstatus against a server that does not know all that it asks for: it goes on with less, and says so once."""

import concurrent.futures
import json
import subprocess
import unittest

import grpc

import harness
import stream  # noqa: F401  (makes the stubs)
from stream import pb, pb_grpc

LIMIT_S = 60 * harness.SLOW
NOTICE = r"^kstatus: kstatusd at 127\.0\.0\.1:\d+ is too old to tell causes: they are left out\n"


def status_of(target):
    return pb.ResourceStatus(object=pb.ObjectRef(group="apps", version="v1", kind="Deployment", namespace="shop",
                                                 name=target.object.name),
                             status=pb.RECONCILE_STATUS_FAILED, basis=pb.STATUS_BASIS_KIND_RULE, reason="Stuck",
                             message="It is stuck", target_ids=[target.target_id])


class Older(pb_grpc.StatusServiceServicer):
    """Refuses include_causes, with the code that the test says, as often as it says."""

    def __init__(self, code, text, only_causes=True):
        self.code, self.text, self.only_causes = code, text, only_causes
        self.asked = []

    def check(self, request, context):
        self.asked.append(request.options.include_causes)
        if request.options.include_causes or not self.only_causes:
            context.abort(self.code, self.text)

    def Get(self, request, context):
        self.check(request, context)
        return pb.GetResponse(statuses=[status_of(t) for t in reversed(request.targets)],
                              counts=pb.Counts(failed=len(request.targets)),
                              aggregate_status=pb.RECONCILE_STATUS_FAILED)

    def Watch(self, request, context):
        self.check(request, context)
        events = [pb.Event(accepted=pb.Accepted(server_version="0.0.1"))]
        events += [pb.Event(update=status_of(t)) for t in request.targets]
        events.append(pb.Event(synced=pb.Synced(counts=pb.Counts(failed=len(request.targets)))))
        yield pb.WatchResponse(first_sequence=1, events=events)


class OlderServer(unittest.TestCase):
    def serve(self, *arguments, **more):
        service = Older(*arguments, **more)
        server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        pb_grpc.add_StatusServiceServicer_to_server(service, server)
        self.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        self.addCleanup(server.stop, None)
        return service

    def kstatus(self, command, *arguments):
        return subprocess.run([harness.BIN / "kstatus", command, "--server", self.address, "-n", "shop", *arguments],
                              capture_output=True, text=True, timeout=LIMIT_S, check=False)

    def test_goes_on_without_causes(self):
        for code in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INVALID_ARGUMENT):
            for command in ("get", "explain", "watch"):
                with self.subTest(code=code, command=command):
                    service = self.serve(code, "options.include_causes is not served yet")
                    done = self.kstatus(command, "deploy/web")
                    self.assertRegex(done.stdout, r"Deployment/web.*(?s:.)*It is stuck")
                    self.assertRegex(done.stderr, NOTICE)
                    self.assertEqual(service.asked, [True, False])
                    if command != "watch":
                        self.assertEqual(done.returncode, 1, "it is Failed")
                        self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_says_it_once_for_many_calls(self):
        for command in ("get", "watch"):
            self.serve(grpc.StatusCode.UNIMPLEMENTED, "options.include_causes is not served yet")
            done = self.kstatus(command, "-o", "json", *(f"deploy/web-{i}" for i in range(100)))
            names = {json.loads(line)["update"]["object"]["name"] for line in done.stdout.splitlines() if '"update"' in line}
            if command == "get":
                self.assertEqual(len(names), 100)
            self.assertRegex(done.stderr, NOTICE)
            self.assertEqual(done.stderr.count("too old"), 1)

    def test_answers_come_in_the_order_of_the_questions(self):
        self.serve(grpc.StatusCode.UNIMPLEMENTED, "options.include_causes is not served yet")
        names = [f"web-{i}" for i in (3, 1, 2)]
        text = self.kstatus("explain", *(f"deploy/{name}" for name in names)).stdout
        self.assertEqual([line for line in text.splitlines() if line.startswith("Deployment/")],
                         [f"Deployment/{name} -n shop" for name in names])

    def test_other_refusals_are_the_end(self):
        for text in ("targets[0].object.name is missing", "options.include_causes is not served yet"):
            for command in ("get", "watch"):
                service = self.serve(grpc.StatusCode.INVALID_ARGUMENT, text, only_causes=False)
                done = self.kstatus(command, "deploy/web")
                self.assertEqual(done.returncode, 2)
                self.assertIn(f"the server refuses the request: {text}", done.stderr)
                self.assertLessEqual(len(service.asked), 2)


if __name__ == "__main__":
    unittest.main()
