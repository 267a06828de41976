"""Cases that are done one after the other, though some of them fail."""

import logging

from keras_isample.errors import InputError
from keras_isample.errors import reason_of_no_memory
from keras_isample.volumes.files import DiskFull

LESS_MEMORY = "Use a smaller `tile_memory`, or close other programs"
"""What to do where memory does not suffice."""

log = logging.getLogger(__name__)


class CasesFailed(InputError):
    """Some cases failed, and all the others are done.

    Args:
        failures: A line on each case that failed, see `Failures`.
        result: What came of the others.
    """

    def __init__(self, failures, result):
        first, more = failures[0], len(failures) - 1
        also = f" (and {more} more failed)" if more else ""
        super().__init__(
            first.source,
            first.problem + also,
            first.cure,
        )
        self.failures = failures
        self.result = result


class Failures:
    """Keeps what went wrong with single cases until all are done.

    Attributes:
        errors: Case name to `InputError`, in the order of the failures.
    """

    def __init__(self):
        self.errors = {}
        self._first = None

    def add(self, name, error):
        """Takes note that a case failed.

        Args:
            name: Name of the case.
            error: The exception; one that is no `InputError` becomes one.

        Raises:
            DiskFull: If it is one: no other case would fare better.
        """
        if isinstance(error, DiskFull):
            raise error
        self._first = self._first or error
        no_memory = reason_of_no_memory(error)
        if no_memory is not None and not isinstance(error, InputError):
            error = InputError(
                "memory", f"is used up ({no_memory})", LESS_MEMORY
            )
        if not isinstance(error, InputError):
            log.info("%s failed", name, exc_info=error)
            reason = str(error).strip().split("\n")[0][:200]
            error = InputError(
                name,
                f"failed by itself ({type(error).__name__}: {reason})",
                "Try it alone, with a log of level INFO (`verbose`)",
            )
        elif name not in error.source:
            problem = f"{error.problem} (case {name})"
            error = InputError(error.source, problem, error.cure)
        self.errors[name] = error

    def as_json(self):
        """What a summary of the other cases says of those that failed."""
        if not self.errors:
            return {}
        return {
            "failed": [
                {"case": name, "error": str(error)}
                for name, error in self.errors.items()
            ]
        }

    def raise_alone(self):
        """Raises what went wrong where no case is done.

        A single exception, and one that nobody foresaw, is raised as it came.
        """
        if len(self.errors) > 1 and isinstance(self._first, InputError):
            self.finish([])
        if self._first is not None:
            raise self._first

    def finish(self, result):
        """Raises `CasesFailed` if any case has failed."""
        if self.errors:
            raise CasesFailed(list(self.errors.values()), result)
