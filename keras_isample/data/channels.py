"""The channels of a case: one file each, or an RGB picture that holds three."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from keras_isample.data.layout import Case
from keras_isample.data.layout import count
from keras_isample.errors import InputError
from keras_isample.volumes.grid import canonical_grid
from keras_isample.volumes.grid import check_same_place
from keras_isample.volumes.grid import onto_grid
from keras_isample.volumes.reading import count_channels
from keras_isample.volumes.reading import read_channels
from keras_isample.volumes.reading import read_grid
from keras_isample.volumes.training_shape import CURE
from keras_isample.volumes.training_shape import check_training_shape
from keras_isample.volumes.volume import Volume

RGB_NAMES = ("red", "green", "blue")


def load_channels(case: Case) -> list[Volume]:
    """Reads the channels of a case, and puts them on the grid of the first.

    Returns:
        The scans with the axes of the first file.

    Raises:
        InputError: If a file cannot be used or lies elsewhere.
    """
    read = []
    for path in case.images:
        for volume in read_channels(path):
            if read:
                volume = onto_grid(read[0], case.images[0], volume, path)
            read.append(volume)
    return read


def check_headers(case: Case, num_channels: int) -> None:
    """Refuses what can be seen without the voxels.

    Args:
        case: The files of a scan.
        num_channels: Channels that it must have.

    Raises:
        InputError: If a header can not be used, two files lie apart, or
            there are more or fewer channels.
    """
    grids = [read_grid(path, warn=lambda line: None) for path in case.images]
    for path, grid in zip(case.images[1:], grids[1:], strict=True):
        check_same_place(grids[0], case.images[0], grid, path)
    found = sum(count_channels(path) for path in case.images)
    if found != num_channels:
        raise InputError(
            case.images[0],
            f"case {case.name} has {count(found, 'channel')}, the model needs "
            f"{num_channels}",
            "Give the channels that it was trained on",
        )


def check_spacing(
    case: Case,
    spacing: Sequence[float] | None,
    num_channels: int = 1,
    cure: str = CURE,
) -> None:
    """Refuses a case that cannot be brought to the training spacing.

    Only the header of its first image is read.

    Args:
        case: The case.
        spacing: Training spacing in mm; `None` keeps the scan's own.
        num_channels: Channels that it has.
        cure: What to do about it.

    Raises:
        InputError: As `check_training_shape` says.
    """
    path = case.images[0]
    # Whoever reads the scan says what is odd about it.
    grid = canonical_grid(read_grid(path, warn=lambda line: None))
    check_training_shape(
        grid.shape,
        grid.spacing,
        spacing,
        path,
        num_channels=num_channels,
        cure=cure,
    )


def check_channels(
    case: Case, channels: Sequence, channel_names: Sequence[str]
) -> None:
    """Checks that a case has the channels of its data set.

    Args:
        case: The case.
        channels: What was read of it, one element a channel.
        channel_names: Channels of the data set.

    Raises:
        InputError: If there are more or fewer.
    """
    if len(channels) != len(channel_names):
        raise InputError(
            case.images[0],
            f"its case has {count(len(channels), 'channel')}, but cases of "
            f"this data set have {len(channel_names)} "
            f"({', '.join(channel_names)})",
            "Add what is missing, convert pictures alike to gray or RGB, or "
            "leave the case out",
        )


def peek_channels(path: Path) -> int:
    """Channels of a file by its name and header; 1 if that is damaged.

    Only PNG files are opened; whoever reads a damaged one says so.
    """
    if not path.name.lower().endswith(".png"):
        return 1
    with contextlib.suppress(InputError):
        return count_channels(path)
    return 1
