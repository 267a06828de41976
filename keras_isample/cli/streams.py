"""Standard streams on which the program can always write.

Started without one of them (`2>&-`), the next file to be opened would get its
number, and TensorFlow's remarks would go into it. A remark that finds no room
(`2> log` on a full disk) must not end hours of training. Names of files need
not be text in the encoding of the terminal.
"""

import codecs
import io
import os
import sys
import traceback

import click

_ERRORS = "keras-isample"
"""Name of `_written_somehow` among Python's handlers of encoding errors."""


def prepare_streams():
    """Makes the standard streams of this process such ones.

    Streams that are not those of the process, as in tests, stay as they are.
    """
    _open_closed_ones()
    codecs.register_error(_ERRORS, _written_somehow)
    if sys.stdout is not None and _is_number(sys.stdout, 1):
        sys.stdout.reconfigure(errors=_ERRORS)
    if sys.stderr is not None and _is_number(sys.stderr, 2):
        sys.stderr = _forgiving(sys.stderr)


def copy_of(stream):
    """A stream to the same file, on which nothing that is written fails.

    It stays when the number of the first one is given to another file.

    Args:
        stream: One that has a file descriptor.

    Raises:
        OSError, ValueError: If it has none.
    """
    file = _ForgivingFile(os.dup(stream.fileno()), "w")
    return _text_of(file, stream.encoding, stream.errors)


def is_of_output(error):
    """Whether an `OSError` comes from writing to standard output or error."""
    return any(
        frame.f_code is click.echo.__code__
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )


def give_up_output():
    """Drops what could not be written, so that Python does not try again."""
    if sys.stdout is not None and _is_number(sys.stdout, 1):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)


def _open_closed_ones():
    """Opens what the program was started without, on nothing."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w")) + (
        (2, "stderr", "w"),
    ):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            if getattr(sys, name) is None:
                stream = open(number, mode, encoding="utf-8", closefd=False)
                setattr(sys, name, stream)


def _is_number(stream, number):
    """Whether a stream is Python's own on that file descriptor."""
    try:
        return type(stream) is io.TextIOWrapper and stream.fileno() == number
    except (OSError, ValueError):
        return False


class _ForgivingFile(io.FileIO):
    """A file that takes for written what there is no room or reader for."""

    def write(self, data):
        try:
            return super().write(data)
        except OSError:
            return len(data)


def _forgiving(stream):
    """The same stream, in which nothing that is written fails."""
    file = _ForgivingFile(stream.fileno(), "w", closefd=False)
    return _text_of(file, stream.encoding, _ERRORS)


def _text_of(file, encoding, errors):
    return io.TextIOWrapper(
        io.BufferedWriter(file),
        encoding=encoding,
        errors=errors,
        line_buffering=True,
    )


def _written_somehow(error):
    """Bytes that are no text go out as they came in, the rest escaped."""
    if isinstance(error, UnicodeEncodeError):
        try:
            return codecs.lookup_error("surrogateescape")(error)
        except UnicodeEncodeError:
            pass
    return codecs.lookup_error("backslashreplace")(error)
