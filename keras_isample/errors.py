"""Errors that users can do something about."""

import re

_NO_MEMORY = re.compile(
    "(?:OOM when allocating|bad_alloc|out of memory|failed to allocate|"
    "unable to allocate|cannot allocate memory|failed to map segment|"
    "Status: 1, message: could not create|can't start new thread)[^\n]*",
    re.IGNORECASE,
)
"""What NumPy, TensorFlow, oneDNN, CUDA and the system say."""


class InputError(ValueError):
    """Something that was given to the program cannot be used.

    The text is one line, `<source>: <problem>. <cure>`, as the command line
    shows it.

    Args:
        source: The file, folder or option at fault.
        problem: What is wrong with it, without a final period.
        cure: What to do about it, without a final period.
    """

    def __init__(self, source, problem, cure):
        self.source = str(source)
        self.problem = _one_line(problem)
        self.cure = _one_line(cure)
        super().__init__(f"{self.source}: {self.problem}. {self.cure}.")


def _one_line(text):
    return " ".join(str(text).split()).rstrip(".")


def reason_of_no_memory(error):
    """Why there is no memory left.

    Args:
        error: An exception of Python, NumPy, TensorFlow or the system.

    Returns:
        A few words; `None` if the exception says something else.
    """
    found = _NO_MEMORY.search(str(error))
    if found is not None:
        text = re.split(r", in file | by allocator | on /job", found[0])[0]
        return " ".join(text.split())[:200].rstrip(".")
    if isinstance(error, MemoryError):
        return "an allocation failed"
    return None
