"""One piece of work, and how much of it is done."""

from keras_isample.progress.pace import Pace
from keras_isample.progress.times import clock_text


class Phase:
    """A piece of work that a `Reporter` shows.

    It lasts from `begin` to `end`, or as long as a `with` block. A phase that
    begins within another one is shown in its place until it ends.

    Args:
        reporter: The `Reporter`.
        title: What is done, such as `preparing scans`.
        total: Items in all; `None` if that is not known (yet).
        item: What an item is called if one comes after the other, such as
            `case`; empty if several are worked on at the same time.
        part: What `within` counts.
        notice: A line that is shown at the beginning.
        also: Another function of (done, total) that is called, too.
        pace: The `Pace` of the items, if phases of the same kind share one.

    Call arguments:
        done: Items done.
        total: Items in all.

    Attributes:
        note: Further words on the newest item.
    """

    def __init__(
        self,
        reporter,
        title,
        total=None,
        *,
        item="",
        part="voxels",
        notice="",
        also=None,
        pace=None,
    ):
        self.reporter = reporter
        self.title = title
        self.total = total
        self.item = item
        self.part = part
        self.notice = notice
        self.note = ""
        self.pace = pace or Pace()
        self.done = 0
        self._share = None
        self._also = also
        self._told = None
        self._started = self._moved = reporter.clock()

    def __enter__(self):
        return self.begin()

    def __exit__(self, *error):
        self.end()

    def begin(self):
        """Begins the phase; returns it."""
        self._started = self._moved = self.reporter.clock()
        self.reporter.begun(self)
        return self

    def end(self):
        """Ends the phase, and those that began within and did not end."""
        self.reporter.ended(self)

    def __call__(self, done, total=None):
        self._move(done, None, self.total if total is None else total)
        if self._also is not None:
            self._also(done, self.total)

    def within(self, done, total):
        """Notes how much of the current item is done.

        Args:
            done: Voxels, say, that are done.
            total: Voxels of the item.
        """
        self._move(self.done, done / total if total else 1.0, self.total)

    def _move(self, done, share, total):
        now, before = self.reporter.clock(), self.position
        self.done, self._share, self.total = done, share, total
        if self.position > before:
            self.pace.add(self.position - before, now - self._moved)
            self._moved = now
        self.reporter.moved(self)

    @property
    def position(self):
        """Items done, with the share of the current one."""
        return self.done + (self._share or 0.0)

    @property
    def fraction(self):
        """Share of all items that is done, or `None`."""
        return self.position / self.total if self.total else None

    def head(self):
        """Title and count."""
        count = self._count()
        return f"{self.title}: {count}" if count else self.title

    def _count(self):
        if self.total is None:
            return ""
        if not self.item or self.done >= self.total:
            return f"{self.done} of {self.total}"
        text = f"{self.item} {self.done + 1} of {self.total}"
        if self._share is not None:
            text += f", {int(100 * self._share)} % of its {self.part}"
        return text

    def details(self, now):
        """What is said beside the head: a list of short texts."""
        left = self.seconds_left(now)
        texts = [self.note]
        if left is not None:
            texts.append(f"{clock_text(left)} left")
        return [text for text in texts if text]

    def seconds_left(self, now):
        """Expected seconds until the end, or `None`."""
        if self.total is None:
            return None
        return self.expected(self.total - self.position, now)

    def expected(self, items, now):
        """Expected seconds for so many items from now on, or `None`."""
        if self.pace.seconds is None:
            return None
        return max(0.0, items * self.pace.seconds - (now - self._moved))

    def elapsed(self, now):
        """Time since the beginning, in words."""
        return clock_text(now - self._started)

    def line(self, now):
        """A line for where lines stay."""
        if self.total is None:
            return f"still {self.title}, {self.elapsed(now)}"
        if self.position == self._told:
            return f"{self.head()}, {self.elapsed(now)} so far"
        return "  ".join([self.head(), *self.details(now)])

    def told(self):
        """Takes note that `line` was shown."""
        self._told = self.position

    def rows(self, now):
        """Rows for where they are redrawn.

        Returns:
            List of triples: a text, a share that is drawn as a bar (or
            `None`), and further texts.
        """
        if self.total is None:
            return [(self.title, None, [self.elapsed(now)])]
        return [(self.head(), self.fraction, self.details(now))]
