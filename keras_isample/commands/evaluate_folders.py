"""Metrics of one folder of label maps against another."""

import json
import logging
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from keras_isample.commands.evaluate import refuse_existing
from keras_isample.data.dataset_json import read_dataset_json
from keras_isample.data.listing import list_scans
from keras_isample.data.structures import normalize_name
from keras_isample.errors import InputError
from keras_isample.metrics.evaluation import evaluate_labels
from keras_isample.metrics.summary import summarize
from keras_isample.metrics.summary import write_summary
from keras_isample.volumes.grid import check_same_grid
from keras_isample.volumes.reading import read_label_map

log = logging.getLogger(__name__)

_NUMBERED = re.compile(r"label_(\d+)")
"""How classes are called where the data name none."""


def evaluate_folders(reference, prediction, *, out=None, overwrite=False):
    """Evaluates label maps in one folder against those in another.

    Every reference needs a prediction with the same file name; what else lies
    among the predictions is left alone. The labels are named by a
    `dataset.json` in or above the reference folder or a `labels.json` in it,
    and by the `labels.json` beside the predictions. If both sides have names
    these must be the same; in another order the references' values are taken
    by name. Where references have none and the predictions' are
    `label_10`, `label_300`, such values are taken for these classes and others,
    with a warning, for background; unless no such value is there, and the
    references hold the numbers of classes. Writes `summary.json` beside the
    predictions.

    Args:
        reference: Folder of reference label maps.
        prediction: Folder of predicted label maps.
        out: File to write; `summary.json` in `prediction` if `None`.
        overwrite: Whether an older summary is replaced.

    Returns:
        `(summary, path)`.

    Raises:
        InputError: If files do not match in name or grid.
    """
    reference, prediction = Path(reference), Path(prediction)
    target = Path(out) if out else prediction / "summary.json"
    refuse_existing(target, overwrite)
    truths, guesses = list_scans(reference), list_scans(prediction)
    pairs = [name for name in guesses if name in truths]
    lost = sorted(set(truths) - set(pairs))
    if not pairs or lost:
        raise InputError(
            prediction,
            f"has no label map for {lost[0]}" if lost else "has no label map",
            "Predict every case of the reference folder",
        )
    named = _class_names(reference) or _table_names(reference)
    predicted = _table_names(prediction)
    values = _values_by_name(named, predicted)
    if values is None:
        names = _common_names(reference, named, predicted)
    else:
        names = predicted
    if not named:
        values = _reference_values([truths[name] for name in pairs], predicted)
    volumes = []
    for name in pairs:
        truth = _read_reference(truths[name], values)
        guess = read_label_map(guesses[name])
        check_same_grid(truth, truths[name], guess, guesses[name])
        largest = int(max(truth.array.max(), guess.array.max()))
        if names is not None and largest >= len(names):
            raise InputError(
                guesses[name],
                f"or its reference has the label {largest}, which neither "
                "folder names",
                "Name all labels in a dataset.json beside the references",
            )
        volumes.append((name, largest))
    if names is None:
        most = max(largest for _, largest in volumes)
        names = ["background", *(f"label_{k}" for k in range(1, most + 1))]
    cases = [
        {
            "reference_file": str(truths[name]),
            "prediction_file": str(guesses[name]),
            "metrics": evaluate_labels(
                _read_reference(truths[name], values),
                read_label_map(guesses[name]),
                names,
            ),
        }
        for name, _ in volumes
    ]
    summary = summarize(cases, names)
    write_summary(target, summary)
    return summary, target


def _common_names(reference, names, predicted):
    """The names of both folders, which must not contradict each other."""
    if names is None or predicted is None:
        return names or predicted
    for k, (name, other) in enumerate(zip(names, predicted, strict=False)):
        if normalize_name(name) != normalize_name(other):
            raise InputError(
                reference,
                f"label {k} is {name} here but {other} in the predictions",
                "Compare label maps of the same classes",
            )
    return max(names, predicted, key=len)


def _values_by_name(names, predicted):
    """Value to class of references that name the same labels in other order.

    Returns:
        Dictionary, or `None` where the values are classes already or the names
        are not the same ones.
    """
    if not names or not predicted:
        return None
    ours = [normalize_name(name) for name in predicted]
    theirs = [normalize_name(name) for name in names]
    same = sorted(ours) == sorted(theirs) and len(set(ours)) == len(ours)
    if not same or ours == theirs or ours[0] != theirs[0]:
        return None
    return {k: ours.index(theirs[k]) for k in range(1, len(theirs))}


def _reference_values(files, predicted):
    """Value to class of references without names, or `None` for as they are.

    Args:
        files: The references.
        predicted: Names from `labels.json`, or `None`.
    """
    matches = [_NUMBERED.fullmatch(name) for name in (predicted or ())[1:]]
    if not matches or None in matches:
        return None
    values = {int(match[1]): k for k, match in enumerate(matches, start=1)}
    found = set()
    for file in files:
        found |= set(np.unique(read_label_map(file).array).tolist()) - {0}
    if not found & values.keys():
        return None
    others = sorted(found - values.keys())
    for value in others:
        log.warning(
            "label %d of the references is no class of the predictions and "
            "counts as background.",
            value,
        )
    return values | dict.fromkeys(others, 0)


def _read_reference(path, values):
    """A reference label map, its values replaced by classes."""
    volume = read_label_map(path)
    if values is None:
        return volume
    classes = volume.array.astype(np.int32)
    for value, k in values.items():
        classes[volume.array == value] = k
    return replace(volume, array=classes)


def _table_names(folder):
    """Names from a `labels.json`, as predict writes it, or `None`."""
    file = folder / "labels.json"
    if not file.is_file():
        return None
    try:
        numbers = json.loads(file.read_text(encoding="utf-8"))
        return [name for name, _ in sorted(numbers.items(), key=_number)]
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(
            file, f"is not what predict writes ({error})", "Remove it"
        ) from error


def _number(pair):
    return pair[1]


def _class_names(folder):
    for place in (folder, folder.parent):
        file = place / "dataset.json"
        if file.is_file():
            values = read_dataset_json(file).structures
            names = ["background"] + [""] * max(values.values(), default=0)
            for name, value in values.items():
                names[value] = name
            return [n or f"label_{k}" for k, n in enumerate(names)]
    return None
