"""Names and colors of labels, as 3D Slicer and ITK-SNAP read them."""

import colorsys
import json

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
        (name to number).
    """
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


def check_label_tables(folder, class_names):
    """Refuses a folder whose tables would be replaced by other ones.

    Raises:
        InputError: Naming the table.
    """
    for name, text in label_tables(class_names).items():
        path = folder / name
        if path.exists() and path.read_bytes() != text.encode():
            raise InputError(
                path,
                "exists already, with other contents",
                "Choose another --out or --overwrite",
            )


def write_label_tables(folder, class_names):
    """Writes the tables of `label_tables` into a folder."""
    for name, text in label_tables(class_names).items():
        write_text(folder / name, text)
