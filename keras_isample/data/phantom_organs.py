"""The phantom's organs of the belly and its bowel.

Coordinates are those of `phantom_trunk`. Spleen and contrast-filled bowel
are about as bright as the kidneys and lie close to them, so that no threshold
finds the kidneys.
"""

import numpy as np

from keras_isample.data.phantom_canvas import AIR
from keras_isample.data.phantom_canvas import Canvas
from keras_isample.data.phantom_canvas import Points
from keras_isample.data.phantom_canvas import ellipsoid
from keras_isample.data.phantom_canvas import ellipsoid_box
from keras_isample.data.phantom_canvas import rotation
from keras_isample.data.phantom_canvas import smooth_path
from keras_isample.data.phantom_canvas import smooth_union
from keras_isample.data.phantom_trunk import STRUCTURES
from keras_isample.data.phantom_trunk import Patient
from keras_isample.data.phantom_trunk import speckle
from keras_isample.data.phantom_trunk import vessel_tree


def draw_organs(canvas: Canvas, patient: Patient) -> None:
    """Draws liver, spleen, pancreas, stomach, bowel and bladder."""
    _draw_liver(canvas, patient)
    _draw_bowel(canvas, patient)
    _draw_stomach(canvas, patient)
    _draw_spleen(canvas, patient)
    _draw_bladder(canvas, patient)


def _draw_liver(canvas, patient):
    shift = patient.shift(5)
    size = patient.scale(0.06)
    turn = rotation(*patient.shift(8))
    right = (np.array((74, 2, 18)) + shift, [size * r for r in (62, 74, 66)])
    left = (np.array((4, 42, 40)) + shift, [size * r for r in (72, 34, 27)])

    def liver(x, y, z):
        first = ellipsoid(x, y, z, *right, turn)
        shape = smooth_union(first, ellipsoid(x, y, z, *left, turn), 16)
        under = ellipsoid(x, y, z, (8, -30, 5), (44, 52, 50))
        return patient.in_belly(np.maximum(shape, -under), x, y, z)

    contrast = patient.contrast
    value = vessel_tree(
        patient, contrast.liver, contrast.portal, 12.0, 0.06, 7.7
    )
    box = ((-85, -85, -65), (132, 95, 85))
    canvas.draw(liver, value, box, STRUCTURES["liver"])
    bladder = np.array((46, 44, -12)) + shift
    radii = [patient.scale(0.15) * r for r in (13, 22, 15)]
    canvas.draw(
        lambda x, y, z: ellipsoid(x, y, z, bladder, radii) - 1.5,
        55.0,
        ellipsoid_box(bladder, radii),
    )
    canvas.draw(
        lambda x, y, z: ellipsoid(x, y, z, bladder, radii),
        8.0,
        ellipsoid_box(bladder, radii),
    )


def _draw_spleen(canvas, patient):
    center = np.array((-94, -30, 20)) + patient.shift(5)
    radii = [patient.scale(0.1) * r for r in (34, 46, 54)]
    turn = rotation(*(np.array((-25, -12, 15)) + patient.shift(8)))
    inner = center + (46, 22, -8)

    def spleen(x, y, z):
        shape = ellipsoid(x, y, z, center, radii, turn)
        hollow = ellipsoid(x, y, z, inner, (25, 34, 60))
        return patient.in_belly(np.maximum(shape, -hollow), x, y, z)

    value = speckle(patient, patient.contrast.spleen, 5, 9.0)
    canvas.draw(
        spleen, value, ellipsoid_box(center, radii), STRUCTURES["spleen"]
    )


def _drink(patient):
    """HU of swallowed contrast agent: near the mean of the kidneys."""
    mean = 0.55 * patient.contrast.cortex + 0.45 * patient.contrast.medulla
    return mean + float(patient.rng.uniform(-8, 14))


def _draw_stomach(canvas, patient):
    shift = np.append(patient.shift(6), 0)
    path = shift + [
        (-58, -14, 48, 24),
        (-62, 8, 32, 31),
        (-52, 36, 8, 27),
        (-24, 50, -10, 20),
        (8, 44, -8, 14),
        (26, 32, -2, 9),
    ]
    drink = _drink(patient)
    nodes = smooth_path(path)
    _keep_in(patient, nodes, 3)
    air = float(nodes[:, 1].max() + patient.rng.uniform(-6, 8))

    def content(points: Points):
        grain = patient.texture(points.x, points.y, points.z, 7.0)
        gas = np.clip((points.y - air) / 2, 0, 1)
        return drink + 8 * grain + gas * (AIR + 40 - drink)

    canvas.draw_tube(nodes, 78.0)
    canvas.draw_tube(nodes, content, inset=4.0)


