# SPDX-License-Identifier: Apache-2.0
"""The Go watcher that users have today (fluxcd/cli-utils, go/watcher), as a process beside ours.

    watcher = GoWatcher(build(directory), cluster.kubeconfig, [("demo", "web", "Deployment", "apps")])
    watcher.wait_synced(60)
    watcher.newest["demo", "web", "Deployment", "apps"]["status"]
    watcher.close()
"""

import json
import os
import shutil
import subprocess
import threading

from cluster import HERE, ClusterError, say

GO = {"GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-buildvcs=false", "CGO_ENABLED": "0"}


def build(directory):
    """The program's path."""
    go = shutil.which("go") or "/usr/local/go/bin/go"
    program = os.path.join(directory, "go-watcher")
    say("building the Go watcher ...")
    done = subprocess.run([go, "build", "-mod=readonly", "-trimpath", "-o", program, "."], text=True, capture_output=True,
                          cwd=os.path.join(HERE, "go", "watcher"), env=dict(os.environ, **GO))
    if done.returncode:
        raise ClusterError(f"go build: {done.stderr}")
    return program


class GoWatcher:
    """What it tells is kept: `newest` by (namespace, name, kind, group), `told` all of it in order. Its own clock is for
    nobody who times others."""

    def __init__(self, program, kubeconfig, ids, workers=0):
        self.changed = threading.Condition()
        self.newest = {}
        self.told = []
        self.is_synced = False
        self.is_over = False
        self.process = subprocess.Popen([program, kubeconfig, str(workers), *("/".join(one) for one in ids)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            update = json.loads(line)
            with self.changed:
                self.is_synced = self.is_synced or "synced" in update
                if "status" in update:
                    self.told.append(update)
                    key = tuple(update.get(part, "") for part in ("namespace", "name", "kind", "group"))
                    self.newest[key] = update
                    self.tell(update)
                self.changed.notify_all()
        with self.changed:
            self.is_over = True
            self.changed.notify_all()

    def tell(self, update):
        """For who wants to know at once."""

    def wait(self, what, check, limit_s):
        with self.changed:
            if not self.changed.wait_for(lambda: self.is_over or check(), limit_s) or not check():
                raise ClusterError(f"the Go watcher {'has ended' if self.is_over else f'told for {limit_s} s'} without {what}")

    def wait_synced(self, limit_s):
        self.wait("being synced", lambda: self.is_synced, limit_s)

    def close(self):
        self.process.stdin.close()
        self.thread.join()
        self.process.wait()
        self.process.stdout.close()
