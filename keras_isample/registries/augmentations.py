"""How patches are augmented, by name.

A new augmentation is a function, and a line here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras_isample.registries.registry import Registry
from keras_isample.registries.registry import imported


@dataclass(frozen=True)
class AugmentationSpec:
    """What is known of an augmentation before it is used.

    Attributes:
        function: Function `(draws, patches)` that returns a matrix for each
            patch; see `sampling.augmentation`; or its place, such as
            `"package.module:function"`.
        slices_only: Whether it is for slices, not for volumes.
        varies_spacing: Whether `spacing_jitter` changes anything.
    """

    function: str | Callable[..., Any]
    slices_only: bool = False
    varies_spacing: bool = False

    def matrices(self, draws: Any, patches: Any) -> Any:
        """Matrices from voxel steps in patches to voxel steps in their scans.

        Args:
            draws: From U(0, 1), `(n, sampling.augmentation.DRAWS)`.
            patches: `AugmentedPatches`.

        Returns:
            float64 `(n, 3, 3)`.
        """
        return imported(self.function)(draws, patches)


AUGMENTATIONS = Registry("augmentation")
"""An `AugmentationSpec` for each name of `augmentation`."""

for _name, _spec in {
    "isample": AugmentationSpec(
        "keras_isample.sampling.augmentation:isample", varies_spacing=True
    ),
    "cardiac": AugmentationSpec(
        "keras_isample.sampling.augmentation:cardiac", slices_only=True
    ),
}.items():
    AUGMENTATIONS.register(_name, _spec)

AUGMENTATIONS.protect()


def register_augmentation(
    name: str,
    function: Callable[..., Any],
    *,
    slices_only: bool = False,
    varies_spacing: bool = False,
) -> None:
    """Makes an augmentation known by a name, for `ISample` and `fit`.

    Args:
        name: The name.
        function: Function of uniform draws and `AugmentedPatches` that returns
            a matrix for each patch, float64 `(n, 3, 3)`: a step `d` in patch i
            is `matrices[i] @ d` in its scan. A matrix may flip an axis.
        slices_only: Whether it is for slices, not for volumes.
        varies_spacing: Whether it uses `spacing_jitter`.

    Raises:
        ValueError: If the name is one of this package's.

    Example:
    >>> def mirrored(draws, patches):
    ...     matrices = np.tile(np.eye(3), (len(draws), 1, 1))
    ...     matrices[draws[:, 0] < 0.5, 0, 0] = -1
    ...     return matrices
    >>> register_augmentation("mirrored", mirrored)
    >>> sampler = ISample(train, augmentation="mirrored")
    """
    spec = AugmentationSpec(function, slices_only, varies_spacing)
    AUGMENTATIONS.register(name, spec)
