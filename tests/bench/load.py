#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Load and leaks in full size, on kubesim over loopback: prints figures, asserts nothing. Each takes 5 minutes at most.

    scripts/load             all of them
    scripts/load NAME...     some; `scripts/load hold SECONDS` holds 2,000 streams for that long (1800 for half an hour)
"""

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("KS_BIN", str(ROOT / "build/bin"))
sys.path.insert(0, str(ROOT / "tests/system"))

import load_support as load  # noqa: E402

RUNS = {
    "streams-20": lambda: load.many_streams(20),
    "streams-1": lambda: load.many_streams(1),
    "pods": lambda: load.one_stream(50000),
    "cycles": lambda: load.cycles(100000),
    "cancels": lambda: load.cycles(10000, random=True),
    "stalled-0": lambda: load.stalled_readers(0),
    "stalled-200": lambda: load.stalled_readers(200),
    "gone": lambda: load.client_gone(),
    "restart": lambda: load.restart(),
}


def show(name, figures):
    print(f"{name}:")
    for key, value in figures.items():
        print(f"  {key:<22} {round(value, 3) if isinstance(value, float) else value}", flush=True)


def main(words):
    if words[:1] == ["hold"]:
        show("hold", load.many_streams(20, hold_s=int(words[1])))
        return
    for name in words or RUNS:
        show(name, RUNS[name]())


if __name__ == "__main__":
    main(sys.argv[1:])
