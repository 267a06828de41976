"""The layouts of data sets that are recognized.

A new layout is a file with a function that reads it, and a line here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras_isample.registries.registry import Registry
from keras_isample.registries.registry import imported


@dataclass(frozen=True)
class LayoutSpec:
    """How a layout is read.

    Attributes:
        reader: Function `(path, modality, cache)` that returns a
            `data.layout.Layout`, or `None` if a folder is not of this layout;
            or its place, such as `"package.module:function"`.
        description: For messages: `"nnU-Net v2 raw (dataset.json, imagesTr/
            and labelsTr/)"`.
        has_modalities: Whether a data set holds several, of which one is
            chosen.
    """

    reader: str | Callable[..., Any]
    description: str
    has_modalities: bool = False

    def read(self, path: Any, modality: str, cache: Any = None) -> Any:
        """Reads a folder; `None` if it is not of this layout.

        Args:
            path: The folder.
            modality: Chosen where a layout holds several.
            cache: Where layouts may note what took time to find out; `None`
                for nowhere.
        """
        return imported(self.reader)(path, modality, cache)


LAYOUTS = Registry("layout")
"""A `LayoutSpec` for each layout."""

for _name, _spec in {
    "visceral": LayoutSpec(
        "keras_isample.data.visceral:read",
        "VISCERAL Anatomy3 (Volumes/ and Segmentations/)",
        has_modalities=True,
    ),
    "nnunet": LayoutSpec(
        "keras_isample.data.nnunet:read",
        "nnU-Net v2 raw (dataset.json, imagesTr/ and labelsTr/)",
    ),
    "folders": LayoutSpec(
        "keras_isample.data.folders:read",
        "images/ and labels/ with equal file names",
    ),
}.items():
    LAYOUTS.register(_name, _spec)

LAYOUTS.protect()


def layouts_to_try() -> list[LayoutSpec]:
    """All layouts, in the order in which they are tried: others before ours."""
    ours = [name for name in LAYOUTS if LAYOUTS.is_ours(name)]
    others = [name for name in LAYOUTS if not LAYOUTS.is_ours(name)]
    return [LAYOUTS[name] for name in (*others[::-1], *ours)]


def layouts_in_words() -> str:
    """All layouts, for messages."""
    *first, last = [LAYOUTS[name].description for name in LAYOUTS]
    return f"{', '.join(first)}, or {last}"


def register_layout(
    name: str,
    reader: Callable[..., Any],
    description: str,
    *,
    has_modalities: bool = False,
) -> None:
    """Makes a layout known, so that its data sets are recognized.

    Layouts that are registered later are tried first, so that a layout of
    one's own wins over those of this package.

    Args:
        name: Its name.
        reader: Function `(path, modality, cache)`; see `LayoutSpec`.
        description: For the message that nothing was recognized.
        has_modalities: Whether a data set holds several, of which one is
            chosen.

    Raises:
        ValueError: If the name is one of this package's.

    Example:
    >>> def read(path, modality, cache):
    ...     if not (path / "scans.csv").exists():
    ...         return None
    ...     return Layout("ours", cases, {"tumor": 1}, ("CT",))
    >>> register_layout("ours", read, "ours (scans.csv)")
    """
    LAYOUTS.register(name, LayoutSpec(reader, description, has_modalities))
