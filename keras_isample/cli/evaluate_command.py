"""keras-isample evaluate."""

import click

from keras_isample.cli.arguments import POSTPROCESSING
from keras_isample.cli.arguments import check_inputs
from keras_isample.cli.arguments import tile_bytes
from keras_isample.cli.group import main
from keras_isample.cli.loading import loading_keras
from keras_isample.cli.progress_bar import ProgressBar
from keras_isample.errors import InputError


@main.command()
@click.argument("run", required=False, type=click.Path())
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test", "all"]),
    default="test",
    show_default=True,
    help="all: with --data only.",
)
@click.option(
    "--data",
    type=click.Path(),
    help="Another data set with the same structures as RUN's.",
)
@click.option("--reference", type=click.Path(), help="Folder of label maps.")
@click.option("--prediction", type=click.Path(), help="Folder of label maps.")
@click.option(
    "--postprocess",
    type=click.Choice(POSTPROCESSING),
    default="largest-component",
    show_default=True,
)
@click.option(
    "--sides",
    is_flag=True,
    help="Left and right of merged structures apart, too.",
)
@click.option(
    "--tile-memory",
    default="auto",
    show_default=True,
    help="Of one tile; auto: 8GB for 3D U-Nets, else 1GB.",
)
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
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
    input grid; means with bootstrap confidence intervals.
    """
    folders = [reference, prediction]
    if bool(run) == any(folders) or any(folders) != all(folders):
        raise InputError(
            "evaluate",
            "needs either RUN or both --reference and --prediction",
            "Give one of the two",
        )
    if data and not run:
        raise InputError("--data", "needs RUN", "Name the run to evaluate")
    if split == "all" and not data:
        raise InputError(
            "--split",
            "is all, which mixes a run's training and test cases",
            "Choose one of them, or give another data set with --data",
        )
    if sides and not run:
        raise InputError(
            "--sides",
            "needs RUN, which knows what its classes merge",
            "Leave it away",
        )
    size = tile_bytes(tile_memory)
    if run:
        check_inputs(run, [data] if data else [])
    else:
        check_inputs(reference, [prediction])
    with loading_keras():
        from keras_isample.commands.evaluate import evaluate_folders
        from keras_isample.commands.evaluate import evaluate_run
        from keras_isample.metrics.summary import format_table

    if run:
        with ProgressBar("evaluating", quiet) as progress:
            summary, path = evaluate_run(
                run,
                split,
                data=data,
                tile_memory=size,
                postprocess=postprocess,
                sides=sides,
                overwrite=overwrite,
                progress=progress,
            )
    else:
        summary, path = evaluate_folders(
            reference, prediction, overwrite=overwrite
        )
    click.echo(format_table(summary))
    if "sides" in summary:
        click.echo(format_table(summary["sides"]))
    click.echo(path)
