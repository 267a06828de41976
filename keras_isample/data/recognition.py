"""Finds out which layout a data set has."""

from dataclasses import replace
from pathlib import Path

from keras_isample.data.layout import Layout
from keras_isample.data.layout import shorten
from keras_isample.data.listing import list_folders
from keras_isample.data.listing import scan
from keras_isample.errors import InputError
from keras_isample.registries.layouts import layouts_in_words
from keras_isample.registries.layouts import layouts_to_try

IMAGE_FOLDERS = ("images", "imagestr", "imagests", "imagesval", "volumes")
"""Names of folders of images in the layouts that are read, in small letters."""

LABEL_FOLDERS = (
    "labels",
    "labelstr",
    "labelsts",
    "labelsval",
    "segmentations",
    "manualsegmentations",
)
"""The same of folders of labels."""

_ROOTS = ("anatomy3-trainingset", "trainingset")
_USUAL_MODALITY = "CTce_ThAb"


def data_places(path: Path) -> list[Path]:
    """Folders in which the data set of a folder may lie.

    Args:
        path: A folder.

    Returns:
        The folder itself, and the sub-folder that holds the data set if there
        is one such only: a folder of results may have been put beside it.
    """
    inner = [path / name for name in list_folders(path)]
    if len(inner) > 1:
        inner = [place for place in inner if data_folders(place)]
    return [path, *inner] if len(inner) == 1 else [path]


def data_folders(path: Path) -> list[Path]:
    """Sub-folders that by their names hold the files of a data set."""
    return [
        path / name
        for name in list_folders(path)
        if name.lower() in IMAGE_FOLDERS + LABEL_FOLDERS + _ROOTS
    ]


def recognize(path: Path, modality: str, cache: Path | None = None) -> Layout:
    """Reads a data set in whichever layout it has.

    Args:
        path: Its folder, or a folder whose only sub-folder it is.
        modality: Chosen where a layout holds several, `"CTce_ThAb"`.
        cache: Where layouts may note what took time to find out; `None` for
            nowhere.

    Returns:
        What was found.

    Raises:
        InputError: If there is no such folder, or nothing in it is known.
    """
    if not path.exists():
        raise InputError(path, "does not exist", "Check the path")
    if not path.is_dir():
        raise InputError(
            path, "is a file", "Name the folder that holds the data set"
        )
    entries = scan(path)
    if not entries:
        raise InputError(
            path,
            "is an empty folder",
            f"Put a data set there: {layouts_in_words()}",
        )
    for place in data_places(path):
        for spec in layouts_to_try():
            layout = spec.read(place, modality, cache)
            if layout is None:
                continue
            if spec.has_modalities or modality == _USUAL_MODALITY:
                return layout
            note = f"modality {modality}: without effect on this layout"
            return replace(layout, notes=(*layout.notes, note))
    found = sorted(e.name + "/" * e.is_dir() for e in entries)
    raise InputError(
        path,
        f"no data set recognized; it holds {shorten(found, 6)}",
        f"Give a folder with {layouts_in_words()}",
    )
