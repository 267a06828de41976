"""The trunk of the phantom: what organs share, skin, cavities, lungs, heart.

Anatomical coordinates are mm from the first lumbar level in the middle of the
trunk: x to the right, y to the front, z to the head.
"""

from dataclasses import dataclass

import numpy as np

from keras_isample.data.phantom_canvas import AIR
from keras_isample.data.phantom_canvas import Canvas
from keras_isample.data.phantom_canvas import Points
from keras_isample.data.phantom_canvas import Profile
from keras_isample.data.phantom_canvas import Texture
from keras_isample.data.phantom_canvas import ellipsoid
from keras_isample.data.phantom_canvas import ellipsoid_box
from keras_isample.data.phantom_canvas import rotation
from keras_isample.data.phantom_canvas import smooth_path

STRUCTURES = {
    name: value
    for value, name in enumerate(
        (
            "right_kidney",
            "left_kidney",
            "liver",
            "spleen",
            "aorta",
            "right_lung",
            "left_lung",
            "trachea",
            "sternum",
            "right_psoas_major",
            "left_psoas_major",
            "right_rectus_abdominis",
            "left_rectus_abdominis",
            "urinary_bladder",
            "spine",
        ),
        start=1,
    )
}
SIDES = {"right": 1, "left": -1}
FAT = -100.0
MUSCLE = 52.0

_EVERYWHERE = ((-900.0, -900.0, -900.0), (900.0, 900.0, 900.0))


@dataclass(frozen=True)
class Contrast:
    """HU of the enhanced tissues of one case, after a contrast agent."""

    cortex: float
    medulla: float
    blood: float
    veins: float
    portal: float
    liver: float
    spleen: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "Contrast":
        """A phase of up to 30 HU around the portal-venous one.

        The blood pool is as bright as the kidney's mean, and the spleen as
        its medulla: brightness alone must not tell a kidney.
        """
        phase = float(rng.uniform(-30, 30))
        cortex = 188 + phase
        return cls(
            cortex=cortex,
            medulla=cortex - float(rng.uniform(25, 40)),
            blood=cortex + float(rng.uniform(-7, 8)),
            veins=cortex - float(rng.uniform(10, 30)),
            portal=cortex - float(rng.uniform(5, 25)),
            liver=108 + 0.4 * phase + float(rng.uniform(-8, 8)),
            spleen=cortex - float(rng.uniform(18, 40)),
        )


class Patient:
    """One body: what several organs need to know of each other.

    Args:
        rng: Draws all that differs between two bodies.
    """

    def __init__(self, rng: np.random.Generator):
        self.rng = rng
        self.contrast = Contrast.drawn(rng)
        self.texture = Texture(rng)
        self.fat = float(rng.uniform(0.6, 1.5))
        self.girth = float(rng.uniform(0.96, 1.03))
        self.spine_front = Profile(
            (-220, -130, -55, 40, 140, 230, 330),
            np.array((-68, -50, -39, -46, -55, -49, -42))
            + rng.uniform(-3, 3, 7),
        )
        self._dome_heights = rng.uniform(-8, 8, 2) + (66, 56)
        self._body = _outline(
            (-260, -180, -110, -30, 30, 90, 150, 205, 250, 290),
            np.array((160, 166, 160, 150, 152, 156, 158, 160, 120, 62)),
            np.array((104, 108, 104, 105, 108, 111, 110, 98, 80, 66)),
            self.girth,
        )
        self._cavity = _outline(
            (-205, -150, -110, -40, 20, 80, 130, 165, 190, 206, 230),
            np.array((58, 84, 110, 121, 123, 126, 120, 98, 68, 36, 20)),
            np.array((46, 64, 73, 76, 80, 83, 80, 64, 44, 24, 14)),
            self.girth,
        )

    def skin(self, x, y, z):
        """Distance in mm to the skin, negative inside."""
        return _wall(x, y + 3.0, z, *self._body)

    def cavity(self, x, y, z):
        """Distance in mm to the chest's and belly's inner wall."""
        return _wall(x, y - 3.0, z, *self._cavity)

    def above_dome(self, x, y, z):
        """Height in mm over the diaphragm, negative in the belly."""
        right, left = (float(h) - 50 for h in self._dome_heights)
        y = y - 6.0
        ahead = np.exp(-(y * y) / 3200)
        side = right * np.exp(-((x - 62) ** 2) / 3200)
        side = side + left * np.exp(-((x + 66) ** 2) / 3200)
        rim = x * x * (1 / 122**2) + y * y * (1 / 80**2)
        rim = rim * rim
        rim = np.minimum(rim * rim * (54 - 0.2 * y), 46 - 0.15 * y)
        return z - 50 - side * ahead + rim

    def in_belly(self, distance, x, y, z, gap=3.0):
        """Cuts a shape at the belly's wall and the diaphragm."""
        distance = np.maximum(distance, self.cavity(x, y, z) + gap)
        return np.maximum(distance, 0.8 * self.above_dome(x, y, z) + 3 + gap)

    def shift(self, size):
        """A random displacement in mm, as an array of three."""
        return self.rng.uniform(-size, size, 3)

    def scale(self, part=0.1):
        """A random factor around 1."""
        return float(self.rng.uniform(1 - part, 1 + part))


