"""Names and colors of labels, as 3D Slicer and ITK-SNAP read them."""

import colorsys
import json

from keras_isample.data.recognition import data_folders
from keras_isample.errors import InputError
from keras_isample.volumes.files import write_text


def label_colors(number):
    """Distinct colors, one `(red, green, blue)` of 0 to 255 per label."""
    colors = []
    for index in range(number):
        # Steps by the golden ratio spread the hues whatever their number.
        hue = index * 0.618034 % 1
        value = (1.0, 0.75)[index // 6 % 2]
        rgb = colorsys.hsv_to_rgb(hue, 0.8, value)
        colors.append(tuple(round(255 * part) for part in rgb))
    return colors


def label_tables(class_names):
    """File name to text of the tables that lie beside label maps.

    Args:
        class_names: Background first.

    Returns:
        `labels.ctbl` (3D Slicer), `labels.txt` (ITK-SNAP) and `labels.json`
        (name to number). A structure that is called like another one, or like
        the background, has its number behind its name.
    """
    class_names = [
        f"{name}_{index}" if name in class_names[:index] else name
        for index, name in enumerate(class_names)
    ]
    rows = list(
        enumerate(
            zip(
                class_names[1:], label_colors(len(class_names) - 1), strict=True
            ),
            start=1,
        )
    )
    slicer = ["# Color table file", "0 background 0 0 0 0"]
    snap = ['0 0 0 0 0 0 0 "background"']
    for index, (name, (red, green, blue)) in rows:
        word = "_".join(name.split())
        slicer.append(f"{index} {word} {red} {green} {blue} 255")
        snap.append(f'{index} {red} {green} {blue} 1 1 1 "{name}"')
    numbers = {name: index for index, name in enumerate(class_names)}
    return {
        "labels.ctbl": "\n".join(slicer) + "\n",
        "labels.txt": "\n".join(snap) + "\n",
        "labels.json": json.dumps(numbers, indent=1) + "\n",
    }


def check_label_tables(folder, class_names, overwrite=False):
    """Refuses a folder whose tables would be replaced by other ones.

    Tables that name the labels of a data set, or that were not written by
    `write_label_tables`, are never replaced.

    Args:
        folder: Where the tables will be written.
        class_names: Background first.
        overwrite: Whether older tables may be replaced.

    Raises:
        InputError: Naming the table.
    """
    for name, text in label_tables(class_names).items():
        path = folder / name
        if not path.exists() or path.read_bytes() == text.encode():
            continue
        ours = _is_ours(path) and not _holds_data(folder)
        if overwrite and ours:
            continue
        raise InputError(
            path,
            "exists already, with other contents",
            "Choose another `out`, or replace it with `overwrite=True`"
            if ours
            else "Choose another `out`",
        )


def _is_ours(path):
    """Whether a table is one that `write_label_tables` would write."""
    try:
        text = path.read_text(encoding="utf-8")
        return label_tables(_names_in(path.name, text))[path.name] == text
    except (OSError, ValueError, TypeError, AttributeError, IndexError):
        return False


def _names_in(name, text):
    """Names of the classes in the text of a table."""
    if name == "labels.json":
        return list(json.loads(text))
    lines = text.splitlines()
    if name == "labels.ctbl":
        return [line.split()[1] for line in lines[1:]]
    return [line.split('"')[1] for line in lines]


def _holds_data(folder):
    tables = ("dataset.json", "cases.csv")
    return bool(data_folders(folder)) or any(
        (folder / table).is_file() for table in tables
    )


def write_label_tables(folder, class_names):
    """Writes the tables of `label_tables` into a folder."""
    for name, text in label_tables(class_names).items():
        write_text(folder / name, text)
