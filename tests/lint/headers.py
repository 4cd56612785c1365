#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every header compiles alone (H3) and states its contract (H1): purpose, Thread, Owns, Limits."""

import re
import subprocess
import sys

import source


def flags(build_dir):
    generated = f"{build_dir}/proto/gen"
    return ["-std=c17", "-D_GNU_SOURCE", '-DKS_VERSION="0"', "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
            f"-I{source.ROOT}/internal", f"-I{source.ROOT}", f"-I{source.ROOT}/tests", f"-I{source.ROOT}/client",
            f"-isystem{generated}", "-x", "c", "-"]


def include_name(name):
    return re.sub(r"^(internal|tests|client(?=/kstatus\.h$))/", "", name)


def main():
    report = source.Report("headers")
    files = source.tracked("*.h")
    for path in files:
        name = source.name_of(path)
        text = f'#include "{include_name(name)}"\n'
        done = subprocess.run(["cc", *flags(sys.argv[1])], input=text, text=True, capture_output=True)
        if done.returncode:
            report.add(path, 1, "does not compile alone:\n" + done.stderr)
        head = path.read_text()
        if name.startswith(("internal/", "server/", "client/")):
            if "Thread:" not in head:
                report.add(path, 1, "the head does not say which thread")
        if not re.search(r"^#ifndef [A-Z]\w+_H$", head, re.M):
            report.add(path, 1, "no include guard")
    return report.end(len(files))


if __name__ == "__main__":
    sys.exit(main())
