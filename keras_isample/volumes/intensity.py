"""From scanner units to what the network sees, and to 16-bit storage.

CT: Hounsfield units clipped to [-1000, 1000] and divided by 218 (training
setup of the isample papers). MR: z-score over the voxels above the 1st
percentile, clipped at it and at the 99.5th, all over the voxels that are no
padding. A channel of few gray levels, of which percentiles could take one
away, is not clipped, and its z-score is over all voxels.
"""

from dataclasses import dataclass

import numpy as np

from keras_isample.volumes.levels import count_levels
from keras_isample.volumes.levels import percentiles
from keras_isample.volumes.levels import slabs
from keras_isample.volumes.padding import FEW_LEVELS
from keras_isample.volumes.padding import find_padding

HU_RANGE = (-1000.0, 1000.0)
HU_SCALE = 218.0
KINDS = ("ct", "zscore")

_MOST_MINIMUM, _LEAST_MAXIMUM = -20, 100
"""Of HU: fat is darker, organs are brighter. Single voxels below 0 come from
resampling and padding of any scan."""


@dataclass(frozen=True)
class Intensity:
    """Clip to `[low, high]`, subtract `center`, divide by `scale`.

    `low` is also the value outside of the scan: clipped air in CT, the
    least value that is kept otherwise.
    """

    low: float
    high: float
    center: float
    scale: float

    @property
    def outside(self) -> float:
        """Normalized value of what lies outside of the scan."""
        return (self.low - self.center) / self.scale

    def normalize(self, array: np.ndarray) -> np.ndarray:
        """Normalized intensities, float32, in a new array."""
        result = np.clip(array, self.low, self.high).astype(np.float32)
        result -= np.float32(self.center)
        result /= np.float32(self.scale)
        return result


def looks_like_hu(low: float, high: float) -> bool:
    """Whether a range of intensities may be one of Hounsfield units."""
    return low < _MOST_MINIMUM and high >= _LEAST_MAXIMUM


def fit_intensity(kind: str, array: np.ndarray) -> Intensity:
    """The normalization of one channel of one case.

    Args:
        kind: `"ct"` or `"zscore"`.
        array: All voxels of the channel, as they come from the file.

    Raises:
        ValueError: If `kind` is unknown.
    """
    if kind == "ct":
        return Intensity(*HU_RANGE, 0.0, HU_SCALE)
    if kind != "zscore":
        raise ValueError(
            f"Argument `kind` must be one of {KINDS}. Received: {kind!r}."
        )
    if count_levels(array, FEW_LEVELS) < FEW_LEVELS:
        return _whole_range(array)
    padding = find_padding(array)
    low, high = percentiles(array, (1.0, 99.5), padding)
    if low == high:
        return _whole_range(array, padding)
    center, spread = _mean_and_deviation(array, low, high, padding)
    return Intensity(low, high, center, spread)


def _whole_range(array, padding=()):
    """From the least to the largest value that is no padding."""
    low, high = percentiles(array, (0.0, 100.0), padding)
    center, spread = _mean_and_deviation(array, -np.inf, high, padding)
    return Intensity(low, high, center, spread or 1.0)


def _mean_and_deviation(array, first, high, padding):
    """Of the values above `first`, clipped at `high`, slab by slab."""

    def parts():
        for part in slabs(array):
            kept = part > first
            for value in padding:
                kept &= part != np.float32(value)
            yield np.minimum(part[kept].astype(np.float64), high)

    count = sum(part.size for part in parts())
    mean = sum(part.sum() for part in parts()) / count
    squares = sum(np.square(part - mean).sum() for part in parts())
    return float(mean), float(np.sqrt(squares / count))


def num_gray_levels(array: np.ndarray, intensity: Intensity, kind: str) -> int:
    """Gray levels of a channel that are left in storage.

    Returns:
        Their number, or `FEW_LEVELS` if there are as many or more.
    """
    found = np.empty(0, np.int16)
    for part in slabs(array):
        found = np.union1d(found, to_storage(part, intensity, kind)[0])
        if len(found) >= FEW_LEVELS:
            return FEW_LEVELS
    return len(found)


def to_storage(
    array: np.ndarray, intensity: Intensity, kind: str
) -> tuple[np.ndarray, float, float]:
    """Quantizes a channel to int16.

    Returns:
        `(stored, scale, offset)` with normalized intensity `stored * scale +
        offset`: whole HU for `"ct"`, the case's full 16 bits otherwise. The
        value outside of the scan is stored as the smallest one.
    """
    clipped = np.clip(array, intensity.low, intensity.high)
    if kind == "ct":
        return (
            np.rint(clipped).astype(np.int16),
            1.0 / intensity.scale,
            -intensity.center / intensity.scale,
        )
    step = (intensity.high - intensity.low) / 65535 or 1.0
    stored = np.rint((clipped - intensity.low) / step) - 32768
    # Bounds that float32 cannot hold would lead beyond int16, and around it.
    np.clip(stored, -32768, 32767, out=stored)
    offset = intensity.low + 32768 * step - intensity.center
    return (
        stored.astype(np.int16),
        step / intensity.scale,
        (offset / intensity.scale),
    )
