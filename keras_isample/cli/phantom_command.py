"""keras-isample phantom."""

import click

from keras_isample.cli.arguments import floats
from keras_isample.cli.arguments import integers
from keras_isample.cli.group import main
from keras_isample.cli.shown_progress import shown_progress


@main.command()
@click.argument("directory", metavar="DIR", type=click.Path())
@click.option(
    "--kind",
    type=click.Choice(["ct", "cardiac", "brain"]),
    default="ct",
    show_default=True,
)
@click.option("--cases", type=int, help="By default 12; cardiac 200, brain 50.")
@click.option(
    "--shape",
    default=None,
    help="Voxels to the right, to the front and to the head (by default "
    "160,160,160; brain 96,96,96); of cardiac slices width,height (96,96).",
)
@click.option(
    "--spacing", default=None, help="mm; by default the body fits the shape."
)
@click.option(
    "--layout",
    type=click.Choice(["visceral", "nnunet"]),
    default=None,
    help="Of CT; by default visceral.",
)
@click.option("--seed", default=0, show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace an older phantom.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
def phantom(
    directory, kind, cases, shape, spacing, layout, seed, overwrite, quiet
):
    """Writes a synthetic data set to DIR.

    ct: body, spine, lungs, liver, spleen, kidneys (about 0.3 % of the voxels),
    an aorta, vessels and bowel of kidney-like intensity, noise.

    cardiac: short-axis MR slices with both ventricles and myocardium, as PNG
    files, with a split.

    brain: T1-like MR with 27 structures; DIR/auto with biased labels to
    pre-train, DIR/manual with true ones to fine-tune and test.

    The anatomy varies from case to case.
    """
    from keras_isample.data.phantom_kinds import write_phantom_of_kind

    axes = 2 if kind == "cardiac" else 3
    shape = None if shape is None else integers("--shape", shape, axes)
    spacing = None if spacing is None else floats("--spacing", spacing)
    with shown_progress(quiet) as reporter:
        with reporter.phase("drawing scans") as phase:
            write_phantom_of_kind(
                directory,
                kind,
                cases=cases,
                shape=shape,
                spacing=spacing,
                layout=layout,
                seed=seed,
                progress=phase,
                overwrite=overwrite,
            )
    click.echo(directory)
