"""Sizes and halos of the dual-path network's valid convolutions.

With `o` the side of the labeled patch (a multiple of 4) whose first voxel has
index `p`, the high-resolution input covers voxels `[p - 14, p + o + 14)` and
context voxel `j` is the mean of `w` voxels from `p - 60 + 4 j` on, along each
axis.
"""

from dataclasses import dataclass

from keras_isample.models.geometry import Geometry
from keras_isample.models.geometry import Grid

CONTEXT_STRIDE = 4
"""Voxels from one context voxel to the next ("1/4 of the resolution")."""

IMAGE_HALO = 14
"""Voxels that the high-resolution path needs around its output."""

CONTEXT_HALO = 15
"""Context voxels that the low-resolution path needs around its output."""


@dataclass(frozen=True)
class DualPathGeometry(Geometry):
    """What a labeled patch needs as input.

    Args:
        patch_size: Side `o` of the labeled patch, in voxels.
        context_width: Side `w` of the mean that makes a context voxel: 3 gives
            a receptive field of 123 voxels, 4 of 124.

    Raises:
        ValueError: If `patch_size` is not a positive multiple of 4, or
            `context_width` is neither 3 nor 4.
    """

    patch_size: int = 8
    context_width: int = 3
    multiple = CONTEXT_STRIDE

    def __post_init__(self):
        if self.patch_size < 4 or self.patch_size % CONTEXT_STRIDE:
            near = max(4, 4 * round(self.patch_size / 4))
            raise ValueError(
                "Argument `patch_size` must be a positive multiple of 4. "
                f"Received: patch_size={self.patch_size}. Use {near}."
            )
        if self.context_width not in (3, 4):
            raise ValueError(
                "Argument `context_width` must be 3 (receptive field 123) or "
                f"4 (124). Received: context_width={self.context_width}."
            )

    @property
    def image_size(self) -> int:
        """Side of the high-resolution input, `o + 28`."""
        return self.patch_size + 2 * IMAGE_HALO

    @property
    def context_size(self) -> int:
        """Side of the low-resolution input, `o / 4 + 30`."""
        return self.patch_size // CONTEXT_STRIDE + 2 * CONTEXT_HALO

    @property
    def margin(self) -> int:
        """Voxels of the volume needed before and after the patch."""
        return CONTEXT_STRIDE * CONTEXT_HALO

    @property
    def halo(self) -> int:
        """Voxels around a tile that the network looks at: `margin`."""
        return self.margin

    @property
    def inputs(self) -> tuple[Grid, ...]:
        """The image and its context, as the sampler reads them."""
        half = self.patch_size // 2
        return (
            Grid("image", (-half - IMAGE_HALO,) * 3, (self.image_size,) * 3),
            Grid(
                "context",
                (-half - self.margin,) * 3,
                (self.context_size,) * 3,
                step=CONTEXT_STRIDE,
                width=self.context_width,
            ),
        )
