"""Names of the brain phantom's structures, and how a program mislabels them.

Names and values are those of FreeSurfer's `aseg`, so that models and tables
made with the phantom fit real data too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

_LEFT = {
    "Cerebral-White-Matter": 2,
    "Cerebral-Cortex": 3,
    "Lateral-Ventricle": 4,
    "Cerebellum-White-Matter": 7,
    "Cerebellum-Cortex": 8,
    "Thalamus-Proper": 10,
    "Caudate": 11,
    "Putamen": 12,
    "Pallidum": 13,
    "Hippocampus": 17,
    "Amygdala": 18,
    "VentralDC": 28,
}
_RIGHT = {
    "Cerebral-White-Matter": 41,
    "Cerebral-Cortex": 42,
    "Lateral-Ventricle": 43,
    "Cerebellum-White-Matter": 46,
    "Cerebellum-Cortex": 47,
    "Thalamus-Proper": 49,
    "Caudate": 50,
    "Putamen": 51,
    "Pallidum": 52,
    "Hippocampus": 53,
    "Amygdala": 54,
    "VentralDC": 60,
}
_MIDDLE = {"3rd-Ventricle": 14, "4th-Ventricle": 15, "Brain-Stem": 16}

STRUCTURES = dict(
    sorted(
        {
            **{f"Left-{name}": value for name, value in _LEFT.items()},
            **{f"Right-{name}": value for name, value in _RIGHT.items()},
            **_MIDDLE,
        }.items(),
        key=lambda pair: pair[1],
    )
)
"""The 27 structures and their values in the label maps."""

SIDES = {"Left": -1, "Right": 1}
"""Sign of x, to the right, on each side."""


@dataclass(frozen=True)
class Bias:
    """What the automatic labels get wrong about a structure, always alike.

    Args:
        structure: Its name, without the side.
        grow: mm by which its surface lies too far outside; negative, inside.
        shift: mm by which it lies too far to the side, to the front and to
            the top.
        smooth: mm over which its surface against `host` is smoothed.
        host: Structure that gets the voxels it loses, without the side.
    """

    structure: str
    grow: float = 0.0
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    smooth: float = 0.0
    host: str = "Cerebral-White-Matter"


BIASES = (
    Bias("Cerebral-Cortex", smooth=2.5),
    Bias("Cerebellum-Cortex", smooth=2.5, host="Cerebellum-White-Matter"),
    Bias("Lateral-Ventricle", grow=-0.8),
    Bias("Caudate", grow=-0.8),
    Bias("Putamen", grow=-1.2),
    Bias("Pallidum", shift=(2.0, 0.0, 0.0)),
    Bias("VentralDC", shift=(0.0, 2.5, 0.0)),
    Bias("4th-Ventricle", shift=(0.0, 0.0, -2.5), host="Brain-Stem"),
    Bias("Hippocampus", grow=1.5),
    Bias("Amygdala", grow=1.5),
)
"""Applied in this order; thalamus, brain stem and 3rd ventricle are right."""


def automatic_labels(
    label_map: np.ndarray, spacing: Sequence[float]
) -> np.ndarray:
    """The label map as a program with the errors of `BIASES` would draw it.

    Args:
        label_map: Values of `STRUCTURES`, axes along right, anterior and
            superior.
        spacing: mm per voxel along them.

    Returns:
        Another label map, of the same shape and type.
    """
    result = label_map.copy()
    for bias in BIASES:
        if bias.structure in _MIDDLE:
            _apply(result, label_map, bias, "", 1, spacing)
        else:
            for side, sign in SIDES.items():
                _apply(result, label_map, bias, f"{side}-", sign, spacing)
    return result


def _apply(result, label_map, bias, side, sign, spacing):
    value = STRUCTURES[side + bias.structure]
    host = STRUCTURES.get(side + bias.host, STRUCTURES.get(bias.host))
    if bias.smooth:
        return _smooth(result, value, host, bias.smooth, spacing)
    found = ndimage.find_objects((label_map == value).view(np.uint8))
    if not found:
        return None
    reach = abs(bias.grow) + max(map(abs, bias.shift)) + 2 * max(spacing)
    box = tuple(
        slice(max(0, s.start - int(reach / h) - 1), s.stop + int(reach / h) + 1)
        for s, h in zip(found[0], spacing, strict=True)
    )
    before = label_map[box] == value
    distance = _distance(before, spacing)
    move = np.multiply(bias.shift, (sign, 1, 1)) / spacing
    if any(bias.shift):
        distance = ndimage.shift(distance, move, order=1, mode="nearest")
    after = distance < bias.grow
    part = result[box]
    part[before & (part == value)] = host
    part[after] = value
    return None


def _distance(mask, spacing):
    """mm to the surface of a mask, negative inside."""
    half = float(np.mean(spacing)) / 2
    outside = ndimage.distance_transform_edt(~mask, spacing) - half
    inside = ndimage.distance_transform_edt(mask, spacing) - half
    # Smooth, so that less than a voxel makes a difference as well.
    return ndimage.gaussian_filter(np.where(mask, -inside, outside), 0.7)


def _smooth(result, value, host, width, spacing):
    """Smooths the surface between two structures, and no other."""
    sigma = np.divide(width, spacing)
    own, other = (
        ndimage.gaussian_filter((result == v).astype(np.float32), sigma)
        for v in (value, host)
    )
    either = (result == value) | (result == host)
    result[either] = np.where(own > other, value, host)[either]
