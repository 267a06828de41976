"""VISCERAL Anatomy3: volumes, and one binary mask per organ.

File names are `<patient>_<volume>_<modality>_<region>.nii.gz` for volumes and
`<volume stem>_<RadLex id>_<annotator>.nii.gz` for masks.
"""

import re
from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping
from pathlib import Path

from keras_isample.data.layout import Case
from keras_isample.data.layout import Layout
from keras_isample.data.layout import count
from keras_isample.data.layout import shorten
from keras_isample.data.listing import find_folder
from keras_isample.data.listing import list_scans
from keras_isample.errors import InputError

# Table of the VISCERAL registration system; copies elsewhere swap the sides.
RADLEX = {
    58: "liver",
    86: "spleen",
    170: "pancreas",
    187: "gallbladder",
    237: "urinary_bladder",
    480: "aorta",
    1247: "trachea",
    1302: "right_lung",
    1326: "left_lung",
    2473: "sternum",
    7578: "thyroid_gland",
    29193: "first_lumbar_vertebra",
    29662: "right_kidney",
    29663: "left_kidney",
    30324: "right_adrenal_gland",
    30325: "left_adrenal_gland",
    32248: "right_psoas_major",
    32249: "left_psoas_major",
    40357: "right_rectus_abdominis",
    40358: "left_rectus_abdominis",
}

# The ten of the isample papers, left and right merged: 11 classes.
DEFAULT_LABELS = (
    "aorta",
    "lung",
    "kidney",
    "psoas_major",
    "liver",
    "rectus_abdominis",
    "spleen",
    "sternum",
    "trachea",
    "bladder",
)

_VOLUME = re.compile(r"\d+_\d+_([^_]+_[^_]+)")
_MASK = re.compile(r"(\d+_\d+_[^_]+_[^_]+)_(\d+)_(\d+)")


def read(path: Path, modality: str, cache: Path | None = None) -> Layout | None:
    """Lists the volumes of one modality and their masks.

    Args:
        path: The data set's folder, or the one above its training set.
        modality: Modality and region as in the file names, `"CTce_ThAb"`.
        cache: Not used here; no scan is opened.

    Returns:
        The layout, or `None` if this is none of VISCERAL.

    Raises:
        InputError: If there are no masks, or no volume of this modality.
    """
    volumes = find_volumes(path)
    if volumes is None:
        return None
    root = volumes.parent
    segmentations = find_folder(root, "Segmentations", "manualsegmentations")
    if segmentations is None:
        raise InputError(
            root,
            f"has {volumes.name}/ but no Segmentations/",
            "Put the masks of the organs there",
        )
    notes = []
    scans = choose_modality(volumes, modality, notes)
    masks = _choose_masks(segmentations, scans, notes)
    cases = (
        Case(name, (image,), masks=_in_table_order(masks[name]))
        for name, image in scans.items()
        if name in masks
    )
    unlabeled = [name for name in scans if name not in masks]
    if unlabeled:
        notes.append(f"{shorten(unlabeled)}: image without label, left out")
    return Layout(
        name="VISCERAL Anatomy3",
        cases=tuple(cases),
        structures=dict.fromkeys(RADLEX.values(), 1),
        channel_names=(_channel_name(modality),),
        notes=tuple(notes),
        default_labels=DEFAULT_LABELS,
    )


def find_volumes(path: Path) -> Path | None:
    """The folder of all volumes of a data set, `None` if it is another's."""
    root = find_folder(path, "Anatomy3-trainingset", "trainingset") or path
    return find_folder(root, "Volumes")


def choose_modality(
    folder: Path, modality: str, notes: list[str]
) -> dict[str, Path]:
    """The volumes of one modality.

    Args:
        folder: The folder of all volumes.
        modality: As of `read`.
        notes: What is left out is added to it.

    Returns:
        Name to file.

    Raises:
        InputError: If there is no volume of this modality.
    """
    chosen, others, unknown = {}, Counter(), []
    for stem, path in list_scans(folder, deeper=True).items():
        match = _VOLUME.fullmatch(stem)
        if match is None:
            unknown.append(path.name)
        elif match[1].lower() == modality.lower():
            chosen[stem] = path
        else:
            others[match[1]] += 1
    found = ", ".join(f"{m} ({n})" for m, n in sorted(others.items()))
    if not chosen:
        raise InputError(
            folder,
            f"holds no volume of modality {modality}",
            f"Choose one of these modalities: {found}"
            if found
            else "Name volumes as in 10000100_1_CTce_ThAb.nii.gz",
        )
    if others:
        notes.append(f"volumes of other modalities, left out: {found}")
    if unknown:
        notes.append(f"{shorten(unknown)}: no VISCERAL file name, left out")
    return chosen


def _choose_masks(
    folder: Path, scans: Mapping[str, Path], notes: list[str]
) -> dict[str, dict[str, Path]]:
    modalities = {_VOLUME.fullmatch(name)[1] for name in scans}
    found, unknown_ids, orphans, unknown = {}, set(), set(), []
    for stem, path in list_scans(folder, deeper=True).items():
        match = _MASK.fullmatch(stem)
        if match is None:
            unknown.append(path.name)
            continue
        name, radlex, annotator = match[1], int(match[2]), int(match[3])
        if name not in scans:
            if _VOLUME.fullmatch(name)[1] in modalities:
                orphans.add(name)
        elif radlex not in RADLEX:
            unknown_ids.add(radlex)
        else:
            masks = found.setdefault(name, {})
            masks.setdefault(RADLEX[radlex], []).append((annotator, path))
    notes += _mask_notes(found, unknown_ids)
    if orphans:
        lost = shorten(sorted(orphans))
        notes.append(f"{lost}: label without image, left out")
    if unknown:
        notes.append(f"{shorten(unknown)}: no VISCERAL file name, left out")
    return {
        name: {structure: min(files)[1] for structure, files in masks.items()}
        for name, masks in found.items()
    }


def _mask_notes(
    found: Mapping[str, Mapping[str, list]], unknown_ids: Iterable[int]
) -> list[str]:
    notes = []
    several = sum(
        len(files) > 1 for masks in found.values() for files in masks.values()
    )
    if several:
        notes.append(
            f"several annotators of {count(several, 'mask')}: "
            "the lowest number was taken"
        )
    if unknown_ids:
        ids = ", ".join(map(str, sorted(unknown_ids)))
        notes.append(f"masks of unknown RadLex ids, left out: {ids}")
    return notes


def _in_table_order(masks: Mapping[str, Path]) -> dict[str, Path]:
    return {name: masks[name] for name in RADLEX.values() if name in masks}


def _channel_name(modality: str) -> str:
    return "CT" if modality.upper().startswith("CT") else modality.split("_")[0]
