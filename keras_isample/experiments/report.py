"""Tables and pictures of isample against uniform, from finished runs."""

import json
from collections.abc import Mapping
from pathlib import Path

from keras_isample.experiments.comparison import Arm
from keras_isample.experiments.comparison import Comparison
from keras_isample.experiments.error_slices import draw_error_slices
from keras_isample.experiments.provenance import commits_of
from keras_isample.experiments.statistics import fractions_of
from keras_isample.experiments.statistics import mean_history
from keras_isample.experiments.statistics import measure
from keras_isample.experiments.statistics import steps_to_reach
from keras_isample.experiments.statistics import value_at
from keras_isample.experiments.tables import Table
from keras_isample.figures.training_curves import Curve
from keras_isample.figures.training_curves import Panel
from keras_isample.figures.training_curves import draw_training_curves
from keras_isample.volumes.files import write_text

_DICE = "mean validation Dice"
_LOSS = "cross-entropy of the drawn patches"
_TIMES = ("seconds_training", "seconds_error_maps", "seconds_validation")


def write_report(
    comparison: Comparison,
    isample: Arm,
    uniform: Arm,
    others: list[Arm],
    folder: str | Path,
    *,
    published: Mapping[str, tuple] | None = None,
) -> list[Table]:
    """Writes `report.md`, a CSV for each table, and PNGs.

    Only finished runs count.

    Args:
        comparison: The `Comparison`.
        isample: Its main arm.
        uniform: The arm that it is compared with.
        others: Arms with other epsilons.
        folder: Where to write.
        published: Name to the four Dice at an eighth, a quarter, half and all
            of the steps, `None` where not known; shown below our own.

    Returns:
        The `Table`s.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    main = [isample, uniform]
    tables = {
        "dice_at_steps": dice_table(comparison, main, uniform, published),
        "test_dice": test_table(comparison, main),
        "time": time_table(comparison, [*main, *others]),
        "runs": runs_table(comparison),
    }
    pictures = ["curves.png", "dice.png"]
    _draw_curves(comparison, main, folder / "curves.png")
    _draw_dice(comparison, main, uniform, folder / "dice.png")
    if draw_error_slices(comparison, main, folder / "error_maps.png"):
        pictures.append("error_maps.png")
    if others:
        arms = sorted(
            [isample, *others], key=lambda arm: arm.settings["epsilon"]
        )
        tables["epsilon"] = epsilon_table(comparison, [*arms, uniform])
        _draw_epsilons(comparison, arms, folder / "epsilon.png")
        pictures.append("epsilon.png")
    curves_table(comparison, [*main, *others]).write_csv(folder / "curves.csv")
    for name, table in tables.items():
        table.write_csv(folder / f"{name}.csv")
    text = ["# isample against uniform sampling", ""]
    text += [f"![{name}]({name})" for name in pictures]
    text += ["", *(table.to_markdown() for table in tables.values())]
    write_text(folder / "report.md", "\n".join(text))
    return list(tables.values())


def dice_table(comparison, arms, uniform, published=None):
    """Validation Dice at n steps, and the steps to uniform's last Dice."""
    moments = fractions_of(_num_steps(comparison))
    of_uniform = _validated(mean_history(comparison.histories(uniform)))
    targets = (None, None)
    if of_uniform:
        scores = [row["val_dice"].mean for row in of_uniform]
        targets = (scores[-1], max(scores))
    rows = []
    for arm in arms:
        histories = comparison.histories(arm)
        averaged = mean_history(histories)
        rows.append(
            (
                arm.title,
                len(histories),
                *_dice_at(histories, moments),
                *(
                    None if t is None else steps_to_reach(averaged, t)
                    for t in targets
                ),
            )
        )
    note = (
        "Mean validation Dice over whole scans, ± its standard deviation over "
        "seeds, at the newest validation up to each number of steps. The last "
        "columns tell when an arm's mean first reaches what uniform's mean "
        "has after the last step, and at its best (-: never)."
    )
    if published:
        rows += [(n, None, *v, None, None) for n, v in published.items()]
        note += (
            " Published rows: real VISCERAL scans, at 5, 10, 20 and 40 "
            "thousand steps."
        )
    return Table(
        "Dice at n steps",
        (
            "sampling",
            "runs",
            *(f"{n} steps" for n in moments),
            "steps to uniform's final",
            "steps to uniform's best",
        ),
        rows,
        note,
    )


def test_table(comparison, arms):
    """Test Dice of each structure and their mean, an arm a column."""
    summaries = [_summaries(comparison, arm, arm.seeds) for arm in arms]
    known = [summary for of_arm in summaries for summary in of_arm]
    labels = known[0]["labels"] if known else {}
    rows = [
        (
            name,
            *(
                measure(s["mean"][label]["Dice"] for s in of_arm)
                for of_arm in summaries
            ),
        )
        for label, name in labels.items()
    ]
    if known:
        rows.append(("mean", *(measure(map(_test_dice, s)) for s in summaries)))
        cases = len(known[0]["metric_per_case"])
        note = (
            f"{cases} test scans on their own grids; each run's model is its "
            "best on validation; no post-processing; ± is over seeds."
        )
    else:
        note = "The split has no test scans, or no run has finished."
    return Table(
        "Test Dice", ("structure", *(arm.title for arm in arms)), rows, note
    )


