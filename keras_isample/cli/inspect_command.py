"""keras-isample inspect."""

import json

import click

from keras_isample.cli.group import main
from keras_isample.cli.group import spelled
from keras_isample.cli.shown_progress import echo
from keras_isample.cli.shown_progress import shown_progress


@main.command()
@click.argument("data", type=click.Path())
@click.option("--labels", default="", help="Structures, as in fit.")
@click.option("--modality", default="CTce_ThAb", show_default=True)
@click.option(
    "--intensity",
    type=click.Choice(["ct", "zscore"]),
    default="ct",
    show_default=True,
)
@click.option(
    "--spacing",
    default="auto",
    show_default=True,
    help="Training spacing, as in fit.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
def inspect(data, labels, modality, intensity, spacing, as_json, quiet):
    """Reads every case of DATA and reports everything that is wrong.

    One row a case: shape, spacing, orientation, intensities, share of each
    label; exit code 2 if any case cannot be trained on.
    """
    from keras_isample.config.data import DataConfig
    from keras_isample.data.cohort import read_cohort
    from keras_isample.data.inspection import at_own_spacing_if_flat
    from keras_isample.data.inspection import cohort_warnings
    from keras_isample.data.inspection import format_report
    from keras_isample.data.inspection import inspect_cohort
    from keras_isample.data.inspection import report_as_json

    settings = DataConfig(labels=labels, spacing=spacing)
    with shown_progress(quiet) as reporter:
        with reporter.phase("reading headers"):
            cohort = read_cohort(
                data,
                settings.labels or None,
                spacing=settings.spacing_mm,
                modality=modality,
                intensity=intensity,
            )
            if settings.spacing == "auto":
                cohort = at_own_spacing_if_flat(cohort)
        echo(cohort.describe(), err=as_json)
        with reporter.phase("reading scans", len(cohort.cases)) as phase:
            reports = inspect_cohort(cohort, progress=phase)
    if as_json:
        text = json.dumps(report_as_json(reports), indent=1)
        click.echo(spelled(text))
        for line in cohort_warnings(reports, cohort):
            click.echo(spelled(line), err=True)
    else:
        click.echo(spelled(format_report(reports, cohort)))
    return 0 if all(report.trainable for report in reports) else 2