def draw_trunk(canvas: Canvas, patient: Patient) -> None:
    """Draws all that lies behind the organs of the belly."""
    _draw_body(canvas, patient)
    _draw_lungs(canvas, patient)
    _draw_airways(canvas, patient)
    _draw_heart(canvas, patient)


def speckle(patient: Patient, level: float, amplitude: float, scale: float):
    """Intensity of a tissue that is not quite even."""

    def value(points: Points):
        grain = patient.texture(points.x, points.y, points.z, scale)
        return level + amplitude * grain

    return value


def vessel_tree(patient, tissue, vessel, scale, width, shift):
    """Intensity of an organ with branching vessels in it."""

    def value(points: Points):
        place = (points.x, points.y, points.z, scale)
        first = patient.texture(*place, shift=shift)
        second = patient.texture(*place, shift=shift + 17.3)
        share = np.clip(1.5 - (first * first + second * second) / width, 0, 1)
        share = share * np.clip(points.depth / 10, 0, 1)
        return tissue + 4 * first + share * (vessel - tissue)

    return value


def _outline(heights, half_widths, half_depths, girth):
    return Profile(heights, half_widths * girth), Profile(
        heights, half_depths * girth
    )


def _wall(x, y, z, half_width, half_depth):
    """Distance in mm to a rounded oblong around the z axis."""
    across, ahead = 1 / half_width(z), 1 / half_depth(z)
    x, y = x * across, y * ahead
    first, second = x * x, y * y
    square = np.sqrt(first * first + second * second)
    level = np.sqrt(0.7 * (first + second) + 0.3 * square) + 1e-4
    slope = np.sqrt(first * across * across + second * ahead * ahead)
    return level * (level - 1) / (slope + 1e-6)


def _draw_body(canvas, patient):
    rim = 11.0 * patient.fat

    def muscle(x, y, z):
        extra = np.clip(y * (0.06 * patient.fat), -2, 7)
        skin = patient.skin(x, y, z)
        wall = np.maximum(patient.cavity(x, y, z) - 9, skin + 3)
        return np.minimum(skin + rim + extra, wall)

    def chest(x, y, z):
        inside = patient.cavity(x, y, z)
        return np.maximum(inside, -patient.above_dome(x, y, z))

    def belly(x, y, z):
        inside = patient.cavity(x, y, z)
        return np.maximum(inside, patient.above_dome(x, y, z) + 4)

    def table(x, y, z):
        return np.maximum(
            np.abs(y + 122 - x * x * 0.0011 + 0 * z) - 3, np.abs(x) - 165
        )

    canvas.draw(table, -350.0, ((-170, -130, -900), (170, -85, 900)))
    canvas.draw(patient.skin, FAT + 2, ((-175, -125, -900), (175, 125, 900)))
    canvas.draw(muscle, MUSCLE, ((-165, -115, -900), (165, 115, 900)))
    canvas.draw(chest, -65.0, ((-132, -85, -25), (132, 92, 235)))
    canvas.draw(belly, FAT, ((-132, -85, -210), (132, 92, 80)))


