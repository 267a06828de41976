"""Finds out which layout a data set has."""

from dataclasses import replace
from pathlib import Path

from keras_isample.data import folders
from keras_isample.data import nnunet
from keras_isample.data import visceral
from keras_isample.data.layout import Layout
from keras_isample.data.layout import shorten
from keras_isample.data.listing import scan
from keras_isample.errors import InputError

_READERS = (visceral.read, nnunet.read, folders.read)
_USUAL_MODALITY = "CTce_ThAb"

_LAYOUTS = (
    "VISCERAL Anatomy3 (Volumes/ and Segmentations/), "
    "nnU-Net v2 raw (dataset.json, imagesTr/ and labelsTr/), "
    "or images/ and labels/ with equal file names"
)


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
            path, "is an empty folder", f"Put a data set there: {_LAYOUTS}"
        )
    inner = [path / entry.name for entry in entries if entry.is_dir()]
    places = [path, *inner] if len(inner) == 1 else [path]
    for place in places:
        for read in _READERS:
            layout = read(place, modality, cache)
            if layout is None:
                continue
            if read is visceral.read or modality == _USUAL_MODALITY:
                return layout
            note = f"modality {modality}: without effect on this layout"
            return replace(layout, notes=(*layout.notes, note))
    found = sorted(e.name + "/" * e.is_dir() for e in entries)
    raise InputError(
        path,
        f"no data set recognized; it holds {shorten(found, 6)}",
        f"Give a folder with {_LAYOUTS}",
    )
