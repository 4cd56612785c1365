#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Banned calls, SPDX lines, placeholders, comment form, line length, junk-drawer names, typedefs of structs."""

import re
import sys

import source

JUNK = re.compile(r"(^|[/_-])(utils?|misc|common|helpers?)([._-]|$)")
PLACEHOLDER = re.compile(r"\b(XXX|TODO|FIXME|HACK)\b")
TYPEDEF = re.compile(r"^typedef struct\b", re.M)
BARE_CLEANUP = re.compile(r"KS_CLEANUP\(\w+\) [^=;]*;")
OWN_WORDS = re.compile(r"tests/lint/|CMakeLists")


def banned():
    rules = []
    for line in (source.ROOT / "tests/lint/banned.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, places, instead = line.split(None, 2)
            rules.append((re.compile(rf"(?<![\w.>]){name}\s*\("), name, places.split(","), instead))
    return rules


def check_c(report, path, rules):
    name = source.name_of(path)
    text = path.read_text()
    code = source.blanked(text)
    if not text.startswith("/* SPDX-License-Identifier: Apache-2.0 */\n"):
        report.add(path, 1, "the first line is the SPDX line")
    for pattern, word, places, instead in rules:
        if any(name.startswith(place) for place in places):
            continue
        for match in pattern.finditer(code):
            report.add(path, code.count("\n", 0, match.start()) + 1, f"{word}() is banned: {instead}")
    for number, line in enumerate(code.split("\n"), 1):
        if "//" in line:
            report.add(path, number, "comments are /* */")
    for match in BARE_CLEANUP.finditer(code):
        report.add(path, code.count("\n", 0, match.start()) + 1, "what is cleaned up has a value from its declaration on")
    for match in TYPEDEF.finditer(code):
        report.add(path, code.count("\n", 0, match.start()) + 1, "no typedef of a struct")
    limit = 100
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > limit:
            report.add(path, number, f"{len(line)} columns")


def check_any(report, path):
    name = source.name_of(path)
    if JUNK.search(name):
        report.add(path, 1, "a file is named for the one thing it provides")
    if OWN_WORDS.search(name) or path.suffix in {".ndjson", ".svg", ".json"} or "/corpus/" in name:
        return
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        return
    for match in PLACEHOLDER.finditer(text):
        report.add(path, text.count("\n", 0, match.start()) + 1, f"{match.group(1)}: use the issue tracker")


def main():
    report = source.Report("words")
    rules = banned()
    files = source.tracked("*")
    for path in files:
        check_any(report, path)
        if path.suffix in {".c", ".h"}:
            check_c(report, path, rules)
        elif path.suffix in {".py", ".cmake"} and "SPDX-License-Identifier: Apache-2.0" not in path.read_text()[:200]:
            report.add(path, 1, "no SPDX line")
    return report.end(len(files))


if __name__ == "__main__":
    sys.exit(main())
