"""The scans that `predict` was asked to segment."""

import logging
import re
from pathlib import Path

from keras_isample.data.all_images import all_images
from keras_isample.data.all_images import left_out_below
from keras_isample.data.all_images import list_unsegmented
from keras_isample.data.channels import peek_channels
from keras_isample.data.layout import Case
from keras_isample.data.layout import count
from keras_isample.data.layout import shorten
from keras_isample.data.listing import ENDINGS
from keras_isample.data.listing import list_scans
from keras_isample.data.listing import stem_of
from keras_isample.data.recognition import data_places
from keras_isample.data.recognition import recognize
from keras_isample.errors import InputError
from keras_isample.volumes.places import is_same_place

log = logging.getLogger(__name__)


def find_inputs(
    paths, num_channels, *, modality="CTce_ThAb", fail=None, note=log.warning
):
    """Lists scans in files, folders of scans and data sets.

    In a folder, `CASE_0000.nii.gz`, `CASE_0001.nii.gz`, ... are the channels
    of one case if the model has several; an RGB picture is three. A data set
    gives all its images, whether they have labels or not. Label maps that
    predict wrote into a folder are no scans.

    Args:
        paths: Files and folders.
        num_channels: Channels of the model.
        modality: VISCERAL volumes to use.
        fail: Called with the name of a case that cannot be used and an
            `InputError`; if `None`, the error is raised.
        note: Called with a line for what is left out.

    Returns:
        `Case`s with unique names, without their labels.

    Raises:
        InputError: If nothing is found, or two scans have one name.
    """
    cases = {}
    for path in map(Path, paths):
        for case in _cases_of(path, num_channels, modality, note):
            other = cases.get(case.name)
            if other is not None and _is_same(other, case):
                continue
            if other is not None:
                raise InputError(
                    case.images[0],
                    f"has the same case name as {other.images[0]}",
                    "Predict them into two folders",
                )
            cases[case.name] = case
    if not cases:
        raise InputError(
            paths[0], "holds no image", "Name scans, or a folder of them"
        )
    usable = []
    for case in cases.values():
        error = _fault(case, num_channels)
        if error is None:
            usable.append(case)
        elif fail is None:
            raise error
        else:
            fail(case.name, error)
    return usable


def _is_same(one, other):
    return len(one.images) == len(other.images) and all(
        map(is_same_place, one.images, other.images)
    )


def _fault(case, num_channels):
    """What shows from the names of a case's files that it cannot be used."""
    for image in case.images:
        if image.is_symlink() and not image.exists():
            return InputError(
                image,
                "is a link to a file that is not there",
                "Fetch that file, for example with `git annex get`",
            )
        if not image.exists():
            return InputError(
                image,
                f"is missing; the model needs {count(num_channels, 'channel')}",
                "Give one file a channel",
            )
    found = sum(map(peek_channels, case.images))
    if found == num_channels:
        return None
    return InputError(
        case.images[0],
        f"case {case.name} has {found} channel(s), the model needs "
        f"{num_channels}",
        "Give images of one channel, such as gray pictures"
        if num_channels == 1
        else "Give one file a channel: CASE_0000.nii.gz, CASE_0001.nii.gz",
    )


def _cases_of(path, num_channels, modality, note):
    if not path.exists():
        raise InputError(path, "does not exist", "Check the path")
    if not path.is_dir():
        return [_case_of_file(path, num_channels)]
    scans = list_unsegmented(path)
    for place in data_places(path):
        if scans and place != path:
            continue
        found = all_images(place, num_channels, modality)
        if found is not None:
            for line in found.notes:
                note(line)
            if scans:
                beside = shorten([file.name for file in scans.values()])
                note(f"{path}: beside its data set, left out: {beside}")
            return found.cases
    if not scans:
        return _nothing(path, modality)
    for line in left_out_below(path):
        note(line)
    if num_channels == 1:
        return [_single(stem, file) for stem, file in scans.items()]
    whole = {s: f for s, f in scans.items() if peek_channels(f) == num_channels}
    parts = {s: f for s, f in scans.items() if s not in whole}
    names = sorted({_case_name(stem) for stem in parts})
    return [
        *(_single(stem, file) for stem, file in whole.items()),
        *(_channels(name, parts, path, num_channels) for name in names),
    ]


def _nothing(path, modality):
    if list_scans(path):
        raise InputError(
            path,
            "holds nothing but label maps that predict wrote",
            "Name the folder of the scans",
        )
    # Says what it was looking for, and what is there.
    return recognize(path, modality).cases


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
    return Case(
        name,
        tuple(
            scans.get(stem, folder / f"{stem}{ENDINGS[0]}") for stem in stems
        ),
    )


def _case_name(stem):
    """The name of a case without the number of its channel."""
    match = re.fullmatch(r"(.+)_0\d{3}", stem)
    return match[1] if match else stem
