"""`dataset.json`: label and channel names, in nnU-Net or MSD style."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_isample.data.listing import ENDINGS
from keras_isample.data.structures import BACKGROUND
from keras_isample.data.structures import normalize_name
from keras_isample.errors import InputError


@dataclass(frozen=True)
class DatasetJson:
    """What is read from a `dataset.json`.

    Args:
        structures: Structure name to its value in the label maps.
        channel_names: One name a channel; empty if the file names none.
        num_training: Number of training cases; `None` if not told.
        decathlon: Whether labels are written in MSD style,
            `{"1": "liver"}`, and not in nnU-Net style, `{"liver": 1}`.
    """

    structures: Mapping[str, int]
    channel_names: tuple[str, ...]
    num_training: int | None
    decathlon: bool


def read_dataset_json(path: Path) -> DatasetJson:
    """Reads label and channel names.

    Args:
        path: A `dataset.json`.

    Returns:
        Its contents; the background is no structure.

    Raises:
        InputError: If it is no JSON, or names labels in a way that cannot
            be used (regions, an ignore label, values used twice).
    """
    content = _load(path)
    labels = content.get("labels")
    if not isinstance(labels, dict) or not labels:
        raise InputError(
            path, 'has no "labels"', 'Add "labels": {"background": 0, ...}'
        )
    _check_file_ending(path, content.get("file_ending"))
    decathlon = all(
        key.isdecimal() and isinstance(value, str)
        for key, value in labels.items()
    )
    if decathlon:
        pairs = [(name, int(value)) for value, name in labels.items()]
    else:
        pairs = [(n, _value(path, n, v)) for n, v in labels.items()]
    channels = content.get("channel_names") or content.get("modality")
    num_training = content.get("numTraining")
    return DatasetJson(
        structures=_structures(path, pairs),
        channel_names=_channel_names(path, channels),
        num_training=num_training if isinstance(num_training, int) else None,
        decathlon=decathlon,
    )


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(
            path, f"cannot be read ({error.strerror})", "Check the file"
        ) from error
    except ValueError as error:
        raise InputError(
            path, f"is no JSON ({error})", "Correct the file"
        ) from error
    if not isinstance(content, dict):
        raise InputError(path, "is no JSON object", "Correct the file")
    return content


def _check_file_ending(path: Path, ending: Any) -> None:
    if ending is not None and str(ending).lower() not in ENDINGS:
        raise InputError(
            path,
            f"tells of {ending!r} files, which are not read",
            f"Convert them to {ENDINGS[0]}",
        )


def _value(path: Path, name: str, value: Any) -> int:
    given = value
    # A region of one value is no region.
    while isinstance(value, list) and len(value) == 1:
        (value,) = value
    if isinstance(value, list) and value:
        raise InputError(
            path,
            f"label {name!r} is a region made of several values, "
            "and regions are not read",
            "Give each label one value; merge structures by their names",
        )
    if name == "ignore":
        raise InputError(
            path,
            'has an "ignore" label, which is not read',
            "Complete these annotations or leave such cases out",
        )
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(
            path,
            f"label {name!r} has the value {given!r}",
            "Use a positive integer",
        )
    return value


def _structures(path: Path, pairs: list[tuple[str, int]]) -> dict[str, int]:
    structures, owners = {}, {}
    for name, value in sorted(pairs, key=lambda pair: pair[1]):
        if value in owners or name in structures or value < 0:
            raise InputError(
                path,
                f"labels repeat a name or a value, or it is negative: "
                f"{name!r} is {value}",
                "Give each label one name and one positive integer",
            )
        owners[value] = name
        if value > 0:
            _refuse_background(path, name, value)
            structures[name] = value
    if not structures:
        raise InputError(
            path, "names no label but the background", "Add the labels"
        )
    return structures


def _refuse_background(path: Path, name: str, value: int) -> None:
    if normalize_name(name) == BACKGROUND:
        raise InputError(
            path,
            f"calls the label of value {value} {name!r}, which is what voxels "
            "of value 0 are",
            "Give it another name, or correct its value",
        )


def _channel_names(path: Path, channels: Any) -> tuple[str, ...]:
    if channels is None:
        return ()
    if isinstance(channels, str):
        return (channels,)
    if isinstance(channels, list):
        return tuple(str(name) for name in channels)
    try:
        return tuple(str(channels[str(i)]) for i in range(len(channels)))
    except (KeyError, TypeError) as error:
        raise InputError(
            path,
            f"channels are not numbered from 0: {channels!r}",
            'Use "channel_names": {"0": "CT"}',
        ) from error
