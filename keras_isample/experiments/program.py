"""What the programs of experiments have in common."""

import functools
import logging
import sys

import click

from keras_isample.config.spelling import options_by_name
from keras_isample.config.spelling import spelled
from keras_isample.errors import InputError
from keras_isample.progress import reporter_for


def experiment_program(main):
    """Makes a function that returns an experiment a program that runs it.

    The program has the function's options and `--report-only`. Bad settings
    and data, and files that cannot be used, are one line (exit code 1), bad
    options click's usage (2); Ctrl-C says how to go on (130).

    Args:
        main: Function from its options to an experiment, such as a
            `SamplingExperiment`. Its docstring is the help text.

    Returns:
        A click command.
    """

    @functools.wraps(main)
    def command(report_only, **options):
        # Remarks on how often functions are traced.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
        try:
            with reporter_for(sys.stderr) as reporter:
                main(**options).run(
                    train=not report_only,
                    say=lambda line: click.echo(shown(line)),
                    command_line=sys.argv,
                    reporter=reporter,
                )
        except (InputError, OSError) as error:
            raise click.ClickException(shown(str(error))) from error
        except KeyboardInterrupt:
            click.echo("stopped; the same command goes on from here", err=True)
            sys.exit(130)

    def shown(text):
        return spelled(text, options_by_name(program.params))

    names = {"help_option_names": ["-h", "--help"]}
    program = click.command(context_settings=names)(command)
    program.params.append(
        click.Option(["--report-only"], is_flag=True, help="Train nothing.")
    )
    return program


def length_options(main):
    """Adds `--epochs` and `--steps-per-epoch`, which win over the file's."""
    for name in ("--steps-per-epoch", "--epochs"):
        main = click.option(name, type=int, help="Instead of the file's.")(main)
    return main


def with_options(settings, given):
    """Settings and, in their place, those options that were given."""
    return settings | {k: v for k, v in given.items() if v is not None}
