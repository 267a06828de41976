"""Names of anatomical structures, and the classes that merge them."""

import difflib
import re
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from keras_isample.errors import InputError

SIDES = ("right", "left")

BACKGROUND = "background"
"""Name of the class 0, and of no structure."""

# Short names that the isample papers and users write for RadLex terms.
ALIASES = {
    "adrenal": "adrenal_gland",
    "bladder": "urinary_bladder",
    "psoas": "psoas_major",
    "rectus": "rectus_abdominis",
    "thyroid": "thyroid_gland",
}


PAIRED_ORGANS = frozenset(
    f"{name}{plural}"
    for name in (
        "adrenal_gland",
        "clavicle",
        "eye",
        "femur",
        "hip",
        "hippocampus",
        "humerus",
        "kidney",
        "lung",
        "parotid",
        "psoas_major",
        "rectus_abdominis",
        "scapula",
        "submandibular_gland",
    )
    for plural in ("", "s")
)
"""Names under which a data set may hold left and right as one structure."""


@dataclass(frozen=True)
class LabelClass:
    """One class that the network learns.

    Args:
        name: Normalized name, as in `"kidney"`.
        structures: Names in the data that the class merges.
    """

    name: str
    structures: tuple[str, ...]

    @property
    def paired(self) -> bool:
        """Whether the class holds a left and a right organ.

        It does if it merges two such structures, or if its name is that of an
        organ that comes in pairs (`PAIRED_ORGANS`).
        """
        return self.merges_sides or self.name in PAIRED_ORGANS

    @property
    def merges_sides(self) -> bool:
        """Whether the class merges a left and a right structure."""
        sides = {split_side(normalize_name(s))[0] for s in self.structures}
        return sides.issuperset(SIDES)

    def __str__(self):
        if [normalize_name(s) for s in self.structures] == [self.name]:
            return self.name
        return f"{self.name} ({' + '.join(self.structures)})"


def normalize_name(name: str) -> str:
    """Lower case, with one underscore between words: `"left_kidney"`."""
    return re.sub(r"[\W_]+", "_", name.lower()).strip("_")


def split_side(name: str) -> tuple[str, str]:
    """Splits `"left_kidney"` or `"kidney_left"` into side and organ.

    Args:
        name: A normalized name.

    Returns:
        `("left", "kidney")`, or `("", name)` if the name neither starts nor
        ends with the word left or right.
    """
    words = name.split("_")
    if len(words) > 1 and words[0] in SIDES:
        return words[0], "_".join(words[1:])
    if len(words) > 1 and words[-1] in SIDES:
        return words[-1], "_".join(words[:-1])
    return "", name


def choose_classes(
    structures: Sequence[str], labels: Sequence[str] | None
) -> tuple[LabelClass, ...]:
    """Turns the names that a user asks for into classes.

    A label is a structure's own name; else the same name with left or right
    at its other end; else an organ whose right and left structures are
    merged. Short names in `ALIASES` are understood.

    Args:
        structures: Names in the data, in the order of the data.
        labels: Names asked for; `None` makes every structure a class.

    Returns:
        Foreground classes; class index is the position plus 1.

    Raises:
        InputError: If a label is unknown, or a structure is asked for twice.
    """
    known = _by_normalized_name(structures)
    if labels is None:
        return tuple(LabelClass(n, (s,)) for n, s in known.items())
    if isinstance(labels, str):
        raise ValueError(
            "Argument `labels` must be a sequence of names. "
            f"Received: labels={labels!r}. Use {labels.split(',')!r}."
        )
    names = [normalize_name(label) for label in labels]
    if not names:
        raise InputError("labels", "no label is chosen", "Name at least one")
    classes = tuple(LabelClass(name, _find(name, known)) for name in names)
    _refuse_repeats(classes)
    return classes


def _by_normalized_name(structures: Iterable[str]) -> dict[str, str]:
    known = {}
    for structure in structures:
        name = normalize_name(structure)
        if name == BACKGROUND:
            raise InputError(
                "labels",
                f"the data names a structure {structure!r}, which is what "
                "voxels without a label are",
                "Give the structure another name",
            )
        if not name or name in known:
            raise InputError(
                "labels",
                f"the data names a structure {structure!r}, which is "
                + (f"the same as {known[name]!r}" if name else "no name"),
                "Give every structure a name of its own",
            )
        known[name] = structure
    return known


def _find(name: str, known: Mapping[str, str]) -> tuple[str, ...]:
    sided = {split_side(n): structure for n, structure in known.items()}
    for spelling in _spellings(name):
        if spelling in known:
            return (known[spelling],)
        side, organ = split_side(spelling)
        if side and (side, organ) in sided:
            return (sided[side, organ],)
        if not side and all((s, organ) in sided for s in SIDES):
            return tuple(sided[s, organ] for s in SIDES)
    raise InputError("labels", f"unknown label {name!r}", _advice(name, known))


def _spellings(name: str) -> list[str]:
    side, organ = split_side(name)
    spellings = [name]
    if organ in ALIASES:
        spellings.append(f"{side}_{ALIASES[organ]}".strip("_"))
    return spellings


def _advice(name: str, known: Mapping[str, str]) -> str:
    available = list(known)
    for side, organ in map(split_side, known):
        if side and all(
            f"{s}_{organ}" in known or f"{organ}_{s}" in known for s in SIDES
        ):
            available.append(organ)
    available = list(dict.fromkeys(available))
    near = [a for a in available if name and (name in a or a in name)]
    near += difflib.get_close_matches(name, available)
    near = list(dict.fromkeys(near))[:4]
    question = f"Did you mean {' or '.join(near)}? " if near else ""
    return f"{question}Available: {', '.join(available)}"


def _refuse_repeats(classes: Sequence[LabelClass]) -> None:
    owners = {}
    for label_class in classes:
        for structure in label_class.structures:
            if structure in owners:
                raise InputError(
                    "labels",
                    f"{structure} is asked for twice, by "
                    f"{owners[structure]!r} and {label_class.name!r}",
                    "Name every structure once",
                )
            owners[structure] = label_class.name
