"""Seconds that an item takes, as a moving average."""

from collections import deque

_WINDOW = 50
"""Updates that the average is taken over."""


class Pace:
    """The mean duration of the newest items.

    Args:
        window: Updates that the average is taken over.
    """

    def __init__(self, window=_WINDOW):
        self._parts = deque(maxlen=window)

    def add(self, items, seconds):
        """Takes note of items, a part of one perhaps, and their duration."""
        self._parts.append((items, seconds))

    @property
    def seconds(self):
        """Seconds that an item takes; `None` before any is known."""
        items = sum(items for items, _ in self._parts)
        if not items > 0:
            return None
        return sum(seconds for _, seconds in self._parts) / items
