"""Two folders, `images/` and `labels/`, with equal file names.

A `dataset.json` beside them names the labels, a `cases.csv` fixes the cases
and their split.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from keras_isample.data.case_table import CaseRow
from keras_isample.data.case_table import read_case_table
from keras_isample.data.copied_images import refuse_copy
from keras_isample.data.dataset_json import read_dataset_json
from keras_isample.data.label_values import values_of_files
from keras_isample.data.layout import Case
from keras_isample.data.layout import Layout
from keras_isample.data.layout import shorten
from keras_isample.data.listing import find_folder
from keras_isample.data.pairing import Pairing
from keras_isample.data.pairing import pair_cases
from keras_isample.errors import InputError

_NAME = "images/ + labels/"

_MANY_VALUES = 30
"""More values than these without a name are hardly structures."""

logger = logging.getLogger(__name__)


def read(path: Path, modality: str, cache: Path | None = None) -> Layout | None:
    """Lists the cases of two folders.

    Without `dataset.json` every value in the label maps becomes a structure
    `label_<value>`; all that are not known to the cache are opened.

    Args:
        path: The folder that holds `images/` and `labels/`.
        modality: Not used here; the layout has one modality.
        cache: Where the values of label maps are noted; `None` for nowhere.

    Returns:
        The layout, or `None` if there is no `images/`.

    Raises:
        InputError: If `labels/` is missing, `dataset.json` or `cases.csv`
            cannot be used, the table names a file that does not exist, no
            image and label have one name, or a label map is an image.
    """
    images = find_folder(path, "images")
    if images is None:
        return None
    labels = find_folder(path, "labels")
    if labels is None:
        raise InputError(
            path,
            f"has {images.name}/ but no labels/",
            "Put label maps of the same names there",
        )
    names_file = path / "dataset.json"
    dataset = read_dataset_json(names_file) if names_file.exists() else None
    channel_names = dataset.channel_names if dataset else ()
    pairing = pair_cases(images, labels, channel_names)
    layout = Layout(
        name=_NAME,
        cases=tuple(pairing.cases.values()),
        structures=dataset.structures if dataset else {},
        channel_names=pairing.channel_names,
        notes=pairing.notes(),
    )
    if (path / "cases.csv").exists():
        layout = _follow_table(path / "cases.csv", layout, pairing)
    if not layout.cases:
        raise pairing.nothing_paired(path, _NAME)
    if dataset is None:
        layout = _name_values(layout, cache)
    return layout


def _follow_table(table: Path, layout: Layout, pairing: Pairing) -> Layout:
    rows = read_case_table(table)
    cases = [_find_case(table, row, pairing) for row in rows]
    listed = {row.case for row in rows}
    notes = list(pairing.notes(known=listed))
    unlisted = [name for name in pairing.cases if name not in listed]
    if unlisted:
        notes.append(f"{shorten(unlisted)}: not in {table.name}, left out")
    return replace(
        layout,
        cases=tuple(sorted(cases, key=lambda case: case.name)),
        given_split={row.case: row.split for row in rows if row.split},
        notes=tuple(notes),
    )


def _find_case(table: Path, row: CaseRow, pairing: Pairing) -> Case:
    paired = pairing.cases.get(row.case)
    for name in (row.image, row.label):
        if name and not (table.parent / name).is_file():
            raise _row_error(table, row, f"{name} does not exist")
    images = paired.images if paired else ()
    if row.image and table.parent / row.image not in images:
        images = (table.parent / row.image,)
    label_map = paired.label_map if paired else None
    if row.label:
        label_map = table.parent / row.label
    if not images or label_map is None:
        kind = "label map" if images else "image"
        raise _row_error(table, row, f"case {row.case} has no {kind}")
    if len(images) != pairing.num_files:
        raise _row_error(
            table,
            row,
            f"case {row.case} has 1 image for the channels "
            + ", ".join(pairing.channel_names),
        )
    return Case(row.case, images, label_map)


def _row_error(table: Path, row: CaseRow, problem: str) -> InputError:
    return InputError(
        table, f"line {row.line}: {problem}", "Add the file or remove the line"
    )


def _name_values(layout: Layout, cache: Path | None) -> Layout:
    # What is damaged is told again, with all else, when the case is read.
    values, damaged = values_of_files(
        [case.label_map for case in layout.cases], cache
    )
    found = sorted(set().union(*values.values()) - {0})
    folder = layout.cases[0].label_map.parent
    if not found and damaged:
        path, error = next(iter(damaged.items()))
        _refuse_copies(layout, [path])
        raise error
    if not found:
        raise InputError(
            folder,
            "its label maps hold nothing but 0",
            "Check that they are the label maps",
        )
    if len(found) > _MANY_VALUES:
        many = max(values, key=lambda path: len(values[path]))
        _refuse_copies(layout, [many, *damaged])
        logger.warning(
            "%s: its label maps hold %d values without names, as soft or "
            "smoothed labels and images do. If they are structures, name them "
            "in dataset.json; else save whole labels, resampled by nearest "
            "neighbor.",
            folder,
            len(found),
        )
    note = (
        "no dataset.json: label values found are "
        f"{shorten([str(value) for value in found], 8)}"
    )
    return replace(
        layout,
        structures={f"label_{value}": value for value in found},
        notes=(*layout.notes, note),
    )


def _refuse_copies(layout: Layout, paths: Sequence[Path]) -> None:
    for case in layout.cases:
        if case.label_map in paths:
            refuse_copy(case.label_map, case.images)
