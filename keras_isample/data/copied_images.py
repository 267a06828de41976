"""Label files that are images by mistake."""

import contextlib
from collections.abc import Iterable
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_isample.errors import InputError
from keras_isample.volumes.reading import read_channels
from keras_isample.volumes.volume import Volume
from keras_isample.volumes.volume import to_canonical


def refuse_image(
    path: Path, labels: Volume, images: Iterable[tuple[Path, Volume]]
) -> None:
    """Refuses labels that are equal to an image of their case.

    Args:
        path: The label file.
        labels: What it holds.
        images: File and voxels of each channel, on the grid of the labels.

    Raises:
        InputError: If they are equal, and not constant.
    """
    if labels.array.min() == labels.array.max():
        return
    for image, volume in images:
        if _equal(labels.array, volume.array):
            raise InputError(
                path,
                f"holds the same voxels as the image {image}",
                "Put the label map of the case in its place",
            )


def refuse_copy(path: Path, images: Sequence[Path]) -> None:
    """Refuses a file that is read as labels and holds an image of its case.

    For files of which the values cannot be labels, or hardly. What cannot be
    read is not compared.

    Args:
        path: The label file.
        images: The images of its case.

    Raises:
        InputError: If it is equal to one of them.
    """
    read = [(image, v) for image in images for v in _read_quietly(image)]
    for volume in _read_quietly(path):
        refuse_image(path, volume, read)


def _read_quietly(path):
    with contextlib.suppress(InputError):
        read = read_channels(path, warn=lambda line: None)
        return [to_canonical(volume) for volume in read]
    return []


def _equal(array, other):
    return array.shape == other.shape and all(
        np.array_equal(part, same)
        for part, same in zip(array, other, strict=True)
    )
