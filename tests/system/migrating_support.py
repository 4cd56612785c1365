# SPDX-License-Identifier: Apache-2.0
"""docs/migrating.md as data: what a command of today becomes."""

import pathlib
import re

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/migrating.md"


def pairs():
    """[(the command of today, the lines that it becomes)]"""
    found = []
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.S | re.M):
        lines = block.splitlines()
        found.append((lines[0].removeprefix("# "), lines[1:]))
    return found


def hurried(lines):
    """The same, that give up after a second."""
    return [re.sub(r"( kstatus wait .*?|^kstatus wait .*?)(?: --timeout \S+|$)", r"\1 --timeout 1s", line, count=1)
            if "kstatus wait" in line else line for line in lines]


def script(lines):
    """For sh: ends with the first command that fails, in a pipe too when it is the last one."""
    return "set -e\n" + "\n".join(lines) + "\n"
