"""Tables for people (Markdown) and for programs (CSV)."""

import csv
import io
from dataclasses import dataclass
from typing import Any

from keras_isample.experiments.statistics import Measured
from keras_isample.volumes.files import write_text


@dataclass(frozen=True)
class Table:
    """Rows under a header.

    Args:
        title: What is above it.
        header: Names of the columns.
        rows: Text, numbers, `Measured` or `None` (nothing known), one a
            column.
        note: What to know to read it.
    """

    title: str
    header: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    note: str = ""

    def to_markdown(self):
        """Title, table and note."""
        lines = [
            f"## {self.title}",
            "",
            _line(self.header),
            "|" + "---|" * len(self.header),
            *(_line(_shown(cell) for cell in row) for row in self.rows),
        ]
        if self.note:
            lines += ["", self.note]
        return "\n".join(lines) + "\n"

    def to_csv(self):
        """Header and rows; a `Measured` takes three columns."""
        measured = [
            any(isinstance(row[place], Measured) for row in self.rows)
            for place in range(len(self.header))
        ]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        header = []
        for name, wide in zip(self.header, measured, strict=True):
            header += [name]
            if wide:
                header += [f"{name} std", f"{name} runs"]
        writer.writerow(header)
        for row in self.rows:
            cells = []
            for cell, wide in zip(row, measured, strict=True):
                if isinstance(cell, Measured):
                    cells += cell
                elif wide:
                    cells += [cell, None, None]
                else:
                    cells += [cell]
            writer.writerow(["" if c is None else c for c in cells])
        return text.getvalue()

    def write_csv(self, path):
        """Writes `to_csv`, replacing an older file as a whole."""
        write_text(path, self.to_csv())


def _shown(cell):
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:.3f}"
    return str(cell)


def _line(cells):
    return "| " + " | ".join(cells) + " |"
