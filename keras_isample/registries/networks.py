"""The networks that `fit` builds by name, without importing Keras.

A new network is a file with a function that builds it, and a line here.
"""

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from keras_isample.registries.registry import Registry
from keras_isample.registries.registry import imported


@dataclass(frozen=True)
class NetworkSpec:
    """What the configuration must know of a network before it is built.

    Attributes:
        builder: Function `(num_classes, *, input_shape, width, l2)` that
            returns a model with a geometry, or its place, such as
            `"package.module:function"`. `input_shape` is `(None, None, None,
            channels)` for volumes and `(None, None, channels)` for slices.
        dimensions: Those that it can be built for, of 2 and 3.
        patch_size: Side of the labeled patch in volumes by default, in voxels.
        multiple: What sides of its patches are multiples of.
        options: Further arguments of the builder.
        small_tiles: Whether scans of volumes are predicted in tiles that are
            small on every machine, unless the user says otherwise.
    """

    builder: str | Callable[..., Any]
    dimensions: tuple[int, ...] = (2, 3)
    patch_size: int = 64
    multiple: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    small_tiles: bool = False

    @property
    def sees_volumes_only(self) -> bool:
        """Whether it cannot be built for slices."""
        return 2 not in self.dimensions

    @property
    def sees_slices_only(self) -> bool:
        """Whether it cannot be built for volumes."""
        return 3 not in self.dimensions

    def build(
        self, num_classes: int, input_shape: tuple, **options: Any
    ) -> Any:
        """Builds the network.

        Args:
            num_classes: Number of classes including background.
            input_shape: Sides, which may be `None`, and channels.
            options: `width` and `l2`.

        Returns:
            A `SegmentationModel`.
        """
        return imported(self.builder)(
            num_classes, input_shape=input_shape, **self.options, **options
        )


NETWORKS = Registry("network")
"""A `NetworkSpec` for each name of `network`."""

_MODELS = "keras_isample.models"

for _name, _spec in {
    "dual-path": NetworkSpec(
        f"{_MODELS}.dual_path:dual_path_of_volumes",
        (3,),
        8,
        4,
        small_tiles=True,
    ),
    "unet": NetworkSpec(f"{_MODELS}.unet:unet", multiple=8),
    "unet3plus": NetworkSpec(f"{_MODELS}.unet3plus:unet3plus", multiple=16),
    # Medical slices are small: at stride 16 one of 96 x 96 has maps of 6 x 6.
    "deeplab-v3": NetworkSpec(
        f"{_MODELS}.deeplab_v3:deeplab_v3",
        (2,),
        multiple=8,
        options={"output_stride": 8},
    ),
}.items():
    NETWORKS.register(_name, _spec)

NETWORKS.protect()


def names_for_slices() -> str:
    """Names of the networks that can be built for slices, for messages."""
    names = [n for n in NETWORKS if not NETWORKS[n].sees_volumes_only]
    return f"{', '.join(names[:-1])} or {names[-1]}"


def register_network(
    name: str,
    builder: Callable[..., Any],
    *,
    dimensions: tuple[int, ...] = (2, 3),
    patch_size: int = 64,
    multiple: int = 1,
) -> None:
    """Makes a network known by a name, for `network` of a configuration.

    Args:
        name: The name.
        builder: Function `(num_classes, *, input_shape, width, l2)` that
            returns a model with a geometry, such as `with_geometry` does.
            `input_shape` is `(None, None, None, channels)` for volumes and
            `(None, None, channels)` for slices; `width` is a factor of all
            numbers of maps, and `l2` the factor of the L2 penalty. What a
            network has no use for it may ignore.
        dimensions: Those that it can be built for, of 2 and 3.
        patch_size: Side of the labeled patch in volumes by default, in voxels.
        multiple: What sides of its patches are multiples of.

    Raises:
        ValueError: If the name is one of this package's, or an argument is
            out of range.

    Example:
    >>> def build(num_classes, *, input_shape, width, l2):
    ...     image = keras.Input(input_shape)
    ...     x = keras.layers.Conv3D(num_classes, 3, padding="same")(image)
    ...     return with_geometry(
    ...         keras.Model(image, x),
    ...         PlainGeometry(16, halo=1),
    ...         from_logits=True,
    ...     )
    >>> register_network("one-layer", build, dimensions=(3,), patch_size=16)
    >>> config = Config.from_settings("scans/", {"network": "one-layer"})
    """
    if not dimensions or not set(dimensions) <= {2, 3}:
        raise ValueError(
            "Argument `dimensions` must have 2, 3 or both. "
            f"Received: dimensions={dimensions}."
        )
    for argument, value in (("patch_size", patch_size), ("multiple", multiple)):
        if value < 1:
            raise ValueError(
                f"Argument `{argument}` must be positive. "
                f"Received: {argument}={value}."
            )
    if patch_size % multiple:
        raise ValueError(
            f"Argument `patch_size` must be a multiple of {multiple}. "
            f"Received: patch_size={patch_size}."
        )
    spec = NetworkSpec(builder, tuple(dimensions), patch_size, multiple)
    NETWORKS.register(name, spec)
