"""Members in worker processes on this machine."""

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile

from keras_isample.training.member import READY
from keras_isample.training.member import Outcome


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
