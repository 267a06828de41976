"""Which scans, and how they are prepared."""

from dataclasses import dataclass
from typing import Literal

from keras_isample.config.settings import Form
from keras_isample.config.settings import Group
from keras_isample.config.settings import setting

VOLUME_SPACING = (1.0, 1.0, 1.5)
"""The papers' training spacing in mm."""

_FOLD = Form(
    read=lambda text: text.split("/"),
    write=lambda fold: "/".join(map(str, fold or ())),
    cure="Write it like 1/5",
)


@dataclass(frozen=True)
class DataConfig(Group):
    """Which scans, and how they are prepared."""

    labels: tuple[str, ...] = setting(
        (),
        "Structures to learn, by name; left and right are merged unless named. "
        "Default: all (VISCERAL: the papers' ten).",
        form=Form(cure="Write names with commas between them"),
    )
    modality: str = setting("CTce_ThAb", "Modality of VISCERAL volumes.")
    spacing: tuple[float, float, float] | Literal["native", "auto"] = setting(
        "auto",
        'Training spacing in mm, or "native" to keep each scan\'s. auto: '
        "1,1,1.5, native for slices.",
        form=Form(cure="Write it like 1,1,1.5"),
        more_than=0,
        less_than=1000,
    )
    intensity: Literal["ct", "zscore"] = setting(
        "ct", "ct: clip to [-1000, 1000] HU, divide by 218. zscore: for MR."
    )
    partial: Literal["merge", "exclude", "background"] = setting(
        "merge",
        "Training cases where a chosen structure was not annotated. merge: "
        "structure and background count as one class there. exclude: not "
        "trained on. background: the structure is taken as background.",
    )
    split: tuple[float, float, float] = setting(
        (0.7, 0.1, 0.2),
        "Shares of training, validation and test cases; only their ratio "
        "counts; a split given by the data wins.",
        form=Form(cure="Write three shares like 0.7,0.1,0.2"),
        at_least=0,
    )
    fold: tuple[int, int] | None = setting(
        None, "K/N: fold K of N-fold cross-validation.", form=_FOLD
    )
    seed: int = setting(
        0,
        "Seed of split, weights, sampling and dropout.",
        at_least=0,
        at_most=2**31 - 1,
    )
    split_seed: int | None = setting(
        None,
        "Another seed for the split, so that --seed leaves it as it is.",
        at_least=0,
    )
    cache: str | None = setting(
        None, "Folder for prepared scans. Default: ~/.cache/keras-isample."
    )

    def _check(self):
        if not any(self.split):
            raise self._refusal("split", "must not be 0 alone")

    @property
    def spacing_mm(self) -> tuple[float, float, float] | None:
        """Spacing of the scans, `None` for native; of volumes if `auto`."""
        if self.spacing == "native":
            return None
        return VOLUME_SPACING if self.spacing == "auto" else self.spacing

    @property
    def seed_of_split(self) -> int:
        """Seed of the split: `seed` unless it has its own."""
        return self.seed if self.split_seed is None else self.split_seed
