"""What the finished runs of a comparison say, in numbers."""

from keras_isample.experiments.provenance import commits_of
from keras_isample.experiments.statistics import fractions_of
from keras_isample.experiments.statistics import level_of
from keras_isample.experiments.statistics import mean_history
from keras_isample.experiments.statistics import measure
from keras_isample.experiments.statistics import steps_to_reach
from keras_isample.experiments.statistics import steps_to_stay
from keras_isample.experiments.statistics import validated
from keras_isample.experiments.statistics import value_at
from keras_isample.experiments.tables import Table

_TIMES = ("seconds_training", "seconds_error_maps", "seconds_validation")


def dice_table(comparison, arms, uniform, published=None):
    """Validation Dice at n steps, and the steps to where uniform ends."""
    moments = fractions_of(comparison.num_steps)
    seeds = comparison.common_seeds(arms)
    of_uniform = validated(mean_history(comparison.histories(uniform, seeds)))
    scores = [row["val_dice"].mean for row in of_uniform]
    level = level_of(of_uniform)
    rows = []
    for arm in arms:
        histories = comparison.histories(arm, seeds)
        averaged = mean_history(histories)
        rows.append(
            (
                arm.title,
                len(histories),
                *dice_at(histories, moments),
                steps_to_reach(averaged, scores[-1]) if scores else None,
                steps_to_reach(averaged, max(scores)) if scores else None,
                steps_to_stay(averaged, level) if scores else None,
            )
        )
    note = (
        "Mean validation Dice over whole scans, ± its standard deviation over "
        "seeds, at the newest validation up to each number of steps; of the "
        "seeds that have finished in all arms. Then when an arm's mean first "
        "reaches what uniform's mean has after the last step, and at its "
        "best; and from which step on it is not below uniform's level "
        "up to the last step, which may be the only one (-: never, or the "
        "last is below)."
    )
    if scores:
        note += (
            f" Uniform's level: {level:.3f}, its mean over the last quarter "
            "of the validations."
        )
    if published:
        rows += [(n, None, *v, *[None] * 3) for n, v in published.items()]
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
            "steps to stay at uniform's level",
        ),
        rows,
        note,
    )


def evaluation_table(comparison, arms, title="Test Dice"):
    """Test Dice of each structure and their mean, an arm a column."""
    seeds = comparison.common_seeds(arms)
    summaries = [comparison.test_summaries(arm, seeds) for arm in arms]
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
        rows.append(
            ("mean", *(measure(map(foreground_dice, s)) for s in summaries))
        )
        cases = len(known[0]["metric_per_case"])
        note = (
            f"Test scans: {cases}, on their own grids; each run's model is its "
            "best on validation; no post-processing; ± is over seeds."
        )
    else:
        note = "The split has no test scans, or no run has finished."
    return Table(title, ("structure", *(arm.title for arm in arms)), rows, note)


def epsilon_table(comparison, arms):
    """Validation Dice at n steps of arms of the same few seeds."""
    return _small_table(
        comparison,
        arms,
        "Effect of epsilon",
        ("epsilon", epsilon_of),
        ("accepted at the end", lambda rows: rows[-1]["acceptance_rate"]),
    )


def ways_table(comparison, arms):
    """Validation Dice and the share of time of ways to make error maps."""
    return _small_table(
        comparison,
        arms,
        "Ways to make error maps",
        ("sampling", lambda arm: arm.title),
        (
            "share of time on error maps",
            lambda rows: (
                _total(rows, "seconds_error_maps")
                / sum(_total(rows, name) for name in _TIMES)
            ),
        ),
    )


def half_table(comparison, arms):
    """Dice of arms of different lengths, each after its own last step."""
    seeds = comparison.common_seeds(arms)
    rows = []
    for arm in arms:
        histories = comparison.histories(arm, seeds)
        tests = comparison.test_summaries(arm, seeds)
        training = comparison.config(arm, arm.seeds[0]).training
        steps = training.epochs * training.steps_per_epoch
        rows.append(
            (
                arm.title,
                len(histories),
                steps,
                *dice_at(histories, [steps]),
                measure(map(foreground_dice, tests)),
            )
        )
    return Table(
        "Planned for half the steps",
        ("sampling", "runs", "steps", "Dice at the end", "test Dice"),
        rows,
        "Mean validation Dice at the newest validation, of the seeds that all "
        "of them have. The shorter run's rate, if it falls, falls in half the "
        "time.",
    )


def _small_table(comparison, arms, title, first, last):
    """Dice of arms, named by one function, and one more figure of each run."""
    seeds = comparison.common_seeds(arms)
    moments = fractions_of(comparison.num_steps)
    (first_name, name_of), (last_name, figure_of) = first, last
    rows = []
    for arm in arms:
        histories = comparison.histories(arm, seeds)
        tests = comparison.test_summaries(arm, seeds)
        rows.append(
            (
                name_of(arm),
                len(histories),
                *dice_at(histories, moments),
                measure(map(foreground_dice, tests)),
                measure(map(figure_of, histories)),
            )
        )
    steps = (f"{n} steps" for n in moments)
    return Table(
        title,
        (first_name, "runs", *steps, "test Dice", last_name),
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
            (name, row["step"], *(row.get(column) for column in columns))
            for name, rows in averaged.items()
            for row in rows
        ],
    )


def time_table(comparison, arms):
    """Minutes of a run and what they were spent on."""
    rows = []
    for arm in arms:
        totals = [
            [_total(history, name) for name in _TIMES]
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


def runs_table(comparison, title="Runs"):
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
        title, ("run", "best validation Dice", "commit", "finished"), rows
    )


def epsilon_of(arm):
    """An arm's epsilon as text; its title if it has none."""
    epsilon = arm.settings.get("epsilon")
    return arm.title if epsilon is None else f"{epsilon:g}"


def _total(history, name):
    return sum(row[name] or 0 for row in history)


def dice_at(histories, moments):
    """Validation Dice of runs at some steps: a list of `Measured`."""
    return [
        measure(value_at(rows, n, "val_dice") for rows in histories)
        for n in moments
    ]


def foreground_dice(summary):
    """Mean Dice of the structures in an evaluation's summary."""
    return summary["foreground_mean"]["Dice"]
