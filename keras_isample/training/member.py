"""One member of a population, during one period."""

from dataclasses import asdict
from dataclasses import dataclass

from keras_isample.errors import InputError
from keras_isample.volumes.lock import held

_PATIENCE = 120
"""Seconds to wait for another process that still writes to the folder."""


@dataclass(frozen=True)
class MemberTask:
    """What a member does in a period.

    Attributes:
        period: Number of the period, from 0.
        member: Number of the member, from 0.
        origin: Folder whose state it starts from.
        folder: Folder that it writes.
        first_epoch: Epochs that the state of `origin` has behind it.
        epochs: Epochs in all when the period ends.
        segments: Rates up to then, pairs of first epoch and rate. The last is
            this member's own.
        keep_best: Whether the state of the best epoch is kept.
    """

    period: int
    member: int
    origin: str
    folder: str
    first_epoch: int
    epochs: int
    segments: tuple[tuple[int, float], ...]
    keep_best: bool = False

    @classmethod
    def from_json(cls, content):
        """From what `to_json` returned."""
        segments = tuple((start, rate) for start, rate in content["segments"])
        return cls(**{**content, "segments": segments})

    def to_json(self):
        """A JSON-compatible dictionary."""
        return asdict(self)


@dataclass(frozen=True)
class Outcome:
    """How a member's period ended.

    Attributes:
        kind: `"finished"`, `"diverged"`, `"died"` (worth another try) or
            `"refused"` (bad input: the same would happen again).
        reason: In words, unless it finished.
    """

    kind: str
    reason: str = ""


READY = {"kind": "ready", "reason": ""}
"""What a worker says first: data and model are there."""


class MemberRunner:
    """Trains members one after the other; the model is built once.

    Args:
        run: The run folder of the population.
        threads: CPU threads; TensorFlow's choice if 0.
    """

    def __init__(self, run, threads=0):
        _limit_threads(threads)
        from keras_isample.training.devices import strategy_for
        from keras_isample.training.error_map_plan import plan_error_maps
        from keras_isample.training.member_life import LifeReporter
        from keras_isample.training.precision import with_precision
        from keras_isample.training.run_data import read_run_data
        from keras_isample.training.run_folder import RunFolder
        from keras_isample.training.trainer import Trainer
        from keras_isample.training.validation import plan_validation

        self.folder = RunFolder(run)
        self.config = with_precision(self.folder.config())
        strategy = strategy_for(self.config)
        data = read_run_data(self.config).prepare()
        self.life = LifeReporter()
        self.trainer = Trainer(self.config, data, strategy, self.life)
        self.trainer.follow(
            plan_error_maps(self.config, self.folder, self.trainer)
        )
        # For whoever started the population to say what it costs.
        plan_validation(self.config, self.folder, self.trainer)
        if not self.folder.start.state_file.exists():
            self.trainer.save_start(self.folder.start)

    def run(self, task: MemberTask) -> Outcome:
        """Trains a member from where it is to the end of its period."""
        from keras_isample.callbacks.divergence_check import Diverged
        from keras_isample.training.run_folder import RunFolder
        from keras_isample.training.state import copy_state

        folder = RunFolder(task.folder)
        folder.path.mkdir(parents=True, exist_ok=True)
        # A worker whose driver was killed may live on for a moment.
        lock = held(folder.path / "lock", patience=_PATIENCE)
        with lock, self.life.into(folder.life_file):
            if not folder.state_file.exists():
                copy_state(RunFolder(task.origin), folder)
            try:
                self._train(task, folder)
            except Diverged as error:
                return Outcome("diverged", str(error))
        return Outcome("finished")

    def _train(self, task, folder):
        from keras_isample.training.schedules import make_warmup

        rows = self.trainer.restore(folder)
        warmup = make_warmup(
            self.config.optimizer, task.epochs, list(task.segments)
        )
        self.trainer.train(
            folder,
            rows,
            warmup,
            task.epochs,
            best_from=task.first_epoch if task.keep_best else None,
            validate_last=True,
            log_folder=self.folder.log_folder / f"member-{task.member + 1}",
        )


def run_member(runner: MemberRunner, task: MemberTask) -> Outcome:
    """`runner.run`, with exceptions turned into outcomes."""
    try:
        return runner.run(task)
    except InputError as error:
        return Outcome("refused", str(error))
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        return Outcome("died", f"{type(error).__name__}: {text}")


def _limit_threads(threads):
    if not threads:
        return
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
