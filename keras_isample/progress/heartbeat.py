"""A thread that calls a function at regular intervals."""

import threading


class Heartbeat:
    """Calls a function from a thread of its own until it is stopped.

    Where the main thread is inside a long call, such as the compilation of a
    network, only another thread can show that the program is alive.

    Args:
        tick: The function, without arguments.
        seconds: Time between two calls.
    """

    def __init__(self, tick, seconds):
        self.tick = tick
        self.seconds = seconds
        self.thread = None
        self._stopped = None

    def start(self):
        """Starts the thread unless it runs already."""
        if self.thread is not None:
            return
        self._stopped = threading.Event()
        self.thread = threading.Thread(
            target=self._run, args=(self._stopped,), daemon=True
        )
        self.thread.start()

    def stop(self):
        """Ends the thread; it wakes up for that at once."""
        if self.thread is not None:
            self._stopped.set()
            self.thread = None

    def _run(self, stopped):
        while not stopped.wait(self.seconds):
            self.tick()
