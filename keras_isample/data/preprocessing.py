"""What a trained model must know of the data, as kept in its metadata."""

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass

from keras_isample.data.cohort import Cohort
from keras_isample.data.preparation import PreparedCase

MULTIFOCAL_SHARE = 0.2
"""A class is multifocal in a case where its largest component (the two largest
of a left and a right organ) leaves this share of its voxels to others."""

MULTIFOCAL_CASES = 0.1
"""A class is left whole if it is multifocal in this share of the training cases
that hold it."""


@dataclass(frozen=True)
class Preprocessing:
    """Spacing, intensity and names that prediction needs.

    Args:
        spacing: Training spacing in mm; `None` keeps each scan's own.
        intensity: `"ct"` or `"zscore"`.
        class_names: One per class, background first; empty if not known.
        paired: Indices of classes that merge a left and a right structure.
        channel_names: One per input channel.
        modality: VISCERAL volumes that were trained on.
        whole: Indices of classes of which no component is removed, as they
            have several in training cases.
        smallest: Fewest voxels along each axis of the training cases, at the
            training spacing; empty if not known.
    """

    spacing: tuple[float, float, float] | None = (1.0, 1.0, 1.5)
    intensity: str = "ct"
    class_names: tuple[str, ...] = ()
    paired: tuple[int, ...] = ()
    channel_names: tuple[str, ...] = ()
    modality: str = "CTce_ThAb"
    whole: tuple[int, ...] = ()
    smallest: tuple[int, ...] = ()

    @classmethod
    def of(
        cls, cohort: Cohort, cases: Sequence[PreparedCase] = ()
    ) -> "Preprocessing":
        """The preprocessing of a cohort.

        Args:
            cohort: The training cases.
            cases: The same, prepared; their labels tell `whole`, their shapes
                `smallest`.
        """
        paired = tuple(
            index
            for index, label_class in enumerate(cohort.classes, start=1)
            if label_class.paired
        )
        numbers = multifocal_cases(cases, paired)
        shapes = [case.shape for case in cases]
        return cls(
            spacing=cohort.spacing,
            intensity=cohort.intensity,
            class_names=tuple(cohort.class_names),
            paired=paired,
            channel_names=tuple(cohort.channel_names),
            modality=cohort.modality,
            whole=tuple(
                index
                for index, (several, holding) in numbers.items()
                if several and several >= MULTIFOCAL_CASES * holding
            ),
            smallest=tuple(map(min, zip(*shapes, strict=True))),
        )

    @classmethod
    def from_metadata(cls, metadata: Mapping | None) -> "Preprocessing":
        """From a model's metadata; the papers' CT settings if it has none."""
        facts = (metadata or {}).get("preprocessing") or {}
        return cls(
            **{
                key: tuple(value) if isinstance(value, list | tuple) else value
                for key, value in facts.items()
            }
        )

    def as_metadata(self) -> dict:
        """JSON-compatible dictionary that `from_metadata` reads."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
        }

    def kept_components(self) -> dict[int, int | None]:
        """Largest components to keep of each class.

        2 for merged pairs, `None` (all) for classes that are left whole.
        """
        return {**dict.fromkeys(self.paired, 2), **dict.fromkeys(self.whole)}


def multifocal_cases(
    cases: Sequence[PreparedCase], paired: Sequence[int] = ()
) -> dict[int, tuple[int, int]]:
    """Counts the cases in which classes lie in several places.

    Args:
        cases: Training cases.
        paired: Indices of classes of two organs each, which are judged on what
            the two largest components leave.

    Returns:
        Index of each class to the number of cases where it is multifocal and
        the number of cases that hold it. A class that was not wholly annotated
        in a case is not counted there.
    """
    numbers = {}
    for case in cases:
        for index, sizes in enumerate(case.components):
            voxels = case.counts[index]
            if not sizes or index in case.missing:
                continue
            rest = voxels - sum(sizes[: 2 if index in paired else 1])
            several, holding = numbers.get(index, (0, 0))
            several += rest >= MULTIFOCAL_SHARE * voxels
            numbers[index] = (several, holding + 1)
    return dict(sorted(numbers.items()))
