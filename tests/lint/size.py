#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sizes (H5): function <= 60 lines and <= 6 parameters (or an entry in size.allow), file <= 800, nesting <= 3.

Tests hold their tables inside their functions: there a function may have 130 lines and a file 1,500."""

import re
import sys

import source

MAX_LINES, MAX_ALLOWED, MAX_FILE, MAX_NESTING, MAX_PARAMETERS = 60, 100, 800, 3, 6
TEST_LINES, TEST_FILE = 130, 1500
CONTROL = re.compile(r"^( *)(?:if|for|while|do|switch|else|} else)\b|^( *)KS_LIST_FOREACH")
NAME = re.compile(r"([A-Za-z_]\w*)\s*\(")


def allowed():
    entries = {}
    for line in (source.ROOT / "tests/lint/size.allow").read_text().splitlines():
        if line and not line.startswith("#"):
            key, _, reason = line.partition(" ")
            if not reason.strip():
                sys.exit(f"size.allow: {key} has no reason")
            entries[key] = reason
    return entries


def functions(lines):
    """Yields (header text, first line, last line); a function's braces are the only ones in column 0."""
    start = 0
    for number, line in enumerate(lines):
        if line.startswith("{"):
            end = next(i for i in range(number, len(lines)) if lines[i].startswith("}"))
            yield " ".join(lines[start:number]), number, end
        if line.startswith("}") or not line.strip() or line.startswith("#"):
            start = number + 1


def parameter_count(header):
    opening = header.find("(", header.find(NAME.search(header).group(1)))
    depth, count = 0, 1
    for char in header[opening:]:
        depth += (char in "([") - (char in ")]")
        count += char == "," and depth == 1
        if depth == 0:
            break
    return count


def check_function(report, path, function, exceptions):
    header, first, last, lines = function
    match = NAME.search(header)
    if not match:
        return
    name = match.group(1)
    key = f"{source.name_of(path)}:{name}"
    usual = TEST_LINES if source.name_of(path).startswith("tests/unit/") else MAX_LINES
    limit = MAX_ALLOWED if key in exceptions else usual
    used = exceptions.pop(key, None)
    if last - first + 1 > limit:
        report.add(path, first + 1, f"{name} has {last - first + 1} lines, {limit} are allowed")
    elif used and last - first + 1 <= MAX_LINES and parameter_count(header) <= MAX_PARAMETERS:
        report.add(path, first + 1, f"{name} fits now: remove it from size.allow")
    if parameter_count(header) > MAX_PARAMETERS and not used:
        report.add(path, first + 1, f"{name} has {parameter_count(header)} parameters, {MAX_PARAMETERS} are allowed")
    for number in range(first, last):
        control = CONTROL.match(lines[number])
        indent = len(control.group(1) or control.group(2) or "") if control else 0
        if indent // 4 > MAX_NESTING:
            report.add(path, number + 1, f"{name} nests deeper than {MAX_NESTING}")


def main():
    report = source.Report("size")
    exceptions = allowed()
    files = source.c_files()
    for path in files:
        lines = source.blanked(path.read_text()).split("\n")
        limit = TEST_FILE if source.name_of(path).startswith("tests/unit/") else MAX_FILE
        if len(lines) > limit:
            report.add(path, 1, f"{len(lines)} lines, {limit} are allowed")
        if path.suffix != ".c":
            continue
        for header, first, last in functions(lines):
            check_function(report, path, (header, first, last, lines), exceptions)
    for key in exceptions:
        report.add(source.ROOT / "tests/lint/size.allow", 1, f"{key} does not exist")
    return report.end(len(files))


if __name__ == "__main__":
    sys.exit(main())
