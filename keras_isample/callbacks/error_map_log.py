"""Which error maps each epoch's end took: a line of JSON an epoch.

When a map of another process is ready is nobody's to foresee; everything else
is a function of the seed. So these lines are what it takes to do a run again.
"""

import json

from keras_isample.errors import InputError
from keras_isample.volumes.files import write_text

FORMAT = 1


class ErrorMapLog:
    """The decisions of a run, on disk before they are carried out.

    The first line tells of the run, every other one is `{"epoch": 3, "maps":
    [[0, 1], [4, 2]]}`: at the end of epoch 3 the maps of case 0, from the
    weights after epoch 1, and of case 4, from those after epoch 2, were taken.

    Args:
        path: The file. What it holds is read.
        facts: JSON-compatible dictionary that tells whether a log is of the
            same run.

    Raises:
        InputError: If the file cannot be read or belongs to another run.
    """

    def __init__(self, path, facts):
        self.path = path
        self._facts = {"format": FORMAT, **facts}
        self._decisions = {}
        if self.path.exists():
            self._read()

    def decision(self, epoch):
        """What was decided at the end of an epoch.

        Returns:
            Dictionary from case to version; `None` if nothing was decided.

        Raises:
            InputError: If later epochs were decided, but this one was not.
        """
        if epoch not in self._decisions and epoch < self._last():
            raise InputError(
                self.path, f"lacks epoch {epoch}", "Restore the file"
            )
        return self._decisions.get(epoch)

    def since(self, epoch):
        """Pairs of case and version of an epoch and those after, in order."""
        return [
            pair
            for number, maps in sorted(self._decisions.items())
            if number >= epoch
            for pair in maps.items()
        ]

    def add(self, epoch, maps):
        """Writes a decision to disk.

        Args:
            epoch: Number of the epoch, from 1.
            maps: Dictionary from case to version.
        """
        self._decisions[epoch] = dict(sorted(maps.items()))
        lines = [self._facts]
        for number, taken in sorted(self._decisions.items()):
            pairs = [list(pair) for pair in taken.items()]
            lines.append({"epoch": number, "maps": pairs})
        text = "".join(json.dumps(line) + "\n" for line in lines)
        write_text(self.path, text)

    def _last(self):
        return max(self._decisions, default=0)

    def _read(self):
        try:
            text = self.path.read_text(encoding="utf-8")
            facts, *lines = map(json.loads, text.splitlines())
            self._decisions = dict(map(_decision, lines))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                self.path,
                f"is no log of error maps ({error})",
                "Restore it, or start a new run",
            ) from error
        if facts != self._facts:
            raise InputError(
                self.path,
                "belongs to a run of other cases, seed or steps per epoch",
                "Give the log of the same run, or start a new one",
            )


def _decision(line):
    epoch = int(line["epoch"])
    maps = {int(case): int(version) for case, version in line["maps"]}
    if not all(1 <= version <= epoch for version in maps.values()):
        raise ValueError(f"epoch {epoch} takes maps of weights to come")
    return epoch, maps
