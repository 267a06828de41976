"""Metrics of one folder of label maps against another."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from keras_isample.commands.batch import Failures
from keras_isample.commands.evaluate import refuse_existing
from keras_isample.commands.matched_labels import match_labels
from keras_isample.data.listing import list_scans
from keras_isample.errors import InputError
from keras_isample.metrics.evaluation import evaluate_labels
from keras_isample.metrics.summary import summarize
from keras_isample.metrics.summary import write_summary
from keras_isample.volumes.grid import check_same_place
from keras_isample.volumes.grid import onto_grid
from keras_isample.volumes.places import KnownFiles
from keras_isample.volumes.places import is_same_place
from keras_isample.volumes.reading import read_label_map

_VALUES = 65536
"""Label maps are read as uint8 or uint16."""


def evaluate_folders(
    reference, prediction, *, out=None, overwrite=False, progress=None
):
    """Evaluates label maps in one folder against those in another.

    Every reference needs a prediction with the same file name; what else lies
    among the predictions is left alone. Labels are matched by name if both
    folders name them, see `match_labels`. Writes `summary.json` beside the
    predictions, with their numbers.

    Args:
        reference: Folder of reference label maps.
        prediction: Folder of predicted label maps.
        out: File to write; `summary.json` in `prediction` if `None`.
        overwrite: Whether an older summary is replaced.
        progress: Called with (steps done, steps in all). A case takes two:
            all are read before the first is evaluated.

    Returns:
        `(summary, path)`.

    Raises:
        CasesFailed: At the end, if some label maps cannot be read; the summary
            of the others lists them under `failed`.
        InputError: If both folders are one, or files do not match in name,
            grid or names of labels, or hold an unnamed label where others are
            named.
    """
    reference, prediction = Path(reference), Path(prediction)
    target = Path(out) if out else prediction / "summary.json"
    if is_same_place(reference, prediction):
        raise InputError(
            prediction,
            "is the folder of the references, too",
            "Name the folder of the predictions with `prediction`",
        )
    refuse_existing(target, overwrite)
    truths, guesses = list_scans(reference), list_scans(prediction)
    names = [name for name in guesses if name in truths]
    lost = sorted(set(truths) - set(names))
    if not names or lost:
        raise InputError(
            prediction,
            f"has no label map for {lost[0]}" if lost else "has no label map",
            "Predict every case of the reference folder",
        )
    pairs = [(truths[name], guesses[name]) for name in names]
    _check_apart(pairs, target)
    failures = Failures()
    steps = _Steps(2 * len(pairs), progress)
    pairs, found = _readable(
        dict(zip(names, pairs, strict=True)), failures, steps
    )
    if not pairs:
        failures.raise_alone()
    matched = match_labels(
        reference,
        prediction,
        set().union(*(truth for truth, _ in found)),
        set().union(*(guess for _, guess in found)),
    )
    for files, values in zip(pairs, found, strict=True):
        _check_named(files[0], values[0], matched.reference)
        _check_named(files[1], values[1], matched.prediction)
    cases = []
    for truth, guess in pairs:
        cases.append(_case(truth, guess, matched))
        steps.count()
    summary = summarize(cases, matched.names)
    summary |= failures.as_json()
    write_summary(target, summary)
    failures.finish((summary, target))
    return summary, target


class _Steps:
    """Counts steps, and tells of each."""

    def __init__(self, total, progress):
        self._done, self._total, self._progress = 0, total, progress

    def count(self):
        self._done += 1
        if self._progress:
            self._progress(self._done, self._total)


def _check_apart(pairs, target):
    """Refuses predictions that are the references, and to replace either."""
    for truth, guess in pairs:
        if is_same_place(truth, guess):
            raise InputError(
                guess,
                f"is the same file as {truth}",
                "Compare predictions, which are files of their own",
            )
    known = KnownFiles(file for pair in pairs for file in pair).find(target)
    if known is not None:
        raise InputError(
            target, f"would replace {known}", "Write the summary elsewhere"
        )


def _readable(pairs, failures, steps):
    """The pairs that can be read, and the values that both files hold."""
    readable, found = [], []
    for name, (truth_file, guess_file) in pairs.items():
        steps.count()
        try:
            truth = read_label_map(truth_file)
            guess = read_label_map(guess_file)
        except InputError as error:
            failures.add(name, error)
            continue
        check_same_place(truth, truth_file, guess, guess_file)
        readable.append((truth_file, guess_file))
        found.append((_values(truth.array), _values(guess.array)))
    return readable, found


def _values(array):
    """The set of values in a label map, without 0."""
    seen = np.zeros(_VALUES, bool)
    for k in range(array.shape[-1]):
        seen[array[..., k]] = True
    return set(np.flatnonzero(seen).tolist()) - {0}


def _check_named(file, found, known):
    nameless = sorted(found - known.keys())
    if nameless:
        raise InputError(
            file,
            f"holds the label {nameless[0]}, which has no name",
            "Add it to the dataset.json or labels.json that names the labels",
        )


def _case(truth_file, guess_file, matched):
    """A case of the summary; inside, labels are counted from 1 on."""
    classes = {label: k for k, label in enumerate(matched.names, start=1)}
    truth = _classes(truth_file, matched.reference, classes)
    guess = _classes(guess_file, matched.prediction, classes)
    guess = onto_grid(truth, truth_file, guess, guess_file)
    names = ["background", *matched.names.values()]
    metrics = evaluate_labels(truth, guess, names)
    return {
        "reference_file": str(truth_file),
        "prediction_file": str(guess_file),
        "metrics": {
            str(label): metrics[str(k)] for label, k in classes.items()
        },
    }


def _classes(file, labels, classes):
    """A label map with values replaced by their labels' classes."""
    # Its warnings have been told at the first reading.
    volume = read_label_map(file, warn=lambda text: None)
    classes = {value: classes.get(label, 0) for value, label in labels.items()}
    if all(value == k for value, k in classes.items()):
        return volume
    small = max(classes.values()) < 256
    table = np.zeros(_VALUES, np.uint8 if small else np.uint16)
    for value, k in classes.items():
        if value < _VALUES:
            table[value] = k
    array = np.empty(volume.array.shape, table.dtype, order="F")
    for k in range(array.shape[-1]):
        array[..., k] = table[volume.array[..., k]]
    return replace(volume, array=array)
