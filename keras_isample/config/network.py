"""The model."""

from dataclasses import dataclass

from keras_isample.config.settings import Group
from keras_isample.config.settings import check_range
from keras_isample.config.settings import setting
from keras_isample.errors import InputError
from keras_isample.registries import NETWORKS
from keras_isample.registries.networks import names_for_slices


@dataclass(frozen=True)
class NetworkConfig(Group):
    """The model."""

    network: "str" = setting(
        "dual-path",
        "dual-path: 3D. unet, unet3plus: 3D, or 2D with --axis. deeplab-v3: "
        "2D.",
        NETWORKS,
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
        spec = NETWORKS[self.network]
        size, multiple = self.patch_size, spec.multiple
        if size == "full" and spec.sees_volumes_only:
            raise InputError(
                "--patch-size",
                f"is full, but {self.network} sees volumes",
                f"Use --network {names_for_slices()}",
            )
        if isinstance(size, int) and (size < 1 or size % multiple):
            near = max(multiple, multiple * round(size / multiple))
            raise InputError(
                "--patch-size",
                f"must be a positive multiple of {multiple} for "
                f"{self.network}, got {size}",
                f"Use {near if size > 0 else spec.patch_size}",
            )
        if spec.sees_volumes_only and self.axis != "none":
            raise InputError(
                "--axis",
                f"is {self.axis}, but {self.network} sees volumes",
                f"Use --network {names_for_slices()}",
            )

    @property
    def sees_slices(self):
        """Whether the network is 2D; `None` if it is where the images are."""
        if (
            self.axis != "none"
            or NETWORKS[self.network].sees_slices_only
            or self.patch_size == "full"
        ):
            return True
        return False if NETWORKS[self.network].sees_volumes_only else None

    def side(self, axis):
        """Side of the labeled patch in voxels, or `"full"`.

        Args:
            axis: That slices lie across, or `None` for volumes.
        """
        if self.patch_size != "auto":
            return self.patch_size
        if axis is not None:
            return "full"
        return NETWORKS[self.network].patch_size
