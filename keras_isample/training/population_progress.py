"""Progress of a population: a table on a terminal, lines elsewhere."""

import math

from keras_isample.progress import Phase

COLUMNS = (
    ("learning_rate", "rate", "{:.4g}"),
    ("loss", "loss", "{:.4f}"),
    ("val_dice", "Dice", "{:.4f}"),
)

_NOTICE = (
    "members build their network and its first step (this takes about half a "
    "minute)"
)


class PopulationProgress(Phase):
    """Shows every member's newest epoch and what it is doing.

    On a terminal one table is redrawn in place; elsewhere each epoch of each
    member is one line, and where none comes for long, what each is doing.

    Args:
        reporter: The `Reporter` that shows it.

    Call arguments:
        members: Dictionary from the number of a member to its rows of the
            period.
        doing: Dictionary from the number of a member to a few words on what
            it is doing.
    """

    def __init__(self, reporter):
        super().__init__(reporter, "training a population", notice=_NOTICE)
        self._epochs_told = {}
        self._members, self._doing = {}, {}

    def __call__(self, members, doing):
        self._members, self._doing = members, doing
        self._tell()
        self.reporter.moved(self)

    def line(self, now):
        if not self._doing:
            return super().line(now)
        return "\n".join(
            f"member {member + 1}  {text}"
            for member, text in sorted(self._doing.items())
        )

    def rows(self, now):
        if not self._members:
            return super().rows(now)
        table = population_table(self._members, self._doing)
        return [(row, None, []) for row in table]

    def _tell(self):
        for member, rows in self._members.items():
            if len(rows) < self._epochs_told.get(member, 0):
                self._epochs_told[member] = 0  # A new period.
            for row in rows[self._epochs_told.get(member, 0) :]:
                parts = [f"member {member + 1}", f"epoch {row['epoch']:.0f}"]
                parts += [
                    f"{title} {form.format(row[key])}"
                    for key, title, form in COLUMNS
                    if _is_known(row.get(key))
                ]
                self.reporter.tell("  ".join(parts))
            self._epochs_told[member] = len(rows)


def population_table(members, doing):
    """Lines of a table with one row a member.

    Args:
        members: As in `PopulationProgress`.
        doing: As in `PopulationProgress`; the last column.
    """
    titles = ["member", "epoch", *(title for _, title, _ in COLUMNS), "best"]
    table = [titles]
    for member, rows in sorted(members.items()):
        newest = rows[-1] if rows else {}
        known = [r["val_dice"] for r in rows if _is_known(r.get("val_dice"))]
        cells = [str(member + 1), f"{newest['epoch']:.0f}" if newest else "-"]
        for key, _, form in COLUMNS:
            value = newest.get(key)
            cells.append(form.format(value) if _is_known(value) else "-")
        cells.append(f"{max(known):.4f}" if known else "-")
        table.append(cells)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(cell.rjust(n) for cell, n in zip(row, widths, strict=True))
        for row in table
    ]
    words = ["", *(doing.get(member, "") for member in sorted(members))]
    return [
        f"{line}  {text}".rstrip()
        for line, text in zip(lines, words, strict=True)
    ]


def _is_known(value):
    return value is not None and not math.isnan(value)
