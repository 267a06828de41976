"""A synthetic CT data set, so that everything runs before any real data came.

One scan shows chest and belly of a made-up patient: every part is an implicit
shape with an edge as wide as a voxel; noise is white and correlated. Vessels,
spleen and contrast-filled bowel share the kidneys' HU and touch or join them,
so that thresholds fail and shape and place must be learnt.
"""

import logging
from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from keras_isample.data.phantom_bones import draw_bones
from keras_isample.data.phantom_bones import draw_muscles
from keras_isample.data.phantom_canvas import Canvas
from keras_isample.data.phantom_canvas import Warp
from keras_isample.data.phantom_canvas import rotation
from keras_isample.data.phantom_files import LAYOUTS
from keras_isample.data.phantom_files import new_folder
from keras_isample.data.phantom_files import write_mark
from keras_isample.data.phantom_kidneys import draw_kidneys_and_vessels
from keras_isample.data.phantom_organs import draw_organs
from keras_isample.data.phantom_trunk import Patient
from keras_isample.data.phantom_trunk import draw_trunk
from keras_isample.errors import InputError
from keras_isample.volumes.volume import Volume

_FIELD_OF_VIEW = (385.0, 385.0, 400.0)
_ORIENTATIONS = ("LPS", "RAS", "PLI", "LAI", "LPS", "SRA", "RPI")
_OBLIQUE_EVERY = 7
_OBLIQUE_AT = 4
_SMALLEST = 8

_logger = logging.getLogger(__name__)


