"""Synthetic T1-like MR of the head, with 27 structures of the brain.

A folded cortex over white matter, ventricles, deep gray matter, cerebellum
and brain stem, inside skull and scalp, drawn at their usual sizes and places:
white matter fills nearly half of the brain, an amygdala about a thousandth.
Size and place of everything vary from case to case.
"""

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from scipy import ndimage

from keras_isample.data.phantom_brain_labels import BIASES
from keras_isample.data.phantom_brain_labels import STRUCTURES
from keras_isample.data.phantom_brain_labels import automatic_labels
from keras_isample.data.phantom_brain_shapes import Brain
from keras_isample.data.phantom_brain_shapes import draw_deep_structures
from keras_isample.data.phantom_brain_shapes import draw_surfaces
from keras_isample.data.phantom_canvas import Canvas
from keras_isample.data.phantom_canvas import Warp
from keras_isample.data.phantom_canvas import rotation
from keras_isample.data.phantom_files import FolderFiles
from keras_isample.data.phantom_files import new_folder
from keras_isample.data.phantom_files import write_mark
from keras_isample.data.phantom_splits import brain_splits
from keras_isample.errors import InputError
from keras_isample.volumes.volume import Volume

_FIELD_OF_VIEW = 192.0
_SMALLEST = 16
# Middle of the head, in mm from the origin of the standard anatomy.
_MIDDLE = (0.0, -8.0, 4.0)


def draw_brain(
    *, shape: Sequence[int], spacing: Sequence[float], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draws one head.

    Args:
        shape: Voxels to the right, to the front and to the top (RAS+).
        spacing: mm per voxel along the same axes.
        seed: Draws anatomy, contrast and noise.

    Returns:
        Image and label map, both uint8 of that shape; the values of the label
        map are those of `phantom_brain_labels.STRUCTURES`, 0 elsewhere.

    Raises:
        InputError: If shape or spacing make no grid.
    """
    shape, spacing = _checked_grid(shape, spacing)
    rng = np.random.default_rng([seed, 3])
    canvas = Canvas(shape, spacing, _warp(rng))
    canvas.image[:] = 0
    brain = Brain(rng)
    draw_surfaces(canvas, brain)
    draw_deep_structures(canvas, brain)
    image = _scan(canvas, np.random.default_rng([seed, 4]))
    return image, canvas.label_map


def write_brain_phantom(
    path: str | Path,
    *,
    cases: int = 50,
    shape: Sequence[int] = (96, 96, 96),
    spacing: Sequence[float] | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    overwrite: bool = False,
) -> Path:
    """Writes heads with automatic and with manual labels.

    Two complete data sets of `images/`, `labels/`, `dataset.json` and
    `cases.csv`:

    - `auto/`, to pre-train: two fifths of the cases (20 of 50) with the
      automatic labels, wrong as `phantom_brain_labels.BIASES` tells;
    - `manual/`, to fine-tune: three tenths of the cases (15) with the true
      labels.

    Both hold the same test cases (three tenths, 15), with the true labels in
    either, so that what was trained on one or the other can be evaluated on
    its own data set. Of the other cases of each a fifth are for validation.

    A case depends on `seed` and its number only.

    Args:
        path: The folder to make. It appears once it is complete.
        cases: How many heads, 3 or more.
        shape: Voxels to the right, to the front and to the top.
        spacing: mm per voxel, or `None` to fit the head into `shape`.
        seed: Draws the whole data set.
        progress: Called with the number of cases written and of all cases.
        overwrite: Whether an older phantom at `path` may be replaced.

    Returns:
        `path`.

    Raises:
        InputError: If there are files at `path`, or an argument is out of
            range.
    """
    if spacing is None:
        shape, _ = _checked_grid(shape, (1, 1, 1))
        spacing = np.divide(_FIELD_OF_VIEW, shape)
    shape, spacing = _checked_grid(shape, spacing)
    parts = brain_splits(cases)
    if seed < 0:
        raise InputError("seed", f"received {seed}", "Use 0 or more")
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    path = Path(path)
    with new_folder(path, overwrite) as folder:
        auto, manual = (
            FolderFiles(
                folder / name, STRUCTURES, channel="T1", ending=".nii.gz"
            )
            for name in ("auto", "manual")
        )
        for index, (step, split) in enumerate(parts):
            draw = np.random.default_rng([seed, index]).integers(1 << 31)
            image, labels = draw_brain(
                shape=shape, spacing=spacing, seed=int(draw)
            )
            name, scan = f"brain_{index:03d}", Volume(image, affine)
            if step == "pretraining":
                wrong = automatic_labels(labels, spacing)
                auto.add_scan(name, scan, wrong, split)
            else:
                manual.add_scan(name, scan, labels, split)
            if step == "test":
                auto.add_scan(name, scan, labels, split)
            if progress is not None:
                progress(index + 1, cases)
        auto.finish()
        manual.finish()
        write_mark(
            folder,
            kind="brain",
            cases=cases,
            shape=shape,
            spacing=spacing,
            seed=seed,
            biases=[asdict(bias) for bias in BIASES],
        )
    return path


def _warp(rng):
    """How the head of one case lies and is shaped."""
    size = rng.uniform(0.94, 1.06, 3)
    matrix = rotation(*rng.uniform(-7, 7, 3)) / size
    offset = rng.uniform(-4, 4, 3) + _MIDDLE
    waves = []
    for component in range(3):
        for length in (55.0, 110.0):
            waves.append(
                (
                    component,
                    float(rng.uniform(0.4, 1) * 0.018 * length),
                    2 * np.pi / (length * rng.uniform(0.85, 1.3, 3)),
                    rng.uniform(0, 2 * np.pi, 3),
                )
            )
    return Warp(matrix, offset, waves)


def _scan(canvas, rng):
    """What the scanner makes of the head: coil, blur and noise."""
    image = canvas.image
    coil = 0
    for axis, position in enumerate(canvas.axes):
        wave = rng.uniform(0.02, 0.09) * np.cos(
            position / rng.uniform(45, 90) + rng.uniform(0, 2 * np.pi)
        )
        coil = coil + np.expand_dims(wave, [k for k in range(3) if k != axis])
    image *= np.exp(coil).astype(np.float32)
    image *= np.float32(rng.uniform(1.2, 1.6))
    ndimage.gaussian_filter(image, 0.45, output=image, truncate=3.0)
    noise = np.float32(rng.uniform(3, 6))
    image += noise * rng.standard_normal(image.shape, dtype=np.float32)
    other = noise * rng.standard_normal(image.shape, dtype=np.float32)
    image = np.hypot(image, other)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _checked_grid(shape, spacing):
    shape = tuple(int(n) for n in shape)
    spacing = tuple(float(s) for s in spacing)
    if len(shape) != 3 or min(shape) < _SMALLEST:
        raise InputError(
            "shape",
            f"received {shape}",
            f"Give three numbers of voxels of {_SMALLEST} or more",
        )
    if len(spacing) != 3 or not all(0 < s < np.inf for s in spacing):
        raise InputError(
            "spacing", f"received {spacing}", "Give three lengths in mm over 0"
        )
    return shape, spacing
