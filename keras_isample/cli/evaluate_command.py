"""keras-isample evaluate."""

import click

from keras_isample.cli.arguments import check_inputs
from keras_isample.cli.arguments import tile_bytes
from keras_isample.cli.group import main
from keras_isample.cli.loading import loading_keras
from keras_isample.cli.prediction_options import prediction_options
from keras_isample.cli.prediction_options import show_failures
from keras_isample.cli.shown_progress import shown_progress
from keras_isample.errors import InputError


@main.command()
@click.argument("run", required=False, type=click.Path())
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test", "all"]),
    default="test",
    show_default=True,
    help="all: with --data only, all that RUN has not seen.",
)
@click.option(
    "--data",
    type=click.Path(),
    help="Another data set with the same structures as RUN's.",
)
@click.option(
    "--reference",
    type=click.Path(),
    help="Folder of label maps; a dataset.json or labels.json names them.",
)
@click.option(
    "--prediction",
    type=click.Path(),
    help="Folder of label maps, matched by name if both are named.",
)
@click.option(
    "--sides",
    is_flag=True,
    help="Left and right of merged structures apart, too.",
)
@prediction_options
def evaluate(
    run,
    split,
    data,
    reference,
    prediction,
    postprocess,
    sides,
    tile_memory,
    overwrite,
    quiet,
):
    """Metrics of RUN's predictions, or of one folder against another.

    Dice, IoU, HD95, ASSD, NSD and volumes per case and structure, on the
    input grid; means with bootstrap confidence intervals. Cases that RUN was
    trained on or validated with never count as test cases.
    """
    folders = [reference, prediction]
    if bool(run) == any(folders) or any(folders) != all(folders):
        raise InputError(
            "evaluate",
            "needs either RUN or both --reference and --prediction",
            "Give one of the two",
        )
    if not run:
        _refuse_options_of_runs()
    if split == "all" and not data:
        raise InputError(
            "--split",
            "is all, which mixes a run's training and test cases",
            "Choose one of them, or give another data set with --data",
        )
    size = tile_bytes(tile_memory)
    if run:
        check_inputs(run, [data] if data else [])
    else:
        check_inputs(reference, [prediction])
    with shown_progress(quiet) as reporter:
        with loading_keras(reporter):
            from keras_isample.commands.batch import LESS_MEMORY
            from keras_isample.commands.batch import CasesFailed
            from keras_isample.commands.evaluate import evaluate_run
            from keras_isample.commands.evaluate_folders import evaluate_folders
            from keras_isample.metrics.summary import format_table
            from keras_isample.training.memory import within_memory

        failed = None
        try:
            if run:
                with (
                    within_memory(LESS_MEMORY),
                    reporter.phase("evaluating", item="case") as phase,
                ):
                    summary, path = evaluate_run(
                        run,
                        split,
                        data=data,
                        tile_memory=size,
                        postprocess=postprocess,
                        sides=sides,
                        overwrite=overwrite,
                        progress=phase,
                        voxels=phase.within,
                    )
            else:
                with reporter.phase("evaluating label maps") as phase:
                    summary, path = evaluate_folders(
                        reference,
                        prediction,
                        overwrite=overwrite,
                        progress=phase,
                    )
        except CasesFailed as error:
            failed = error
            summary, path = error.result
    click.echo(format_table(summary))
    if "sides" in summary:
        click.echo(format_table(summary["sides"]))
    click.echo(path)
    if failed:
        show_failures(failed)
        return 2
    return 0


def _refuse_options_of_runs():
    """Label maps in folders are measured as they are, all of them."""
    context = click.get_current_context()
    names = ("data", "split", "sides", "postprocess", "tile_memory")
    for name in names:
        source = context.get_parameter_source(name)
        if source is not click.core.ParameterSource.DEFAULT:
            raise InputError(
                "--" + name.replace("_", "-"),
                "needs RUN",
                "Remove it, or name the run to evaluate",
            )
