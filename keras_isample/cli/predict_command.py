"""keras-isample predict."""

import click

from keras_isample.cli.arguments import check_inputs
from keras_isample.cli.arguments import tile_bytes
from keras_isample.cli.group import main
from keras_isample.cli.loading import loading_keras
from keras_isample.cli.prediction_options import prediction_options
from keras_isample.cli.prediction_options import show_failures
from keras_isample.cli.shown_progress import echo
from keras_isample.cli.shown_progress import shown_progress


@main.command()
@click.argument("run", type=click.Path())
@click.argument("inputs", nargs=-1, required=True, type=click.Path())
@click.option("--out", required=True, type=click.Path(), help="Folder.")
@click.option("--probabilities", is_flag=True, help="Write them too.")
@prediction_options
def predict(
    run, inputs, out, probabilities, postprocess, tile_memory, overwrite, quiet
):
    """Segments scans: RUN is a run folder or a .keras file.

    INPUTS are scans, folders of scans or data sets. Label maps have the grid
    of their input and are written to --out, with names and colors for 3D
    Slicer and ITK-SNAP. A second call does only what is missing.

    A scan that cannot be used is named at the end (exit code 2), and does not
    stop the others.
    """
    size = tile_bytes(tile_memory)
    check_inputs(run, inputs)
    with shown_progress(quiet) as reporter:
        with loading_keras(reporter):
            from keras_isample.commands.batch import LESS_MEMORY
            from keras_isample.commands.batch import CasesFailed
            from keras_isample.commands.predict import predict as segment
            from keras_isample.training.memory import within_memory

        try:
            with (
                within_memory(LESS_MEMORY),
                reporter.phase("segmenting", item="case") as phase,
            ):
                segment(
                    run,
                    inputs,
                    out,
                    tile_memory=size,
                    probabilities=probabilities,
                    postprocess=postprocess,
                    overwrite=overwrite,
                    say=echo,
                    progress=phase,
                    voxels=phase.within,
                )
        except CasesFailed as error:
            show_failures(error)
            return 2
