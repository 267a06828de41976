"""From scanner units to what the network sees, and to 16-bit storage.

CT: Hounsfield units clipped to [-1000, 1000] and divided by 218 (training
setup of the isample papers). MR: z-score over the voxels above the 1st
percentile, clipped at the 99.5th.
"""

from dataclasses import dataclass

import numpy as np

HU_RANGE = (-1000.0, 1000.0)
HU_SCALE = 218.0
KINDS = ("ct", "zscore")

_LEAST_MAXIMUM = 100


@dataclass(frozen=True)
class Intensity:
    """Clip to `[low, high]`, subtract `center`, divide by `scale`.

    `low` is also the value outside of the scan: clipped air in CT, the
    minimum of the case otherwise.
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
    return low < 0 and high >= _LEAST_MAXIMUM


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
    low = float(array.min())
    first, high = (float(q) for q in np.percentile(array, (1.0, 99.5)))
    center, spread = _mean_and_deviation(array, first, high)
    return Intensity(low, max(high, low), center, spread or 1.0)


def _mean_and_deviation(array, first, high):
    """Of the values above `first`, clipped at `high`, slice by slice."""
    if not (array > first).any():
        first = -np.inf

    def slices():
        for part in array:
            yield np.minimum(part[part > first], high).astype(np.float64)

    count = sum(part.size for part in slices())
    mean = sum(part.sum() for part in slices()) / count
    squares = sum(np.square(part - mean).sum() for part in slices())
    return float(mean), float(np.sqrt(squares / count))


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
