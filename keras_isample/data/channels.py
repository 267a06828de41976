"""The channels of a case: one file each, or an RGB picture that holds three."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from keras_isample.data.layout import Case
from keras_isample.data.layout import count
from keras_isample.errors import InputError
from keras_isample.volumes.grid import check_same_grid
from keras_isample.volumes.reading import count_channels
from keras_isample.volumes.reading import read_channels
from keras_isample.volumes.reading import read_grid
from keras_isample.volumes.volume import Volume

RGB_NAMES = ("red", "green", "blue")


def load_channels(case: Case) -> list[Volume]:
    """Reads the channels of a case, and checks that they lie on one grid.

    Returns:
        The scans with the axes of their files.

    Raises:
        InputError: If a file cannot be used or lies elsewhere.
    """
    read = [read_channels(path) for path in case.images]
    for path, volumes in zip(case.images[1:], read[1:], strict=True):
        check_same_grid(read[0][0], case.images[0], volumes[0], path)
    return [volume for volumes in read for volume in volumes]


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
        check_same_grid(grids[0], case.images[0], grid, path)
    found = sum(count_channels(path) for path in case.images)
    if found != num_channels:
        raise InputError(
            case.images[0],
            f"case {case.name} has {count(found, 'channel')}, the model needs "
            f"{num_channels}",
            "Give the channels that it was trained on",
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
