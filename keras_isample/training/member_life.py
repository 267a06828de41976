"""What a member is doing, in a file that the driver of its population reads.

Members train in other processes, on other machines perhaps. All executors have
the run folder in common.
"""

import contextlib
import json
import os
from pathlib import Path

from keras_isample.progress import ShowingReporter
from keras_isample.progress import clock_text

_INTERVAL = 2.0
"""Seconds between two writings."""

_SILENCE = 60.0
"""Seconds without a sign of a member after which that is said."""


class LifeReporter(ShowingReporter):
    """Writes what is being done to a file, with a number that grows.

    Args:
        clock, check, beat: As of `ShowingReporter`.

    Attributes:
        path: The file; nothing is written while it is `None`.
    """

    def __init__(self, **options):
        super().__init__(**options)
        self.path = None
        self._number = 0
        self._next = 0.0

    def show_begun(self, phase):
        self._write(phase)

    def show(self, phase):
        if self.clock() >= self._next:
            self._write(phase)

    def _write(self, phase):
        if self.path is None:
            return
        now = self.clock()
        self._next = now + _INTERVAL
        self._number += 1
        content = {"number": self._number, "text": phase.line(now)}
        beside = Path(self.path).with_name("life.json.new")
        # A full disk is found out by whoever writes what is needed.
        with contextlib.suppress(OSError):
            beside.write_text(json.dumps(content), encoding="utf-8")
            os.replace(beside, self.path)

    @contextlib.contextmanager
    def into(self, path):
        """A block whose phases are written to a file, which goes at its end."""
        self.path = path
        try:
            yield
        finally:
            self.close()
            with self._lock:
                self.path = None
            forget_life(path)


def forget_life(path):
    """Removes what a member wrote, if it did."""
    with contextlib.suppress(OSError):
        os.unlink(path)


class LifeReader:
    """Reads what members are doing.

    Args:
        clock: Function that returns seconds.
    """

    def __init__(self, clock):
        self._clock = clock
        self._seen = {}

    def read(self, path):
        """What a member that was started is doing, in words."""
        now = self._clock()
        content = _content(path)
        before, since = self._seen.get(path, (content, now))
        if content != before:
            since = now
        self._seen[path] = content, since
        if content is None:
            return f"starting, {clock_text(now - since)} so far"
        text = str(content.get("text", ""))
        if now - since >= _SILENCE:
            text += f" (no sign of it for {clock_text(now - since)})"
        return text


def _content(path):
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
