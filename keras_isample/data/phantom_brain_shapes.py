"""The shapes of the brain phantom.

Coordinates are mm to the right, to the front and to the top of a point
between the thalami.
"""

import numpy as np

from keras_isample.data.phantom_brain_labels import SIDES
from keras_isample.data.phantom_brain_labels import STRUCTURES
from keras_isample.data.phantom_canvas import Canvas
from keras_isample.data.phantom_canvas import Texture
from keras_isample.data.phantom_canvas import ellipsoid
from keras_isample.data.phantom_canvas import ellipsoid_box
from keras_isample.data.phantom_canvas import rotation
from keras_isample.data.phantom_canvas import smooth_path
from keras_isample.data.phantom_canvas import smooth_union

# T1-weighted, white matter 110.
_TISSUES = {
    "white": 110.0,
    "gray": 74.0,
    "fluid": 24.0,
    "Thalamus-Proper": 94.0,
    "Caudate": 78.0,
    "Putamen": 84.0,
    "Pallidum": 101.0,
    "Hippocampus": 75.0,
    "Amygdala": 72.0,
    "VentralDC": 98.0,
    "Brain-Stem": 103.0,
    "cerebellar gray": 70.0,
    "cerebellar white": 106.0,
    "skull": 14.0,
    "muscle": 52.0,
    "fat": 125.0,
}
_FOLD_NODE = 3.5
# A third of the usual slope of a `Texture` of sigma 1.2, per mm.
_FLATTEST = np.sqrt(3 / 2) / (1.2 * _FOLD_NODE) / 3


class Brain:
    """One person's sizes, places and tissues.

    Args:
        rng: Draws them.
    """

    def __init__(self, rng: np.random.Generator):
        self.rng = rng
        self.folds = Texture(rng)
        self.fold_shift = rng.uniform(0, 40)
        self.tissues = {
            name: value * rng.uniform(0.97, 1.03)
            for name, value in _TISSUES.items()
        }
        self.cortex = rng.uniform(2.7, 3.4)
        self.sulci = rng.uniform(0.4, 1.1)
        self.ventricles = rng.uniform(0.75, 1.5)

    def size(self, spread: float = 0.1) -> float:
        """A factor around 1."""
        return float(self.rng.uniform(1 - spread, 1 + spread))

    def jitter(self, reach: float = 1.3) -> np.ndarray:
        """A shift in mm."""
        return self.rng.uniform(-reach, reach, 3)


def draw_surfaces(canvas: Canvas, brain: Brain) -> None:
    """Draws head, cerebrum and cerebellum, whose folds fill the grid."""
    x, y, z = canvas.warp(*canvas.axes)
    paint = _Painter(canvas)
    _draw_head(paint, brain, x, y, z)
    _draw_cerebrum(paint, brain, x, y, z)
    _draw_cerebellum(paint, brain, x, y, z)


def draw_deep_structures(canvas: Canvas, brain: Brain) -> None:
    """Draws ventricles, deep gray matter and brain stem."""
    tissue = brain.tissues
    shared = {
        name: brain.size(0.12)
        for name in (
            "Caudate",
            "Putamen",
            "Pallidum",
            "Thalamus-Proper",
            "VentralDC",
            "Hippocampus",
            "Amygdala",
        )
    }
    for side, sign in SIDES.items():

        def tube(name, points, value, factor, side=side, sign=sign):
            nodes = np.array(points, float) * (sign, 1, 1, factor)
            nodes[:, :3] += brain.jitter()
            label = STRUCTURES[f"{side}-{name}"]
            canvas.draw_tube(smooth_path(nodes, 5.0), value, label)

        def blob(name, center, radii, turn=0.0, side=side, sign=sign):
            factor = shared[name] * brain.size(0.04)
            center = np.multiply(center, (sign, 1, 1)) + brain.jitter()
            radii = factor * np.array(radii)
            axes = rotation(0, 0, sign * (turn + brain.rng.uniform(-6, 6)))
            canvas.draw(
                lambda x, y, z: ellipsoid(x, y, z, center, radii, axes),
                tissue[name],
                ellipsoid_box(center, radii),
                STRUCTURES[f"{side}-{name}"],
            )

        def organ(name, points, side=side, sign=sign):
            factor = shared[name] * brain.size(0.04)
            tube(name, points, tissue[name], factor, side, sign)

        organ(
            "Caudate",
            [
                (14, 22, 6, 6.2),
                (17, 8, 13, 5.6),
                (20, -10, 20, 3.6),
                (26, -28, 18, 2.6),
            ],
        )
        tube(
            "Lateral-Ventricle",
            [
                (8, 30, 8, 3.5),
                (8, 18, 15, 4.6),
                (9, 0, 21, 4.2),
                (13, -20, 21, 4.4),
                (23, -38, 12, 5.6),
                (26, -56, 9, 2.8),
            ],
            tissue["fluid"],
            brain.ventricles * brain.size(0.06),
        )
        blob("Thalamus-Proper", (12, -15, 8), (10.5, 16, 10), 20)
        blob("VentralDC", (10, -12, -8), (9, 12, 8))
        blob("Putamen", (28, 3, 1), (6, 17, 11.5), 9)
        blob("Pallidum", (20, -1, -1), (4.8, 10, 7.5), 14)
        organ(
            "Hippocampus",
            [
                (24, -8, -18, 6.6),
                (27, -19, -16, 6.0),
                (28, -30, -9, 5.0),
                (22, -39, 0, 3.6),
            ],
        )
        blob("Amygdala", (23, 3, -17), (7.2, 6.8, 7.2))
    _draw_middle(canvas, brain)


