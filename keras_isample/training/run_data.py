"""The data of a run: which cases train, validate and test."""

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace

import numpy as np

from keras_isample.callbacks.volume_dice import VolumeDice
from keras_isample.config import Config
from keras_isample.config.data import VOLUME_SPACING
from keras_isample.data.class_presence import check_classes
from keras_isample.data.cohort import Cohort
from keras_isample.data.cohort import read_cohort
from keras_isample.data.partial import training_cases
from keras_isample.data.preparation import PreparedCase
from keras_isample.data.preparation import fingerprint
from keras_isample.data.preparation import prepare_cohort
from keras_isample.data.slice_axis import all_single_slices
from keras_isample.data.slice_axis import slice_axis
from keras_isample.inference.tile_memory import plain_tile_memory
from keras_isample.registries import NETWORKS
from keras_isample.registries.networks import names_for_slices

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PreparedData:
    """What a run trains on and is validated with.

    Attributes:
        train: The training `Cohort`.
        cases: Its `PreparedCase`s.
        validation: The `VolumeDice` callback.
        axis: Axis that slices lie across, or `None` for volumes.
    """

    train: Cohort
    cases: list[PreparedCase]
    validation: VolumeDice
    axis: int | None = None

    def fingerprint(self) -> str:
        """Tells these scans from others."""
        return fingerprint([*self.cases, *self.validation.cases])

    def fingerprints(self) -> dict[str, str]:
        """Tells each of these scans from others, by its name."""
        cases = [*self.cases, *self.validation.cases]
        return {case.name: fingerprint([case]) for case in cases}


@dataclass(frozen=True)
class RunData:
    """The parts of a data set that a run uses.

    Attributes:
        config: The run's settings, with what its images decide.
        parts: Dictionary from train, validation and test to `Cohort`; of
            train only what can be trained on.
    """

    config: Config
    parts: dict[str, Cohort]

    def prepare(
        self, progress: Callable[[int, int], None] | None = None
    ) -> PreparedData:
        """Prepares the training and validation cases.

        Args:
            progress: Called with (cases done, cases in all).

        Raises:
            InputError: If a file cannot be used.
        """
        training = self.config.training
        validated = _some_cases(
            self.parts["validation"],
            training.num_validate_cases,
            self.config.data.seed_of_split,
        )
        before = len(self.parts["train"].cases)

        def count(done, _, first=0):
            if progress:
                progress(first + done, before + len(validated.cases))

        count(0, None)
        cases = prepare_cohort(self.parts["train"], progress=count)
        check_classes(self.parts["train"], cases)
        validation = VolumeDice(
            validated,
            every=training.fixed_validate_every or 1,
            tile_memory=training.tile_bytes,
            progress=functools.partial(count, first=before),
        )
        axis = _axis(self.config, self.parts["train"], cases)
        return PreparedData(self.parts["train"], cases, validation, axis)


def read_run_data(
    config: Config, say: Callable[[str], None] = log.debug
) -> RunData:
    """Finds the cases of a configuration.

    Args:
        config: All settings.
        say: Called with each line meant for the user.

    Raises:
        InputError: If the data cannot be used.
    """
    cohort = open_cohort(config)
    say(cohort.describe())
    parts = split_cohort(cohort, config)
    if config.training.refit:
        parts = _refitted(cohort, parts)
    train, notes = training_cases(parts["train"])
    for note in notes:
        say(note)
    config = _resolved(config, train)
    spacing = config.data.spacing_mm
    parts = {
        name: replace(part, spacing=spacing)
        for name, part in {**parts, "train": train}.items()
    }
    sizes = ", ".join(f"{len(c.cases)} {name}" for name, c in parts.items())
    say(f"split of this run: {sizes}")
    if not parts["validation"].cases:
        say("no case to validate with: the newest model is kept")
    return RunData(config, parts)


def _resolved(config, train):
    """Settings with what images and machine decide, to be kept by the run.

    These are an axis and a spacing that fit the training images, and the tile
    memory of a 3D U-Net: a run that goes on elsewhere cuts scans as before.
    """
    network, data, training = config.network, config.data, config.training
    if network.sees_slices is None and all_single_slices(train):
        network = replace(network, axis="auto")
    if data.spacing == "auto":
        known = "native" if network.sees_slices else VOLUME_SPACING
        data = replace(data, spacing=known)
    small = network.sees_slices or NETWORKS[network.network].small_tiles
    if not small and training.tile_memory == "auto":
        training = replace(training, tile_memory=plain_tile_memory())
    return replace(config, network=network, data=data, training=training)


def open_cohort(config: Config) -> Cohort:
    """The data set of a configuration."""
    data = config.data
    return read_cohort(
        config.data_path,
        data.labels or None,
        spacing=data.spacing_mm,
        intensity=data.intensity,
        partial=data.partial,
        modality=data.modality,
        cache=data.cache,
    )


def split_cohort(cohort: Cohort, config: Config) -> dict[str, Cohort]:
    """Training, validation and test cases of a configuration."""
    parts = cohort.split(
        *config.data.split,
        seed=config.data.seed_of_split,
        fold=config.data.fold,
    )
    return dict(zip(("train", "validation", "test"), parts, strict=True))


def _refitted(cohort, parts):
    """Training and validation cases together, none to validate with."""
    names = [c.name for p in ("train", "validation") for c in parts[p].cases]
    return {
        **parts,
        "train": cohort.subset(names),
        "validation": cohort.subset(()),
    }


def _axis(config, train, cases):
    """The axis that slices lie across, or `None` for volumes."""
    settings = config.network
    if settings.sees_slices is False:
        if all_single_slices(cases):
            log.warning(
                "the images are 2D, and %s sees volumes; networks for slices "
                "are `network` %s.",
                settings.network,
                names_for_slices(),
            )
        return None
    if settings.sees_slices:
        return slice_axis(
            train, "auto" if settings.axis == "none" else settings.axis
        )
    return None


def _some_cases(cohort, number, seed):
    """As many cases, chosen by the seed; all if `number` is `None`."""
    chosen = np.random.default_rng(seed).permutation(len(cohort.cases))
    return cohort.subset(cohort.cases[i].name for i in chosen[:number])
