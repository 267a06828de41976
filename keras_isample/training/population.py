"""One training of a population, period by period."""

import logging
import shutil

import numpy as np

from keras_isample.errors import InputError
from keras_isample.figures.population_curves import draw_population
from keras_isample.training.autolr_record import MemberPeriod
from keras_isample.training.autolr_record import MemberStart
from keras_isample.training.autolr_record import Period
from keras_isample.training.autolr_record import PopulationRecord
from keras_isample.training.autolr_record import best_dice_of
from keras_isample.training.autolr_record import kept_rows
from keras_isample.training.error_map_plan import describe
from keras_isample.training.error_map_plan import planned_error_maps
from keras_isample.training.history import is_better
from keras_isample.training.history import write_history
from keras_isample.training.member import MemberTask
from keras_isample.training.member import Outcome
from keras_isample.training.member_life import LifeReader
from keras_isample.training.member_life import forget_life
from keras_isample.training.population_progress import PopulationProgress
from keras_isample.training.run_folder import RunFolder
from keras_isample.training.state import load_progress
from keras_isample.training.validation import describe_validation
from keras_isample.training.validation import planned_validation
from keras_isample.volumes.files import written_whole

log = logging.getLogger(__name__)

SMALLER = 0.1
"""Factor of all rates after a period in which every member diverged."""

_POLL = 0.5
"""Seconds between two looks at the members."""


