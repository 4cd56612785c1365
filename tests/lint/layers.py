#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One-way layers (A1), foreign APIs in one place (A2), include order and own header first (H4)."""

import re
import sys

import source

BELOW = {
    "base": [],
    "loop": ["base"],
    "json": ["base"],
    "yaml": ["base"],
    "http": ["base", "loop"],
    "status": ["base", "json"],
    "kube": ["base", "loop", "json", "yaml", "http"],
    "watcher": ["base", "loop", "json", "kube", "status"],
    "bridge": ["base", "watcher", "status", "kube"],
    "server": ["base", "loop", "kube", "watcher", "bridge", "status"],
    "client": ["base", "json", "yaml", "status"],
}
ORDER = list(BELOW)

FOREIGN = [
    (re.compile(r"jsmn\.h"), ["internal/json/json.c"]),
    (re.compile(r"curl/"), ["internal/http/"]),
    (re.compile(r"uv\.h"), ["internal/loop/", "internal/http/"]),
    (re.compile(r"^yaml\.h$"), ["internal/yaml/yaml.c"]),
    (re.compile(r"uthash\.h"), ["internal/base/map.c"]),
    (re.compile(r"microhttpd\.h"), ["server/web/"]),
    (re.compile(r"grpc/"), ["server/rpc/", "client/"]),
    (re.compile(r"\.pb-c\.h|protobuf-c"), ["internal/bridge/encode", "server/rpc/", "client/"]),
]

INCLUDE = re.compile(r'^#include ([<"])([^>"]+)[>"]', re.M)


def layer_of(name):
    parts = name.split("/")
    if parts[0] == "internal":
        return parts[1]
    return parts[0] if parts[0] in BELOW else None


def check_layer(report, path, name, line, target):
    layer = layer_of(name)
    other = target.split("/")[0]
    if layer is None or other not in BELOW or other == layer:
        return
    if other not in BELOW[layer]:
        report.add(path, line, f"layer '{layer}' must not include '{other}' ({target})")


def check_foreign(report, path, name, line, target):
    if name.startswith("tests/"):
        return
    for pattern, places in FOREIGN:
        if pattern.search(target) and not any(name.startswith(place) for place in places):
            report.add(path, line, f"<{target}> belongs to {', '.join(places)} alone")


def check_own_first(report, path, name, includes):
    if not name.endswith(".c") or layer_of(name) is None:
        return
    own = re.sub(r"^internal/", "", name)[:-2] + ".h"
    if (path.with_suffix(".h")).exists() and (not includes or includes[0][2] not in {own, own.removeprefix("client/"), own.rpartition("/")[2]}):
        report.add(path, 1, f'the own header comes first: #include "{own}"')


def check_order(report, path, includes):
    """Within our own includes: layers bottom-up, alphabetical within one."""
    last = None
    for line, kind, target in includes[1:]:
        layer = target.split("/")[0]
        if kind != '"' or layer not in ORDER:
            continue
        key = (ORDER.index(layer), target)
        if last and key < last:
            report.add(path, line, f'"{target}" stands after "{last[1]}": bottom-up by layer, then by name')
        last = key


def main():
    report = source.Report("layers")
    files = source.c_files()
    for path in files:
        name = source.name_of(path)
        text = path.read_text()
        includes = [(text.count("\n", 0, m.start()) + 1, m.group(1), m.group(2)) for m in INCLUDE.finditer(text)]
        seen = set()
        for line, kind, target in includes:
            if target in seen:
                report.add(path, line, f"{target} is included twice")
            seen.add(target)
            if kind == '"':
                check_layer(report, path, name, line, target)
            check_foreign(report, path, name, line, target)
        check_own_first(report, path, name, includes)
        if layer_of(name):
            check_order(report, path, includes)
    return report.end(len(files))


if __name__ == "__main__":
    sys.exit(main())
