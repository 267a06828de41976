"""The phantom's kidneys and the blood vessels of its belly.

Coordinates are those of `phantom_trunk`. The vessels are about as bright as
the kidneys and join them to the aorta and the heart, so that no threshold
finds the kidneys.
"""

from dataclasses import dataclass

import numpy as np

from keras_isample.data.phantom_canvas import Canvas
from keras_isample.data.phantom_canvas import Points
from keras_isample.data.phantom_canvas import ellipsoid
from keras_isample.data.phantom_canvas import ellipsoid_box
from keras_isample.data.phantom_canvas import rotation
from keras_isample.data.phantom_canvas import smooth_path
from keras_isample.data.phantom_trunk import FAT
from keras_isample.data.phantom_trunk import SIDES
from keras_isample.data.phantom_trunk import STRUCTURES
from keras_isample.data.phantom_trunk import Patient
from keras_isample.data.phantom_trunk import speckle


@dataclass(frozen=True)
class Kidney:
    """Place, size and pose of one kidney.

    Its own axes are u (towards the aorta), v (to the front) and w (upwards).

    Args:
        sign: 1 on the right, -1 on the left.
        center: Its middle in mm.
        turn: 3x3, from its axes to the body's, for a right kidney.
        radii: Half axes in mm.
    """

    sign: int
    center: np.ndarray
    turn: np.ndarray
    radii: tuple[float, float, float]

    @classmethod
    def drawn(cls, patient: Patient, sign: int, size: float) -> "Kidney":
        """One kidney beside the spine of `patient`; the right one is lower."""
        rng = patient.rng
        height = (-14 if sign > 0 else 2) + rng.uniform(-8, 8)
        center = np.array((sign * 59, -42 + rng.uniform(-3, 3), height))
        center[0] += sign * rng.uniform(-3, 4)
        tilt = rotation(rng.uniform(4, 14), rng.uniform(-18, -6), 0)
        turn = tilt @ rotation(0, 0, rng.uniform(-45, -20))
        part = rng.uniform(0.95, 1.05, 2)
        radii = (24 * part[0], 19 * part[1], 47 / (part[0] * part[1]))
        return cls(sign, center, turn, tuple(float(size * r) for r in radii))

    @property
    def reach(self):
        """Box in mm that holds the kidney."""
        return ellipsoid_box(self.center, (max(self.radii) + 8,))

    def place(self, u, v, w):
        """Body coordinates in mm of a point given along the kidney's axes."""
        x, y, z = self.turn @ np.array((-u, v, w), dtype=float)
        return self.center + (self.sign * x, y, z)

    def axes(self, x, y, z):
        """Coordinates along the kidney's axes, in mm, its bend undone."""
        x = self.sign * (x - float(self.center[0]))
        y, z = y - float(self.center[1]), z - float(self.center[2])
        t = [[float(a) for a in column] for column in self.turn.T]
        u, v, w = (a * x + b * y + c * z for a, b, c in t)
        bend = 7.0 / self.radii[2] ** 2
        return -u - bend * (w * w) + 1.5, v, w

    def outline(self, u, v, w):
        """Distance in mm to the smooth outer surface."""
        return ellipsoid(u, v, w, (0, 0, 0), self.radii)

    def sinus(self, u, v, w):
        """Distance in mm to the fat at the hilum."""
        middle = (self.radii[0] + 1, 0, 0)
        return ellipsoid(u, v, w, middle, (15, 7.5, 15))


def draw_kidneys_and_vessels(canvas: Canvas, patient: Patient) -> None:
    """Draws the vessels and the kidneys that hang on them."""
    size = 1.02 * patient.scale(0.03)
    kidneys = {
        name: Kidney.drawn(patient, sign, size * patient.scale(0.02))
        for name, sign in SIDES.items()
    }
    for kidney in kidneys.values():
        _draw_capsule(canvas, kidney, float(patient.rng.uniform(0, 6)))
    aorta, cava = _paths(patient)
    _draw_branches(canvas, patient)
    contrast = patient.contrast
    veins = speckle(patient, contrast.veins, 6, 9.0)
    for kidney in kidneys.values():
        _draw_renal(canvas, patient, kidney, aorta, cava)
    canvas.draw_tube(cava, veins)
    for name, kidney in kidneys.items():
        _draw_kidney(canvas, patient, kidney, STRUCTURES[f"{name}_kidney"])
    blood = speckle(patient, contrast.blood, 4, 9.0)
    canvas.draw_tube(aorta, blood, STRUCTURES["aorta"])


def _paths(patient):
    """Nodes of the aorta and of the inferior vena cava."""
    front = patient.spine_front
    fork = float(patient.rng.uniform(-88, -76))

    def beside(path):
        path = np.array(path, dtype=float)
        path[:, 1] += front(path[:, 2].astype(np.float32))
        return path

    down = beside(
        [
            (-18, 18, 150, 11.0),
            (-18, 20, 120, 10.8),
            (-13, 25, 70, 10.5),
            (-8, 28, 30, 10.0),
            (-7, 29, -20, 9.0),
            (-5, 28, fork, 8.5),
        ]
    )
    y = down[0, 1]
    arch = np.array(
        [
            (2, 22, 118, 13),
            (10, 20, 145, 13),
            (8, 12, 163, 12.5),
            (-4, y + 28, 173, 12),
            (-16, y + 10, 168, 11.5),
        ]
    )
    down[:, :2] += patient.rng.uniform(-2, 2, 2)
    cava = beside(
        [
            (18, 27, fork - 4, 9.5),
            (20, 28, -20, 10),
            (19, 30, 30, 11),
            (17, 42, 60, 11.5),
            (12, 56, 84, 12),
        ]
    )
    return smooth_path(np.concatenate([arch, down])), smooth_path(cava)