def _draw_middle(canvas, brain):
    tissue = brain.tissues
    center = (0, -9, 3) + brain.jitter(0.6)
    radii = (1.9 * brain.ventricles + 0.6, 13 * brain.size(), 9 * brain.size())
    canvas.draw(
        lambda x, y, z: ellipsoid(x, y, z, center, radii),
        tissue["fluid"],
        ellipsoid_box(center, radii),
        STRUCTURES["3rd-Ventricle"],
    )
    points = [
        (0, -20, -9, 11),
        (0, -17, -25, 13.5),
        (0, -25, -44, 9),
        (0, -30, -68, 6),
    ]
    nodes = np.array(points) * (1, 1, 1, brain.size(0.06))
    nodes[:, :3] += brain.jitter(1)
    canvas.draw_tube(
        smooth_path(nodes, 6.0), tissue["Brain-Stem"], STRUCTURES["Brain-Stem"]
    )
    place = (0, -36, -32) + brain.jitter(1)
    sides = np.array((7, 4.2, 10)) * brain.size() * brain.ventricles**0.4
    canvas.draw(
        lambda x, y, z: ellipsoid(x, y, z, place, sides),
        tissue["fluid"],
        ellipsoid_box(place, sides),
        STRUCTURES["4th-Ventricle"],
    )


class _Painter:
    """Paints and labels where distances, given on the whole grid, are < 0."""

    def __init__(self, canvas):
        self.image = canvas.image
        self.label_map = canvas.label_map
        self.edge = canvas.edge
        self.spacing = canvas.spacing

    def __call__(self, distance, value, labels=None):
        """Paints; `labels` are a value or an array, or `None` for 0."""
        share = np.clip(0.5 - distance / self.edge, 0, 1)
        self.image += share * (value - self.image)
        inside = distance < 0
        if labels is None:
            self.label_map[inside] = 0
        else:
            np.copyto(self.label_map, labels, where=inside)


def _sided(x, name):
    """Label of a structure on either side, voxel by voxel."""
    left, right = (STRUCTURES[f"{side}-{name}"] for side in ("Left", "Right"))
    return np.where(x < 0, left, right).astype(np.uint8)


def _draw_head(paint, brain, x, y, z):
    tissue = brain.tissues
    head = ellipsoid(x, y, z, (0, -8, 4), (75, 91, 79))
    neck = ellipsoid(x, y, z, (0, -18, -70), (50, 52, 60))
    head = smooth_union(head, neck, 20.0)
    paint(head, tissue["fat"])
    paint(head + brain.rng.uniform(3, 6), tissue["muscle"])
    skull = ellipsoid(x, y, z, (0, -8, 4), (71, 87, 75))
    paint(np.maximum(skull, -48 - z), tissue["skull"])
    brim = brain.rng.uniform(1.5, 4)
    inner = _cerebrum(x, y, z)
    inner = smooth_union(inner, _cerebellum(x, y, z), 12.0)
    spine = np.maximum(np.hypot(x, y + 28) - 13, z + 20)
    inner = np.minimum(inner, spine)
    paint(inner - brim - 4, tissue["skull"])
    paint(inner - brim, tissue["fluid"])


