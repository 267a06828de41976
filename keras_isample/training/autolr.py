"""AutoLR: a population finds the learning rate (Algorithm 2).

"How to control the learning rate of adaptive sampling schemes": members that
differ in nothing but their rate train side by side; after every period the
best one starts the next population, at its rate times 2, 1 and 0.5.

Where the paper is silent:

- All members begin with the same weights, draw the same patches and drop the
  same maps, so that only the rate sets them apart.
- A member carries the whole state of its parent to the next period: weights
  and their averages, if there are any, moving statistics of the
  normalizations, momentum, error maps and random generators. The momentum is
  corrected for the new rate (see `SGD`).
- Warm-up goes linearly from the rate in force to the new one, and is left out
  where the rate stays.
- The member that goes on is the one whose best score in the period is the
  highest, from its weights at the period's end; of equal ones the first.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from keras_isample.config import AutoLRConfig
from keras_isample.config import Config
from keras_isample.data.preprocessing import Preprocessing
from keras_isample.errors import InputError
from keras_isample.models.loading import load_model
from keras_isample.progress import SILENT
from keras_isample.progress import Reporter
from keras_isample.registries import AUGMENTATIONS
from keras_isample.registries import ERROR_MAPS
from keras_isample.registries import LOSSES
from keras_isample.registries import NETWORKS
from keras_isample.training.executors import make_executor
from keras_isample.training.genetic import TruncationSelection
from keras_isample.training.genetic import WinnerTakesAll
from keras_isample.training.history import read_history
from keras_isample.training.networks import describe_origin
from keras_isample.training.population import Population
from keras_isample.training.precision import with_precision
from keras_isample.training.run import FitResult
from keras_isample.training.run import opened_run
from keras_isample.training.run_folder import finished_now

log = logging.getLogger(__name__)


class AutoLR:
    """Trains a population; its best member is the run.

    The run folder is that of `fit`, with `autolr.json` and
    `figures/autolr.png`: model of the best validation Dice of all members,
    history of the last winner and those that it came from.

    Members train in processes of their own, see `executors`. A member that
    diverges has no score and loses; one that dies goes on from its last epoch,
    `max_restarts` times in a period, and is then left out.

    Args:
        config: All settings, with `learning_rate="auto"`.
        operator: Chooses parents and rates, see `genetic`; the one that the
            configuration names if `None`.

    Raises:
        InputError: If the settings contradict each other.

    Example:
    >>> config = Config.from_settings("visceral/", {"learning_rate": "auto"})
    >>> AutoLR(config).fit("runs/auto")
    """

    def __init__(self, config: Config, operator=None):
        if not config.optimizer.is_auto:
            raise InputError(
                "`learning_rate`",
                "is a number, so there is nothing to find",
                "Set it to auto",
            )
        _check_names(config)
        self.config = config
        self.operator = operator or _operator(config.autolr)

    def fit(
        self,
        run: str | Path,
        *,
        resume: bool = False,
        overwrite: bool = False,
        command_line=(),
        on_progress: Callable[[dict], None] | None = None,
        say: Callable[[str], None] = log.info,
        progress: Callable[[int, int], None] | None = None,
        reporter: Reporter = SILENT,
    ) -> FitResult:
        """Trains all periods and writes the run folder.

        Args:
            run: The run folder.
            resume: Whether to continue what is there.
            overwrite: Whether a run that is there may be replaced.
            command_line: Kept in the manifest.
            on_progress: Called about twice a second with a dictionary from
                the number of each member to its rows of the period.
            say: Called with each line meant for the user.
            progress: Called with (cases done, cases in all) while scans are
                prepared.
            reporter: The `Reporter` that shows how far everything is; silent
                by default.

        Raises:
            InputError: If data or settings cannot be used, the folder holds a
                run already, or the population cannot go on.
        """
        config = with_precision(self.config)
        executor = make_executor(config.autolr, run, self._members())
        opened = opened_run(
            config,
            run,
            resume=resume,
            overwrite=overwrite,
            command_line=command_line,
            say=say,
            progress=progress,
            reporter=reporter,
        )
        with executor, opened as (folder, data):
            if not data.validation.cases:
                raise InputError(
                    "`split`",
                    "leaves no validation case, by which members are compared",
                    "Use a split such as 0.7,0.1,0.2",
                )
            if not data.validation.scored_classes:
                raise InputError(
                    "`split`",
                    "leaves no validation case that has one of the structures "
                    "to learn, by which members are compared",
                    "Use another `split` or `seed`",
                )
            names = data.train.class_names[1:]
            if config.network.init_from and not resume:
                say(_origin(config.network.init_from, data))
            del data
            population = Population(
                config,
                self.operator,
                folder,
                names,
                on_progress,
                say,
                reporter,
            )
            record = population.train(executor)
            folder.update_manifest(
                **finished_now(), best_val_dice=record.best_dice
            )
        rows = read_history(folder.history_file)
        return FitResult(folder.path, record.best_dice, rows)

    def _members(self):
        """The most members that there can be at a time."""
        settings = self.config.autolr
        return max(len(settings.population), len(settings.factors))


def _origin(source, data):
    """Line on the weights that the members are given, see `take_weights`."""
    facts = {
        "num_classes": data.train.num_classes,
        "preprocessing": Preprocessing.of(data.train).as_metadata(),
        "axis": data.axis,
    }
    trained = load_model(source, compile=False)
    return describe_origin(facts, trained.metadata, source)


def _operator(settings: AutoLRConfig):
    if settings.selection == "truncation":
        return TruncationSelection()
    return WinnerTakesAll(settings.factors)


def _check_names(config):
    """Refuses what members, processes of their own, would not know."""
    stages = config.loss.stages(config.training.epochs)
    chosen = [
        ("network", NETWORKS, config.network.network),
        *(("loss", LOSSES, name) for name, _ in stages),
        ("augmentation", AUGMENTATIONS, config.sampling.augmentation),
        ("error_maps", ERROR_MAPS, config.sampling.error_maps),
    ]
    for option, registry, name in chosen:
        if not registry.is_ours(name):
            raise InputError(
                f"`{option}`",
                f"{name} is known in this process only, and members of a "
                "population are processes of their own",
                "Give `learning_rate` a number",
            )
