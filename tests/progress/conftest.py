"""A terminal that tests look at."""

import io
import re

import pytest

_SEQUENCE = re.compile(r"\x1b\[(\d*)([A-Z])|[\s\S]")


class Screen(io.StringIO):
    """A terminal of some width: `rows` is what is to be seen on it."""

    def __init__(self, width=80):
        super().__init__()
        self.width = width
        self.lines = [""]
        self.row = self.column = 0

    def isatty(self):
        return True

    def write(self, text):
        for match in _SEQUENCE.finditer(text):
            number, command = match.groups()
            if command == "A":
                self.row -= int(number)
                assert self.row >= 0
            elif command == "J":
                self.lines = self.lines[: self.row + 1]
                self.lines[-1] = self.lines[-1][: self.column]
            elif command is not None:
                raise AssertionError(f"unknown sequence {match.group()!r}")
            elif match.group() == "\r":
                self.column = 0
            elif match.group() == "\n":
                self._feed()
            else:
                self._put(match.group())
        return len(text)

    def _put(self, character):
        if self.column == self.width:
            self._feed()
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = (
            line[: self.column] + character + line[self.column + 1 :]
        )
        self.column += 1

    def _feed(self):
        self.row, self.column = self.row + 1, 0
        if self.row == len(self.lines):
            self.lines.append("")

    def resize(self, width):
        """Breaks lines that have become too long, as most terminals do."""
        parts, row = [], 0
        for number, line in enumerate(self.lines):
            pieces = [
                line[first : first + width]
                for first in range(0, max(1, len(line)), width)
            ]
            if number <= self.row:
                row = len(parts) + len(pieces) - 1
            parts += pieces
        self.lines, self.row, self.width = parts, row, width
        self.column = len(parts[row])

    @property
    def rows(self):
        return [line.rstrip() for line in self.lines if line.strip()]


@pytest.fixture
def screen():
    return Screen()
