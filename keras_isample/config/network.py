"""The model."""

from dataclasses import dataclass
from typing import Literal

from keras_isample.config.settings import Group
from keras_isample.config.settings import setting
from keras_isample.registries import NETWORKS


@dataclass(frozen=True)
class NetworkConfig(Group):
    """The model."""

    network: str = setting(
        "dual-path",
        "dual-path: 3D. unet, unet3plus: 3D, or 2D with --axis. deeplab-v3: "
        "2D.",
        choices=NETWORKS,
    )
    width: float = setting(1.0, "Factor of all numbers of maps.", more_than=0)
    patch_size: int | Literal["auto", "full"] = setting(
        "auto",
        "Side of the labeled patch in voxels (dual-path: a multiple of 4, "
        "unet3plus: of 16, the others: of 8), or full: whole slices. auto: 8, "
        "64 for 3D U-Nets, full for slices.",
        at_least=1,
    )
    axis: Literal["none", "auto", "axial", "coronal", "sagittal"] = setting(
        "none",
        "Slices for 2D networks: axial, coronal, sagittal, or auto: across the "
        "largest spacing. none: volumes, or auto where the images or the "
        "network are 2D.",
    )
    init_from: str | None = setting(
        None,
        "Run or .keras file to take the first weights from; with other classes "
        "the last layer begins anew.",
    )

    @property
    def sees_slices(self) -> bool | None:
        """Whether the network is 2D; `None` if it is where the images are."""
        if (
            self.axis != "none"
            or NETWORKS[self.network].sees_slices_only
            or self.patch_size == "full"
        ):
            return True
        return False if NETWORKS[self.network].sees_volumes_only else None

    def side(self, axis: int | None) -> int | str:
        """Side of the labeled patch in voxels, or `"full"`.

        Args:
            axis: That slices lie across, or `None` for volumes.
        """
        if self.patch_size != "auto":
            return self.patch_size
        if axis is not None:
            return "full"
        return NETWORKS[self.network].patch_size
