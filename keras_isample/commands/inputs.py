"""The scans that `predict` was asked to segment."""

import re
from pathlib import Path

from keras_isample.data.channels import peek_channels
from keras_isample.data.layout import Case
from keras_isample.data.listing import ENDINGS
from keras_isample.data.listing import list_scans
from keras_isample.data.listing import stem_of
from keras_isample.data.recognition import recognize
from keras_isample.errors import InputError


def find_inputs(paths, num_channels, *, modality="CTce_ThAb"):
    """Lists scans in files, folders of scans and data sets.

    In a folder, `CASE_0000.nii.gz`, `CASE_0001.nii.gz`, ... are the channels
    of one case if the model has several; an RGB picture is three. A
    data set gives all labeled cases that its layout has.

    Args:
        paths: Files and folders.
        num_channels: Channels of the model.
        modality: VISCERAL volumes to use.

    Returns:
        `Case`s with unique names.

    Raises:
        InputError: If nothing is found, a channel is missing or two scans have
            one name.
    """
    cases = {}
    for path in map(Path, paths):
        for case in _cases_of(path, num_channels, modality):
            other = cases.get(case.name)
            if other == case:
                continue
            if other is not None:
                raise InputError(
                    case.images[0],
                    f"has the same case name as {other.images[0]}",
                    "Predict them into two folders",
                )
            found = sum(map(peek_channels, case.images))
            if found != num_channels:
                raise InputError(
                    case.images[0],
                    f"case {case.name} has {found} channel(s), the "
                    f"model needs {num_channels}",
                    "Give images of one channel, such as gray pictures"
                    if num_channels == 1
                    else "Give one file a channel: CASE_0000.nii.gz, "
                    "CASE_0001.nii.gz",
                )
            cases[case.name] = case
    return list(cases.values())


def _cases_of(path, num_channels, modality):
    if not path.exists():
        raise InputError(path, "does not exist", "Check the path")
    if not path.is_dir():
        return [_case_of_file(path, num_channels)]
    scans = list_scans(path)
    if not scans:
        return recognize(path, modality).cases
    if num_channels == 1:
        return [_single(stem, file) for stem, file in scans.items()]
    whole = {s: f for s, f in scans.items() if peek_channels(f) == num_channels}
    parts = {s: f for s, f in scans.items() if s not in whole}
    names = sorted({_case_name(stem) for stem in parts})
    return [
        *(_single(stem, file) for stem, file in whole.items()),
        *(_channels(name, parts, path, num_channels) for name in names),
    ]


def _case_of_file(path, num_channels):
    stem = stem_of(path.name)
    if stem is None:
        raise InputError(
            path,
            "is not a scan by its name",
            "Give .nii.gz, .nii, .mgz, .png or .npy files, or a folder of them",
        )
    if num_channels in (1, peek_channels(path)):
        return _single(stem, path)
    scans = list_scans(path.parent)
    return _channels(_case_name(stem), scans, path.parent, num_channels)


def _single(stem, path):
    # scan_0001 is a name of its own; only nnU-Net's channel 0 is cut off.
    return Case(stem.removesuffix("_0000") or stem, (path,))


def _channels(name, scans, folder, num_channels):
    stems = [f"{name}_{channel:04d}" for channel in range(num_channels)]
    for stem in stems:
        if stem not in scans:
            raise InputError(
                folder / f"{stem}{ENDINGS[0]}",
                f"is missing; the model needs {num_channels} channels",
                "Give one file a channel",
            )
    return Case(name, tuple(scans[stem] for stem in stems))


def _case_name(stem):
    """The name of a case without the number of its channel."""
    match = re.fullmatch(r"(.+)_0\d{3}", stem)
    return match[1] if match else stem
