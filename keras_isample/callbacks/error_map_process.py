"""A process of its own that makes error maps, and the thread that tends it."""

import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict
from pathlib import Path

from keras_isample.callbacks.error_map_agenda import FinishedMap
from keras_isample.errors import InputError

log = logging.getLogger(__name__)

_WORKER = ("-m", "keras_isample.callbacks.error_map_worker")

RESTARTS = 3
"""Times in a row that a process that died is started again."""


class ErrorMapProcess:
    """Makes what an `Agenda` says, until it is closed.

    The process is started at once. A thread of this one hands it one map after
    the other and starts it again if it dies; nobody else ever waits for it,
    but `wait_for`. It ends when this process does, however that is: the end of
    its standard input ends it. Ctrl-C on the terminal does not reach it.

    Args:
        agenda: The `Agenda`, from now on in the hands of this object.
        cases: The `PreparedCase`s.
        seed: Seed of the rounding.
        weights: The `PublishedWeights`, with an architecture.
        folder: Folder for its files; it exists.
        gpu: The GPU to predict on, as `CUDA_VISIBLE_DEVICES` names it; the CPU
            if `None`.
        tile_memory: About how many bytes the maps of one tile may take.
    """

    def __init__(
        self, agenda, cases, seed, weights, folder, *, gpu, tile_memory
    ):
        self._agenda = agenda
        self._cases = cases
        self._seed = seed
        self._weights = weights
        self._log_file = folder / "worker.log"
        _remove_abandoned(folder)
        self._folder = Path(tempfile.mkdtemp(prefix="work-", dir=folder))
        self._command = [
            sys.executable,
            *_WORKER,
            str(weights.folder),
            str(tile_memory),
        ]
        self._environment = {
            **os.environ,
            "CUDA_VISIBLE_DEVICES": gpu or "",
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        }
        self._changed = threading.Condition()
        self._closed = False
        self._failure = None
        self._deaths = 0
        self._process = None
        self._thread = threading.Thread(target=self._tend, daemon=True)
        self._thread.start()

    def publish(self, version):
        """Predicts with these weights from the next case on."""
        with self._changed:
            self._agenda.newest = version
            self._changed.notify_all()

    def want(self, pairs):
        """Makes certain maps first, see `Agenda.want`."""
        with self._changed:
            self._agenda.want(pairs)
            self._changed.notify_all()

    def finished(self):
        """The newest maps that have been finished since they were last taken.

        Returns:
            Dictionary from case to `FinishedMap`.

        Raises:
            InputError: If the process cannot be kept alive.
        """
        with self._changed:
            self._check()
            newest, others = self._agenda.take_all()
        for error_map in others:
            error_map.path.unlink(missing_ok=True)
        return newest

    def wait_for(self, pairs):
        """Certain maps, when they are finished.

        Args:
            pairs: Pairs of case and version, one for each case.

        Returns:
            Dictionary from case to `FinishedMap`.

        Raises:
            InputError: If the process cannot be kept alive.
        """
        self.want(pairs)
        with self._changed:
            while (found := self._agenda.take(pairs)) is None:
                self._check()
                self._changed.wait()
        return found

    def versions(self):
        """Versions of weights that may still be needed here."""
        with self._changed:
            return self._agenda.versions()

    def close(self):
        """Ends the process; maps that were not taken are lost."""
        with self._changed:
            self._closed = True
            if self._process is not None:
                self._process.kill()
            self._changed.notify_all()
        self._thread.join()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _check(self):
        if self._failure is not None:
            raise InputError(*self._failure)

    def _tend(self):
        """What the thread does."""
        try:
            while self._start():
                reason = self._work()
                self._bury(reason)
        except Exception as error:
            log.debug("error maps", exc_info=True)
            self._fail(f"cannot be used ({type(error).__name__}: {error})")
            if self._process is not None:
                self._process.kill()
                self._end()

    def _start(self):
        """Starts the process, unless there is none needed any more."""
        with self._changed:
            if self._closed or self._failure:
                return False
            with open(self._log_file, "ab") as errors:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=self._environment,
                    # A session of its own would have a share of the
                    # processors of its own, too, whatever its priority.
                    process_group=0,
                )
            return True

    def _work(self):
        """Hands out tasks until the process ends, and says why it did."""
        while (task := self._next_task()) is not None:
            try:
                line = json.dumps(self._describe(*task)) + "\n"
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()
                answer = self._process.stdout.readline()
            except BrokenPipeError:
                answer = b""
            if not answer.endswith(b"\n"):
                break
            found = json.loads(answer)
            if isinstance(found, list):
                self._refuse(*found)
                break
            if found != task[1]:
                raise ValueError(f"the answer {answer!r}")
            self._note(task)
        return self._end()

    def _next_task(self):
        with self._changed:
            while not self._closed:
                task = self._agenda.begin()
                if task is not None:
                    return task
                self._changed.wait()
        return None

    def _describe(self, case, version):
        """What the worker is told; see there."""
        facts = asdict(self._cases[case])
        return {
            "case": {**facts, "folder": str(facts["folder"])},
            "version": version,
            "seed": [self._seed, version, case],
            "path": str(self._path(case, version)),
        }

    def _path(self, case, version):
        return self._folder / f"{case:05d}-{version:06d}.npy"

    def _note(self, task):
        with self._changed:
            self._deaths = 0
            self._agenda.finish(FinishedMap(self._path(*task), task[1]))
            self._changed.notify_all()

    def _end(self):
        """Sees the process off; the reason of its end."""
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        return reason_of_end(self._process.wait(), self._log_file)

    def _bury(self, reason):
        with self._changed:
            self._process = None
            if self._closed or self._failure:
                return
            self._deaths += 1
        if self._deaths > RESTARTS:
            self._fail(
                f"died {self._deaths} times in a row; at last it {reason}"
            )
        else:
            log.warning(
                "the process that makes error maps %s; it is started again",
                reason,
            )

    def _fail(self, problem):
        self._refuse(
            "`error_maps`",
            f"the process of concurrent maps {problem}",
            "Correct that, or use `error_maps='epoch'`",
        )

    def _refuse(self, source, problem, cure):
        with self._changed:
            self._failure = source, problem, cure
            self._changed.notify_all()


def reason_of_end(code, log_file):
    """Why a process ended, in words.

    Args:
        code: As `Popen.wait` returned it.
        log_file: What it wrote to its standard error.
    """
    if code == -signal.SIGKILL:
        return "was killed by SIGKILL (by the system, if memory ran out)"
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    text = Path(log_file).read_text(encoding="utf-8", errors="replace")
    said = [line.strip() for line in text.splitlines() if line.strip()]
    last = f": {said[-1][:300]}" if said else ""
    return f"ended with exit code {code}{last}"


def _remove_abandoned(folder):
    """Removes what the processes of killed runs left in a folder."""
    for path in folder.glob("work-*"):
        shutil.rmtree(path, ignore_errors=True)
