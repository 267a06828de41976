"""Where patches are drawn."""

from dataclasses import dataclass

from keras_isample.config.settings import Group
from keras_isample.config.settings import check_range
from keras_isample.config.settings import number_or_all
from keras_isample.config.settings import setting
from keras_isample.registries import AUGMENTATIONS
from keras_isample.registries import ERROR_MAPS


@dataclass(frozen=True)
class SamplingConfig(Group):
    """Where patches are drawn (Algorithm 1)."""

    sampling: "str" = setting(
        "isample",
        "isample: where the network is wrong. uniform: everything accepted.",
        ("isample", "uniform"),
    )
    epsilon: "float" = setting(0.01, "Slack of E(c) > U(0,1) - epsilon.")
    error_maps: "str" = setting(
        "epoch",
        "epoch: whole scans are predicted after each epoch. online: the maps "
        "are made of the errors of the training patches themselves. "
        "concurrent: a background process predicts whole scans all the time, "
        "on the last of several GPUs, else on the CPU; training never waits.",
        ERROR_MAPS,
    )
    error_map_cases: "str" = setting(
        "all", "Cases whose maps each update makes: all, or a number."
    )
    error_map_share: "float | str" = setting(
        0.15,
        "Share of all multiplications that error maps may take, beside "
        "training and validation, with --error-maps epoch. Where it does not "
        "allow whole scans, blocks are refreshed; none: no bound.",
        words=("none",),
    )
    sample_from: "str" = setting(
        "auto",
        "Draw from the cases of the last update, or from all. auto: refreshed, "
        "or all where blocks are refreshed.",
        ("auto", "refreshed", "all"),
    )
    redraw: "str" = setting(
        "all",
        "What is drawn again after a rejection. all: image, class and center, "
        "as in the papers (with --sample-from all: class and center); center: "
        "only the center, so that every class keeps its share of the patches, "
        "the background too; use it with a small --epsilon.",
        ("all", "center"),
    )
    batch_size: "int" = setting(12, "Patches per step.")
    cases_per_batch: "str" = setting(
        "all", "Cases in a batch: all, or a number."
    )
    augment: "bool" = setting(True, "Rotate patches and vary their spacing.")
    augmentation: "str" = setting(
        "isample",
        "isample: turned about each axis, spacing varied. cardiac: one of "
        "nothing, flip along either axis, turn within 10 degrees (slices).",
        AUGMENTATIONS,
    )
    spacing_jitter: "float" = setting(
        0.1, "Largest change of spacing, times the finest spacing."
    )

    def _check(self):
        check_range(self, "epsilon", 0, 1)
        if self.error_map_share != "none":
            check_range(self, "error_map_share", 0, above=True, below=1)
        check_range(self, "batch_size", 1)
        check_range(self, "spacing_jitter", 0, 0.9)
        _ = self.num_error_map_cases, self.num_cases_per_batch

    @property
    def error_map_way(self):
        """What is known of the way of making maps; `None` if none are made."""
        if self.sampling != "isample":
            return None
        return ERROR_MAPS[self.error_maps]

    @property
    def map_share(self):
        """Share of the time that bounds error maps; `None` if nothing does."""
        way = self.error_map_way
        if way is None or not way.has_share or self.error_map_share == "none":
            return None
        return self.error_map_share

    @property
    def num_error_map_cases(self):
        """Number, or `None` for all."""
        return number_or_all(self, "error_map_cases")

    @property
    def num_cases_per_batch(self):
        """Number, or `None` for all."""
        return number_or_all(self, "cases_per_batch")