def _draw_branches(canvas, patient):
    """Draws the vessels that do not lead to the kidneys, and the pancreas."""
    contrast = patient.contrast
    front = float(patient.spine_front(np.float32(0)))
    low = float(patient.spine_front(np.float32(-90))) + 26
    shift = np.append(patient.shift(3), 0)
    pancreas = shift + [
        (34, 14, -14, 13),
        (12, 12, 0, 10),
        (-24, 8, 12, 10),
        (-66, -12, 26, 9),
    ]
    canvas.draw_tube(smooth_path(pancreas), speckle(patient, 95, 12, 4.0))
    portal = contrast.portal
    for path in (
        [(-84, -20, 26, 4), (-30, 0, 12, 4.5), (12, 4, 0, 5.5)],
        [(12, 4, 0, 6), (30, 12, 18, 7), (52, 14, 30, 6), (74, 4, 32, 4)],
        [(12, 4, 0, 6), (10, 14, -40, 5.5), (14, 20, -90, 4)],
    ):
        canvas.draw_tube(smooth_path(shift + path), portal)
    for path in (
        [
            (-7, front + 30, 8, 4),
            (-4, 8, -10, 4),
            (0, 14, -50, 3.5),
            (6, 20, -95, 2.5),
        ],
        [
            (-8, front + 30, 26, 4),
            (-10, front + 46, 28, 3.5),
            (16, front + 50, 26, 3),
        ],
    ):
        canvas.draw_tube(smooth_path(path), contrast.blood)
    for sign in (1, -1):
        branch = np.array(
            [
                (sign * 4 - 4, low + 2, -84, 7),
                (sign * 26, low - 4, -112, 6),
                (sign * 46, low, -140, 5.5),
                (sign * 66, 40, -180, 5),
                (sign * 76, 52, -225, 5),
            ],
            dtype=float,
        )
        canvas.draw_tube(smooth_path(branch), contrast.blood)
        branch += (8, -8, -2, 1)
        branch[1:, 0] -= sign * 6 + 8
        canvas.draw_tube(smooth_path(branch), contrast.veins)


def _draw_renal(canvas, patient, kidney, aorta, cava):
    """Draws artery and vein of a kidney, in its hilum and in the aorta."""
    hilum = kidney.place(kidney.radii[0] - 8, 0, 0)
    outside = kidney.place(kidney.radii[0] + 10, 2, 0)
    for vessel, radius, value, rise, extra in (
        (cava, 4.6, patient.contrast.veins, -2, 3),
        (aorta, 3.4, patient.contrast.blood, 7, 0),
    ):
        root = vessel[np.argmin(np.abs(vessel[:, 2] - outside[2] - rise)), :3]
        middle = 0.5 * (root + outside) + (0, 3 + extra, 0)
        path = [root, middle, outside, hilum]
        nodes = np.column_stack([path, np.full(4, radius)])
        canvas.draw_tube(smooth_path(nodes, 6.0), value)


def _draw_capsule(canvas, kidney, phase):
    """Draws the fat around a kidney, thinner in front than behind."""

    def fat(x, y, z):
        u, v, w = kidney.axes(x, y, z)
        waves = np.sin(0.07 * w + phase) * np.sin(0.06 * u - phase)
        return kidney.outline(u, v, w) - 4.5 + 0.08 * v - 3 * waves

    canvas.draw(fat, FAT + 3, kidney.reach)


def _draw_kidney(canvas, patient, kidney, label):
    contrast = patient.contrast
    phase = float(patient.rng.uniform(0, 6))
    urine = float(patient.rng.uniform(10, 60))

    def shape(x, y, z):
        u, v, w = kidney.axes(x, y, z)
        lobes = 0.9 * np.sin(0.22 * w + phase) * np.sin(0.16 * v + phase)
        outside = kidney.outline(u, v, w) + lobes
        return np.maximum(outside, -kidney.sinus(u, v, w))

    def value(points: Points):
        u, v, w = kidney.axes(points.x, points.y, points.z)
        depth = -kidney.outline(u, v, w)
        pyramid = np.cos(w * 0.36 + phase) + 0.8 * np.cos(
            3 * np.arctan2(v, 6 - u) + phase
        )
        inner = np.clip((depth - 6.5) / 2, 0, 1)
        inner = inner * np.clip(1.2 * pyramid + 0.9, 0, 1)
        grain = patient.texture(points.x, points.y, points.z, 5.0)
        level = contrast.cortex + 4 * grain
        level = level + inner * (contrast.medulla - contrast.cortex)
        pelvis = ellipsoid(u, v, w, (7, 0, 0), (8, 5, 14))
        share = np.clip(0.5 - 0.5 * pelvis, 0, 1)
        return level + share * (urine - level)

    canvas.draw(shape, value, kidney.reach, label)
