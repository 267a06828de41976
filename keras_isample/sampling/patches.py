"""A patch, its low-resolution context and its labels, around one center.

For a labeled patch of side `o` around voxel `c`, without augmentation: labels
of voxels `c - o/2 ... c + o/2 - 1`, the image with 14 voxels more on each
side, and box means every 4 voxels from `c - o/2 - 60` on. With augmentation the
same points are turned and stretched about `c` by one matrix.
"""

import functools
import itertools

import numpy as np
from scipy import ndimage

from keras_isample.models.dual_path_geometry import CONTEXT_STRIDE
from keras_isample.models.dual_path_geometry import IMAGE_HALO

OUTSIDE_LABEL = 255
"""Label of what lies outside of the scan; the loss ignores it."""

_OPEN_CASES = 128
"""Cases whose files are kept mapped (a mapping holds a file handle)."""


class PatchReader:
    """Reads patches from the mapped files of prepared cases.

    Args:
        cases: `PreparedCase`s.
        geometry: `DualPathGeometry`.
    """

    def __init__(self, cases, geometry):
        self.cases = list(cases)
        self.geometry = geometry
        self._arrays = functools.lru_cache(_OPEN_CASES)(self._open)

    def read(self, index, center, matrix=None):
        """Reads one patch.

        Args:
            index: Index of the case.
            center: Voxel, three integers.
            matrix: From steps in the patch to steps in the scan, `(3, 3)`;
                `None` for the identity, which needs no interpolation.

        Returns:
            `(image, context, labels)`: normalized float32
            `(H, H, H, channels)` and `(L, L, L, channels)`, uint8 `(o, o, o)`.
        """
        case = self.cases[index]
        image, context, labels = self._arrays(index)
        geometry = self.geometry
        half = geometry.patch_size // 2
        width = geometry.context_width
        # The middle of a box, and where the array of box means begins.
        middle = (width - 1) / 2
        grids = (
            (-half - IMAGE_HALO, 1, geometry.image_size, 0.0, 0),
            (
                -half - geometry.margin,
                CONTEXT_STRIDE,
                geometry.context_size,
                middle,
                width - 1,
            ),
            (-half, 1, geometry.patch_size, 0.0, 0),
        )
        center = np.asarray(center)
        patches = []
        for array, outside, grid in zip(
            (image, context, labels[None]),
            (case.outside, case.outside, (OUTSIDE_LABEL,)),
            grids,
            strict=True,
        ):
            patches.append(_sample(array, outside, center, matrix, *grid))
        return (
            _normalize(patches[0], case),
            _normalize(patches[1], case),
            patches[2][0],
        )

    def _open(self, index):
        case = self.cases[index]
        return case.image(), case.context(), case.labels()


def _sample(array, outside, center, matrix, first, step, size, middle, pad):
    """Points `center + matrix @ (first + step * i + middle) - middle + pad`."""
    if matrix is None:
        return _crop(array, outside, center + first + pad, step, size)
    offset = matrix @ np.full(3, first + middle) - middle + pad + center
    matrix = matrix * step
    labels = array.dtype == np.uint8
    inside = _lies_inside(offset, matrix, size, array.shape[1:])
    result = np.empty(
        (len(array), size, size, size), np.uint8 if labels else np.float32
    )
    for channel, value, target in zip(array, outside, result, strict=True):
        ndimage.affine_transform(
            channel,
            matrix,
            offset,
            output_shape=(size,) * 3,
            output=target,
            order=0 if labels else 1,
            mode="nearest" if inside else "grid-constant",
            cval=value,
        )
    return result


def _crop(array, outside, start, step, size):
    source, target = [slice(None)], [slice(None)]
    for first, length in zip(map(int, start), array.shape[1:], strict=True):
        # Indices i with 0 <= first + step * i < length.
        low = min(size, max(0, -(first // step)))
        high = max(low, min(size, -((first - length) // step)))
        source.append(slice(first + low * step, first + high * step, step))
        target.append(slice(low, high))
    result = np.empty((len(array), size, size, size), array.dtype)
    if any(t != slice(0, size) for t in target[1:]):
        result[:] = np.array(outside).reshape(-1, 1, 1, 1)
    if all(t.start < t.stop for t in target[1:]):
        result[tuple(target)] = array[tuple(source)]
    return result


def _lies_inside(offset, matrix, size, shape):
    corners = np.array(list(itertools.product((0, size - 1), repeat=3)))
    points = corners @ matrix.T + offset
    return bool(
        (points.min(axis=0) >= 0).all()
        and (points.max(axis=0) <= np.array(shape) - 1).all()
    )


def _normalize(stored, case):
    result = np.empty((*stored.shape[1:], len(stored)), np.float32)
    for channel, (scale, offset) in enumerate(
        zip(case.scales, case.offsets, strict=True)
    ):
        np.multiply(
            stored[channel], np.float32(scale), out=result[..., channel]
        )
        result[..., channel] += np.float32(offset)
    return result
