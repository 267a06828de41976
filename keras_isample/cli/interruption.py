"""Ctrl-C and SIGTERM."""


class Interruption:
    """Ctrl-C and SIGTERM, remembered until the next step.

    The exception is raised at once, wherever that is; amid TensorFlow it may
    get lost in a finalizer, or come out as another error.
    """

    def __init__(self):
        self.received = False

    def __call__(self, number, frame):
        self.received = True
        raise KeyboardInterrupt

    def check(self, *_, **__):
        if self.received:
            raise KeyboardInterrupt


interruption = Interruption()