def _draw_lungs(canvas, patient):
    inner = float(patient.rng.uniform(15, 20))
    value = vessel_tree(
        patient, float(patient.rng.uniform(-870, -830)), 40.0, 9.0, 0.06, 3.1
    )
    for side, sign in SIDES.items():

        def lung(x, y, z, sign=sign):
            middle = inner + 12 * np.exp(-((y + 8) ** 2) / 2000)
            return np.maximum(
                np.maximum(
                    patient.cavity(x, y, z) + 2,
                    0.8 * (2 - patient.above_dome(x, y, z)),
                ),
                middle - sign * x,
            )

        low, high = sorted((sign * 8, sign * 132))
        box = ((low, -85, -25), (high, 92, 235))
        canvas.draw(lung, value, box, STRUCTURES[f"{side}_lung"])


def _draw_airways(canvas, patient):
    fork = float(patient.rng.uniform(148, 156))
    front = patient.spine_front
    trachea = np.array(
        [(2, 34, 330, 8.5), (2, 32, 215, 8.5), (3, 33, fork, 8.5)]
    )
    trachea[:, 1] += front(trachea[:, 2].astype(np.float32))
    y = trachea[-1, 1]
    gullet = np.array(
        [(-5, 20, 330, 5.5), (-6, 19, 150, 5.5), (-10, 30, 66, 6)]
    )
    gullet[:, 1] += front(gullet[:, 2].astype(np.float32))
    canvas.draw_tube(smooth_path(gullet), 42.0)
    for sign in SIDES.values():
        branch = [
            (3, y, fork, 7.0),
            (3 + 22 * sign, y - 4, fork - 18, 6.0),
            (3 + 46 * sign, y - 8, fork - 36, 4.0),
        ]
        canvas.draw_tube(smooth_path(branch), 0.0)
        canvas.draw_tube(smooth_path(branch), AIR, inset=1.5)
    walls = trachea + (0, 0, 0, 2)
    canvas.draw_tube(smooth_path(walls, 15), 30.0)
    canvas.draw_tube(smooth_path(trachea, 15), AIR, STRUCTURES["trachea"])


def _draw_heart(canvas, patient):
    blood = patient.contrast.blood
    center = np.array((-24, 28, 96)) + patient.shift(4)
    turn = rotation(*(np.array((-20, 25, 30)) + patient.shift(8)))
    size = patient.scale(0.05)
    parts = [
        ((0, 0, 0), (46, 36, 44), 105.0),
        ((-12, 2, -8), (24, 22, 24), blood),
        ((20, 14, -6), (17, 17, 26), blood),
        ((22, -10, 22), (18, 17, 18), blood - 6),
        ((-8, -18, 24), (22, 13, 14), blood),
    ]

    for end in ((46, -2, 40), (-42, -6, 44)):
        middle = (end[0] * 0.4 - 4, -4, 44)
        root = [(-6, 8, 22, 13), (-8, 0, 40, 12), (*middle, 10), (*end, 5)]
        nodes = np.array(root, dtype=float)
        nodes[:, :3] += center + (24, -6, 0)
        canvas.draw_tube(smooth_path(nodes), blood)

    def pericardium(x, y, z):
        radii = [size * r + 6 for r in parts[0][1]]
        return ellipsoid(x, y, z, center, radii, turn)

    belly = ellipsoid_box(center, (58 * size,))
    canvas.draw(
        lambda x, y, z: np.maximum(
            pericardium(x, y, z), 3 - patient.above_dome(x, y, z)
        ),
        -75.0,
        belly,
    )
    for offset, radii, value in parts:
        place = center + turn @ np.array(offset) * size
        radii = [size * r for r in radii]

        def part(x, y, z, place=place, radii=radii):
            shape = ellipsoid(x, y, z, place, radii, turn)
            return np.maximum(shape, 6 - patient.above_dome(x, y, z))

        canvas.draw(part, value, ellipsoid_box(place, radii))
