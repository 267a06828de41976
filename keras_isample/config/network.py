"""The model."""

from dataclasses import dataclass

from keras_isample.config.settings import Group
from keras_isample.config.settings import check_range
from keras_isample.config.settings import setting
from keras_isample.errors import InputError

PATCH_SIZES = {"dual-path": 8, "unet": 64, "unet3plus": 64}
"""Sides of labeled patches of networks that see volumes."""

MULTIPLES = {"unet": 8, "unet3plus": 16, "deeplab-v3": 8}
"""What the poolings and strides of the others halve evenly."""


@dataclass(frozen=True)
class NetworkConfig(Group):
    """The model."""

    network: "str" = setting(
        "dual-path",
        "dual-path: 3D. unet, unet3plus: 3D, or 2D with --axis. deeplab-v3: "
        "2D.",
        ("dual-path", "unet", "unet3plus", "deeplab-v3"),
    )
    width: "float" = setting(1.0, "Factor of all numbers of maps.")
    patch_size: "int | str" = setting(
        "auto",
        "Side of the labeled patch in voxels (dual-path: a multiple of 4, "
        "unet3plus: of 16, the others: of 8), or full: whole slices. auto: 8, "
        "64 for 3D U-Nets, full for slices.",
        words=("auto", "full"),
    )
    axis: "str" = setting(
        "none",
        "Slices for 2D networks: axial, coronal, sagittal, or auto: across the "
        "largest spacing. none: volumes, or auto where the images or the "
        "network are 2D.",
        ("none", "auto", "axial", "coronal", "sagittal"),
    )
    init_from: "str" = setting(
        "",
        "Run or .keras file to take the first weights from; with other classes "
        "the last layer begins anew.",
    )

    def _check(self):
        check_range(self, "width", 0, above=True)
        size = self.patch_size
        if isinstance(size, str):
            if size == "full" and self.network == "dual-path":
                raise InputError(
                    "--patch-size",
                    "is full, but dual-path sees volumes",
                    "Use --network unet, unet3plus or deeplab-v3",
                )
        elif size < 1:
            raise InputError(
                "--patch-size",
                f"must be positive, got {size}",
                f"Use {PATCH_SIZES.get(self.network, 64)}",
            )
        elif self.network == "dual-path" and size % 4:
            raise InputError(
                "--patch-size",
                f"must be a positive multiple of 4, got {size}",
                f"Use {max(4, 4 * round(size / 4))}",
            )
        elif self.network in MULTIPLES and size % MULTIPLES[self.network]:
            multiple = MULTIPLES[self.network]
            raise InputError(
                "--patch-size",
                f"must be a multiple of {multiple} for {self.network}, got "
                f"{size}",
                f"Use {max(multiple, multiple * round(size / multiple))}",
            )
        if self.network == "dual-path" and self.axis != "none":
            raise InputError(
                "--axis",
                f"is {self.axis}, but dual-path sees volumes",
                "Use --network unet, unet3plus or deeplab-v3",
            )

    @property
    def sees_slices(self):
        """Whether the network is 2D; `None` if it is where the images are."""
        if (
            self.axis != "none"
            or self.network == "deeplab-v3"
            or self.patch_size == "full"
        ):
            return True
        return False if self.network == "dual-path" else None

    def side(self, axis):
        """Side of the labeled patch in voxels, or `"full"`.

        Args:
            axis: That slices lie across, or `None` for volumes.
        """
        if self.patch_size != "auto":
            return self.patch_size
        return "full" if axis is not None else PATCH_SIZES[self.network]
