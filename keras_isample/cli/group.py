"""The program as a whole: what all commands share, and its exit codes."""

import logging
import os
import signal
import sys

import click

from keras_isample.cli.interruption import interruption
from keras_isample.cli.shown_progress import LogLines
from keras_isample.errors import InputError
from keras_isample.version import __version__


class _Group(click.Group):
    """Shows bad input as one line and leaves with the promised codes."""

    def main(self, *args, **kwargs):
        kwargs["standalone_mode"] = False
        try:
            code = super().main(*args, **kwargs)
        except click.exceptions.Exit as error:
            code = error.exit_code
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            code = 2
        except click.ClickException as error:
            _complain(" ".join(error.format_message().split()))
            code = 2
        except InputError as error:
            _complain(str(error))
            code = 2
        except (KeyboardInterrupt, click.Abort):
            click.echo("keras-isample: stopped", err=True)
            code = 130
        except BrokenPipeError:
            # Whoever reads our output has gone; nothing is left to say.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 1
        except OSError as error:
            if error.filename is None:
                raise
            reason = error.strerror or type(error).__name__
            cure = "Check the disk, the rights and the path"
            _complain(f"{error.filename}: {reason}. {cure}.")
            code = 2
        except Exception:
            if not interruption.received:
                raise
            click.echo("keras-isample: stopped", err=True)
            code = 130
        sys.exit(code if isinstance(code, int) else 0)


def _complain(text):
    click.echo(f"keras-isample: error: {text}", err=True)


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
    logging.basicConfig(
        format="keras-isample: %(message)s",
        level=logging.INFO if verbose else logging.WARNING,
        handlers=[LogLines()],
    )
    if not verbose:
        # Remarks on how often functions are traced.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interruption)
