# SPDX-License-Identifier: Apache-2.0
"""What the linters share: which files there are, and their text without comments and strings."""

import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def tracked(*patterns):
    """Files of the tree that match, tracked by git or (in a copy without .git) found on disk."""
    if (ROOT / ".git").exists():
        out = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", "--", *patterns],
                             check=True, capture_output=True, text=True).stdout
        names = sorted(set(out.splitlines()))
        return [ROOT / name for name in names if (ROOT / name).is_file()]
    found = set()
    for pattern in patterns:
        found.update(p for p in ROOT.rglob(pattern) if p.is_file() and p.relative_to(ROOT).parts[0] != "build")
    return sorted(found)


def c_files():
    return tracked("*.c", "*.h")


def name_of(path):
    return str(path.relative_to(ROOT))


_TOKEN = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def blanked(text):
    """The text with comments and literals blanked out, line structure kept."""

    def blank(match):
        token = match.group(0)
        if token[0] == '"':
            return '""' + " " * (len(token) - 2)
        return re.sub(r"[^\n]", " ", token)

    return _TOKEN.sub(blank, text)


class Report:
    """Collects findings; the process fails when there is one."""

    def __init__(self, check):
        self.check = check
        self.count = 0

    def add(self, path, line, message):
        self.count += 1
        print(f"{name_of(path)}:{line}: {message}")

    def end(self, seen):
        if not seen:
            print(f"{self.check}: no file was looked at")
            return 1
        print(f"{self.check}: {seen} files, {self.count} findings")
        return 1 if self.count else 0