class Population:
    """One training of a population, from where its folder stands.

    Args:
        config: All settings.
        operator: Chooses parents and rates, see `genetic`.
        folder: The `RunFolder`, with configuration and manifest.
        names: Foreground classes.
        on_progress: See `AutoLR.fit`.
        say: See `AutoLR.fit`.
        reporter: See `AutoLR.fit`.

    Attributes:
        record: The `PopulationRecord`.
    """

    def __init__(
        self, config, operator, folder, names, on_progress, say, reporter
    ):
        self.config = config
        self.operator = operator
        self.folder = folder
        self.names = names
        self.on_progress = on_progress or (lambda rows: None)
        self.say = say
        self._shown = PopulationProgress(reporter)
        self._life = LifeReader(reporter.clock)
        self._told = False
        if folder.autolr_file.exists():
            self.record = PopulationRecord.load(folder.autolr_file)
            done = len(self.record.periods)
            say(f"resuming {folder.path} in period {done + 1}")
        else:
            self.record = PopulationRecord(_noted(config))
            self.record.next = _first_population(config.autolr, folder)

    def train(self, executor):
        """Trains what is left; returns the `PopulationRecord`."""
        epochs = self.config.training.epochs
        if self.record.periods:
            # Killed after the record was saved, it may have left these.
            self._tidy()
        if self.record.epochs_done() >= epochs:
            return self.record
        if epochs <= self.config.autolr.period:
            self.say(
                f"{epochs} epochs are a single period of "
                f"{self.config.autolr.period}: the rate is chosen, but never "
                "changed; use more `epochs` or a shorter `period`"
            )
        with executor, self._shown:
            while self.record.epochs_done() < epochs:
                self._train_period(executor)
        return self.record

    def _train_period(self, executor):
        number = len(self.record.periods)
        left = self.config.training.epochs - self.record.epochs_done()
        length = min(self.config.autolr.period, left)
        tasks = [
            self._task(number, member, start, length)
            for member, start in enumerate(self.record.next)
        ]
        outcomes = self._run(executor, tasks)
        members = [
            MemberPeriod(
                start,
                outcome.kind,
                outcome.reason,
                kept_rows(_rows_of(task)[:length]),
            )
            for start, task, outcome in zip(
                self.record.next, tasks, outcomes, strict=True
            )
        ]
        fitness = [self.operator.fitness(member.scores) for member in members]
        if max(fitness) > -np.inf:
            self._after_period(number, members, fitness)
        elif any(member.outcome == "finished" for member in members):
            raise InputError(
                self.folder.path,
                "no validation scan has any of the structures to learn",
                "Use another `split` or `seed`",
            )
        else:
            self._after_divergence(members)
        # The record is what a resumed run goes by; only then may the states
        # of the period before go.
        self.record.save(self.folder.autolr_file)
        self._tidy()

    def _tidy(self):
        draw_population(
            self.folder.figure_folder / "autolr.png",
            [
                ([member.rows for member in period.members], period.winner)
                for period in self.record.periods
            ],
        )
        self._remove_unused()

    def _task(self, number, member, start, length):
        return MemberTask(
            period=number,
            member=member,
            origin=str(self.folder.path.absolute() / start.origin),
            folder=str(self.folder.member(number, member).path.absolute()),
            first_epoch=start.first_epoch,
            epochs=start.first_epoch + length,
            segments=start.segments,
            keep_best=self.config.autolr.spawn_from == "best",
        )

    def _run(self, executor, tasks):
        """The `Outcome` of each task, those that die started again."""
        outcomes = {
            task.member: Outcome("finished")
            for task in tasks
            if len(_rows_of(task)) >= task.epochs - task.first_epoch
        }
        waiting = [task for task in tasks if task.member not in outcomes]
        deaths = dict.fromkeys(range(len(tasks)), 0)
        running = {}
        while waiting or running:
            while waiting and executor.has_room():
                task = waiting.pop(0)
                running[task.member] = task
                forget_life(RunFolder(task.folder).life_file)
                executor.start(task)
            for task, outcome in executor.poll(_POLL):
                del running[task.member]
                if outcome.kind == "refused":
                    raise InputError(
                        f"member {task.member + 1}",
                        outcome.reason,
                        self._cure(),
                    )
                if outcome.kind == "died":
                    deaths[task.member] += 1
                    again = (
                        deaths[task.member] <= self.config.autolr.max_restarts
                    )
                    self._report_death(task, outcome, again)
                    if again:
                        waiting.append(task)
                        continue
                    outcome = Outcome("left out", outcome.reason)
                outcomes[task.member] = outcome
            self._tell_costs()
            rows = {task.member: _rows_of(task) for task in tasks}
            if any(rows.values()):
                self.folder.remove_replaced()
            self.on_progress(rows)
            self._shown(rows, self._doing(waiting, running))
        return [outcomes[task.member] for task in tasks]

    def _doing(self, waiting, running):
        """Words on what each member that has not ended is doing."""
        words = {task.member: "waiting for its turn" for task in waiting}
        for member, task in running.items():
            words[member] = self._life.read(RunFolder(task.folder).life_file)
        return words

    def _tell_costs(self):
        """Says once what whole scans cost, when a member has found out."""
        if self._told:
            return
        maps = planned_error_maps(self.folder)
        validation = planned_validation(self.folder)
        if maps is None or validation is None:
            return
        self._told = True
        line = describe(maps, len(self.folder.cases("train")))
        if line:
            self.say(line)
        self.say(describe_validation(self.config, validation, maps.epoch))

    def _cure(self):
        if self.folder.has_begun():
            return "Correct this and continue with `resume=True`"
        return "Correct this and start again"

    def _report_death(self, task, outcome, again):
        what = "goes on from its last epoch" if again else "is left out"
        log.warning(
            "member %d of period %d died (%s) and %s",
            task.member + 1,
            task.period + 1,
            outcome.reason,
            what,
        )

    def _after_divergence(self, members):
        """The next period repeats this one at smaller rates.

        Raises:
            InputError: If none diverged, which smaller rates would not mend,
                or this was the second such period.
        """
        reasons = "; ".join(
            f"{member.start.rate:g}: {member.outcome}, {member.reason}"
            for member in members
        )
        if all(member.outcome == "left out" for member in members):
            raise InputError(
                self.folder.path,
                f"all members died ({reasons})",
                self._cure(),
            )
        before = self.record.periods[-1:]
        self.record.periods.append(Period(members, None))
        if before and before[0].winner is None:
            self.record.periods.pop()
            raise InputError(
                self.folder.path,
                f"no member got through two periods ({reasons})",
                "Start a new run with a smaller `population`",
            )
        self.say(
            f"no member got through the period ({reasons}); "
            f"once more from its start with rates times {SMALLER:g}"
        )
        self.record.next = [
            MemberStart(
                start.rate * SMALLER,
                start.parent,
                start.first_epoch,
                (
                    *start.segments[:-1],
                    (start.first_epoch, start.rate * SMALLER),
                ),
                start.origin,
            )
            for start in (member.start for member in members)
        ]

    def _after_period(self, number, members, fitness):
        winner = int(np.argmax(fitness))
        self._keep_model(number, members)
        rows = load_progress(self.folder.member(number, winner).state_file)
        write_history(self.folder.history_file, rows["rows"], self.names)
        self.record.periods.append(Period(members, winner))
        rng = np.random.default_rng((self.config.data.seed, number))
        parents = self.operator.select(fitness)
        rates = self.operator.vary(
            [member.start.rate for member in members], parents, rng
        )
        self.record.next = [
            self._child(number, parent, members[parent], rate)
            for parent, rate in zip(parents, rates, strict=True)
        ]
        self.say(
            f"period {number + 1}: rate {members[winner].start.rate:g} wins "
            f"with Dice {fitness[winner]:.4f}"
            + (
                f", next rates {', '.join(f'{rate:g}' for rate in rates)}"
                if self.record.epochs_done() < self.config.training.epochs
                else ""
            )
        )

    def _child(self, number, parent, member, rate):
        origin = self.folder.member(number, parent)
        if self.config.autolr.spawn_from == "best":
            origin = origin.best
        first = load_progress(origin.state_file)["epochs"]
        segments = [s for s in member.start.segments if s[0] < first]
        return MemberStart(
            rate,
            parent,
            first,
            (*segments, (first, rate)),
            str(origin.path.relative_to(self.folder.path)),
        )

    def _keep_model(self, number, members):
        """Copies the best model of the period if it is the best so far."""
        best = best_dice_of(members)
        if best is None or not is_better(best, self.record.best_dice):
            return
        member = next(
            i
            for i, candidate in enumerate(members)
            if best_dice_of([candidate]) == best
        )
        source = self.folder.member(number, member).model_file
        with written_whole(self.folder.model_file) as beside:
            shutil.copyfile(source, beside)
        self.record.best_dice = best

    def _remove_unused(self):
        """Removes states that no member of the next period starts from."""
        origins = {
            self.folder.path / start.origin for start in self.record.next
        }
        needed = origins | {p for origin in origins for p in origin.parents}
        for period in self.folder.members.glob("*"):
            if period not in needed:
                shutil.rmtree(period, ignore_errors=True)
                continue
            for member in period.glob("member-*"):
                if member not in needed:
                    shutil.rmtree(member, ignore_errors=True)


def _noted(config):
    """What `autolr.json` says of the settings."""
    settings = config.autolr
    return {
        "population": list(settings.population),
        "factors": list(settings.factors),
        "period": settings.period,
        "selection": settings.selection,
        "spawn_from": settings.spawn_from,
        "warmup_epochs": config.optimizer.warmup_epochs,
        "steps_per_epoch": config.training.steps_per_epoch,
        "batch_size": config.sampling.batch_size,
    }


def _first_population(settings, folder):
    origin = str(folder.start.path.relative_to(folder.path))
    return [
        MemberStart(rate, None, 0, ((0, rate),), origin)
        for rate in settings.population
    ]


def _rows_of(task):
    """A member's rows of the period so far."""
    folder = RunFolder(task.folder)
    if not folder.state_file.exists():
        return []
    return load_progress(folder.state_file)["rows"][task.first_epoch :]
