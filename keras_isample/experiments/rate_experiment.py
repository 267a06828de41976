"""The AutoLR paper's experiment: a population against hand schedules."""

from keras_isample.config import Config
from keras_isample.experiments.comparison import Arm
from keras_isample.experiments.comparison import Comparison
from keras_isample.experiments.experiment import Experiment
from keras_isample.experiments.result_curves import curves_of
from keras_isample.experiments.result_tables import evaluation_table
from keras_isample.experiments.result_tables import runs_table
from keras_isample.experiments.statistics import fractions_of
from keras_isample.experiments.statistics import measure
from keras_isample.experiments.statistics import value_at
from keras_isample.experiments.tables import Table
from keras_isample.figures.training_curves import Panel
from keras_isample.figures.training_curves import draw_training_curves
from keras_isample.volumes.files import write_text

DROP = 0.4
"""Hand schedules A and B divide their rate by ten each time this share of the
epochs is over (the paper: every 400 epochs)."""


class RateExperiment(Experiment):
    """AutoLR, constant rates and hand schedules A and B at equal steps.

    Args:
        folder: Where runs, tables and pictures are written.
        data_path: The data set.
        settings: Common settings, as those of a configuration file.
        seeds: Number of runs of each.

    Attributes:
        comparison: The runs, a `Comparison`.

    Raises:
        InputError: If a setting is unknown or out of range.
    """

    def __init__(self, folder, data_path, settings, *, seeds=2):
        super().__init__(folder)
        epochs = Config.from_settings(data_path, settings).training.epochs
        self.arms = _arms(epochs, tuple(range(seeds)))
        self.comparison = Comparison(
            self.folder / "runs", data_path, settings, self.arms
        )
        self.comparisons = [self.comparison]

    def _write_report(self):
        tables = {
            "dice": _dice_table(self.comparison, self.arms),
            "test_dice": evaluation_table(self.comparison, self.arms),
            "runs": runs_table(self.comparison),
        }
        for sampling in ("isample", "uniform"):
            arms = [a for a in self.arms if a.settings["sampling"] == sampling]
            _draw(self.comparison, arms, self.folder / f"{sampling}.png")
        for name, table in tables.items():
            table.write_csv(self.folder / f"{name}.csv")
        text = ["# AutoLR against hand schedules", ""]
        text += ["![isample](isample.png)", "![uniform](uniform.png)", ""]
        text += [table.to_markdown() for table in tables.values()]
        write_text(self.folder / "report.md", "\n".join(text))
        return list(tables.values())


def _arms(epochs, seeds):
    every = max(1, round(DROP * epochs))
    isample, uniform = {"sampling": "isample"}, {"sampling": "uniform"}
    falling = {"lr_schedule": f"step:{every}:0.1"}
    arms = [
        ("autolr", "AutoLR", {"learning_rate": "auto", **isample}),
        *(
            (f"constant-{rate:g}", f"{rate:g}", {"learning_rate": rate})
            for rate in (0.05, 0.01, 0.005)
        ),
        ("a", "schedule A", {"learning_rate": 0.05, **falling}),
        ("b", "schedule B", {"learning_rate": 0.025, **falling}),
        (
            "autolr-uniform",
            "AutoLR, uniform",
            {"learning_rate": "auto", **uniform},
        ),
        (
            "a-uniform",
            "schedule A, uniform",
            {"learning_rate": 0.05, **falling, **uniform},
        ),
        (
            "b-uniform",
            "schedule B, uniform",
            {"learning_rate": 0.025, **falling, **uniform},
        ),
    ]
    return [
        Arm(name, title, {**isample, **own}, seeds) for name, title, own in arms
    ]


def _dice_table(comparison, arms):
    """Validation Dice at a quarter and at the end (the paper's Table 1)."""
    _, quarter, _, end = fractions_of(comparison.num_steps)
    rows = []
    for arm in arms:
        histories = comparison.histories(arm)
        rows.append(
            (
                arm.title,
                arm.settings["sampling"],
                len(histories),
                *(
                    measure(value_at(rows, n, "val_dice") for rows in histories)
                    for n in (quarter, end)
                ),
                measure(
                    max(r["val_dice"] or 0 for r in rows) for rows in histories
                ),
            )
        )
    return Table(
        "Validation Dice",
        (
            "rate",
            "sampling",
            "runs",
            f"{quarter} steps",
            f"{end} steps",
            "best",
        ),
        rows,
        "Mean over whole validation scans, ± its standard deviation over "
        "seeds. Steps are those of each member: a population of three takes "
        "three times the work.",
    )


def _draw(comparison, arms, path):
    draw_training_curves(
        path,
        [
            Panel(
                "Validation",
                "mean validation Dice",
                curves_of(comparison, arms, "val_dice"),
                limits=(0, 1),
            ),
            Panel(
                "Learning rate",
                "rate in force",
                curves_of(comparison, arms, "learning_rate"),
                logarithmic=True,
            ),
        ],
    )
