"""Metrics of all cases together: nnU-Net's `summary.json` and more."""

import json
import math
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_isample.volumes.files import write_text

_RESAMPLES = 2000

_COLUMNS = (
    ("HD95 mm", "HD95", ".2f"),
    ("ASSD mm", "ASSD", ".2f"),
    ("NSD 1 mm", "NSD_1mm", ".3f"),
    ("NSD 2 mm", "NSD_2mm", ".3f"),
    ("ref ml", "volume_ref_ml", ".1f"),
    ("pred ml", "volume_pred_ml", ".1f"),
)


def summarize(
    cases: Sequence[Mapping],
    class_names: Sequence[str] | Mapping[int, str],
    seed: int = 0,
) -> dict:
    """Averages the metrics of cases over cases, then over structures.

    A None is left out of every mean; a mean of nothing is None.
    `foreground_mean` is the mean of the structures' means, as in nnU-Net, and
    a structure without a mean is left out of it.

    The intervals are percentile bootstrap over cases: whole cases are drawn
    with replacement, so that the structures of one case stay together. They
    tell how much the mean Dice depends on which patients were tested, not how
    much another training run would change it.

    Args:
        cases: For each case `reference_file`, `prediction_file` and `metrics`
            as `evaluate_labels` returns them.
        class_names: One name per class, background first; or a mapping of
            label to name, for labels with gaps.
        seed: Of the bootstrap.

    Returns:
        `foreground_mean` (metric -> value), `mean` (label -> metric ->
        value), `metric_per_case`, `labels` (label -> name) and
        `confidence_interval_95` of the Dice: `{"foreground_mean": {"Dice":
        [low, high]}, "mean": {label: {"Dice": [low, high]}}}`, None with
        fewer than two cases. Ready for JSON.

    Raises:
        ValueError: If there is no case, or a case has other labels.
    """
    if not isinstance(class_names, Mapping):
        class_names = dict(enumerate(class_names))
    labels = {str(k): name for k, name in class_names.items() if k > 0}
    _check(cases, labels)
    metrics = [case["metrics"] for case in cases]
    mean = {
        label: {
            name: _mean([case[label][name] for case in metrics])
            for name in metrics[0][label]
        }
        for label in labels
    }
    names = next(iter(mean.values()), {})
    return {
        "foreground_mean": {
            name: _mean([mean[label][name] for label in labels])
            for name in names
        },
        "mean": mean,
        "confidence_interval_95": _intervals(metrics, labels, seed),
        "labels": labels,
        "metric_per_case": [
            {
                "reference_file": str(case["reference_file"]),
                "prediction_file": str(case["prediction_file"]),
                "metrics": case["metrics"],
            }
            for case in cases
        ],
    }


def write_summary(path: str | Path, summary: Mapping) -> None:
    """Writes a summary as strict JSON, whole or not at all.

    An existing file is replaced; missing folders are made.

    Args:
        path: The file to write, usually `summary.json`.
        summary: As `summarize` returns it.

    Raises:
        ValueError: If the summary holds nan or infinity.
    """
    text = json.dumps(summary, indent=2, allow_nan=False) + "\n"
    write_text(path, text)


def format_table(summary: Mapping) -> str:
    """Plain text for a terminal: a row per structure, then their mean.

    Args:
        summary: As `summarize` returns it.

    Returns:
        Lines without a final newline. `cases` counts those with a Dice; a
        note names the structures whose HD95 and ASSD come from fewer.
    """
    cases = [case["metrics"] for case in summary["metric_per_case"]]
    intervals = summary["confidence_interval_95"]
    rows = [["structure", "cases", "Dice (95 % CI)", *_column_titles()]]
    notes = []
    for label, name in summary["labels"].items():
        counts = [
            sum(case[label][metric] is not None for case in cases)
            for metric in ("Dice", "HD95")
        ]
        interval = intervals["mean"][label]["Dice"]
        cells = _cells(summary["mean"][label], interval)
        rows.append([name, str(counts[0]), *cells])
        if counts[1] < counts[0]:
            notes.append(_note(name, *counts))
    interval = intervals["foreground_mean"]["Dice"]
    cells = _cells(summary["foreground_mean"], interval)
    rows.append(["foreground mean", str(len(cases)), *cells])
    return "\n".join([*_align(rows), *notes])


def _mean(values):
    values = [value for value in values if value is not None]
    return math.fsum(values) / len(values) if values else None


def _intervals(metrics, labels, seed):
    dice = np.array(
        [[case[label]["Dice"] for label in labels] for case in metrics],
        dtype=np.float64,
    ).reshape(len(metrics), len(labels))
    means = _resampled_means(dice, seed)
    present = np.isfinite(dice)
    return {
        "foreground_mean": {
            "Dice": _interval(_row_means(means), present.any(axis=1))
        },
        "mean": {
            label: {"Dice": _interval(means[:, i], present[:, i])}
            for i, label in enumerate(labels)
        },
    }


def _resampled_means(dice, seed):
    """Mean Dice of each label in each resample; nan where none was drawn."""
    num_cases = len(dice)
    shares = np.full(num_cases, 1 / num_cases)
    draws = np.random.default_rng(seed).multinomial(
        num_cases, shares, size=_RESAMPLES
    )
    present = np.isfinite(dice)
    return _divide(draws @ np.where(present, dice, 0.0), draws @ present)


def _row_means(means):
    present = np.isfinite(means)
    return _divide(np.where(present, means, 0).sum(axis=1), present.sum(axis=1))


def _divide(sums, counts):
    return np.divide(
        sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0
    )


def _interval(means, present):
    """95 % of the resampled means, None if fewer than two cases count."""
    if present.sum() < 2:
        return None
    return [float(v) for v in np.nanpercentile(means, [2.5, 97.5])]


def _column_titles():
    return [title for title, _, _ in _COLUMNS]


def _cells(means, interval):
    dice = _number(means["Dice"], ".3f")
    if interval is not None:
        dice += f" ({interval[0]:.3f} to {interval[1]:.3f})"
    return [dice, *(_number(means[name], form) for _, name, form in _COLUMNS)]


def _number(value, form):
    return "-" if value is None else format(value, form)


def _note(name, num_dice, num_distances):
    return (
        f"{name}: HD95 and ASSD are of {num_distances} of {num_dice} cases; "
        "in the others the reference or the prediction lacks it."
    )


def _align(rows):
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [
            cell.rjust(width)
            for cell, width in zip(others, widths[1:], strict=True)
        ]
        yield "  ".join([first.ljust(widths[0]), *cells])


def _check(cases, labels):
    if not cases:
        raise ValueError(
            "Argument `cases` must hold at least one case. Received: none."
        )
    for case in cases:
        if set(case["metrics"]) != set(labels):
            raise ValueError(
                "Each case must have metrics of the labels "
                f"{sorted(labels, key=int)}. Received: "
                f"{sorted(case['metrics'])} for {case['prediction_file']}."
            )
