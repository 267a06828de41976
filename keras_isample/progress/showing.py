"""What reporters that show something have in common."""

import threading

from keras_isample.progress.heartbeat import Heartbeat
from keras_isample.progress.reporter import Reporter

_BEAT = 0.5
"""Seconds between two looks at the clock."""


class ShowingReporter(Reporter):
    """Shows the newest phase whenever it moves, and at regular intervals.

    Args:
        beat: Seconds between two calls of `tick` from a thread of their own
            while there is a phase; `None` for none.
        clock, check: As of `Reporter`.
    """

    def __init__(self, *, beat=_BEAT, **options):
        super().__init__(**options)
        self.phases = []
        self._lock = threading.RLock()
        self._heartbeat = None if beat is None else Heartbeat(self.tick, beat)

    def begun(self, phase):
        with self._lock:
            self.phases.append(phase)
            self.show_begun(phase)
        if self._heartbeat is not None:
            self._heartbeat.start()

    def moved(self, phase):
        super().moved(phase)
        with self._lock:
            if self.phases and self.phases[-1] is phase:
                self.show(phase)

    def ended(self, phase):
        with self._lock:
            if phase in self.phases:
                del self.phases[self.phases.index(phase) :]
                self.show_ended()
        self._rest()

    def close(self):
        with self._lock:
            self.phases.clear()
            self.show_ended()
        self._rest()

    def tick(self):
        """Shows that the newest phase goes on."""
        with self._lock:
            if self.phases:
                self.show(self.phases[-1])

    def _rest(self):
        if not self.phases and self._heartbeat is not None:
            self._heartbeat.stop()

    def show_begun(self, phase):
        """Shows that a phase has begun."""

    def show(self, phase):
        """Shows the newest phase, if it is time."""

    def show_ended(self):
        """Shows that one or more phases have ended."""
