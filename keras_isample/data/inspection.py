"""What is in a data set, and everything that is wrong with it, case by case.

Training stops at the first fault of a case; an inspection goes on, so that
all faults can be corrected at once. What stops training is a problem here, and
what it warns of is a warning.
"""

import contextlib
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import replace
from typing import Any

import nibabel as nib
import numpy as np

from keras_isample.data.channels import check_channels
from keras_isample.data.channels import peek_channels
from keras_isample.data.class_presence import ClassesOfCase
from keras_isample.data.class_presence import absent_classes
from keras_isample.data.class_presence import refuse_no_class
from keras_isample.data.class_presence import spacing_text
from keras_isample.data.cohort import Cohort
from keras_isample.data.copied_images import refuse_copy
from keras_isample.data.copied_images import refuse_image
from keras_isample.data.label_values import count_classes
from keras_isample.data.layout import Case
from keras_isample.data.layout import shorten
from keras_isample.data.slice_axis import all_single_slices
from keras_isample.errors import InputError
from keras_isample.volumes.grid import Grid
from keras_isample.volumes.grid import canonical_grid
from keras_isample.volumes.grid import check_same_place
from keras_isample.volumes.grid import format_shape
from keras_isample.volumes.grid import onto_grid
from keras_isample.volumes.intensity import fit_intensity
from keras_isample.volumes.intensity import looks_like_hu
from keras_isample.volumes.intensity import num_gray_levels
from keras_isample.volumes.padding import FEW_LEVELS
from keras_isample.volumes.reading import MAX_LABEL
from keras_isample.volumes.reading import read_channels
from keras_isample.volumes.reading import read_grid
from keras_isample.volumes.reading import read_label_map
from keras_isample.volumes.resampling import remaining_labels
from keras_isample.volumes.training_shape import check_training_shape
from keras_isample.volumes.volume import Volume
from keras_isample.volumes.volume import to_canonical

_MOST_COLUMNS = 16
"""Classes that have a column of their own in the table."""