def draw_case(
    *, shape: Sequence[int], spacing: Sequence[float], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draws one synthetic CT scan of chest and belly.

    The middle of the grid lies between the kidneys; a grid smaller than the
    trunk shows a part of it.

    Args:
        shape: Voxels to the right, to the front and to the head (RAS+).
        spacing: mm per voxel along the same axes.
        seed: Draws the anatomy, the contrast phase and the noise.

    Returns:
        The image in HU, int16, and the label map, uint8, both of that shape;
        the values of the label map are those of `phantom_trunk.STRUCTURES`,
        0 elsewhere.

    Raises:
        InputError: If shape or spacing make no grid.
    """
    shape, spacing = _checked_grid(shape, spacing)
    rng = np.random.default_rng([seed, 0])
    canvas = Canvas(shape, spacing, _warp(rng))
    patient = Patient(rng)
    draw_trunk(canvas, patient)
    draw_organs(canvas, patient)
    draw_muscles(canvas, patient)
    draw_kidneys_and_vessels(canvas, patient)
    draw_bones(canvas, patient)
    _add_noise(canvas, np.random.default_rng([seed, 1]))
    image = np.clip(canvas.image, -1024, 3071, out=canvas.image)
    return np.rint(image, out=image).astype(np.int16), canvas.label_map


def write_phantom(
    path: str | Path,
    *,
    cases: int = 12,
    shape: Sequence[int] = (160, 160, 160),
    spacing: Sequence[float] | None = None,
    layout: str = "visceral",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    overwrite: bool = False,
) -> Path:
    """Writes a synthetic CT data set.

    Spacing differs by some percent between cases, the order and direction of
    the axes too, and a few scans are slightly oblique. A case depends on
    `seed` and its number only: more cases leave the earlier ones as they
    were, and both layouts hold the same scans.

    Args:
        path: The folder to make. It appears once it is complete.
        cases: How many scans.
        shape: Voxels to the right, to the front and to the head, whatever
            order the file has them in.
        spacing: mm per voxel around which the cases vary, or `None` to fit
            the trunk into `shape`.
        layout: `"visceral"` (one mask per organ) or `"nnunet"` (one label
            map).
        seed: Draws the whole data set.
        progress: Called with the number of cases written and of all cases.
        overwrite: Whether an older phantom at `path` may be replaced.

    Returns:
        `path`.

    Raises:
        InputError: If there are files at `path`, or an argument is out of
            range.
    """
    if layout not in LAYOUTS:
        names = " or ".join(repr(name) for name in LAYOUTS)
        raise InputError("layout", f"received {layout!r}", f"Use {names}")
    if cases < 1:
        raise InputError("cases", f"received {cases}", "Ask for 1 or more")
    if seed < 0:
        raise InputError("seed", f"received {seed}", "Use 0 or more")
    if spacing is None:
        shape, _ = _checked_grid(shape, _FIELD_OF_VIEW)
        spacing = np.divide(_FIELD_OF_VIEW, shape)
    shape, spacing = _checked_grid(shape, spacing)
    path = Path(path)
    with new_folder(path, overwrite) as folder:
        files = LAYOUTS[layout](folder)
        for index in range(cases):
            image, label_map = _case(index, shape, spacing, seed)
            files.add(index, image, label_map)
            _logger.info("%s: wrote case %d of %d", path, index + 1, cases)
            if progress is not None:
                progress(index + 1, cases)
        files.finish(cases)
        write_mark(
            folder,
            cases=cases,
            shape=list(shape),
            spacing=list(spacing),
            layout=layout,
            seed=seed,
        )
    return path


def _case(index, shape, spacing, seed):
    """One case as it is stored: image on its grid, label map on the same."""
    rng = np.random.default_rng([seed, index])
    wide, high = rng.uniform(0.96, 1.04), rng.uniform(0.95, 1.05)
    factors = (wide, wide, high)
    spacing = [round(s * f, 4) for s, f in zip(spacing, factors, strict=True)]
    image, label_map = draw_case(
        shape=shape, spacing=spacing, seed=int(rng.integers(1 << 31))
    )
    affine = np.diag([*spacing, 1.0])
    middle = affine @ [*((np.array(shape) - 1) / 2), 1]
    affine[:3, 3] = np.round(rng.uniform(-90, 90, 3), 2) - middle[:3]
    if index % _OBLIQUE_EVERY == _OBLIQUE_AT:
        tilt = np.eye(4)
        tilt[:3, :3] = rotation(*rng.uniform(-9, 9, 3))
        affine = tilt @ affine
    codes = _ORIENTATIONS[index % len(_ORIENTATIONS)]
    change = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"),
        nib.orientations.axcodes2ornt(codes),
    )
    affine = affine @ nib.orientations.inv_ornt_aff(change, shape)
    image = nib.apply_orientation(image, change)
    label_map = nib.apply_orientation(label_map, change)
    return Volume(image, affine), label_map


def _warp(rng):
    """How the patient of one case lies and is shaped."""
    size = rng.uniform(0.97, 1.03, 3)
    matrix = rotation(*rng.uniform(-3, 3, 3)) / size
    offset = rng.uniform((-6, -6, -8), (6, 6, 8)) + (0, 5, 2)
    waves = []
    for component in range(3):
        for length in (130.0, 230.0):
            waves.append(
                (
                    component,
                    float(rng.uniform(0.5, 1) * 0.014 * length),
                    2 * np.pi / (length * rng.uniform(0.85, 1.3, 3)),
                    rng.uniform(0, 2 * np.pi, 3),
                )
            )
    return Warp(matrix, offset, waves)


def _add_noise(canvas, rng):
    """Adds noise of 20 to 30 HU, and a slow shading as of a hardened beam."""
    image = canvas.image
    sharp, smooth = rng.uniform(11, 15), rng.uniform(16, 22)
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    image += np.float32(sharp) * noise
    sigma = 0.9
    ndimage.gaussian_filter(noise, sigma, output=noise, truncate=3.0)
    noise *= np.float32(smooth * (2 * np.sqrt(np.pi) * sigma) ** 1.5)
    image += noise
    phases = rng.uniform(-0.6, 0.6, 3).astype(np.float32)
    shading = [
        np.cos(axis / 140 + phase)
        for axis, phase in zip(canvas.axes, phases, strict=True)
    ]
    plane = np.float32(-7) * shading[1][:, None] * shading[2]
    image += shading[0][:, None, None] * plane


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
