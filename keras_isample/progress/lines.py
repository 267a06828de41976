"""Progress in lines, for files and pipes."""

from keras_isample.progress.showing import ShowingReporter

INTERVAL = 27.0
"""Seconds without a line after which one comes. Half a minute is promised, and
the thread that looks at the clock may come late."""


class LineReporter(ShowingReporter):
    """Writes a line where none has come for half a minute.

    A stream that cannot be written to any more is left alone: the work does
    not stop because nobody watches it.

    Args:
        stream: Where to write.
        clock, check, beat: As of `ShowingReporter`.
    """

    def __init__(self, stream, **options):
        super().__init__(**options)
        self._stream = stream
        self._is_broken = False
        self._due = self.clock() + INTERVAL

    def say(self, text):
        with self._lock:
            self.write(text + "\n")
            self._due = self.clock() + INTERVAL

    def tell(self, text):
        self.say(text)

    def expect(self, seconds):
        with self._lock:
            self._due = min(self._due, self.clock() + seconds)

    def show_begun(self, phase):
        if phase.notice:
            self.say(phase.notice)

    def show(self, phase):
        now = self.clock()
        if now >= self._due:
            self.say(phase.line(now))
            phase.told()

    def write(self, text):
        """Writes to the stream as long as that is possible."""
        if self._is_broken:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._is_broken = True