_FEWEST, _ENOUGH = 4, 8
"""Voxels along an axis: with fewer than these along one axis, or than those
along each, there is nothing for a network to see. Axes of one voxel aside."""


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
    findings = _Findings()
    not_annotated = tuple(cohort.missing(case))
    images = [_inspect_image(path, cohort, findings) for path in case.images]
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
        shape = _inspect_shape(cohort, reference, len(spans), findings)
    shares, lost = _inspect_labels(
        cohort, case, not_annotated, images, shape, findings
    )
    grid = reference.grid if reference else None
    return CaseReport(
        name=case.name,
        shape=grid.shape if grid else None,
        spacing=grid.spacing if grid else None,
        orientation="".join(nib.aff2axcodes(grid.affine)) if grid else None,
        intensity_range=spans,
        shares=shares,
        not_annotated=not_annotated,
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
            "all cases are single slices: networks for slices (--network unet, "
            "unet3plus, deeplab-v3) can learn them, dual-path sees volumes."
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


@dataclass(frozen=True)
class _Image:
    """A file of a case's images, as far as it could be read.

    Attributes:
        path: The file.
        grid: Where it lies; `None` if its header cannot be read.
        spans: Lowest and highest value of each channel, or `None`.
        volumes: Its channels; empty if they cannot be read.
    """

    path: Any
    grid: Grid | None
    spans: Sequence[tuple[float, float] | None]
    volumes: Sequence[Volume] = ()


def _inspect_image(path, cohort, findings):
    """Grid, range and voxels of an image, as far as they go."""
    with findings.collected():
        volumes = read_channels(path, warn=findings.warn)
        spans = [(v.array.min().item(), v.array.max().item()) for v in volumes]
        _check_spans(path, spans, cohort.intensity, findings)
        _check_levels(path, volumes, cohort.intensity, findings)
        grid = Grid(volumes[0].shape, volumes[0].affine)
        return _Image(path, grid, spans, volumes)
    grid = _grid_at_least(path, findings)
    return _Image(path, grid, [None] * peek_channels(path))


def _check_spans(path, spans, intensity, findings):
    low, high = min(low for low, _ in spans), max(high for _, high in spans)
    if intensity == "ct" and low < high and not looks_like_hu(low, high):
        findings.warn(
            f"{path}: values do not look like Hounsfield units; choose "
            "`--intensity zscore` if it is no CT."
        )


def _check_levels(path, volumes, intensity, findings):
    """Warns of channels in which there is little or nothing to see."""
    for volume in volumes:
        known = fit_intensity(intensity, volume.array)
        levels = num_gray_levels(volume.array, known, intensity)
        if levels == 1:
            low, high = volume.array.min(), volume.array.max()
            where = f"{low:g}" if low == high else f"in {low:g} to {high:g}"
            findings.warn(
                f"{path}: is constant for `--intensity {intensity}`: every "
                f"voxel is {where}. Export it again or leave the case out."
            )
        elif levels < FEW_LEVELS:
            findings.warn(
                f"{path}: has {levels} gray levels only once normalized by "
                f"`--intensity {intensity}`. Check that it is a scan, and its "
                "intensities."
            )


def _inspect_shape(cohort, image, num_channels, findings):
    """Voxels of a case at the training spacing, `None` if it cannot be."""
    grid = canonical_grid(image.grid)
    shape = None
    with findings.collected():
        shape = check_training_shape(
            grid.shape,
            grid.spacing,
            cohort.spacing,
            image.path,
            num_channels=num_channels,
        )
    if shape is None:
        return None
    both = zip(shape, grid.shape, strict=True)
    thick = [min(new, old) for new, old in both if old > 1]
    if min(thick, default=1) < _FEWEST or max(thick) < _ENOUGH:
        findings.warn(
            f"{image.path}: has {format_shape(image.grid.shape)} voxels, "
            f"{format_shape(shape)} at the training spacing: too few for a "
            "network to see anything. Give whole scans, or leave the case out."
        )
    return shape


def _grid_at_least(path, findings):
    """The grid of a file whose voxels were refused, to check it as well."""
    with findings.collected():
        return read_grid(path, warn=findings.warn)
    return None


def _inspect_labels(cohort, case, not_annotated, images, shape, findings):
    """Shares of the classes, and those that the training spacing loses.

    From one label map or from masks.
    """
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
        return {}, ()
    if not classes:
        findings.problem(
            case.images[0] if case.images else case.name,
            "has none of the chosen labels annotated",
            "Choose other labels or leave the case out",
        )
        return {}, ()
    nothing_whole = len(not_annotated) == len(cohort.classes)
    if nothing_whole and cohort.partial != "background":
        findings.problem(
            case.images[0] if case.images else case.name,
            "has none of the chosen labels wholly annotated",
            "Choose other labels or leave the case out",
        )
    files = _LabelFiles(case, images, findings)
    if case.label_map is not None:
        voxels, class_map = _count_label_map(cohort, case, classes, files)
    else:
        voxels, class_map = _count_masks(cohort, case, classes, files)
    if class_map is None:
        return {}, ()
    if not any(voxels.values()):
        findings.warn(
            f"{case.label_map or _masks_of(case, classes)[0]}: has no voxel of "
            f"the chosen labels ({shorten([c.name for c in classes], 8)}), so "
            "it is taken as healthy. Leave the case out if it was not "
            "annotated."
        )
    shares = {
        name: number / class_map.array.size
        for name, number in voxels.items()
        if name not in not_annotated
    }
    lost = _lost(cohort, class_map) if shape else set()
    lost = tuple(name for name in shares if name in lost)
    if lost:
        findings.warn(
            f"{case.label_map or _masks_of(case, classes)[0]}: of "
            f"{shorten(lost, 8)} no voxel is left by resampling to "
            f"{spacing_text(cohort.spacing)}. Choose a finer --spacing."
        )
    return shares, lost


def _lost(cohort, class_map):
    """Names of classes of which resampling leaves nothing."""
    class_map = to_canonical(class_map)
    spacing = cohort.spacing or class_map.spacing
    counts = count_classes(class_map.array, cohort.num_classes)
    left = remaining_labels(class_map, spacing)
    names = cohort.class_names
    return {names[k] for k, n in enumerate(counts) if n and k not in left}


def _count_label_map(cohort, case, classes, files):
    """Voxels of each class in an integer label map, and its `Volume`."""
    labels = files.read(case.label_map)
    if labels is None:
        return {}, None
    histogram = _histogram(labels.array)
    known = {0, *cohort.structures.values()}
    unknown = [int(v) for v in np.flatnonzero(histogram) if v not in known]
    if unknown:
        files.problem(
            case.label_map,
            f"has labels without a name: {_listed(unknown)}; known are "
            f"{_listed(sorted(known))}",
            "Name them in dataset.json or correct the label map",
        )
    table = np.zeros(len(histogram), np.uint8)
    for index, label_class in enumerate(cohort.classes, start=1):
        for name in label_class.structures:
            table[cohort.structures[name]] = index
    class_map = Volume(table[labels.array], labels.affine)
    counts = count_classes(class_map.array, cohort.num_classes)
    names = cohort.class_names
    return {c.name: counts[names.index(c.name)] for c in classes}, class_map


def _count_masks(cohort, case, classes, files):
    """Voxels of each class in masks of one structure, and their class map."""
    voxels, merged, affine = {}, None, None
    for label_class in classes:
        union = None
        for path in _masks_of(case, [label_class]):
            mask = files.read(path)
            if mask is None:
                continue
            _check_mask(path, mask.array, files)
            affine = mask.affine if affine is None else affine
            if union is None:
                union = mask.array > 0
            elif union.shape == mask.shape:
                union |= mask.array > 0
        if union is None:
            continue
        voxels[label_class.name] = int(np.count_nonzero(union))
        if merged is None:
            merged = np.zeros(union.shape, np.uint8)
        if merged.shape == union.shape:
            merged[union] = 1 + cohort.classes.index(label_class)
    return voxels, None if merged is None else Volume(merged, affine)


def _masks_of(case, classes):
    names = [s for c in classes for s in c.structures if s in case.masks]
    return [case.masks[name] for name in names]


def _check_mask(path, mask, files):
    values = np.flatnonzero(_histogram(mask))
    foreground = [int(v) for v in values if v]
    if len(foreground) > 1:
        files.problem(
            path,
            f"has the labels {_listed(foreground)} where a mask has one",
            "Save one mask a structure, of 0 and 1",
        )


class _LabelFiles:
    """Reads label files of a case onto the grid of its images.

    Args:
        case: The case.
        images: Its `_Image`s.
        findings: Where what is wrong is noted.
    """

    def __init__(self, case, images, findings):
        self._case = case
        self._findings = findings
        self._images = [
            (image.path, volume) for image in images for volume in image.volumes
        ]
        found = (image for image in images if image.grid is not None)
        self._reference = next(found, None)

    def read(self, path) -> Volume | None:
        """The labels of a file, with the axes of the image if it has them."""
        try:
            volume = read_label_map(path, warn=self._findings.warn)
        except InputError as error:
            with self._findings.collected():
                refuse_copy(path, self._case.images)
                raise error
            self._place(path, self._grid_at_least(path))
            return None
        turned = self._place(path, volume)
        with self._findings.collected():
            refuse_image(path, turned or volume, self._images)
        return turned or volume

    def problem(self, path, problem, cure):
        """Notes what is wrong with a file, unless it is a copied image."""
        with self._findings.collected():
            refuse_copy(path, self._case.images)
            raise InputError(path, problem, cure)

    def _grid_at_least(self, path):
        with self._findings.collected():
            return read_grid(path, warn=self._findings.warn, labels=True)
        return None

    def _place(self, path, volume):
        """Notes if labels lie elsewhere; else what `onto_grid` gives."""
        if volume is None or self._reference is None:
            return volume
        place = self._reference.grid, self._reference.path, volume, path
        with self._findings.collected():
            if isinstance(volume, Grid):
                check_same_place(*place)
                return volume
            return onto_grid(*place)
        return None


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
