"""Names and colors of labels, as 3D Slicer and ITK-SNAP read them."""

import colorsys
import json

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


def write_label_tables(folder, class_names):
    """Writes `labels.ctbl` (3D Slicer), `labels.txt` (ITK-SNAP) and
    `labels.json` (name to number) into a folder.

    Args:
        folder: An existing folder.
        class_names: Background first.
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
    write_text(folder / "labels.ctbl", "\n".join(slicer) + "\n")
    write_text(folder / "labels.txt", "\n".join(snap) + "\n")
    numbers = {name: index for index, name in enumerate(class_names)}
    write_text(folder / "labels.json", json.dumps(numbers, indent=1) + "\n")
