"""One run: data, model, training, and the files that it leaves."""

import contextlib
import logging
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path

import numpy as np

from keras_isample.callbacks.divergence_check import Diverged
from keras_isample.config import Config
from keras_isample.data.image_digests import case_digests
from keras_isample.data.layout import count
from keras_isample.data.preprocessing import Preprocessing
from keras_isample.data.preprocessing import multifocal_cases
from keras_isample.errors import InputError
from keras_isample.progress import SILENT
from keras_isample.progress import Reporter
from keras_isample.training.autolr_record import read_replayed
from keras_isample.training.devices import strategy_for
from keras_isample.training.error_map_plan import describe
from keras_isample.training.error_map_plan import describe_shares
from keras_isample.training.error_map_plan import plan_error_maps
from keras_isample.training.error_map_plan import planned_shares
from keras_isample.training.error_map_plan import resolved
from keras_isample.training.memory import OutOfMemory
from keras_isample.training.memory import within_memory
from keras_isample.training.precision import describe_arithmetic
from keras_isample.training.precision import with_precision
from keras_isample.training.resumed_length import refuse_shorter
from keras_isample.training.run_data import PreparedData
from keras_isample.training.run_data import read_run_data
from keras_isample.training.run_folder import RunFolder
from keras_isample.training.run_folder import finished_now
from keras_isample.training.run_folder import new_manifest
from keras_isample.training.run_loss import class_weights_of
from keras_isample.training.run_places import check_data_apart
from keras_isample.training.run_places import check_files_apart
from keras_isample.training.schedules import make_warmup
from keras_isample.training.trainer import Trainer
from keras_isample.training.validation import describe_validation
from keras_isample.training.validation import plan_validation
from keras_isample.volumes.files import DiskFull
from keras_isample.volumes.files import naming
from keras_isample.volumes.lock import held
from keras_isample.volumes.volume import Volume
from keras_isample.volumes.writing import write_volume

log = logging.getLogger(__name__)

_LOCK = ".keras-isample.lock"

_LESS_TO_PREPARE = "Close other programs, or use a coarser `spacing`"

_PATIENCE = 5
"""Seconds to wait for another process that may just be ending."""


_BUILDING = (
    "building the network and its first step (this takes about half a minute)"
)


@dataclass(frozen=True)
class FitResult:
    """What a run achieved.

    Attributes:
        path: The run folder.
        best_dice: Best validation Dice, or `None` without validation.
        rows: The history, one dictionary an epoch.
        best_estimate: Best estimate of the validation Dice, or `None` where
            whole scans were predicted.
    """

    path: Path
    best_dice: float | None
    rows: list[dict]
    best_estimate: float | None = None


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
    reporter: Reporter = SILENT,
) -> FitResult:
    """Trains a model as `config` says and writes the run folder.

    Args:
        config: All settings, with a learning rate; see `AutoLR` for `"auto"`.
        run: The run folder.
        resume: Whether to continue what is there.
        overwrite: Whether a run that is there may be replaced.
        command_line: Kept in the manifest.
        callbacks: More Keras callbacks, called after the package's own have
            added to an epoch's logs.
        say: Called with each line meant for the user.
        progress: Called with (cases done, cases in all) while scans are
            prepared.
        reporter: The `Reporter` that shows how far everything is; silent by
            default.

    Raises:
        InputError: If data or settings cannot be used, the folder holds a
            run already, or training diverges.
    """
    if config.optimizer.is_auto:
        raise InputError(
            "`learning_rate`", "is auto", "Use keras_isample.training.AutoLR"
        )
    config = with_precision(config)
    strategy = strategy_for(config)
    replay = read_replayed(config.optimizer, RunFolder(run), resume)
    with opened_run(
        config,
        run,
        resume=resume,
        overwrite=overwrite,
        command_line=command_line,
        say=say,
        progress=progress,
        reporter=reporter,
    ) as (folder, data):
        # With what images and machine have decided.
        config = folder.config()
        if replay is not None and not folder.replayed_file.exists():
            replay.save(folder.replayed_file)
        with reporter.phase("building the network", notice=_BUILDING):
            trainer = Trainer(config, data, strategy, reporter)
            rows = trainer.restore(folder)
        if rows:
            say(f"resuming {folder.path} after epoch {len(rows)}")
        elif config.network.init_from:
            say(trainer.take_first_weights())
        with reporter.phase("planning error maps"):
            maps = plan_error_maps(config, folder, trainer)
            trainer.follow(maps)
        folder.keep_config(resolved(folder.config(), maps))
        _tell(say, describe(maps, len(data.cases)))
        with reporter.phase("planning validation"):
            plan = plan_validation(config, folder, trainer)
        if plan is not None:
            say(describe_validation(config, plan, maps.epoch))
        shares = _note_shares(folder, maps, plan, data, config.training.epochs)
        say(describe_shares(shares))
        recorder = _train(
            config, folder, trainer, rows, replay, callbacks, plan
        )
        if (
            recorder.has_had_enough
            and len(recorder.rows) < config.training.epochs
        ):
            say(
                f"stopped after epoch {len(recorder.rows)}: validation Dice "
                f"has not risen for {recorder.patience} epochs"
            )
        if recorder.num_candidates:
            with reporter.phase("choosing the best model"):
                trainer.choose_candidate(folder, recorder, say)
        if config.training.save_error_maps:
            _save_error_maps(folder, trainer.sampler, reporter)
        folder.update_manifest(**finished_now(), **_best(recorder))
    return FitResult(
        folder.path, recorder.best, recorder.rows, recorder.best_estimate
    )


