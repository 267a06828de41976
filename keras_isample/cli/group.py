"""The program as a whole: what all commands share, and its exit codes."""

import contextlib
import copy
import logging
import os
import signal
import sys

import click

from keras_isample.cli.interruption import interruption
from keras_isample.cli.shown_progress import LogLines
from keras_isample.cli.streams import give_up_output
from keras_isample.cli.streams import is_of_output
from keras_isample.cli.streams import prepare_streams
from keras_isample.config.spelling import options_by_name
from keras_isample.config.spelling import spelled as with_options
from keras_isample.errors import InputError
from keras_isample.errors import reason_of_no_memory
from keras_isample.version import __version__

_OUTPUT_CURE = "Write it to where there is room"

_DISK_CURE = "Check the disk, the rights and the path"

_MEMORY_CURE = "Close other programs, or give the command less to do at once"


class _ReaderGone(Exception):
    """Nobody reads the output any more."""


@contextlib.contextmanager
def _not_left_to_click():
    """Click ends the program itself, as if with an error of its own."""
    try:
        yield
    except BrokenPipeError as error:
        raise _ReaderGone from error


class _Group(click.Group):
    """Shows bad input as one line and leaves with the promised codes."""

    def make_context(self, *args, **kwargs):
        with _not_left_to_click():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx):
        with _not_left_to_click():
            return super().invoke(ctx)

    def main(self, *args, **kwargs):
        kwargs["standalone_mode"] = False
        prepare_streams()
        try:
            code = super().main(*args, **kwargs)
        except click.exceptions.Exit as error:
            code = error.exit_code
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            code = 2
        except click.ClickException as error:
            complain(" ".join(error.format_message().split()))
            code = 2
        except InputError as error:
            complain(error)
            code = 2
        except (KeyboardInterrupt, click.Abort):
            click.echo("keras-isample: stopped", err=True)
            code = 130
        except _ReaderGone:
            # Nothing is left to say; other programs end by this signal.
            give_up_output()
            code = 128 + signal.SIGPIPE
        except Exception as error:
            if interruption.received:
                click.echo("keras-isample: stopped", err=True)
                code = 130
            else:
                text = _in_one_line(error)
                if text is None:
                    raise
                complain(text)
                code = 2
        sys.exit(code if isinstance(code, int) else 0)


def _in_one_line(error):
    """What an error of the system means; `None` for a mistake of ours."""
    reason = reason_of_no_memory(error)
    if reason is not None:
        return f"memory: is used up ({reason}). {_MEMORY_CURE}."
    if isinstance(error, UnicodeEncodeError):
        shown = ascii(error.object)[:200]
        return f"{shown}: is no text in {error.encoding}. Choose another name."
    if not isinstance(error, OSError):
        return None
    reason = error.strerror or _short(error)
    if error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {reason}. {_DISK_CURE}."
    if is_of_output(error):
        give_up_output()
        return f"output: {reason}. {_OUTPUT_CURE}."
    return f"file: {reason}. {_DISK_CURE}."


def _short(error):
    """The first line of an error's text."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:300].rstrip(".")


def complain(error):
    """Shows an error as one line, options in place of arguments.

    Args:
        error: An `InputError`, or a text.
    """
    text = spelled(str(error)) if isinstance(error, InputError) else error
    click.echo(f"keras-isample: error: {text}", err=True)


def spelled(text: str) -> str:
    """A message of the package as the command line shows it.

    Args:
        text: What names arguments, see `config.spelling`.
    """
    options = options_by_name(main.params)
    for command in main.commands.values():
        options |= options_by_name(command.params)
    return with_options(text, options)


class _Spelled(logging.Formatter):
    """Puts options for arguments, also in messages that are filled in."""

    def format(self, record):
        record = copy.copy(record)
        record.msg, record.args = spelled(record.getMessage()), None
        return super().format(record)


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Not a medical device.",
)
@click.version_option(__version__, prog_name="keras-isample")
@click.option("-v", "--verbose", is_flag=True, help="Say more on stderr.")
def main(verbose):
    """Segments large, sparse medical scans with Keras 3.

    Patches are drawn where the network is still wrong (isample); whole scans
    are predicted exactly and within bounded memory.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    lines = LogLines()
    lines.setFormatter(_Spelled("keras-isample: %(message)s"))
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, handlers=[lines]
    )
    if not verbose:
        # Remarks on how often functions are traced.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interruption)
