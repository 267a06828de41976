"""One run: data, model, training, and the files that it leaves."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from keras_isample.callbacks.error_map_update import ErrorMapUpdate
from keras_isample.callbacks.learning_rate_warmup import LearningRateWarmup
from keras_isample.callbacks.volume_dice import VolumeDice
from keras_isample.config import Config
from keras_isample.data.cohort import Cohort
from keras_isample.data.cohort import read_cohort
from keras_isample.data.partial import training_cases
from keras_isample.data.preparation import fingerprint
from keras_isample.data.preparation import prepare_cohort
from keras_isample.data.preprocessing import Preprocessing
from keras_isample.errors import InputError
from keras_isample.losses.cross_entropy import CrossEntropy
from keras_isample.models.dual_path import dual_path_resnet
from keras_isample.sampling.isample import ISample
from keras_isample.training.optimizers import decays_in_loss
from keras_isample.training.optimizers import make_optimizer
from keras_isample.training.recorder import Recorder
from keras_isample.training.run_folder import RunFolder
from keras_isample.training.run_folder import finished_now
from keras_isample.training.run_folder import new_manifest
from keras_isample.training.state import load_progress
from keras_isample.training.state import restore_state
from keras_isample.volumes.volume import Volume
from keras_isample.volumes.writing import write_volume

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FitResult:
    """What a run achieved.

    Attributes:
        path: The run folder.
        best_dice: Best validation Dice, or `None` without validation.
        rows: The history, one dictionary an epoch.
    """

    path: Path
    best_dice: float | None
    rows: list[dict]


def fit(
    config: Config,
    run: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    command_line=(),
    callbacks=(),
    say: Callable[[str], None] = log.info,
    progress: Callable[[int, int], None] | None = None,
) -> FitResult:
    """Trains a model as `config` says and writes the run folder.

    Args:
        config: All settings.
        run: The run folder.
        resume: Whether to continue what is there.
        overwrite: Whether a run that is there may be replaced.
        command_line: Kept in the manifest.
        callbacks: More Keras callbacks, called after the package's own have
            added to an epoch's logs.
        say: Called with each line meant for the user.
        progress: Called with (cases done, cases in all) while scans are
            prepared.

    Raises:
        InputError: If data or settings cannot be used, or the folder holds a
            run already.
    """
    folder = RunFolder(run)
    if resume:
        folder.config()
    cohort = open_cohort(config)
    say(cohort.describe())
    parts = split_cohort(cohort, config)
    train, notes = training_cases(parts["train"])
    for note in notes:
        say(note)
    manifest = new_manifest(
        {**parts, "train": train}, config.data.seed, command_line
    )
    if resume:
        folder.reopen(config, manifest)
        folder.update_manifest(finished=None)
    else:
        folder.create(config, manifest, overwrite=overwrite)
    try:
        cases = prepare_cohort(train, progress=progress)
        validation = VolumeDice(
            _some_cases(
                parts["validation"],
                config.training.num_validate_cases,
                config.data.seed_of_split,
            ),
            every=config.training.validate_every,
            tile_memory=config.training.tile_bytes,
        )
        folder.check_data(fingerprint([*cases, *validation.cases]))
    except (InputError, OSError):
        if not resume:
            folder.undo()
        raise
    folder.remove_replaced()
    return _train(config, folder, train, cases, validation, callbacks, say)


def open_cohort(config: Config) -> Cohort:
    """The data set of a configuration."""
    data = config.data
    return read_cohort(
        config.data_path,
        data.label_names,
        spacing=data.spacing_mm,
        intensity=data.intensity,
        partial=data.partial,
        modality=data.modality,
        cache=data.cache or None,
    )


def split_cohort(cohort: Cohort, config: Config) -> dict[str, Cohort]:
    """Training, validation and test cases of a configuration."""
    parts = cohort.split(
        *config.data.shares,
        seed=config.data.seed_of_split,
        fold=config.data.fold_of,
    )
    return dict(zip(("train", "validation", "test"), parts, strict=True))


def _some_cases(cohort, number, seed):
    """As many cases, chosen by the seed; all if `number` is `None`."""
    chosen = np.random.default_rng(seed).permutation(len(cohort.cases))
    return cohort.subset(cohort.cases[i].name for i in chosen[:number])


def _train(config, folder, train, cases, validation, callbacks, say):
    keras.utils.set_random_seed(config.data.seed)
    resumed = folder.state_file.exists()
    sampler = _sampler(config, cases, folder.error_map_folder)
    model = _model(config, train)
    rows = []
    if resumed:
        restore_state(folder.state_file, model, sampler)
        rows = load_progress(folder.state_file)["rows"]
        say(f"resuming {folder.path} after epoch {len(rows)}")
    sampler.error_maps.remove_unused()
    recorder = Recorder(
        folder,
        sampler,
        train.class_names[1:],
        config.sampling.batch_size,
        rows,
    )
    if len(rows) < config.training.epochs:
        model.fit(
            sampler.dataset(config.training.steps_per_epoch),
            epochs=config.training.epochs,
            initial_epoch=len(rows),
            verbose=0,
            shuffle=False,
            callbacks=[
                LearningRateWarmup(
                    config.optimizer.rate_at, config.optimizer.warmup_epochs
                ),
                ErrorMapUpdate(
                    sampler,
                    num_cases=config.sampling.num_error_map_cases,
                    tile_memory=config.training.tile_bytes,
                    remove_replaced=False,
                ),
                validation,
                *callbacks,
                recorder,
            ],
        )
    if config.training.save_error_maps:
        _save_error_maps(folder, sampler)
    folder.update_manifest(**finished_now(), best_val_dice=recorder.best)
    return FitResult(folder.path, recorder.best, recorder.rows)


def _sampler(config, cases, folder):
    settings = config.sampling
    return ISample(
        cases,
        patch_size=config.network.patch_size,
        batch_size=settings.batch_size,
        epsilon=settings.epsilon,
        sampling=settings.sampling,
        cases_per_batch=settings.num_cases_per_batch,
        sample_from=settings.sample_from,
        augment=settings.augment,
        spacing_jitter=settings.spacing_jitter,
        seed=config.data.seed,
        folder=folder,
    )


def _model(config, train):
    settings = config.optimizer
    in_loss = decays_in_loss(settings.optimizer)
    if config.training.mixed_precision == "bfloat16":
        policy = keras.config.dtype_policy()
        keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = dual_path_resnet(
            train.num_classes,
            num_channels=len(train.channel_names),
            width=config.network.width,
            l2=settings.weight_decay if in_loss else 0.0,
        )
    finally:
        if config.training.mixed_precision == "bfloat16":
            keras.config.set_dtype_policy(policy)
    model.metadata["preprocessing"] = Preprocessing.of(train).as_metadata()
    loss = CrossEntropy()
    model.compile(
        optimizer=make_optimizer(
            settings.optimizer, settings.learning_rate, settings.weight_decay
        ),
        loss=loss,
        # Keras' own "loss" includes the L2 penalty.
        metrics=[keras.metrics.MeanMetricWrapper(loss, name="data_loss")],
    )
    model.optimizer.build(model.trainable_variables)
    return model


def _save_error_maps(folder, sampler):
    for index, case in enumerate(sampler.cases):
        error_map = sampler.error_maps[index]
        if error_map is None:
            continue
        values = np.load(error_map.path, mmap_mode="r") / np.float32(255)
        folder.saved_error_maps.mkdir(exist_ok=True)
        write_volume(
            folder.saved_error_maps / f"{case.name}.nii.gz",
            Volume(values, case.affine),
            overwrite=True,
        )
