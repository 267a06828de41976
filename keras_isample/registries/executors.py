"""Where the members of a population train, by name.

A new executor is a file with a function that makes it, and a line here.
"""

from collections.abc import Callable
from typing import Any

from keras_isample.registries.registry import Registry
from keras_isample.registries.registry import imported

EXECUTORS = Registry("executor")
"""A function `(settings, run, members)` for each name of `executor`, or its
place, such as `"package.module:function"`; see `training.executors`."""

for _name in ("auto", "serial", "process", "ray"):
    EXECUTORS.register(_name, f"keras_isample.training.executors:{_name}")

EXECUTORS.protect()


def executor_maker(name: str) -> Callable[..., Any]:
    """The function that makes an executor.

    Raises:
        ValueError: If there is none of this name.
    """
    return imported(EXECUTORS[name])


def register_executor(name: str, maker: Callable[..., Any]) -> None:
    """Makes an executor known by a name, for `executor` of a configuration.

    Args:
        name: The name.
        maker: Function of the `AutoLRConfig`, the run folder of the population
            and its number of members, that returns a context manager with
            `has_room()`, `start(task)` and `poll(seconds)`, which waits that
            long at most and returns a list of `(task, Outcome)`.

    Raises:
        ValueError: If the name is one of this package's.
    """
    EXECUTORS.register(name, maker)
