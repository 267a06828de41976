"""The synthetic data sets by their kind, each with its own defaults."""

from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path

from keras_isample.data.phantom import write_phantom
from keras_isample.data.phantom_brain import write_brain_phantom
from keras_isample.data.phantom_cardiac import write_cardiac_phantom
from keras_isample.errors import InputError

_WRITERS = {
    "ct": write_phantom,
    "cardiac": write_cardiac_phantom,
    "brain": write_brain_phantom,
}
_ONLY = {
    "layout": ("ct",),
    "spacing": ("ct", "brain"),
}


def write_phantom_of_kind(
    path: str | Path,
    kind: str = "ct",
    *,
    cases: int | None = None,
    shape: Sequence[int] | None = None,
    spacing: Sequence[float] | None = None,
    layout: str | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    overwrite: bool = False,
) -> Path:
    """Writes a synthetic data set.

    Args:
        path: The folder to make.
        kind: `"ct"` (`write_phantom`), `"cardiac"` (`write_cardiac_phantom`)
            or `"brain"` (`write_brain_phantom`).
        cases: As there; `None`, as for the next three, for its default.
        shape: As there.
        spacing: As there; cardiac slices have none.
        layout: As in `write_phantom`; the others have one layout.
        seed: Draws the whole data set.
        progress: Called with the number of cases written and of all cases.
        overwrite: Whether an older phantom at `path` may be replaced.

    Returns:
        `path`.

    Raises:
        InputError: If there are files at `path`, or an argument is out of
            range or does not belong to the kind.
    """
    if kind not in _WRITERS:
        raise InputError(
            "kind", f"received {kind!r}", f"Use {' or '.join(_WRITERS)}"
        )
    chosen = {
        "cases": cases,
        "shape": shape,
        "spacing": spacing,
        "layout": layout,
    }
    chosen = {key: value for key, value in chosen.items() if value is not None}
    for key, kinds in _ONLY.items():
        if key in chosen and kind not in kinds:
            raise InputError(
                key,
                f"is none of the settings of a {kind} phantom",
                f"Remove it, or choose the kind {' or '.join(kinds)}",
            )
    return _WRITERS[kind](
        path, seed=seed, progress=progress, overwrite=overwrite, **chosen
    )
