"""Classes that no training case has a voxel of, and why."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike

from keras_isample.data.cohort import Cohort
from keras_isample.data.layout import count
from keras_isample.data.layout import shorten
from keras_isample.errors import InputError

_MOST_NAMES = 8

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClassesOfCase:
    """Which classes have a voxel in a case.

    Args:
        name: Name of the case.
        annotated: Names of classes with a voxel in the label files.
        kept: Those that have one at the training spacing, too.
    """

    name: str
    annotated: frozenset[str]
    kept: frozenset[str]


def check_classes(cohort: Cohort, cases: Sequence) -> None:
    """Warns of classes that cannot be learned from prepared training cases.

    Args:
        cohort: The training cases, for the names of the classes.
        cases: Their `PreparedCase`s.

    Raises:
        InputError: If no class has a voxel in any case.
    """
    names = cohort.class_names
    found = []
    for case in cases:
        # What counts as one class with the background is not learned here.
        known = [k for k in range(1, len(names)) if k not in case.merged]
        annotated = frozenset(names[k] for k in known if case.annotated[k])
        kept = frozenset(names[k] for k in known if case.counts[k])
        found.append(ClassesOfCase(case.name, annotated, kept))
    refuse_no_class(cohort.path, names[1:], found, cohort.spacing)
    lines = absent_classes(names[1:], found, cohort.spacing)
    empty = [case.name for case in found if not case.annotated]
    if empty:
        lines.append(
            f"{shorten(empty)}: {count(len(empty), 'training case')} without "
            "a voxel of the chosen labels, taken as healthy. Leave out what "
            "was not annotated."
        )
    for line in lines:
        logger.warning("%s", line)


def refuse_no_class(
    source: str | PathLike,
    names: Sequence[str],
    cases: Sequence[ClassesOfCase],
    spacing: Sequence[float] | None,
    kind: str = "training case",
) -> None:
    """Refuses cases of which none has a voxel of any class.

    Args:
        source: The data set.
        names: Names of the classes, without the background.
        cases: What each case has.
        spacing: Training spacing in mm; `None` if it is each scan's own.
        kind: What a case is called.

    Raises:
        InputError: If there are cases and none has a voxel of these classes.
    """
    if not cases or any(case.kept.intersection(names) for case in cases):
        return
    listed = shorten(names, _MOST_NAMES)
    if any(case.annotated.intersection(names) for case in cases):
        raise InputError(
            source,
            f"no {kind} has a voxel of the chosen labels ({listed}) left at "
            f"{spacing_text(spacing)}",
            "Choose a finer `spacing`, or native",
        )
    raise InputError(
        source,
        f"no {kind} has a voxel of the chosen labels ({listed})",
        "Check the label files, or choose other `labels`",
    )


def absent_classes(
    names: Sequence[str],
    cases: Sequence[ClassesOfCase],
    spacing: Sequence[float] | None,
    kind: str = "training case",
) -> list[str]:
    """One line for each reason why classes lack voxels.

    Arguments are those of `refuse_no_class`.
    """
    never = [n for n in names if not any(n in c.annotated for c in cases)]
    lines = []
    if never:
        lines.append(
            f"{shorten(never, _MOST_NAMES)}: not annotated in any {kind} "
            f"(of {len(cases)}), so it cannot be learned. Choose other "
            "`labels` or another `split`."
        )
    for name in names:
        has = [c for c in cases if name in c.annotated]
        lost = [c.name for c in has if name not in c.kept]
        if not lost:
            continue
        line = (
            f"{name}: lost by resampling to {spacing_text(spacing)} in "
            f"{len(lost)} of {count(len(has), kind)} that "
            f"{'has' if len(has) == 1 else 'have'} it ({shorten(lost)})"
        )
        if len(lost) == len(has):
            line += ", so it cannot be learned"
        lines.append(f"{line}. Choose a finer `spacing`.")
    return lines


def spacing_text(spacing: Sequence[float] | None) -> str:
    """A training spacing as it is shown: `5 x 5 x 5 mm`."""
    if spacing is None:
        return "the training spacing"
    return " x ".join(f"{size:g}" for size in spacing) + " mm"
