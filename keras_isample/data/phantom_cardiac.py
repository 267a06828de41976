"""Synthetic short-axis slices of hearts, as cine MR shows them.

A slice lies somewhere between base and apex of a made-up heart: a ring of
muscle around the left ventricle, the crescent of the right one beside it,
papillary muscles (part of the left ventricle, as in the ACDC data), and around
it lungs, liver, chest wall, fat and vessels. Blood shines no brighter than fat
and other vessels, muscle like the liver; heart and picture are turned and
shifted, and coil and noise change every pixel: a ring has to be recognized.
"""

from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import ndimage

from keras_isample.data.phantom_files import FolderFiles
from keras_isample.data.phantom_files import new_folder
from keras_isample.data.phantom_files import write_mark
from keras_isample.data.phantom_splits import cardiac_splits
from keras_isample.errors import InputError

STRUCTURES = {"left_ventricle": 1, "myocardium": 2, "right_ventricle": 3}
"""Name to value in the label maps."""

_SMALLEST = 32
# All lengths below are in pixels of a picture of this size.
_SIZE = 96
_APEX_SHARE = 0.12


def draw_slice(
    *, shape: Sequence[int] = (96, 96), seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draws one slice.

    Args:
        shape: Width and height in pixels; the heart grows with the smaller.
        seed: Draws anatomy, contrast and noise.

    Returns:
        Image and label map, uint8, shape `(width, height)`: the first axis
        runs from left to right, the second from top to bottom.

    Raises:
        InputError: If the shape is none.
    """
    shape = _checked_shape(shape)
    rng = np.random.default_rng([seed, 2])
    picture = _Picture(shape)
    tissue = _Tissue(rng)
    heart = _Heart(rng)
    _draw_chest(picture, tissue, heart, rng)
    label_map = _draw_heart(picture, tissue, heart, rng)
    return _scan(picture, rng), label_map


def write_cardiac_phantom(
    path: str | Path,
    *,
    cases: int = 200,
    shape: Sequence[int] = (96, 96),
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    overwrite: bool = False,
) -> Path:
    """Writes a data set of synthetic short-axis slices.

    PNG files in `images/` and `labels/`, a `dataset.json` with the names and
    a `cases.csv` with the split: half of the slices for training, a tenth for
    validation, the rest for test (100, 20 and 80 of 200). A slice depends on
    `seed` and its number only.

    Args:
        path: The folder to make. It appears once it is complete.
        cases: How many slices, 3 or more.
        shape: Width and height in pixels.
        seed: Draws the whole data set.
        progress: Called with the number of slices written and of all slices.
        overwrite: Whether an older phantom at `path` may be replaced.

    Returns:
        `path`.

    Raises:
        InputError: If there are files at `path`, or an argument is out of
            range.
    """
    shape = _checked_shape(shape)
    splits = cardiac_splits(cases)
    if seed < 0:
        raise InputError("seed", f"received {seed}", "Use 0 or more")
    path = Path(path)
    with new_folder(path, overwrite) as folder:
        files = FolderFiles(folder, STRUCTURES, channel="MR", ending=".png")
        for index, split in enumerate(splits):
            draw = np.random.default_rng([seed, index]).integers(1 << 31)
            image, label_map = draw_slice(shape=shape, seed=int(draw))
            files.add_picture(f"slice_{index:03d}", image, label_map, split)
            if progress is not None:
                progress(index + 1, cases)
        files.finish()
        write_mark(folder, kind="cardiac", cases=cases, shape=shape, seed=seed)
    return path


class _Picture:
    """Pixels that are painted over, and their positions.

    Args:
        shape: Width and height.
    """

    def __init__(self, shape):
        scale = _SIZE / min(shape)
        x, y = (scale * (np.arange(n) - (n - 1) / 2) for n in shape)
        self.x = x[:, None].astype(np.float32)
        self.y = y[None, :].astype(np.float32)
        self.image = np.zeros(shape, np.float32)

    def paint(self, distance, value, opacity=1.0):
        """Paints where a distance is negative, with an edge of one pixel."""
        cover = opacity * np.clip(0.5 - distance, 0, 1)
        self.image += cover * (value - self.image)

    def ellipse(self, center, radii, angle=0.0):
        """About the distance from an ellipse, negative inside."""
        u, v = self.turned(center, angle)
        away = np.hypot(u / radii[0], v / radii[1])
        return (away - 1) * min(radii)

    def turned(self, center, angle):
        """Coordinates along and across a direction, from a center."""
        x, y = self.x - center[0], self.y - center[1]
        c, s = np.cos(angle), np.sin(angle)
        return c * x + s * y, c * y - s * x


class _Tissue:
    """Intensities of one patient in one scanner, in gray values."""

    def __init__(self, rng):
        self.blood = rng.uniform(130, 185)
        self.right_blood = self.blood * rng.uniform(0.82, 1.1)
        self.muscle = self.blood * rng.uniform(0.36, 0.58)
        self.liver = self.muscle * rng.uniform(0.75, 1.45)
        self.wall = self.muscle * rng.uniform(0.7, 1.3)
        self.fat = self.blood * rng.uniform(0.8, 1.3)
        self.lung = rng.uniform(8, 30)
        self.stomach = rng.choice([self.lung, self.blood, self.muscle])


class _Heart:
    """Shape and place of one heart at one level.

    Args:
        rng: Draws it.
    """

    def __init__(self, rng):
        self.apex = rng.random() < _APEX_SHARE
        self.center = np.clip(rng.normal(0, 9, 2), -16, 16)
        # Where the right ventricle lies: on the left of the picture, turned.
        self.angle = np.pi + rng.uniform(-1.3, 1.3)
        if self.apex:
            self.radius = rng.uniform(3.5, 6.5)
            self.wall = rng.uniform(5, 7)
        else:
            self.radius = rng.uniform(8, 14.5)
            self.wall = rng.uniform(4, 7.2)
        self.outer = self.radius + self.wall
        self._waves = [
            (k, rng.uniform(0, size), rng.uniform(0, 2 * np.pi))
            for k, size in ((2, 0.12), (3, 0.05), (4, 0.03))
        ]
        self._thick = (rng.uniform(0, 0.22), rng.uniform(0, 2 * np.pi))
        self.right = None
        if not self.apex or rng.random() < 0.5:
            size = 0.55 if self.apex else 1.0
            self.right = {
                "along": self.outer * rng.uniform(0.88, 1.1),
                "across": self.outer * rng.uniform(-0.15, 0.15),
                "radii": (
                    self.outer * size * rng.uniform(0.68, 0.92),
                    self.outer * size * rng.uniform(0.9, 1.25),
                ),
                "turn": rng.uniform(-0.2, 0.2),
            }

    def distances(self, picture):
        """From the cavity, from the muscle around it and from the crescent.

        Negative inside; the crescent's is `None` where there is none.
        """
        u, v = picture.turned(self.center, self.angle)
        away, turn = np.hypot(u, v), np.arctan2(v, u)
        shape = 1 + sum(a * np.cos(k * turn + p) for k, a, p in self._waves)
        size, phase = self._thick
        wall = self.wall * (1 + size * np.cos(turn + phase))
        cavity = away - self.radius * shape
        muscle = away - self.radius * shape - wall
        if self.right is None:
            return cavity, muscle, None
        c, s = np.cos(self.angle), np.sin(self.angle)
        along, across = self.right["along"], self.right["across"]
        center = self.center + (
            c * along - s * across,
            s * along + c * across,
        )
        crescent = picture.ellipse(
            center, self.right["radii"], self.angle + self.right["turn"]
        )
        return cavity, muscle, crescent


def _draw_heart(picture, tissue, heart, rng):
    """Draws the heart, and returns its label map."""
    cavity, muscle, crescent = heart.distances(picture)
    whole = muscle if crescent is None else np.minimum(muscle, crescent)
    fat = rng.uniform(1.5, 5) * (1 + 0.6 * _smooth(picture, rng, 14))
    picture.paint(whole - fat, tissue.fat, rng.uniform(0.5, 1))
    picture.paint(whole - 1.3, 0.8 * tissue.wall)
    label_map = np.zeros(picture.image.shape, np.uint8)
    if crescent is not None:
        picture.paint(crescent - rng.uniform(1, 2), tissue.muscle)
        picture.paint(crescent, tissue.right_blood)
        label_map[crescent < 0] = STRUCTURES["right_ventricle"]
        for _ in range(rng.integers(2, 6)):
            spot = _point_in(crescent + 1, muscle, picture, rng)
            if spot is not None:
                radii = rng.uniform(0.7, 1.8, 2)
                strand = picture.ellipse(spot, radii, rng.uniform(0, np.pi))
                picture.paint(strand, tissue.muscle, 0.8)
    picture.paint(muscle, tissue.muscle)
    label_map[muscle < 0] = STRUCTURES["myocardium"]
    picture.paint(cavity, tissue.blood)
    label_map[cavity < 0] = STRUCTURES["left_ventricle"]
    if heart.radius > 6 and rng.random() < 0.85:
        _draw_papillary_muscles(picture, tissue, heart, rng)
    return label_map


def _draw_papillary_muscles(picture, tissue, heart, rng):
    first = heart.angle + np.pi + rng.uniform(-0.4, 0.4)
    for side in (-1, 1):
        turn = first + side * rng.uniform(0.7, 1.2)
        away = heart.radius * rng.uniform(0.5, 0.75)
        place = heart.center + away * np.array([np.cos(turn), np.sin(turn)])
        radii = heart.radius * rng.uniform(0.12, 0.26, 2)
        spot = picture.ellipse(place, radii, rng.uniform(0, np.pi))
        picture.paint(spot, tissue.muscle, rng.uniform(0.7, 1))


def _draw_chest(picture, tissue, heart, rng):
    """What lies around the heart."""
    middle = 0.6 * heart.center + rng.uniform(-7, 7, 2)
    picture.image[:] = tissue.wall * (1 + 0.25 * _smooth(picture, rng, 8))
    for side in (-1, 1):
        center = middle + (side * rng.uniform(34, 48), rng.uniform(-22, 4))
        radii = rng.uniform((18, 24), (30, 40))
        lung = picture.ellipse(center, radii, side * rng.uniform(-0.5, 0.5))
        picture.paint(lung, tissue.lung)
        for _ in range(rng.integers(3, 8)):
            spot = center + rng.uniform(-0.8, 0.8, 2) * radii
            picture.paint(
                picture.ellipse(spot, rng.uniform(0.6, 2, 2)),
                tissue.blood * rng.uniform(0.4, 1),
                0.8,
            )
    _draw_belly(picture, tissue, middle, rng)
    wall = picture.ellipse(
        middle + (0, rng.uniform(14, 26)),
        rng.uniform((66, 54), (88, 66)),
        rng.uniform(-0.25, 0.25),
    )
    picture.paint(-wall - rng.uniform(4, 9), tissue.wall)
    picture.paint(-wall, tissue.fat)
    picture.paint(-wall + rng.uniform(6, 14), tissue.lung / 2)
    _draw_vessels(picture, tissue, heart, rng)


def _draw_belly(picture, tissue, middle, rng):
    """Liver below on the left of the picture, stomach or spleen opposite."""
    center = middle + rng.uniform((-42, 28), (-18, 44))
    radii = rng.uniform((24, 14), (38, 24))
    liver = picture.ellipse(center, radii, rng.uniform(-0.4, 0.4))
    liver = liver + 1.5 * _smooth(picture, rng, 10)
    picture.paint(liver, tissue.liver * (1 + 0.1 * _smooth(picture, rng, 4)))
    for _ in range(rng.integers(2, 6)):
        spot = center + rng.uniform(-0.7, 0.7, 2) * radii
        vessel = picture.ellipse(
            spot, rng.uniform(0.8, 3.5, 2), rng.uniform(0, np.pi)
        )
        picture.paint(vessel, tissue.blood * rng.uniform(0.7, 1.1))
    center = middle + rng.uniform((14, 30), (40, 46))
    radii = rng.uniform((9, 8), (20, 16))
    picture.paint(
        picture.ellipse(center, radii, rng.uniform(0, np.pi)), tissue.stomach
    )


def _draw_vessels(picture, tissue, heart, rng):
    """Aorta, caval vein and other round things as bright as the cavity."""
    aside = heart.angle + np.pi + rng.uniform(-1.1, 1.1)
    places = [
        heart.center
        + (heart.outer + rng.uniform(9, 16))
        * np.array([np.cos(aside), np.sin(aside)])
    ]
    for _ in range(rng.integers(2, 6)):
        places.append(rng.uniform(-44, 44, 2))
    for place in places:
        radii = rng.uniform(3, 7.5) * rng.uniform(0.8, 1.25, 2)
        vessel = picture.ellipse(place, radii, rng.uniform(0, np.pi))
        picture.paint(vessel - rng.uniform(0.5, 2), tissue.muscle)
        picture.paint(vessel, tissue.blood * rng.uniform(0.8, 1.15))


def _scan(picture, rng):
    """What the scanner makes of the picture: texture, coil, blur and noise."""
    image = picture.image * (1 + 0.05 * _smooth(picture, rng, 2))
    direction = rng.uniform(0, 2 * np.pi)
    along, _ = picture.turned((0, 0), direction)
    coil = rng.uniform(0, 0.35) * along / (_SIZE / 2)
    coil = coil + rng.uniform(0, 0.2) * _smooth(picture, rng, 24)
    image = image * np.exp(coil) * rng.uniform(0.7, 1.15)
    image = ndimage.gaussian_filter(image, rng.uniform(0.4, 0.9))
    noise = rng.uniform(4, 10)
    real, imaginary = rng.normal(0, noise, (2, *image.shape))
    image = np.hypot(image + real, imaginary)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _smooth(picture, rng, sigma):
    """A smooth random field of mean 0 and deviation 1."""
    shape = picture.image.shape
    sigma = sigma * min(shape) / _SIZE
    field = rng.standard_normal(shape, dtype=np.float32)
    field = ndimage.gaussian_filter(field, sigma, mode="wrap", truncate=2.5)
    return (field - field.mean()) / max(field.std(), 1e-6)


def _point_in(region, outside, picture, rng):
    """A point where one distance is negative and the other is not."""
    found = np.flatnonzero((region < 0) & (outside > 1))
    if not len(found):
        return None
    i, j = np.unravel_index(rng.choice(found), region.shape)
    return np.array([picture.x[i, 0], picture.y[0, j]])


def _checked_shape(shape):
    shape = tuple(int(n) for n in shape)
    if len(shape) != 2 or min(shape) < _SMALLEST:
        raise InputError(
            "shape",
            f"received {shape}",
            f"Give width and height, pixels of {_SMALLEST} or more",
        )
    return shape
