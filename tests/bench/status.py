#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures parse + verdict, beside the Go reference (decode to unstructured, Compute) and beside jsmn alone on the same
bytes. Prints ratios, each of programs that ran in turn; asserts nothing. Needs Go; --build DIR is where (build)."""

import argparse
import importlib.machinery
import importlib.util
import pathlib
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
OBJECTS = {
    "Pod": ROOT / "tests/reference/pod.json",
    "Deployment": ROOT / "tests/corpus/kube-1.36/get/deployment.json",
    "ConfigMap": ROOT / "tests/bench/configmap.json",
}
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
    verdicts.run("cmake", "--build", folder, "--target", "bench_jsmn")
    return {"ours": (ours, "--bench"), "reference": (reference, "--bench"), "jsmn": (folder / "bin/bench_jsmn",)}


def measure(verdicts, programs, path):
    """The median of each program's objects per second of CPU time."""
    speeds = {name: [] for name in programs}
    for _ in range(ROUNDS):
        for name, command in programs.items():
            speeds[name].append(int(verdicts.run(*command, path)))
    return {name: statistics.median(values) for name, values in speeds.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    verdicts = load_verdicts()
    programs = build(verdicts, parser.parse_args().build.resolve())
    print("parse + verdict, us of CPU time an object       reference   jsmn alone   ours / reference   ours / jsmn")
    for name, path in OBJECTS.items():
        speed = measure(verdicts, programs, path)
        cost = {side: 1e6 / value for side, value in speed.items()}
        print(f"{name:10} {path.stat().st_size:6} bytes {cost['ours']:23.2f} {cost['reference']:11.2f} {cost['jsmn']:12.2f} "
              f"{speed['ours'] / speed['reference']:17.1f}x {100 * speed['ours'] / speed['jsmn']:12.0f} %", flush=True)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    try:
        main()
    except Exception as trouble:
        if type(trouble).__name__ != "Trouble":
            raise
        sys.exit(f"bench-status: {trouble}")