def _cerebrum(x, y, z):
    """Distance from the hull of both hemispheres."""
    main = ellipsoid(x, y, z, (0, -8, 14), (64, 80, 55))
    floor = -15 - z + 0.0016 * np.square(y + 5)
    main = np.maximum(main, floor)
    side = np.abs(x)
    temporal = ellipsoid(side, y, z, (40, -4, -16), (23, 41, 21))
    return smooth_union(main, temporal, 8.0)


def _draw_cerebrum(paint, brain, x, y, z):
    tissue = brain.tissues
    hull = _cerebrum(x, y, z)
    sulci = _sulci(brain, x, y, z, hull, paint.spacing)
    surface = np.minimum(-hull, sulci)
    white = tissue["white"]
    paint(hull, white, _sided(x, "Cerebral-White-Matter"))
    cortex = np.maximum(surface - brain.cortex, hull)
    paint(cortex, tissue["gray"], _sided(x, "Cerebral-Cortex"))
    gaps = np.maximum(sulci - brain.sulci, hull)
    paint(gaps, tissue["fluid"])


def _sulci(brain, x, y, z, hull, spacing):
    """Distance from the sheets of fluid that fold the cortex."""
    side = np.abs(x)
    waves = brain.folds(x, y, z, _FOLD_NODE, brain.fold_shift)
    steps = np.gradient(waves, *spacing)
    slope = np.sqrt(sum(np.square(step) for step in steps))
    folds = np.abs(waves) / np.maximum(slope, _FLATTEST)
    core = ellipsoid(side, y, z, (0, -10, 6), (35, 50, 23))
    # No deeper than a real sulcus, and none in the middle of the brain.
    folds = np.maximum(folds, np.maximum(-hull - 24, -core))
    inner = ellipsoid(side, y, z, (24, -16, -12), (11, 30, 12))
    folds = np.maximum(folds, -inner)
    # Between the hemispheres, outside of the arch of the corpus callosum.
    arch = ellipsoid(0 * x, y, z, (0, -4, 2), (60, 41, 28))
    fissure = np.maximum(side - 0.2, 5 - arch)
    level = np.abs(z - 1 + 0.12 * y) - 0.2
    lateral = np.maximum(level, np.maximum(36 - side, np.abs(y - 2) - 30))
    insula = np.maximum(np.abs(side - 37) - 0.2, np.abs(z - 3) - 11)
    insula = np.maximum(insula, np.abs(y - 4) - 21)
    large = np.minimum(np.minimum(fissure, lateral), insula)
    return np.minimum(folds, large)


def _cerebellum(x, y, z):
    """Distance from the hull of the cerebellum."""
    side = np.abs(x)
    half = ellipsoid(side, y, z, (21, -56, -36), (29, 27, 20))
    middle = ellipsoid(x, y, z, (0, -54, -34), (12, 20, 18))
    return smooth_union(half, middle, 6.0)


def _draw_cerebellum(paint, brain, x, y, z):
    tissue = brain.tissues
    hull = _cerebellum(x, y, z)
    paint(hull - 1.5, tissue["fluid"])
    gray = tissue["cerebellar gray"]
    paint(hull, gray, _sided(x, "Cerebellum-Cortex"))
    waves = brain.folds(x, y, z, 2.6, brain.fold_shift + 11)
    leaves = 0.5 * np.abs(np.sin(0.55 * z + 0.2 * y + 0.8 * waves))
    paint(
        np.maximum(hull, leaves - 0.5 + 0.12 * np.maximum(0, hull + 6)),
        gray,
        _sided(x, "Cerebellum-Cortex"),
    )
    side = np.abs(x)
    core = ellipsoid(side, y, z, (18, -53, -35), (18, 15, 8.5))
    stalk = ellipsoid(side, y, z, (13, -36, -30), (7, 14, 8))
    white = smooth_union(core, stalk, 6.0) + 2.2 * waves
    paint(
        np.maximum(white, hull + 3),
        tissue["cerebellar white"],
        _sided(x, "Cerebellum-White-Matter"),
    )
