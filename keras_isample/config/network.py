"""The model."""

from dataclasses import dataclass

from keras_isample.config.settings import Group
from keras_isample.config.settings import check_range
from keras_isample.config.settings import setting
from keras_isample.errors import InputError


@dataclass(frozen=True)
class NetworkConfig(Group):
    """The model."""

    network: "str" = setting("dual-path", "Network.", ("dual-path",))
    width: "float" = setting(1.0, "Factor of all numbers of maps.")
    patch_size: "int" = setting(
        8, "Side of the labeled patch in voxels, a multiple of 4."
    )

    def _check(self):
        check_range(self, "width", 0, above=True)
        if self.patch_size < 4 or self.patch_size % 4:
            raise InputError(
                "--patch-size",
                f"must be a positive multiple of 4, got {self.patch_size}",
                f"Use {max(4, 4 * round(self.patch_size / 4))}",
            )
