"""Where the members of a population train: here in turn, or at the same time.

All executors start the same `MemberRunner`s in processes of their own, so that
a member that is killed, for memory say, takes nobody along. A member's result
is a function of its task, so it does not depend on the executor.
"""

import os

from keras_isample.config import AutoLRConfig
from keras_isample.errors import InputError
from keras_isample.registries.executors import executor_maker
from keras_isample.training.gpus import visible_gpus
from keras_isample.training.process_executor import ProcessExecutor
from keras_isample.training.ray_executor import RayExecutor


def make_executor(settings: AutoLRConfig, run, members):
    """The executor that a configuration asks for.

    Args:
        settings: The run's `AutoLRConfig`.
        run: The run folder of the population.
        members: Members of the population.

    Returns:
        A context manager with `has_room()`, `start(task)` and `poll(seconds)`,
        which waits that long at most and returns a list of `(task, Outcome)`.

    Raises:
        InputError: If what it needs is not there.
    """
    return executor_maker(settings.executor)(settings, run, members)


def auto(settings, run, members):
    """A Ray cluster that is named, processes on several GPUs, or in turn."""
    if settings.ray_address:
        return ray(settings, run, members)
    several = len(visible_gpus()) > 1
    return (process if several else serial)(settings, run, members)


def ray(settings, run, members):
    """Members on a Ray cluster."""
    return RayExecutor(settings, run, members)


def serial(settings, run, members):
    """Members in turn."""
    gpus = _gpus_for(settings)
    group = gpus[: settings.gpus_per_member] or None
    return ProcessExecutor(run, [group], settings.threads_per_member)


def process(settings, run, members):
    """A process for each group of GPUs or of CPU threads."""
    gpus = _gpus_for(settings)
    per_member = settings.gpus_per_member or max(1, len(gpus) // members)
    groups = [
        gpus[i : i + per_member]
        for i in range(0, len(gpus) - per_member + 1, per_member)
    ][:members]
    cores = len(os.sched_getaffinity(0))
    groups = groups or [None] * min(members, cores)
    threads = settings.threads_per_member or max(1, cores // len(groups))
    return ProcessExecutor(run, groups, threads)


def _gpus_for(settings):
    """The visible GPUs, which must be as many as a member takes."""
    gpus = visible_gpus()
    if settings.gpus_per_member > len(gpus):
        raise InputError(
            "`gpus_per_member`",
            f"is {settings.gpus_per_member}, but only {len(gpus)} GPUs are "
            "visible",
            "Use fewer",
        )
    return gpus
