"""Members as actors on a Ray cluster."""

import re
import signal
import socket
import threading
from pathlib import Path

from keras_isample.errors import InputError
from keras_isample.training.member import Outcome
from keras_isample.training.member import run_member


class RayExecutor:
    """Actors on a Ray cluster, which may span machines.

    The run folder and the data must be at the same paths on all of them.

    Args:
        settings: The run's `AutoLRConfig`.
        run: The run folder of the population.
        members: Members of the population.

    Raises:
        InputError: If Ray is not installed, no cluster answers, or it lacks
            the resources of a single member.
    """

    def __init__(self, settings, run, members):
        try:
            import ray
        except ImportError as error:
            raise InputError(
                "`executor`",
                "ray needs the package ray",
                "pip install keras-isample[ray]",
            ) from error
        self._ray = ray
        # Its actors run in folders of their own.
        self._run = str(Path(run).absolute())
        self._threads = settings.threads_per_member or 1
        self._demand = {
            "num_cpus": self._threads,
            "num_gpus": settings.gpus_per_member,
        }
        self._mine = not ray.is_initialized()
        if self._mine:
            _connect(ray, settings.ray_address)
        self._idle = [None] * self._places(members)
        self._running = {}

    def _places(self, members):
        """Members that can train at the same time."""
        places = 0
        for node in self._ray.nodes():
            if node["Alive"]:
                there = node["Resources"]
                fits = there.get("CPU", 0) // self._demand["num_cpus"]
                if self._demand["num_gpus"]:
                    gpus = there.get("GPU", 0) // self._demand["num_gpus"]
                    fits = min(fits, gpus)
                places += int(fits)
        if not places:
            raise InputError(
                "`ray_address`",
                f"no node of the cluster has {self._demand['num_cpus']} CPUs "
                f"and {self._demand['num_gpus']} GPUs for a member",
                "Change `threads_per_member` or `gpus_per_member`",
            )
        return min(places, members)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for actor, _ in self._running.values():
            self._ray.kill(actor)
        for actor in self._idle:
            if actor is not None:
                self._ray.kill(actor)
        self._running, self._idle = {}, []
        if self._mine:
            self._ray.shutdown()

    def has_room(self):
        """Whether `start` may be called."""
        return bool(self._idle)

    def start(self, task):
        """Gives a task to an actor that has none."""
        # One that is there already, if any.
        self._idle.sort(key=lambda actor: actor is None)
        actor = self._idle.pop(0) or self._new_actor()
        self._running[actor.run.remote(task.to_json())] = actor, task

    def poll(self, seconds):
        """Tasks that have ended and their `Outcome`s, after some waiting."""
        if not self._running:
            return []
        ready, _ = self._ray.wait(list(self._running), timeout=seconds)
        return [self._collect(reference) for reference in ready]

    def _collect(self, reference):
        actor, task = self._running.pop(reference)
        try:
            outcome = Outcome(**self._ray.get(reference))
            self._idle.append(actor)
        except self._ray.exceptions.RayError as error:
            self._idle.append(None)
            # The cause comes last, in colors.
            text = re.sub(r"\x1b\[\d*m", "", " ".join(str(error).split()))
            outcome = Outcome("died", f"{type(error).__name__}: {text[-300:]}")
        return task, outcome

    def _new_actor(self):
        remote = self._ray.remote(max_restarts=0, **self._demand)(_Actor)
        return remote.remote(self._run, self._threads)


class _Actor:
    """A `MemberRunner` as a Ray actor."""

    def __init__(self, run, threads):
        self._arguments = run, threads
        self._runner = None

    def run(self, content):
        from dataclasses import asdict

        from keras_isample.training.member import MemberRunner
        from keras_isample.training.member import MemberTask

        try:
            if self._runner is None:
                self._runner = MemberRunner(*self._arguments)
        except InputError as error:
            return {"kind": "refused", "reason": str(error)}
        task = MemberTask.from_json(content)
        return asdict(run_member(self._runner, task))


def _connect(ray, address):
    host, _, port = address.rpartition(":")
    if port.isdigit() and "://" not in address:
        # Ray itself waits for minutes.
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except OSError as error:
            raise _no_cluster(address, error) from error
    options = {"log_to_driver": False, "logging_level": "error"}
    before = signal.getsignal(signal.SIGTERM)
    try:
        if address:
            ray.init(address=address, **options)
        else:
            # A cluster of this machine alone.
            ray.init(address="local", include_dashboard=False, **options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise _no_cluster(address, error) from error
    finally:
        # Ray puts its own in place, which ends the process at once.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _no_cluster(address, error):
    text = " ".join(str(error).split())
    return InputError(
        "`ray_address`",
        f"{address or 'this machine'}: {text[:200]}",
        "Start a cluster with ray start --head, and give its address",
    )
