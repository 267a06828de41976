"""Several settings, each trained over several seeds, on the same split.

One run folder for each setting and seed. A comparison that was stopped goes on
where it was: finished runs are left alone, the others resumed.
"""

import json
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from keras_isample.callbacks.model_snapshots import ModelSnapshots
from keras_isample.commands.evaluate import evaluate_run
from keras_isample.config import Config
from keras_isample.errors import InputError
from keras_isample.experiments.provenance import CommitRecord
from keras_isample.experiments.provenance import loaded_commit
from keras_isample.experiments.provenance import note_commit
from keras_isample.experiments.sharing import share
from keras_isample.progress import SILENT
from keras_isample.progress import Reporter
from keras_isample.training.autolr import AutoLR
from keras_isample.training.autolr_record import PopulationRecord
from keras_isample.training.history import epochs_since_best
from keras_isample.training.history import read_history
from keras_isample.training.run import fit
from keras_isample.training.run_folder import RunFolder


@dataclass(frozen=True)
class Arm:
    """One of the ways of training that are compared.

    Args:
        name: Part of the names of its run folders.
        title: Its name in tables and pictures.
        settings: What sets it apart, on top of the common settings.
        seeds: One run each: initial weights, draws and dropout.
        start: Function from a seed to the run whose weights its run starts
            from; random weights if `None`.
    """

    name: str
    title: str
    settings: Mapping[str, Any]
    seeds: tuple[int, ...]
    start: Callable[[int], Path] | None = None


