"""Which scans, and how they are prepared."""

import math
from dataclasses import dataclass

from keras_isample.config.settings import Group
from keras_isample.config.settings import check_range
from keras_isample.config.settings import numbers
from keras_isample.config.settings import setting
from keras_isample.errors import InputError

VOLUME_SPACING = "1,1,1.5"
"""The papers' training spacing in mm."""


@dataclass(frozen=True)
class DataConfig(Group):
    """Which scans, and how they are prepared."""

    labels: "str" = setting(
        "",
        "Structures to learn, by name; left and right are merged unless named. "
        "Default: all (VISCERAL: the papers' ten).",
    )
    modality: "str" = setting("CTce_ThAb", "Modality of VISCERAL volumes.")
    spacing: "str" = setting(
        "auto",
        'Training spacing in mm, or "native" to keep each scan\'s. auto: '
        f"{VOLUME_SPACING}, native for slices.",
    )
    intensity: "str" = setting(
        "ct",
        "ct: clip to [-1000, 1000] HU, divide by 218. zscore: for MR.",
        ("ct", "zscore"),
    )
    partial: "str" = setting(
        "merge",
        "Training cases where a chosen structure was not annotated. merge: "
        "structure and background count as one class there. exclude: not "
        "trained on. background: the structure is taken as background.",
        ("merge", "exclude", "background"),
    )
    split: "str" = setting(
        "0.7,0.1,0.2",
        "Shares of training, validation and test cases; only their ratio "
        "counts; a split given by the data wins.",
    )
    fold: "str" = setting("", "K/N: fold K of N-fold cross-validation.")
    seed: "int" = setting(0, "Seed of split, weights, sampling and dropout.")
    split_seed: "str" = setting(
        "", "Another seed for the split, so that --seed leaves it as it is."
    )
    cache: "str" = setting(
        "", "Folder for prepared scans. Default: ~/.cache/keras-isample."
    )

    def _check(self):
        _ = self.spacing_mm, self.shares, self.fold_of, self.seed_of_split
        check_range(self, "seed", 0, 2**31 - 1)

    @property
    def label_names(self):
        """Labels as a list, or `None` for all."""
        names = [name.strip() for name in self.labels.split(",")]
        return [name for name in names if name] or None

    @property
    def spacing_mm(self):
        """Spacing as three floats, `None` for native; of volumes if `auto`."""
        if self.spacing == "native":
            return None
        spacing = VOLUME_SPACING if self.spacing == "auto" else self.spacing
        values = numbers(spacing, "spacing", VOLUME_SPACING)
        if not all(0 < value < 1000 for value in values):
            raise InputError(
                "--spacing",
                f"must be positive lengths in mm, got {self.spacing}",
                "Write it like 1,1,1.5",
            )
        return values

    @property
    def shares(self):
        """Training, validation and test share."""
        values = numbers(self.split, "split", "0.7,0.1,0.2")
        if not all(0 <= v < math.inf for v in values) or not any(values):
            raise InputError(
                "--split",
                f"must be three shares, got {self.split}",
                "Write it like 0.7,0.1,0.2",
            )
        return values

    @property
    def fold_of(self):
        """`(k, n)`, or `None`."""
        if not self.fold:
            return None
        return numbers(self.fold, "fold", "1/5", int, "/")

    @property
    def seed_of_split(self):
        """Seed of the split: `seed` unless it has its own."""
        if not self.split_seed:
            return self.seed
        if not self.split_seed.isdecimal():
            raise InputError(
                "--split-seed",
                f"must be a whole number of at least 0, got {self.split_seed}",
                "Correct the value",
            )
        return int(self.split_seed)
