#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures parse + verdict, beside the Go reference (decode to unstructured, Compute) and beside jsmn alone on the same
bytes; then a Pod's event in a Deployment of some size, beside the reference's reader of the family, which lists the members
(from memory: no request is counted) and judges them all. Prints ratios, each of programs that ran in turn; asserts nothing.
Needs Go; --build DIR is where (build)."""

import argparse
import importlib.machinery
import importlib.util
import pathlib
import statistics
import sys
import tempfile

import family

ROOT = pathlib.Path(__file__).resolve().parents[2]
OBJECTS = {
    "Pod": ROOT / "tests/reference/pod.json",
    "Deployment": ROOT / "tests/corpus/kube-1.36/get/deployment.json",
    "ConfigMap": ROOT / "tests/bench/configmap.json",
}
FAMILIES = (10, 100, 1000, 5000)
ROUNDS = 3


def load_verdicts():
    """scripts/verdicts knows how both sides are built."""
    loader = importlib.machinery.SourceFileLoader("verdicts", str(ROOT / "scripts/verdicts"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("verdicts", loader))
    loader.exec_module(module)
    return module


def build(verdicts, folder):
    _, reference = verdicts.build_reference(folder, False)
    _, ours = verdicts.build_ours(folder)
    verdicts.run("cmake", "--build", folder, "--target", "bench_jsmn", "bench_family")
    return {"ours": (ours, "--bench"), "reference": (reference, "--bench"), "jsmn": (folder / "bin/bench_jsmn",)}, {
        "alone": (folder / "bin/bench_family",), "causes": (folder / "bin/bench_family", "--causes"),
        "reference": (reference, "--bench-family")}


def measure(verdicts, programs, path):
    """The median of each figure that each program prints; the first is how many per second of CPU time."""
    figures = {name: [] for name in programs}
    for _ in range(ROUNDS):
        for name, command in programs.items():
            figures[name].append([int(word) for word in verdicts.run(*command, path).split()])
    return {name: list(map(statistics.median, zip(*values))) for name, values in figures.items()}


def report_objects(verdicts, programs):
    print("parse + verdict, us of CPU time an object       reference   jsmn alone   ours / reference   ours / jsmn")
    for name, path in OBJECTS.items():
        speed = {side: figures[0] for side, figures in measure(verdicts, programs, path).items()}
        cost = {side: 1e6 / value for side, value in speed.items()}
        print(f"{name:10} {path.stat().st_size:6} bytes {cost['ours']:23.2f} {cost['reference']:11.2f} {cost['jsmn']:12.2f} "
              f"{speed['ours'] / speed['reference']:17.1f}x {100 * speed['ours'] / speed['jsmn']:12.0f} %", flush=True)


def report_families(verdicts, programs):
    print("a Pod's event in its Deployment, us of CPU time   ours   with causes   reference   it / ours with causes   bytes a Pod")
    for pods in FAMILIES:
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(family.family(pods))
            file.flush()
            found = measure(verdicts, programs, file.name)
        cost = {side: 1e6 / figures[0] for side, figures in found.items()}
        print(f"{pods:6} Pods {cost['alone']:41.1f} {cost['causes']:13.1f} {cost['reference']:11.1f} "
              f"{cost['reference'] / cost['causes']:22.0f}x {found['causes'][1]:13.0f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    verdicts = load_verdicts()
    objects, families = build(verdicts, parser.parse_args().build.resolve())
    report_objects(verdicts, objects)
    report_families(verdicts, families)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    try:
        main()
    except Exception as trouble:
        if type(trouble).__name__ != "Trouble":
            raise
        sys.exit(f"bench-status: {trouble}")
