"""Images and label maps that belong together, by their file names."""

import difflib
import re
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_isample.data.channels import RGB_NAMES
from keras_isample.data.channels import peek_channels
from keras_isample.data.layout import Case
from keras_isample.data.layout import shorten
from keras_isample.data.listing import ENDINGS
from keras_isample.data.listing import ending_of
from keras_isample.data.listing import list_scans
from keras_isample.data.listing import stem_of
from keras_isample.errors import InputError

_LIKENESS = 0.5
"""Names that are less alike are not taken for those of one case."""

_MOST_RENAMES = 3
_MOST_LABELS, _MOST_IMAGES = 20, 500
"""Names that are compared with each other."""


@dataclass(frozen=True)
class Pairing:
    """Cases of one folder of images and one of label maps.

    Args:
        cases: Case name to case, sorted by name.
        channel_names: One name a channel.
        num_files: Images of a case: one a channel, or one RGB picture.
        without_label: Name to image, of images that have no label map.
        without_image: Name to label map, of those that have no image.
    """

    cases: Mapping[str, Case]
    channel_names: tuple[str, ...]
    num_files: int
    without_label: Mapping[str, Path]
    without_image: Mapping[str, Path]

    def notes(self, known: Collection[str] = ()) -> tuple[str, ...]:
        """Says which files have no partner, except those of known cases."""
        labelless = [n for n in self.without_label if n not in known]
        imageless = [n for n in self.without_image if n not in known]
        notes = []
        if labelless:
            notes.append(f"{shorten(labelless)}: image without label, left out")
        if imageless:
            notes.append(f"{shorten(imageless)}: label without image, left out")
        pairs = _nearest_pairs(labelless, imageless, _LIKENESS)
        if pairs:
            renames = [self._rename(image, label) for label, image in pairs]
            notes.append(
                "if they belong together, rename labels: "
                f"{shorten(renames, _MOST_RENAMES)}"
            )
        return tuple(notes)

    def nothing_paired(self, source: Path, layout: str) -> InputError:
        """The error for a data set in which no names match.

        Args:
            source: The data set.
            layout: Name of its layout.
        """
        pairs = _nearest_pairs(
            list(self.without_label), list(self.without_image), 0.0
        )
        label, image = max(pairs, key=lambda pair: _likeness(*pair))
        return InputError(
            source,
            f"no case has both an image and a label ({layout}): the nearest "
            f"names are {_place(self.without_label[image])} and "
            f"{_place(self.without_image[label])}",
            "Give labels the names of their images, as by renaming "
            + self._rename(image, label),
        )

    def _rename(self, image: str, label: str) -> str:
        path = self.without_image[label]
        return f"{path.name} to {image}{path.name[len(label) :]}"


