"""Names of the scans in a folder; no file is opened."""

import functools
import logging
import os
from pathlib import Path

from keras_isample.errors import InputError

_PICTURES = (".png", ".npy")
_OTHER_SCANS = (
    *(".nrrd", ".nhdr", ".mha", ".mhd", ".mgh", ".mnc", ".img"),
    *(".nii.bz2", ".nii.xz", ".nii.zst", ".dcm", ".ima"),
)
"""Endings of scans that are not listed, so that one can be told of them."""

ENDINGS = (".nii.gz", ".nii", ".mgz", *_PICTURES)

RECORD = ".predictions.jsonl"
"""File in which predict notes the label maps that it has put into a folder."""

_logger = logging.getLogger(__name__)


def ending_of(file_name: str) -> str:
    """The ending with which results for a scan are written.

    That of pictures (PNG, NPY), and .nii.gz for everything else.
    """
    name = file_name.lower()
    return next((e for e in _PICTURES if name.endswith(e)), ENDINGS[0])


def stem_of(file_name: str) -> str | None:
    """The name without its ending; `None` if it is not one of a scan."""
    for ending in ENDINGS:
        if file_name.lower().endswith(ending):
            return file_name[: -len(ending)]
    return None


def list_scans(folder: Path, *, deeper: bool = False) -> dict[str, Path]:
    """Stem to path of every scan in a folder, hidden files left out.

    Where there are NIfTI or MGH files, PNG and NPY files are taken for
    previews and the like, and left out.

    Args:
        folder: Where to look.
        deeper: Whether to look into its sub-folders too, one level; those
            with predictions are left out.

    Returns:
        Scans, sorted by stem.

    Raises:
        InputError: If the folder cannot be listed, or two files have the
            same stem.
    """
    files = []
    folders = [folder]
    if deeper:
        inner = [folder / name for name in list_folders(folder)]
        folders += [place for place in inner if not (place / RECORD).is_file()]
    for place in folders:
        others = []
        for entry in scan(place):
            if not _may_be_file(entry):
                continue
            if stem_of(entry.name) is not None:
                files.append(place / entry.name)
            elif entry.name.lower().endswith(_OTHER_SCANS):
                others.append(entry.name)
        if others:
            _tell_others(place, len(others), min(others))
    scans = {}
    for path in _without_previews(folder, files):
        stem = stem_of(path.name)
        if stem in scans:
            raise InputError(
                path,
                f"is a second file of this name beside {scans[stem]}",
                "Remove one of the two",
            )
        scans[stem] = path
    return dict(sorted(scans.items()))


def _may_be_file(entry):
    # A link to nothing is a scan that is missing; its reader says so.
    return entry.is_file() or (entry.is_symlink() and not entry.is_dir())


@functools.cache
def _tell_others(folder, number, first):
    """Says it once, however often a folder is listed."""
    _logger.warning(
        "%s: %d file(s) of formats that are not read are left out, such as "
        "%s; convert them to NIfTI",
        folder,
        number,
        first,
    )


def _without_previews(folder, files):
    pictures = [f for f in files if f.name.lower().endswith(_PICTURES)]
    if not pictures or len(pictures) == len(files):
        return files
    _logger.warning(
        "%s: %d PNG or NPY file(s) beside NIfTI or MGH files are left out",
        folder,
        len(pictures),
    )
    return [f for f in files if f not in pictures]


def list_folders(folder: Path) -> list[str]:
    """Sorted names of the sub-folders, hidden ones left out."""
    return sorted(entry.name for entry in scan(folder) if entry.is_dir())


def find_folder(folder: Path, *names: str) -> Path | None:
    """The sub-folder with the first of some names, in any letter case."""
    present = {name.lower(): name for name in list_folders(folder)}
    for name in names:
        if name.lower() in present:
            return folder / present[name.lower()]
    return None


def scan(folder: Path) -> list[os.DirEntry]:
    """Entries of a folder that are not hidden."""
    try:
        with os.scandir(folder) as entries:
            return [e for e in entries if not e.name.startswith(".")]
    except OSError as error:
        raise InputError(
            folder,
            f"cannot be listed ({error.strerror})",
            "Check that it is a folder that you may read",
        ) from error
