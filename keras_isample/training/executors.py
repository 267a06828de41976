"""Where the members of a population train: here in turn, or at the same time.

All executors start the same `MemberRunner`s in processes of their own, so that
a member that is killed, for memory say, takes nobody along. A member's result
is a function of its task, so it does not depend on the executor.
"""

import json
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from keras_isample.config import AutoLRConfig
from keras_isample.errors import InputError
from keras_isample.training.member import READY
from keras_isample.training.member import Outcome
from keras_isample.training.member import run_member


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
    gpus = _visible_gpus()
    kind = settings.executor
    if kind == "auto":
        kind = "process" if len(gpus) > 1 else "serial"
        kind = "ray" if settings.ray_address else kind
    if kind == "ray":
        return RayExecutor(settings, run, members)
    if settings.gpus_per_member > len(gpus):
        raise InputError(
            "--gpus-per-member",
            f"is {settings.gpus_per_member}, but only {len(gpus)} GPUs are "
            "visible",
            "Use fewer",
        )
    if kind == "serial":
        group = gpus[: settings.gpus_per_member] or None
        return ProcessExecutor(run, [group], settings.threads_per_member)
    per_member = settings.gpus_per_member or max(1, len(gpus) // members)
    groups = [
        gpus[i : i + per_member]
        for i in range(0, len(gpus) - per_member + 1, per_member)
    ][:members]
    cores = len(os.sched_getaffinity(0))
    groups = groups or [None] * min(members, cores)
    threads = settings.threads_per_member or max(1, cores // len(groups))
    return ProcessExecutor(run, groups, threads)


class ProcessExecutor:
    """Worker processes on this machine, one for each group of GPUs.

    With a single worker the members take turns.

    Args:
        run: The run folder of the population.
        groups: One list of GPUs for each worker; `None` for all that there
            are.
        threads: CPU threads of each worker; TensorFlow's choice if 0.
    """

    def __init__(self, run, groups, threads=0):
        self._workers = [_Worker(run, group, threads) for group in groups]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for worker in self._workers:
            worker.stop()

    def has_room(self):
        """Whether `start` may be called."""
        return any(worker.task is None for worker in self._workers)

    def start(self, task):
        """Gives a task to a worker that has none."""
        worker = next(w for w in self._workers if w.task is None)
        worker.start(task)

    def poll(self, seconds):
        """Tasks that have ended and their `Outcome`s, after some waiting."""
        busy = [w for w in self._workers if w.task is not None]
        with selectors.DefaultSelector() as selector:
            for worker in busy:
                selector.register(worker.output, selectors.EVENT_READ, worker)
            ready = [key.data for key, _ in selector.select(seconds)]
        ended = []
        for worker in ready:
            task, outcome = worker.task, worker.read()
            if outcome is not None:
                ended.append((task, outcome))
        return ended


class _Worker:
    """One process, started when it is needed.

    Attributes:
        task: What it is doing, or `None`.
    """

    def __init__(self, run, gpus, threads):
        self._command = [sys.executable, "-m", "keras_isample.training.worker"]
        self._command += [str(run), str(threads)]
        self._environment = dict(os.environ)
        if gpus is not None:
            self._environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
        self._process = None
        self._errors = None
        self._received = b""
        self.task = None

    @property
    def output(self):
        """The pipe that answers come through."""
        return self._process.stdout

    def start(self, task):
        """Gives the process a task, starting it if it is not there."""
        if self._process is None:
            self._errors = tempfile.TemporaryFile("w+", errors="replace")
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=self._environment,
                bufsize=0,
            )
        self.task = task
        try:
            line = json.dumps(task.to_json()) + "\n"
            self._process.stdin.write(line.encode())
        except BrokenPipeError:
            # It has died, which `read` finds out.
            pass

    def read(self):
        """The `Outcome` of the task, or `None` if it goes on."""
        received = self.output.read(1 << 16)
        if not received:
            return self._bury()
        *lines, self._received = (self._received + received).split(b"\n")
        answers = [json.loads(line) for line in lines]
        for content in answers:
            if content != READY:
                self.task = None
                return Outcome(**content)
        return None

    def _bury(self):
        code = self._process.wait()
        self._errors.seek(0)
        said = [line.strip() for line in self._errors if line.strip()]
        self._close()
        self.task = None
        if code < 0:
            reason = f"killed by {signal.Signals(-code).name}"
            if code == -signal.SIGKILL:
                reason += " (by the system, if memory ran out)"
        else:
            reason = f"ended with exit code {code}"
            reason += f": {said[-1][:300]}" if said else ""
        return Outcome("died", reason)

    def stop(self):
        """Ends the process; what it was doing is resumable."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._close()

    def _close(self):
        for stream in (self._process.stdin, self.output, self._errors):
            try:
                stream.close()
            except BrokenPipeError:
                pass
        self._process = None
        self._received = b""


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
                "--executor",
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
                "--ray-address",
                f"no node of the cluster has {self._demand['num_cpus']} CPUs "
                f"and {self._demand['num_gpus']} GPUs for a member",
                "Change --threads-per-member or --gpus-per-member",
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
        "--ray-address",
        f"{address or 'this machine'}: {text[:200]}",
        "Start a cluster with ray start --head, and give its address",
    )


def _visible_gpus():
    """Indices or names of the GPUs that this process may use."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        names = [name.strip() for name in chosen.split(",")]
        return [name for name in names if name and name != "-1"]
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    answer = subprocess.run(
        [program, "--query-gpu=index", "--format=csv,noheader"],
        capture_output=True,
        text=True,
    )
    if answer.returncode:
        return []
    return answer.stdout.split()
