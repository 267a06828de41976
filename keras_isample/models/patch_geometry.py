"""What a network sees of a scan around the center of a patch.

A geometry says where the points of each of a network's inputs lie, and of the
labels that its output is compared with. The sampler reads whatever grids it is
given, so that a network without context, or one of 2D slices, needs no sampler
of its own.
"""

from dataclasses import dataclass


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


@dataclass(frozen=True)
class PlainGeometry:
    """One input of the size of the labeled patch, as U-Nets have it.

    Args:
        patch_size: Voxels along each axis, or one number for all three; 1
            along an axis makes slices, `(1, 256, 256)`.

    Raises:
        ValueError: If `patch_size` is not positive.
    """

    patch_size: int | tuple[int, int, int] = 64

    def __post_init__(self):
        if len(self._sizes) != 3 or min(self._sizes) < 1:
            raise ValueError(
                "Argument `patch_size` must be one or three positive integers. "
                f"Received: patch_size={self.patch_size}."
            )

    @property
    def _sizes(self):
        if isinstance(self.patch_size, int):
            return (self.patch_size,) * 3
        return tuple(self.patch_size)

    @property
    def inputs(self) -> tuple[Grid, ...]:
        """The one input."""
        return (Grid("image", self.labels.first, self._sizes),)

    @property
    def labels(self) -> Grid:
        """The labeled voxels; the center is voxel `size // 2` of them."""
        first = tuple(-(size // 2) for size in self._sizes)
        return Grid("labels", first, self._sizes)


@dataclass(frozen=True)
class SliceGeometry(PlainGeometry):
    """Slices, as 2D networks have them: without the axis that they lie across.

    Args:
        patch_size: Voxels along the two axes of the slice, or one number for
            both.
        axis: Axis of the scan in RAS+ that slices lie across: 0 (sagittal), 1
            (coronal) or 2 (axial).
        whole: Whether patches are whole slices: they begin where the scan
            does, and with uniform sampling every slice is shown once before
            any is shown again.

    Raises:
        ValueError: If `patch_size` is not positive or there is no such axis.
    """

    patch_size: int | tuple[int, int] = 256
    axis: int = 2
    whole: bool = False

    def __post_init__(self):
        if self.axis not in (0, 1, 2):
            raise ValueError(
                f"Argument `axis` must be 0, 1 or 2. Received: {self.axis!r}."
            )
        sides = self.patch_size
        if not isinstance(sides, int) and len(tuple(sides)) != 2:
            raise ValueError(
                "Argument `patch_size` must be one or two positive integers. "
                f"Received: patch_size={self.patch_size}."
            )
        super().__post_init__()

    @property
    def _sizes(self):
        sides = self.patch_size
        sides = [sides] * 2 if isinstance(sides, int) else list(sides)
        sides.insert(self.axis, 1)
        return tuple(sides)
