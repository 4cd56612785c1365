# SPDX-License-Identifier: Apache-2.0
"""libkstatus as others get it: installed, found by pkg-config, linked shared and static, from C and from C++."""

import os
import pathlib
import re
import subprocess
import tempfile

from harness import BIN, Bench, create, deployment

SOURCE = pathlib.Path(__file__).resolve().parent / "library_user.c"
BUILD = BIN.parent
FOREIGN = ("google__protobuf__any__", "google__protobuf__duration__", "google__protobuf__timestamp__",
           "google__rpc__status__")


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300, check=False,
                          **more)
    if done.returncode:
        raise AssertionError(f"{command}: {done.stdout}{done.stderr}")
    return done.stdout


def build_flags():
    """What the build was instrumented with must be known to who links it."""
    cache = (BUILD / "CMakeCache.txt").read_text()
    sanitizers = re.search(r"^KS_SANITIZE:\w+=(.*)$", cache, re.M)
    flags = [f"-fsanitize={sanitizers.group(1)}"] if sanitizers and sanitizers.group(1) else []
    return flags + (["--coverage"] if re.search(r"^KS_COVERAGE:BOOL=ON$", cache, re.M) else [])


class Library(Bench):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sim.apply(*create(deployment("web")))
        folder = tempfile.TemporaryDirectory(prefix="ks-install-")
        cls.addClassCleanup(folder.cleanup)
        cls.root = pathlib.Path(folder.name)
        run("cmake", "--install", BUILD, "--prefix", "/usr", env={**os.environ, "DESTDIR": cls.root / "dest"})
        cls.dest = cls.root / "dest/usr"
        cls.lib = next(cls.dest.rglob("libkstatus.so")).parent

    def flags(self, *what):
        environment = {**os.environ, "PKG_CONFIG_PATH": str(self.lib / "pkgconfig")}
        return run("pkg-config", *what, "kstatus", env=environment).split()

    def use(self, program):
        done = run(program, self.server.grpc, "deploy", "web", env={**os.environ, "LD_LIBRARY_PATH": str(self.lib)})
        self.assertEqual(done, 2 * "Deployment/web RECONCILE_STATUS_CURRENT\n")

    def test_shared(self):
        program = self.root / "shared"
        run("cc", "-std=c17", "-Wall", "-Wextra", "-Werror", *build_flags(), SOURCE, "-o", program,
            *self.flags("--cflags", "--libs"))
        self.assertIn("libkstatus.so.0", run("readelf", "-d", program))
        self.use(program)

    def test_static(self):
        program = self.root / "static"
        run("cc", "-std=c17", *build_flags(), SOURCE, "-o", program, *self.flags("--cflags"), self.lib / "libkstatus.a",
            "-lprotobuf-c", "-lgrpc", "-lgpr", "-lpthread")
        self.assertNotIn("libkstatus", run("readelf", "-d", program))
        self.use(program)

    def test_the_header_is_cpp_too(self):
        run("g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *self.flags("--cflags"), "-x", "c++", "-",
            input="#include <kstatus.h>\nint main() { return kstatus_version() == nullptr; }\n")

    def test_it_exports_its_interface_alone(self):
        names = re.findall(r" [TDRBVW] (\w+)", run("nm", "-D", "--defined-only", self.lib / "libkstatus.so"))
        stray = [n for n in names if not n.startswith(("kstatus_", *FOREIGN, "__asan_", "__ubsan_", "__odr_"))]
        self.assertEqual(stray, [])
        header = (self.dest / "include/kstatus/kstatus.h").read_text()
        for name in re.findall(r"\b(kstatus_\w+)\(", header):
            self.assertIn(name, names)

    def test_what_is_installed(self):
        self.assertEqual(os.readlink(self.dest / "bin/kubectl-kstatus"), "kstatus")
        self.assertIn("Usage: kstatus", run(self.dest / "bin/kubectl-kstatus", "help"))
        for name in ("libkstatus.a", "libkstatus.so.0", "pkgconfig/kstatus.pc"):
            self.assertTrue((self.lib / name).exists(), name)
        self.assertEqual(list(self.dest.rglob("health.pb-c.h")), [])  # not ours to give
