#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/differences.md: each of the 47 rows is there once, and each test that it names exists."""

import json
import re
import sys

import source

PAGE = source.ROOT / "docs/differences.md"
ROW = re.compile(r"^\| (\d+) \|.*\| ([^|]+) \|$", re.M)
CLAIM = re.compile(r"(unit/\w+/\w+|system/\w+|e2e/\w+|vector): (.+)")


def vectors():
    for path in sorted((source.ROOT / "tests/conformance").glob("*.ndjson")):
        for line in path.read_text().splitlines():
            yield json.loads(line)["name"]


def exists(place, name, known):
    if place == "vector":
        return name in known
    suffix, form = (".c", r"^static void {}\(void \*\*") if place.startswith("unit/") else (".py", r"^    def {}\(self")
    path = source.ROOT / "tests" / (place + suffix)
    return path.is_file() and re.search(form.format(re.escape(name)), path.read_text(), re.M)


def main():
    report = source.Report("differences")
    text = PAGE.read_text()
    known = set(vectors())
    numbers = []
    for row in ROW.finditer(text):
        line = text.count("\n", 0, row.start()) + 1
        numbers.append(int(row[1]))
        for part in row[2].split("; "):
            claim = CLAIM.fullmatch(part.strip())
            if not claim or not exists(claim[1], claim[2], known):
                report.add(PAGE, line, f"row {row[1]} names no test that exists: {part}")
    if numbers != list(range(1, 48)):
        report.add(PAGE, 1, f"rows 1 to 47 are expected in order, there are {numbers}")
    return report.end(len(numbers))


if __name__ == "__main__":
    sys.exit(main())
