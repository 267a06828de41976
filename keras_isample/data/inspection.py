"""What is in a data set, and everything that is wrong with it, case by case.

Training stops at the first fault of a case; an inspection goes on, so that
all faults can be mended at once.
"""

import contextlib
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np

from keras_isample.data.channels import check_channels
from keras_isample.data.channels import peek_channels
from keras_isample.data.cohort import Cohort
from keras_isample.data.layout import Case
from keras_isample.errors import InputError
from keras_isample.volumes.grid import Grid
from keras_isample.volumes.grid import check_same_grid
from keras_isample.volumes.grid import format_shape
from keras_isample.volumes.intensity import looks_like_hu
from keras_isample.volumes.reading import MAX_LABEL
from keras_isample.volumes.reading import read_channels
from keras_isample.volumes.reading import read_grid
from keras_isample.volumes.reading import read_label_map


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
    problems: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def trainable(self) -> bool:
        """Whether the case can be trained on."""
        return not self.problems


def inspect_case(cohort: Cohort, case: Case) -> CaseReport:
    """Reads every file of a case and reports all that is wrong.

    Args:
        cohort: The data set, for its classes, channels and intensity.
        case: One of its cases.
    """
    findings = _Findings()
    not_annotated = tuple(cohort.missing(case))
    images = [_inspect_image(path, cohort, findings) for path in case.images]
    spans = tuple(span for _, found in images for span in found)
    with findings.collected():
        check_channels(case, spans, cohort.channel_names)
    grids = [
        (path, grid)
        for path, (grid, _) in zip(case.images, images, strict=True)
        if grid is not None
    ]
    for path, grid in grids[1:]:
        with findings.collected():
            check_same_grid(grids[0][1], grids[0][0], grid, path)
    reference = grids[0] if grids else None
    shares = _inspect_labels(cohort, case, not_annotated, reference, findings)
    affine = grids[0][1].affine if grids else None
    return CaseReport(
        name=case.name,
        shape=grids[0][1].shape if grids else None,
        spacing=_spacing(affine) if grids else None,
        orientation="".join(nib.aff2axcodes(affine)) if grids else None,
        intensity_range=spans,
        shares=shares,
        not_annotated=not_annotated,
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
        workers: Cases read at the same time, each with one scan in memory.
        progress: Called after each case with the number of cases done and of
            all cases.

    Returns:
        One report a case, in the order of the cohort.
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
    return reports


def format_report(reports: Sequence[CaseReport], cohort: Cohort) -> str:
    """A table of one row a case, and below it what is wrong.

    Args:
        reports: From `inspect_cohort`.
        cohort: The data set that they describe.
    """
    names = tuple(cohort.class_names)[1:]
    rows = [("case", "shape", "spacing", "axes", "intensity", *names, "")]
    rows += [_row(report, names) for report in reports]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths) for row in rows]
    for title in ("problems", "warnings"):
        found = [(r.name, text) for r in reports for text in getattr(r, title)]
        if found:
            lines += ["", f"{title}:"]
            lines += (
                _warning_lines(found)
                if title == "warnings"
                else [f"  {name}: {text}" for name, text in found]
            )
    good = sum(report.trainable for report in reports)
    lines += ["", f"{good} of {len(reports)} cases can be trained on."]
    return "\n".join(lines)


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
            names = _listed(list(dict.fromkeys(name for name, _ in others)))
            lines.append(
                f"    the same in {len(others)} more (`--json` tells each): "
                f"{names}"
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


class _Findings:
    """Problems and warnings of one case, each told once."""

    def __init__(self):
        self.problems = []
        self.warnings = []

    def problem(self, source, problem, cure):
        self._add(self.problems, str(InputError(source, problem, cure)))

    def warn(self, text):
        self._add(self.warnings, text)

    @contextlib.contextmanager
    def collected(self) -> Iterator[None]:
        """Turns an error in the block into a problem, and goes on."""
        try:
            yield
        except InputError as error:
            self._add(self.problems, str(error))

    @staticmethod
    def _add(lines, text):
        if text not in lines:
            lines.append(text)


def _inspect_image(path, cohort, findings):
    """The grid of an image and the range of each channel, as far as they go."""
    with findings.collected():
        volumes = read_channels(path, warn=findings.warn)
        spans = [(v.array.min().item(), v.array.max().item()) for v in volumes]
        _check_spans(path, spans, cohort.intensity, findings)
        return Grid(volumes[0].shape, volumes[0].affine), spans
    return _grid_at_least(path, findings), [None] * peek_channels(path)


def _check_spans(path, spans, intensity, findings):
    low, high = min(low for low, _ in spans), max(high for _, high in spans)
    if low == high:
        findings.problem(
            path,
            f"is constant: every voxel is {low:g}",
            "Export the scan again or leave the case out",
        )
    elif intensity == "ct" and not looks_like_hu(low, high):
        findings.warn(
            f"{path}: values do not look like Hounsfield units; choose "
            "`--intensity zscore` if it is no CT."
        )


def _grid_at_least(path, findings):
    """The grid of a file whose voxels were refused, to check it as well."""
    with findings.collected():
        return read_grid(path, warn=findings.warn)
    return None


def _inspect_labels(cohort, case, not_annotated, reference, findings):
    """Shares of the classes, from one label map or from masks."""
    classes = cohort.classes
    if case.label_map is None:
        # A class of which one side is annotated is read, but has no share.
        classes = [c for c in classes if _masks_of(case, [c])]
    if case.label_map is None and not case.masks:
        findings.problem(
            case.images[0] if case.images else case.name,
            "has no label map",
            "Add one or leave the case out",
        )
        return {}
    if not classes:
        findings.problem(
            case.images[0] if case.images else case.name,
            "has none of the chosen labels annotated",
            "Choose other labels or leave the case out",
        )
        return {}
    nothing_whole = len(not_annotated) == len(cohort.classes)
    if nothing_whole and cohort.partial != "background":
        findings.problem(
            case.images[0] if case.images else case.name,
            "has none of the chosen labels wholly annotated",
            "Choose other labels or leave the case out",
        )
    if case.label_map is not None:
        counts = _count_label_map(cohort, case, classes, reference, findings)
    else:
        counts = _count_masks(case, classes, reference, findings)
    if counts and not any(voxels for voxels, _ in counts.values()):
        findings.problem(
            case.label_map or _masks_of(case, classes)[0],
            "is empty: no voxel has any of the chosen labels "
            f"({', '.join(c.name for c in classes)})",
            "Check the labels or leave the case out",
        )
    return {
        name: voxels / size
        for name, (voxels, size) in counts.items()
        if name not in not_annotated
    }


def _count_label_map(cohort, case, classes, reference, findings):
    """Voxels of each class, and of all, in an integer label map."""
    path = case.label_map
    labels = _read_labels(path, reference, findings)
    if labels is None:
        return {}
    histogram = _histogram(labels)
    known = {0, *cohort.structures.values()}
    unknown = [int(v) for v in np.flatnonzero(histogram) if v not in known]
    if unknown:
        findings.problem(
            path,
            f"has labels without a name: {_listed(unknown)}; known are "
            f"{_listed(sorted(known))}",
            "Name them in dataset.json or correct the label map",
        )
    values = {
        c.name: {cohort.structures[s] for s in c.structures} for c in classes
    }
    return {
        name: (int(sum(histogram[v] for v in own)), labels.size)
        for name, own in values.items()
    }


def _count_masks(case, classes, reference, findings):
    """Voxels of each class, and of all, in masks of one structure each."""
    counts = {}
    for label_class in classes:
        union = None
        for path in _masks_of(case, [label_class]):
            mask = _read_labels(path, reference, findings)
            if mask is None:
                continue
            _check_mask(path, mask, findings)
            if union is None:
                union = mask > 0
            elif union.shape == mask.shape:
                union |= mask > 0
        if union is not None:
            voxels = int(np.count_nonzero(union))
            counts[label_class.name] = (voxels, union.size)
    return counts


def _masks_of(case, classes):
    names = [s for c in classes for s in c.structures if s in case.masks]
    return [case.masks[name] for name in names]


def _check_mask(path, mask, findings):
    values = np.flatnonzero(_histogram(mask))
    foreground = [int(v) for v in values if v]
    if len(foreground) > 1:
        findings.problem(
            path,
            f"has the labels {_listed(foreground)} where a mask has one",
            "Save one mask a structure, of 0 and 1",
        )


def _read_labels(path, reference, findings):
    """The array of a label file, once its grid is checked."""
    labels, grid = None, None
    with findings.collected():
        volume = read_label_map(path, warn=findings.warn)
        labels, grid = volume.array, Grid(volume.shape, volume.affine)
    if grid is None:
        grid = _grid_at_least(path, findings)
    if grid is not None and reference is not None:
        with findings.collected():
            check_same_grid(reference[1], reference[0], grid, path)
    return labels


def _histogram(labels):
    """Voxels of each label; slice by slice, as `bincount` widens to int64."""
    total = np.zeros(MAX_LABEL + 1, dtype=np.int64)
    for index in range(labels.shape[2]):
        counts = np.bincount(labels[:, :, index].ravel(order="K"))
        total[: len(counts)] += counts
    return total


def _listed(values, most=8):
    shown = [str(value) for value in values[:most]]
    rest = [f"and {len(values) - most} more"] if len(values) > most else []
    return ", ".join(shown + rest)


def _spacing(affine):
    return tuple(float(size) for size in nib.affines.voxel_sizes(affine))


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
        *(_share(report, name) for name in names),
        _verdict(report),
    )


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
