"""Work that several processes, started with the same command, share."""

import contextlib
import time
from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from keras_isample.volumes.lock import Busy
from keras_isample.volumes.lock import held

_PAUSE = 5.0
"""Seconds until those of another process are looked at again."""

Item = TypeVar("Item")


def share(
    items: Sequence[Item],
    work: Callable[[Item], None],
    lock: Callable[[Item], Path],
    *,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Works on all items, leaving to others those that they work on.

    Returns when all are done. What another process had is looked at again
    once it is free, since that process may have been killed: `work` must
    leave alone what is done already.

    Args:
        items: In the order in which they are begun.
        work: Called with each, its lock held.
        lock: Function from an item to its lock file.
        say: Called with a line when nothing but waiting is left, and where
            the file system has no locks, so that nothing can be shared.
    """
    waited = warned = False
    while items:
        left = []
        for item in items:
            path = lock(item)
            path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.ExitStack() as stack:
                try:
                    locked = stack.enter_context(held(path))
                except Busy:
                    left.append(item)
                    continue
                if not (locked or warned):
                    say(f"{path.parent} has no file locks: start this once")
                    warned = True
                work(item)
        if len(left) == len(items):
            if not waited:
                say(f"waiting for another process, at work on {len(left)}")
            waited = True
            time.sleep(_PAUSE)
        items = left
