"""The labels of a case as an inspection sees them."""

from collections.abc import Sequence

import numpy as np

from keras_isample.data.class_presence import spacing_text
from keras_isample.data.cohort import Cohort
from keras_isample.data.copied_images import refuse_copy
from keras_isample.data.copied_images import refuse_image
from keras_isample.data.findings import Findings
from keras_isample.data.findings import listed
from keras_isample.data.inspected_images import InspectedImage
from keras_isample.data.label_values import count_classes
from keras_isample.data.layout import Case
from keras_isample.data.layout import shorten
from keras_isample.errors import InputError
from keras_isample.volumes.grid import Grid
from keras_isample.volumes.grid import check_same_place
from keras_isample.volumes.grid import onto_grid
from keras_isample.volumes.reading import MAX_LABEL
from keras_isample.volumes.reading import read_grid
from keras_isample.volumes.reading import read_label_map
from keras_isample.volumes.resampling import remaining_labels
from keras_isample.volumes.volume import Volume
from keras_isample.volumes.volume import to_canonical


def inspect_labels(
    cohort: Cohort,
    case: Case,
    images: Sequence[InspectedImage],
    shape: Sequence[int] | None,
    findings: Findings,
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Reads the label map or the masks of a case.

    Args:
        cohort: Its data set, for its classes and the spacing.
        case: The case.
        images: Its images.
        shape: Voxels at the training spacing; `None` if it cannot be brought
            there.
        findings: Where what is wrong is noted.

    Returns:
        Shares of the classes that are wholly annotated, and the names of
        those that have voxels and lose them at the training spacing.
    """
    not_annotated = cohort.missing(case)
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
            f"{spacing_text(cohort.spacing)}. Choose a finer `spacing`."
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
            f"has labels without a name: {listed(unknown)}; known are "
            f"{listed(sorted(known))}",
            "Name them in dataset.json or correct the label map",
        )
    table = np.zeros(max(len(histogram), *known) + 1, np.uint8)
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
            f"has the labels {listed(foreground)} where a mask has one",
            "Save one mask a structure, of 0 and 1",
        )


class _LabelFiles:
    """Reads label files of a case onto the grid of its images.

    Args:
        case: The case.
        images: Its `InspectedImage`s.
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
