"""What a network sees and gives: the contract that everything else asks.

A geometry says where the points of each of a network's inputs lie around the
center of a patch, and those of the labels that its output is compared with;
how far around an output voxel the network looks; and which sizes it takes. The
sampler, whole-scan inference, the budgets of the time and of the memory, the
configuration and the export ask the geometry and never the network's name. So
a network from elsewhere is trained and predicts whole scans like ours.
"""

from dataclasses import dataclass
from dataclasses import replace
from typing import ClassVar
from typing import Self

DEFAULT_AXIS = 2
"""Slices of a scan in RAS+ are axial unless a network says otherwise."""


@dataclass(frozen=True)
class Grid:
    """Regular points around the center of a patch.

    Point `i` along an axis lies `first + step * i + middle` voxels from the
    center.

    Args:
        array: What is read: `"image"`, `"context"` (box means of the image) or
            `"labels"`.
        first: Where the first point's box begins, in voxels from the center,
            one integer per axis.
        size: Points along each axis.
        step: Voxels from one point to the next.
        width: Side of the box that a point is the mean of, in voxels.
    """

    array: str
    first: tuple[int, int, int]
    size: tuple[int, int, int]
    step: int = 1
    width: int = 1

    @property
    def middle(self) -> float:
        """From the first voxel of a box to its middle."""
        return (self.width - 1) / 2


class Geometry:
    """Base class of geometries: a network of one image, with no known reach.

    A subclass is a frozen dataclass with a field `patch_size`. It overrides
    what differs for its network.

    Attributes:
        patch_size: Side of the labeled patch in voxels, or one number per
            axis.
        halo: Voxels on each side of a tile, along each axis, that the network
            looks at. Tiles that are read with their halo are predicted as in
            one pass over the scan. `None` if the reach is unknown or has no
            end (attention, normalization over the image): scans are then
            predicted in overlapping windows, which is not exact.
        multiple: Sides of an image are multiples of it. A tile begins at such
            a multiple, so that poolings see the same voxels together.
        windows: Whether scans are predicted in overlapping windows of the patch
            size.
        axis: Axis of the scan in RAS+ that slices lie across; `None` if the
            network sees volumes.
        whole: Whether patches are whole slices.
        context_width: Side in voxels of the mean that makes a context voxel;
            `None` for networks without context.
    """

    halo: int | None = None
    multiple: int = 1
    axis: int | None = None
    whole: ClassVar[bool] = False
    context_width: int | None = None

    @property
    def windows(self) -> bool:
        """Whether scans are predicted in overlapping windows."""
        return self.halo is None

    @property
    def inputs(self) -> tuple[Grid, ...]:
        """What the network reads, one grid per input; by default the image."""
        return (Grid("image", self.labels.first, self.labels.size),)

    @property
    def labels(self) -> Grid:
        """The labeled voxels; the center is voxel `size // 2` of them."""
        sizes = self._sizes
        return Grid("labels", tuple(-(size // 2) for size in sizes), sizes)

    def with_patch_size(self, patch_size) -> Self:
        """The same geometry with labeled patches of another size."""
        return replace(self, patch_size=patch_size)

    def input_shapes(self, num_channels, batch_size=1):
        """Shape of each input of the network for a batch of patches.

        Args:
            num_channels: Channels of the scans.
            batch_size: Patches in the batch.

        Returns:
            List of tuples `(batch, *sides, channels)`, without the axis that
            slices lie across.
        """
        return [
            (
                batch_size,
                *(n for axis, n in enumerate(grid.size) if axis != self.axis),
                num_channels,
            )
            for grid in self.inputs
        ]

    @property
    def _sizes(self):
        if isinstance(self.patch_size, int):
            return (self.patch_size,) * 3
        return tuple(self.patch_size)


@dataclass(frozen=True)
class PlainGeometry(Geometry):
    """One input of the size of the labeled patch, as U-Nets have it.

    Args:
        patch_size: Voxels along each axis, or one number for all three; 1
            along an axis makes slices, `(1, 256, 256)`.
        halo: See `Geometry`.
        multiple: See `Geometry`.

    Raises:
        ValueError: If a number is out of range.
    """

    patch_size: int | tuple[int, int, int] = 64
    halo: int | None = None
    multiple: int = 1

    def __post_init__(self):
        _check_sizes(self, 3, "one or three positive integers")
        _check_reach(self)


@dataclass(frozen=True)
class SliceGeometry(Geometry):
    """Slices, as 2D networks have them: without the axis that they lie across.

    Whole scans are predicted slice by slice. Each slice is seen whole, so that
    a halo has no use, unless the network takes slices of one size only.

    Args:
        patch_size: Voxels along the two axes of the slice, or one number for
            both.
        axis: Axis of the scan in RAS+ that slices lie across: 0 (sagittal), 1
            (coronal) or 2 (axial).
        whole: Whether patches are whole slices: they begin where the scan
            does, and with uniform sampling every slice is shown once before
            any is shown again.
        multiple: See `Geometry`.
        windows: See `Geometry`; for networks that take slices of one size.

    Raises:
        ValueError: If a number is out of range or there is no such axis.
    """

    patch_size: int | tuple[int, int] = 256
    axis: int = DEFAULT_AXIS
    whole: bool = False
    multiple: int = 1
    windows: bool = False

    def __post_init__(self):
        if self.axis not in (0, 1, 2):
            raise ValueError(
                f"Argument `axis` must be 0, 1 or 2. Received: {self.axis!r}."
            )
        _check_sizes(self, 2, "one or two positive integers")
        _check_reach(self)

    @property
    def _sizes(self):
        sides = self.patch_size
        sides = [sides] * 2 if isinstance(sides, int) else list(sides)
        sides.insert(self.axis, 1)
        return tuple(sides)


def _check_sizes(geometry, count, expected):
    size = geometry.patch_size
    sizes = (size,) * count if isinstance(size, int) else tuple(size)
    if len(sizes) != count or min(sizes) < 1:
        raise ValueError(
            f"Argument `patch_size` must be {expected}. "
            f"Received: patch_size={size}."
        )


def _check_reach(geometry):
    if geometry.halo is not None and geometry.halo < 0:
        raise ValueError(
            "Argument `halo` must be None or at least 0. "
            f"Received: halo={geometry.halo}."
        )
    if geometry.multiple < 1:
        raise ValueError(
            "Argument `multiple` must be positive. "
            f"Received: multiple={geometry.multiple}."
        )
