"""A scan as stored, read in normalized pieces that may reach outside of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_isample.volumes.intensity import fit_intensity
from keras_isample.volumes.intensity import num_gray_levels
from keras_isample.volumes.intensity import to_storage
from keras_isample.volumes.resampling import kept_spacing
from keras_isample.volumes.resampling import resample_slabs
from keras_isample.volumes.training_shape import check_training_shape
from keras_isample.volumes.volume import Volume


@dataclass(frozen=True)
class Scan:
    """Stored channels with their normalization.

    Args:
        stored: `(channels, x, y, z)`, int16 or float, may be memory-mapped.
        scales: One per channel: normalized = stored * scale + offset.
        offsets: One per channel.
        outside: Stored value outside of the scan, one per channel.
        levels: Gray levels of each channel before resampling, `FEW_LEVELS` if
            there are as many or more; empty if not counted.
    """

    stored: np.ndarray
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    outside: tuple[float, ...]
    levels: tuple[int, ...] = ()

    @property
    def shape(self):
        """Voxels along the three axes."""
        return self.stored.shape[1:]

    @property
    def num_channels(self):
        """Number of channels."""
        return self.stored.shape[0]

    def read(self, start, stop):
        """Normalized voxels of the box `[start, stop)`.

        Returns:
            float32 `(x, y, z, channels)`; what lies outside of the scan has
            the outside value.
        """
        sides = [b - a for a, b in zip(start, stop, strict=True)]
        result = np.empty((*sides, self.num_channels), np.float32)
        source, target = [], []
        for a, b, n in zip(start, stop, self.shape, strict=True):
            low, high = min(max(a, 0), n), min(max(b, 0), n)
            source.append(slice(low, high))
            target.append(slice(low - a, max(low, high) - a))
        for channel in range(self.num_channels):
            scale = np.float32(self.scales[channel])
            offset = np.float32(self.offsets[channel])
            part = result[..., channel]
            part[...] = np.float32(self.outside[channel])
            part[tuple(target)] = self.stored[(channel, *source)]
            part *= scale
            part += offset
        return result

    def occupied_blocks(self, side, region=None):
        """Which cubes of `side` voxels hold anything but the outside value.

        Args:
            side: Voxels along each axis of a cube.
            region: The cubes that are asked about, a triple of slices in
                cubes; all if `None`.

        Returns:
            bool array, one element per cube from the region's first one on
            (from voxel 0 on), the last ones reaching over the end.
        """
        if region is None:
            region = tuple(slice(0, -(-n // side)) for n in self.shape)
        rows, *others = (
            slice(side * part.start, side * part.stop) for part in region
        )
        result = np.zeros([p.stop - p.start for p in region], bool)
        for channel, value in zip(self.stored, self.outside, strict=True):
            for number, target in enumerate(result):
                first = rows.start + number * side
                slab = channel[(slice(first, first + side), *others)] != value
                slab = slab.any(axis=0)
                for axis in (0, 1):
                    starts = np.arange(0, slab.shape[axis], side)
                    slab = np.logical_or.reduceat(slab, starts, axis=axis)
                target |= slab
        return result


def store_channels(
    channels: Sequence[Volume],
    spacing: Sequence[float] | None,
    kind: str,
) -> Scan:
    """Normalizes, resamples and quantizes the channels of one case.

    Training and prediction both see what this returns.

    Args:
        channels: The channels on one grid, closest-canonical RAS+.
        spacing: Training spacing in mm; `None` keeps the scan's own, as an
            axis of one voxel does in any case.
        kind: `"ct"` or `"zscore"`.

    Raises:
        InputError: If a scan cannot be brought to the spacing, as
            `check_training_shape` says.
    """
    own = channels[0].shape, channels[0].spacing
    spacing = kept_spacing(*own, spacing or channels[0].spacing)
    shape = check_training_shape(
        *own, spacing, "the scan", num_channels=len(channels)
    )
    stored = np.empty((len(channels), *shape), np.int16)
    scales, offsets, outside, levels = [], [], [], []
    for volume, target in zip(channels, stored, strict=True):
        intensity = fit_intensity(kind, volume.array)
        limits = (intensity.low, intensity.high)
        # Slab by slab: in float32 a scan would be twice or four times as large.
        for first, slab in resample_slabs(volume, spacing, limits):
            part, scale, offset = to_storage(slab, intensity, kind)
            target[first : first + len(part)] = part
        levels.append(num_gray_levels(volume.array, intensity, kind))
        scales.append(scale)
        offsets.append(offset)
        outside.append(round((intensity.outside - offset) / scale))
    return Scan(stored, *map(tuple, (scales, offsets, outside, levels)))
