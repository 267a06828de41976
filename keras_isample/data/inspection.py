"""What is in a data set, and everything that is wrong with it, case by case.

Training stops at the first fault of a case; an inspection goes on, so that
all faults can be corrected at once. What stops training is a problem here, and
what it warns of is a warning.
"""

import contextlib
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import replace
from typing import Any

import nibabel as nib

from keras_isample.data.channels import check_channels
from keras_isample.data.class_presence import ClassesOfCase
from keras_isample.data.class_presence import absent_classes
from keras_isample.data.class_presence import refuse_no_class
from keras_isample.data.cohort import Cohort
from keras_isample.data.findings import Findings
from keras_isample.data.findings import listed
from keras_isample.data.inspected_images import inspect_image
from keras_isample.data.inspected_images import inspect_shape
from keras_isample.data.inspected_labels import inspect_labels
from keras_isample.data.layout import Case
from keras_isample.data.layout import shorten
from keras_isample.data.slice_axis import all_single_slices
from keras_isample.errors import InputError
from keras_isample.volumes.grid import check_same_place
from keras_isample.volumes.grid import format_shape

_MOST_COLUMNS = 16
"""Classes that have a column of their own in the table."""


@dataclass(frozen=True)
class CaseReport:
    """What was found in the files of one case.

    Args:
        name: Name of the case.
        shape: Voxels along the spatial axes of the first readable image;
            `None`, as the next two, if no image could be read.
        spacing: Distance of its voxels in mm.
        orientation: Closest anatomical directions of its axes.
        intensity_range: Lowest and highest value of each channel, `None` for
            a channel that could not be read.
        shares: Share of the voxels of each class by its name, for classes
            that are annotated and could be read.
        not_annotated: Names of classes that were not, or not wholly,
            annotated in this case.
        lost: Names of classes that have voxels, and none of them at the
            training spacing.
        problems: Lines `<file>: <problem>. <cure>.` that forbid training.
        warnings: Lines on what may be wrong, or was assumed.
    """

    name: str
    shape: tuple[int, int, int] | None
    spacing: tuple[float, float, float] | None
    orientation: str | None
    intensity_range: tuple[tuple[float, float] | None, ...]
    shares: Mapping[str, float]
    not_annotated: tuple[str, ...]
    lost: tuple[str, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def trainable(self) -> bool:
        """Whether the case can be trained on."""
        return not self.problems


def at_own_spacing_if_flat(cohort: Cohort) -> Cohort:
    """The cohort at the spacing that training takes if none is given.

    Each case's own if all are single slices.
    """
    with contextlib.suppress(InputError):
        if all_single_slices(cohort):
            return replace(cohort, spacing=None)
    return cohort


def inspect_case(cohort: Cohort, case: Case) -> CaseReport:
    """Reads every file of a case and reports all that is wrong.

    Args:
        cohort: The data set, for its classes, channels and intensity.
        case: One of its cases.
    """
    findings = Findings()
    images = [inspect_image(path, cohort, findings) for path in case.images]
    spans = tuple(span for image in images for span in image.spans)
    with findings.collected():
        check_channels(case, spans, cohort.channel_names)
    read = [image for image in images if image.grid is not None]
    for image in read[1:]:
        with findings.collected():
            check_same_place(read[0].grid, read[0].path, image.grid, image.path)
    reference = read[0] if read else None
    shape = None
    if reference is not None:
        shape = inspect_shape(cohort, reference, len(spans), findings)
    shares, lost = inspect_labels(cohort, case, images, shape, findings)
    grid = reference.grid if reference else None
    return CaseReport(
        name=case.name,
        shape=grid.shape if grid else None,
        spacing=grid.spacing if grid else None,
        orientation="".join(nib.aff2axcodes(grid.affine)) if grid else None,
        intensity_range=spans,
        shares=shares,
        not_annotated=tuple(cohort.missing(case)),
        lost=lost,
        problems=tuple(findings.problems),
        warnings=tuple(findings.warnings),
    )


def inspect_cohort(
    cohort: Cohort,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> list[CaseReport]:
    """Inspects every case of a cohort.

    Args:
        cohort: The data set.
        workers: Cases read at the same time, each with its scan and its
            labels in memory.
        progress: Called after each case with the number of cases done and of
            all cases.

    Returns:
        One report a case, in the order of the cohort. Where no case to train
        on has a voxel of any class, this is a problem of each.
    """
    reports = []
    with ThreadPoolExecutor(max_workers=max(1, workers)) as executor:
        try:
            found = executor.map(
                lambda c: inspect_case(cohort, c), cohort.cases
            )
            for report in found:
                reports.append(report)
                if progress is not None:
                    progress(len(reports), len(cohort.cases))
        except BaseException:
            executor.shutdown(cancel_futures=True)
            raise
    flat = [
        report.shape is not None and 1 in report.shape for report in reports
    ]
    if not all(flat):
        reports = [
            _with_warning_of_slice(report, case) if is_flat else report
            for report, case, is_flat in zip(
                reports, cohort.cases, flat, strict=True
            )
        ]
    try:
        refuse_no_class(cohort.path, *_presence(reports, cohort))
    except InputError as error:
        reports = [
            replace(report, problems=(*report.problems, str(error)))
            if _is_to_train(report, cohort)
            else report
            for report in reports
        ]
    return reports


def _with_warning_of_slice(report, case):
    line = (
        f"{case.images[0]}: is a single slice in a data set of volumes. Give "
        "the whole scan, or leave the case out."
    )
    return replace(report, warnings=(*report.warnings, line))


def cohort_warnings(reports: Sequence[CaseReport], cohort: Cohort) -> list[str]:
    """What may be wrong with the data set as a whole, one line each.

    Args:
        reports: From `inspect_cohort`.
        cohort: The data set that they describe.
    """
    lines = absent_classes(*_presence(reports, cohort))
    shapes = [report.shape for report in reports if report.shape]
    if shapes and all(1 in shape for shape in shapes):
        lines.append(
            "all cases are single slices: networks for slices "
            "(`network='unet'`, unet3plus, deeplab-v3) can learn them, "
            "dual-path sees volumes."
        )
    return lines


def _presence(reports, cohort):
    """Arguments of `absent_classes` but the first, of the cases to train on.

    All cases, if the data give no split.
    """
    found = []
    for report in reports:
        # Of labels that cannot be read nothing is known.
        if _is_to_train(report, cohort) and report.shares:
            annotated = frozenset(n for n, s in report.shares.items() if s)
            kept = annotated.difference(report.lost)
            found.append(ClassesOfCase(report.name, annotated, kept))
    kind = "training case" if cohort.given_split else "case"
    return cohort.class_names[1:], found, cohort.spacing, kind


def _is_to_train(report, cohort):
    part = cohort.given_split.get(report.name, "train")
    return not cohort.given_split or part == "train"


def format_report(reports: Sequence[CaseReport], cohort: Cohort) -> str:
    """A table of one row a case, and below it what is wrong.

    Args:
        reports: From `inspect_cohort`.
        cohort: The data set that they describe.
    """
    names = tuple(cohort.class_names)[1:]
    if len(names) > _MOST_COLUMNS:
        columns = (f"classes of {len(names)}", "labeled")
    else:
        columns = names
    rows = [("case", "shape", "spacing", "axes", "intensity", *columns, "")]
    rows += [_row(report, names) for report in reports]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths) for row in rows]
    found = _problem_lines([(r.name, t) for r in reports for t in r.problems])
    if found:
        lines += ["", "problems:", *found]
    found = [(r.name, text) for r in reports for text in r.warnings]
    general = cohort_warnings(reports, cohort)
    if found or general:
        lines += ["", "warnings:", *_warning_lines(found)]
        lines += [f"  {line}" for line in general]
    good = sum(report.trainable for report in reports)
    lines += ["", f"{good} of {len(reports)} cases can be trained on."]
    return "\n".join(lines)


