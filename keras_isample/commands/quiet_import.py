"""What libraries write about themselves while they are imported."""

import contextlib
import os
import sys
import tempfile


@contextlib.contextmanager
def quiet_import(quiet=True):
    """Holds back stderr, below Python, while libraries are imported.

    TensorFlow writes six lines about the processor and missing GPU drivers
    before it asks for its log level. If the import fails they are shown.

    Args:
        quiet: If false, nothing is held back.
    """
    try:
        shown = os.dup(2) if quiet else None
    except OSError:
        # There is no stderr.
        shown = None
    if shown is None:
        yield
        return
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(shown, held.read())
            raise
        finally:
            os.dup2(shown, 2)
            os.close(shown)