@contextlib.contextmanager
def opened_run(
    config: Config,
    run: str | Path,
    *,
    resume=False,
    overwrite=False,
    command_line=(),
    say: Callable[[str], None] = log.info,
    progress: Callable[[int, int], None] | None = None,
    reporter: Reporter = SILENT,
) -> Iterator[tuple[RunFolder, PreparedData]]:
    """Prepares the data of a run and makes its folder, or reopens it.

    An error of the user's that comes before the end of the first epoch takes
    a new folder back, and brings back what `overwrite` had replaced.

    Arguments are those of `fit`.

    Yields:
        The `RunFolder` and the `PreparedData`.

    Raises:
        InputError: If the data cannot be used or have changed, the folder
            holds a run already or is that of another process, or memory or
            disk are full.
    """
    folder = RunFolder(run)
    _check_names(config, folder)
    if resume:
        written = folder.config()
    else:
        _check_source(config, folder)
        check_data_apart(config, folder)
    with reporter.phase("reading headers"):
        data = read_run_data(config, say)
    say(describe_arithmetic(config))
    config = data.config
    manifest = new_manifest(data.parts, config.data.seed, command_line)
    if not resume:
        check_files_apart(config, folder, data.parts)
        folder.check_new(overwrite)
    with _alone(folder.path), naming(folder.path):
        if resume:
            refuse_shorter(config, folder)
            # Another place of the data only counts when it has the same.
            folder.reopen(
                replace(config, data_path=written.data_path), manifest
            )
            folder.check_cases(manifest["cases"], config.data_path)
            folder.update_manifest(finished=None)
        else:
            folder.create(config, manifest, overwrite=overwrite)
        try:
            with (
                within_memory(_LESS_TO_PREPARE),
                reporter.phase("preparing scans", also=progress) as phase,
            ):
                prepared = data.prepare(phase)
            folder.check_data(
                prepared.fingerprint(),
                prepared.fingerprints(),
                config.data_path,
            )
            folder.keep_config(config)
            for note in prepared.validation.notes():
                say(note)
            _check_early_stopping(config, prepared.validation)
            _tell_class_weights(config, folder, prepared, say)
            _tell_whole_classes(prepared, say)
            with reporter.phase("noting what the scans look like"):
                _note_images(config, folder, data.parts)
            with naming(folder.path), within_memory():
                yield folder, prepared
        except (InputError, OSError) as error:
            if not folder.has_begun():
                if not resume:
                    folder.undo()
            elif isinstance(error, DiskFull | OutOfMemory):
                raise _resumable(error) from error
            raise


def _check_names(config, folder):
    """Refuses paths that are no text: neither TOML nor TensorFlow has them."""
    for path in (
        folder.path,
        config.data_path,
        config.data.cache,
        config.network.init_from,
    ):
        try:
            str(path or "").encode()
        except UnicodeEncodeError:
            raise InputError(
                path,
                "has a name that is not UTF-8",
                "Rename it, or give a link to it that has another name",
            ) from None


def _resumable(error):
    """The same error of a run that has a checkpoint."""
    what = "Free some space there"
    if isinstance(error, OutOfMemory):
        what = "Close other programs"
    cure = f"{what}, then continue with `resume=True`"
    return type(error)(error.source, error.problem, cure)


