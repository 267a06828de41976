"""How long, and what is kept."""

from dataclasses import dataclass
from typing import Literal

from keras_isample.config.settings import Form
from keras_isample.config.settings import Group
from keras_isample.config.settings import setting
from keras_isample.config.sizes import read_size
from keras_isample.config.sizes import size_text

_SIZE = Form(
    read=read_size,
    write=size_text,
    expects="a size or auto",
    cure="Write it like 2GB",
)


@dataclass(frozen=True)
class TrainingConfig(Group):
    """How long, and what is kept."""

    epochs: int = setting(50, "Epochs.", at_least=1)
    steps_per_epoch: int = setting(100, "Steps per epoch.", at_least=1)
    validate_every: int | Literal["auto"] = setting(
        "auto",
        "Epochs between two validations, whatever they cost. auto: as often "
        "as --validation-share allows; every epoch with --early-stopping or "
        "--learning-rate auto.",
        at_least=1,
    )
    validation_share: float | Literal["none"] = setting(
        0.1,
        "Share of all multiplications that validation may take, beside "
        "training and error maps; none: no bound.",
        more_than=0,
        less_than=1,
    )
    validate_cases: int | Literal["all"] = setting(
        "all",
        "Cases of each validation, the same ones: all, or a number.",
        at_least=1,
    )
    early_stopping: int = setting(
        0,
        "Stop after so many epochs without a better validation Dice; 0: "
        "never. The best model is kept in any case.",
        at_least=0,
    )
    refit: bool = setting(
        False,
        "Train on training and validation cases together, without validation; "
        "the last weights are kept.",
    )
    normalization_batches: int = setting(
        10,
        "Batches that the statistics of batch normalization are measured on "
        "after each epoch, before scans are predicted, in the time of about a "
        "third as many steps; 0: moving averages.",
        at_least=0,
    )
    mixed_precision: Literal["none", "auto", "bfloat16", "float16"] = setting(
        "none",
        "Type of the layers' arithmetic; softmax and loss stay float32. auto: "
        "bfloat16 where the processor or GPU computes it fast, else none.",
    )
    devices: Literal["auto"] | tuple[str, ...] = setting(
        "auto",
        "Devices that share each batch, such as gpu:0,gpu:1 or cpu. auto: all "
        "visible GPUs.",
        form=Form(cure="Name devices with commas between them, or use auto"),
    )
    tile_memory: int | Literal["auto"] = setting(
        "auto",
        "Memory for the maps of one tile when whole scans are predicted, such "
        "as 2GB. auto: 1GB; for 3D U-Nets 8GB, or 60 % of the machine's memory "
        "if that is less, which the run keeps.",
        form=_SIZE,
        at_least=10**6,
    )
    save_error_maps: bool = setting(
        False, "Write the last error maps as NIfTI to error_maps/."
    )

    @property
    def fixed_validate_every(self) -> int | None:
        """Epochs between two validations; `None` if the share decides."""
        if self.validate_every != "auto":
            return self.validate_every
        unbound = self.validation_share == "none" or self.early_stopping
        return 1 if unbound else None

    @property
    def bound_validation_share(self) -> float | None:
        """Share of the time that bounds validation; `None` if nothing does."""
        if self.validation_share == "none":
            return None
        return self.validation_share

    @property
    def num_validate_cases(self) -> int | None:
        """Number, or `None` for all."""
        return None if self.validate_cases == "all" else self.validate_cases

    @property
    def tile_bytes(self) -> int | None:
        """Tile memory in bytes, or `None` for what the network needs."""
        return None if self.tile_memory == "auto" else self.tile_memory
