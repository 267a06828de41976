"""nnU-Net v2 raw: `dataset.json`, `imagesTr/CASE_0000`, `labelsTr/CASE`.

MSD folders, whose images have no channel number, are read alike as long as
every image has one channel.
"""

import re
from pathlib import Path

from keras_isample.data.dataset_json import read_dataset_json
from keras_isample.data.layout import Layout
from keras_isample.data.listing import list_folders
from keras_isample.data.pairing import pair_cases
from keras_isample.errors import InputError


def read(path: Path, modality: str, cache: Path | None = None) -> Layout | None:
    """Lists the training cases.

    Args:
        path: A `DatasetXXX_Name` folder, or an `nnUNet_raw` folder that
            holds exactly one.
        modality: Not used here; the layout has one modality.
        cache: Not used here; no scan is opened.

    Returns:
        The layout, or `None` if this is none of nnU-Net.

    Raises:
        InputError: If a part of the layout is missing, or labels are
            written in a way that cannot be used.
    """
    root = find_root(path)
    if root is None:
        return None
    for part in ("dataset.json", "labelsTr"):
        if not (root / part).exists():
            raise InputError(
                root, f"has imagesTr but no {part}", "Add the missing part"
            )
    dataset = read_dataset_json(root / "dataset.json")
    pairing = pair_cases(
        root / "imagesTr", root / "labelsTr", dataset.channel_names
    )
    name = "MSD" if dataset.decathlon else "nnU-Net v2 raw"
    if not pairing.cases:
        raise pairing.nothing_paired(root, name)
    notes = pairing.notes()
    if dataset.num_training not in (None, len(pairing.cases)):
        notes += (
            f"dataset.json tells of {dataset.num_training} training cases, "
            f"{len(pairing.cases)} were found",
        )
    return Layout(
        name=name,
        cases=tuple(pairing.cases.values()),
        structures=dataset.structures,
        channel_names=pairing.channel_names,
        notes=notes,
    )


def find_root(path: Path) -> Path | None:
    """The `DatasetXXX_Name` folder at a path, `None` if there is none.

    Raises:
        InputError: If there are several.
    """
    names = list_folders(path)
    if "imagesTr" in names:
        return path
    datasets = [
        name
        for name in names
        if re.match(r"(Dataset|Task)\d+_", name)
        and (path / name / "imagesTr").is_dir()
    ]
    if len(datasets) > 1:
        raise InputError(
            path,
            f"holds {len(datasets)} data sets",
            f"Choose one: {', '.join(datasets)}",
        )
    return path / datasets[0] if datasets else None