def _place(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _nearest_pairs(
    images: Sequence[str], labels: Sequence[str], cutoff: float
) -> list[tuple[str, str]]:
    """Label and the image whose name is most like it, each image once."""
    images, pairs = list(images[:_MOST_IMAGES]), []
    for label in labels[:_MOST_LABELS]:
        if not images:
            break
        nearest = max(images, key=lambda image: _likeness(label, image))
        if _likeness(label, nearest) >= cutoff:
            pairs.append((label, nearest))
            images.remove(nearest)
    return pairs


def _likeness(label: str, image: str) -> float:
    """From 0 to 1; at most a half if their first numbers differ."""
    label, image = label.lower(), image.lower()
    likeness = difflib.SequenceMatcher(None, label, image).ratio()
    numbers = [re.findall(r"\d+", name) for name in (label, image)]
    pairs = zip(*numbers, strict=False)
    differ = any(int(one) != int(other) for one, other in pairs)
    return likeness / 2 if differ else likeness


def pair_cases(
    images: Path, labels: Path, channel_names: tuple[str, ...] = ()
) -> Pairing:
    """Finds the images of every label map.

    The images of `labels/CASE.nii.gz` are `images/CASE.nii.gz`, or
    `images/CASE_0000.nii.gz`, `images/CASE_0001.nii.gz`, one a channel. The
    first case tells whether cases are single RGB pictures of three channels.

    Args:
        images: Folder of images.
        labels: Folder of label maps.
        channel_names: Channels that every case must have; if empty, as many
            as the richest case has.

    Returns:
        Cases, and the files left over.

    Raises:
        InputError: If there are no images or no label maps, or a labeled
            case has a channel too many. One that lacks a channel is listed
            with the file that is missing, for whoever reads it to name.
    """
    image_files = _scans_of(images)
    label_files = _scans_of(labels)
    channels = group_channels(image_files, label_files)
    labeled = {n: files for n, files in channels.items() if n in label_files}
    most = max((max(files) for files in labeled.values()), default=0) + 1
    colored = most == 1 and _is_colored(labeled)
    if not channel_names and colored:
        channel_names = RGB_NAMES
    elif not channel_names:
        channel_names = tuple(f"channel_{i}" for i in range(most))
    num_files = 1 if colored else len(channel_names)
    for name, files in labeled.items():
        _check_channels(name, files, images, channel_names[:num_files])
    return Pairing(
        cases={
            name: Case(
                name,
                tuple(
                    files.get(i, images / _missing_name(name, i, files))
                    for i in range(num_files)
                ),
                label_files[name],
            )
            for name, files in sorted(labeled.items())
        },
        channel_names=channel_names,
        num_files=num_files,
        without_label={
            name: files[min(files)]
            for name, files in sorted(channels.items())
            if name not in labeled
        },
        without_image={
            name: path
            for name, path in label_files.items()
            if name not in labeled
        },
    )


def _is_colored(labeled: Mapping[str, Mapping[int, Path]]) -> bool:
    """Whether the first case that has an image is an RGB picture."""
    firsts = (files[0] for _, files in sorted(labeled.items()) if 0 in files)
    first = next(firsts, None)
    return first is not None and peek_channels(first) > 1


def _missing_name(name: str, channel: int, files: Mapping[int, Path]) -> str:
    ending = ending_of(next(iter(files.values())).name)
    return f"{name}_{channel:04d}{ending}"


def _scans_of(folder: Path) -> dict[str, Path]:
    scans = list_scans(folder)
    if not scans:
        raise InputError(
            folder,
            f"holds no {', '.join(ENDINGS)} files",
            "Put the scans there, or convert them",
        )
    return scans


def group_channels(
    images: Mapping[str, Path], labels: Mapping[str, Path]
) -> dict[str, dict[int, Path]]:
    """Puts the files of each case together.

    Args:
        images: Stem to image.
        labels: Stem to label map, as far as there are any.

    Returns:
        Case name to channel number to image.

    Raises:
        InputError: If two files would be the same channel of a case.
    """
    channels = {}
    for stem, path in images.items():
        name, channel = _case_and_channel(stem, images, labels)
        files = channels.setdefault(name, {})
        if channel in files:
            raise InputError(
                path,
                f"is a second image of case {name} beside {files[channel]}",
                "Remove or rename one of the two",
            )
        files[channel] = path
    return channels


def _case_and_channel(
    stem: str, images: Mapping[str, Path], labels: Mapping[str, Path]
) -> tuple[str, int]:
    # A label of the whole name wins: case_0001 may be a case of its own.
    match = re.fullmatch(r"(.+)_(\d{4})", stem)
    if match is None or stem in labels:
        return stem, 0
    first = f"{match[1]}_0000"
    if match[1] in labels or (first in images and first not in labels):
        return match[1], int(match[2])
    return stem, 0


def _check_channels(
    name: str,
    files: Mapping[int, Path],
    images: Path,
    channel_names: tuple[str, ...],
) -> None:
    first = files.get(0)
    lacking = set(range(len(channel_names))) - set(files)
    if lacking and first is not None and stem_of(first.name) == name:
        raise InputError(
            first,
            f"is one file for the channels {', '.join(channel_names)}",
            f"Write one file a channel: {name}_0000, {name}_0001, ...",
        )
    for channel in sorted(files):
        if channel >= len(channel_names):
            raise InputError(
                files[channel],
                f"case {name} has a channel {channel}, but the channels "
                f"named are {', '.join(channel_names)}",
                "Name it in dataset.json, or remove the file",
            )
