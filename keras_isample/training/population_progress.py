"""Progress of a population: a table on a terminal, lines elsewhere."""

import math
import sys

from rich.console import Console
from rich.live import Live
from rich.table import Table

COLUMNS = (
    ("learning_rate", "rate", "{:.4g}"),
    ("loss", "loss", "{:.4f}"),
    ("val_dice", "Dice", "{:.4f}"),
)


class PopulationProgress:
    """Shows every member's newest epoch.

    On a terminal one table is redrawn in place; elsewhere each epoch of each
    member is one line.

    Args:
        stream: Where to write; stderr if `None`.

    Call arguments:
        members: Dictionary from the number of a member to its rows of the
            period.
    """

    def __init__(self, stream=None):
        self.stream = stream or sys.stderr
        self._live = None
        self._told = {}

    def __call__(self, members):
        if self.stream.isatty():
            self._redraw(members)
        else:
            self._tell(members)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self._live is not None:
            self._live.stop()

    def _redraw(self, members):
        if self._live is None:
            console = Console(file=self.stream)
            self._live = Live(console=console, auto_refresh=False)
            self._live.start()
        self._live.update(population_table(members), refresh=True)

    def _tell(self, members):
        for member, rows in members.items():
            if len(rows) < self._told.get(member, 0):
                self._told[member] = 0  # A new period.
            for row in rows[self._told.get(member, 0) :]:
                parts = [f"member {member + 1}", f"epoch {row['epoch']:.0f}"]
                parts += [
                    f"{title} {form.format(row[key])}"
                    for key, title, form in COLUMNS
                    if _is_known(row.get(key))
                ]
                print("  ".join(parts), file=self.stream, flush=True)
            self._told[member] = len(rows)


def population_table(members):
    """A `rich` table with one row a member.

    Args:
        members: As in `PopulationProgress`.
    """
    table = Table(box=None, pad_edge=False)
    titles = ["member", "epoch", *(title for _, title, _ in COLUMNS), "best"]
    for title in titles:
        table.add_column(title, justify="right")
    for member, rows in sorted(members.items()):
        newest = rows[-1] if rows else {}
        known = [r["val_dice"] for r in rows if _is_known(r.get("val_dice"))]
        cells = [str(member + 1), f"{newest['epoch']:.0f}" if newest else "-"]
        for key, _, form in COLUMNS:
            value = newest.get(key)
            cells.append(form.format(value) if _is_known(value) else "-")
        cells.append(f"{max(known):.4f}" if known else "-")
        table.add_row(*cells)
    return table


def _is_known(value):
    return value is not None and not math.isnan(value)
