"""What predict has written into a folder, and from what.

The record lies hidden beside the label maps. It tells a second call which of
them are already there, and every call which files are predictions: these are
never taken for scans.
"""

import json
import os
from collections.abc import Iterable
from collections.abc import Mapping
from pathlib import Path

from keras_isample.data.cache import file_digest
from keras_isample.data.listing import RECORD


class PredictionRecord:
    """The record of a folder of label maps, a line for each event.

    A file is entered before it is written, and completed afterwards. If a
    process is killed in between, the file is known to be a prediction, and
    is written again.

    Args:
        folder: The folder, which need not exist.
    """

    def __init__(self, folder: Path):
        self.path = Path(folder) / RECORD
        self._entries = _load(self.path)

    def knows(self, name: str) -> bool:
        """Whether predict has written a file of this name."""
        return name in self._entries

    def difference(self, name: str, origin: Mapping) -> str | None:
        """What a file was made from, where that is something else.

        Args:
            name: Name of a file that the record knows.
            origin: What the file would be made from now, text to text.

        Returns:
            The name of the first fact that differs, `None` if none does.
        """
        known = self._entries[name]["origin"]
        keys = (key for key in origin if known.get(key) != origin[key])
        return next(keys, None)

    def is_complete(self, name: str) -> bool:
        """Whether a file that the record knows was written to its end."""
        file = self.path.with_name(name)
        return "digest" in self._entries[name] and file.is_file()

    def is_changed(self, name: str) -> bool:
        """Whether a complete file has other contents than were written."""
        known = self._entries[name].get("digest")
        return known != file_digest(self.path.with_name(name))

    def begin(self, origin: Mapping, names: Iterable[str]) -> None:
        """Enters files that are about to be written."""
        self._add({name: {"origin": dict(origin)} for name in names})

    def complete(self, names: Iterable[str]) -> None:
        """Completes the entries of files that have been written."""
        self._add(
            {
                name: {
                    **self._entries[name],
                    "digest": file_digest(self.path.with_name(name)),
                }
                for name in names
            }
        )

    def _add(self, entries):
        with open(self.path, "a", encoding="utf-8") as file:
            # The line before may have been cut off by a kill.
            file.write("\n" + json.dumps(entries))
            file.flush()
            os.fsync(file.fileno())
        self._entries |= entries


def _load(path):
    """The entries of a record; lines that are damaged are left out."""
    entries = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return entries
    for line in lines:
        try:
            found = json.loads(line)
            entries |= {n: e for n, e in found.items() if e["origin"]}
        except (ValueError, TypeError, LookupError, AttributeError):
            continue
    return entries
