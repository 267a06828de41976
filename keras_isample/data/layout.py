"""What a reader of one data-set layout found: cases, structures, notes."""

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """The files of one scan and of its labels.

    Args:
        name: Unique in its data set.
        images: One file a channel.
        label_map: One integer label map, or `None` if there are masks.
        masks: Structure name to the file of its binary mask.
    """

    name: str
    images: tuple[Path, ...]
    label_map: Path | None = None
    masks: Mapping[str, Path] = field(default_factory=dict, hash=False)

    def files(self) -> tuple[Path, ...]:
        """Images, then label files."""
        labels = () if self.label_map is None else (self.label_map,)
        return (*self.images, *labels, *self.masks.values())


@dataclass(frozen=True)
class Layout:
    """A data set as it lies on disk, before classes are chosen.

    Args:
        name: Name of the layout, as it is told to the user.
        cases: Labeled cases, sorted by name.
        structures: Name to value in the label maps (1 for masks).
        channel_names: One name a channel.
        given_split: Case name to `train`, `validation` or `test`; empty if
            the data gives no split.
        notes: What was left out or chosen, one sentence each.
        default_labels: Labels meant if the user names none; `None` means
            all structures.
    """

    name: str
    cases: tuple[Case, ...]
    structures: Mapping[str, int]
    channel_names: tuple[str, ...]
    given_split: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    default_labels: tuple[str, ...] | None = None


def count(number: int, noun: str) -> str:
    """`"1 case"`, `"2 cases"`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def shorten(names: Sequence[str], most: int = 3) -> str:
    """The first names and the number of the others."""
    shown = ", ".join(names[:most])
    rest = len(names) - most
    return f"{shown} and {rest:,} more" if rest > 0 else shown