def epsilon_table(comparison, arms):
    """Validation Dice at n steps of arms of the same few seeds."""
    seeds = _common_seeds(arms)
    moments = fractions_of(_num_steps(comparison))
    rows = []
    for arm in arms:
        histories = comparison.histories(arm, seeds)
        tests = _summaries(comparison, arm, seeds)
        rows.append(
            (
                _epsilon(arm),
                len(histories),
                *_dice_at(histories, moments),
                measure(map(_test_dice, tests)),
                measure(rows[-1]["acceptance_rate"] for rows in histories),
            )
        )
    return Table(
        "Effect of epsilon",
        (
            "epsilon",
            "runs",
            *(f"{n} steps" for n in moments),
            "test Dice",
            "accepted at the end",
        ),
        rows,
        "Mean validation Dice as above, of the seeds that all of them have.",
    )


def curves_table(comparison, arms):
    """Every column of the histories against steps, averaged over seeds."""
    averaged = {
        arm.title: mean_history(comparison.histories(arm)) for arm in arms
    }
    columns = list(
        dict.fromkeys(
            name
            for rows in averaged.values()
            for name in (rows[0] if rows else {})
            if name not in ("step", "epoch")
        )
    )
    return Table(
        "Against steps",
        ("sampling", "step", *columns),
        [
            (name, row["step"], *(row[column] for column in columns))
            for name, rows in averaged.items()
            for row in rows
        ],
    )


def time_table(comparison, arms):
    """Minutes of a run and what they were spent on."""
    rows = []
    for arm in arms:
        totals = [
            [sum(row[name] or 0 for row in history) for name in _TIMES]
            for history in comparison.histories(arm)
        ]
        rows.append(
            (
                arm.title,
                measure(sum(parts) / 60 for parts in totals),
                *(
                    measure(parts[place] / sum(parts) for parts in totals)
                    for place in range(len(_TIMES))
                ),
            )
        )
    return Table(
        "Time",
        ("sampling", "minutes a run", "training", "error maps", "validation"),
        rows,
        "Shares of the time of a run's epochs.",
    )


def runs_table(comparison):
    """Each run, its best validation Dice and the commits that made it."""
    rows = []
    for arm, seed in comparison.pairs():
        folder = comparison.run_folder(arm, seed)
        if not comparison.has_finished(arm, seed):
            rows.append((folder.path.name, None, "not finished", None))
            continue
        facts = folder.manifest()
        rows.append(
            (
                folder.path.name,
                facts["best_val_dice"],
                ", ".join(commits_of(folder)),
                facts["finished"],
            )
        )
    return Table(
        "Runs", ("run", "best validation Dice", "commit", "finished"), rows
    )


def _num_steps(comparison):
    arm = comparison.arms[0]
    training = comparison.config(arm, arm.seeds[0]).training
    return training.epochs * training.steps_per_epoch


def _dice_at(histories, moments):
    return [
        measure(value_at(rows, n, "val_dice") for rows in histories)
        for n in moments
    ]


def _validated(averaged):
    return [row for row in averaged if row["val_dice"].mean is not None]


def _common_seeds(arms):
    return sorted(set.intersection(*(set(arm.seeds) for arm in arms)))


def _summaries(comparison, arm, seeds):
    """Test summaries of the finished runs of these seeds, where there are."""
    paths = [
        comparison.run_folder(arm, seed).evaluation("test") / "summary.json"
        for seed in arm.seeds
        if seed in seeds and comparison.has_finished(arm, seed)
    ]
    return [
        json.loads(path.read_text(encoding="utf-8"))
        for path in paths
        if path.is_file()
    ]


def _epsilon(arm):
    epsilon = arm.settings.get("epsilon")
    return arm.title if epsilon is None else f"{epsilon:g}"


def _test_dice(summary):
    return summary["foreground_mean"]["Dice"]


def _curve(label, averaged, column):
    return Curve(
        label,
        [row["step"] for row in averaged],
        [_or_nan(row[column].mean) for row in averaged],
        [_or_nan(row[column].spread) for row in averaged],
    )


def _or_nan(value):
    return float("nan") if value is None else value


def _curves(comparison, arms, column, seeds=None, label=lambda arm: arm.title):
    return [
        _curve(
            label(arm), mean_history(comparison.histories(arm, seeds)), column
        )
        for arm in arms
    ]


def _draw_curves(comparison, arms, path):
    loss = _curves(comparison, arms, "loss")
    dice = _curves(comparison, arms, "val_dice")
    _draw_loss_and_dice(path, loss, dice)


def _draw_dice(comparison, arms, uniform, path):
    dice = _curves(comparison, arms, "val_dice")
    last = _validated(mean_history(comparison.histories(uniform)))
    moments = fractions_of(_num_steps(comparison))
    draw_training_curves(
        path,
        [
            Panel(
                "Dice at n steps",
                _DICE,
                dice,
                level=last[-1]["val_dice"].mean if last else None,
                level_label="uniform, all steps",
                marked_steps=moments,
                limits=(0, 1),
            )
        ],
    )


def _draw_epsilons(comparison, arms, path):
    seeds = _common_seeds(arms)

    def curves(column):
        return _curves(
            comparison,
            arms,
            column,
            seeds,
            lambda arm: f"epsilon {_epsilon(arm)}",
        )

    _draw_loss_and_dice(path, curves("loss"), curves("val_dice"))


def _draw_loss_and_dice(path, loss, dice):
    panels = [
        Panel("Training loss", _LOSS, loss, logarithmic=True),
        Panel("Validation", _DICE, dice, limits=(0, 1)),
    ]
    draw_training_curves(path, panels)
