#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the Dockerfile: pinned bases, a non-root final user, health checks, exec form, no package lists left behind,
and that everything is built by the Makefile's own targets."""

import re
import sys

import source


def instructions(text):
    """Yields (line, keyword, argument) with continuation lines joined."""
    joined, first = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        if not joined and (not line.strip() or line.startswith("#")):
            continue
        first = first if joined else number
        joined += line.rstrip("\\")
        if line.endswith("\\"):
            continue
        keyword, _, argument = joined.strip().partition(" ")
        yield first, keyword, argument
        joined = ""


def check_instruction(report, path, line, keyword, argument):
    if keyword == "FROM" and not re.match(r"\S+:[\w.-]+( AS \w+)?$", argument):
        report.add(path, line, "the base image has no tag, or the stage no name")
    if keyword == "FROM" and ":latest" in argument:
        report.add(path, line, "`latest` is no version")
    if keyword in {"ENTRYPOINT", "CMD"} and not argument.startswith("["):
        report.add(path, line, f"{keyword} in shell form: signals would not arrive")
    if keyword == "ADD":
        report.add(path, line, "COPY instead of ADD")
    if keyword == "RUN" and "install" in argument and "rm -rf /var/lib/apt/lists/*" not in argument:
        report.add(path, line, "the package lists stay in the layer")
    if keyword == "RUN" and "apt-get install" in argument and "--no-install-recommends" not in argument:
        report.add(path, line, "apt-get install without --no-install-recommends")
    if keyword == "RUN" and re.search(r"\b(cmake|ninja|cc|gcc|go) ", argument):
        report.add(path, line, "builds go through the Makefile")


def check_stage(report, path, line, name, seen):
    for wanted in ("USER", "HEALTHCHECK", "ENTRYPOINT"):
        if wanted not in seen:
            report.add(path, line, f"stage {name} has no {wanted}")
    if re.match(r"(0|root)\b", seen.get("USER", "")):
        report.add(path, line, f"stage {name} runs as root")


def main():
    report = source.Report("dockerfile")
    path = source.ROOT / "Dockerfile"
    stages = []
    for line, keyword, argument in instructions(path.read_text()):
        check_instruction(report, path, line, keyword, argument)
        if keyword == "FROM":
            stages.append((line, argument.rpartition(" ")[2], {}))
        elif stages:
            stages[-1][2][keyword] = argument
    if len(stages) < 2:
        report.add(path, 1, "one stage only: the build tools would be in the image")
    for line, name, seen in stages[1:]:
        check_stage(report, path, line, name, seen)
    return report.end(1)


if __name__ == "__main__":
    sys.exit(main())