def _check_early_stopping(config, validation):
    """Refuses to wait for a score that cannot come."""
    if not config.training.early_stopping:
        return
    if not validation.cases:
        problem = "needs a validation case, and the split leaves none"
    elif not validation.scored_classes:
        problem = "needs a validation case that has one of the structures"
    else:
        return
    raise InputError(
        "`early_stopping`", problem, "Use a split such as 0.7,0.1,0.2"
    )


def _check_source(config, folder):
    """Refuses to start from the run that is to be replaced."""
    source = config.network.init_from
    if source is None:
        return
    if Path(source).resolve().is_relative_to(folder.path.resolve()):
        raise InputError(
            "`init_from`",
            f"is {source}, the run that is to be replaced",
            "Choose another `run`",
        )


@contextlib.contextmanager
def _alone(path):
    """Keeps other processes from training in the same folder."""
    with contextlib.ExitStack() as stack:
        while True:
            path.mkdir(parents=True, exist_ok=True)
            lock = held(path / _LOCK, patience=_PATIENCE)
            # Whoever had it may take the whole folder back.
            with contextlib.suppress(FileNotFoundError):
                stack.enter_context(lock)
                break
        try:
            yield
        finally:
            stack.close()
            # A folder that was taken back.
            with contextlib.suppress(OSError):
                path.rmdir()


def _tell(say, line):
    """Says a line, if there is one."""
    if line:
        say(line)


def _note_shares(folder, maps, plan, data, epochs):
    """Writes to the manifest what parts of the time will take; returns it."""
    validation = plan.total(epochs) if plan else 0
    shares = planned_shares(maps, len(data.cases), epochs, validation)
    folder.update_manifest(planned_shares=shares)
    return shares


def _tell_class_weights(config, folder, prepared, say):
    weights = class_weights_of(config, prepared.cases)
    if weights is None:
        return
    named = dict(zip(prepared.train.class_names, weights, strict=True))
    shown = ", ".join(f"{name} {weight:.4g}" for name, weight in named.items())
    say(f"class weights ({config.loss.class_weights}): {shown}")
    folder.update_manifest(class_weights=named)


def _tell_whole_classes(prepared, say):
    """Says of which classes no component will be removed, and why."""
    facts = Preprocessing.of(prepared.train, prepared.cases)
    numbers = multifocal_cases(prepared.cases, facts.paired)
    if facts.whole:
        shown = ", ".join(
            f"{facts.class_names[index]} ({numbers[index][0]} of "
            f"{count(numbers[index][1], 'training case')})"
            for index in facts.whole
        )
        say(f"in several places, so left whole in predictions: {shown}")


def _note_images(config, folder, parts):
    """Notes what the run's scans look like, by which they are known later."""
    if "case_digests" in folder.manifest():
        return
    cases = {c.name: part for part in parts for c in parts[part].cases}
    digests = case_digests(
        [case for cohort in parts.values() for case in cohort.cases],
        config.data.cache,
    )
    folder.update_manifest(case_digests=digests)
    first = {}
    for name, digest in digests.items():
        other = first.setdefault(digest, name)
        if cases[other] != cases[name]:
            log.warning(
                "%s (%s) and %s (%s) are the same scan.",
                other,
                cases[other],
                name,
                cases[name],
            )


def _best(recorder):
    """Facts on the best model for the manifest."""
    facts = {"best_val_dice": recorder.best}
    if recorder.best_estimate is not None:
        facts["best_val_dice_estimated"] = recorder.best_estimate
    return facts


def _train(config, folder, trainer, rows, replay, callbacks, plan):
    found = (None, None) if replay is None else replay.schedule()
    epochs = config.training.epochs
    warmup = make_warmup(config.optimizer, epochs, *found)
    # Whatever can be wrong with the settings has shown itself.
    folder.remove_replaced()
    try:
        return trainer.train(folder, rows, warmup, epochs, callbacks, plan=plan)
    except Diverged as error:
        raise InputError(
            folder.path,
            f"training diverged: {error}",
            "Start a new run with a smaller `learning_rate`",
        ) from error


def _save_error_maps(folder, sampler, reporter):
    maps = [
        (index, case)
        for index, case in enumerate(sampler.cases)
        if sampler.error_maps[index] is not None
    ]
    with reporter.phase("saving error maps", len(maps)) as phase:
        for done, (index, case) in enumerate(maps, start=1):
            levels = sampler.error_maps.errors(index).reshape(case.shape)
            values = levels / np.float32(255)
            folder.saved_error_maps.mkdir(exist_ok=True)
            write_volume(
                folder.saved_error_maps / f"{case.name}.nii.gz",
                Volume(values, case.affine),
                overwrite=True,
            )
            phase(done)
