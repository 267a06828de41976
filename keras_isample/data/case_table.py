"""`cases.csv`: the cases to use, their files and their split."""

import csv
from dataclasses import dataclass
from pathlib import Path

from keras_isample.errors import InputError

_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class CaseRow:
    """One row of the table.

    Args:
        line: Line number in the file, from 1.
        case: Name of the case.
        image: File of the image, as written; empty if not told.
        label: File of the label map, as written; empty if not told.
        split: `train`, `validation`, `test`, or empty if not told.
    """

    line: int
    case: str
    image: str
    label: str
    split: str


def read_case_table(path: Path) -> tuple[CaseRow, ...]:
    """Reads a table with columns `case` and, if told, image, label, split.

    Args:
        path: A CSV file in UTF-8, separated by commas.

    Returns:
        Its rows, in the order of the file.

    Raises:
        InputError: If it cannot be read, has no `case` column or no rows,
            names a case twice, has an unknown split word, or gives a split
            to some cases only.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            columns = [name.strip().lower() for name in reader.fieldnames or ()]
            reader.fieldnames = columns
            rows = [_row(path, reader.line_num, cells) for cells in reader]
    except (OSError, UnicodeError, csv.Error) as error:
        raise InputError(
            path, f"cannot be read ({error})", "Write it as CSV in UTF-8"
        ) from error
    if "case" not in columns:
        raise InputError(
            path,
            f"has no column case, but the columns {columns}",
            "Start it with the line case,image,label,split",
        )
    _check_rows(path, rows)
    return tuple(rows)


def _row(path: Path, line: int, cells: dict) -> CaseRow:
    values = {
        key: (cells.get(key) or "").strip()
        for key in ("case", "image", "label", "split")
    }
    word = values["split"].lower()
    if word and word not in _SPLITS:
        raise InputError(
            path,
            f"line {line}: unknown split {values['split']!r}",
            "Use train, validation or test",
        )
    values["split"] = _SPLITS.get(word, "")
    return CaseRow(line, **values)


def _check_rows(path: Path, rows: list[CaseRow]) -> None:
    if not rows:
        raise InputError(path, "lists no case", "Add one line a case")
    lines = {}
    for row in rows:
        if not row.case:
            problem, cure = "has no case name", "Name the case"
        elif row.case in (".", "..") or set(row.case) & set("/\\\0"):
            problem = f"case name {row.case!r} would not be a file name"
            cure = "Name the case without slashes"
        elif row.case in lines:
            problem = f"repeats case {row.case} of line {lines[row.case]}"
            cure = "Remove one of the two"
        elif bool(row.split) != bool(rows[0].split):
            problem = f"gives {'a' if row.split else 'no'} split, " + (
                f"unlike line {rows[0].line}"
            )
            cure = "Give a split to all cases or to none"
        else:
            lines[row.case] = row.line
            continue
        raise InputError(path, f"line {row.line}: {problem}", cure)
