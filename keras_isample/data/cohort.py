"""The cases of a data set and the classes to learn from them."""

import logging
import os
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path

from keras_isample.data import class_map
from keras_isample.data.cache import default_cache
from keras_isample.data.description import describe
from keras_isample.data.layout import Case
from keras_isample.data.layout import Layout
from keras_isample.data.layout import count
from keras_isample.data.layout import shorten
from keras_isample.data.recognition import recognize
from keras_isample.data.splits import split_names
from keras_isample.data.structures import BACKGROUND
from keras_isample.data.structures import LabelClass
from keras_isample.data.structures import choose_classes
from keras_isample.errors import InputError
from keras_isample.volumes.volume import Volume

_PARTS = ("train", "validation", "test")
_CHOICES = {
    "intensity": ("ct", "zscore"),
    "partial": ("merge", "exclude", "background"),
}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, repr=False)
class Cohort:
    """Labeled cases, and how their scans become training data.

    Args:
        path: Where the data set is.
        layout: Name of the layout that was recognized.
        cases: Labeled cases, sorted by name.
        structures: Name in the data to value in its label maps (1 for
            masks).
        classes: Foreground classes; class index is the position plus 1.
        channel_names: One name a channel.
        given_split: Case name to `train`, `validation` or `test`; empty if
            the data gives no split.
        notes: What was left out or chosen, for the user to read.
        spacing: Spacing in mm for training; `None` keeps each scan's own.
        intensity: `"ct"` (Hounsfield units) or `"zscore"`.
        partial: What a class that was not (wholly) annotated in a case means
            for training: `"merge"` (there it counts as one class with the
            background), `"exclude"` (the case is not trained on) or
            `"background"`.
        cache: Folder for prepared scans; `None` for the default one.
        modality: VISCERAL volumes that were chosen.

    Raises:
        ValueError: If `spacing`, `intensity` or `partial` is not one of
            these, or there are more than 254 classes.
    """

    path: Path
    layout: str
    cases: tuple[Case, ...]
    structures: Mapping[str, int] = field(hash=False)
    classes: tuple[LabelClass, ...]
    channel_names: tuple[str, ...]
    given_split: Mapping[str, str] = field(default_factory=dict, hash=False)
    notes: tuple[str, ...] = ()
    spacing: tuple[float, float, float] | None = (1.0, 1.0, 1.5)
    intensity: str = "ct"
    partial: str = "merge"
    cache: Path | None = None
    modality: str = "CTce_ThAb"

    def __post_init__(self):
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"Argument `{name}` must be one of {choices}. "
                    f"Received: {name}={getattr(self, name)!r}."
                )
        if self.spacing is not None:
            object.__setattr__(self, "spacing", _check_spacing(self.spacing))
        if len(self.classes) > class_map.MOST_CLASSES:
            raise InputError(
                self.path,
                f"{len(self.classes)} classes are more than the "
                f"{class_map.MOST_CLASSES} that can be learned at once",
                "Choose some of them as labels",
            )

    @property
    def num_classes(self) -> int:
        """Number of classes, background included."""
        return len(self.classes) + 1

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, `"background"` first."""
        return (BACKGROUND, *(c.name for c in self.classes))

    def missing(self, case: Case) -> tuple[str, ...]:
        """Names of classes that were not (wholly) annotated in a case.

        A class that merges two structures is missing if one mask is. Label
        maps are taken to be complete. `partial` changes nothing here.
        """
        return tuple(self.class_names[i] for i in self._missing_indices(case))

    def _missing_indices(self, case: Case) -> tuple[int, ...]:
        if case.label_map is not None:
            return ()
        return tuple(
            index
            for index, label_class in enumerate(self.classes, start=1)
            if any(s not in case.masks for s in label_class.structures)
        )

    def subset(self, names: Iterable[str]) -> "Cohort":
        """The cases of these names, in the order of this cohort.

        Raises:
            ValueError: If a name is none of this cohort's.
        """
        names = set(names)
        unknown = sorted(names - {case.name for case in self.cases})
        if unknown:
            raise ValueError(
                "Argument `names` must be names of cases. "
                f"Received: {shorten(unknown)}."
            )
        return replace(
            self,
            cases=tuple(case for case in self.cases if case.name in names),
            given_split=_select(self.given_split, names),
        )

    def split(
        self,
        train: float = 0.7,
        validation: float = 0.1,
        test: float = 0.2,
        *,
        seed: int = 0,
        fold: tuple[int, int] | None = None,
    ) -> tuple["Cohort", "Cohort", "Cohort"]:
        """Training, validation and test cases.

        A split given by the data wins over the shares, and a fold, which is
        asked for expressly, over both.

        Args:
            train: Share or number of training cases; only the ratio of the
                three counts.
            validation: Likewise.
            test: Likewise.
            seed: Of the permutation.
            fold: `(k, n)`: the test cases are the k-th of n folds, k from 1.

        Returns:
            Three cohorts, disjoint, some perhaps without cases.

        Raises:
            InputError: If the shares or the fold cannot be used.
        """
        if self.given_split and fold is None:
            parts = [
                [name for name, p in self.given_split.items() if p == part]
                for part in _PARTS
            ]
        else:
            parts = split_names(
                (case.name for case in self.cases),
                (train, validation, test),
                seed=seed,
                fold=fold,
            )
        if self.given_split and fold is not None:
            logger.warning(
                "%s: fold %d of %d is used, not the split given by the data",
                self.path,
                *fold,
            )
        return tuple(self.subset(names) for names in parts)

    def __repr__(self):
        names = ", ".join(c.name for c in self.classes)
        cases = count(len(self.cases), "case")
        return f"<Cohort {self.path} ({self.layout}): {cases}, {names}>"

    def describe(self) -> str:
        """Layout, cases, classes, split and notes, in a few lines."""
        return describe(self)


def read_cohort(
    path: str | os.PathLike,
    labels: Sequence[str] | None = None,
    *,
    spacing: tuple[float, float, float] | None = (1.0, 1.0, 1.5),
    intensity: str = "ct",
    partial: str = "merge",
    modality: str = "CTce_ThAb",
    cache: str | os.PathLike | None = None,
) -> Cohort:
    """Recognizes the layout of a data set and lists its labeled cases.

    No image is opened; label maps are only if nothing names their values, and
    then once as long as they stay the same.

    Args:
        path: Folder in VISCERAL, nnU-Net v2 raw or `images/` + `labels/`
            layout, or the folder above it.
        labels: Structures to learn, such as `["kidney", "liver"]`; the rest
            is background. `None` means all (VISCERAL: the ten of the
            papers).
        spacing: Spacing in mm for training; `None` keeps each scan's own.
        intensity: `"ct"` or `"zscore"`.
        partial: `"merge"`, `"exclude"` or `"background"`, see `Cohort`.
        modality: VISCERAL volumes to use.
        cache: Folder for prepared scans.

    Returns:
        The cohort. Whatever was left out is in its `notes`.

    Raises:
        InputError: If no layout is recognized, a file is missing, or a
            label is unknown or annotated in no case.

    Example:
    >>> cohort = read_cohort("visceral/", labels=["kidney"])
    >>> print(cohort.describe())
    """
    path = Path(path)
    cache = None if cache is None else Path(cache)
    layout = recognize(path, modality, cache or default_cache())
    if not layout.cases:
        raise InputError(
            path,
            f"no case has both an image and a label ({layout.name})",
            "Give labels the names of their images",
        )
    classes, notes = _choose_annotated(path, layout, labels)
    cases, left_out = _cases_with_labels(layout.cases, classes)
    return Cohort(
        path=path,
        layout=layout.name,
        cases=cases,
        structures=_select(layout.structures, _annotated(layout)),
        classes=classes,
        channel_names=layout.channel_names,
        given_split=_select(layout.given_split, {c.name for c in cases}),
        notes=(*layout.notes, *notes, *left_out),
        spacing=spacing,
        intensity=intensity,
        partial=partial,
        cache=cache,
        modality=modality,
    )


def read_class_map(
    cohort: Cohort, case: Case, images: Sequence[Volume] = ()
) -> tuple[Volume, tuple[int, ...]]:
    """Reads the labels of a case as class indices.

    Where only a part of a class was annotated, that part has its index.

    Args:
        cohort: Tells the classes.
        case: One of its cases.
        images: Its channels, if they are known, so that labels that are a
            copy of one are refused.

    Returns:
        `uint8` classes, 0 for background, on the grid of the image
        file; and the indices of classes not (wholly) annotated in this case,
        whatever `cohort.partial` is.

    Raises:
        InputError: If a label map has an unknown value, a mask is not
            binary, or the labels lie at another place than the images.
    """
    if case.label_map is not None:
        labels = class_map.merge_label_map(
            case, cohort.classes, cohort.structures, images
        )
    else:
        labels = class_map.merge_masks(case, cohort.classes, images)
    return labels, cohort._missing_indices(case)


def _check_spacing(spacing) -> tuple[float, float, float]:
    try:
        checked = tuple(float(s) for s in spacing)
    except (TypeError, ValueError):
        checked = ()
    if len(checked) != 3 or not all(0 < s < float("inf") for s in checked):
        raise ValueError(
            "Argument `spacing` must be three positive numbers, in mm, or "
            f"None. Received: spacing={spacing!r}."
        )
    return checked


def _annotated(layout: Layout) -> set[str]:
    """Structures that occur; those of label maps are all taken to."""
    if any(case.label_map is not None for case in layout.cases):
        return set(layout.structures)
    return {name for case in layout.cases for name in case.masks}


def _choose_annotated(
    path: Path, layout: Layout, labels: Sequence[str] | None
) -> tuple[tuple[LabelClass, ...], tuple[str, ...]]:
    annotated = _annotated(layout)
    asked = layout.default_labels if labels is None else labels
    classes = choose_classes(tuple(layout.structures), asked)
    dropped = [c for c in classes if not annotated.issuperset(c.structures)]
    if not dropped:
        return classes, ()
    names = ", ".join(c.name for c in dropped)
    if labels is not None or len(dropped) == len(classes):
        available = [s for s in layout.structures if s in annotated]
        raise InputError(
            path,
            f"not annotated in any case: {names}",
            f"Choose from the structures that are: {', '.join(available)}",
        )
    kept = tuple(c for c in classes if c not in dropped)
    return kept, (f"not annotated in any case, no class: {names}",)


def _cases_with_labels(
    cases: Sequence[Case], classes: Sequence[LabelClass]
) -> tuple[tuple[Case, ...], tuple[str, ...]]:
    chosen = {name for c in classes for name in c.structures}
    kept = tuple(
        case
        for case in cases
        if case.label_map is not None or chosen.intersection(case.masks)
    )
    lost = sorted({c.name for c in cases} - {c.name for c in kept})
    if not lost:
        return kept, ()
    return kept, (f"{shorten(lost)}: image without label, left out",)


def _select(mapping: Mapping, keys: Collection) -> dict:
    return {key: value for key, value in mapping.items() if key in keys}
