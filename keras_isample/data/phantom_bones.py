"""The phantom's skeleton and the muscles with a name of their own.

Coordinates are those of `phantom_trunk`.
"""

import numpy as np

from keras_isample.data.phantom_canvas import Canvas
from keras_isample.data.phantom_canvas import Points
from keras_isample.data.phantom_canvas import Profile
from keras_isample.data.phantom_canvas import ellipsoid
from keras_isample.data.phantom_canvas import smooth_path
from keras_isample.data.phantom_trunk import MUSCLE
from keras_isample.data.phantom_trunk import SIDES
from keras_isample.data.phantom_trunk import STRUCTURES
from keras_isample.data.phantom_trunk import Patient

_LEVELS = (-104, -76, -47, -18, 10, 37, 62, 86, 108, 129, 149, 168, 187, 205)
_NECK = (222, 239, 256, 272, 288, 303, 318)
_RIB_LEVEL = 37.0
_RIB_PITCH = 21.0


def draw_muscles(canvas: Canvas, patient: Patient) -> None:
    """Draws the muscles with a name of their own."""
    front = patient.spine_front
    strength = patient.scale(0.12)
    for side, sign in SIDES.items():
        back = [
            (sign * 30, -80, z, 17 * strength)
            for z in (-230, -150, -60, 30, 120, 210, 300)
        ]
        canvas.draw_tube(smooth_path(back, 20), MUSCLE + 3)
        flank = [(sign * 70, -62, -95, 11), (sign * 52, -66, 5, 9)]
        canvas.draw_tube(smooth_path(flank, 20), MUSCLE)
        psoas = np.array(
            [
                (sign * 25, -6, 22, 5),
                (sign * 30, -5, -10, 11),
                (sign * 35, 0, -50, 16),
                (sign * 44, 4, -95, 18),
                (sign * 57, 36, -145, 16),
                (sign * 78, 46, -190, 13),
                (sign * 86, 30, -225, 10),
            ],
            dtype=float,
        )
        psoas[:, 1] += front(psoas[:, 2].astype(np.float32)) - 3
        psoas[:, 3] *= strength
        canvas.draw_tube(
            smooth_path(psoas), MUSCLE + 8, STRUCTURES[f"{side}_psoas_major"]
        )
        _draw_rectus(
            canvas, patient, sign, STRUCTURES[f"{side}_rectus_abdominis"]
        )


def draw_bones(canvas: Canvas, patient: Patient) -> None:
    """Draws the skeleton that a scan of the trunk shows."""
    _draw_ribs(canvas, patient)
    _draw_sternum(canvas, patient)
    _draw_pelvis(canvas, patient)
    _draw_spine(canvas, patient)


def bone(patient: Patient, cortical: float = 520.0, marrow: float = 170.0):
    """Intensity of a bone: a dense shell around a spongy core."""

    def value(points: Points):
        core = patient.texture(points.x, points.y, points.z, 3.0)
        core = marrow + 55 * core
        shell = np.clip((3.2 - points.depth) / 1.6, 0, 1)
        return core + shell * (cortical - core)

    return value


def _draw_rectus(canvas, patient, sign, label):
    thick = 5.5 * patient.scale(0.2)
    half = 20 * patient.scale(0.1)

    def strip(x, y, z):
        wall = np.abs(patient.cavity(x, y, z) - thick - 1.0) - thick
        side = np.abs(sign * x - half - 3.5) - half
        ends = np.maximum(z - 78, -178 - z)
        return np.maximum(np.maximum(wall, side), np.maximum(ends, 20 - y))

    low, high = sorted((0, sign * (2 * half + 8)))
    box = ((low, 20, -185), (high, 115, 85))
    canvas.draw(lambda x, y, z: strip(x, y, z) - 1.6, -80.0, box)
    canvas.draw(strip, MUSCLE + 6, box, label)


def _draw_ribs(canvas, patient):
    def ribs(x, y, z):
        depth = patient.cavity(x, y, z) - 6.5
        result = np.full(depth.shape, 99.0, dtype=np.float32)
        near = np.abs(depth) < 9
        x, y, z = (np.broadcast_to(c, near.shape)[near] for c in (x, y, z))
        turn = np.arctan2(np.abs(x), 3 - y)
        drop = 52 * np.sin(np.minimum(turn, 2.1) * 0.75)
        level = (z + drop - _RIB_LEVEL) / _RIB_PITCH
        number = np.clip(np.round(level), 0, 9)
        away = (level - number) * (0.85 * _RIB_PITCH)
        shape = np.sqrt((away * 0.8) ** 2 + depth[near] ** 2) - 3.9
        end = np.minimum(1.1 + 0.45 * number, 2.55)
        result[near] = np.maximum(shape, 60 * (turn - end))
        return result

    box = ((-145, -100, -30), (145, 108, 235))
    canvas.draw(ribs, bone(patient, 480, 190), box)


