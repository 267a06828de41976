"""Points of many small boxes of voxels, interpolated in one compiled loop.

Every patch of a batch has a box: the voxels around its points, cut from the
scan and, where the scan ends, one more with the value outside. Points beyond
count as points on that last voxel. The boxes lie one after the other in one
array. Compiled by XLA, the eight neighbors of a point are
read, weighted and normalized in one pass, several times as fast as
`scipy.ndimage.affine_transform`, to which it is equal up to float32 rounding.
"""

import tensorflow as tf


@tf.function(jit_compile=True, autograph=False)
def interpolate(voxels, place, matrix, origin, scale, offset, size):
    """Trilinear interpolation between voxels, then normalization.

    Args:
        voxels: int16 `(n,)`, boxes of `(channels, x, y, z)`.
        place: int32 `(batch, 4)`: where a box begins in `voxels`, and its
            voxels along x, y and z.
        matrix: float32 `(batch, 3, 3)`, from point indices to voxels.
        origin: float32 `(batch, 3)`: first point, in voxels of the box.
        scale: float32 `(batch, channels)`.
        offset: float32 `(batch, channels)`: result = value * scale + offset.
        size: Points along each axis, three integers.

    Returns:
        float32 `(batch, *size, channels)`.
    """
    coordinates = _coordinates(place, matrix, origin, size)
    lower = [tf.floor(c) for c in coordinates]
    weights = [c - f for c, f in zip(coordinates, lower, strict=True)]
    first = _flat(place, lower)
    planes, rows, row = (place[:, i, None, None, None] for i in (1, 2, 3))
    plane = rows * row

    def between(at, steps, weights):
        """Interpolates along the last axes, one after the other."""
        if not steps:
            return tf.cast(tf.gather(voxels, at), tf.float32)
        low = between(at, steps[1:], weights[1:])
        high = between(at + steps[0], steps[1:], weights[1:])
        return low + (high - low) * weights[0]

    channels = []
    for channel in range(scale.shape[1]):
        at = first + channel * planes * plane
        value = between(at, [plane, row, 1], weights)
        scaled = value * scale[:, channel, None, None, None]
        channels.append(scaled + offset[:, channel, None, None, None])
    return tf.stack(channels, axis=-1)


@tf.function(jit_compile=True, autograph=False)
def nearest(voxels, place, matrix, origin, size):
    """The voxel that each point lies in; arguments as `interpolate`.

    Args:
        voxels: uint8 `(n,)`, boxes of `(1, x, y, z)`.

    Returns:
        uint8 `(batch, *size)`.
    """
    coordinates = _coordinates(place, matrix, origin, size)
    at = _flat(place, [tf.floor(c + 0.5) for c in coordinates])
    return tf.gather(voxels, at)


@tf.function(jit_compile=True, autograph=False)
def normalize(stored, scale, offset):
    """`stored * scale + offset`, channels last.

    Args:
        stored: int16 `(batch, channels, x, y, z)`.
        scale: float32 `(batch, channels)`.
        offset: float32 `(batch, channels)`.

    Returns:
        float32 `(batch, x, y, z, channels)`.
    """
    value = tf.cast(stored, tf.float32) * scale[:, :, None, None, None]
    value += offset[:, :, None, None, None]
    return tf.transpose(value, (0, 2, 3, 4, 1))


def _coordinates(place, matrix, origin, size):
    """x, y and z of each point, in voxels of the box, `(batch, *size)`."""
    i, j, k = (tf.range(n, dtype=tf.float32) for n in size)
    i, j = i[:, None, None], j[:, None]
    m = matrix[..., None, None, None]
    last = tf.cast(place[:, 1:, None, None, None] - 1, tf.float32)
    return [
        tf.clip_by_value(
            origin[:, a, None, None, None]
            + m[:, a, 0] * i
            + m[:, a, 1] * j
            + m[:, a, 2] * k,
            0.0,
            last[:, a],
        )
        for a in range(3)
    ]


def _flat(place, voxel):
    """Indices of voxels of the first channel, int32 `(batch, *size)`."""
    x, y, z = (tf.cast(v, tf.int32) for v in voxel)
    start, _, rows, row = (place[:, i, None, None, None] for i in range(4))
    return start + (x * rows + y) * row + z
