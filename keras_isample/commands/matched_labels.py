"""Which values of two folders' label maps are the same label."""

import json
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

from keras_isample.data.dataset_json import read_dataset_json
from keras_isample.data.structures import normalize_name
from keras_isample.errors import InputError

log = logging.getLogger(__name__)

_NUMBERED = re.compile(r"label_([1-9]\d*)")
"""How structures are called where the data name none."""

_MOST_NAMELESS = 1000
"""More values than this are an image's."""


@dataclass(frozen=True)
class MatchedLabels:
    """How the values of either side become labels of one numbering.

    Args:
        names: Label to name, without the background.
        reference: Value in references to label; 0 means background.
        prediction: Value in predictions to label.
    """

    names: dict
    reference: dict
    prediction: dict


def match_labels(reference, prediction, in_references, in_predictions):
    """Matches the values of references and predictions.

    Labels are numbered as in the predictions, if these are named, and else as
    in the references.

    - Both sides are named: names decide, whatever the numbers. What only the
      references name is background and left out, what only the predictions
      name is kept; both with a warning.
    - Only the predictions are, and all as `label_10`, `label_300`: these are
      the references' values. Others are background, with a warning. If the
      references hold none of these values, they hold the labels' numbers.
    - Otherwise numbers decide.

    Args:
        reference: Folder of the references. The nearest table names them: its
            `dataset.json`, its `labels.json`, or the `dataset.json` above it.
        prediction: Folder of the predictions, named by its `labels.json` or
            its `dataset.json`.
        in_references: Values that the references hold, without 0.
        in_predictions: Values that the predictions hold, without 0.

    Returns:
        A `MatchedLabels`. It leaves out values that no table names.

    Raises:
        InputError: If a table is damaged, each side names a label that the
            other has not, values can be read in two ways, or label maps
            without names hold no label or more than 1,000.
    """
    theirs, ours = _reference_names(reference), _prediction_names(prediction)
    if theirs and ours:
        return _by_name(reference, theirs, ours)
    if theirs:
        return _as_they_are({value: name for name, value in theirs.items()})
    if ours:
        return _by_predictions(reference, ours, in_references)
    found = sorted(in_references | in_predictions)
    _check_number(reference, found)
    if not found:
        raise InputError(
            reference,
            f"and {prediction} hold no label but the background",
            "Give label maps, or name their labels in a dataset.json",
        )
    return _as_they_are({value: f"label_{value}" for value in found})


def _as_they_are(names):
    return MatchedLabels(
        names, {value: value for value in names}, {v: v for v in names}
    )


def _by_name(reference, theirs, ours):
    """Both sides have names: name to value each."""
    ours = _renamed(ours, theirs)
    known = _keyed(reference, theirs)
    labels = _keyed("the predictions", ours)
    lost = [name for name in theirs if _key(name) not in labels]
    more = [name for name in ours if _key(name) not in known]
    if lost and more:
        raise InputError(
            reference,
            f"has {_listed(lost)}, which the predictions do not name, and they "
            f"have {_listed(more)}, which it does not",
            "Compare label maps of the same structures under the same names",
        )
    if lost:
        log.warning(
            "%s: not named by the predictions, so background and left out.",
            _listed(lost),
        )
    if more:
        log.warning(
            "%s: not named by the references, so false where predicted.",
            _listed(more),
        )
    matched = {value: labels.get(key, 0) for key, value in known.items()}
    if any(label not in (value, 0) for value, label in matched.items()):
        log.warning(
            "references and predictions number their labels differently; they "
            "are matched by name and numbered as in the predictions."
        )
    names = {value: name for name, value in ours.items()}
    return MatchedLabels(names, matched, {value: value for value in names})


def _renamed(ours, theirs):
    """`label_10` is called as the references call their value 10."""
    numbers = _numbers(ours)
    if not numbers or any(map(_NUMBERED.fullmatch, theirs)):
        return ours
    called = {value: name for name, value in theirs.items()}
    return {
        called.get(value, f"label_{value}"): label
        for value, label in numbers.items()
    }


def _numbers(ours):
    """Value to label if all names are `label_` and a value, or nothing."""
    found = [_NUMBERED.fullmatch(name) for name in ours]
    if None in found:
        return {}
    pairs = zip(found, ours.values(), strict=True)
    return {int(match[1]): label for match, label in pairs}


def _keyed(source, names):
    """What a name is matched by, to its value."""
    keys = {_key(name): value for name, value in names.items()}
    if len(keys) < len(names):
        raise InputError(
            source,
            "has two labels of nearly the same name",
            "Name them apart by more than spaces and signs",
        )
    return keys


def _key(name):
    """Spelling does not count, but for a sign at the end: tumor+ and tumor-."""
    end = name.strip()[-1:]
    return normalize_name(name) + (end if end in ("+", "-") else "")


def _by_predictions(reference, ours, in_references):
    """Only the predictions have names: name to value."""
    names = {value: name for name, value in ours.items()}
    labels = _numbers(ours)
    if not in_references & labels.keys():
        return _as_they_are(names)
    others = sorted(in_references - labels.keys())
    _check_number(reference, others)
    same = all(labels.get(value) == value for value in in_references)
    if in_references <= names.keys() and not same:
        raise InputError(
            reference,
            f"holds {_listed(sorted(in_references))}, which may be numbers of "
            "the predictions' labels or the values that these are called after",
            "Put a labels.json or dataset.json beside the references",
        )
    if others:
        log.warning(
            "%s in the references: no class of the predictions, counts as "
            "background.",
            _listed(others),
        )
    return MatchedLabels(
        names,
        labels | dict.fromkeys(others, 0),
        {label: label for label in names},
    )


def _check_number(reference, values):
    if len(values) > _MOST_NAMELESS:
        raise InputError(
            reference,
            f"holds labels of {len(values)} values without names",
            "Give folders of label maps, not of images",
        )


def _reference_names(folder):
    """Name to value of the nearest table, or `None`."""
    # The parent of "." would be "." itself.
    above = Path(os.path.abspath(folder)).parent
    names = _dataset_names(folder) or _table_names(folder)
    return names or _dataset_names(above)


def _prediction_names(folder):
    """Name to value of the folder's own table, or `None`."""
    return _table_names(folder) or _dataset_names(folder)


def _dataset_names(folder):
    file = folder / "dataset.json"
    return dict(read_dataset_json(file).structures) if file.is_file() else None


def _table_names(folder):
    """Name to value from a `labels.json`, as predict writes it, or `None`."""
    file = folder / "labels.json"
    if not file.is_file():
        return None
    try:
        numbers = json.loads(file.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise InputError(
            file, f"is no JSON ({error})", "Correct or remove it"
        ) from error
    values = list(numbers.values()) if isinstance(numbers, dict) else []
    whole = all(type(value) is int and value >= 0 for value in values)
    if not whole or len(set(values)) < len(values) or not any(values):
        raise InputError(
            file,
            "does not give each name a number of its own",
            'Write it as {"background": 0, "liver": 1, ...}, or remove it',
        )
    rows = sorted(numbers.items(), key=lambda row: row[1])
    return {name: value for name, value in rows if value > 0}


def _listed(names):
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(map(str, names[:3])) + more
