"""Bars for each class: its share of the voxels, and its test Dice."""

import numpy as np

from keras_isample.data.preparation import prepare_cohort
from keras_isample.experiments.statistics import measure
from keras_isample.figures.bars import Bars
from keras_isample.figures.bars import draw_bars
from keras_isample.training.run_data import open_cohort
from keras_isample.training.run_data import split_cohort


def draw_class_bars(comparison, arms, path, *, title):
    """Writes a PNG of the test Dice of each class, an arm a color.

    Returns:
        Whether there was any finished run to draw.
    """
    seeds = comparison.common_seeds(arms)
    summaries = {
        arm.title: found
        for arm in arms
        if (found := comparison.test_summaries(arm, seeds))
    }
    if not summaries:
        return False
    labels = next(iter(summaries.values()))[0]["labels"]
    series = []
    for name, found in summaries.items():
        dice = [
            measure(summary["mean"][label]["Dice"] for summary in found)
            for label in labels
        ]
        series.append(
            Bars(
                name,
                [np.nan if d.mean is None else d.mean for d in dice],
                [d.spread or 0.0 for d in dice] if len(found) > 1 else None,
            )
        )
    draw_bars(
        path,
        list(labels.values()),
        series,
        title=title,
        quantity="test Dice",
        limits=(0, 1),
    )
    return True


def draw_class_shares(comparison, path):
    """Writes a PNG of each class' share of the voxels of the training scans.

    Returns:
        Whether any run has begun, so that the scans are prepared already.
    """
    arm = comparison.arms[0]
    seed = arm.seeds[0]
    if not comparison.run_folder(arm, seed).history_file.exists():
        return False
    config = comparison.run_folder(arm, seed).config()
    train = split_cohort(open_cohort(config), config)["train"]
    counts = np.sum([case.counts for case in prepare_cohort(train)], axis=0)
    draw_bars(
        path,
        list(train.class_names),
        [Bars("share", (counts / counts.sum()).tolist())],
        title="Classes of the training scans",
        quantity="share of the voxels",
        log=True,
    )
    return True