class Comparison:
    """Runs that differ in their arm and their seed, and in nothing else.

    Args:
        folder: Where the runs are kept.
        data_path: The data set.
        settings: Common settings, as those of a configuration file. All runs
            have the same split.
        arms: List of `Arm`s.

    Raises:
        InputError: If a setting is unknown or out of range.
    """

    def __init__(self, folder, data_path, settings, arms):
        self.folder = Path(folder)
        self.arms = list(arms)
        self._data_path = Path(data_path).absolute()
        self._commit = loaded_commit()
        if "seed" in settings:
            raise InputError(
                "seed",
                "is not a setting of a comparison, whose runs have their own",
                "Leave it out of the configuration",
            )
        self._settings = {"split_seed": 0, **settings}
        for arm in self.arms:
            self.config(arm, arm.seeds[0])

    def config(self, arm: Arm, seed: int) -> Config:
        """Settings of one run."""
        settings = {**self._settings, **arm.settings, "seed": seed}
        if arm.start is not None:
            settings["init_from"] = str(Path(arm.start(seed)).absolute())
        return Config.from_settings(self._data_path, settings)

    def run_folder(self, arm: Arm, seed: int) -> RunFolder:
        """Where one run is kept."""
        return RunFolder(self.folder / f"{arm.name}-seed{seed}")

    def snapshot(self, arm: Arm, seed: int, epoch: int) -> Path:
        """File of the model as it was after an epoch, the first or the last."""
        folder = self.run_folder(arm, seed).path / "snapshots"
        return folder / f"epoch-{epoch}.keras"

    def pairs(self) -> list[tuple[Arm, int]]:
        """All runs, those of the first seeds first."""
        seeds = sorted({seed for arm in self.arms for seed in arm.seeds})
        return [(a, s) for s in seeds for a in self.arms if s in a.seeds]

    def train(
        self,
        *,
        command_line=(),
        callbacks=(),
        say: Callable[[str], None] = lambda line: None,
        progress: Callable[[int, int], None] | None = None,
        reporter: Reporter = SILENT,
    ) -> None:
        """Trains and evaluates every run that has not finished.

        Several processes may do so in the same folder: each takes runs that
        nobody is at, and all return when the last is done.

        Args:
            command_line: Kept in the manifests.
            callbacks: More Keras callbacks for each run.
            say: Called with a line for each run.
            progress: Called with (cases done, cases in all) while scans are
                prepared.
            reporter: The `Reporter` that shows how far everything is; silent
                by default.

        Raises:
            InputError: If a run that is there was made with other settings.
        """
        self.check()
        pairs = self.pairs()
        options = {
            "command_line": command_line,
            "progress": progress,
            "reporter": reporter,
        }

        def work(pair):
            # Another process may have begun it in the meantime.
            self._check_settings(*pair)
            folder = self.run_folder(*pair)
            say(f"run {pairs.index(pair) + 1} of {len(pairs)}: {folder.path}")
            if not self.has_finished(*pair):
                self._train_one(*pair, callbacks, options)
            self._evaluate(folder, reporter)

        share(pairs, work, self.lock, say=say)

    def lock(self, pair: tuple[Arm, int]) -> Path:
        """The lock file of a run, see `sharing`."""
        path = self.run_folder(*pair).path
        return path.with_name(f".{path.name}.lock")

    def check(self) -> None:
        """Refuses runs that were made with other settings.

        Raises:
            InputError: If there is one.
        """
        for arm, seed in self.pairs():
            self._check_settings(arm, seed)

    def has_finished(self, arm: Arm, seed: int) -> bool:
        """Whether a run was trained to its last epoch, or had enough."""
        folder = self.run_folder(arm, seed)
        if not folder.manifest_file.is_file():
            return False
        config = self.config(arm, seed)
        if folder.manifest().get("finished") is None:
            return False
        if config.optimizer.is_auto:
            # From the best epochs the history may be shorter.
            done = PopulationRecord.load(folder.autolr_file).epochs_done()
        else:
            rows = self.history(arm, seed)
            patience = config.training.early_stopping
            if 0 < patience <= epochs_since_best(rows):
                return True
            done = len(rows)
        return done == config.training.epochs

    def common_seeds(self, arms) -> list[int]:
        """Seeds that have finished in all arms in which any has."""
        finished = [
            {seed for seed in arm.seeds if self.has_finished(arm, seed)}
            for arm in arms
        ]
        finished = [seeds for seeds in finished if seeds]
        return sorted(set.intersection(*finished)) if finished else []

    def history(self, arm: Arm, seed: int) -> list[dict]:
        """A run's rows, one an epoch."""
        return read_history(self.run_folder(arm, seed).history_file)

    def histories(self, arm: Arm, seeds=None) -> list[list[dict]]:
        """Histories of the finished runs of an arm.

        Args:
            arm: The arm.
            seeds: Those of these seeds; all if `None`.
        """
        return [
            self.history(arm, seed)
            for seed in arm.seeds
            if (seeds is None or seed in seeds) and self.has_finished(arm, seed)
        ]

    def test_summaries(self, arm: Arm, seeds) -> list[dict]:
        """Evaluations on the test cases of the finished runs of some seeds."""
        files = [
            _summary(self.run_folder(arm, seed))
            for seed in arm.seeds
            if seed in seeds and self.has_finished(arm, seed)
        ]
        return [
            json.loads(file.read_text(encoding="utf-8"))
            for file in files
            if file.is_file()
        ]

    @property
    def num_steps(self) -> int:
        """Training steps of each run."""
        training = self.config(self.arms[0], self.arms[0].seeds[0]).training
        return training.epochs * training.steps_per_epoch

    def _check_settings(self, arm, seed):
        folder = self.run_folder(arm, seed)
        if not folder.config_file.is_file():
            return
        wanted, there = self.config(arm, seed), folder.config()
        differing = wanted.differences(there)
        if list(differing) == ["epochs"]:
            new, old = differing["epochs"]
            if new > old:
                return
        if differing:
            name, (new, old) = next(iter(differing.items()))
            raise InputError(
                folder.path,
                f"was made with {name} = {old!r}, not {new!r}",
                "Choose another folder, or remove this run",
            )

    def _train_one(self, arm, seed, callbacks, options):
        folder = self.run_folder(arm, seed)
        config = self.config(arm, seed)
        # Of fewer epochs, if there are any.
        for file in folder.path.glob("evaluation/*/summary.json"):
            file.unlink()
        options = {**options, "resume": folder.config_file.is_file()}
        if config.optimizer.is_auto:
            _find_rate(config, folder, self._commit, options)
            return
        keras.utils.clear_session()
        fit(
            config,
            folder.path,
            callbacks=[
                CommitRecord(folder, self._commit),
                ModelSnapshots(
                    {
                        epoch: self.snapshot(arm, seed, epoch)
                        for epoch in (1, config.training.epochs)
                    }
                ),
                *callbacks,
            ],
            **options,
        )

    def _evaluate(self, folder, reporter):
        if folder.cases("test") and not _summary(folder).is_file():
            with reporter.phase("evaluating", item="case") as phase:
                evaluate_run(
                    folder.path,
                    "test",
                    tile_memory=folder.config().training.tile_bytes,
                    postprocess="none",
                    overwrite=True,
                    progress=phase,
                    voxels=phase.within,
                )


def _find_rate(config, folder, commit, options):
    """Trains a population, and notes the commit as soon as it has begun."""
    noted = []

    def on_progress(members):
        if not noted:
            note_commit(folder, commit)
            noted.append(True)

    AutoLR(config).fit(folder.path, on_progress=on_progress, **options)


def _summary(folder):
    return folder.evaluation("test") / "summary.json"
