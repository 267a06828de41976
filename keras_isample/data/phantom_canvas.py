"""Draws implicit shapes, in mm, on the voxels of one synthetic scan.

A shape is a function of position that is about the distance in mm to its
surface, negative inside. It is evaluated in its bounding box only, and in
blocks that fit the processor's cache. The edge of a shape is as wide as a
voxel, as the partial-volume effect makes it.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import interpolate
from scipy import ndimage

AIR = -1000.0
_BLOCK_VOXELS = 1 << 18
_FAR = 1000.0

Slices = tuple[slice, slice, slice]
Box = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Points:
    """Voxels inside a shape, as its intensity function receives them.

    Args:
        x, y, z: Anatomical position in mm, one-dimensional arrays.
        depth: Distance from the surface in mm, positive inside.
        along: For tubes, the part of their length, from 0 to 1.
    """

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    depth: np.ndarray
    along: np.ndarray | None = None


Field = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
Intensity = float | Callable[[Points], np.ndarray]


class Warp:
    """Scanner position in mm to position in the standard anatomy in mm.

    A rotation and scaling of the whole patient plus smooth waves.

    Args:
        matrix: 3x3, rotation and scaling.
        offset: Three lengths in mm.
        waves: One `(component, amplitude, wave numbers, phases)` each; the
            wave is a product of three sines.
    """

    def __init__(self, matrix, offset, waves=()):
        self.matrix = np.asarray(matrix, dtype=np.float64)
        self.offset = np.asarray(offset, dtype=np.float64)
        self.waves = tuple(waves)
        self.reach = sum(abs(wave[1]) for wave in self.waves)

    def __call__(self, x, y, z):
        """Anatomical coordinates of a grid given by its three axes."""
        axes = (x[:, None, None], y[None, :, None], z[None, None, :])
        result = []
        for row, offset in zip(self.matrix, self.offset, strict=True):
            terms = [np.float32(m) * a for m, a in zip(row, axes, strict=True)]
            terms[2] = terms[2] + np.float32(offset)
            result.append((terms[0] + terms[1]) + terms[2])
        for component, amplitude, numbers, phases in self.waves:
            sines = [
                np.sin(np.float32(k) * a + np.float32(p))
                for k, a, p in zip(numbers, axes, phases, strict=True)
            ]
            plane = np.float32(amplitude) * sines[1] * sines[2]
            result[component] += sines[0] * plane
        return tuple(result)

    def bounds(self, low, high):
        """Scanner box, in mm, that holds an anatomical box."""
        corners = np.array(
            [
                [a, b, c]
                for a in (low[0], high[0])
                for b in (low[1], high[1])
                for c in (low[2], high[2])
            ]
        )
        corners = (corners - self.offset) @ np.linalg.inv(self.matrix).T
        reach = 1.1 * self.reach
        return corners.min(axis=0) - reach, corners.max(axis=0) + reach


class Profile:
    """A smooth function of one coordinate through given nodes.

    Args:
        nodes: Positions in mm, increasing.
        values: The function there; constant beyond the ends.
    """

    _step = 0.5

    def __init__(self, nodes, values):
        self._start = float(nodes[0])
        positions = np.arange(nodes[0], nodes[-1] + self._step, self._step)
        curve = interpolate.PchipInterpolator(nodes, values)
        table = curve(np.minimum(positions, nodes[-1]))
        self._table = table.astype(np.float32)

    def __call__(self, position):
        index = (position - self._start) * (1 / self._step) + 0.5
        return self._table.take(index.astype(np.int32), mode="clip")


class Texture:
    """A repeating smooth random field of mean 0 and deviation 1."""

    def __init__(self, rng, size=40, sigma=1.2):
        tile = rng.standard_normal((size, size, size), dtype=np.float32)
        tile = ndimage.gaussian_filter(tile, sigma, mode="wrap")
        self._tile = (tile - tile.mean()) / tile.std()

    def __call__(self, x, y, z, scale, shift=0.0):
        """The field at positions in mm, with `scale` mm between its nodes."""
        where = np.stack(np.broadcast_arrays(x, y, z)) / scale + shift
        return ndimage.map_coordinates(
            self._tile, where, order=1, mode="grid-wrap", output=np.float32
        )


class Canvas:
    """The scan being drawn: HU and classes on one grid.

    What is drawn later lies over what was drawn earlier.

    Args:
        shape: Voxels along right, anterior and superior.
        spacing: mm per voxel along the same axes.
        warp: Scanner to anatomical position; the middle of the grid is the
            scanner's origin.
    """

    def __init__(self, shape, spacing, warp: Warp):
        self.image = np.full(shape, AIR, dtype=np.float32)
        self.label_map = np.zeros(shape, dtype=np.uint8)
        self.warp = warp
        self.spacing = tuple(float(s) for s in spacing)
        self.edge = 1.1 * float(np.prod(self.spacing)) ** (1 / 3)
        self.axes = [
            ((np.arange(n) - (n - 1) / 2) * s).astype(np.float32)
            for n, s in zip(shape, self.spacing, strict=True)
        ]

    def draw(
        self, field: Field, value: Intensity, box: Box, label: int = 0
    ) -> None:
        """Draws one shape.

        Args:
            field: About the distance in mm to the surface, negative inside,
                of broadcastable anatomical coordinates.
            value: HU, or a function of `Points`.
            box: Lowest and highest anatomical coordinates of the shape.
            label: Class of the voxels inside.
        """
        for slices in self._blocks(self._slices(*box)):
            x, y, z = self._coordinates(slices)
            self._fill(slices, (x, y, z), field(x, y, z), value, label)

    def draw_tube(
        self,
        nodes: np.ndarray,
        value: Intensity,
        label: int = 0,
        *,
        inset: float = 0.0,
    ) -> None:
        """Draws a tube of varying radius along a path.

        Args:
            nodes: Shape `(n, 4)`: x, y, z and radius in mm.
            value: HU, or a function of `Points`.
            label: Class of the voxels inside.
            inset: Taken off the radius, in mm: the wall of a hollow organ.
        """
        margin = nodes[:, 3].max() + self.edge
        box = self._slices(
            nodes[:, :3].min(axis=0) - margin, nodes[:, :3].max(axis=0) + margin
        )
        shape = tuple(s.stop - s.start for s in box)
        if 0 in shape:
            return
        distance = np.full(shape, _FAR, dtype=np.float32)
        along = np.zeros(shape, dtype=np.float32)
        for index in range(len(nodes) - 1):
            self._measure(nodes, index, box, distance, along)
        distance += np.float32(inset)
        coordinates = self._coordinates(box)
        self._fill(box, coordinates, distance, value, label, along)

    def _measure(self, nodes, index, box, distance, along):
        """Lowers `distance` to that of one segment of a tube."""
        start, end = nodes[index], nodes[index + 1]
        margin = max(start[3], end[3]) + self.edge
        slices = self._slices(
            np.minimum(start, end)[:3] - margin,
            np.maximum(start, end)[:3] + margin,
        )
        if any(s.stop <= s.start for s in slices):
            return
        x, y, z = self._coordinates(slices)
        step = (end - start).astype(np.float32)
        length = np.float32(max(float(step[:3] @ step[:3]), 1e-6))
        first = start.astype(np.float32)
        x, y, z = x - first[0], y - first[1], z - first[2]
        part = (x * step[0] + y * step[1] + z * step[2]) / length
        part = np.clip(part, 0, 1)
        x, y, z = x - part * step[0], y - part * step[1], z - part * step[2]
        found = np.sqrt(x * x + y * y + z * z) - (first[3] + part * step[3])
        inner = tuple(
            slice(s.start - b.start, s.stop - b.start)
            for s, b in zip(slices, box, strict=True)
        )
        nearer = found < distance[inner]
        distance[inner][nearer] = found[nearer]
        along[inner][nearer] = (part[nearer] + index) / (len(nodes) - 1)

    def _fill(self, slices, coordinates, distance, value, label, along=None):
        inside = distance < 0.5 * self.edge
        if not inside.any():
            return
        distance = distance[inside]
        if callable(value):
            x, y, z = (
                np.broadcast_to(c, inside.shape)[inside] for c in coordinates
            )
            along = None if along is None else along[inside]
            value = value(Points(x, y, z, -distance, along))
        share = np.clip(0.5 - distance / self.edge, 0, 1)
        image = self.image[slices]
        old = image[inside]
        image[inside] = old + share * (value - old)
        label_map = self.label_map[slices]
        classes = label_map[inside]
        classes[distance < 0] = label
        label_map[inside] = classes

    def _coordinates(self, slices: Slices):
        return self.warp(
            *(a[s] for a, s in zip(self.axes, slices, strict=True))
        )

    def _slices(self, low, high) -> Slices:
        low, high = self.warp.bounds(low, high)
        result = []
        for axis, start, stop in zip(self.axes, low, high, strict=True):
            first = int(np.searchsorted(axis, start - self.edge))
            last = int(np.searchsorted(axis, stop + self.edge))
            result.append(slice(first, max(first, last)))
        return tuple(result)

    def _blocks(self, box: Slices) -> Iterator[Slices]:
        rows, columns, planes = (s.stop - s.start for s in box)
        if rows * columns * planes == 0:
            return
        thick = max(1, _BLOCK_VOXELS // (columns * planes))
        for start in range(box[0].start, box[0].stop, thick):
            stop = min(start + thick, box[0].stop)
            yield slice(start, stop), box[1], box[2]


def rotation(degrees_x: float, degrees_y: float, degrees_z: float):
    """3x3 matrix: turns about x, then y, then z."""
    result = np.eye(3)
    for axis, degrees in enumerate((degrees_x, degrees_y, degrees_z)):
        angle = np.deg2rad(degrees)
        a, b = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        result = turn @ result
    return result


def ellipsoid(x, y, z, center, radii, turn=None):
    """About the distance in mm to an ellipsoid, negative inside.

    Args:
        x, y, z: Broadcastable anatomical coordinates in mm.
        center: Its middle in mm.
        radii: Half axes in mm.
        turn: 3x3 rotation of the half axes, none if left out.
    """
    x, y, z = x - float(center[0]), y - float(center[1]), z - float(center[2])
    if turn is not None:
        t = [[float(v) for v in column] for column in np.transpose(turn)]
        x, y, z = (a * x + b * y + c * z for a, b, c in t)
    a, b, c = (1 / float(r) for r in radii)
    x, y, z = x * a, y * b, z * c
    level = np.sqrt(x * x + y * y + z * z) + 1e-4
    x, y, z = x * a, y * b, z * c
    slope = np.sqrt(x * x + y * y + z * z) + 1e-4 * max(a, b, c)
    return level * (level - 1) / slope


def ellipsoid_box(center, radii):
    """A box in mm that holds an ellipsoid, however it is turned."""
    center, reach = np.asarray(center, dtype=float), float(max(radii))
    return center - reach, center + reach


def smooth_union(first, second, width):
    """Union of two shapes, rounded over `width` mm where they meet."""
    near = np.maximum(width - np.abs(first - second), 0)
    return np.minimum(first, second) - near * near * (0.25 / width)


def smooth_path(points, step=9.0):
    """Nodes of a tube through a few points.

    Args:
        points: Shape `(n, 4)`: x, y, z and radius in mm, n of at least 2.
        step: About the distance of the nodes in mm.

    Returns:
        Array of shape `(m, 4)`, the path's ends included.
    """
    points = np.asarray(points, dtype=np.float64)
    gaps = np.linalg.norm(np.diff(points[:, :3], axis=0), axis=1)
    position = np.concatenate([[0], np.cumsum(np.maximum(gaps, 1e-3))])
    curve = interpolate.PchipInterpolator(position, points)
    count = max(2, int(np.ceil(position[-1] / step)) + 1)
    return curve(np.linspace(0, position[-1], count))