def _draw_sternum(canvas, patient):
    width = 15 * patient.scale(0.1)

    def plate(x, y, z):
        wall = np.abs(patient.cavity(x, y, z) - 9) - 5.5
        broad = width + np.clip((z - 150) * 0.5, -3, 8)
        side = np.abs(x) - broad
        ends = np.maximum(z - 186, 84 - z)
        corner = np.maximum(side, wall) + np.maximum(ends * 0.5, 0)
        return np.maximum(np.maximum(corner, ends), 10 - y)

    box = ((-30, 10, 80), (30, 115, 190))
    canvas.draw(plate, bone(patient, 420, 130), box, STRUCTURES["sternum"])


def _draw_pelvis(canvas, patient):
    value = bone(patient, 560, 190)

    def wings(x, y, z):
        side = np.abs(x)
        shell = ellipsoid(side, y, z, (42, 10, -196), (68, 78, 108))
        plate = np.abs(shell) - 5.5
        plate = np.maximum(plate, 0.8 * (y - 22 - 0.3 * (z + 142)))
        plate = np.maximum(plate, 0.8 * (z + 94 + 0.2 * y))
        return np.maximum(plate, 72 + 0.35 * y - side)

    def sacrum(x, y, z):
        place = y + 62 - 0.22 * (z + 150)
        return ellipsoid(x, place, z, (0, 0, -158), (46, 17, 52))

    def hips(x, y, z):
        return ellipsoid(np.abs(x), y, z, (92, 6, -214), (24, 24, 24))

    canvas.draw(wings, value, ((-120, -75, -212), (120, 70, -70)))
    canvas.draw(hips, value, ((-118, -20, -240), (118, 32, -188)))
    canvas.draw(sacrum, value, ((-48, -100, -212), (48, -30, -104)))


def _draw_spine(canvas, patient):
    heights = np.array(_LEVELS + _NECK, dtype=float)
    level = Profile(heights, np.arange(len(heights), dtype=float))
    size = Profile((-110, 20, 150, 300), np.array((1.06, 1.0, 0.84, 0.62)))
    front = patient.spine_front
    marrow = bone(patient, 540, float(patient.rng.uniform(150, 200)))
    end = heights[-1] + 8

    def part(x, y, z):
        scale = size(z)
        place = level(z)
        return x / scale, (y - front(z)) / scale, place - np.round(place)

    def body(x, y, z):
        x, y, place = part(x, y, z)
        radius = np.sqrt(x * x + (y * 1.3) ** 2)
        return radius - 21.5 - 9 * np.abs(place) ** 2

    def arch(x, y, z):
        x, y, place = part(x, y, z)
        away = np.abs(place) * 26
        ring = np.abs(np.sqrt(x * x * 0.8 + (y + 25) ** 2) - 10.5) - 3
        ring = np.maximum(ring, away - 9)
        spinous = np.maximum(np.abs(x) - 3, np.abs(y + 42) - 10)
        spinous = np.maximum(spinous, away - 8)
        wing = np.maximum(np.abs(np.abs(x) - 24) - 14, np.abs(y + 27) - 4)
        wing = np.maximum(wing, away - 5)
        return np.minimum(np.minimum(ring, spinous), wing)

    def canal(x, y, z):
        x, y, _ = part(x, y, z)
        return np.sqrt(x * x * 0.8 + (y + 25) ** 2) - 8.5

    def vertebra(points: Points):
        place = np.abs(level(points.z) - np.round(level(points.z)))
        solid = marrow(points)
        plate = np.clip((place - 0.29) / 0.06, 0, 1)
        solid = solid + plate * np.maximum(470 - solid, 0)
        disc = np.clip((place - 0.385) / 0.05, 0, 1)
        return solid + disc * (85 - solid)

    box = ((-42, -140, -118), (42, 0, end))
    canvas.draw(arch, marrow, box, STRUCTURES["spine"])
    canvas.draw(canal, 30.0, ((-12, -120, -118), (12, -40, end)))
    canvas.draw(body, vertebra, box, STRUCTURES["spine"])
