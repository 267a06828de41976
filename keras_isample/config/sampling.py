"""Where patches are drawn."""

from dataclasses import dataclass
from typing import Literal

from keras_isample.config.settings import Group
from keras_isample.config.settings import setting
from keras_isample.registries import AUGMENTATIONS
from keras_isample.registries import ERROR_MAPS
from keras_isample.registries import ErrorMapsSpec


@dataclass(frozen=True)
class SamplingConfig(Group):
    """Where patches are drawn (Algorithm 1)."""

    sampling: Literal["isample", "uniform"] = setting(
        "isample",
        "isample: where the network is wrong. uniform: everything accepted.",
    )
    epsilon: float = setting(
        0.01, "Slack of E(c) > U(0,1) - epsilon.", at_least=0, at_most=1
    )
    error_maps: str = setting(
        "epoch",
        "epoch: whole scans are predicted after each epoch. online: the maps "
        "are made of the errors of the training patches themselves. "
        "concurrent: a background process predicts whole scans all the time, "
        "on the last of several GPUs, else on the CPU; training never waits.",
        choices=ERROR_MAPS,
    )
    error_map_cases: int | Literal["all"] = setting(
        "all",
        "Cases whose maps each update makes: all, or a number.",
        at_least=1,
    )
    error_map_share: float | Literal["none"] = setting(
        0.15,
        "Share of all multiplications that error maps may take, beside "
        "training and validation, with --error-maps epoch. Where it does not "
        "allow whole scans, blocks are refreshed; none: no bound.",
        more_than=0,
        less_than=1,
    )
    sample_from: Literal["auto", "refreshed", "all"] = setting(
        "auto",
        "Draw from the cases of the last update, or from all. auto: refreshed, "
        "or all where blocks are refreshed.",
    )
    redraw: Literal["all", "center"] = setting(
        "all",
        "What is drawn again after a rejection. all: image, class and center, "
        "as in the papers (with --sample-from all: class and center); center: "
        "only the center, so that every class keeps its share of the patches, "
        "the background too; use it with a small --epsilon.",
    )
    batch_size: int = setting(12, "Patches per step.", at_least=1)
    cases_per_batch: int | Literal["all"] = setting(
        "all", "Cases in a batch: all, or a number.", at_least=1
    )
    augment: bool = setting(True, "Rotate patches and vary their spacing.")
    augmentation: str = setting(
        "isample",
        "isample: turned about each axis, spacing varied. cardiac: one of "
        "nothing, flip along either axis, turn within 10 degrees (slices).",
        choices=AUGMENTATIONS,
    )
    spacing_jitter: float = setting(
        0.1,
        "Largest change of spacing, times the finest spacing.",
        at_least=0,
        at_most=0.9,
    )

    @property
    def error_map_way(self) -> ErrorMapsSpec | None:
        """What is known of the way of making maps; `None` if none are made."""
        if self.sampling != "isample":
            return None
        return ERROR_MAPS[self.error_maps]

    @property
    def map_share(self) -> float | None:
        """Share of the time that bounds error maps; `None` if nothing does."""
        way = self.error_map_way
        if way is None or not way.has_share or self.error_map_share == "none":
            return None
        return self.error_map_share

    @property
    def num_error_map_cases(self) -> int | None:
        """Number, or `None` for all."""
        return None if self.error_map_cases == "all" else self.error_map_cases

    @property
    def num_cases_per_batch(self) -> int | None:
        """Number, or `None` for all."""
        return None if self.cases_per_batch == "all" else self.cases_per_batch
