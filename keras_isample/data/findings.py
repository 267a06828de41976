"""What an inspection finds wrong with a case."""

import contextlib
from collections.abc import Iterator

from keras_isample.errors import InputError


class Findings:
    """Problems and warnings of one case, each told once."""

    def __init__(self):
        self.problems = []
        self.warnings = []

    def problem(self, source, problem, cure):
        """Notes what forbids training; arguments are those of `InputError`."""
        self._add(self.problems, str(InputError(source, problem, cure)))

    def warn(self, text):
        """Notes a line on what may be wrong."""
        self._add(self.warnings, text)

    @contextlib.contextmanager
    def collected(self) -> Iterator[None]:
        """Turns an error in the block into a problem, and goes on."""
        try:
            yield
        except InputError as error:
            self._add(self.problems, str(error))

    @staticmethod
    def _add(lines, text):
        if text not in lines:
            lines.append(text)


def listed(values, most=8) -> str:
    """The first values and the number of the others."""
    shown = [str(value) for value in values[:most]]
    rest = [f"and {len(values) - most} more"] if len(values) > most else []
    return ", ".join(shown + rest)
