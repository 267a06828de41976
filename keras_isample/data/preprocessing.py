"""What a trained model must know of the data, as kept in its metadata."""

from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass

from keras_isample.data.cohort import Cohort


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
    """

    spacing: tuple[float, float, float] | None = (1.0, 1.0, 1.5)
    intensity: str = "ct"
    class_names: tuple[str, ...] = ()
    paired: tuple[int, ...] = ()
    channel_names: tuple[str, ...] = ()
    modality: str = "CTce_ThAb"

    @classmethod
    def of(cls, cohort: Cohort) -> "Preprocessing":
        """The preprocessing of a cohort."""
        return cls(
            spacing=cohort.spacing,
            intensity=cohort.intensity,
            class_names=tuple(cohort.class_names),
            paired=tuple(
                index
                for index, label_class in enumerate(cohort.classes, start=1)
                if label_class.paired
            ),
            channel_names=tuple(cohort.channel_names),
            modality=cohort.modality,
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

    def kept_components(self) -> dict[int, int]:
        """Largest components to keep of each class: 2 for merged pairs."""
        return dict.fromkeys(self.paired, 2)
