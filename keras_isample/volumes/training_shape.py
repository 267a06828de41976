"""Whether a scan can be brought to the training spacing at all.

A wrong unit or voxel size in a header leaves single voxels of a scan, or asks
for more memory than there is. Both are known before anything is allocated.
"""

import math
from collections.abc import Sequence
from os import PathLike

from keras_isample.errors import InputError
from keras_isample.volumes.grid import format_shape
from keras_isample.volumes.memory import memory_limit
from keras_isample.volumes.resampling import kept_spacing
from keras_isample.volumes.resampling import resampled_shape

_BYTES_PER_VOXEL = 10
"""Of one channel: intensities, their box means and labels while they are
prepared."""

_ENOUGH = 8
"""Voxels of an axis at the training spacing that are enough of any number."""

_MOST_OF_ONE = 3
"""Fewer, n, are too few of an axis of this times n squared or more: 1 of 3, 2
of 12, 5 of 75."""

CURE = (
    "Correct the unit or the voxel size in its header, or choose a `spacing` "
    "that suits it (native keeps its own)"
)
CURE_OF_RUN = (
    "Correct the unit or the voxel size in its header, or use a run that was "
    "trained at a `spacing` that suits it"
)


def check_training_shape(
    shape: Sequence[int],
    spacing: Sequence[float],
    new_spacing: Sequence[float] | None,
    source: str | PathLike,
    *,
    num_channels: int = 1,
    cure: str = CURE,
) -> tuple[int, ...]:
    """Checks what a scan becomes at the training spacing.

    Args:
        shape: Its voxels along each axis.
        spacing: Its spacing, in mm.
        new_spacing: Training spacing of the same axes; `None` keeps its own.
        source: Its file.
        num_channels: Channels that it has.
        cure: What to do about it.

    Returns:
        Voxels along each axis at the training spacing.

    Raises:
        InputError: If an axis of many voxels has next to none there, or the
            scan is larger than the memory of this machine.
    """
    new_spacing = kept_spacing(shape, spacing, new_spacing or spacing)
    new_shape = resampled_shape(shape, spacing, new_spacing)
    found = (
        f"has {format_shape(shape)} voxels of {_sizes(spacing)} mm, "
        f"{{}} {format_shape(new_shape)} at the training spacing of "
        f"{_sizes(new_spacing)} mm"
    )
    if any(map(_is_lost, shape, new_shape)):
        raise InputError(
            source, found.format("which would be no more than"), cure
        )
    needed = math.prod(new_shape) * num_channels * _BYTES_PER_VOXEL
    memory = memory_limit()
    if needed > memory:
        raise InputError(
            source,
            found.format("which would become")
            + f": {needed / 2**30:,.0f} GiB, where this machine has "
            f"{memory / 2**30:,.0f}",
            cure,
        )
    return new_shape


def _is_lost(size, new_size):
    return new_size < _ENOUGH and size >= _MOST_OF_ONE * new_size**2


def _sizes(spacing):
    return "x".join(f"{size:.4g}" for size in spacing)