def _problem_lines(found):
    """Problems, that of all cases told once."""
    alike = {}
    for name, text in found:
        alike.setdefault(text, []).append(name)
    return [f"  {shorten(names)}: {text}" for text, names in alike.items()]


def _warning_lines(found):
    """Warnings that differ in their file only, told once."""
    alike = {}
    for name, text in found:
        kind = text.partition(": ")[2] or text
        alike.setdefault(kind, []).append((name, text))
    lines = []
    for (name, text), *others in alike.values():
        lines.append(f"  {name}: {text}")
        if others:
            names = listed(list(dict.fromkeys(name for name, _ in others)))
            lines.append(
                f"    the same in {len(others)} more (JSON has each): {names}"
            )
    return lines


def report_as_json(reports: Sequence[CaseReport]) -> list[dict[str, Any]]:
    """The reports as plain lists, dictionaries, strings and numbers."""
    return [
        {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(report).items()
        }
        | {"trainable": report.trainable}
        for report in reports
    ]


def _row(report, names):
    spans = [
        "?" if span is None else f"{span[0]:g}..{span[1]:g}"
        for span in report.intensity_range
    ]
    return (
        report.name,
        format_shape(report.shape) if report.shape else "?",
        "x".join(f"{s:.4g}" for s in report.spacing) if report.spacing else "?",
        report.orientation or "?",
        ", ".join(spans) or "?",
        *_shares(report, names),
        _verdict(report),
    )


def _shares(report, names):
    """One cell a class, or two cells about all of them."""
    if len(names) <= _MOST_COLUMNS:
        return [_share(report, name) for name in names]
    if not report.shares:
        return ["?", "?"]
    present = sum(share > 0 for share in report.shares.values())
    return [str(present), f"{100 * sum(report.shares.values()):.3g}%"]


def _share(report, name):
    if name in report.not_annotated:
        return "-"
    if name not in report.shares:
        return "?"
    return f"{100 * report.shares[name]:.3g}%"


def _verdict(report):
    found = []
    for count, noun in (
        (len(report.problems), "problem"),
        (len(report.warnings), "warning"),
    ):
        if count:
            found.append(f"{count} {noun}{'s' if count > 1 else ''}")
    return ", ".join(found) or "ok"


def _line(row, widths):
    """One line of the table: names to the left, numbers to the right."""
    cells = [
        cell.rjust(width) if 5 <= index < len(row) - 1 else cell.ljust(width)
        for index, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()
