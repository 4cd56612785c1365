# SPDX-License-Identifier: Apache-2.0
"""A program on a pseudo-terminal, and what its screen shows.

Understands what kstatus writes (cursor up and home, erasing, colours, wrapping on and off) and fails on anything else, so
that nothing unexpected reaches a terminal unseen. A wide character takes two cells, the second of them empty.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
import unicodedata

SEQUENCE = re.compile(rb"\x1b\[(\??[0-9;]*)([A-Za-z])")
BLANK = (" ", "0")


class Screen:
    """Cells of (character, SGR parameters); self.above holds the lines that scrolled out."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.cells = [[BLANK] * columns for _ in range(rows)]
        self.above = []
        self.row = self.column = 0
        self.colour = "0"
        self.wraps = True
        self.pending = b""

    def resize(self, columns, rows):
        self.cells = [(line + [BLANK] * columns)[:columns] for line in self.cells][:rows]
        self.cells += [[BLANK] * columns for _ in range(rows - len(self.cells))]
        self.columns, self.rows = columns, rows
        self.row, self.column = min(self.row, rows - 1), min(self.column, columns - 1)

    def feed(self, data):
        data = self.pending + data
        at = 0
        while at < len(data):
            if data[at] == 0x1b:
                match = SEQUENCE.match(data, at)
                if not match and len(data) - at < 16:
                    break
                if not match:
                    raise AssertionError(f"unexpected on a terminal: {data[at:at + 16]!r}")
                self._sequence(match.group(1).decode(), match.group(2).decode())
                at = match.end()
                continue
            size = 1 if data[at] < 0x80 else 2 if data[at] < 0xe0 else 3 if data[at] < 0xf0 else 4
            if len(data) - at < size:
                break
            self._character(data[at:at + size].decode())
            at += size
        self.pending = data[at:]

    def _sequence(self, parameters, command):
        if command == "A":
            self.row = max(0, self.row - int(parameters or 1))
        elif command == "H" and not parameters:
            self.row = self.column = 0
        elif command == "K" and parameters == "2":
            self.cells[self.row] = [BLANK] * self.columns
        elif command == "J" and parameters in ("", "2"):
            first = 0 if parameters else self.row
            if not parameters:
                self.cells[self.row][self.column:] = [BLANK] * (self.columns - self.column)
                first += 1
            for row in range(first, self.rows):
                self.cells[row] = [BLANK] * self.columns
        elif command == "m":
            self.colour = parameters or "0"
        elif parameters == "?7" and command in "hl":
            self.wraps = command == "h"
        else:
            raise AssertionError(f"unexpected on a terminal: ESC [ {parameters} {command}")

    def _character(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self._line_feed()
        elif unicodedata.category(character) in ("Cc", "Cf"):
            raise AssertionError(f"unexpected on a terminal: {character!r}")
        elif not unicodedata.combining(character):
            self._put(character, 2 if unicodedata.east_asian_width(character) in "WF" else 1)

    def _line_feed(self):
        if self.row + 1 < self.rows:
            self.row += 1
            return
        self.above.append(self.cells.pop(0))
        self.cells.append([BLANK] * self.columns)

    def _put(self, character, width):
        if self.column + width > self.columns:
            if self.wraps:
                self.column = 0
                self._line_feed()
            else:
                self.column = self.columns - width
        self.cells[self.row][self.column] = (character, self.colour)
        for column in range(self.column + 1, self.column + width):
            self.cells[self.row][column] = ("", self.colour)
        self.column += width

    def lines(self):
        return ["".join(cell[0] for cell in line).rstrip() for line in self.cells]

    def text(self):
        """Without the empty lines at the end."""
        return "\n".join(self.lines()).rstrip("\n")


class Terminal:
    """A program, started on a pseudo-terminal of the given size."""

    def __init__(self, arguments, columns=80, rows=24, environment=None):
        self.screen = Screen(columns, rows)
        self.code = None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execve(arguments[0], [str(a) for a in arguments], {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8",
                                                                 **(environment or {})})

    def resize(self, columns, rows):
        self.screen.resize(columns, rows)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def key(self, text):
        os.write(self.fd, text.encode())

    def run(self, limit_s, until=lambda screen: False):
        """Reads until `until(screen)` holds (True), or the program ends or the time is up (False)."""
        deadline = time.monotonic() + limit_s
        while not until(self.screen):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                return False
            try:
                data = os.read(self.fd, 65536)
            except OSError:  # the program has ended
                data = b""
            if not data:
                self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
                return until(self.screen)
            self.screen.feed(data)
        return True

    def close(self):
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)
