"""What TensorFlow writes about itself while it is imported."""

import contextlib
import os
import re
import sys
import tempfile

from keras_isample.errors import InputError

_REMARK = re.compile(
    rb"WARNING: All log messages before absl|[IW]\d{4} |"
    rb"To enable the following instructions|.*Unable to register cu"
)


@contextlib.contextmanager
def quiet_import(quiet=True):
    """Holds back stderr, below Python, while libraries are imported.

    TensorFlow writes six lines on processor, drivers and plugins before it
    asks for its log level. They are dropped, and all else is shown after the
    import; if that fails, the six lines as well. What is written by a process
    that aborts in the import is lost.

    Args:
        quiet: If false, nothing is held back.
    """
    held, shown = _hold() if quiet else (None, None)
    if held is None:
        yield
        return
    failed = False
    try:
        os.dup2(held.fileno(), 2)
        yield
    except InputError:
        # That says all there is to say.
        raise
    except Exception:
        failed = True
        raise
    finally:
        os.dup2(shown, 2)
        os.close(shown)
        with held, contextlib.suppress(OSError):
            held.seek(0)
            for line in held:
                if failed or not _REMARK.match(line):
                    os.write(2, line)


def _hold():
    """A file in place of stderr, and stderr; `None` where that cannot be."""
    if sys.stderr is None:
        return None, None
    try:
        sys.stderr.flush()
        held = tempfile.TemporaryFile()
    except OSError:
        return None, None
    try:
        return held, os.dup(2)
    except OSError:
        held.close()
        return None, None
