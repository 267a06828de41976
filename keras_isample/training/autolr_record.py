"""What a population did: `autolr.json`."""

import json
import math
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field

from keras_isample.errors import InputError
from keras_isample.training.history import best_score
from keras_isample.volumes.files import write_text

FORMAT = 1

ROW = ("epoch", "learning_rate", "noise_scale", "loss", "val_dice")
"""Columns of the history that are kept for every member and epoch."""


@dataclass(frozen=True)
class MemberStart:
    """What a member begins a period with.

    Attributes:
        rate: Its rate after warm-up.
        parent: Number of the member of the period before whose state it has;
            `None` in the first period.
        first_epoch: Epochs behind that state.
        segments: Rates that led there and its own, pairs of first epoch and
            rate.
        origin: Folder of the state, relative to the run.
    """

    rate: float
    parent: int | None
    first_epoch: int
    segments: tuple[tuple[int, float], ...]
    origin: str


@dataclass(frozen=True)
class MemberPeriod:
    """What a member did in a period.

    Attributes:
        start: Its `MemberStart`.
        outcome: `"finished"`, `"diverged"` or `"left out"`.
        reason: In words, unless it finished.
        rows: One dictionary an epoch, with the columns `ROW`.
    """

    start: MemberStart
    outcome: str
    reason: str
    rows: tuple[dict, ...]

    @property
    def scores(self):
        """Validation Dice of every epoch that has one; none of a loser."""
        if self.outcome != "finished":
            return []
        return [
            row["val_dice"] for row in self.rows if row["val_dice"] is not None
        ]


@dataclass
class Period:
    """One period of a population.

    Attributes:
        members: The `MemberPeriod`s.
        winner: Number of the fittest member; `None` if all diverged.
    """

    members: list[MemberPeriod]
    winner: int | None


@dataclass
class PopulationRecord:
    """All periods so far, and how the next one begins.

    Attributes:
        settings: Dictionary of the AutoLR settings, for the reader.
        periods: The `Period`s that have ended.
        next: The `MemberStart`s of the period under way, or of the one that
            would follow the last.
        best_dice: Best validation Dice so far, or `None`.
    """

    settings: dict
    periods: list[Period] = field(default_factory=list)
    next: list[MemberStart] = field(default_factory=list)
    best_dice: float | None = None

    def epochs_done(self):
        """Epochs of all periods together."""
        return sum(
            max((len(member.rows) for member in period.members), default=0)
            for period in self.periods
            if period.winner is not None
        )

    def schedule(self):
        """The schedule that led to the last winner.

        Returns:
            `piecewise` segments and epochs of warm-up.

        Raises:
            ValueError: If no period has a winner.
        """
        won = [p for p in self.periods if p.winner is not None]
        if not won:
            raise ValueError("no period has ended with a winner")
        last = won[-1]
        segments = last.members[last.winner].start.segments
        return list(segments), self.settings["warmup_epochs"]

    def save(self, path):
        """Writes `autolr.json`, replacing an older one as a whole."""
        content = {
            "format": FORMAT,
            "settings": self.settings,
            "best_dice": self.best_dice,
            "periods": [
                {
                    "period": number,
                    "winner": period.winner,
                    "members": [
                        {"member": i, **asdict(member)}
                        for i, member in enumerate(period.members)
                    ],
                }
                for number, period in enumerate(self.periods)
            ],
            "next": [asdict(start) for start in self.next],
        }
        write_text(path, json.dumps(content, indent=1) + "\n")

    @classmethod
    def load(cls, path):
        """Reads `autolr.json`.

        Raises:
            InputError: If it is not there or not what `save` wrote.
        """
        try:
            with open(path, encoding="utf-8") as file:
                content = json.load(file)
            periods = [
                Period([_member(m) for m in p["members"]], p["winner"])
                for p in content["periods"]
            ]
            if content["format"] != FORMAT:
                raise ValueError(f"format {content['format']!r}")
            return cls(
                content["settings"],
                periods,
                [_start(start) for start in content["next"]],
                content["best_dice"],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                path,
                f"is no record of a population ({error})",
                "Give the autolr.json of a run with `learning_rate='auto'`",
            ) from error


def kept_rows(rows):
    """The columns of some rows of a history that are recorded."""
    return tuple({name: _known(row.get(name)) for name in ROW} for row in rows)


def best_dice_of(members):
    """Best validation Dice of some `MemberPeriod`s, or `None`."""
    return best_score([row for m in members for row in m.rows])


def read_replayed(settings, folder, resume):
    """The record that an `lr_schedule` such as replay:FILE asks for.

    A run keeps its own copy, since the one that it replays may go on.

    Args:
        settings: An `OptimizerConfig`.
        folder: The `RunFolder` that replays it.
        resume: Whether that run has begun before.

    Returns:
        A `PopulationRecord`, or `None` for another schedule.

    Raises:
        InputError: If the file holds no schedule.
    """
    kind, parameters = settings.schedule
    if kind != "replay":
        return None
    path = parameters[0]
    if resume and folder.replayed_file.exists():
        path = folder.replayed_file
    record = PopulationRecord.load(path)
    try:
        record.schedule()
    except (ValueError, KeyError) as error:
        raise InputError(
            path,
            f"holds no schedule yet ({error})",
            "Let its run go on to the end of a period",
        ) from error
    return record


def _known(value):
    # JSON has no NaN.
    return value if value is not None and math.isfinite(value) else None


def _start(content):
    segments = tuple((start, rate) for start, rate in content["segments"])
    return MemberStart(**{**content, "segments": segments})


def _member(content):
    return MemberPeriod(
        _start(content["start"]),
        content["outcome"],
        content["reason"],
        tuple(content["rows"]),
    )
