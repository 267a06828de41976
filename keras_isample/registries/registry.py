"""Things of one kind by name, ours and those from elsewhere alike."""

import importlib
from collections.abc import Iterator
from typing import Any


class Registry:
    """Entries of one kind, each with a name of its own.

    Args:
        kind: What the entries are, in the singular, for messages.

    Example:
    >>> registry = Registry("network")
    >>> registry.register("mine", entry)
    >>> registry["mine"] is entry
    True
    """

    def __init__(self, kind: str):
        self.kind = kind
        self._entries: dict[str, Any] = {}

    def register(self, name: str, entry: Any) -> Any:
        """Adds an entry.

        Args:
            name: Its name, in settings, files and messages.
            entry: The entry.

        Returns:
            The entry.

        Raises:
            ValueError: If the name is taken by another entry.
        """
        if name in self._entries and self._entries[name] != entry:
            raise ValueError(
                f"Argument `name` must be new. Received: {name!r}, which is "
                f"the name of another {self.kind}."
            )
        self._entries[name] = entry
        return entry

    def remove(self, name: str) -> None:
        """Removes the entry of a name, if there is one."""
        self._entries.pop(name, None)

    def __getitem__(self, name: str) -> Any:
        if name not in self._entries:
            raise ValueError(
                f"There is no {self.kind} named {name!r}. "
                f"Choose from {', '.join(self._entries)}."
            )
        return self._entries[name]

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def imported(place: str) -> Any:
    """An object by its place, so that it is imported when first needed.

    Args:
        place: Such as `"package.module:name"`.
    """
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
