"""All images of a data set, whether they have labels or not.

`recognize` lists what can be trained on. Here no label is needed: an image
without one is what a network is trained for.
"""

import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from keras_isample.data.case_table import read_case_table
from keras_isample.data.channels import peek_channels
from keras_isample.data.layout import Case
from keras_isample.data.layout import count
from keras_isample.data.layout import shorten
from keras_isample.data.listing import ENDINGS
from keras_isample.data.listing import RECORD
from keras_isample.data.listing import find_folder
from keras_isample.data.listing import list_folders
from keras_isample.data.listing import list_scans
from keras_isample.data.listing import stem_of
from keras_isample.data.nnunet import find_root
from keras_isample.data.pairing import group_channels
from keras_isample.data.prediction_record import PredictionRecord
from keras_isample.data.recognition import data_folders
from keras_isample.data.recognition import data_places
from keras_isample.data.visceral import choose_modality
from keras_isample.data.visceral import find_volumes
from keras_isample.errors import InputError

_logger = logging.getLogger(__name__)

_NNUNET = {
    "imagesTr": "labelsTr",
    "imagesTs": "labelsTs",
    "imagesVal": "labelsVal",
}


@dataclass(frozen=True)
class AllImages:
    """The images of a data set.

    Args:
        cases: Images alone, without their labels. Where a channel is missing,
            its file is listed all the same, for the reader to name.
        notes: What was left out, one sentence each.
    """

    cases: tuple[Case, ...]
    notes: tuple[str, ...] = ()


def all_images(
    place: Path, num_channels: int, modality: str
) -> AllImages | None:
    """Lists all images of a data set in any layout; no scan is opened.

    Args:
        place: The data set's folder; see `data_places`.
        num_channels: Channels of the model that is to see them.
        modality: VISCERAL volumes to use.

    Returns:
        The images, or `None` if there is no data set.

    Raises:
        InputError: If a folder or a table cannot be read.
    """
    return (
        _visceral(place, modality)
        or _nnunet(place, num_channels)
        or _two_folders(place, num_channels)
    )


def list_unsegmented(folder: Path) -> dict[str, Path]:
    """Stem to path of the scans in a folder, but for what predict wrote.

    Label maps that have been changed since are left out with a warning: they
    may be scans that have taken the place of predictions.
    """
    record = PredictionRecord(folder)
    scans = list_scans(folder)
    known = {s: file for s, file in scans.items() if record.knows(file.name)}
    changed = [
        file.name
        for file in known.values()
        if record.is_complete(file.name) and record.is_changed(file.name)
    ]
    if changed:
        _logger.warning(
            "%s: %s left out: predict wrote label maps of these names, which "
            "have been changed since; move scans into another folder",
            folder,
            shorten(changed),
        )
    return {s: file for s, file in scans.items() if s not in known}


def data_files(path: Path) -> list[Path]:
    """All files in the folders of a data set; none is opened.

    Scans of every modality, labels, and tables that name them.

    Args:
        path: The data set's folder, or the folder above it.
    """
    files = []
    for place in data_places(path):
        folders = [place]
        root = find_root(place)
        if root not in (None, place):
            folders.append(root)
        for folder in folders:
            for inner in data_folders(folder):
                files += (f for f in inner.rglob("*") if f.is_file())
            tables = (folder / n for n in ("dataset.json", "cases.csv"))
            files += (table for table in tables if table.is_file())
            files += _files_of_table(folder / "cases.csv")
    return files


def _files_of_table(table: Path) -> list[Path]:
    if not table.is_file():
        return []
    return [
        table.parent / name
        for row in read_case_table(table)
        for name in (row.image, row.label)
        if name
    ]


def _visceral(place: Path, modality: str) -> AllImages | None:
    volumes = find_volumes(place)
    if volumes is None:
        return None
    notes = []
    scans = choose_modality(volumes, modality, notes)
    cases = tuple(Case(name, (file,)) for name, file in scans.items())
    return AllImages(cases, tuple(notes))


def _nnunet(place: Path, num_channels: int) -> AllImages | None:
    present = [n for n in _NNUNET if (place / n).is_dir()]
    root = place if present else find_root(place)
    if root is None:
        return None
    cases, notes = [], []
    for name in list_folders(root):
        if name in _NNUNET:
            labels = _labels_beside(root, _NNUNET[name])
            cases += _grouped(root / name, labels, num_channels)
        elif name.lower().startswith("images"):
            notes.append(f"{root / name}: left out")
    return AllImages(tuple(cases), tuple(notes))


def _two_folders(place: Path, num_channels: int) -> AllImages | None:
    images = find_folder(place, "images")
    if images is None:
        return None
    folder = find_folder(place, "labels")
    labels = {} if folder is None else list_scans(folder)
    channels = group_channels(list_unsegmented(images), labels)
    several = num_channels > 1 or any(
        len(files) > 1 for name, files in channels.items() if name in labels
    )
    if several:
        cases = _grouped(images, labels, num_channels)
    else:
        # scan_0001 is a name of its own; only nnU-Net's channel 0 is cut off.
        cases = [
            Case(f"{name}_{channel:04d}" if channel else name, (file,))
            for name, files in channels.items()
            for channel, file in sorted(files.items())
        ]
    notes = []
    table = place / "cases.csv"
    if table.is_file():
        cases = _with_table(cases, table, notes)
    return AllImages(tuple(cases), tuple(notes))


def _with_table(cases: list[Case], table: Path, notes: list[str]) -> list[Case]:
    """The cases with the names and files of a table, and those beside it."""
    found = {case.name: case for case in cases}
    for row in read_case_table(table):
        file = table.parent / row.image
        known = found.get(row.case)
        if not row.image or (known and file in known.images):
            continue
        for case in cases:
            if file in case.images:
                found.pop(case.name, None)
        if known and known.name in found:
            notes.append(
                f"{known.images[0]}: left out, as {table.name} names another "
                f"image for {row.case}"
            )
        found[row.case] = Case(row.case, (file,))
    return [found[name] for name in sorted(found)]


def _grouped(
    folder: Path, labels: Mapping[str, Path], num_channels: int
) -> list[Case]:
    """Cases of one file a channel, or of a picture that holds them all."""
    cases = []
    scans = list_unsegmented(folder)
    for name, files in group_channels(scans, labels).items():
        first = files.get(0)
        # A file without the number of a channel is a whole case.
        whole = first is not None and (
            stem_of(first.name) == name or peek_channels(first) == num_channels
        )
        number = max([0 if whole else num_channels - 1, *files]) + 1
        images = tuple(
            files.get(i, folder / f"{name}_{i:04d}{ENDINGS[0]}")
            for i in range(number)
        )
        cases.append(Case(name, images))
    return cases


def _labels_beside(root: Path, name: str) -> dict[str, Path]:
    folder = root / name
    return list_scans(folder) if folder.is_dir() else {}


def left_out_below(folder: Path) -> list[str]:
    """Says which sub-folders of a folder of scans hold further scans."""
    found = {}
    for name in list_folders(folder):
        if (folder / name / RECORD).is_file():
            continue
        with contextlib.suppress(InputError):
            found[name] = len(list_scans(folder / name))
    names = [f"{name}/" for name, number in found.items() if number]
    if not names:
        return []
    return [
        f"{folder}: {count(sum(found.values()), 'scan')} in sub-folders "
        f"({shorten(names)}), left out"
    ]