def _keep_in(patient, nodes, gap):
    """Moves the nodes of a tube into the cavity of the belly."""
    for _ in range(40):
        x, y, z = nodes[:, :3].T.astype(np.float32)
        out = patient.cavity(x, y, z) + nodes[:, 3] + gap
        high = patient.above_dome(x, y, z) + nodes[:, 3] + gap + 3
        nodes[:, 2] -= 0.5 * np.clip(high, 0, 6)
        step = 0.5 * np.clip(out, 0, 6)
        size = np.hypot(x, y - 3) + 1e-3
        nodes[:, 0] -= step * x / size
        nodes[:, 1] -= step * (y - 3) / size


def _draw_bowel(canvas, patient):
    rng = patient.rng
    duodenum = [
        (28, 30, -4, 10),
        (40, 12, -10, 11),
        (41, -2, -34, 11),
        (22, -2, -52, 10),
        (-14, 2, -46, 10),
        (-28, 14, -30, 10),
    ]
    _draw_gut(canvas, patient, _wander(patient, duodenum, 3), 2.0)
    for part in range(6):
        _draw_gut(canvas, patient, _loops(rng, part), 2.0)
    swing = float(rng.uniform(-14, 8))
    right = [
        (92, 6, -122, 20),
        (96, -2, -95, 21),
        (98, -10, -62, 20),
        (92, -4, -36, 18),
    ]
    across = [
        (88, 14, -34, 17),
        (62, 50, -46 + swing, 18),
        (10, 60, -58 + swing, 18),
        (-46, 56, -44 + swing, 17),
        (-82, 26, -16, 16),
        (-96, 2, 2, 15),
    ]
    left = [
        (-98, -6, -8, 15),
        (-103, -16, -40, 15),
        (-102, -12, -85, 14),
        (-88, 4, -118, 14),
    ]
    end = [
        (-84, 6, -124, 13),
        (-58, 18, -142, 14),
        (-30, 2, -128, 14),
        (-4, -22, -138, 15),
        (0, -34, -165, 17),
        (0, -36, -205, 14),
    ]
    for path in (right, across, left, end):
        nodes = _wander(patient, path, 4)
        wave = np.sin(np.arange(len(nodes)) * 2.1 + rng.uniform(0, 6))
        nodes[:, 3] *= 1 + 0.12 * wave
        _draw_gut(canvas, patient, nodes, 2.5, contrast=path is not end)


def _wander(patient, path, size):
    path = np.array(path, dtype=float)
    path[:, :3] += patient.rng.uniform(-size, size, (len(path), 3))
    return smooth_path(path, 7.0)


def _loops(rng, part):
    """One stretch of the small bowel, winding across its part of the belly."""
    turns = 7
    left, low = (-1) ** part * 32.0, -56.0 - 32.0 * (part // 2)
    points = []
    for turn in range(turns):
        height = low + 18 - 36 * turn / (turns - 1)
        for side in (-1, 1) if turn % 2 else (1, -1):
            points.append(
                (
                    left + side * rng.uniform(14, 30),
                    24 + rng.uniform(-24, 26),
                    height + rng.uniform(-6, 6),
                    rng.uniform(8.5, 11.5),
                )
            )
    return smooth_path(points, 7.0)


def _draw_gut(canvas, patient, nodes, wall, *, contrast=True):
    """Draws a stretch of bowel with contrast agent, gas or stool in it."""
    rng = patient.rng
    _keep_in(patient, nodes, 2)
    drink = _drink(patient)
    plain = float(rng.uniform(20, 60))
    limit = float(rng.uniform(0.35, 0.6))
    bubble = float(rng.uniform(1.0, 2.0))
    start = float(rng.uniform(0, 6))

    def content(points: Points):
        grain = patient.texture(points.x, points.y, points.z, 8.0)
        course = 0.5 + 0.5 * np.sin(start + 5 * points.along)
        bright = contrast * np.clip((course - 1 + limit) * 30 + 0.5, 0, 1)
        fluid = plain + 12 * grain
        result = fluid + bright * (drink + 9 * grain - fluid)
        gas = np.clip((grain - bubble) * 5, 0, 1) * (1 - bright)
        return result + gas * (AIR + 50 - result)

    canvas.draw_tube(nodes, 68.0)
    canvas.draw_tube(nodes, content, inset=wall)


def _draw_bladder(canvas, patient):
    center = np.array((0, 26, -166)) + patient.shift(4)
    radii = [patient.scale(0.15) * r for r in (36, 28, 27)]
    urine = float(patient.rng.uniform(2, 18))

    def bladder(x, y, z):
        return ellipsoid(x, y, z, center, radii)

    def content(points: Points):
        wall = np.clip((4 - points.depth) / 1.5, 0, 1)
        return urine + wall * (48 - urine)

    box = ellipsoid_box(center, radii)
    canvas.draw(lambda x, y, z: bladder(x, y, z) - 4, -80.0, box)
    canvas.draw(bladder, content, box, STRUCTURES["urinary_bladder"])
