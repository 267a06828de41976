"""Which values of two folders' label maps are the same label."""

import json
import logging
import re
from dataclasses import dataclass

from keras_isample.data.dataset_json import read_dataset_json
from keras_isample.data.structures import normalize_name
from keras_isample.errors import InputError

log = logging.getLogger(__name__)

_NUMBERED = re.compile(r"label_(\d+)")
"""How structures are called where the data name none."""

_MOST_NAMELESS = 1000
"""More values than this are an image's."""


@dataclass(frozen=True)
class MatchedLabels:
    """How the values of either side become labels of one numbering.

    Args:
        names: Label to name, without the background.
        reference: Value in references to label; 0 means background.
        prediction: The same of the predictions.
    """

    names: dict
    reference: dict
    prediction: dict


def match_labels(reference, prediction, in_references, in_predictions):
    """Matches the values of references and predictions.

    Labels are numbered as in the predictions, if these are named, and else as
    in the references. Where both sides have names, these decide.

    Args:
        reference: Folder of the references. The nearest table names them: its
            `dataset.json`, its `labels.json`, or the `dataset.json` above it.
        prediction: Folder of the predictions, named by its `labels.json`.
        in_references: Values that the references hold, without 0.
        in_predictions: Values that the predictions hold, without 0.

    Returns:
        A `MatchedLabels`. It leaves out values that no table names.

    Raises:
        InputError: If a table is damaged, or each side names a label that the
            other has not.
    """
    theirs, ours = _reference_names(reference), _table_names(prediction)
    if theirs and ours:
        return _by_name(reference, theirs, ours)
    if theirs:
        return _as_they_are({value: name for name, value in theirs.items()})
    if ours:
        return _by_predictions(ours, in_references)
    found = sorted(in_references | in_predictions)
    if len(found) > _MOST_NAMELESS:
        raise InputError(
            reference,
            f"and {prediction} hold {len(found)} values without names",
            "Give folders of label maps, not of images",
        )
    return _as_they_are({value: f"label_{value}" for value in found})


def _as_they_are(names):
    same = {value: value for value in names}
    return MatchedLabels(names, same, same)


def _by_name(reference, theirs, ours):
    """Both sides have names: name to value each."""
    key = _key(theirs, ours)
    known = {key(name): (name, value) for name, value in theirs.items()}
    labels = {key(name): value for name, value in ours.items()}
    lost = [name for k, (name, _) in known.items() if k not in labels]
    more = [name for name in ours if key(name) not in known]
    if lost and more:
        raise InputError(
            reference,
            f"has {_listed(lost)} and the predictions have {_listed(more)}, "
            "which the other side does not name",
            "Compare label maps of the same structures",
        )
    names = {value: name for name, value in ours.items()}
    for name in lost:
        labels[key(name)] = max(names, default=0) + 1
        names[labels[key(name)]] = name
    for where, those in (("references", lost), ("predictions", more)):
        if those:
            log.warning(
                "%s: named by the %s only, and counted.", _listed(those), where
            )
    matched = {value: labels[k] for k, (_, value) in known.items()}
    if any(value != label for value, label in matched.items()):
        log.warning(
            "references and predictions number their labels differently; they "
            "are matched by name and numbered as in the predictions."
        )
    return MatchedLabels(names, matched, {v: v for v in ours.values()})


def _key(theirs, ours):
    """What two names must share to be one label's: spelling does not count."""
    for names in (theirs, ours):
        if len({normalize_name(name) for name in names}) < len(names):
            return str
    return normalize_name


def _by_predictions(ours, in_references):
    """Only the predictions have names: name to value."""
    names = {value: name for name, value in ours.items()}
    found = [_NUMBERED.fullmatch(name) for name in ours]
    labels = {}
    if None not in found:
        pairs = zip(found, ours.values(), strict=True)
        labels = {int(match[1]): label for match, label in pairs}
    if not in_references & labels.keys():
        return _as_they_are(names)
    others = sorted(in_references - labels.keys())
    for value in others:
        log.warning(
            "label %d of the references is no class of the predictions and "
            "counts as background.",
            value,
        )
    labels |= dict.fromkeys(others, 0)
    return MatchedLabels(names, labels, {label: label for label in names})


def _reference_names(folder):
    """Name to value of the nearest table, or `None`."""
    if (folder / "dataset.json").is_file():
        return dict(read_dataset_json(folder / "dataset.json").structures)
    names = _table_names(folder)
    above = folder.parent / "dataset.json"
    if names is None and above.is_file():
        return dict(read_dataset_json(above).structures)
    return names


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
    values = list(numbers.values()) if isinstance(numbers, dict) else [None]
    whole = all(type(value) is int and value >= 0 for value in values)
    if not whole or len(set(values)) < len(values):
        raise InputError(
            file,
            "does not give each name a number of its own",
            'Write it as {"background": 0, "liver": 1, ...}, or remove it',
        )
    rows = sorted(numbers.items(), key=lambda row: row[1])
    return {name: value for name, value in rows if value > 0}


def _listed(names):
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
