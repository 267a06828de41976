"""How long, and what is kept."""

from dataclasses import dataclass

from keras_isample.config.settings import Group
from keras_isample.config.settings import check_range
from keras_isample.config.settings import number_or_all
from keras_isample.config.settings import parse_bytes
from keras_isample.config.settings import setting


@dataclass(frozen=True)
class TrainingConfig(Group):
    """How long, and what is kept."""

    epochs: "int" = setting(50, "Epochs.")
    steps_per_epoch: "int" = setting(100, "Steps per epoch.")
    validate_every: "int | str" = setting(
        "auto",
        "Epochs between two validations, whatever they cost. auto: as often "
        "as --validation-share allows; every epoch with --early-stopping or "
        "--learning-rate auto.",
        words=("auto",),
    )
    validation_share: "float | str" = setting(
        0.1,
        "Share of all multiplications that validation may take, beside "
        "training and error maps; none: no bound.",
        words=("none",),
    )
    validate_cases: "str" = setting(
        "all", "Cases of each validation, the same ones: all, or a number."
    )
    early_stopping: "int" = setting(
        0,
        "Stop after so many epochs without a better validation Dice; 0: "
        "never. The best model is kept in any case.",
    )
    refit: "bool" = setting(
        False,
        "Train on training and validation cases together, without validation; "
        "the last weights are kept.",
    )
    normalization_batches: "int" = setting(
        10,
        "Batches that the statistics of batch normalization are measured on "
        "after each epoch, before scans are predicted, in the time of about a "
        "third as many steps; 0: moving averages.",
    )
    mixed_precision: "str" = setting(
        "none",
        "Type of the layers' arithmetic; softmax and loss stay float32. auto: "
        "bfloat16 where the processor or GPU computes it fast, else none.",
        ("none", "auto", "bfloat16", "float16"),
    )
    devices: "str" = setting(
        "auto",
        "Devices that share each batch, such as gpu:0,gpu:1 or cpu. auto: all "
        "visible GPUs.",
    )
    tile_memory: "str" = setting(
        "auto",
        "Memory for the maps of one tile when whole scans are predicted, such "
        "as 2GB. auto: 1GB; for 3D U-Nets 8GB, or 60 % of the machine's memory "
        "if that is less, which the run keeps.",
    )
    save_error_maps: "bool" = setting(
        False, "Write the last error maps as NIfTI to error_maps/."
    )

    def _check(self):
        check_range(self, "epochs", 1)
        check_range(self, "steps_per_epoch", 1)
        if self.validate_every != "auto":
            check_range(self, "validate_every", 1)
        if self.validation_share != "none":
            check_range(self, "validation_share", 0, above=True, below=1)
        check_range(self, "early_stopping", 0)
        check_range(self, "normalization_batches", 0)
        _ = self.tile_bytes, self.num_validate_cases

    @property
    def fixed_validate_every(self):
        """Epochs between two validations; `None` if the share decides."""
        if self.validate_every != "auto":
            return self.validate_every
        unbound = self.validation_share == "none" or self.early_stopping
        return 1 if unbound else None

    @property
    def bound_validation_share(self):
        """Share of the time that bounds validation; `None` if nothing does."""
        if self.validation_share == "none":
            return None
        return self.validation_share

    @property
    def num_validate_cases(self):
        """Number, or `None` for all."""
        return number_or_all(self, "validate_cases")

    @property
    def tile_bytes(self):
        """Tile memory in bytes, or `None` for what `predictor_for` chooses."""
        if self.tile_memory == "auto":
            return None
        return parse_bytes("--tile-memory", self.tile_memory)
