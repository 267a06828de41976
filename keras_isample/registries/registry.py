"""Things of one kind by name, ours and those from elsewhere alike."""

import importlib
from collections.abc import Callable
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
        self._ours: frozenset[str] = frozenset()

    def register(self, name: str, entry: Any) -> Any:
        """Adds an entry, or replaces one from elsewhere.

        Args:
            name: Its name, in settings, files and messages.
            entry: The entry.

        Returns:
            The entry.

        Raises:
            ValueError: If the name is that of an entry of this package.
        """
        if name in self._ours:
            raise ValueError(
                f"Argument `name` must be new. Received: {name!r}, which is "
                f"the name of a {self.kind} of this package."
            )
        self._entries[name] = entry
        return entry

    def remove(self, name: str) -> None:
        """Removes the entry from elsewhere of a name, if there is one."""
        if name not in self._ours:
            self._entries.pop(name, None)

    def protect(self) -> None:
        """Makes what there is now the entries of this package."""
        self._ours = frozenset(self._entries)

    def is_ours(self, name: str) -> bool:
        """Whether a name is that of an entry of this package."""
        return name in self._ours

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


def imported(place: str | Callable[..., Any]) -> Any:
    """An object by its place, so that it is imported when first needed.

    Args:
        place: Such as `"package.module:name"`; anything else is returned.
    """
    if not isinstance(place, str):
        return place
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
